//! The pieces that kinds make their JSON Schema of: fields with titles and descriptions in English and, as `x-da`, in Danish.
//!
//! What the schema says beyond the standard, for pages and the command line that know no kind:
//!
//! | word | where | what |
//! | --- | --- | --- |
//! | `x-order` | field | its place among its siblings |
//! | `x-names` | choice | what people call its words |
//! | `x-known` | text | words that are known to stand for something; others may, and `x-names` says what people call them |
//! | `x-more` | text | whose words are known beside those: [`IMAGES_OF_NODES`] |
//! | `x-place` | field of the spec | the page it is asked on, where that is not the form of settings |
//! | `x-places` | spec | those pages with their titles, in order |
//! | `x-entry` | map with names of the owner's | what one of its entries is: [`Entry`] |
//! | `x-keys` | map within an entry | the field of the spec whose entries' names are its keys |
//! | `x-word` | group of settings | its name in commands, one word |
//! | `x-when` | field | other fields of the spec, each with the values for which this one means something |
//! | `x-own` | field of the spec | a copy is asked for one of its own: what it was copied from has this one |
//! | `x-lines` | text | it has several lines |
//! | `x-unit`, `x-restart` | number | what it counts, and whether the server is restarted by a change |

use husorden_base::{Bytes, Text};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;
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

/// The images that nodes have, which only they know.
pub const IMAGES_OF_NODES: &str = "images";

/// A name of something, of which some are known here, and others where `more` says.
#[must_use]
pub fn named(known: &[&'static str], names: &[(&'static str, Text)], default: &str, more: &str) -> Value {
    let called: Map<String, Value> = names
        .iter()
        .filter(|(word, _)| known.contains(word))
        .map(|(word, name)| ((*word).to_owned(), json!(name)))
        .collect();
    json!({
        "type": "string", "maxLength": 63, "pattern": "^[a-z][a-z0-9.-]*$", "default": default,
        "x-known": known, "x-names": called, "x-more": more,
    })
}

/// Completes the schema of a spec with names that are known elsewhere, such as those of nodes' images.
pub fn add_known(spec: &mut Value, more: &str, names: &BTreeMap<String, Text>) {
    let fields = spec["properties"].as_object_mut().into_iter().flatten();
    for (_, field) in fields.filter(|(_, field)| field["x-more"] == more) {
        for (word, name) in names {
            if let Some(known) = field["x-known"].as_array_mut()
                && !known.iter().any(|one| one == word)
            {
                known.push(json!(word));
                field["x-names"][word] = json!(name);
            }
        }
    }
}

/// Says in which order people are asked; objects of JSON have none.
pub fn order(properties: &mut Value, order: &[&str]) {
    for (place, name) in order.iter().enumerate() {
        properties[*name]["x-order"] = json!(place);
    }
}

/// What one entry of a map is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    /// Its name in commands, one word.
    pub word: String,
    /// What people call one of them.
    pub title: Text,
    /// What people call one more of them.
    pub new: Text,
    /// Whether each is a login too, with a password of its own.
    #[serde(default)]
    pub credential: bool,
    /// What it is called where it is met, if that is another name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub met: Option<Met>,
    /// What is lost when one is taken away.
    pub loss: Vec<Text>,
    /// What stays then, or can be brought back.
    pub kept: Vec<Text>,
}

/// What entries are called where they are met: a path, say, that people copy.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Met {
    /// What people call that.
    pub title: Text,
    /// What stands before an entry's name in it.
    pub before: String,
}

/// A map from names that its owner chooses to entries of one shape.
#[must_use]
pub fn entries(mut schema: Value, entry: &Entry) -> Value {
    schema["x-entry"] = json!(entry);
    schema
}

/// The pages of the spec beside the form of settings, in order.
#[must_use]
pub fn places(places: &[(&str, Text)]) -> Value {
    places.iter().map(|(name, title)| json!({"name": name, "title": title})).collect()
}
