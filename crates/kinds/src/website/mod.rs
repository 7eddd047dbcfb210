//! A website: PHP-FPM behind the edge, or files alone, with its own small MariaDB on the same volume, and WordPress if asked.
//!
//! ```text
//!            VolumeCreate          db-init, app-install | welcome, probe             the look shows all of it
//!   absent ───────────────▶ live ────────────────────────────────────────▶ ready ───────────────────────────▶ settled
//!                             ▲                                             │ ▲
//!                 VolumeRevive│                          a wish for another │ │ probe or db-upgrade left its mark,
//!                             │                      runtime or database    ▼ │ or failed: what served before serves on
//!   absent ◀────────────── retained ◀────────────────────────────────────── moving
//!           VolumeDestroy            VolumeRetain, when the aim is gone
//!           (gone, expired)
//!
//!   stopped, closed: from every state, the route first and then the services; data and port stay
//! ```
//!
//! Invariants:
//! - A step that destroys is planned under [`crate::Aim::Gone`] alone, and a volume is touched only after a look that showed
//!   nothing at work on it.
//! - No task and no service is planned while the site is closed or stopped.
//! - What serves is what the marks name. A new runtime serves after its probe, a new database after its upgrade of a copy; a
//!   failure of either leaves the old one serving.
//! - The platform never reads or writes the site's files: installing, upgrading and probing are tasks of the site's own uid.
//! - Where the application's data lies, its own configuration says; it is switched last, by a rename, so that a move which is cut
//!   has moved nothing. While data is moved nobody writes it, and what it is moved into must be empty.
//! - What is to be brought to a second serves when the log has been carried out that far, and not before. Files are as they were copied.
//! - No password is kept: the database knows its user by the socket, and the application is handed a hash.

mod app;
mod attached;
mod card;
mod engine;
mod opening;
mod package;
mod plan;
mod reached;
mod run;
mod schema;
mod segments;
mod settings;
mod spec;
mod words;

#[cfg(test)]
mod tests;

use crate::{CardRow, Demand, Kind, Login, Offer, Order, Plan, Probe, Protocol, Scheme, Sight, Task, Whereabouts};
use husorden_base::{Bytes, FieldError, Text};
use serde_json::Value;
use spec::Spec;
use std::collections::BTreeMap;

/// The kind `website`.
pub(crate) struct Website;

impl Kind for Website {
    fn name(&self) -> &'static str {
        "website"
    }

    fn title(&self) -> Text {
        Text::new("Websted", "Website")
    }

    fn schema(&self) -> Value {
        schema::schema()
    }

    fn backup_required(&self) -> bool {
        false
    }

    fn parse(&self, form: &Value, before: Option<&Value>) -> Result<Value, Vec<FieldError>> {
        let spec = Spec::parse(form, before)?;
        Ok(serde_json::to_value(spec).expect("a spec is plain data"))
    }

    fn claims(&self, spec: &Value) -> Vec<(&'static str, String)> {
        stored(spec).map_or_else(Vec::new, |spec| {
            let domains = spec.domains.into_iter();
            domains.map(|domain| ("domain", domain.into())).collect()
        })
    }

    fn volume(&self, spec: &Value) -> Bytes {
        stored(spec).map_or(Bytes(0), |spec| spec.size)
    }

    fn demand(&self, spec: &Value) -> Demand {
        // The database beside the site has a small limit of its own, which belongs to the kind and not to the customer's choice.
        stored(spec).map_or_else(Demand::default, |spec| Demand {
            disk: spec.size,
            memory: spec.memory,
            cpu_percent: spec.cpu_percent,
        })
    }

    fn credentials(&self, spec: &Value) -> Vec<Login> {
        let login =
            |username| Login { name: engine::ADMIN.to_owned(), username, scheme: Scheme::Bcrypt, at_once: false };
        stored(spec).and_then(|spec| spec.app).map(|app| login(app.admin_user)).into_iter().collect()
    }

    fn accepts(&self) -> &'static [Protocol] {
        &[Protocol::Mysql, Protocol::Postgresql]
    }

    fn holds_in(&self) -> &'static [Protocol] {
        // What is moved is a WordPress, which speaks nothing else.
        &[Protocol::Mysql]
    }

    fn intake(&self) -> Option<(&'static str, &'static str)> {
        Some(("www", "tmp"))
    }

    fn proof(&self, order: &Order, sight: &Sight) -> Option<Task> {
        run::proof(order, sight)
    }

    fn noting(&self, order: &Order, marks: &BTreeMap<String, String>) -> crate::Noting {
        opening::noting(order, marks)
    }

    fn opening(&self, order: &Order, marks: &BTreeMap<String, String>) -> Option<crate::Opening> {
        opening::opening(order, marks)
    }

    fn segments(&self, order: &Order, marks: &BTreeMap<String, String>) -> Option<crate::Segments> {
        segments::of(order, marks)
    }

    fn as_of(&self) -> Text {
        Text::new(
            "Det, der skrives i databasen, gemmes også som en log. Vælg et tidspunkt, og få databasen, som den var da. Filerne er, som de var i det øjebliksbillede eller den backup, der ligger nærmest før.",
            "What is written to the database is kept as a log too. Choose a time, and have the database as it was then. The files are as they were in the nearest snapshot or backup before it.",
        )
    }

    fn packs(&self) -> bool {
        true
    }

    fn package(&self, order: &Order, marks: &BTreeMap<String, String>) -> Option<Task> {
        package::task(order, marks)
    }

    fn probe(&self, spec: &Value) -> Option<Probe> {
        stored(spec)?.domains.into_iter().next().map(|domain| Probe::Https { domain })
    }

    fn offers(&self) -> Vec<Offer> {
        card::offers()
    }

    fn card(&self, _at: &Whereabouts, spec: &Value) -> Vec<CardRow> {
        card::card(spec)
    }

    fn destructive(&self, before: &Value, after: &Value) -> bool {
        match (stored(before), stored(after)) {
            (Some(before), Some(after)) => {
                before.runtime != after.runtime || before.database != after.database || before.away() != after.away()
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
