//! The pages of a solution that its kind's schema asks for: tables of entries with names, such as users and databases, and settings
//! with their units, bounds and defaults. Every form carries the version it was made from.

use super::shapes::{frame, kind, may_change, path, read};
use crate::api::{Nothing, segment};
use crate::ask::{Ask, Reply, no_page};
use crate::form::Form;
use crate::own_path::OwnPath;
use crate::say::Say;
use crate::ui::form::{describes, errors_of, id};
use crate::ui::icon::Icon;
use crate::ui::places::{Entries, Place, entries, narrowed, places, settings};
use crate::ui::spec::{ROOT, Shape, SpecForm, fill, named, patch, properties, read as read_spec, said, shape, written};
use crate::ui::{self, Tone, Wrong, form};
use husorden_base::Refusal;
use husorden_wire::api;
use maud::{Markup, html};
use serde_json::{Map, Value, json};

/// What the path names: a solution, and a page of it.
pub(super) struct Here {
    pub(super) one: api::Solution,
    /// The schema, as it is for the solution as it is set.
    pub(super) schema: Value,
    pub(super) place: Place,
}

impl Here {
    pub(super) async fn find(ask: &Ask) -> Result<Self, Refusal> {
        let one = read(ask).await?;
        let schema = narrowed(&kind(ask, &one)?.schema(), &one.spec);
        let named = places(&schema).into_iter().find(|place| place.name == ask.param("place"));
        Ok(Self { one, schema, place: named.ok_or_else(no_page)? })
    }

    /// The page's address.
    pub(super) fn path(&self) -> String {
        format!("{}/places/{}", path(&self.one), segment(&self.place.name))
    }

    /// Back to the page, with a sentence.
    pub(super) fn back(&self, sentence: &str) -> Reply {
        Reply::see(OwnPath::of(self.path())).saying(sentence)
    }

    /// Changes the solution, if it still is what the form was made from.
    pub(super) async fn change(&self, ask: &Ask, body: &Value) -> Result<(), Refusal> {
        let at = format!("/v1/solutions/{}", segment(&self.one.id));
        ask.api.patch::<Nothing>(&at, body, Some(ask.form.text("_generation"))).await.map(drop)
    }
}

pub(super) async fn show(ask: &Ask) -> Result<Reply, Refusal> {
    let here = Here::find(ask).await?;
    let mut typed = Form::default();
    fill(&mut typed, &settings(&here.schema, &here.place.name), &here.one.spec, ROOT);
    typed.set("_generation", here.one.generation.to_string());
    Ok(page(ask, &here, &typed, &Wrong::none(ask)))
}

fn page(ask: &Ask, here: &Here, typed: &Form, wrong: &Wrong) -> Reply {
    let maps = entries(&here.schema, &here.place.name);
    let settings = settings(&here.schema, &here.place.name);
    frame(
        ask,
        &here.one,
        html! {
            @for map in &maps { (table(ask, here, map)) }
            @if !properties(&settings).is_empty() { (settings_form(ask, here, &settings, typed, wrong)) }
        },
    )
}

/// The entries of one map.
fn table(ask: &Ask, here: &Here, map: &Entries) -> Markup {
    let l = ask.l;
    let spec = &here.one.spec;
    let at = format!("{}/{}", here.path(), segment(&map.field));
    let columns = properties(map.one());
    let users = choosers(here, map);
    html! {
        section class="card" id={ "map-" (map.field) } data-live {
            div class="title" {
                h2 { (said(l, &map.schema, "title")) }
                @if may_change(ask) { (ui::button(&at, "primary small", Some(Icon::Add), map.entry.new.get(l))) }
                p { (said(l, &map.schema, "description")) }
            }
            @if map.held(spec).next().is_none() {
                (ui::empty(if map.entry.credential { Icon::People } else { Icon::Database }, l.t("Ingen endnu", "None yet"), "", html! {}))
            } @else {
                div class="table" { table class="stacks" {
                    thead { tr {
                        th scope="col" { (l.t("Navn", "Name")) }
                        @if let Some(met) = &map.entry.met { th scope="col" { (met.title.get(l)) } }
                        @for (_, column) in &columns { th scope="col" { (said(l, column, "title")) } }
                        @for (other, ..) in &users { th scope="col" { (said(l, &other.schema, "title")) } }
                        th scope="col" class="end" { span class="unseen" { (l.t("Handlinger", "Actions")) } }
                    } }
                    tbody {
                        @for (name, value) in map.held(spec) {
                            tr {
                                td { code class="main" { (name) } }
                                @if let Some(met) = &map.entry.met {
                                    td data-label=(met.title.get(l)) { (ui::copy(ask, &format!("{}{name}", met.before))) }
                                }
                                @for (field, column) in &columns { td data-label=(said(l, column, "title")) { (cell(ask, column, &value[field.as_str()])) } }
                                @for (other, field, choice) in &users {
                                    td data-label=(said(l, &other.schema, "title")) { (chosen_by(ask, spec, other, field, choice, name)) }
                                }
                                td class="end whole" { (actions(ask, here, map, name, &format!("{at}/{}", segment(name)))) }
                            }
                        }
                    }
                } }
            }
        }
    }
}

/// The other maps whose entries choose something for each entry of this one, with the field they do it in.
fn choosers(here: &Here, map: &Entries) -> Vec<(Entries, String, Value)> {
    let all = places(&here.schema).into_iter().flat_map(|place| entries(&here.schema, &place.name));
    let found = all.filter_map(|other| {
        let (field, choice) = other.chooses(&map.field).map(|(name, field)| (name.clone(), field.clone()))?;
        Some((other, field, choice["additionalProperties"].clone()))
    });
    found.collect()
}

/// Who of the other map has chosen something for this entry.
fn chosen_by(ask: &Ask, spec: &Value, other: &Entries, field: &str, choice: &Value, name: &str) -> Markup {
    let who = other.held(spec).filter_map(|(who, value)| Some((who, value[field][name].as_str()?)));
    pairs(ask, who.collect(), choice)
}

fn cell(ask: &Ask, column: &Value, value: &Value) -> Markup {
    match shape(column) {
        Shape::Keyed => {
            let rights = value.as_object().into_iter().flatten();
            pairs(
                ask,
                rights.filter_map(|(key, word)| Some((key, word.as_str()?))).collect(),
                &column["additionalProperties"],
            )
        }
        Shape::Several | Shape::List => {
            let words: Vec<&str> = value.as_array().into_iter().flatten().filter_map(Value::as_str).collect();
            html! {
                @if words.is_empty() { span class="faint" { "–" } }
                @else { span class="tags" { @for word in words { (ui::tag(word)) } } }
            }
        }
        Shape::Choice | Shape::Flag | Shape::Number | Shape::Text | Shape::Object { .. } => match value {
            Value::String(text) => html! { (named(ask.l, column, text)) },
            Value::Null => html! { span class="faint" { "–" } },
            Value::Bool(true) => html! { (ask.l.t("Ja", "Yes")) },
            Value::Bool(false) => html! { (ask.l.t("Nej", "No")) },
            other => html! { (written(column, other)) },
        },
    }
}

/// Names, each with what was chosen.
fn pairs(ask: &Ask, pairs: Vec<(&String, &str)>, choice: &Value) -> Markup {
    html! {
        @if pairs.is_empty() { span class="faint" { "–" } }
        @else {
            span class="tags" {
                @for (name, word) in pairs { span class="badge plain" { code { (name) } " " (named(ask.l, choice, word)) } }
            }
        }
    }
}

fn actions(ask: &Ask, here: &Here, map: &Entries, name: &str, at: &str) -> Markup {
    let l = ask.l;
    let base = path(&here.one);
    let of = |what: &str| format!("{what}: {name}");
    html! {
        span class="row" {
            @if map.entry.credential {
                a class="button quiet small" href={ (base) "?login=" (segment(name)) "#connect" } aria-label=(of(l.t("Forbind", "Connect"))) { (Icon::Link.show()) (l.t("Forbind", "Connect")) }
            }
            @if may_change(ask) {
                @if map.entry.credential {
                    a class="button quiet small" href={ (base) "/credentials/" (segment(name)) } aria-label=(of(l.t("Ny adgangskode", "New password"))) { (Icon::Key.show()) (l.t("Ny adgangskode", "New password")) }
                }
                @if !properties(map.one()).is_empty() {
                    a class="button quiet small" href=(at) aria-label=(of(l.t("Ret", "Change"))) { (Icon::Settings.show()) (l.t("Ret", "Change")) }
                }
                a class="button quiet small" href={ (at) "/drop" } data-dialog aria-label=(of(l.t("Slet", "Drop"))) { (Icon::Trash.show()) (l.t("Slet", "Drop")) }
            }
        }
    }
}

/// The settings of the page.
fn settings_form(ask: &Ask, here: &Here, schema: &Value, typed: &Form, wrong: &Wrong) -> Markup {
    let l = ask.l;
    let may = may_change(ask);
    let spec = SpecForm { ask, schema, held: &here.one.spec, first: &Value::Null, typed, wrong };
    html! {
        (wrong.summary(ask))
        form method="post" action=(here.path()) class="stack" {
            (form::token(ask))
            input type="hidden" name="_generation" value=(typed.text("_generation"));
            section class="card" {
                div class="title" { h2 { (here.place.title.get(l)) } }
                div class="settings" { (rows(&spec, schema, ROOT)) }
                @if may {
                    div class="end" { div class="row" {
                        button class="button primary" { (l.t("Gem ændringer", "Save changes")) }
                        span class="soft small" { (l.t(
                            "Det, der er mærket »genstart«, genstarter serveren: åbne forbindelser afbrydes én gang. Resten gælder med det samme.",
                            "What is marked “restart” restarts the server: open connections are cut once. The rest holds at once.",
                        )) }
                    } }
                }
            }
        }
    }
}

/// Numbers as rows, objects as groups of rows, and whatever else as the form of settings has it.
fn rows(form: &SpecForm<'_>, schema: &Value, at: &str) -> Markup {
    let l = form.ask.l;
    html! {
        @for (name, field) in properties(schema) {
            @let pointer = format!("{at}/{name}");
            @match shape(field) {
                Shape::Number => (row(form, name, field, &pointer)),
                Shape::Object { .. } => {
                    div class="heading" { h3 { (said(l, field, "title")) } p class="soft small" { (said(l, field, "description")) } }
                    (rows(form, field, &pointer))
                },
                Shape::Choice | Shape::Flag | Shape::Text | Shape::List | Shape::Several | Shape::Keyed => {
                    @let alone = json!({"properties": {name.as_str(): field}});
                    div class="setting" { (form.inner(&alone, at)) }
                },
            }
        }
    }
}

/// One number: what it is, what it may be and what it is when nothing is said, and the field.
fn row(form: &SpecForm<'_>, name: &str, schema: &Value, pointer: &str) -> Markup {
    let l = form.ask.l;
    let id = id(pointer);
    let errors = form.wrong.at(pointer);
    let unit = schema["x-unit"].as_str().unwrap_or_default();
    let number = |value: &Value| value.as_i64().map(spaced);
    let bounds = number(&schema["minimum"]).zip(number(&schema["maximum"]));
    let default = number(&schema["default"]);
    let counted = |number: &str| if unit.is_empty() { number.to_owned() } else { format!("{number} {unit}") };
    let title = said(l, schema, "title");
    let title = if title.is_empty() { name } else { title };
    html! {
        div class="setting" {
            div class="about" {
                p {
                    label for=(id) { (title) }
                    @if schema["x-restart"] == true { " " (ui::badge(Tone::Warn, l.t("genstart", "restart"))) }
                }
                div id={ (id) "-help" } {
                    p { (said(l, schema, "description")) }
                    p class="bounds num" {
                        @if let Some((low, high)) = bounds { (l.t("Fra ", "From ")) (low) (l.t(" til ", " to ")) (counted(&high)) "." }
                        @if let Some(default) = &default { " " (l.t("Standard: ", "Default: ")) (counted(default)) "." }
                    }
                }
            }
            div class="control" {
                span class="measured" {
                    input id=(id) name=(pointer) value=(form.typed.get(pointer).unwrap_or_default()) inputmode="numeric" autocomplete="off" maxlength="20"
                        placeholder=[default] aria-describedby=[describes(&id, "help", &errors)] aria-invalid=[(!errors.is_empty()).then_some("true")];
                    @if !unit.is_empty() { span class="unit" { (unit) } }
                }
                (errors_of(&id, &errors))
            }
        }
    }
}

/// A number with thin spaces between its thousands, which both languages read.
fn spaced(number: i64) -> String {
    let digits = number.unsigned_abs().to_string();
    let mut text = if number < 0 { "−".to_owned() } else { String::new() };
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push('\u{202f}');
        }
        text.push(digit);
    }
    text
}

/// Saves the settings of the page; what is empty is as it is by itself.
pub(super) async fn save(ask: &Ask) -> Result<Reply, Refusal> {
    let here = Here::find(ask).await?;
    let schema = settings(&here.schema, &here.place.name);
    let wished = read_spec(&ask.form, &schema, ROOT);
    let names = properties(&schema).into_iter().map(|(name, _)| name.clone());
    let held: Map<String, Value> = names.map(|name| (name.clone(), here.one.spec[&name].clone())).collect();
    let Some(change) = patch(&Value::Object(held), &wished) else {
        return Ok(here.back(ask.l.t("Intet var ændret.", "Nothing was changed.")));
    };
    match here.change(ask, &json!({ "spec": change })).await {
        Ok(()) => Ok(here.back(ask.l.t("Gemt. Ændringen føres ud nu.", "Saved. The change is being carried out."))),
        Err(refusal) => Ok(page(ask, &here, &ask.form, &Wrong::of(ask, refusal))),
    }
}

#[cfg(test)]
mod tests {
    use super::spaced;

    #[test]
    fn thousands_are_apart() {
        for (number, text) in
            [(0, "0"), (999, "999"), (-1, "−1"), (1_000, "1\u{202f}000"), (86_400_000, "86\u{202f}400\u{202f}000")]
        {
            assert_eq!(spaced(number), text);
        }
    }
}
