//! The spec of a server: what a customer may ask for, read strictly from a form.

use super::disks::{self, Disks};
use super::keys;
use crate::allow::{self, Entry};
use crate::form::Form;
use crate::network::{self, Join};
use crate::public;
use crate::window::{self, Window};
use husorden_base::{Bytes, FieldError, RuntimeName};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::ops::RangeInclusive;

/// Virtual processors.
pub(super) const CORES: RangeInclusive<u32> = 1..=32;
/// Memory that the guest sees.
pub(crate) const MEMORY: RangeInclusive<Bytes> = Bytes::mib(128)..=Bytes::gib(256);
/// Size of the disk that the guest sees.
pub(crate) const DISK: RangeInclusive<Bytes> = Bytes::mib(128)..=Bytes::gib(2000);
/// Room for snapshots beside the disk.
pub(super) const ROOM: RangeInclusive<Bytes> = Bytes::mib(64)..=Bytes::gib(2000);
/// How often the disk was made anew from the same image.
pub(super) const REBUILT: RangeInclusive<u32> = 0..=1_000_000;
/// Public keys.
pub(super) const KEYS_MAX: usize = 50;
/// User data, in bytes: what other clouds take.
pub(super) const USER_DATA_BYTES_MAX: usize = 32 << 10;
/// Room for what the platform keeps beside the disk: logs, first settings, what the firmware remembers.
const OWN: Bytes = Bytes::mib(32);
/// UEFI itself needs so much before anything starts.
const UEFI_MEMORY_MIN: Bytes = Bytes::mib(256);

/// What a disk is made from: an entry of the catalogue, or one that was imported on the node, by its name.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub(crate) struct Image(RuntimeName);

/// The catalogue's own, in the order they are shown, each with the smallest disk that it fits on.
pub(super) const IMAGES: [(&str, Bytes); 3] =
    [(DEBIAN, Bytes::gib(2)), ("debian-12", Bytes::gib(2)), (SMALL, *DISK.start())];
/// The one that a server is made from where nothing is said.
pub(super) const DEBIAN: &str = "debian-13";
/// The smallest, for tests, trials and rescues.
const SMALL: &str = "tiny";

impl Image {
    fn of(word: &str) -> Self {
        Self(word.parse().expect("a catalogue name"))
    }

    /// The smallest of the catalogue.
    pub(super) fn small() -> Self {
        Self::of(SMALL)
    }

    pub(super) fn word(&self) -> &str {
        self.0.as_str()
    }

    /// Its name on the runtime wall.
    pub(crate) fn entry(&self) -> &RuntimeName {
        &self.0
    }

    /// Whether it is one of the catalogue, which every node has.
    pub(super) fn is_catalogued(&self) -> bool {
        IMAGES.iter().any(|(word, _)| *word == self.word())
    }

    /// The smallest disk that it fits on, as far as that is known before a node has looked.
    fn disk_min(&self) -> Bytes {
        IMAGES.iter().find(|(word, _)| *word == self.word()).map_or(*DISK.start(), |(_, least)| *least)
    }
}

/// What starts the disk's loader.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Firmware {
    Bios,
    Uefi,
}

/// Words of the form, in the order they are shown.
pub(crate) const FIRMWARES: [(&str, Firmware); 2] = [("bios", Firmware::Bios), ("uefi", Firmware::Uefi)];

/// Whether a server that ended by itself is started again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Restart {
    /// When its machine crashed; one that powered itself off stays off.
    OnFailure,
    /// Whatever ended it.
    Always,
    /// Not at all.
    Never,
}

/// Words of the form, in the order they are shown.
pub(super) const RESTARTS: [(&str, Restart); 3] =
    [("on-failure", Restart::OnFailure), ("always", Restart::Always), ("never", Restart::Never)];

impl Firmware {
    pub(crate) fn word(self) -> &'static str {
        FIRMWARES.iter().find(|(_, firmware)| *firmware == self).expect("every choice stands in the list").0
    }
}

impl Restart {
    pub(super) fn word(self) -> &'static str {
        RESTARTS.iter().find(|(_, restart)| *restart == self).expect("every choice stands in the list").0
    }
}

/// Everything a server is asked to be. Stored as it stands, with every default filled in.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Spec {
    pub(crate) image: Image,
    #[serde(default)]
    pub(super) rebuilt: u32,
    pub(super) cores: u32,
    pub(crate) memory: Bytes,
    pub(crate) disk: Bytes,
    /// Disks beside the first.
    #[serde(default)]
    pub(super) disks: Disks,
    pub(super) snapshot_room: Bytes,
    pub(super) keys: Vec<String>,
    pub(super) user_data: String,
    pub(crate) firmware: Firmware,
    pub(super) restart: Restart,
    /// It starts from a small system of ours, with its disk beside that.
    #[serde(default)]
    pub(super) rescue: bool,
    /// Private networks that it is in.
    #[serde(default)]
    pub(super) networks: Vec<Join>,
    #[serde(default)]
    pub(super) allow: Vec<Entry>,
    #[serde(default)]
    pub(super) open_to_all: bool,
    /// It has an IPv4 address of its own that leads to it from anywhere.
    #[serde(default)]
    pub(super) public_ipv4: bool,
    /// The same with a /64 of IPv6.
    #[serde(default)]
    pub(super) public_ipv6: bool,
    #[serde(default)]
    pub(super) maintenance: Window,
}

impl Spec {
    /// Reads a stored spec.
    pub(crate) fn stored(value: &Value) -> Result<Self, serde_json::Error> {
        Self::deserialize(value)
    }

    /// What the disk is made from, and how often that was asked for: the mark of a disk that is as wished.
    pub(super) fn origin(&self) -> String {
        match self.rebuilt {
            0 => self.image.word().to_owned(),
            times => format!("{} {times}", self.image.word()),
        }
    }

    /// All that its volume may hold.
    pub(super) fn volume(&self) -> Bytes {
        Bytes(self.disk.0 + disks::together(&self.disks).0 + self.snapshot_room.0 + OWN.0)
    }

    /// Room for snapshots where nobody chose any.
    fn usual_room(disk: Bytes, disks: &Disks) -> Bytes {
        Bytes((disk.0 + disks::together(disks).0) / 2).clamp(*ROOM.start(), *ROOM.end())
    }

    /// The room of before, where nobody asked for another: what was usual follows the disks upward, and what a disk held that is deleted now
    /// lies in a snapshot.
    fn room_after(&self, disk: Bytes, disks: &Disks) -> Bytes {
        let was_usual = self.snapshot_room == Self::usual_room(self.disk, &self.disks);
        let usual = if was_usual { Self::usual_room(disk, disks) } else { Bytes(0) };
        let gone = self.disks.iter().filter(|(name, _)| !disks.contains_key(*name));
        let gone: u64 = gone.map(|(_, disk)| disk.size.0).sum();
        Bytes(self.snapshot_room.0 + gone).max(usual).min(*ROOM.end())
    }

    /// Reads a form. A field that the form does not name keeps its value from `before`, or takes its default.
    pub(super) fn parse(form: &Value, stored: Option<&Value>) -> Result<Self, Vec<FieldError>> {
        let before = stored.and_then(|value| Self::stored(value).ok());
        let before = before.as_ref();
        let mut form = Form::new(form, "");
        let image = image(&mut form, before);
        let rebuilt = form.number("rebuilt", REBUILT, before.map_or(0, |spec| spec.rebuilt));
        let cores = form.number("cores", CORES, before.map_or(1, |spec| spec.cores));
        let memory = form.bytes("memory", MEMORY, before.map_or(Bytes::gib(1), |spec| spec.memory));
        let disk = form.bytes("disk", DISK, before.map_or(Bytes::gib(10), |spec| spec.disk));
        let disks = disks::read(&mut form, before.map(|before| &before.disks));
        let usual = Self::usual_room(disk, &disks);
        let asked = form.bytes("snapshot_room", ROOM, before.map_or(usual, |spec| spec.snapshot_room));
        let kept = before.filter(|before| before.snapshot_room == asked);
        let snapshot_room = kept.map_or(asked, |before| before.room_after(disk, &disks));
        let keys = keys(&mut form, before);
        let user_data = user_data(&mut form, before);
        let firmware = form.choice("firmware", &FIRMWARES, before.map_or(Firmware::Bios, |spec| spec.firmware));
        let restart = form.choice("restart", &RESTARTS, before.map_or(Restart::OnFailure, |spec| spec.restart));
        let rescue = form.flag("rescue", before.is_some_and(|spec| spec.rescue));
        let networks = network::read(&mut form, stored);
        let access = allow::read(&mut form, stored);
        let wants = public::read(&mut form, stored);
        let maintenance = window::read(&mut form, stored);
        for (name, size, unit) in [("memory", memory, "MiB"), ("disk", disk, "MiB")] {
            if !size.0.is_multiple_of(Bytes::mib(1).0) {
                form.refuse(
                    &format!("/{name}"),
                    format!("Her ventes hele {unit}, såsom \"512 {unit}\"."),
                    format!("Whole {unit} are expected here, such as \"512 {unit}\"."),
                );
            }
        }
        if firmware == Firmware::Uefi && memory < UEFI_MEMORY_MIN {
            form.refuse(
                "/memory",
                format!("UEFI skal have mindst {UEFI_MEMORY_MIN}."),
                format!("UEFI needs at least {UEFI_MEMORY_MIN}."),
            );
        }
        if disk < image.disk_min() {
            let (word, least) = (image.word(), image.disk_min());
            form.refuse(
                "/disk",
                format!("{word} skal have mindst {least}."),
                format!("{word} needs at least {least}."),
            );
        }
        if let Some(before) = before.filter(|before| disk < before.disk) {
            form.refuse(
                "/disk",
                format!("En disk kan kun vokse; den er {}. Lav en ny server for at få en mindre.", before.disk),
                format!("A disk can only grow; it is {}. Make a new server to have a smaller one.", before.disk),
            );
        }
        let wrong = form.finish();
        let (allow, open_to_all) = (access.allow, access.open_to_all);
        let spec = Self {
            image,
            rebuilt,
            cores,
            memory,
            disk,
            disks,
            snapshot_room,
            keys,
            user_data,
            firmware,
            restart,
            rescue,
            networks,
            allow,
            open_to_all,
            public_ipv4: wants.ipv4,
            public_ipv6: wants.ipv6,
            maintenance,
        };
        if wrong.is_empty() { Ok(spec) } else { Err(wrong) }
    }
}

fn image(form: &mut Form<'_>, before: Option<&Spec>) -> Image {
    let kept = || before.map_or_else(|| Image::of(DEBIAN), |spec| spec.image.clone());
    let Some(word) = form.text("image") else { return kept() };
    match word.parse() {
        Ok(name) => Image(name),
        Err(_) => {
            form.refuse(
                "/image",
                "Her ventes navnet på et aftryk, såsom debian-13: små bogstaver, cifre, bindestreg og punktum, og først et bogstav.",
                "The name of an image is expected here, such as debian-13: lower-case letters, digits, hyphens and dots, a letter first.",
            );
            kept()
        }
    }
}

fn keys(form: &mut Form<'_>, before: Option<&Spec>) -> Vec<String> {
    let Some(value) = form.get("keys") else {
        let kept = before.filter(|_| !form.names("keys"));
        return kept.map(|before| before.keys.clone()).unwrap_or_default();
    };
    let Some(list) = value.as_array() else {
        form.refuse("/keys", "Her ventes en liste af nøgler.", "A list of keys is expected here.");
        return Vec::new();
    };
    if list.len() > KEYS_MAX {
        form.refuse("/keys", format!("Højst {KEYS_MAX} nøgler."), format!("At most {KEYS_MAX} keys."));
        return Vec::new();
    }
    let mut read: Vec<String> = Vec::new();
    for (index, item) in list.iter().enumerate() {
        match keys::parse(item.as_str().unwrap_or_default()) {
            Ok(key) if read.contains(&key) => {}
            Ok(key) => read.push(key),
            Err(why) => form.refuse(&format!("/keys/{index}"), why.da, why.en),
        }
    }
    read
}

fn user_data(form: &mut Form<'_>, before: Option<&Spec>) -> String {
    let Some(text) = form.text("user_data") else {
        let kept = before.filter(|_| !form.names("user_data"));
        return kept.map(|before| before.user_data.clone()).unwrap_or_default();
    };
    if text.len() > USER_DATA_BYTES_MAX {
        let (is, most) = (text.len(), USER_DATA_BYTES_MAX);
        form.refuse(
            "/user_data",
            format!("Det er {is} byte; der er plads til {most}."),
            format!("That is {is} bytes; there is room for {most}."),
        );
    } else if text.contains('\0') {
        form.refuse("/user_data", "Her ventes tekst.", "Text is expected here.");
    }
    text.to_owned()
}
