//! One entry of a map of a solution, such as a user: made, changed, dropped. What an entry is and what its loss means is said by
//! the kind's schema; an entry that is a login has a password, made and shown once or chosen and judged at its field.

use super::danger::shown;
use super::place::Here;
use crate::api::segment;
use crate::ask::{Ask, Reply, no_page};
use crate::form::Form;
use crate::pages::mail_links::password_help;
use crate::say::Say;
use crate::ui::places::{Entries, entries};
use crate::ui::spec::{SpecForm, escaped, fill, patch, properties, read, said};
use crate::ui::{self, Confirm, Field, Tone, Wrong, form};
use husorden_base::{Refusal, Text};
use husorden_wire::api;
use maud::{Markup, html};
use serde_json::{Value, json};

/// Where the fields of an entry lie in its form, whatever its name is.
const AT: &str = "/entry";

/// The map that the path names.
fn map(ask: &Ask, here: &Here) -> Result<Entries, Refusal> {
    let mut maps = entries(&here.schema, &here.place.name).into_iter();
    maps.find(|map| map.field == ask.param("field")).ok_or_else(no_page)
}

/// The entry of it that the path names, as it is.
fn entry<'a>(ask: &Ask, here: &'a Here, map: &Entries) -> Result<&'a Value, Refusal> {
    map.held(&here.one.spec).find(|(name, _)| *name == ask.param("entry")).map(|(_, value)| value).ok_or_else(no_page)
}

/// What the API refuses, said at the fields of the form.
fn at_fields(mut refusal: Refusal, map: &Entries, name: &str) -> Refusal {
    let whole = format!("/spec/{}", map.field);
    let own = format!("{whole}/{}", escaped(name));
    let password = format!("/passwords/{}", escaped(name));
    for field in &mut refusal.fields {
        if field.pointer == own || field.pointer == whole {
            "/name".clone_into(&mut field.pointer);
        } else if field.pointer == password {
            "/password".clone_into(&mut field.pointer);
        } else if let Some(rest) = field.pointer.strip_prefix(&own).filter(|rest| rest.starts_with('/')) {
            field.pointer = format!("{AT}{rest}");
        }
    }
    refusal
}

/// A field for a password that people may choose.
pub(super) fn password_field(ask: &Ask, wrong: &Wrong) -> Markup {
    let l = ask.l;
    let help = l.f(
        || format!("Tom: vi laver en stærk og viser den én gang. En selvvalgt: {}", password_help(ask)),
        || format!("Empty: we make a strong one and show it once. One of your own: {}", password_help(ask)),
    );
    Field {
        name: "/password",
        label: l.t("Adgangskode", "Password"),
        help: &help,
        kind: "password",
        autocomplete: "new-password",
        optional: true,
        ..Field::default()
    }
    .show(ask, wrong)
}

pub(super) async fn add_page(ask: &Ask) -> Result<Reply, Refusal> {
    let here = Here::find(ask).await?;
    let map = map(ask, &here)?;
    let mut typed = Form::default();
    fill(&mut typed, map.one(), &Value::Null, AT);
    typed.set("_generation", here.one.generation.to_string());
    Ok(add_form(ask, &here, &map, &typed, &Wrong::none(ask)))
}

fn add_form(ask: &Ask, here: &Here, map: &Entries, typed: &Form, wrong: &Wrong) -> Reply {
    let l = ask.l;
    let title = map.entry.new.get(l);
    let name = Field {
        name: "/name",
        label: l.t("Navn", "Name"),
        help: said(l, &map.schema["propertyNames"], "description"),
        value: typed.text("/name"),
        autocomplete: "off",
        required: true,
        max: Some(200),
        ..Field::default()
    };
    let more = html! { (name.show(ask, wrong)) @if map.entry.credential { (password_field(ask, wrong)) } };
    form_page(ask, here, map, title, (typed, wrong), (&more, l.t("Opret", "Make")))
}

/// A form of one entry: what comes before its fields, its fields, and the way on.
fn form_page(
    ask: &Ask,
    here: &Here,
    map: &Entries,
    title: &str,
    (typed, wrong): (&Form, &Wrong),
    (before, verb): (&Markup, &str),
) -> Reply {
    let l = ask.l;
    let back = here.path();
    let fields = SpecForm { ask, schema: map.one(), held: &here.one.spec, first: &Value::Null, typed, wrong };
    ask.sheet(title).narrow().show(html! {
        (ui::head(Some((&back, &format!("{} · {}", here.one.name, here.place.title.get(l)))), title, "", html! {}))
        (wrong.summary(ask))
        form method="post" action=(ask.path.as_str().split('?').next().unwrap_or_default()) class="fields" {
            (form::token(ask))
            input type="hidden" name="_generation" value=(typed.text("_generation"));
            section class="card" { div class="body fields" {
                (before)
                (fields.inner(map.one(), AT))
            } }
            (form::actions(verb, Some((&back, l.t("Fortryd", "Cancel")))))
        }
    })
}

pub(super) async fn add(ask: &Ask) -> Result<Reply, Refusal> {
    let here = Here::find(ask).await?;
    let map = map(ask, &here)?;
    let l = ask.l;
    let name = ask.form.text("/name");
    let wrong = |refusal| Ok(add_form(ask, &here, &map, &ask.form, &Wrong::of(ask, at_fields(refusal, &map, name))));
    if map.held(&here.one.spec).any(|(held, _)| held == name) {
        let text = Text::new("Der er allerede en med det navn.", "There is one of that name already.");
        return wrong(Refusal::field("/name", text));
    }
    let mut body = json!({ "spec": { &map.field: { name: read(&ask.form, map.one(), AT) } } });
    let password = ask.form.get("/password").filter(|text| map.entry.credential && !text.is_empty());
    if let Some(password) = password {
        body["passwords"] = json!({ name: password });
    }
    if let Err(refusal) = here.change(ask, &body).await {
        return wrong(refusal);
    }
    if map.entry.credential && password.is_none() {
        let at = format!("/v1/solutions/{}/credentials/{}", segment(&here.one.id), segment(name));
        let made: api::CredentialShown = ask.api.act(&at).await?;
        return shown(ask, made).await;
    }
    Ok(here.back(&l.f(|| format!("{name} er på vej."), || format!("{name} is being made."))))
}

pub(super) async fn change_page(ask: &Ask) -> Result<Reply, Refusal> {
    let here = Here::find(ask).await?;
    let map = map(ask, &here)?;
    let mut typed = Form::default();
    fill(&mut typed, map.one(), entry(ask, &here, &map)?, AT);
    typed.set("_generation", here.one.generation.to_string());
    Ok(change_form(ask, &here, &map, &typed, &Wrong::none(ask)))
}

fn change_form(ask: &Ask, here: &Here, map: &Entries, typed: &Form, wrong: &Wrong) -> Reply {
    let title = format!("{} {}", map.entry.title.get(ask.l), ask.param("entry"));
    form_page(ask, here, map, &title, (typed, wrong), (&html! {}, ask.l.t("Gem ændringer", "Save changes")))
}

pub(super) async fn change(ask: &Ask) -> Result<Reply, Refusal> {
    let here = Here::find(ask).await?;
    let map = map(ask, &here)?;
    let name = ask.param("entry");
    let held = entry(ask, &here, &map)?;
    // What the form does not ask about stays.
    let asked = properties(map.one());
    let held: Value = asked.iter().map(|(field, _)| ((*field).clone(), held[field.as_str()].clone())).collect();
    let Some(change) = patch(&held, &read(&ask.form, map.one(), AT)) else {
        return Ok(here.back(ask.l.t("Intet var ændret.", "Nothing was changed.")));
    };
    match here.change(ask, &json!({ "spec": { &map.field: { name: change } } })).await {
        Ok(()) => Ok(here.back(ask.l.t("Gemt. Ændringen føres ud nu.", "Saved. The change is being carried out."))),
        Err(refusal) => Ok(change_form(ask, &here, &map, &ask.form, &Wrong::of(ask, at_fields(refusal, &map, name)))),
    }
}

pub(super) async fn drop_page(ask: &Ask) -> Result<Reply, Refusal> {
    let here = Here::find(ask).await?;
    let map = map(ask, &here)?;
    entry(ask, &here, &map)?;
    let l = ask.l;
    let (what, name) = (map.entry.title.get(l).to_lowercase(), ask.param("entry"));
    let title = l.f(|| format!("Slet {what} {name}?"), || format!("Drop {what} {name}?"));
    let told = |tone: Tone| move |text: &Text| (tone, text.get(l).to_owned());
    let confirm = Confirm {
        title: &title,
        lead: &here.one.name,
        consequences: map
            .entry
            .loss
            .iter()
            .map(told(Tone::Bad))
            .chain(map.entry.kept.iter().map(told(Tone::Good)))
            .collect(),
        action: ask.path.as_str(),
        verb: l.t("Slet", "Drop"),
        danger: true,
        back: &here.path(),
        fields: html! { input type="hidden" name="_generation" value=(here.one.generation); },
    };
    Ok(ask.sheet(&title).narrow().show(confirm.show(ask)))
}

pub(super) async fn remove(ask: &Ask) -> Result<Reply, Refusal> {
    let here = Here::find(ask).await?;
    let map = map(ask, &here)?;
    entry(ask, &here, &map)?;
    let name = ask.param("entry");
    here.change(ask, &json!({ "spec": { &map.field: { name: Value::Null } } })).await?;
    Ok(here.back(&ask.l.f(
        || format!("{name} slettes nu. Det kan fortrydes under Øjebliksbilleder."),
        || format!("{name} is being dropped. Snapshots has the way to undo it."),
    )))
}
