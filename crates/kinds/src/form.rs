//! A reader of forms: takes fields one by one, remembers everything that is wrong, and refuses what it was not asked about.

use husorden_base::{Bytes, FieldError, Text};
use serde_json::{Map, Value};
use std::ops::RangeInclusive;

/// One JSON object of a form, with the pointer to it.
pub struct Form<'a> {
    at: String,
    fields: Option<&'a Map<String, Value>>,
    asked: Vec<&'static str>,
    wrong: Vec<FieldError>,
}

impl<'a> Form<'a> {
    /// Reads `value`, which lies at `at`. What is no object has no fields and is wrong.
    pub fn new(value: &'a Value, at: &str) -> Self {
        let mut form = Self { at: at.to_owned(), fields: value.as_object(), asked: Vec::new(), wrong: Vec::new() };
        if form.fields.is_none() {
            form.refuse("", "Her ventes et objekt med felter.", "An object with fields is expected here.");
        }
        form
    }

    /// The field, if the form has it and it is not null.
    pub fn get(&mut self, name: &'static str) -> Option<&'a Value> {
        self.asked.push(name);
        self.fields?.get(name).filter(|value| !value.is_null())
    }

    /// Whether the form names the field at all, null or not.
    pub fn names(&self, name: &str) -> bool {
        self.fields.is_some_and(|fields| fields.contains_key(name))
    }

    /// Notes that a field is wrong; `pointer` is relative to this object and empty or begun by a slash.
    pub fn refuse(&mut self, pointer: &str, da: impl Into<String>, en: impl Into<String>) {
        self.wrong.push(FieldError { pointer: format!("{}{pointer}", self.at), detail: Text::new(da, en) });
    }

    /// Takes over what a reader of an inner object found wrong.
    pub fn absorb(&mut self, wrong: Vec<FieldError>) {
        self.wrong.extend(wrong);
    }

    /// A text; `None` when it is missing or wrong.
    pub fn text(&mut self, name: &'static str) -> Option<&'a str> {
        let value = self.get(name)?;
        let text = value.as_str();
        if text.is_none() {
            self.refuse(&format!("/{name}"), "Her ventes en tekst.", "A text is expected here.");
        }
        text
    }

    /// Yes or no.
    pub fn flag(&mut self, name: &'static str, default: bool) -> bool {
        match self.get(name) {
            None => default,
            Some(Value::Bool(flag)) => *flag,
            Some(_) => {
                self.refuse(&format!("/{name}"), "Her ventes true eller false.", "True or false is expected here.");
                default
            }
        }
    }

    /// A whole number within its range.
    pub fn number(&mut self, name: &'static str, range: RangeInclusive<u32>, default: u32) -> u32 {
        let Some(value) = self.get(name) else {
            return default;
        };
        let number = value.as_u64().and_then(|number| u32::try_from(number).ok());
        match number {
            Some(number) if range.contains(&number) => number,
            _ => {
                let (low, high) = (range.start(), range.end());
                self.refuse(
                    &format!("/{name}"),
                    format!("Her ventes et helt tal fra {low} til {high}."),
                    format!("A whole number from {low} to {high} is expected here."),
                );
                default
            }
        }
    }

    /// A size within its range: a number of bytes, or a text such as `512 MiB`.
    pub fn bytes(&mut self, name: &'static str, range: RangeInclusive<Bytes>, default: Bytes) -> Bytes {
        let Some(value) = self.get(name) else {
            return default;
        };
        let bytes = match value {
            Value::String(text) => text.parse().ok(),
            Value::Number(number) => number.as_u64().map(Bytes),
            Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_) => None,
        };
        match bytes {
            Some(bytes) if range.contains(&bytes) => bytes,
            _ => {
                let (low, high) = (range.start(), range.end());
                self.refuse(
                    &format!("/{name}"),
                    format!("Her ventes en størrelse fra {low} til {high}, såsom \"{low}\"."),
                    format!("A size from {low} to {high} is expected here, such as \"{low}\"."),
                );
                default
            }
        }
    }

    /// One of a closed list of words.
    pub fn choice<T: Copy>(&mut self, name: &'static str, choices: &[(&'static str, T)], default: T) -> T {
        if self.get(name).is_none() {
            return default;
        }
        let word = self.fields.and_then(|fields| fields[name].as_str());
        if let Some((_, choice)) = choices.iter().find(|(known, _)| Some(*known) == word) {
            return *choice;
        }
        let known: Vec<&str> = choices.iter().map(|(known, _)| *known).collect();
        self.refuse(
            &format!("/{name}"),
            format!("Her ventes en af: {}.", known.join(", ")),
            format!("One of these is expected here: {}.", known.join(", ")),
        );
        default
    }

    /// Everything that is wrong, with each field that was never asked for.
    pub fn finish(mut self) -> Vec<FieldError> {
        let unknown: Vec<String> = self
            .fields
            .into_iter()
            .flat_map(Map::keys)
            .filter(|name| !self.asked.contains(&name.as_str()))
            .map(|name| name.replace('~', "~0").replace('/', "~1"))
            .collect();
        let known = self.asked.join(", ");
        for name in unknown {
            self.refuse(
                &format!("/{name}"),
                format!("Feltet findes ikke. Her er: {known}."),
                format!("There is no such field. There are: {known}."),
            );
        }
        self.wrong
    }
}
