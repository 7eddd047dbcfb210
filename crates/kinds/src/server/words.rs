//! What a server's owner is told while work runs or when something failed, in both languages.

use super::disks::DISKS;
use super::engine::{DISK, GROW};
use crate::Waiting;
use husorden_base::{Bytes, RuntimeName, Text};

/// The most of last words that is shown to the owner; staff see them all.
const REASON_CHARS_MAX: usize = 600;

/// The stored spec is of a version that this platform does not read.
pub(super) fn unreadable() -> Waiting {
    Waiting::Trouble {
        text: Text::new(
            "Serverens indstillinger kan ikke læses af denne udgave af platformen. Intet ændres; vi ser på det.",
            "The server's settings cannot be read by this version of the platform. Nothing is changed; we are looking at it.",
        ),
    }
}

/// A name that a program would take for a number.
pub(super) fn all_digits() -> Text {
    Text::new(
        "En server kan ikke hedde cifre alene; programmer tager det for et nummer. Sæt et bogstav i.",
        "A server cannot be called digits alone; programs take that for a number. Put a letter in.",
    )
}

/// What comes of it when the volume is full.
pub(super) fn when_full() -> Text {
    Text::new(
        "Når den er fuld, står serveren stille, så snart den skriver, og fortsætter af sig selv, når der er plads.",
        "When it is full, the server stands still as soon as it writes, and goes on by itself when there is room.",
    )
}

/// A catalogue entry is being built.
pub(crate) fn building(name: &RuntimeName) -> Text {
    Text::new(format!("{name} gøres klar på maskinen."), format!("{name} is being made ready on the machine."))
}

/// The machine has no image of that name.
pub(super) fn no_image(name: &RuntimeName) -> Text {
    Text::new(
        format!(
            "Maskinen har intet aftryk, der hedder {name}. Vælg et andet i indstillingerne, eller få det importeret; så går det videre af sig selv."
        ),
        format!(
            "The machine has no image called {name}. Choose another in the settings, or have it imported; it then goes on by itself."
        ),
    )
}

/// The account's own image that it is to be made from gives no disk.
pub(super) fn no_own_image() -> Text {
    Text::new(
        "Det diskaftryk, serveren skal laves af, er her ikke: det er slettet, standset eller lukket, eller ikke færdigt. Vælg et andet i indstillingerne, eller vent; så går det videre af sig selv.",
        "The disk image that the server is to be made from is not here: it was deleted, stopped or closed, or is not finished. Choose another in the settings, or wait; it then goes on by itself.",
    )
}

/// The image's own disk is larger than the one that is wished.
pub(super) fn disk_too_small(name: &RuntimeName, least: Bytes, disk: Bytes) -> Text {
    Text::new(
        format!(
            "Aftrykket {name} skal have en disk på mindst {least}; serverens er på {disk}. Gør den større i indstillingerne."
        ),
        format!(
            "The image {name} needs a disk of at least {least}; the server's is {disk}. Make it larger in the settings."
        ),
    )
}

/// A catalogue entry could not be built.
pub(crate) fn build_failed(name: &RuntimeName) -> Text {
    Text::new(
        format!("{name} kunne ikke gøres klar. Fejlen er vores; det prøves igen af sig selv."),
        format!("{name} could not be made ready. The fault is ours; it is tried again by itself."),
    )
}

/// The machine was told to end.
pub(super) fn ending() -> Text {
    Text::new("Serveren slukkes.", "The server is being powered off.")
}

/// It is found out whether the machine's own virtualisation boots a guest.
pub(super) fn trying() -> Text {
    Text::new(
        "Det prøves, om maskinens egen virtualisering starter en gæst.",
        "Whether the machine's own virtualisation boots a guest is being tried.",
    )
}

/// A task runs or is about to.
pub(super) fn working(task: &str) -> Text {
    match task {
        DISK => Text::new("Disken laves af aftrykket.", "The disk is being made from the image."),
        GROW => Text::new("Disken gøres større.", "The disk is being made larger."),
        DISKS => Text::new("De ekstra diske bringes på plads.", "The extra disks are being brought into place."),
        _ => Text::new("Serverens første indstillinger laves.", "The server's first settings are being made."),
    }
}

/// A task failed.
pub(super) fn failed(task: &str, reason: &str) -> Text {
    let reason = tail(reason);
    let (da, en) = match task {
        DISK => ("Disken kunne ikke laves.", "The disk could not be made."),
        GROW => ("Disken kunne ikke gøres større.", "The disk could not be made larger."),
        DISKS => (
            "De ekstra diske kunne ikke bringes på plads; ingen data er rørt.",
            "The extra disks could not be brought into place; no data was touched.",
        ),
        _ => ("Serverens første indstillinger kunne ikke laves.", "The server's first settings could not be made."),
    };
    Text::new(
        format!("{da} Stop og start serveren for at prøve igen. Det sidste, der blev sagt: {reason}"),
        format!("{en} Stop and start the server to try again. The last words: {reason}"),
    )
}

/// The machine was started before there were disks beside the first.
pub(super) fn no_place() -> Text {
    Text::new(
        "Serveren blev startet, før der var ekstra diske, og kører videre uden. Stop og start den, så har den dem.",
        "The server was started before there were extra disks, and runs on without them. Stop and start it, and it has them.",
    )
}

/// The machine does not start.
pub(super) fn failing(reason: &str) -> Text {
    let reason = tail(reason);
    Text::new(
        format!("Serveren starter ikke; det prøves igen om lidt. Det sidste, den sagde: {reason}"),
        format!("The server does not start; it is tried again in a while. Its last words: {reason}"),
    )
}

/// The end of a longer text, where the reason mostly stands.
fn tail(text: &str) -> &str {
    let text = text.trim();
    let skip = text.chars().count().saturating_sub(REASON_CHARS_MAX);
    text.char_indices().nth(skip).map_or("", |(start, _)| &text[start..])
}
