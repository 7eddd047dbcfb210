//! Disks beside the first: what may be wished of them, how a machine has them, and the task that brings them to what is wished while it runs.
//! They are files of the volume beside the first disk's, so that a snapshot is of all at one moment, and they stay when the first is made anew.
//!
//! Which disks there are is no part of the machine's words: the machine has a controller, and who starts it (`files/start.pl`) reads what is
//! to hang on it. So a change turns nothing off, and a machine that is started again by itself has what was wished last.

use super::engine::{self, GENERATED};
use super::spec::Spec;
use crate::form::Form;
use crate::schema::{Entry, Met, entries, field, size};
use crate::{Service, Task};
use husorden_base::{Bytes, Text};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::ops::RangeInclusive;

/// Disks beside the first.
pub(super) const DISKS_MAX: usize = 8;
/// Size of one, whole MiB.
pub(super) const SIZE: RangeInclusive<Bytes> = Bytes::mib(16)..=Bytes::gib(2000);
/// Longest name: what a disk has room for as its serial number.
const NAME_CHARS_MAX: usize = 20;
/// How a system with udev calls a disk, before its name.
const PATH: &str = "/dev/disk/by-id/scsi-0QEMU_QEMU_HARDDISK_";
/// Task that brings them to what is wished.
pub(super) const DISKS: &str = "disks";
/// The mark of what they are, and the page they are asked on.
pub(super) const MARK: &str = "disks";
/// QEMU's words for the controller that they hang on.
const CONTROLLER: [&str; 2] = ["-device", "virtio-scsi-pci,id=scsi"];

/// One of them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Disk {
    pub(super) size: Bytes,
    /// Whether the server has it; one that it has not keeps what it holds.
    pub(super) attached: bool,
}

/// Them all, by name.
pub(super) type Disks = BTreeMap<String, Disk>;

/// What they hold together at most.
pub(super) fn together(disks: &Disks) -> Bytes {
    Bytes(disks.values().map(|disk| disk.size.0).sum())
}

/// How a system with udev calls one.
pub(super) fn path(name: &str) -> String {
    format!("{PATH}{name}")
}

/// Reads the field of a form. A disk grows and never shrinks.
pub(super) fn read(form: &mut Form<'_>, before: Option<&Disks>) -> Disks {
    let Some(value) = form.get(DISKS) else {
        return before.filter(|_| !form.names(DISKS)).cloned().unwrap_or_default();
    };
    let Some(map) = value.as_object() else {
        form.refuse(
            "/disks",
            "Her ventes et objekt med diskenes navne.",
            "An object of disks' names is expected here.",
        );
        return Disks::new();
    };
    if map.len() > DISKS_MAX {
        form.refuse(
            "/disks",
            format!("Højst {DISKS_MAX} diske ud over den første."),
            format!("At most {DISKS_MAX} disks beside the first."),
        );
        return Disks::new();
    }
    let mut disks = Disks::new();
    for (name, value) in map {
        let at = format!("/disks/{}", name.replace('~', "~0").replace('/', "~1"));
        if !fine(name) {
            form.refuse(
                &at,
                format!("Et navn er 1 til {NAME_CHARS_MAX} tegn: små bogstaver a–z, cifre og bindestreg, og et bogstav først."),
                format!("A name is 1 to {NAME_CHARS_MAX} characters: lower-case letters a–z, digits and hyphens, a letter first."),
            );
            continue;
        }
        let was = before.and_then(|disks| disks.get(name));
        let mut inner = Form::new(value, &at);
        let size = inner.bytes("size", SIZE, was.map_or(Bytes::gib(10), |was| was.size));
        let attached = inner.flag("attached", was.is_none_or(|was| was.attached));
        if !size.0.is_multiple_of(Bytes::mib(1).0) {
            inner.refuse(
                "/size",
                "Her ventes hele MiB, såsom \"512 MiB\".",
                "Whole MiB are expected here, such as \"512 MiB\".",
            );
        }
        if let Some(was) = was.filter(|was| size < was.size) {
            inner.refuse(
                "/size",
                format!("En disk kan kun vokse; den er {}. Lav en ny for at få en mindre.", was.size),
                format!("A disk can only grow; it is {}. Make a new one to have a smaller one.", was.size),
            );
        }
        form.absorb(inner.finish());
        disks.insert(name.clone(), Disk { size, attached });
    }
    disks
}

fn fine(name: &str) -> bool {
    let known = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    name.len() <= NAME_CHARS_MAX
        && name.starts_with(|first: char| first.is_ascii_lowercase())
        && name.bytes().all(known)
}

/// The field as JSON Schema. It has a page of its own.
pub(super) fn schema() -> Value {
    let name = field(
        json!({"pattern": format!("^[a-z][a-z0-9-]{{0,{}}}$", NAME_CHARS_MAX - 1)}),
        (
            "Name",
            &format!(
                "1 to {NAME_CHARS_MAX} characters of a–z, 0–9 and hyphen, and a letter first. It is the disk's serial number."
            ),
        ),
        (
            "Navn",
            &format!(
                "1 til {NAME_CHARS_MAX} tegn af a–z, 0–9 og bindestreg, og et bogstav først. Det er diskens serienummer."
            ),
        ),
    );
    let mut size = field(
        size(&SIZE, Bytes::gib(10)),
        (
            "Size",
            "It can grow while the server runs, and never shrink. The file system on it is made larger in the server.",
        ),
        (
            "Størrelse",
            "Den kan vokse, mens serveren kører, og aldrig blive mindre. Filsystemet på den gøres større i serveren.",
        ),
    );
    let mut attached = field(
        json!({"type": "boolean", "default": true}),
        (
            "Attached",
            "In the server. Off, it is taken from the server at once, as if it were pulled out, and keeps what it holds: unmount it there first.",
        ),
        (
            "Tilsluttet",
            "I serveren. Slået fra tages den straks fra serveren, som blev den trukket ud, og beholder det, den rummer: afmontér den dér først.",
        ),
    );
    (size["x-order"], attached["x-order"]) = (json!(0), json!(1));
    let disks = field(
        json!({
            "type": "object", "maxProperties": DISKS_MAX, "propertyNames": name, "default": {},
            "additionalProperties": {
                "type": ["object", "null"],
                "additionalProperties": false,
                "properties": {"size": size, "attached": attached},
            },
        }),
        (
            "Extra disks",
            "Disks beside the first, by name. They come, go and grow while the server runs, and stay when its first disk is made anew. One that is taken off the list is deleted, after a snapshot.",
        ),
        (
            "Ekstra diske",
            "Diske ud over den første, ved navn. De kommer, går og vokser, mens serveren kører, og bliver, når dens første disk laves om. En, der tages af listen, slettes efter et øjebliksbillede.",
        ),
    );
    let mut disks = entries(disks, &entry());
    disks["x-place"] = json!(DISKS);
    disks
}

fn entry() -> Entry {
    Entry {
        word: "disk".to_owned(),
        title: Text::new("Disk", "Disk"),
        new: Text::new("Ny disk", "New disk"),
        credential: false,
        met: Some(Met { title: Text::new("Sti i serveren", "Path in the server"), before: PATH.to_owned() }),
        loss: vec![Text::new(
            "Disken tages fra serveren, som blev den trukket ud, og slettes med alt på den. Afmontér den dér først.",
            "The disk is taken from the server, as if it were pulled out, and deleted with everything on it. Unmount it there first.",
        )],
        kept: vec![
            Text::new(
                "Vi tager et øjebliksbillede først. Fortryder du, bliver hele serveren, som den var da: det, der er skrevet i mellemtiden, er ikke med.",
                "We take a snapshot first. If you undo, the whole server becomes as it was then: what was written meanwhile is not in it.",
            ),
            Text::new(
                "Diskens plads bliver til plads for øjebliksbilleder, for den ligger nu i et. Sæt den ned i indstillingerne, når øjebliksbilledet er væk.",
                "The disk's room becomes room for snapshots, for it now lies in one. Lower that in the settings when the snapshot is gone.",
            ),
        ],
    }
}

/// What they are to be, a line each, as `files/start.pl` reads it.
fn list(disks: &Disks) -> String {
    let way = |disk: &Disk| if disk.attached { "in" } else { "out" };
    disks.iter().map(|(name, disk)| format!("{name} {} {}\n", disk.size.0, way(disk))).collect()
}

/// The mark of disks that are as wished.
pub(super) fn mark(disks: &Disks) -> String {
    list(disks).trim_end().replace('\n', ", ")
}

/// Whether they are as wished, by the marks of the volume. One that never had any has none.
pub(super) fn are(spec: &Spec, marked: Option<&str>) -> bool {
    marked.unwrap_or_default() == mark(&spec.disks)
}

/// Brings them to what is wished, their files and a machine that may run.
pub(super) fn bring(spec: &Spec, runs: bool) -> Task {
    let script = format!("{GENERATED}/disks.pl");
    let mut sandbox = engine::for_tasks(DISKS, "");
    sandbox.files = BTreeMap::from([(script.clone(), include_str!("files/disks.pl").to_owned()), starter()]);
    sandbox.argv = engine::words(&["/usr/bin/perl", &script]);
    sandbox.env.insert("MACHINE".to_owned(), if runs { "on" } else { "off" }.to_owned());
    sandbox.binds.push(engine::sockets());
    engine::task(DISKS, sandbox, list(&spec.disks), &[(MARK, mark(&spec.disks))])
}

fn starter() -> (String, String) {
    (format!("{GENERATED}/start.pl"), include_str!("files/start.pl").to_owned())
}

/// Before the words of a machine: who adds the disks to them.
fn before() -> [String; 2] {
    ["/usr/bin/perl".to_owned(), starter().0]
}

/// A machine's sandbox that has them, of one that has not. The words of the machine begin at `at`.
pub(super) fn with(sandbox: &mut crate::Sandbox, at: usize) {
    sandbox.argv.splice(at..at, before());
    sandbox.argv.extend(engine::words(&CONTROLLER));
    sandbox.files.extend([starter()]);
}

/// The same machine as it was started before there were such disks. It has none until it is next turned on.
pub(super) fn without(mut machine: Service) -> Service {
    let sandbox = &mut machine.sandbox;
    if sandbox.files.remove(&starter().0).is_some() {
        for words in [&before()[..], &engine::words(&CONTROLLER)] {
            let at = sandbox.argv.windows(words.len()).position(|some| some == words).expect("it was put there");
            sandbox.argv.drain(at..at + words.len());
        }
    }
    machine
}

/// Whether a machine has a place for such disks: one that was started before there were any has not.
pub(super) fn have_a_place(machine: &Service) -> bool {
    machine.sandbox.files.contains_key(&starter().0)
}
