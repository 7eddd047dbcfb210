//! Forms: a label, a help text, a control, and what is wrong at it. What was typed is shown again; what is wrong is said at
//! the field and once more at the top, with links.

use super::icon::Icon;
use super::parts::{Tone, note};
use crate::ask::Ask;
use crate::desk::TOKEN_FIELD;
use crate::say::Say;
use husorden_base::{Language, Refusal};
use maud::{Markup, html};

/// The hidden field that says the form is this visitor's.
pub(crate) fn token(ask: &Ask) -> Markup {
    html! { input type="hidden" name=(TOKEN_FIELD) value=(ask.token); }
}

/// What a form was refused for, by field.
#[derive(Clone, Debug, Default)]
pub(crate) struct Wrong {
    refusal: Option<Refusal>,
    /// Names of the fields that the page shows.
    language: Language,
}

impl Wrong {
    /// Nothing is wrong.
    pub(crate) fn none(ask: &Ask) -> Self {
        Self { refusal: None, language: ask.l }
    }

    /// What the API refused.
    pub(crate) fn of(ask: &Ask, refusal: Refusal) -> Self {
        Self { refusal: Some(refusal), language: ask.l }
    }

    /// Whether it was refused with this code.
    pub(crate) fn is(&self, code: &str) -> bool {
        self.refusal.as_ref().is_some_and(|refusal| refusal.code == code)
    }

    /// What is wrong at a field; fields within it, such as the entries of a list, count too.
    pub(crate) fn at(&self, pointer: &str) -> Vec<&str> {
        self.all(|found| found == pointer || found.strip_prefix(pointer).is_some_and(|rest| rest.starts_with('/')))
    }

    /// What is wrong at exactly this field.
    pub(crate) fn exactly(&self, pointer: &str) -> Vec<&str> {
        self.all(|found| found == pointer)
    }

    fn all(&self, fits: impl Fn(&str) -> bool) -> Vec<&str> {
        let fields = self.refusal.iter().flat_map(|refusal| &refusal.fields);
        fields.filter(|field| fits(&field.pointer)).map(|field| field.detail.get(self.language)).collect()
    }

    /// The summary at the top of a form, with a link to each wrong field.
    pub(crate) fn summary(&self, ask: &Ask) -> Markup {
        let Some(refusal) = &self.refusal else { return html! {} };
        if refusal.fields.is_empty() {
            return html! { div data-summary tabindex="-1" role="alert" { (super::refusal::card(ask, refusal)) } };
        }
        html! {
            div data-summary tabindex="-1" role="alert" {
                (note(Tone::Bad, refusal.title.get(ask.l), html! {
                    ul {
                        @for field in &refusal.fields {
                            li { a href={ "#" (id(&field.pointer)) } { (field.detail.get(ask.l)) } }
                        }
                    }
                }))
            }
        }
    }
}

/// The id of a field's control, from its pointer.
pub(crate) fn id(pointer: &str) -> String {
    let mut id = "f".to_owned();
    id.extend(pointer.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '-' }));
    id
}

/// One field with one line of text.
#[derive(Clone, Debug, Default)]
pub(crate) struct Field<'a> {
    /// The pointer into the API's request, which is the field's name too.
    pub(crate) name: &'a str,
    pub(crate) label: &'a str,
    pub(crate) help: &'a str,
    /// `text` when empty.
    pub(crate) kind: &'a str,
    pub(crate) value: &'a str,
    pub(crate) autocomplete: &'a str,
    pub(crate) optional: bool,
    pub(crate) required: bool,
    pub(crate) class: &'a str,
    pub(crate) inputmode: Option<&'a str>,
    pub(crate) placeholder: Option<&'a str>,
    pub(crate) max: Option<usize>,
    /// The least step of a number or a time.
    pub(crate) step: Option<&'a str>,
}

impl Field<'_> {
    pub(crate) fn show(&self, ask: &Ask, wrong: &Wrong) -> Markup {
        let id = id(self.name);
        let errors = wrong.at(self.name);
        let kind = if self.kind.is_empty() { "text" } else { self.kind };
        around(
            ask,
            &Around { id: &id, label: self.label, help: self.help, optional: self.optional },
            &errors,
            html! {
                input id=(id) name=(self.name) type=(kind) value=(self.value) class=[(!self.class.is_empty()).then_some(self.class)]
                    autocomplete=[(!self.autocomplete.is_empty()).then_some(self.autocomplete)] required[self.required]
                    inputmode=[self.inputmode] placeholder=[self.placeholder] maxlength=[self.max] step=[self.step] spellcheck="false"
                    aria-describedby=[describes(&id, self.help, &errors)] aria-invalid=[(!errors.is_empty()).then_some("true")];
            },
        )
    }
}

/// What stands around a control.
pub(crate) struct Around<'a> {
    pub(crate) id: &'a str,
    pub(crate) label: &'a str,
    pub(crate) help: &'a str,
    pub(crate) optional: bool,
}

/// The ids of what describes a control.
pub(crate) fn describes(id: &str, help: &str, errors: &[&str]) -> Option<String> {
    let mut ids = Vec::new();
    if !help.is_empty() {
        ids.push(format!("{id}-help"));
    }
    if !errors.is_empty() {
        ids.push(format!("{id}-wrong"));
    }
    (!ids.is_empty()).then(|| ids.join(" "))
}

/// A control with its label, its help and what is wrong at it.
pub(crate) fn around(ask: &Ask, field: &Around<'_>, errors: &[&str], control: Markup) -> Markup {
    let id = field.id;
    html! {
        div class="field" {
            label for=(id) {
                (field.label)
                @if field.optional { " " span class="optional" { (ask.l.t("(valgfrit)", "(optional)")) } }
            }
            @if !field.help.is_empty() { p class="help" id={ (id) "-help" } { (field.help) } }
            (control)
            (errors_of(id, errors))
        }
    }
}

/// What is wrong at a control.
pub(crate) fn errors_of(id: &str, errors: &[&str]) -> Markup {
    html! {
        @if !errors.is_empty() {
            div id={ (id) "-wrong" } {
                @for error in errors { p class="wrong" { (Icon::Alert.show()) span { (error) } } }
            }
        }
    }
}

/// A choice among a few.
pub(crate) fn select(
    ask: &Ask,
    wrong: &Wrong,
    (name, label, help): (&str, &str, &str),
    options: &[(&str, &str)],
    chosen: &str,
) -> Markup {
    let id = id(name);
    let errors = wrong.at(name);
    around(
        ask,
        &Around { id: &id, label, help, optional: false },
        &errors,
        html! {
            select id=(id) name=(name) aria-describedby=[describes(&id, help, &errors)] aria-invalid=[(!errors.is_empty()).then_some("true")] {
                @for (value, text) in options { option value=(value) selected[*value == chosen] { (text) } }
            }
        },
    )
}

/// A longer text.
pub(crate) fn area(ask: &Ask, wrong: &Wrong, called: (&str, &str, &str), value: &str, required: bool) -> Markup {
    lines(ask, wrong, called, value, required, 10_000)
}

/// A text of several lines, with the most characters that it may have.
pub(crate) fn lines(
    ask: &Ask,
    wrong: &Wrong,
    (name, label, help): (&str, &str, &str),
    value: &str,
    required: bool,
    max: u64,
) -> Markup {
    let id = id(name);
    let errors = wrong.at(name);
    around(
        ask,
        &Around { id: &id, label, help, optional: false },
        &errors,
        html! {
            textarea id=(id) name=(name) rows="5" maxlength=(max) required[required]
                aria-describedby=[describes(&id, help, &errors)] aria-invalid=[(!errors.is_empty()).then_some("true")] { (value) }
        },
    )
}

/// A box to tick.
pub(crate) fn tick(name: &str, label: &str, help: &str, ticked: bool) -> Markup {
    let id = id(name);
    html! {
        div class="tick" {
            input type="checkbox" id=(id) name=(name) value="on" checked[ticked]
                aria-describedby=[(!help.is_empty()).then(|| format!("{id}-help"))];
            label for=(id) { (label) }
            @if !help.is_empty() { p class="help" id={ (id) "-help" } { (help) } }
        }
    }
}

/// The end of a form: the way on and the way back.
pub(crate) fn actions(verb: &str, back: Option<(&str, &str)>) -> Markup {
    html! {
        div class="actions" {
            button class="button primary" { (verb) }
            @if let Some((path, text)) = back { a class="button quiet" href=(path) { (text) } }
        }
    }
}
