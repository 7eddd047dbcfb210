//! The spec of a disk image: what the server was whose disk it is. Nothing of it is chosen, and nothing changes.

use crate::form::Form;
use crate::schema::{choice_with, field, order, size};
use crate::server::card;
use crate::server::spec::{DISK, FIRMWARES, Firmware, MEMORY, Spec as Server};
use husorden_base::{Bytes, FieldError, RuntimeName};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

/// Room beside the disk, for what the firmware remembers and for the server's log until it is cleared away.
const BESIDE: Bytes = Bytes::mib(64);
/// The fields, in order.
const FIELDS: [&str; 4] = ["disk", "origin", "memory", "firmware"];

/// What a disk image is. Stored as it stands.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Spec {
    /// Size of the disk.
    pub(super) disk: Bytes,
    /// What that was made from in its turn.
    pub(super) origin: RuntimeName,
    /// Memory that the server had; its backups are proven with as much, or less.
    pub(super) memory: Bytes,
    /// What starts it.
    pub(super) firmware: Firmware,
}

impl Spec {
    /// Reads a stored spec.
    pub(super) fn stored(value: &Value) -> Result<Self, serde_json::Error> {
        Self::deserialize(value)
    }

    /// That of an image of a server with this spec.
    pub(super) fn of_server(spec: &Value) -> Option<Self> {
        let server = Server::stored(spec).ok()?;
        let origin = server.image.entry().clone();
        Some(Self { disk: server.disk, origin, memory: server.memory, firmware: server.firmware })
    }

    /// All that its volume may hold.
    pub(super) fn volume(&self) -> Bytes {
        Bytes(self.disk.0 + BESIDE.0)
    }

    /// Reads a form, which may say again what there is and nothing else.
    pub(super) fn parse(form: &Value, stored: Option<&Value>) -> Result<Self, Vec<FieldError>> {
        let before = stored.and_then(|value| Self::stored(value).ok());
        let mut form = Form::new(form, "");
        for name in FIELDS {
            let said = form.get(name);
            let is = stored.and_then(|stored| stored.get(name));
            if said.is_some() && said != is {
                form.refuse(
                    &format!("/{name}"),
                    "Det følger af serveren, som aftrykket er taget af, og kan ikke ændres.",
                    "That comes from the server that the image was made of, and cannot be changed.",
                );
            }
        }
        if before.is_none() {
            form.refuse("", "Et diskaftryk laves af en server.", "A disk image is made of a server.");
        }
        let wrong = form.finish();
        before.filter(|_| wrong.is_empty()).ok_or(wrong)
    }
}

/// JSON Schema (2020-12) of the spec. Its fields are told, and asked nowhere.
pub(super) fn schema() -> Value {
    let called = card::names();
    let mut schema = json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "type": "object",
        "title": "Disk image",
        "description": "The disk of a server as it was at one moment, for other servers of the account to be made from.",
        "x-da": {"title": "Diskaftryk", "description": "En servers disk, som den var i ét øjeblik, til at lave andre af kontoens servere af."},
        "additionalProperties": false,
        "required": [],
        "properties": {
            "disk": field(
                size(&DISK, *DISK.start()),
                ("Disk", "The size of the disk. A server that is made from it has at least as large a one."),
                ("Disk", "Diskens størrelse. En server, der laves af det, har mindst så stor en."),
            ),
            "origin": field(
                json!({"type": "string", "maxLength": 63}),
                ("Made from", "The image that the server's own disk was made from."),
                ("Lavet af", "Det aftryk, serverens egen disk var lavet af."),
            ),
            "memory": field(
                size(&MEMORY, *MEMORY.start()),
                ("Memory", "What the server had. Backups of the image are proven with as much, and 1 GiB at most."),
                ("Hukommelse", "Det, serveren havde. Backup af aftrykket prøves med lige så meget, og højst 1 GiB."),
            ),
            "firmware": field(
                choice_with(&FIRMWARES, &called, "bios"),
                ("Firmware", "What started the server."),
                ("Firmware", "Det, der startede serveren."),
            ),
        }
    });
    for (_, field) in schema["properties"].as_object_mut().into_iter().flatten() {
        field["readOnly"] = json!(true);
        if let Some(field) = field.as_object_mut() {
            field.remove("default");
        }
    }
    order(&mut schema["properties"], &FIELDS);
    schema
}
