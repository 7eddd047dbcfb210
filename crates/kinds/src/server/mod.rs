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
//! - The disk is made anew only for another image, which its owner asks for, and after a snapshot. It grows and never shrinks.
//! - Nothing works on the disk while the machine runs.
//! - The machine is a process of the solution's own uid without rights. Nothing of the host reads what a guest wrote: the disk is a raw
//!   file, so that no header of it says anything to anybody.
//! - It runs from when it is set; what ended by itself is started again as its owner chose, by the wall.

mod card;
mod engine;
mod keys;
mod plan;
mod reached;
mod schema;
mod spec;
mod words;

#[cfg(test)]
mod tests;

use crate::{CardRow, Demand, Finding, Kind, Log, Login, Offer, Order, Plan, Probe, Sight, Task, Whereabouts};
use husorden_base::{Bytes, FieldError, Text};
use serde_json::Value;
use spec::Spec;

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

    fn name_wrong(&self, name: &str) -> Option<Text> {
        name.bytes().all(|byte| byte.is_ascii_digit()).then(words::all_digits)
    }

    fn claims(&self, _spec: &Value) -> Vec<(&'static str, String)> {
        Vec::new()
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

    fn credentials(&self, _spec: &Value) -> Vec<Login> {
        Vec::new()
    }

    fn proof(&self, order: &Order, _sight: &Sight) -> Option<Task> {
        stored(&order.spec).map(|_| engine::proof())
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

    fn findings(&self, spec: &Value) -> Vec<Finding> {
        card::findings(spec)
    }

    fn log(&self) -> Option<Log> {
        Some(engine::LOG)
    }

    fn when_full(&self) -> Text {
        words::when_full()
    }

    fn destructive(&self, before: &Value, after: &Value) -> bool {
        match (stored(before), stored(after)) {
            (Some(before), Some(after)) => before.image != after.image,
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
