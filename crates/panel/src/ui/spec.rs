//! A form made from a kind's own JSON schema: what people are asked, what they typed, and the spec that it makes. The panel
//! knows no kind; a field's name is its pointer into the API's request, so that what the API refuses is said at the field.

use super::form::{Around, Field, Wrong, around, describes, errors_of, id, lines, tick};
use super::icon::Icon;
use crate::ask::Ask;
use crate::form::Form;
use crate::say::Say;
use husorden_base::{Language, Refusal};
use husorden_kinds::Kind;
use husorden_wire::api;
use maud::{Markup, html};
use serde_json::{Map, Value, json};

/// The schema of a kind with what only the API knows, such as the images that nodes have. Without an answer, that of the kind itself: the
/// form is the same but for some choices.
pub(crate) async fn completed(ask: &Ask, kind: &dyn Kind) -> Value {
    let schema = kind.schema();
    if !schema["properties"].as_object().into_iter().flatten().any(|(_, field)| field["x-more"].is_string()) {
        return schema;
    }
    let all: Result<api::Page<api::Kind>, Refusal> = ask.api.get("/v1/kinds").await;
    let known = all.ok().and_then(|page| page.items.into_iter().find(|one| one.name == kind.name()));
    known.map_or(schema, |one| one.spec)
}

/// Where the spec lies in the API's request.
pub(crate) const ROOT: &str = "/spec";
/// Deepest object within an object.
const DEPTH_MAX: usize = 4;

/// What one field of a schema is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Shape {
    Choice,
    Flag,
    Number,
    Text,
    List,
    /// Some of a closed list.
    Several,
    /// A choice for each entry of another map.
    Keyed,
    Object {
        nullable: bool,
    },
}

/// Whether a value may be of this type.
fn is(schema: &Value, name: &str) -> bool {
    match &schema["type"] {
        Value::String(one) => one == name,
        Value::Array(list) => list.iter().any(|one| one == name),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::Object(_) => false,
    }
}

pub(crate) fn shape(schema: &Value) -> Shape {
    let is = |name: &str| is(schema, name);
    if schema["enum"].is_array() || schema["x-known"].is_array() {
        Shape::Choice
    } else if schema["x-keys"].is_string() {
        Shape::Keyed
    } else if is("object") {
        Shape::Object { nullable: is("null") }
    } else if is("array") {
        if schema["items"]["enum"].is_array() { Shape::Several } else { Shape::List }
    } else if is("boolean") {
        Shape::Flag
    } else if is("integer") && !is("string") {
        Shape::Number
    } else {
        Shape::Text
    }
}

/// The properties of an object, in the order in which people are asked.
pub(crate) fn properties(schema: &Value) -> Vec<(&String, &Value)> {
    let all = schema["properties"].as_object().into_iter().flatten();
    // What has a place of its own is not asked about here, and not changed; nor is what follows from something else.
    let asked = |(_, field): &(&String, &Value)| field.get("x-place").is_none() && field["readOnly"] != true;
    let mut list: Vec<(&String, &Value)> = all.filter(asked).collect();
    list.sort_by_key(|(name, field)| (field["x-order"].as_u64().unwrap_or(u64::MAX), name.as_str()));
    list
}

/// What a copy is asked for: it cannot have the same as what it is copied from.
pub(crate) fn own(schema: &Value) -> Value {
    let mut own = schema.clone();
    if let Some(fields) = own["properties"].as_object_mut() {
        fields.retain(|_, field| field["x-own"] == true);
    }
    own
}

fn requires(schema: &Value, name: &str) -> bool {
    schema["required"].as_array().is_some_and(|list| list.iter().any(|one| one == name))
}

/// A word of a choice as people call it.
pub(crate) fn named<'a>(l: Language, choice: &'a Value, word: &'a str) -> &'a str {
    choice["x-names"][word][l.tag()].as_str().unwrap_or(word)
}

/// A name as a part of a pointer, and back.
pub(crate) fn escaped(name: &str) -> String {
    name.replace('~', "~0").replace('/', "~1")
}

fn unescaped(part: &str) -> String {
    part.replace("~1", "/").replace("~0", "~")
}

pub(crate) fn said<'a>(l: Language, schema: &'a Value, what: &str) -> &'a str {
    let danish = schema["x-da"][what].as_str().filter(|_| l == Language::Da);
    danish.or(schema[what].as_str()).unwrap_or_default()
}

/// What is typed into a form when it is first shown: `value` where it says something, the schema's defaults elsewhere.
pub(crate) fn fill(form: &mut Form, schema: &Value, value: &Value, at: &str) {
    for (name, field) in properties(schema) {
        let pointer = format!("{at}/{name}");
        let given = value.get(name).filter(|given| !given.is_null());
        // What may be left open is left open: what holds then is said beside it.
        let open = matches!(shape(field), Shape::Number | Shape::Text) && is(field, "null");
        let held = given.unwrap_or(if open { &Value::Null } else { &field["default"] });
        match shape(field) {
            Shape::Object { nullable } => {
                if nullable && given.is_some() {
                    form.set(&pointer, "on");
                }
                fill(form, field, given.unwrap_or(&Value::Null), &pointer);
            }
            Shape::Flag => {
                if held.as_bool() == Some(true) {
                    form.set(&pointer, "on");
                }
            }
            Shape::Keyed => {
                for (key, word) in held.as_object().into_iter().flatten() {
                    form.set(&format!("{pointer}/{}", escaped(key)), word.as_str().unwrap_or_default());
                }
            }
            Shape::List | Shape::Several => {
                for item in held.as_array().into_iter().flatten() {
                    form.add(&pointer, written(field, item));
                }
            }
            Shape::Choice | Shape::Number | Shape::Text => {
                if !held.is_null() {
                    form.set(&pointer, written(field, held));
                }
            }
        }
    }
}

/// A value as people write it: a size with its unit, a text without quotes.
pub(crate) fn written(schema: &Value, value: &Value) -> String {
    let size = schema["type"].is_array() && schema["pattern"].is_string();
    match value {
        Value::String(text) => text.clone(),
        Value::Number(number) if size => exact(number.as_u64().unwrap_or(0)),
        other => other.to_string(),
    }
}

/// A size with the largest unit that says it exactly.
fn exact(bytes: u64) -> String {
    const UNITS: [(&str, u64); 4] = [("TiB", 1 << 40), ("GiB", 1 << 30), ("MiB", 1 << 20), ("KiB", 1 << 10)];
    match UNITS.into_iter().find(|(_, unit)| bytes >= *unit && bytes.is_multiple_of(*unit)) {
        Some((name, unit)) => format!("{} {name}", bytes / unit),
        None => bytes.to_string(),
    }
}

/// The spec that a form makes. What is empty and not required is left out; what is no number stays as it was typed, so that
/// the API refuses it at its field.
pub(crate) fn read(form: &Form, schema: &Value, at: &str) -> Value {
    let mut spec = Map::new();
    for (name, field) in properties(schema) {
        let pointer = format!("{at}/{name}");
        let value = match shape(field) {
            Shape::Object { nullable: true } if !form.ticked(&pointer) => Some(Value::Null),
            Shape::Object { .. } => Some(read(form, field, &pointer)),
            Shape::Flag => Some(Value::Bool(form.ticked(&pointer))),
            Shape::Keyed => {
                let start = format!("{pointer}/");
                let given = form.under(&start).filter(|(_, word)| !word.is_empty());
                Some(given.map(|(key, word)| (unescaped(key), json!(word))).collect::<Map<_, _>>().into())
            }
            Shape::List | Shape::Several => {
                let items: Vec<&str> = form.all(&pointer).map(str::trim).filter(|text| !text.is_empty()).collect();
                Some(json!(items))
            }
            Shape::Number => {
                let text = form.text(&pointer);
                (!text.is_empty()).then(|| text.parse::<i64>().map_or_else(|_| json!(text), |number| json!(number)))
            }
            Shape::Choice => Some(form.text(&pointer)).filter(|text| !text.is_empty()).map(|text| json!(text)),
            Shape::Text => {
                let text = form.text(&pointer);
                // An empty text is a wish where the default is empty too.
                let wish = !text.is_empty() || field["default"] == "";
                // A browser ends lines in its own way.
                wish.then(|| if field["x-lines"] == true { json!(text.replace("\r\n", "\n")) } else { json!(text) })
            }
        };
        if let Some(value) = value {
            spec.insert(name.clone(), value);
        }
    }
    Value::Object(spec)
}

/// What of `wished` differs from what is held: a merge patch. None when nothing does.
pub(crate) fn difference(schema: &Value, held: &Value, wished: &Value) -> Option<Value> {
    let mut changes = Map::new();
    for (name, field) in properties(schema) {
        let (old, new) = (held.get(name).unwrap_or(&Value::Null), wished.get(name));
        let Some(new) = new else { continue };
        let changed = match (shape(field), new) {
            (Shape::Object { .. }, Value::Object(_)) if old.is_object() => difference(field, old, new),
            (Shape::Keyed, _) => patch(old, new),
            _ => (written(field, old) != written(field, new)).then(|| new.clone()),
        };
        if let Some(changed) = changed {
            changes.insert(name.clone(), changed);
        }
    }
    (!changes.is_empty()).then_some(Value::Object(changes))
}

/// The merge patch (RFC 7396) that makes `new` of `old`, where `new` says everything. None when they are the same.
pub(crate) fn patch(old: &Value, new: &Value) -> Option<Value> {
    let (Value::Object(before), Value::Object(after)) = (old, new) else {
        return (old != new).then(|| new.clone());
    };
    let gone = before.keys().filter(|name| !after.contains_key(*name)).map(|name| (name.clone(), Value::Null));
    let other = after
        .iter()
        .filter_map(|(name, new)| Some((name.clone(), patch(before.get(name).unwrap_or(&Value::Null), new)?)));
    let patch: Map<String, Value> = gone.chain(other).collect();
    (!patch.is_empty()).then_some(Value::Object(patch))
}

/// The form of a spec.
pub(crate) struct SpecForm<'a> {
    pub(crate) ask: &'a Ask,
    pub(crate) schema: &'a Value,
    /// The spec as it is, whose entries others are chosen for.
    pub(crate) held: &'a Value,
    /// What is asked about first: the rest is folded away.
    pub(crate) first: &'a Value,
    pub(crate) typed: &'a Form,
    pub(crate) wrong: &'a Wrong,
}

impl SpecForm<'_> {
    pub(crate) fn show(&self) -> Markup {
        let l = self.ask.l;
        let (main, rest): (Vec<_>, Vec<_>) = properties(self.schema)
            .into_iter()
            .partition(|(name, _)| requires(self.schema, name) || self.first.get(name.as_str()).is_some());
        // What is wrong must be seen, wherever it is.
        let open = rest.iter().any(|(name, _)| !self.wrong.at(&format!("{ROOT}/{name}")).is_empty());
        html! {
            @for (name, field) in main { (self.field(self.schema, name, field, ROOT, 0, true)) }
            @if !rest.is_empty() {
                details class="more" open[open] {
                    summary {
                        (Icon::Settings.show())
                        span { (l.t("Flere valg", "More choices")) " " span class="sub" { (l.t("Alt har en god standard", "Everything has a good default")) } }
                        (Icon::chevron())
                    }
                    div class="inner" {
                        @for (name, field) in rest { (self.field(self.schema, name, field, ROOT, 0, false)) }
                    }
                }
            }
        }
    }

    /// Every field of an object that lies at `at`.
    pub(crate) fn inner(&self, schema: &Value, at: &str) -> Markup {
        html! { @for (name, field) in properties(schema) { (self.field(schema, name, field, at, 1, false)) } }
    }

    fn field(&self, parent: &Value, name: &str, schema: &Value, at: &str, depth: usize, first: bool) -> Markup {
        let l = self.ask.l;
        let pointer = format!("{at}/{name}");
        let (label, help) = (said(l, schema, "title"), said(l, schema, "description"));
        let label = if label.is_empty() { name } else { label };
        let typed = self.typed.get(&pointer).unwrap_or_default();
        match shape(schema) {
            Shape::Object { nullable } if depth < DEPTH_MAX => {
                let inner = html! {
                    @for (name, field) in properties(schema) { (self.field(schema, name, field, &pointer, depth + 1, first)) }
                };
                // What the start has chosen needs no box to tick.
                if nullable && first {
                    return html! { input type="hidden" name=(pointer) value="on"; (inner) };
                }
                if nullable {
                    return html! {
                        div class="group optional" {
                            (tick(&pointer, label, help, self.typed.ticked(&pointer)))
                            div class="inner" { (inner) }
                        }
                    };
                }
                html! {
                    fieldset class="group" {
                        div { legend { (label) } @if !help.is_empty() { p class="help soft small" { (help) } } }
                        div class="pair" { (inner) }
                    }
                }
            }
            Shape::Object { .. } => html! {},
            Shape::Flag => tick(&pointer, label, help, self.typed.ticked(&pointer)),
            Shape::List => self.list(&pointer, label, help, schema),
            Shape::Several => self.several(&pointer, label, help, schema),
            Shape::Keyed => self.keyed(&pointer, label, help, schema),
            Shape::Choice => self.choice(&pointer, label, help, schema, requires(parent, name)),
            Shape::Text if schema["x-lines"] == true => {
                let max = schema["maxLength"].as_u64().unwrap_or(10_000);
                lines(self.ask, self.wrong, (&pointer, label, help), typed, false, max)
            }
            Shape::Number | Shape::Text => {
                let email = schema["format"] == "email";
                let number = shape(schema) == Shape::Number;
                let size = schema["type"].is_array();
                let max = schema["maxLength"].as_u64().and_then(|max| usize::try_from(max).ok());
                Field {
                    name: &pointer,
                    label,
                    help,
                    kind: if email { "email" } else { "text" },
                    value: typed,
                    autocomplete: if email { "email" } else { "off" },
                    optional: !requires(parent, name) && schema.get("default").is_none(),
                    class: if number || size { "short" } else { "" },
                    inputmode: number.then_some("numeric"),
                    max,
                    ..Field::default()
                }
                .show(self.ask, self.wrong)
            }
        }
    }

    fn choice(&self, pointer: &str, label: &str, help: &str, schema: &Value, required: bool) -> Markup {
        let l = self.ask.l;
        let typed = self.typed.get(pointer).unwrap_or_default();
        let known = schema["enum"].as_array().or(schema["x-known"].as_array());
        let mut words: Vec<&str> = known.into_iter().flatten().filter_map(Value::as_str).collect();
        // What it is already is one of them, also where nobody knows the word any more.
        if schema["x-known"].is_array() && !typed.is_empty() && !words.contains(&typed) {
            words.push(typed);
        }
        // One choice is none.
        if let ([only], true) = (words.as_slice(), required) {
            return html! { input type="hidden" name=(pointer) value=(only); };
        }
        let id = id(pointer);
        let errors = self.wrong.at(pointer);
        let blank = schema.get("default").is_none() && !required;
        around(
            self.ask,
            &Around { id: &id, label, help, optional: false },
            &errors,
            html! {
                select id=(id) name=(pointer) class="short" aria-describedby=[describes(&id, help, &errors)] aria-invalid=[(!errors.is_empty()).then_some("true")] {
                    @if blank { option value="" selected[typed.is_empty()] { (l.t("Vælg for mig", "Choose for me")) } }
                    @for word in words { option value=(word) selected[word == typed] { (named(l, schema, word)) } }
                }
            },
        )
    }

    /// Some of a closed list, each a box to tick.
    fn several(&self, pointer: &str, label: &str, help: &str, schema: &Value) -> Markup {
        let id = id(pointer);
        let errors = self.wrong.at(pointer);
        let chosen: Vec<&str> = self.typed.all(pointer).collect();
        let words = schema["items"]["enum"].as_array().into_iter().flatten().filter_map(Value::as_str);
        html! {
            fieldset class="field wide" id=(id) aria-describedby=[describes(&id, help, &errors)] {
                legend { (label) }
                @if !help.is_empty() { p class="help" id={ (id) "-help" } { (help) } }
                div class="ticks" {
                    @for word in words {
                        label class="tick" { input type="checkbox" name=(pointer) value=(word) checked[chosen.contains(&word)]; span { (named(self.ask.l, &schema["items"], word)) } }
                    }
                }
                (errors_of(&id, &errors))
            }
        }
    }

    /// A choice for each entry of another map.
    fn keyed(&self, pointer: &str, label: &str, help: &str, schema: &Value) -> Markup {
        let l = self.ask.l;
        let whole = id(pointer);
        let keys = self.held[schema["x-keys"].as_str().unwrap_or_default()].as_object();
        let choice = &schema["additionalProperties"];
        let words: Vec<&str> = choice["enum"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
        html! {
            fieldset class="field" id=(whole) {
                legend { (label) }
                @if !help.is_empty() { p class="help" id={ (whole) "-help" } { (help) } }
                div class="keyed" {
                    @for key in keys.into_iter().flat_map(Map::keys) {
                        @let at = format!("{pointer}/{}", escaped(key));
                        @let errors = self.wrong.at(&at);
                        @let typed = self.typed.get(&at).unwrap_or_default();
                        @let one = id(&at);
                        label for=(one) { code { (key) } }
                        div {
                            select id=(one) name=(at) aria-invalid=[(!errors.is_empty()).then_some("true")] aria-describedby=[describes(&one, "", &errors)] {
                                option value="" { (l.t("Ingen", "None")) }
                                @for word in &words { option value=(word) selected[*word == typed] { (named(l, choice, word)) } }
                            }
                            (errors_of(&one, &errors))
                        }
                    }
                }
                (errors_of(&whole, &self.wrong.exactly(pointer)))
            }
        }
    }

    fn list(&self, pointer: &str, label: &str, help: &str, schema: &Value) -> Markup {
        let l = self.ask.l;
        let id = id(pointer);
        let errors = self.wrong.at(pointer);
        let mut values: Vec<&str> = self.typed.all(pointer).filter(|text| !text.trim().is_empty()).collect();
        let more = self.typed.text("_more") == pointer;
        if values.is_empty() || more {
            values.push("");
        }
        let max = schema["maxItems"].as_u64().and_then(|max| usize::try_from(max).ok()).unwrap_or(usize::MAX);
        let placeholder = (schema["items"]["format"] == "idn-hostname").then_some("www.butik.example");
        let length = schema["items"]["maxLength"].as_u64();
        html! {
            fieldset class="field" {
                legend { (label) }
                @if !help.is_empty() { p class="help" id={ (id) "-help" } { (help) } }
                div class="list" {
                    div class="items stack tight" {
                        @for (index, value) in values.iter().enumerate() {
                            @let wrong = !self.wrong.exactly(&format!("{pointer}/{index}")).is_empty() || !self.wrong.exactly(pointer).is_empty();
                            @let item = if index == 0 { id.clone() } else { format!("{id}-{index}") };
                            div class="item" id={ (id) "-" (index) "-row" } {
                                input id=(item) name=(pointer) value=(value) aria-label={ (label) " " (index + 1) } placeholder=[placeholder]
                                    autocomplete="off" autocapitalize="none" spellcheck="false" maxlength=[length]
                                    aria-describedby=[describes(&id, help, &errors)] aria-invalid=[wrong.then_some("true")];
                                button type="button" class="button quiet small drop" data-drop aria-label=(l.t("Fjern", "Remove")) { (Icon::Close.show()) }
                            }
                        }
                    }
                    @if values.len() < max {
                        button class="button quiet small" data-add name="_more" value=(pointer) formnovalidate {
                            (Icon::Add.show()) (l.t("Tilføj endnu et", "Add another"))
                        }
                    }
                }
                (errors_of(&id, &errors))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn schema() -> Value {
        json!({"type": "object", "required": ["names"], "properties": {
            "names": {"type": "array", "items": {"type": "string"}},
            "engine": {"enum": ["one", "two"], "default": "one"},
            "size": {"type": ["integer", "string"], "pattern": "x", "default": "2 GiB"},
            "only": {"type": "boolean", "default": true},
            "count": {"type": "integer", "default": 3},
            "root": {"type": "string", "default": ""},
            "app": {"type": ["object", "null"], "properties": {"mail": {"type": "string"}, "user": {"type": "string", "default": "admin"}}},
            "php": {"type": "object", "properties": {"workers": {"type": "integer", "default": 4}}},
        }})
    }

    #[test]
    fn a_form_that_is_filled_in_is_read_back() {
        let spec = json!({"names": ["a.example", "b.example"], "engine": "two", "size": 1_u64 << 29, "only": false,
            "count": 7, "root": "public", "app": {"mail": "x@a.example", "user": "me"}, "php": {"workers": 9}});
        let mut form = Form::default();
        fill(&mut form, &schema(), &spec, ROOT);
        assert_eq!(form.get("/spec/size"), Some("512 MiB"));
        let read = read(&form, &schema(), ROOT);
        assert_eq!(read["names"], spec["names"]);
        assert_eq!(
            (&read["only"], &read["count"], &read["app"], &read["php"]),
            (&spec["only"], &spec["count"], &spec["app"], &spec["php"])
        );
        assert_eq!(difference(&schema(), &spec, &read), None, "what is not changed is not sent");
    }

    #[test]
    fn a_name_of_which_some_are_known_is_a_choice_that_keeps_what_it_is() {
        let image = json!({"type": "string", "x-known": ["one"], "x-names": {}, "default": "one"});
        assert_eq!(shape(&image), Shape::Choice);
        let schema = json!({"type": "object", "properties": {"image": image}});
        let mut form = Form::default();
        fill(&mut form, &schema, &json!({"image": "forgotten"}), ROOT);
        assert_eq!(read(&form, &schema, ROOT), json!({"image": "forgotten"}));
        assert_eq!(read(&Form::default(), &schema, ROOT), json!({}));
    }

    #[test]
    fn an_empty_form_has_the_defaults() {
        let mut form = Form::default();
        fill(&mut form, &schema(), &Value::Null, ROOT);
        assert_eq!(
            read(&form, &schema(), ROOT),
            json!({"names": [], "engine": "one", "size": "2 GiB", "only": true, "count": 3, "root": "", "app": null, "php": {"workers": 4}})
        );
    }

    #[test]
    fn only_what_differs_is_sent() {
        let held = json!({"names": ["a.example"], "engine": "one", "size": 2_u64 << 30, "only": true, "count": 3, "root": "", "app": null, "php": {"workers": 4}});
        let mut form = Form::default();
        fill(&mut form, &schema(), &held, ROOT);
        form.set("/spec/count", "many");
        form.set("/spec/php/workers", "8");
        form.add("/spec/names", " b.example ");
        let wished = read(&form, &schema(), ROOT);
        let patch = difference(&schema(), &held, &wished);
        assert_eq!(patch, Some(json!({"names": ["a.example", "b.example"], "count": "many", "php": {"workers": 8}})));
    }
}
