//! A disk image: the disk of a server as it was at one moment, kept for other servers of the account to be made from.
//!
//! ```text
//!            a copy of the server's snapshot       keep
//!   absent ─────────────────────────────────▶ live ────▶ kept, the look shows it: settled
//!                             ▲                 │
//!                 VolumeRevive│                 │ VolumeRetain, when the aim is gone
//!   absent ◀────────────── retained ◀───────────┘
//!           VolumeDestroy (gone, expired)
//! ```
//!
//! It is a solution with a volume alone: nothing runs, and nobody reaches it. So it is its account's, counts on its plan, is closed and sealed by
//! measures, backed up and proven, deleted with a time to undo it, and told of in the evidence, as all solutions are.
//!
//! Invariants:
//! - Its disk is never written again. It is readable for the tasks that make other disks of it, which see nothing else of the volume.
//! - It gives its disk only while it is to run, kept, and free of measures.

mod card;
mod plan;
mod reached;
mod spec;
mod words;

#[cfg(test)]
mod tests;

use crate::server::{boot, engine};
use crate::{CardRow, Demand, Kind, Login, Noting, Offer, Opening, Order, Plan, Probe, Sight, Whereabouts};
use husorden_base::{Bytes, FieldError, Text};
use serde_json::Value;
use spec::Spec;
use std::collections::BTreeMap;

/// The kind `disk-image`.
pub(crate) struct DiskImage;

impl Kind for DiskImage {
    fn name(&self) -> &'static str {
        "disk-image"
    }

    fn title(&self) -> Text {
        Text::new("Diskaftryk", "Disk image")
    }

    fn schema(&self) -> Value {
        spec::schema()
    }

    fn parse(&self, form: &Value, before: Option<&Value>) -> Result<Value, Vec<FieldError>> {
        let spec = Spec::parse(form, before)?;
        Ok(serde_json::to_value(spec).expect("a spec is plain data"))
    }

    fn made_of(&self) -> Option<&'static str> {
        Some("server")
    }

    fn spec_made_of(&self, other: &Value) -> Option<Value> {
        let spec = Spec::of_server(other)?;
        Some(serde_json::to_value(spec).expect("a spec is plain data"))
    }

    fn runs(&self) -> bool {
        false
    }

    fn gives_disk(&self, marks: &BTreeMap<String, String>) -> Option<(&'static str, Bytes)> {
        marks.get(plan::KEPT)?;
        let bytes = marks.get(engine::mark::DISK)?.parse().ok()?;
        Some((engine::FOLDERS[0], Bytes(bytes)))
    }

    fn claims(&self, _spec: &Value) -> Vec<(&'static str, String)> {
        Vec::new()
    }

    fn volume(&self, spec: &Value) -> Bytes {
        stored(spec).map_or(Bytes(0), |spec| spec.volume())
    }

    fn demand(&self, spec: &Value) -> Demand {
        Demand { disk: self.volume(spec), ..Demand::default() }
    }

    fn credentials(&self, _spec: &Value) -> Vec<Login> {
        Vec::new()
    }

    fn noting(&self, order: &Order, marks: &BTreeMap<String, String>) -> Noting {
        let kept = stored(&order.spec).is_some() && marks.contains_key(plan::KEPT);
        if kept { boot::noting() } else { Noting::default() }
    }

    fn opening(&self, order: &Order, marks: &BTreeMap<String, String>) -> Option<Opening> {
        let spec = stored(&order.spec).filter(|_| marks.contains_key(plan::KEPT))?;
        Some(boot::opening(spec.firmware, spec.memory))
    }

    fn probe(&self, _spec: &Value) -> Option<Probe> {
        None
    }

    fn offers(&self) -> Vec<Offer> {
        // One begins at a server, and is made there.
        Vec::new()
    }

    fn card(&self, _at: &Whereabouts, spec: &Value) -> Vec<CardRow> {
        stored(spec).map(|spec| card::card(&spec)).unwrap_or_default()
    }

    fn when_full(&self) -> Text {
        words::when_full()
    }

    fn destructive(&self, before: &Value, after: &Value) -> bool {
        before != after
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
