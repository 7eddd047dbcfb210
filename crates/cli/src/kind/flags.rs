//! A kind's JSON Schema as flags: one a field, with what the schema says of it as help and as a check.

use clap::builder::PossibleValuesParser;
use clap::{Arg, ArgAction, ArgMatches};
use husorden_base::Language;
use serde_json::{Value, json};

/// How deep fields may lie within each other.
const DEPTH_MAX: usize = 4;

/// One field as a flag.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Flag {
    /// Its path in the spec.
    pub(super) path: Vec<String>,
    /// What is typed after the two hyphens.
    pub(super) long: String,
    /// What it takes.
    pub(super) takes: Takes,
    /// The schema requires it, and every object it lies in.
    pub(super) required: bool,
    /// What it is, in the reader's language.
    pub(super) help: String,
    /// What it is when it is left out.
    pub(super) default: Option<Value>,
}

/// What a flag takes.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Takes {
    /// A text.
    Text,
    /// A whole number or another number; a text where the schema allows one, such as `512 MiB`.
    Number {
        /// Whether the schema allows a text as well.
        or_text: bool,
    },
    /// true or false.
    Flag,
    /// One of these.
    Choice(Vec<String>),
    /// Several texts, by comma or by repeating the flag.
    Many,
    /// A word for each of several names, `NAME=WORD`; `NAME=none` takes one away.
    Pairs,
    /// Anything else, as JSON.
    Json,
}

/// The flags of a schema, in its order.
pub(super) fn of(schema: &Value, language: Language) -> Vec<Flag> {
    let mut flags = Vec::new();
    collect(schema, language, &[], true, &mut flags);
    flags
}

/// A path as it is typed, such as `php.memory-mb`.
pub(super) fn path_of(typed: &str) -> Vec<String> {
    typed.split('.').map(|word| word.replace('-', "_")).collect()
}

fn collect(schema: &Value, language: Language, path: &[String], required: bool, flags: &mut Vec<Flag>) {
    let Some(fields) = schema.get("properties").and_then(Value::as_object) else { return };
    let needs: Vec<&str> =
        schema.get("required").and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str).collect();
    for (name, field) in fields.iter().filter(|(_, field)| field["readOnly"] != true) {
        let path: Vec<String> = path.iter().chain([name]).cloned().collect();
        let required = required && needs.contains(&name.as_str());
        if field.get("properties").is_some() && path.len() < DEPTH_MAX {
            collect(field, language, &path, required, flags);
            continue;
        }
        flags.push(Flag {
            long: path.join(".").replace('_', "-"),
            takes: takes(field),
            required,
            help: help(field, language),
            default: field.get("default").cloned(),
            path,
        });
    }
}

fn takes(field: &Value) -> Takes {
    if let Some(choices) = field.get("enum").and_then(Value::as_array) {
        let names: Vec<String> = choices.iter().filter_map(Value::as_str).map(str::to_owned).collect();
        if names.len() == choices.iter().filter(|choice| !choice.is_null()).count() {
            return Takes::Choice(names);
        }
        return Takes::Json;
    }
    let types: Vec<&str> = match field.get("type") {
        Some(Value::String(one)) => vec![one],
        Some(Value::Array(several)) => several.iter().filter_map(Value::as_str).collect(),
        _ => Vec::new(),
    };
    let has = |name: &str| types.contains(&name);
    let item = field.pointer("/items/type").and_then(Value::as_str);
    let words = field.pointer("/items/enum").is_some();
    match () {
        () if field.get("x-keys").is_some() => Takes::Pairs,
        () if has("array") && (item == Some("string") || words) => Takes::Many,
        () if has("array") || has("object") => Takes::Json,
        () if has("integer") || has("number") => Takes::Number { or_text: has("string") },
        () if has("boolean") => Takes::Flag,
        () if has("string") => Takes::Text,
        () => Takes::Json,
    }
}

fn help(field: &Value, language: Language) -> String {
    let danish = field.get("x-da").filter(|_| language == Language::Da);
    let word = |name: &str| {
        danish.and_then(|texts| texts.get(name)).or_else(|| field.get(name)).and_then(Value::as_str).unwrap_or_default()
    };
    let (title, description) = (word("title"), word("description"));
    let unit = field.get("x-unit").and_then(Value::as_str).filter(|unit| !unit.is_empty());
    let title = &unit.map_or_else(|| title.to_owned(), |unit| format!("{title} ({unit})"));
    let text = match (title.as_str(), description) {
        ("", other) | (other, "") => other.to_owned(),
        (title, description) => format!("{title}: {description}"),
    };
    let known = field.get("x-known").and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str);
    let known = known.collect::<Vec<_>>().join(", ");
    let text = if known.is_empty() { text } else { format!("{text} [known: {known}]") };
    match field.get("default") {
        Some(Value::String(default)) if default.is_empty() => text,
        Some(Value::String(default)) => format!("{text} [default: {default}]"),
        Some(Value::Null) | None => text,
        Some(default) => format!("{text} [default: {default}]"),
    }
}

impl Flag {
    /// The flag for clap.
    pub(super) fn arg(&self, new: bool) -> Arg {
        let arg =
            Arg::new(self.long.clone()).long(self.long.clone()).help(self.help.clone()).required(new && self.required);
        match &self.takes {
            Takes::Text => arg.value_name("TEXT"),
            Takes::Number { or_text: false } => arg.value_name("NUMBER").allow_negative_numbers(true),
            Takes::Number { or_text: true } => arg.value_name("SIZE"),
            Takes::Flag => {
                arg.value_name("BOOL").num_args(0..=1).default_missing_value("true").value_parser(["true", "false"])
            }
            Takes::Choice(names) => arg.value_name("CHOICE").value_parser(PossibleValuesParser::new(names.clone())),
            Takes::Many => arg.value_name("LIST").action(ArgAction::Append).value_delimiter(','),
            // One of several is written as one.
            Takes::Pairs => arg
                .value_name("NAME=WORD")
                .action(ArgAction::Append)
                .value_delimiter(',')
                .visible_alias(self.long.trim_end_matches('s').to_owned()),
            Takes::Json => arg.value_name("JSON"),
        }
    }

    /// What was typed, as the field's value.
    pub(super) fn value(&self, matches: &ArgMatches) -> Result<Option<Value>, String> {
        let all: Vec<&String> = matches.get_many::<String>(&self.long).into_iter().flatten().collect();
        let Some(text) = all.first().map(|text| text.as_str()) else { return Ok(None) };
        let value = match &self.takes {
            Takes::Text | Takes::Choice(_) => json!(text),
            Takes::Flag => json!(text == "true"),
            Takes::Many => {
                json!(all.iter().map(|text| text.trim()).filter(|text| !text.is_empty()).collect::<Vec<_>>())
            }
            Takes::Number { or_text } => match serde_json::from_str::<Value>(text) {
                Ok(number @ Value::Number(_)) => number,
                _ if *or_text => json!(text),
                _ => return Err(format!("--{} {text:?} is no number", self.long)),
            },
            Takes::Pairs => {
                let pair = |text: &&String| match text.split_once('=') {
                    Some((name, "none" | "")) => Ok((name.to_owned(), Value::Null)),
                    Some((name, word)) => Ok((name.to_owned(), json!(word))),
                    None => Err(format!("--{} {text:?} is no NAME=WORD", self.long)),
                };
                Value::Object(all.iter().map(pair).collect::<Result<_, _>>()?)
            }
            Takes::Json => serde_json::from_str(text).unwrap_or_else(|_| json!(text)),
        };
        Ok(Some(value))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::Command;

    fn schema() -> Value {
        json!({
            "required": ["names"],
            "properties": {
                "names": {"type": "array", "items": {"type": "string"}, "title": "Names", "x-da": {"title": "Navne"}},
                "engine": {"enum": ["one", "two"], "default": "one"},
                "open": {"type": "boolean", "default": true},
                "size": {"type": ["integer", "string"]},
                "inner": {"type": ["object", "null"], "required": ["count"], "properties": {"count": {"type": "integer"}}},
                "rest": {"type": "array", "items": {"type": "object"}},
                "grants": {"type": "object", "x-keys": "others", "additionalProperties": {"enum": ["read", "own"]}}
            }
        })
    }

    fn read(words: &[&str]) -> Result<Vec<(String, Value)>, String> {
        let flags = of(&schema(), Language::En);
        let command = Command::new("x").args(flags.iter().map(|flag| flag.arg(true)));
        let matches = command.try_get_matches_from([&["x"], words].concat()).map_err(|error| error.to_string())?;
        let mut read = Vec::new();
        for flag in &flags {
            if let Some(value) = flag.value(&matches)? {
                read.push((flag.path.join("/"), value));
            }
        }
        Ok(read)
    }

    #[test]
    fn flags_become_fields() {
        let words = "--names a,b --names c --engine two --open false --size 5GiB --inner.count 3 --rest [{\"a\":1}] --grant x=read,y=none --grants z=own";
        let read = read(&words.split(' ').collect::<Vec<_>>()).expect("they hold");
        let expected = [
            ("engine", json!("two")),
            ("grants", json!({"x": "read", "y": null, "z": "own"})),
            ("inner/count", json!(3)),
            ("names", json!(["a", "b", "c"])),
            ("open", json!(false)),
            ("rest", json!([{"a": 1}])),
            ("size", json!("5GiB")),
        ];
        assert_eq!(read.len(), expected.len());
        for (path, value) in expected {
            assert!(read.contains(&(path.to_owned(), value)), "{path} in {read:?}");
        }
    }

    #[test]
    fn wrong_flags_are_refused_before_anything_is_sent() {
        for (words, said) in [
            (vec![], "--names"),
            (vec!["--names", "a", "--engine", "three"], "one, two"),
            (vec!["--names", "a", "--inner.count", "many"], "no number"),
            (vec!["--names", "a", "--nams", "b"], "--nams"),
            (vec!["--names", "a", "--grant", "x"], "NAME=WORD"),
        ] {
            let error = read(&words).expect_err("it is refused");
            assert!(error.contains(said), "{words:?}: {error}");
        }
    }

    #[test]
    fn what_lies_in_an_object_that_may_be_left_out_is_not_required() {
        let flags = of(&schema(), Language::Da);
        let required: Vec<&str> = flags.iter().filter(|flag| flag.required).map(|flag| flag.long.as_str()).collect();
        assert_eq!(required, ["names"]);
        assert!(flags.iter().any(|flag| flag.help == "Navne"));
    }
}
