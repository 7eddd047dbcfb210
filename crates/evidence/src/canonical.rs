//! One way to write a JSON value: members sorted by name, nothing between tokens, numbers that are no integers with twelve
//! digits. What is hashed is written like this.

use serde_json::Value;

/// The canonical text of a value.
#[must_use]
pub fn text(value: &Value) -> String {
    let mut text = String::new();
    write(value, &mut text);
    text
}

fn write(value: &Value, text: &mut String) {
    match value {
        // Readers of JSON differ in a number's last digits; twelve are the same for all of them.
        Value::Number(number) if number.is_f64() => {
            text.push_str(&format!("{:.11e}", number.as_f64().unwrap_or_default()));
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => text.push_str(&value.to_string()),
        Value::Array(items) => {
            text.push('[');
            for (n, item) in items.iter().enumerate() {
                if n > 0 {
                    text.push(',');
                }
                write(item, text);
            }
            text.push(']');
        }
        Value::Object(members) => {
            let mut members: Vec<_> = members.iter().collect();
            members.sort_unstable_by_key(|(name, _)| *name);
            text.push('{');
            for (n, (name, member)) in members.into_iter().enumerate() {
                if n > 0 {
                    text.push(',');
                }
                text.push_str(&Value::from(name.as_str()).to_string());
                text.push(':');
                write(member, text);
            }
            text.push('}');
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_text_for_one_value() {
        for (written, canonical) in [
            (r#"{ "b": 1, "a": [ true, null ] }"#, r#"{"a":[true,null],"b":1}"#),
            (r#"{"é":"\u00e6\n","e":{}}"#, "{\"e\":{},\"é\":\"æ\\n\"}"),
            (
                r#"{"x":1.10,"y":-0.1e-7,"z":18446744073709551615}"#,
                r#"{"x":1.10000000000e0,"y":-1.00000000000e-8,"z":18446744073709551615}"#,
            ),
        ] {
            let value: Value = serde_json::from_str(written).expect("JSON");
            assert_eq!(text(&value), canonical);
            let again: Value = serde_json::from_str(canonical).expect("JSON");
            assert_eq!(text(&again), canonical, "read again");
        }
    }
}
