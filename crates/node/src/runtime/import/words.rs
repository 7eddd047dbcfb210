//! What is said to who imports an image, in both languages.

use husorden_base::{Bytes, Refusal, RuntimeName, Text};
use std::path::Path;

/// Nothing that is known as a disk.
pub(super) fn no_disk() -> Text {
    Text::new(
        "Filen er ikke en disk, noget starter fra: hverken qcow2 eller en rå disk med opstartsmærket 55AA i første sektor.",
        "The file is no disk that anything starts from: neither qcow2, nor a raw disk with the boot mark 55AA in its first sector.",
    )
}

/// A disk, or an archive, in a form that is not read.
pub(super) fn another_form(form: &str) -> Text {
    Text::new(
        format!(
            "Filen er {form}, og der læses qcow2 og rå diske. Pak den ud, eller lav den om: qemu-img convert -O qcow2."
        ),
        format!(
            "The file is {form}, and what is read is qcow2 and raw disks. Unpack it, or convert it: qemu-img convert -O qcow2."
        ),
    )
}

/// The guest's disk is larger than servers' disks, or smaller than anything.
pub(super) fn size(size: Bytes, least: Bytes, most: Bytes) -> Text {
    Text::new(
        format!("Disken siger, den er på {size}; den kan være fra {least} til {most}."),
        format!("The disk says that it is of {size}; it may be from {least} to {most}."),
    )
}

/// Not whole sectors.
pub(super) fn uneven(bytes: u64) -> Text {
    Text::new(
        format!("Disken er på {bytes} byte; det er ikke hele sektorer på 512."),
        format!("The disk has {bytes} bytes; those are no whole sectors of 512."),
    )
}

/// The rest of it is in another file.
pub(super) fn backing_file() -> Text {
    Text::new(
        "Filen bygger på en anden fil (backing file), og det tages ikke imod: qemu-img convert gør den hel.",
        "The file stands on another one (a backing file), which is not taken: qemu-img convert makes it whole.",
    )
}

/// Its data is in another file.
pub(super) fn data_file() -> Text {
    Text::new(
        "Filens data ligger i en fil for sig (external data file), og det tages ikke imod: qemu-img convert gør den hel.",
        "The file's data lies in a file of its own (an external data file), which is not taken: qemu-img convert makes it whole.",
    )
}

/// Nobody here has its key.
pub(super) fn encrypted() -> Text {
    Text::new("Filen er krypteret, og nøglen er her ikke.", "The file is encrypted, and its key is not here.")
}

/// Earlier states of it lie in it.
pub(super) fn snapshots(count: u32) -> Text {
    Text::new(
        format!("Der ligger {count} øjebliksbilleder i filen; qemu-img convert laver en uden."),
        format!("There are {count} snapshots in the file; qemu-img convert makes one without."),
    )
}

/// A qcow2 that does not hold.
pub(super) fn broken(what: &str) -> Text {
    Text::new(format!("Filen kan ikke læses som qcow2 ({what})."), format!("The file cannot be read as qcow2: {what}."))
}

fn refusal(code: &str, status: u16, detail: Text) -> Refusal {
    Refusal::new(code, status, Text::new("Aftrykket blev ikke importeret", "The image was not imported"), detail)
}

/// What the file says of itself is not taken.
pub(super) fn no_image(why: Text) -> Refusal {
    refusal("no-disk-image", 422, why)
}

/// One field of what was asked is wrong.
pub(super) fn field(name: &str, detail: Text) -> Refusal {
    Refusal { fields: vec![husorden_base::FieldError { pointer: format!("/{name}"), detail }], ..asked_wrong() }
}

fn asked_wrong() -> Refusal {
    refusal("invalid-fields", 422, Text::new("Der er noget galt med:", "Something is wrong with:"))
}

/// Something has the name.
pub(super) fn taken(name: &RuntimeName) -> Refusal {
    refusal(
        "name-taken",
        409,
        Text::new(
            format!(
                "Der er allerede noget, der hedder {name}: i kataloget, eller importeret. Vælg et andet navn, eller fjern det importerede: husorden image remove {name}"
            ),
            format!(
                "Something is called {name} already: in the catalogue, or imported. Choose another name, or remove what was imported: husorden image remove {name}"
            ),
        ),
    )
}

/// One at a time.
pub(super) fn busy(name: &RuntimeName) -> Refusal {
    refusal(
        "import-under-way",
        409,
        Text::new(
            format!("{name} er ved at blive importeret; vent, til det er færdigt."),
            format!("{name} is being imported; wait until that is done."),
        ),
    )
}

/// The file is another than the one that was meant.
pub(super) fn checksum(wanted: &str, found: &str) -> Refusal {
    refusal(
        "wrong-checksum",
        422,
        Text::new(
            format!("Filen er en anden end den ventede: dens SHA-256 er {found}, og der ventes {wanted}."),
            format!("The file is another than the one expected: its SHA-256 is {found}, and {wanted} was expected."),
        ),
    )
}

/// Larger than what is taken in.
pub(super) fn too_large(most: Bytes) -> Refusal {
    refusal(
        "too-large",
        413,
        Text::new(format!("Filen er større end {most}."), format!("The file is larger than {most}.")),
    )
}

/// There is not room for it.
pub(super) fn no_room(place: &Text, least: Bytes) -> Refusal {
    refusal(
        "no-room",
        507,
        Text::new(
            format!("Der bliver for lidt plads i {}: {least} holdes fri til det, der kører.", place.da),
            format!("Too little room would be left in {}: {least} are kept free for what runs.", place.en),
        ),
    )
}

/// The pool, within a sentence.
pub(super) fn pool() -> Text {
    Text::new("lageret", "the pool")
}

/// A folder of the machine, within a sentence.
pub(super) fn folder(path: &Path) -> Text {
    Text::new(path.display().to_string(), path.display().to_string())
}

/// It took longer than anything may.
pub(super) fn too_slow(what: &Text, seconds: u64) -> Refusal {
    refusal(
        "too-slow",
        504,
        Text::new(
            format!("{} tog over {seconds} sekunder.", what.da),
            format!("{} took more than {seconds} seconds.", what.en),
        ),
    )
}

/// Nothing comes any more.
pub(super) fn stalled(seconds: u64) -> Refusal {
    refusal(
        "no-source",
        504,
        Text::new(
            format!("Der er intet kommet i {seconds} sekunder; hentningen er opgivet."),
            format!("Nothing has come for {seconds} seconds; the download was given up."),
        ),
    )
}

/// The file could not be had.
pub(super) fn no_source(why: &str) -> Refusal {
    refusal(
        "no-source",
        502,
        Text::new(format!("Filen kunne ikke hentes: {why}"), format!("The file could not be had: {why}")),
    )
}

/// The tools could not read what the header promised.
pub(super) fn unreadable(said: &str) -> Refusal {
    refusal(
        "unreadable",
        422,
        Text::new(
            format!("Filen kunne ikke laves om til en disk: {said}"),
            format!("The file could not be made into a disk: {said}"),
        ),
    )
}

/// What failed here is ours.
pub(super) fn ours(why: &str) -> Refusal {
    refusal("failed", 500, Text::new(format!("Det mislykkedes: {why}"), format!("It failed: {why}")))
}

/// There is none of the name to remove.
pub(super) fn not_imported(name: &RuntimeName) -> Refusal {
    Refusal {
        title: Text::new("Aftrykket blev ikke fjernet", "The image was not removed"),
        ..refusal(
            "no-such-image",
            404,
            Text::new(
                format!("Intet importeret aftryk hedder {name}; katalogets egne fjernes ikke."),
                format!("No imported image is called {name}; the catalogue's own are not removed."),
            ),
        )
    }
}

/// It has just begun.
pub(super) fn waiting() -> Text {
    Text::new("Det begynder.", "It begins.")
}

/// How much of the file is here.
pub(super) fn downloading(done: Bytes, of: Option<Bytes>) -> Text {
    match of {
        Some(of) => Text::new(format!("Henter: {done} af {of}"), format!("Downloading: {done} of {of}")),
        None => Text::new(format!("Henter: {done}"), format!("Downloading: {done}")),
    }
}

/// The same of a file of the machine.
pub(super) fn copying(done: Bytes, of: Bytes) -> Text {
    Text::new(format!("Læser: {done} af {of}"), format!("Reading: {done} of {of}"))
}

/// The runtime that has the tool is built first.
pub(super) fn building_tools() -> Text {
    Text::new("Værktøjet til import bygges.", "The tool for imports is being built.")
}

/// How much of the disk is made.
pub(super) fn converting(percent: Option<u64>) -> Text {
    let percent = percent.unwrap_or_default();
    Text::new(format!("Laver disken: {percent} %"), format!("Making the disk: {percent} %"))
}

/// It is put on the shelf.
pub(super) fn keeping() -> Text {
    Text::new("Lægger aftrykket på plads.", "Putting the image in its place.")
}

/// The download, as the beginning of a sentence.
pub(super) fn download() -> Text {
    Text::new("Hentningen", "The download")
}

/// The conversion, as the beginning of a sentence.
pub(super) fn conversion() -> Text {
    Text::new("Omdannelsen", "The conversion")
}
