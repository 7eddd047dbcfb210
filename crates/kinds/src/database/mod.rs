//! A database: one instance of PostgreSQL or MariaDB, reached over TLS by the addresses on its list, with its users and databases
//! as its owner wishes them.
//!
//! ```text
//!            VolumeCreate         init: the template's copy            people: users, databases, rights
//!   absent ───────────────▶ live ───────────────────────────▶ held ──────────────────────────────────────▶ settled
//!                             ▲                                │ ▲                                            │
//!                 VolumeRevive│            a wish for a later, │ │ upgrade left its mark, or failed:          │ a change of people
//!                             │       and a copy bore it       ▼ │ what served before serves on               ▼
//!   absent ◀────────────── retained ◀───────────────────── upgrading                                       people again
//!           VolumeDestroy            VolumeRetain, when the aim is gone
//!           (gone, expired)
//!
//!   stopped, closed: from every state, the service goes; data and port stay
//! ```
//!
//! Invariants:
//! - A step that destroys is planned under [`crate::Aim::Gone`] alone, and a volume is touched only after a look that showed
//!   nothing at work on it.
//! - No task and no service is planned while the instance is closed or stopped.
//! - What is tried on a copy touches nothing of what serves, and a trial that fails is all that happens.
//! - What serves is the version that the mark names. While it is lifted to another, the old one answers no client; a lift that
//!   fails leaves it serving.
//! - No client is the superuser. The platform comes by the unix socket, and is known by its peer.
//! - No password is kept: users are given the verifier that the engine itself would keep.

mod card;
mod engine;
mod figures;
mod flow;
mod mariadb;
mod names;
mod opening;
mod package;
mod parameters;
mod people;
mod plan;
mod pooler;
mod postgres;
mod reached;
mod schema;
mod segments;
mod spec;
mod words;

#[cfg(test)]
mod tests;

use crate::{
    CardRow, Demand, Kind, Login, Offer, Order, Plan, Probe, Protocol, Served, Sight, Snippet, StreamFormat, Task,
    Whereabouts,
};
use engine::Family;
use husorden_base::{Bytes, FieldError, Text};
use serde_json::Value;
use spec::Spec;
use std::collections::BTreeMap;

/// The kind `database`.
pub(crate) struct Database;

impl Kind for Database {
    fn name(&self) -> &'static str {
        "database"
    }

    fn title(&self) -> Text {
        Text::new("Database", "Database")
    }

    fn schema(&self) -> Value {
        schema::schema()
    }

    fn parse(&self, form: &Value, before: Option<&Value>) -> Result<Value, Vec<FieldError>> {
        let spec = Spec::parse(form, before)?;
        Ok(serde_json::to_value(spec).expect("a spec is plain data"))
    }

    fn claims(&self, _spec: &Value) -> Vec<(&'static str, String)> {
        Vec::new()
    }

    fn volume(&self, spec: &Value) -> Bytes {
        stored(spec).map_or(Bytes(0), |spec| spec.size)
    }

    fn demand(&self, spec: &Value) -> Demand {
        stored(spec).map_or_else(Demand::default, |spec| Demand {
            disk: spec.size,
            memory: spec.memory_in_all(),
            cpu_percent: spec.cpu_percent,
        })
    }

    fn credentials(&self, spec: &Value) -> Vec<Login> {
        let Some(spec) = stored(spec) else { return Vec::new() };
        let scheme = spec.engine.scheme();
        let login = |name: &String| Login { name: name.clone(), username: name.clone(), scheme, at_once: false };
        spec.users.keys().map(login).collect()
    }

    fn proof(&self, order: &Order, sight: &Sight) -> Option<Task> {
        let spec = Spec::with_guests(order).ok()?;
        let held = engine::held(order, &sight.marks)?;
        Some(engine::proof(&spec, held.engine))
    }

    fn noting(&self, order: &Order, marks: &BTreeMap<String, String>) -> crate::Noting {
        opening::noting(order, marks)
    }

    fn opening(&self, order: &Order, marks: &BTreeMap<String, String>) -> Option<crate::Opening> {
        opening::opening(order, marks)
    }

    fn probe(&self, _spec: &Value) -> Option<Probe> {
        None
    }

    fn host(&self) -> bool {
        true
    }

    fn serves(&self, spec: &Value) -> Option<Served> {
        let spec = stored(spec)?;
        let protocol = match spec.engine.family() {
            Family::Postgres => Protocol::Postgresql,
            Family::MariaDb => Protocol::Mysql,
        };
        let (port, scheme) = (spec.engine.tcp(), spec.engine.scheme());
        Some(Served { protocol, port, scheme, databases: spec.databases.into_keys().collect() })
    }

    fn parts(&self, spec: &Value) -> Vec<String> {
        stored(spec).map(|spec| spec.databases.into_keys().collect()).unwrap_or_default()
    }

    fn parts_figure(&self) -> Option<&'static str> {
        Some("size")
    }

    fn formats(&self, spec: &Value) -> &'static [StreamFormat] {
        stored(spec).map_or(&[], |spec| flow::formats(spec.engine.family()))
    }

    fn dump(&self, order: &Order, marks: &BTreeMap<String, String>, part: &str, format: &str) -> Option<Task> {
        flow::task(order, marks, part, format, flow::Way::Out)
    }

    fn packs(&self) -> bool {
        true
    }

    fn package(&self, order: &Order, marks: &BTreeMap<String, String>) -> Option<Task> {
        package::task(order, marks)
    }

    fn load(&self, order: &Order, marks: &BTreeMap<String, String>, part: &str, format: &str) -> Option<Task> {
        flow::task(order, marks, part, format, flow::Way::In)
    }

    fn put_back(&self, order: &Order, marks: &BTreeMap<String, String>, part: &str, format: &str) -> Option<Task> {
        flow::task(order, marks, part, format, flow::Way::Back)
    }

    fn offers(&self) -> Vec<Offer> {
        card::offers()
    }

    fn card(&self, at: &Whereabouts, spec: &Value) -> Vec<CardRow> {
        stored(spec).map(|spec| card::card(at, &spec)).unwrap_or_default()
    }

    fn snippets(&self, at: &Whereabouts, spec: &Value, login: &str) -> Vec<Snippet> {
        stored(spec).map(|spec| card::snippets(at, &spec, login)).unwrap_or_default()
    }

    fn figures(&self) -> Vec<crate::figure::Figure> {
        figures::figures()
    }

    fn gauges(&self, spec: &Value) -> Vec<crate::figure::Gauge> {
        stored(spec).map(|spec| figures::gauges(&spec)).unwrap_or_default()
    }

    fn segments(&self, order: &Order, marks: &BTreeMap<String, String>) -> Option<crate::Segments> {
        segments::of(order, marks)
    }

    fn log(&self) -> Option<crate::Log> {
        Some(engine::LOG)
    }

    fn when_full(&self) -> Text {
        words::when_full()
    }

    fn held(&self, spec: &Value, marks: &BTreeMap<String, String>) -> Value {
        let held = marks.get(engine::mark::ENGINE).and_then(|text| engine::Engine::named(text.split(' ').next()?));
        let wished = stored(spec).map(|spec| spec.engine);
        let mut spec = spec.clone();
        if let (Some(held), Some(wished)) = (held, wished)
            && held < wished
            && held.family() == wished.family()
        {
            spec["engine"] = Value::String(held.word().to_owned());
        }
        spec
    }

    fn destructive(&self, before: &Value, after: &Value) -> bool {
        match (stored(before), stored(after)) {
            (Some(before), Some(after)) => {
                // A later version is come to by a plan that takes its own snapshot, when the data is about to change.
                before.databases.keys().any(|name| !after.databases.contains_key(name))
                    || before.users.keys().any(|name| !after.users.contains_key(name))
            }
            _ => true,
        }
    }

    fn plan(&self, order: &Order, sight: &Sight) -> Plan {
        plan::plan(order, sight)
    }

    fn reached(&self, order: &Order, sight: &Sight) -> Result<(), String> {
        reached::reached(order, sight)
    }
}

fn stored(spec: &Value) -> Option<Spec> {
    Spec::stored(spec).ok()
}
