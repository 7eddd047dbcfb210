//! `husorden <kind> <setting> …`: settings of a kind's engine with units, bounds and defaults, such as parameters.

use super::{global, text};
use crate::api::{Ask, to_value};
use crate::context::Context;
use crate::failure::Failure;
use crate::output::{self, Format};
use crate::solution;
use clap::{Arg, ArgMatches, Command};
use husorden_base::Language;
use husorden_wire::api::{Kind, Solution, SolutionChange};
use serde_json::{Map, Value, json};
use ureq::http::Method;

/// One group of settings.
#[derive(Clone, Debug)]
pub(super) struct Settings {
    field: String,
    word: String,
    schema: Value,
}

/// The groups of a kind.
pub(super) fn of(kind: &Kind) -> Vec<Settings> {
    let fields = kind.spec["properties"].as_object().into_iter().flatten();
    let groups = fields.filter_map(|(field, schema)| {
        let word = schema["x-word"].as_str()?.to_owned();
        Some(Settings { field: field.clone(), word, schema: schema.clone() })
    });
    groups.collect()
}

impl Settings {
    pub(super) fn word(&self) -> &str {
        &self.word
    }

    pub(super) fn command(&self, context: &Context) -> Command {
        let one = || Arg::new("solution").required(true).value_name("SOLUTION");
        let many = |name: &'static str| Arg::new("names").required(true).num_args(1..).value_name(name);
        let list = Command::new("list")
            .visible_alias("ls")
            .about(context.word("Vis, hvad der kan sættes, og hvad der er sat", "List what can be set, and what is"))
            .arg(one());
        let set = Command::new("set").about(context.word("Sæt", "Set")).arg(one()).arg(many("NAME=VALUE"));
        let reset = Command::new("reset")
            .about(context.word("Bring tilbage til standard", "Bring back to the default"))
            .arg(one())
            .arg(many("NAME"));
        Command::new(self.word.clone())
            .about(said(&self.schema, "description", context.language))
            .subcommand_required(true)
            .arg_required_else_help(true)
            .subcommand(global(list))
            .subcommand(global(set))
            .subcommand(global(reset))
    }

    pub(super) fn run(&self, context: &Context, verb: &str, matches: &ArgMatches) -> Result<(), Failure> {
        let before = solution::get(context, &text(matches, "solution"))?;
        let typed = matches.try_get_many::<String>("names").ok().flatten().into_iter().flatten();
        let patch: Map<String, Value> = match verb {
            "set" => typed.map(|text| setting(text)).collect::<Result<_, _>>()?,
            "reset" => typed.map(|name| (name.clone(), Value::Null)).collect(),
            _ => return self.list(context, &before),
        };
        self.known(context, &before, &patch)?;
        let change = SolutionChange { spec: Some(json!({ &self.field: patch })), ..SolutionChange::default() };
        let (change, path) = (to_value(&change)?, solution::path(&before.id));
        let answer: Value =
            context.api.ask(&Ask::new(Method::PATCH, &path).with(&change).if_match(before.generation))?;
        solution::show(context, answer)
    }

    /// What can be set on a solution as it is, by name.
    fn there<'a>(&'a self, solution: &Solution) -> Vec<(&'a String, &'a Value)> {
        let spec = solution.spec.clone();
        let holds = move |field: &Value| {
            let mut when = field["x-when"].as_object().into_iter().flatten();
            when.all(|(name, values)| values.as_array().is_some_and(|values| values.contains(&spec[name])))
        };
        self.schema["properties"].as_object().into_iter().flatten().filter(|(_, field)| holds(field)).collect()
    }

    fn known(&self, context: &Context, solution: &Solution, patch: &Map<String, Value>) -> Result<(), Failure> {
        let there = self.there(solution);
        let Some(unknown) = patch.keys().find(|name| there.iter().all(|(known, _)| known != name)) else {
            return Ok(());
        };
        let names: Vec<&str> = there.iter().map(|(name, _)| name.as_str()).collect();
        Err(Failure::Usage(format!(
            "{unknown:?} {} {}",
            context.word("kan ikke sættes her. Der er:", "cannot be set here. There are:"),
            names.join(", ")
        )))
    }

    fn list(&self, context: &Context, solution: &Solution) -> Result<(), Failure> {
        let held = &solution.spec[&self.field];
        let there = self.there(solution);
        match context.format {
            Format::Json => {
                let all = there.iter().map(|(name, schema)| {
                    json!({
                        "name": name, "value": held[name.as_str()], "unit": schema["x-unit"], "default": schema["default"],
                        "minimum": schema["minimum"], "maximum": schema["maximum"], "restart": schema["x-restart"],
                        "about": said(schema, "description", context.language),
                    })
                });
                output::json(&all.collect::<Vec<_>>())
            }
            Format::Name => there.iter().try_for_each(|(name, _)| output::put(name)),
            Format::Table => {
                let number = |value: &Value| value.as_i64().map_or_else(String::new, |number| number.to_string());
                let yes =
                    |value: &Value| if value == true { context.word("ja", "yes") } else { context.word("nej", "no") };
                let rows = there.iter().map(|(name, schema)| {
                    vec![
                        (*name).clone(),
                        number(&held[name.as_str()]),
                        schema["x-unit"].as_str().unwrap_or_default().to_owned(),
                        number(&schema["default"]),
                        format!("{}…{}", number(&schema["minimum"]), number(&schema["maximum"])),
                        yes(&schema["x-restart"]).to_owned(),
                        said(schema, "description", context.language),
                    ]
                });
                let columns = match context.language {
                    Language::Da => ["navn", "værdi", "enhed", "standard", "grænser", "genstart", "hvad"],
                    Language::En => ["name", "value", "unit", "default", "bounds", "restart", "what"],
                };
                output::put(&output::table(&columns, rows))
            }
        }
    }
}

/// `name=value`. What is no number stays as it was typed, so that the API refuses it.
fn setting(text: &str) -> Result<(String, Value), Failure> {
    let (name, value) = text.split_once('=').ok_or_else(|| Failure::Usage(format!("{text:?} is no NAME=VALUE")))?;
    Ok((name.to_owned(), value.parse::<i64>().map_or_else(|_| json!(value), |number| json!(number))))
}

fn said(schema: &Value, what: &str, language: Language) -> String {
    let danish = schema.get("x-da").filter(|_| language == Language::Da);
    danish.unwrap_or(schema)[what].as_str().unwrap_or_default().to_owned()
}
