//! The form of a server as JSON Schema, with titles and descriptions in English and, as `x-da`, in Danish.

use super::spec::{
    CORES, DEBIAN, DISK, FIRMWARES, IMAGES, KEYS_MAX, MEMORY, REBUILT, RESTARTS, ROOM, USER_DATA_BYTES_MAX,
};
use super::{card, disks, keys};
use crate::schema::{IMAGES_OF_NODES, choice_with, field, named, number, order, places, size};
use crate::{allow, network, public, window};
use husorden_base::{Bytes, Text};
use serde_json::{Value, json};

/// The order in which people are asked.
const ORDER: [&str; 16] = [
    "image",
    "cores",
    "memory",
    "disk",
    "disks",
    "snapshot_room",
    "keys",
    "user_data",
    "restart",
    "firmware",
    "public_ipv4",
    "public_ipv6",
    "rescue",
    "networks",
    "allow",
    "open_to_all",
];

/// It is a verb that people use, and has no place among the settings.
fn rebuilt() -> Value {
    let mut field = field(
        number(&REBUILT, 0),
        (
            "Rebuilt",
            "How often the disk was made anew from its image. Another number makes it anew: what it held stays in a snapshot that is taken first.",
        ),
        (
            "Lavet om",
            "Hvor mange gange disken er lavet om fra sit aftryk. Et andet tal laver den om: det, den rummede, bliver i et øjebliksbillede, der tages først.",
        ),
    );
    field["x-place"] = json!("rebuild");
    field
}

/// JSON Schema (2020-12) of the form.
pub(super) fn schema() -> Value {
    let called = card::names();
    let mut room = size(&ROOM, Bytes::gib(5));
    // Half of the disks, whatever their size, while nothing is said.
    room.as_object_mut().map(|room| room.remove("default"));
    let mut schema = json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "type": "object",
        "title": "Server",
        "description": "A virtual machine of one's own, started by its own disk, and reached by SSH from listed addresses only.",
        "x-da": {"title": "Server", "description": "Sin egen virtuelle maskine, startet af sin egen disk, og nået med SSH kun fra nævnte adresser."},
        "additionalProperties": false,
        "required": [],
        "x-places": places(&[("disks", Text::new("Diske", "Disks"))]),
        "properties": {
            "image": field(
                named(&IMAGES.map(|(word, _)| word), &called, DEBIAN, IMAGES_OF_NODES),
                ("Image", "What the disk is made from. Another image makes the disk anew: what it held stays in a snapshot that is taken first."),
                ("Aftryk", "Det, disken laves af. Et andet aftryk laver disken om: det, den rummede, bliver i et øjebliksbillede, der tages først."),
            ),
            "rebuilt": rebuilt(),
            "cores": field(
                number(&CORES, 1),
                ("Cores", "Virtual processors. A change turns the server off and on."),
                ("Kerner", "Virtuelle processorer. En ændring slukker og tænder serveren."),
            ),
            "memory": field(
                size(&MEMORY, Bytes::gib(1)),
                ("Memory", "Memory that the server sees. A change turns it off and on."),
                ("Hukommelse", "Den hukommelse, serveren ser. En ændring slukker og tænder den."),
            ),
            "disk": field(
                size(&DISK, Bytes::gib(10)),
                ("Disk", "The disk that the server sees. It can grow, which turns the server off and on, and never shrink."),
                ("Disk", "Den disk, serveren ser. Den kan vokse, hvad der slukker og tænder serveren, og aldrig blive mindre."),
            ),
            "disks": disks::schema(),
            "snapshot_room": field(
                room,
                ("Room for snapshots", "What snapshots may hold beside the disks. Half of the disks when nothing is said; the room of a disk that is deleted is added to it."),
                ("Plads til øjebliksbilleder", "Det, øjebliksbilleder må fylde ved siden af diskene. Halvdelen af diskene, når intet er sagt; pladsen fra en disk, der slettes, lægges til."),
            ),
            "keys": field(
                json!({"type": "array", "maxItems": KEYS_MAX, "default": [], "items": {"type": "string", "maxLength": keys::CHARS_MAX}}),
                ("SSH keys", "Public keys that may log in, one a line, as ssh-keygen writes them. They are read when the server starts from its image for the first time."),
                ("SSH-nøgler", "Offentlige nøgler, der må logge ind, én pr. linje, som ssh-keygen skriver dem. De læses, første gang serveren starter fra sit aftryk."),
            ),
            "user_data": field(
                json!({"type": "string", "maxLength": USER_DATA_BYTES_MAX, "default": "", "x-lines": true}),
                ("User data", "Handed to cloud-init when the server starts from its image for the first time: a script, or #cloud-config. At most 32 KiB. It is kept as it is, so put no secrets in it."),
                ("Brugerdata", "Gives til cloud-init, første gang serveren starter fra sit aftryk: et script eller #cloud-config. Højst 32 KiB. Det gemmes, som det er, så læg ingen hemmeligheder i det."),
            ),
            "restart": field(
                choice_with(&RESTARTS, &called, "on-failure"),
                ("Started again", "Whether the server is started again when it has ended by itself."),
                ("Startes igen", "Om serveren startes igen, når den er standset af sig selv."),
            ),
            "firmware": field(
                choice_with(&FIRMWARES, &called, "bios"),
                ("Firmware", "What starts the disk's own loader. Images of the catalogue start by either."),
                ("Firmware", "Det, der starter diskens egen indlæser. Katalogets aftryk starter med begge."),
            ),
            "rescue": field(
                json!({"type": "boolean", "default": false}),
                ("Rescue", "Start from a small system of ours, with the server's own disk beside it as /dev/vdb, for when the server's own does not start. The same keys log in, and at the console a password for root that is made with it and shown once. A change turns the server off and on."),
                ("Redning", "Start fra et lille system, vi har, med serverens egen disk ved siden af som /dev/vdb, til når serverens eget ikke starter. De samme nøgler logger ind, og på konsollen en adgangskode for root, der laves med den og vises én gang. En ændring slukker og tænder serveren."),
            ),
            "networks": network::schema(),
            "maintenance": window::schema(),
        }
    });
    for (name, value) in allow::schema().into_iter().chain(public::schema()) {
        schema["properties"][name] = value;
    }
    order(&mut schema["properties"], &ORDER);
    schema
}
