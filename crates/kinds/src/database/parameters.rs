//! Parameters that an owner may set, each within bounds in which it can hurt nobody else.

use super::engine::{Engine, Family, words_of};
use super::spec::{Spec, escaped};
use crate::form::Form;
use crate::schema::field;
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;
use std::fmt::Write as _;

/// One parameter.
struct Parameter {
    /// As the engine calls it.
    name: &'static str,
    family: Family,
    unit: &'static str,
    range: (i64, i64),
    /// What it is when nothing is said; none where that follows from the size of the instance.
    default: Option<i64>,
    en: &'static str,
    da: &'static str,
}

const fn postgres_one(
    name: &'static str,
    unit: &'static str,
    range: (i64, i64),
    default: Option<i64>,
    en: &'static str,
    da: &'static str,
) -> Parameter {
    Parameter { name, family: Family::Postgres, unit, range, default, en, da }
}

const fn mariadb_one(
    name: &'static str,
    unit: &'static str,
    range: (i64, i64),
    default: Option<i64>,
    en: &'static str,
    da: &'static str,
) -> Parameter {
    Parameter { name, family: Family::MariaDb, unit, range, default, en, da }
}

const DAY_MS: i64 = 86_400_000;

/// All of them. Those of PostgreSQL are taken up while it runs; MariaDB is restarted by a change.
const PARAMETERS: [Parameter; 17] = [
    postgres_one(
        "work_mem",
        "kB",
        (64, 1 << 20),
        None,
        "Memory of one sort or hash. Left empty, a share of the instance's memory.",
        "Hukommelse til en sortering eller hash. Tomt er en andel af instansens hukommelse.",
    ),
    postgres_one(
        "maintenance_work_mem",
        "kB",
        (1024, 4 << 20),
        None,
        "Memory of one index build or vacuum. Left empty, a share of the instance's memory.",
        "Hukommelse til at bygge et indeks eller rydde op. Tomt er en andel af instansens hukommelse.",
    ),
    postgres_one(
        "statement_timeout",
        "ms",
        (0, DAY_MS),
        Some(0),
        "A statement is ended after this long; 0 is never.",
        "En sætning afbrydes efter så længe; 0 er aldrig.",
    ),
    postgres_one(
        "lock_timeout",
        "ms",
        (0, DAY_MS),
        Some(0),
        "Waiting for a lock ends after this long; 0 is never.",
        "Ventetid på en lås ender efter så længe; 0 er aldrig.",
    ),
    postgres_one(
        "idle_in_transaction_session_timeout",
        "ms",
        (0, DAY_MS),
        Some(0),
        "A session idle in a transaction is ended after this long.",
        "En session, der er ledig i en transaktion, afbrydes efter så længe.",
    ),
    postgres_one(
        "log_min_duration_statement",
        "ms",
        (-1, DAY_MS),
        Some(-1),
        "Statements slower than this are logged; -1 is none.",
        "Sætninger langsommere end dette logges; -1 er ingen.",
    ),
    postgres_one(
        "default_statistics_target",
        "",
        (1, 10_000),
        Some(100),
        "Detail of the statistics that plans are made from.",
        "Finhed af den statistik, planer laves af.",
    ),
    postgres_one(
        "deadlock_timeout",
        "ms",
        (100, 60_000),
        Some(1000),
        "Wait before a deadlock is looked for.",
        "Ventetid, før der ledes efter en baglås.",
    ),
    postgres_one(
        "autovacuum_naptime",
        "s",
        (1, 3600),
        Some(60),
        "Pause between two rounds of clearing up.",
        "Pause mellem to runder oprydning.",
    ),
    mariadb_one(
        "wait_timeout",
        "s",
        (10, 604_800),
        Some(28_800),
        "An idle connection is closed after this long.",
        "En ledig forbindelse lukkes efter så længe.",
    ),
    mariadb_one(
        "interactive_timeout",
        "s",
        (10, 604_800),
        Some(28_800),
        "The same for people's clients.",
        "Det samme for menneskers klienter.",
    ),
    mariadb_one(
        "lock_wait_timeout",
        "s",
        (1, 86_400),
        Some(86_400),
        "Waiting for a table's lock ends after this long.",
        "Ventetid på en tabels lås ender efter så længe.",
    ),
    mariadb_one(
        "innodb_lock_wait_timeout",
        "s",
        (1, 86_400),
        Some(50),
        "Waiting for a row's lock ends after this long.",
        "Ventetid på en rækkes lås ender efter så længe.",
    ),
    mariadb_one(
        "sort_buffer_size",
        "B",
        (32 << 10, 256 << 20),
        Some(2 << 20),
        "Memory of one sort.",
        "Hukommelse til en sortering.",
    ),
    mariadb_one(
        "tmp_table_size",
        "B",
        (1 << 20, 1 << 30),
        Some(16 << 20),
        "Largest temporary table in memory.",
        "Største midlertidige tabel i hukommelsen.",
    ),
    mariadb_one(
        "group_concat_max_len",
        "B",
        (1024, 64 << 20),
        Some(1 << 20),
        "Longest result of GROUP_CONCAT.",
        "Længste resultat af GROUP_CONCAT.",
    ),
    mariadb_one(
        "long_query_time",
        "s",
        (0, 86_400),
        Some(10),
        "Queries slower than this count as slow.",
        "Forespørgsler langsommere end dette regnes som langsomme.",
    ),
];

/// Reads the map of parameters. Null takes one away; one that is not named stays as it was.
pub(super) fn read(
    form: &mut Form<'_>,
    engine: Engine,
    before: Option<&BTreeMap<String, i64>>,
) -> BTreeMap<String, i64> {
    let Some(value) = form.get("parameters") else {
        return if form.names("parameters") { BTreeMap::new() } else { before.cloned().unwrap_or_default() };
    };
    let Some(map) = value.as_object() else {
        form.refuse("/parameters", "Her ventes et objekt med parametre.", "An object of parameters is expected here.");
        return BTreeMap::new();
    };
    let mut read = BTreeMap::new();
    for (name, value) in map.iter().filter(|(_, value)| !value.is_null()) {
        let pointer = format!("/parameters/{}", escaped(name));
        let known = PARAMETERS.iter().find(|one| one.name == name && one.family == engine.family());
        let Some(known) = known else {
            let names: Vec<&str> =
                PARAMETERS.iter().filter(|one| one.family == engine.family()).map(|one| one.name).collect();
            let names = names.join(", ");
            form.refuse(
                &pointer,
                format!("Den kan ikke sættes her. Der er: {names}."),
                format!("That one cannot be set here. There are: {names}."),
            );
            continue;
        };
        let (low, high) = known.range;
        match value.as_i64().filter(|value| (low..=high).contains(value)) {
            Some(value) => drop(read.insert(name.clone(), value)),
            None => form.refuse(
                &pointer,
                format!("Her ventes et helt tal fra {low} til {high} {}.", known.unit),
                format!("A whole number from {low} to {high} {} is expected here.", known.unit),
            ),
        }
    }
    read
}

/// The lines of PostgreSQL's live settings.
pub(super) fn postgres(spec: &Spec) -> String {
    let mut text = String::new();
    for (name, value) in &spec.parameters {
        // A number without a unit is read in the parameter's own, which is the one that is shown.
        let _ = writeln!(text, "{name} = {value}");
    }
    text
}

/// The lines of MariaDB's settings.
pub(super) fn mariadb(spec: &Spec) -> String {
    let mut text = String::new();
    for (name, value) in &spec.parameters {
        let _ = writeln!(text, "{} = {value}", name.replace('_', "-"));
    }
    text
}

/// The map as JSON Schema.
pub(super) fn schema() -> Value {
    let one = |parameter: &Parameter| {
        let (low, high) = parameter.range;
        let mut schema = field(
            json!({
                "type": ["integer", "null"], "minimum": low, "maximum": high, "x-unit": parameter.unit,
                // PostgreSQL takes them up while it runs.
                "x-restart": parameter.family == Family::MariaDb,
                "x-when": {"engine": words_of(parameter.family)},
            }),
            (parameter.name, parameter.en),
            (parameter.name, parameter.da),
        );
        if let Some(default) = parameter.default {
            schema["default"] = json!(default);
        }
        (parameter.name.to_owned(), schema)
    };
    let properties: Map<String, Value> = PARAMETERS.iter().map(one).collect();
    json!({"type": "object", "additionalProperties": false, "default": {}, "properties": properties})
}
