//! `husorden <kind> schema`: what can be set, as a table or as the JSON Schema itself.

use super::flags::{Flag, Takes};
use crate::context::Context;
use crate::failure::Failure;
use crate::output::{Format, table};
use husorden_wire::api::Kind;
use serde_json::Value;

/// What can be set of a kind.
pub(super) fn text(context: &Context, kind: &Kind, flags: &[Flag]) -> Result<String, Failure> {
    match context.format {
        Format::Json => serde_json::to_string_pretty(&kind.spec)
            .map_err(|error| Failure::Odd(format!("writing the answer: {error}"))),
        Format::Name => Ok(flags.iter().map(|flag| flag.path.join(".")).collect::<Vec<_>>().join("\n")),
        Format::Table => Ok(table(&["flag", "takes", "default", "what"], flags.iter().map(row))),
    }
}

fn row(flag: &Flag) -> Vec<String> {
    let takes = match &flag.takes {
        Takes::Text => "text".to_owned(),
        Takes::Number { or_text: false } => "number".to_owned(),
        Takes::Number { or_text: true } => "size".to_owned(),
        Takes::Flag => "true, false".to_owned(),
        Takes::Choice(names) => names.join(", "),
        Takes::Many => "list".to_owned(),
        Takes::Pairs => "NAME=WORD".to_owned(),
        Takes::Json => "JSON".to_owned(),
    };
    let default = match &flag.default {
        Some(Value::String(text)) => text.clone(),
        Some(Value::Null) | None if flag.required => "(required)".to_owned(),
        Some(Value::Null) | None => String::new(),
        Some(other) => other.to_string(),
    };
    // The default has a column of its own here.
    let what = flag.help.split(" [default:").next().unwrap_or_default().to_owned();
    vec![format!("--{}", flag.long), takes, default, what]
}
