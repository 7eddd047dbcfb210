//! `husorden <kind> <entry> …`: the entries of a map in a kind's spec, such as users, each by its name. What an entry is called and
//! what its loss means is read from the kind's schema.

use super::flags::{self, Flag};
use super::{global, spec_of, text};
use crate::api::{Ask, to_value};
use crate::context::Context;
use crate::failure::Failure;
use crate::output::{self, Format};
use crate::{credential, solution, wait};
use clap::{Arg, ArgMatches, Command};
use husorden_base::{Language, Text};
use husorden_wire::api::{Kind, Solution, SolutionChange};
use serde::Deserialize;
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;
use ureq::http::Method;

/// What the schema says of an entry.
#[derive(Clone, Debug, Deserialize)]
struct Entry {
    word: String,
    title: Text,
    #[serde(default)]
    credential: bool,
    loss: Vec<Text>,
    kept: Vec<Text>,
}

/// A map of the spec whose entries have names that their owner chooses.
#[derive(Clone, Debug)]
pub(super) struct Entries {
    field: String,
    schema: Value,
    entry: Entry,
    flags: Vec<Flag>,
}

/// The maps of a kind.
pub(super) fn of(kind: &Kind, language: Language) -> Vec<Entries> {
    let fields = kind.spec["properties"].as_object().into_iter().flatten();
    let maps = fields.filter_map(|(field, schema)| {
        let entry = Entry::deserialize(&schema["x-entry"]).ok()?;
        let flags = flags::of(&schema["additionalProperties"], language);
        Some(Entries { field: field.clone(), schema: schema.clone(), entry, flags })
    });
    maps.collect()
}

impl Entries {
    pub(super) fn word(&self) -> &str {
        &self.entry.word
    }

    pub(super) fn command(&self, context: &Context) -> Command {
        let one = || Arg::new("solution").required(true).value_name("SOLUTION");
        let name = || Arg::new("entry").required(true).value_name("NAME");
        let password = || {
            Arg::new("password").long("password-file").value_name("FILE").help(context.word(
                "Fil med den adgangskode, du selv vælger; - er standard input. Uden den laves en og vises én gang",
                "File with the password of your choice; - is standard input. Without it one is made and shown once",
            ))
        };
        let secret = |command: Command| if self.entry.credential { command.arg(password()) } else { command };
        let flagged =
            |command: Command| command.arg(one()).arg(name()).args(self.flags.iter().map(|flag| flag.arg(false)));
        let create = flagged(Command::new("create").about(context.word("Opret en", "Make one")));
        let change = flagged(
            Command::new("change")
                .about(context.word("Ændr det, der nævnes; resten bliver", "Change what is named; the rest stays")),
        );
        let drop = Command::new("drop")
            .visible_alias("delete")
            .about(context.word("Slet en, efter et øjebliksbillede", "Drop one, after a snapshot"))
            .arg(one())
            .arg(name());
        let list = Command::new("list")
            .visible_alias("ls")
            .about(context.word("Vis dem, der er", "List those there are"))
            .arg(one());
        let mut command = Command::new(self.entry.word.clone())
            .about(self.schema_text(context.language))
            .subcommand_required(true)
            .arg_required_else_help(true)
            .subcommand(global(list))
            .subcommand(global(secret(create)))
            .subcommand(global(change))
            .subcommand(global(drop));
        if self.entry.credential {
            let rotate = Command::new("rotate")
                .about(context.word(
                    "Giv en ny adgangskode; den gamle virker ikke mere",
                    "Give a new password; the old one stops working",
                ))
                .arg(one())
                .arg(name());
            command = command.subcommand(global(secret(rotate)));
        }
        command
    }

    /// What the map is, in the reader's language.
    fn schema_text(&self, language: Language) -> String {
        let danish = self.schema.get("x-da").filter(|_| language == Language::Da);
        let said = danish.unwrap_or(&self.schema)["description"].as_str();
        said.unwrap_or(self.entry.title.get(language)).to_owned()
    }

    pub(super) fn run(&self, context: &Context, verb: &str, matches: &ArgMatches) -> Result<(), Failure> {
        let before = solution::get(context, &text(matches, "solution"))?;
        let done = match verb {
            "create" => self.create(context, &before, matches),
            "change" => self.change(context, &before, matches),
            "drop" => self.drop(context, &before, matches),
            "rotate" => credential::rotate(context, &before.name, &text(matches, "entry"), file(matches)),
            _ => return self.list(context, &before),
        };
        done.map_err(|failure| self.at_flags(failure, matches))
    }

    /// What the API refuses, by what was typed here.
    fn at_flags(&self, failure: Failure, matches: &ArgMatches) -> Failure {
        let Failure::Refused(mut problem) = failure else { return failure };
        let name = matches.try_get_one::<String>("entry").ok().flatten().map_or("", String::as_str);
        let own = format!("/spec/{}/{}", self.field, name.replace('~', "~0").replace('/', "~1"));
        for field in &mut problem.refusal.fields {
            if field.pointer == own {
                "/name".clone_into(&mut field.pointer);
            } else if field.pointer.starts_with("/password") {
                "/password_file".clone_into(&mut field.pointer);
            } else if let Some(rest) = field.pointer.strip_prefix(&own) {
                field.pointer = format!("/spec{rest}");
            }
        }
        Failure::Refused(problem)
    }

    fn held<'a>(&self, solution: &'a Solution) -> impl Iterator<Item = (&'a String, &'a Value)> + use<'a> {
        solution.spec[&self.field].as_object().into_iter().flatten()
    }

    /// The entry that is meant, if there is one of that name.
    fn known(&self, context: &Context, solution: &Solution, name: &str) -> Result<(), Failure> {
        if self.held(solution).any(|(held, _)| held == name) {
            return Ok(());
        }
        let names: Vec<&str> = self.held(solution).map(|(name, _)| name.as_str()).collect();
        let none = context.word("ingen", "none");
        let names = if names.is_empty() { none.to_owned() } else { names.join(", ") };
        Err(Failure::Usage(format!(
            "{name:?} {} {}. {}: {names}",
            context.word("findes ikke i", "does not exist in"),
            solution.name,
            context.word("Der er", "There are"),
        )))
    }

    fn send(
        &self,
        context: &Context,
        before: &Solution,
        name: &str,
        entry: Value,
        passwords: BTreeMap<String, String>,
    ) -> Result<Solution, Failure> {
        let patch = json!({ &self.field: { name: entry } });
        let change = to_value(&SolutionChange { spec: Some(patch), passwords, ..SolutionChange::default() })?;
        let path = solution::path(&before.id);
        context.api.ask(&Ask::new(Method::PATCH, &path).with(&change).if_match(before.generation))
    }

    fn create(&self, context: &Context, before: &Solution, matches: &ArgMatches) -> Result<(), Failure> {
        let name = text(matches, "entry");
        if self.held(before).any(|(held, _)| *held == name) {
            let there = context.word("findes allerede i", "exists already in");
            return Err(Failure::Usage(format!("{name} {there} {}", before.name)));
        }
        let chosen = if self.entry.credential { file(matches).map(credential::read).transpose()? } else { None };
        let passwords = chosen.iter().map(|password| (name.clone(), password.clone())).collect();
        let changed = self.send(context, before, &name, spec_of(&self.flags, matches)?, passwords)?;
        if self.entry.credential && chosen.is_none() {
            // Shown before the wait: a password that is shown once must not be lost to an impatient Ctrl-C.
            credential::renew(context, &before.name, &name, None)?;
            return wait::solution(context, solution::get(context, &before.id)?).map(drop);
        }
        self.told(context, changed, &name, context.word("oprettet", "made"))
    }

    fn change(&self, context: &Context, before: &Solution, matches: &ArgMatches) -> Result<(), Failure> {
        let name = text(matches, "entry");
        self.known(context, before, &name)?;
        let patch = spec_of(&self.flags, matches)?;
        if patch.as_object().is_none_or(Map::is_empty) {
            return Err(Failure::Usage(context.word("intet at ændre", "nothing to change").to_owned()));
        }
        let changed = self.send(context, before, &name, patch, BTreeMap::new())?;
        self.told(context, changed, &name, context.word("ændret", "changed"))
    }

    fn drop(&self, context: &Context, before: &Solution, matches: &ArgMatches) -> Result<(), Failure> {
        let name = text(matches, "entry");
        self.known(context, before, &name)?;
        let told = self.entry.loss.iter().chain(&self.entry.kept).map(|text| text.get(context.language));
        let title = self.entry.title.get(context.language);
        context.confirm(&format!("{title} {name}: {}", told.collect::<Vec<_>>().join(" ")))?;
        let changed = self.send(context, before, &name, Value::Null, BTreeMap::new())?;
        self.told(context, changed, &name, context.word("slettet", "dropped"))
    }

    /// Waits until it is so, and says it.
    fn told(&self, context: &Context, changed: Solution, name: &str, done: &str) -> Result<(), Failure> {
        let seen = wait::solution(context, changed)?;
        let entry = named(name, &seen.spec[&self.field][name]);
        output::done(context.format, name, &entry, &format!("{name}: {done}"))
    }

    fn list(&self, context: &Context, solution: &Solution) -> Result<(), Failure> {
        let entries: Vec<Value> = self.held(solution).map(|(name, entry)| named(name, entry)).collect();
        match context.format {
            Format::Json => output::json(&entries),
            Format::Name => self.held(solution).try_for_each(|(name, _)| output::put(name)),
            Format::Table => {
                let columns: Vec<&str> =
                    ["name"].into_iter().chain(self.flags.iter().map(|flag| flag.long.as_str())).collect();
                let rows = self.held(solution).map(|(name, entry)| {
                    let cell = |flag: &Flag| short(&entry[flag.path[0].as_str()]);
                    [name.clone()].into_iter().chain(self.flags.iter().map(cell)).collect()
                });
                output::put(&output::table(&columns, rows))
            }
        }
    }
}

/// The file that a chosen password is read from.
fn file(matches: &ArgMatches) -> Option<&str> {
    matches.try_get_one::<String>("password").ok().flatten().map(String::as_str)
}

/// An entry with its name in it.
fn named(name: &str, entry: &Value) -> Value {
    let mut whole = entry.as_object().cloned().unwrap_or_default();
    whole.insert("name".to_owned(), json!(name));
    Value::Object(whole)
}

/// A value in a cell of a table: lists by comma, maps as they are typed.
fn short(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        Value::Array(items) => items.iter().map(short).collect::<Vec<_>>().join(","),
        Value::Object(fields) => {
            fields.iter().map(|(name, value)| format!("{name}={}", short(value))).collect::<Vec<_>>().join(",")
        }
        other => other.to_string(),
    }
}
