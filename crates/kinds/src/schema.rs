//! The pieces that kinds make their JSON Schema of: fields with titles and descriptions in English and, as `x-da`, in Danish.

use husorden_base::{Bytes, Text};
use serde_json::{Map, Value, json};
use std::ops::RangeInclusive;

/// A field with what people call it and what is said of it, in English and in Danish.
#[must_use]
pub fn field(mut schema: Value, (title, description): (&str, &str), da: (&str, &str)) -> Value {
    schema["title"] = json!(title);
    schema["description"] = json!(description);
    schema["x-da"] = json!({"title": da.0, "description": da.1});
    schema
}

/// A whole number within its range.
#[must_use]
pub fn number(range: &RangeInclusive<u32>, default: u32) -> Value {
    json!({"type": "integer", "minimum": range.start(), "maximum": range.end(), "default": default})
}

/// A size is a number of bytes, or a text with a binary unit.
#[must_use]
pub fn size(range: &RangeInclusive<Bytes>, default: Bytes) -> Value {
    json!({
        "type": ["integer", "string"],
        "minimum": range.start(), "maximum": range.end(),
        "pattern": "^[0-9]+ ?([KMGT]i?)?B?$",
        "default": default.to_string(),
    })
}

/// A choice: its words, and of all names those that people call these words by.
#[must_use]
pub fn choice<T>(words: &[(&'static str, T)], names: &[(&'static str, Text)]) -> Value {
    let known: Vec<&'static str> = words.iter().map(|(word, _)| *word).collect();
    let called: Map<String, Value> = names
        .iter()
        .filter(|(word, _)| known.contains(word))
        .map(|(word, name)| ((*word).to_owned(), json!(name)))
        .collect();
    json!({"enum": known, "x-names": called})
}

/// The same with a default.
#[must_use]
pub fn choice_with<T>(words: &[(&'static str, T)], names: &[(&'static str, Text)], default: &str) -> Value {
    let mut schema = choice(words, names);
    schema["default"] = json!(default);
    schema
}

/// Says in which order people are asked; objects of JSON have none.
pub fn order(properties: &mut Value, order: &[&str]) {
    for (place, name) in order.iter().enumerate() {
        properties[*name]["x-order"] = json!(place);
    }
}
