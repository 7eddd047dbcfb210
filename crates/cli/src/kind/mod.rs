//! `husorden <kind> create` and its like, for every kind the API lists. What a kind can be told is read from its JSON Schema,
//! so this code names no kind and needs no change for a new one.

mod entries;
mod flags;
mod schema;
mod settings;

use crate::api::{Ask, to_value};
use crate::context::Context;
use crate::failure::Failure;
use crate::output::{self, Format, Row};
use crate::{credential, solution, wait};
use clap::{Arg, ArgAction, ArgMatches, Command};
use flags::Flag;
use husorden_wire::api::{Kind, Page, SolutionChange, SolutionCreate, SolutionCreated, SolutionFrom};
use serde::Deserialize;
use serde_json::{Map, Value};
use std::collections::BTreeMap;
use ureq::http::Method;

/// The API answers the list of kinds as a page or as it is.
#[derive(Deserialize)]
#[serde(untagged)]
enum Kinds {
    Page(Page<Kind>),
    Plain(Vec<Kind>),
}

fn kinds(context: &Context) -> Result<Vec<Kind>, Failure> {
    Ok(match context.api.get("/v1/kinds")? {
        Kinds::Page(page) => page.items,
        Kinds::Plain(kinds) => kinds,
    })
}

/// `husorden kinds`.
pub(crate) fn list(context: &Context) -> Result<(), Failure> {
    output::list(context.format, &kinds(context)?)
}

/// `husorden <kind> …`.
pub(crate) fn run(mut context: Context, words: Vec<String>) -> Result<(), Failure> {
    let kinds = kinds(&context)?;
    let asked = words.first().cloned().unwrap_or_default();
    let Some(kind) = kinds.iter().find(|kind| kind.name == asked) else {
        let known = kinds.iter().map(|kind| kind.name.as_str()).collect::<Vec<_>>().join(", ");
        return Err(Failure::Usage(format!(
            "{asked:?} {} {known}\n  {}",
            context.word("er hverken en kommando eller en art. Arter:", "is neither a command nor a kind. Kinds:"),
            context.word("Kommandoerne vises med `husorden --help`.", "Commands are shown by `husorden --help`.")
        )));
    };
    let flags = flags::of(&kind.spec, context.language);
    let (maps, groups) = (entries::of(kind, context.language), settings::of(kind));
    let command =
        maps.iter().fold(command(&context, kind, &flags), |whole, map| whole.subcommand(map.command(&context)));
    let command = groups.iter().fold(command, |whole, group| whole.subcommand(group.command(&context)));
    let matches = match command.try_get_matches_from(&words) {
        Ok(matches) => matches,
        Err(error) => error.exit(),
    };
    let Some((verb, matches)) = matches.subcommand() else {
        return Err(Failure::Usage("no verb".to_owned()));
    };
    if let Some((inner, inner_matches)) = matches.subcommand() {
        take_globals(&mut context, inner_matches);
        let map = maps.iter().find(|map| map.word() == verb);
        let group = groups.iter().find(|group| group.word() == verb);
        return match (map, group) {
            (Some(map), _) => map.run(&context, inner, inner_matches),
            (None, Some(group)) => group.run(&context, inner, inner_matches),
            (None, None) => Err(Failure::Usage("no verb".to_owned())),
        };
    }
    take_globals(&mut context, matches);
    match verb {
        "create" => create(&context, kind, &flags, matches),
        "change" => change(&context, &flags, matches),
        "list" => {
            let list = solution::List { kind: Some(kind.name.clone()), ..solution::List::default() };
            list.run(&context)
        }
        _ => output::put(&schema::text(&context, kind, &flags)?),
    }
}

/// Options of every command may stand behind the kind's own words as well.
fn take_globals(context: &mut Context, matches: &ArgMatches) {
    if let Ok(Some(format)) = matches.try_get_one::<Format>("output") {
        context.format = *format;
    }
    if matches.get_flag("yes") {
        context.yes = true;
    }
    if matches.get_flag("no-wait") {
        context.wait_s_max = None;
    }
}

/// A verb with the options that every command has.
fn global(command: Command) -> Command {
    command
        .arg(Arg::new("output").short('o').long("output").value_parser(clap::value_parser!(Format)))
        .arg(Arg::new("yes").long("yes").action(ArgAction::SetTrue))
        .arg(Arg::new("no-wait").long("no-wait").action(ArgAction::SetTrue))
}

fn command(context: &Context, kind: &Kind, flags: &[Flag]) -> Command {
    let name = Arg::new("solution").required(true).value_name("NAME");
    let set =
        Arg::new("set").long("set").value_name("FIELD=VALUE").action(ArgAction::Append).help(
            context.word("Et felt ved sin sti, med en værdi i JSON", "A field by its path, with a value in JSON"),
        );
    let create =
        Command::new("create")
            .about(context.word("Opret en", "Make one"))
            .arg(name.clone())
            .args(flags.iter().map(|flag| flag.arg(true)))
            .arg(set.clone())
            .arg(
                Arg::new("label")
                    .short('l')
                    .long("label")
                    .value_name("KEY=VALUE")
                    .action(ArgAction::Append)
                    .help(context.word("Mærke, til mennesker", "A label, for people")),
            )
            .arg(Arg::new("protected").long("protected").action(ArgAction::SetTrue).help(
                context.word("Sletning afvises, indtil det tages af", "Deletion is refused until this is taken off"),
            ))
            .arg(
                Arg::new("from")
                    .long("from")
                    .value_name("SOLUTION")
                    .help(context.word("Lav den som kopi af en anden", "Make it as a copy of another")),
            )
            .arg(
                Arg::new("snapshot")
                    .long("snapshot")
                    .value_name("SNAPSHOT")
                    .requires("from")
                    .help(context.word("Kopiér dette øjebliksbillede", "Copy this snapshot of it")),
            )
            .arg(
                Arg::new("backup")
                    .long("backup")
                    .value_name("BACKUP")
                    .requires("from")
                    .conflicts_with("snapshot")
                    .help(context.word("Lav den af denne backup", "Make it from this backup of it")),
            )
            .arg(
                Arg::new("at")
                    .long("at")
                    .value_name("TIME")
                    .requires("from")
                    .conflicts_with_all(["snapshot", "backup"])
                    .value_parser(clap::value_parser!(jiff::Timestamp))
                    .help(context.word("Kopiér dens data, som de var da", "Copy its data as it was then")),
            )
            .arg(Arg::new("off-site").long("off-site").requires("at").action(ArgAction::SetTrue).help(context.word(
                "Derfra, hvor backupperne ligger, hvad end der er sket med maskinen",
                "From where the backups lie, whatever happened to the machine",
            )))
            .arg(
                Arg::new("account")
                    .long("account")
                    .value_name("ACCOUNT")
                    .help(context.word("I hvilken konto (personale)", "In which account (staff)")),
            );
    let change = Command::new("change")
        .visible_alias("update")
        .about(context.word("Ændr felter; resten bliver", "Change fields; the rest stays"))
        .arg(name)
        .args(flags.iter().map(|flag| flag.arg(false)))
        .arg(set)
        .arg(
            Arg::new("unset")
                .long("unset")
                .value_name("FIELD")
                .action(ArgAction::Append)
                .help(context.word("Bring et felt tilbage til standard", "Bring a field back to its default")),
        );
    Command::new(kind.name.clone())
        .bin_name(format!("husorden {}", kind.name))
        .about(kind.title.get(context.language).to_owned())
        .subcommand_required(true)
        .arg_required_else_help(true)
        .subcommand(global(create))
        .subcommand(global(change))
        .subcommand(global(
            Command::new("list").visible_alias("ls").about(context.word("Vis dem, der er", "List those there are")),
        ))
        .subcommand(global(Command::new("schema").about(context.word("Vis felterne", "Show what can be set"))))
}

fn create(context: &Context, kind: &Kind, flags: &[Flag], matches: &ArgMatches) -> Result<(), Failure> {
    let form = SolutionCreate {
        kind: kind.name.clone(),
        name: text(matches, "solution"),
        spec: spec(flags, matches)?,
        from: matches.get_one::<String>("from").map(|solution| SolutionFrom {
            solution: solution.clone(),
            snapshot: matches.get_one::<String>("snapshot").cloned(),
            backup: matches.get_one::<String>("backup").cloned(),
            at: matches.get_one("at").copied(),
            off_site: matches.get_flag("off-site"),
        }),
        account: matches.get_one::<String>("account").cloned(),
        labels: labels(matches)?,
        protected: matches.get_flag("protected"),
    };
    let made: SolutionCreated = context.api.post("/v1/solutions", &form)?;
    // Shown before the wait: a password that is shown once must not be lost to an impatient Ctrl-C.
    if context.format == Format::Table {
        output::put(&format!("{}: {}", made.solution.name, context.word("oprettet", "made")))?;
        for shown in &made.credentials {
            output::put(&credential::text(context, shown))?;
        }
    } else {
        output::done(context.format, &made.solution.name, &made, "")?;
    }
    let solution = wait::solution(context, made.solution)?;
    if context.format == Format::Table {
        output::put(&format!("{}: {}", solution.name, solution.state))?;
    }
    Ok(())
}

fn change(context: &Context, flags: &[Flag], matches: &ArgMatches) -> Result<(), Failure> {
    let mut patch = spec(flags, matches)?;
    for field in matches.get_many::<String>("unset").into_iter().flatten() {
        put(&mut patch, &flags::path_of(field), Value::Null);
    }
    if patch.as_object().is_none_or(Map::is_empty) {
        return Err(Failure::Usage(context.word("intet at ændre", "nothing to change").to_owned()));
    }
    let before = solution::get(context, &text(matches, "solution"))?;
    let change = to_value(&SolutionChange { spec: Some(patch), ..SolutionChange::default() })?;
    let path = solution::path(&before.id);
    let answer: Value = context.api.ask(&Ask::new(Method::PATCH, &path).with(&change).if_match(before.generation))?;
    solution::show(context, answer)
}

fn text(matches: &ArgMatches, name: &str) -> String {
    matches.get_one::<String>(name).cloned().unwrap_or_default()
}

fn labels(matches: &ArgMatches) -> Result<BTreeMap<String, String>, Failure> {
    let given = matches.get_many::<String>("label").into_iter().flatten();
    given
        .map(|label| match label.split_once('=') {
            Some((key, value)) => Ok((key.to_owned(), value.to_owned())),
            None => Err(Failure::Usage(format!("{label:?} is no label: key=value"))),
        })
        .collect()
}

/// What the flags say.
fn spec_of(flags: &[Flag], matches: &ArgMatches) -> Result<Value, Failure> {
    let mut spec = Value::Object(Map::new());
    for flag in flags {
        if let Some(value) = flag.value(matches).map_err(Failure::Usage)? {
            put(&mut spec, &flag.path, value);
        }
    }
    Ok(spec)
}

/// The spec that the flags say, with what is set by its path.
fn spec(flags: &[Flag], matches: &ArgMatches) -> Result<Value, Failure> {
    let mut spec = spec_of(flags, matches)?;
    for set in matches.get_many::<String>("set").into_iter().flatten() {
        let (field, value) =
            set.split_once('=').ok_or_else(|| Failure::Usage(format!("--set {set:?} is no FIELD=VALUE")))?;
        // What is no JSON is a text: nobody wants to quote a name twice in a shell.
        let value = serde_json::from_str(value).unwrap_or_else(|_| Value::String(value.to_owned()));
        put(&mut spec, &flags::path_of(field), value);
    }
    Ok(spec)
}

/// Puts a value at a path, making the objects on the way.
fn put(document: &mut Value, path: &[String], value: Value) {
    let Some((first, rest)) = path.split_first() else {
        *document = value;
        return;
    };
    if !document.is_object() {
        *document = Value::Object(Map::new());
    }
    if let Some(fields) = document.as_object_mut() {
        put(fields.entry(first.clone()).or_insert(Value::Null), rest, value);
    }
}

/// What the reader typed for a pointer into the request, such as `--php.memory-mb` for `/spec/php/memory_mb`.
pub(crate) fn flag(pointer: &str) -> String {
    match pointer.strip_prefix("/spec/") {
        Some(rest) => {
            let words = rest.split('/').filter(|word| word.parse::<usize>().is_err());
            format!("--{}", words.collect::<Vec<_>>().join(".").replace('_', "-"))
        }
        None => match pointer.trim_start_matches('/') {
            "" => "request".to_owned(),
            "name" => "NAME".to_owned(),
            other => format!("--{}", other.replace('_', "-").replace('/', ".")),
        },
    }
}

impl Row for Kind {
    const COLUMNS: &'static [&'static str] = &["name", "title"];

    fn cells(&self) -> Vec<String> {
        vec![self.name.clone(), self.title.get(crate::language()).to_owned()]
    }

    fn name(&self) -> String {
        self.name.clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_pointer_is_shown_as_what_was_typed() {
        for (pointer, typed) in [
            ("/spec/domains/0", "--domains"),
            ("/spec/php/memory_mb", "--php.memory-mb"),
            ("/name", "NAME"),
            ("/reasons", "--reasons"),
            ("", "request"),
        ] {
            assert_eq!(flag(pointer), typed, "{pointer:?}");
        }
    }

    #[test]
    fn values_land_at_their_paths() {
        let mut spec = json!({});
        for (path, value) in [("a", json!(1)), ("b.c", json!("x")), ("b.d", json!(null)), ("a.e", json!(true))] {
            put(&mut spec, &flags::path_of(path), value);
        }
        assert_eq!(spec, json!({"a": {"e": true}, "b": {"c": "x", "d": null}}));
    }
}
