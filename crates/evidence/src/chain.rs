//! The chain of one node: while control is away there is no tree, so each line carries the hash of the line before.

use crate::canonical;
use crate::hash::Hash;
use jiff::Timestamp;
use serde_json::{Value, json};

/// The hash of a line of a node, which the next line carries as `previous`.
#[must_use]
pub fn link(
    serial: u64,
    at: Timestamp,
    act: &str,
    solution: Option<&str>,
    detail: &Value,
    previous: Option<Hash>,
) -> Hash {
    let line = json!({ "serial": serial, "at": at.to_string(), "act": act, "solution": solution, "detail": detail,
                       "previous": previous });
    let text = canonical::text(&line);
    // PostgreSQL keeps no NUL in a text, so control takes a line without; both sides hash it as control takes it.
    if text.contains("\\u0000")
        && let Ok(line) = serde_json::from_str::<Value>(&text.replace("\\u0000", "\\ufffd"))
    {
        return Hash::of(canonical::text(&line).as_bytes());
    }
    Hash::of(text.as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_part_of_a_line_is_in_its_link() {
        let at = Timestamp::from_second(1000).expect("a second");
        let link = |serial, act, detail: Value, previous| super::link(serial, at, act, None, &detail, previous);
        let one = link(1, "a", json!({}), None);
        assert_eq!(one, link(1, "a", json!({}), None));
        for other in [
            link(2, "a", json!({}), None),
            link(1, "b", json!({}), None),
            link(1, "a", json!({ "x": 1 }), None),
            link(1, "a", json!({}), Some(one)),
            super::link(1, at, "a", Some("s"), &json!({}), None),
            super::link(1, Timestamp::from_second(1001).expect("a second"), "a", None, &json!({}), None),
        ] {
            assert_ne!(one, other);
        }
        let with = |text: &str| link(1, "a", json!({ "x": text }), None);
        assert_eq!(with("a\u{0}b"), with("a\u{fffd}b"), "as control takes it");
    }
}
