//! A server: a virtual machine of its own, with a disk made from an image, that starts by its own loader.
//!
//! ```text
//!            VolumeCreate          disk, seed                                  the look shows all of it
//!   absent ───────────────▶ live ────────────▶ made ──── service ──▶ running ─────────────────────────▶ settled
//!                             ▲                 ▲                       │ another image, or a larger disk:
//!                 VolumeRevive│                 └── disk | grow ────────┘ it is powered off first
//!   absent ◀────────────── retained
//!           VolumeDestroy            VolumeRetain, when the aim is gone
//!           (gone, expired)
//!
//!   stopped, closed: from every state, the guest's power button is pressed, and the plug is pulled when its time is up
//! ```
//!
//! Invariants:
//! - The disk is made anew only for another image or when it was rebuilt, which its owner asks for, and after a snapshot. It grows and never shrinks.
//! - Nothing works on the first disk while the machine runs. Disks beside it come, grow and go while it runs, by QEMU's own doing; a file
//!   that QEMU has open is neither deleted nor cut, and one goes only when its owner took it off the list, after a snapshot.
//! - The machine is a process of the solution's own uid without rights. Nothing of the host reads what a guest wrote: the disk is a raw
//!   file, so that no header of it says anything to anybody.
//! - It runs on the machine's own virtualisation where a boot has shown that to work, and is emulated elsewhere; which of the two changes
//!   when it is next turned on.
//! - It runs from when it is set; what ended by itself is started again as its owner chose, by the wall.

mod agent;
pub(crate) mod boot;
pub(crate) mod card;
mod disks;
pub(crate) mod engine;
mod figures;
mod keys;
mod package;
mod plan;
mod reached;
mod schema;
mod screen;
pub(crate) mod spec;
pub(crate) mod words;

#[cfg(test)]
mod tests;

use crate::figure::{Figure, Gauge};
use crate::{
    CardRow, Console, Demand, Finding, Kind, Log, Login, Noting, Offer, Opening, Order, Plan, Probe, Quiesce, Sight,
    Task, Virtualisation, Whereabouts,
};
use crate::{allow, network};
use husorden_base::{Bytes, FieldError, RuntimeName, Text};
use serde_json::Value;
use spec::Spec;
use std::collections::BTreeMap;

/// The kind `server`.
pub(crate) struct Server;

impl Kind for Server {
    fn name(&self) -> &'static str {
        "server"
    }

    fn title(&self) -> Text {
        Text::new("Server", "Server")
    }

    fn schema(&self) -> Value {
        schema::schema()
    }

    fn parse(&self, form: &Value, before: Option<&Value>) -> Result<Value, Vec<FieldError>> {
        let spec = Spec::parse(form, before)?;
        Ok(serde_json::to_value(spec).expect("a spec is plain data"))
    }

    fn image(&self, spec: &Value) -> Option<RuntimeName> {
        stored(spec).map(|spec| spec.image.entry().clone())
    }

    fn name_wrong(&self, name: &str) -> Option<Text> {
        name.bytes().all(|byte| byte.is_ascii_digit()).then(words::all_digits)
    }

    fn claims(&self, spec: &Value) -> Vec<(&'static str, String)> {
        let given = |join: network::Join| Some((network::SPACE, network::claim(join.network, join.address?)));
        network::of(spec).into_iter().filter_map(given).collect()
    }

    fn volume(&self, spec: &Value) -> Bytes {
        stored(spec).map_or(Bytes(0), |spec| spec.volume())
    }

    fn demand(&self, spec: &Value) -> Demand {
        stored(spec).map_or_else(Demand::default, |spec| Demand {
            disk: spec.volume(),
            memory: spec.memory,
            cpu_percent: spec.cores * 100,
        })
    }

    fn credentials(&self, spec: &Value) -> Vec<Login> {
        stored(spec).filter(|spec| spec.rescue).map(|_| engine::rescuer()).into_iter().collect()
    }

    fn proof(&self, order: &Order, _sight: &Sight) -> Option<Task> {
        stored(&order.spec).map(|_| engine::proof())
    }

    fn figures(&self) -> Vec<Figure> {
        figures::figures()
    }

    fn gauges(&self, _spec: &Value) -> Vec<Gauge> {
        figures::gauges()
    }

    fn noting(&self, order: &Order, marks: &BTreeMap<String, String>) -> Noting {
        let made = stored(&order.spec).is_some() && marks.contains_key(engine::mark::IMAGE);
        if made { boot::noting() } else { Noting::default() }
    }

    fn opening(&self, order: &Order, marks: &BTreeMap<String, String>) -> Option<Opening> {
        stored(&order.spec)
            .filter(|_| marks.contains_key(engine::mark::IMAGE))
            .map(|spec| boot::opening(spec.firmware, spec.memory))
    }

    fn packs(&self) -> bool {
        true
    }

    fn package(&self, order: &Order, marks: &BTreeMap<String, String>) -> Option<Task> {
        package::task(order, &stored(&order.spec)?, marks)
    }

    fn probe(&self, _spec: &Value) -> Option<Probe> {
        None
    }

    fn offers(&self) -> Vec<Offer> {
        card::offers()
    }

    fn card(&self, at: &Whereabouts, spec: &Value) -> Vec<CardRow> {
        stored(spec).map(|spec| card::card(at, &spec)).unwrap_or_default()
    }

    fn host(&self) -> bool {
        true
    }

    fn mails_out(&self) -> bool {
        true
    }

    fn stands_still(&self) -> bool {
        true
    }

    fn trial(&self) -> Option<Task> {
        Some(boot::trial())
    }

    fn findings(&self, spec: &Value) -> Vec<Finding> {
        let own = stored(spec).map(|spec| card::findings(&spec)).unwrap_or_default();
        allow::findings(spec).into_iter().chain(own).collect()
    }

    fn findings_of_machine(&self, virtualisation: &Virtualisation) -> Vec<Finding> {
        card::findings_of_machine(virtualisation)
    }

    fn log(&self) -> Option<Log> {
        Some(engine::LOG)
    }

    fn console(&self, spec: &Value) -> Option<Console> {
        stored(spec).map(|_| screen::console())
    }

    fn quiesce(&self, spec: &Value) -> Option<Quiesce> {
        stored(spec).map(|_| agent::quiesce())
    }

    fn when_full(&self) -> Text {
        words::when_full()
    }

    fn destructive(&self, before: &Value, after: &Value) -> bool {
        match (stored(before), stored(after)) {
            (Some(before), Some(after)) => {
                let drops = before.disks.keys().any(|name| !after.disks.contains_key(name));
                before.image != after.image || before.rebuilt != after.rebuilt || drops
            }
            _ => true,
        }
    }

    fn rebuilt(&self, spec: &Value) -> Option<Value> {
        let spec = stored(spec)?;
        let next = if spec.rebuilt < *spec::REBUILT.end() { spec.rebuilt + 1 } else { *spec::REBUILT.start() };
        Some(serde_json::json!({ "rebuilt": next }))
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
