//! What a database's owner is told while work runs or when something failed, in both languages.

use super::engine::DB;
use crate::Waiting;
use husorden_base::{Bytes, RuntimeName, Text};

/// The most of a task's last words that is shown to the owner; staff see them all.
const REASON_CHARS_MAX: usize = 600;

/// The stored spec is of a version that this platform does not read.
pub(super) fn unreadable() -> Waiting {
    Waiting::Trouble {
        text: Text::new(
            "Databasens indstillinger kan ikke læses af denne udgave af platformen. Intet ændres; vi ser på det.",
            "The database's settings cannot be read by this version of the platform. Nothing is changed; we are looking at it.",
        ),
    }
}

/// A catalogue entry is being built.
pub(super) fn building(name: &RuntimeName) -> Text {
    Text::new(format!("{name} gøres klar på maskinen."), format!("{name} is being made ready on the machine."))
}

/// A catalogue entry could not be built.
pub(super) fn build_failed(name: &RuntimeName) -> Text {
    Text::new(
        format!("{name} kunne ikke gøres klar. Fejlen er vores; det prøves igen af sig selv."),
        format!("{name} could not be made ready. The fault is ours; it is tried again by itself."),
    )
}

/// The server, or what stands before it, does not start.
pub(super) fn service_failing(role: &str, reason: &str) -> Text {
    let reason = tail(reason);
    let (da, en) = if role == DB { ("Serveren", "The server") } else { ("Pooleren", "The pooler") };
    Text::new(
        format!("{da} starter ikke; det prøves igen om lidt. Det sidste, den sagde: {reason}"),
        format!("{en} does not start; it is tried again in a while. Its last words: {reason}"),
    )
}

/// A task runs or is about to.
pub(super) fn working(task: &str) -> Text {
    let (da, en) = match task {
        "init" => ("Databasen laves.", "The database is being made."),
        "identify" => ("Kopien gøres til en instans for sig.", "The copy is being made an instance of its own."),
        "replay" => (
            "Loggen udføres igen frem til det tidspunkt, der er valgt.",
            "The log is being carried out again to the time that was chosen.",
        ),
        super::engine::TRIAL | super::engine::TRIAL_REST => (
            "Skiftet til den nye version prøves på en kopi. Databasen svarer imens som før.",
            "The change to the new version is being tried on a copy. The database answers meanwhile as before.",
        ),
        super::engine::UPGRADE => (
            "Prøven på en kopi gik godt; databasen skifter nu til den nye version. Den svarer ikke imens.",
            "The trial on a copy went well; the database is changing to the new version now. It does not answer meanwhile.",
        ),
        "tidy" => ("Den gamle versions data ryddes væk.", "The data of the old version is being cleared away."),
        _ => ("Brugere og databaser sættes.", "Users and databases are being set."),
    };
    Text::new(da, en)
}

/// A task failed.
pub(super) fn failed(task: &str, reason: &str) -> Text {
    let reason = tail(reason);
    let (da, en) = match task {
        "init" | "identify" => (
            "Databasen kunne ikke laves. Stop og start den for at prøve igen.",
            "The database could not be made. Stop and start it to try again.",
        ),
        "replay" => (
            "Loggen kunne ikke udføres igen frem til det tidspunkt. Den, den er lavet af, er urørt. Slet denne, og vælg et andet tidspunkt.",
            "The log could not be carried out again to that time. What it is made from is untouched. Delete this one and choose another time.",
        ),
        super::engine::TRIAL | super::engine::TRIAL_REST => (
            "Skiftet til den nye version gik ikke godt på en kopi. Databasen er urørt og svarer som før. Vælg den gamle version igen, eller ret fejlen, og stop og start databasen for at prøve igen.",
            "The change to the new version did not go well on a copy. The database is untouched and answers as before. Choose the old version again, or mend the fault, and stop and start the database to try again.",
        ),
        super::engine::UPGRADE => (
            "Databasen kunne ikke løftes til den nye version. Den gamle er urørt og svarer igen. Vælg den gamle version, ret fejlen, og prøv igen.",
            "The database could not be lifted to the new version. The old one is untouched and answers again. Choose the old version, mend the fault, and try again.",
        ),
        "tidy" => (
            "Den gamle versions data kunne ikke ryddes væk. Stop og start databasen for at prøve igen.",
            "The data of the old version could not be cleared away. Stop and start the database to try again.",
        ),
        _ => (
            "Brugere og databaser kunne ikke sættes, eller ikke alle. Ret ønsket, eller stop og start databasen for at prøve igen.",
            "Users and databases could not be set, or not all. Mend the wish, or stop and start the database to try again.",
        ),
    };
    Text::new(format!("{da} Det sidste, der blev sagt: {reason}"), format!("{en} The last words: {reason}"))
}

/// The end of a longer text, where the reason mostly stands.
fn tail(text: &str) -> &str {
    let text = text.trim();
    let skip = text.chars().count().saturating_sub(REASON_CHARS_MAX);
    text.char_indices().nth(skip).map_or("", |(start, _)| &text[start..])
}

/// What a client reads beside the refusal of a change, in the language of the server's own messages. It stands between quotes.
pub(super) fn used_up(size: Bytes) -> String {
    format!(
        "The disk of this instance ({size}) is used up: data, log and snapshots. Make it larger or delete snapshots. To clear up in SQL: \
         SET default_transaction_read_only = off, then TRUNCATE, DROP, or DELETE and VACUUM."
    )
}

/// What comes of it when the disk is full.
pub(super) fn when_full() -> Text {
    Text::new(
        "Når den er fuld, kan der stadig læses, og ændringer afvises, til der er plads igen.",
        "When it is full, it can be read still, and changes are refused until there is room again.",
    )
}
