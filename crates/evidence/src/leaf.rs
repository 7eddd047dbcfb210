//! Leaves: what of a line goes into the tree. Personal fields go in as hashes of a salt and the value, so that both can be
//! erased and the tree still holds.

use crate::canonical;
use crate::field::{Class, is_clear};
use crate::hash::Hash;
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;
use uuid::Uuid;

/// Version of a leaf's shape.
const VERSION: u64 = 1;
/// The member that holds a salted hash in place of a value.
const SEALED: &str = "sha256";

/// A salt, 16 random bytes; as text it is base64.
pub type Salt = [u8; 16];

/// Which half of a line a leaf is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Stage {
    /// Written before the act.
    Before,
    /// Written after it.
    After,
    /// Both in one: the act was the transaction that wrote the line.
    Whole,
}

impl Stage {
    /// Its word.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Before => "before",
            Self::After => "after",
            Self::Whole => "whole",
        }
    }
}

/// A line of evidence as it is sealed.
#[derive(Clone, Debug, Deserialize)]
pub struct Line {
    /// Its number.
    pub line: u64,
    /// Which half.
    pub stage: Stage,
    /// When this half was written down here.
    pub noted: Timestamp,
    /// When the act began: earlier than noted for what a node did while control was away.
    pub begun: Timestamp,
    /// When it ended, if this half knows.
    #[serde(default)]
    pub ended: Option<Timestamp>,
    /// What.
    pub act: String,
    /// Who.
    pub who: String,
    /// Whose account.
    #[serde(default)]
    pub account: Option<Uuid>,
    /// On which solution.
    #[serde(default)]
    pub solution: Option<Uuid>,
    /// The node that wrote it, and its number there.
    #[serde(default)]
    pub node: Option<String>,
    /// Number on the node.
    #[serde(default)]
    pub serial: Option<u64>,
    /// Details before the act.
    #[serde(default)]
    pub before: Option<Value>,
    /// Details after it.
    #[serde(default)]
    pub after: Option<Value>,
}

/// A leaf: canonical text, and the salts of what it hides by path (`who`, `before.name`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Leaf {
    /// The text that is hashed.
    pub body: String,
    /// Salts in base64.
    pub salts: BTreeMap<String, String>,
}

/// A value that is hidden in a leaf, with the salt that shows it is the right one.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Opened {
    /// The salt in base64.
    pub salt: String,
    /// The value.
    pub value: Value,
}

impl Leaf {
    /// Seals a line. A salt is asked for each hidden field.
    pub fn seal(line: &Line, mut salt: impl FnMut() -> Salt) -> Self {
        let mut salts = BTreeMap::new();
        let mut hide = |path: String, value: &Value| {
            let salt = salt();
            let hash = Hash::salted(&salt, canonical::text(value).as_bytes());
            salts.insert(path, BASE64_STANDARD.encode(salt));
            json!({ SEALED: hash })
        };
        let mut body = Map::new();
        let mut put = |name: &str, value: Value| {
            if !value.is_null() {
                body.insert(name.to_owned(), value);
            }
        };
        put("v", VERSION.into());
        put("line", line.line.into());
        put("stage", line.stage.word().into());
        put("noted", line.noted.to_string().into());
        put("act", line.act.as_str().into());
        put("account", json!(line.account));
        put("solution", json!(line.solution));
        let with_before = line.stage != Stage::After;
        let with_after = line.stage != Stage::Before;
        if with_before {
            put("begun", line.begun.to_string().into());
            put("node", json!(line.node));
            put("serial", json!(line.serial));
            let who = Value::from(line.who.as_str());
            put("who", if is_machine(&line.who) { who } else { hide("who".to_owned(), &who) });
        }
        if with_after {
            put("ended", json!(line.ended.map(|at| at.to_string())));
        }
        for (part, value) in [
            ("before", line.before.as_ref().filter(|_| with_before)),
            ("after", line.after.as_ref().filter(|_| with_after)),
        ] {
            match value {
                Some(Value::Object(members)) => {
                    let sealed = members.iter().map(|(name, value)| {
                        let value =
                            if is_clear(name, value) { value.clone() } else { hide(format!("{part}.{name}"), value) };
                        (name.clone(), value)
                    });
                    put(part, Value::Object(sealed.collect()));
                }
                Some(Value::Null) | None => {}
                Some(other) => put(part, hide(part.to_owned(), other)),
            }
        }
        Self { body: canonical::text(&Value::Object(body)), salts }
    }

    /// The leaf's hash.
    #[must_use]
    pub fn hash(&self) -> Hash {
        Hash::leaf(self.body.as_bytes())
    }
}

/// Whether who acted is no person: the platform itself, or a node.
fn is_machine(who: &str) -> bool {
    who == "platform" || who.starts_with("node:")
}

/// Every hidden field of a leaf's body: path and hash.
#[must_use]
pub fn hidden(body: &Value) -> Vec<(String, Hash)> {
    let sealed = |value: &Value| value.as_object().filter(|o| o.len() == 1)?.get(SEALED)?.as_str()?.parse().ok();
    let mut found = Vec::new();
    for (name, value) in body.as_object().into_iter().flatten() {
        if let Some(hash) = sealed(value) {
            found.push((name.clone(), hash));
        } else if name == "before" || name == "after" {
            for (inner, value) in value.as_object().into_iter().flatten() {
                found.extend(sealed(value).map(|hash| (format!("{name}.{inner}"), hash)));
            }
        }
    }
    found
}

/// The class of the hidden field at a path.
#[must_use]
pub fn class(path: &str) -> Class {
    Class::of(path.split_once('.').map_or(path, |(_, name)| name))
}

/// Whether a salt and a value are what a hash was made of.
#[must_use]
pub fn opens(hash: Hash, salt: &str, value: &Value) -> bool {
    let salt = BASE64_STANDARD.decode(salt).ok().and_then(|bytes| Salt::try_from(bytes.as_slice()).ok());
    salt.is_some_and(|salt| Hash::salted(&salt, canonical::text(value).as_bytes()) == hash)
}

/// The values of a leaf's hidden fields, as the line's visible parts hold them.
#[must_use]
pub fn value<'l>(path: &str, who: &'l Value, before: &'l Value, after: &'l Value) -> Option<&'l Value> {
    match path.split_once('.') {
        None if path == "who" => Some(who),
        None if path == "before" => Some(before),
        None if path == "after" => Some(after),
        Some(("before", name)) => before.get(name),
        Some(("after", name)) => after.get(name),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line() -> Line {
        serde_json::from_value(json!({
            "line": 17, "stage": "whole", "noted": "2026-01-02T03:04:05.123456Z", "begun": "2026-01-02T03:04:05.12Z",
            "ended": "2026-01-02T03:04:05.12Z", "act": "member.invite", "who": "account:someone",
            "account": "0190f0a0-0000-7000-8000-000000000002",
            "before": { "role": "admin", "email": "someone@mail.example", "scope": { "x": [1] } }, "after": {},
        }))
        .expect("a line")
    }

    fn counted() -> impl FnMut() -> Salt {
        let mut n = 0;
        move || {
            n += 1;
            [n; 16]
        }
    }

    #[test]
    fn a_leaf_shows_what_is_clear_and_hides_the_rest() {
        let leaf = Leaf::seal(&line(), counted());
        assert!(!leaf.body.contains("someone"), "{}", leaf.body);
        let body: Value = serde_json::from_str(&leaf.body).expect("JSON");
        assert_eq!(canonical::text(&body), leaf.body);
        assert_eq!(
            (&body["before"]["role"], &body["line"], &body["stage"]),
            (&json!("admin"), &json!(17), &json!("whole"))
        );
        let paths: Vec<String> = hidden(&body).into_iter().map(|(path, _)| path).collect();
        assert_eq!(paths, ["before.email", "before.scope", "who"]);
        assert_eq!(leaf.salts.keys().collect::<Vec<_>>(), paths.iter().collect::<Vec<_>>());
        assert_eq!(class("before.email"), Class::Contact);
    }

    #[test]
    fn hidden_values_open_with_their_salt_only() {
        let line = line();
        let leaf = Leaf::seal(&line, counted());
        let body: Value = serde_json::from_str(&leaf.body).expect("JSON");
        let (who, before) = (json!(line.who), line.before.expect("details"));
        for (path, hash) in hidden(&body) {
            let value = value(&path, &who, &before, &Value::Null).expect("a value");
            assert!(opens(hash, &leaf.salts[&path], value), "{path}");
            assert!(!opens(hash, &leaf.salts[&path], &json!("another")), "{path}");
            assert!(!opens(hash, "AAAAAAAAAAAAAAAAAAAAAA==", value), "{path}");
            assert!(!opens(hash, "", value), "{path}");
        }
    }

    #[test]
    fn a_machine_is_nobody_to_be_hidden() {
        for (who, clear) in [("platform", true), ("node:local", true), ("staff:x", false), ("platforms", false)] {
            let leaf = Leaf::seal(&Line { who: who.to_owned(), ..line() }, counted());
            assert_eq!(leaf.body.contains(who), clear, "{who}");
            assert_eq!(leaf.salts.contains_key("who"), !clear, "{who}");
        }
    }

    #[test]
    fn each_half_says_its_own() {
        let half = |stage| {
            let leaf = Leaf::seal(&Line { stage, after: Some(json!({ "is": "done" })), ..line() }, counted());
            serde_json::from_str::<Value>(&leaf.body).expect("JSON")
        };
        let (before, after) = (half(Stage::Before), half(Stage::After));
        assert!(before.get("who").is_some() && before.get("after").is_none() && before.get("ended").is_none());
        assert!(after.get("who").is_none() && after.get("before").is_none() && after["after"]["is"] == "done");
        assert_eq!(before["line"], after["line"]);
    }
}
