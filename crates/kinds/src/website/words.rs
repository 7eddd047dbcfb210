//! What a website's owner is told while work runs or when something failed, in both languages.

use crate::Waiting;
use husorden_base::{RuntimeName, Text};

/// The task that lifts the database; while it runs no database serves.
pub(super) const DB_UPGRADE: &str = "db-upgrade";
/// The task that writes a first page.
pub(super) const WELCOME: &str = "welcome";

/// The most of a task's last words that is shown to the owner; staff see them all.
const REASON_CHARS_MAX: usize = 600;

/// The stored spec is of a version that this platform does not read.
pub(super) fn unreadable() -> Waiting {
    Waiting::Trouble {
        text: Text::new(
            "Webstedets indstillinger kan ikke læses af denne udgave af platformen. Intet ændres; vi ser på det.",
            "The site's settings cannot be read by this version of the platform. Nothing is changed; we are looking at it.",
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

/// What is attached is not there, or does not serve.
pub(super) fn attached_absent(there: bool) -> Text {
    if there {
        Text::new(
            "Den tilknyttede database er stoppet eller lukket. Webstedet bruger den igen, når den kører.",
            "The attached database is stopped or closed. The site uses it again when it runs.",
        )
    } else {
        Text::new(
            "Den tilknyttede database er her ikke mere. Hent den tilbage, eller vælg en anden.",
            "The attached database is not here any more. Bring it back, or choose another.",
        )
    }
}

/// A service does not start.
pub(super) fn service_failing(role: &str, reason: &str) -> Text {
    let reason = tail(reason);
    let (da, en) = if role == super::engine::DB {
        ("Databasen starter ikke", "The database does not start")
    } else {
        ("PHP starter ikke", "PHP does not start")
    };
    Text::new(
        format!("{da}; det prøves igen om lidt. Det sidste, den sagde: {reason}"),
        format!("{en}; it is tried again in a while. Its last words: {reason}"),
    )
}

/// A task runs or is about to.
pub(super) fn working(task: &str) -> Text {
    let (da, en) = match task {
        "db-init" => ("Databasen laves.", "The database is being made."),
        "replay" => (
            "Loggen udføres igen frem til det tidspunkt, der er valgt.",
            "The log is being carried out again to the time that was chosen.",
        ),
        DB_UPGRADE => (
            "Databasen løftes til den nye version; webstedet er tilbage om lidt.",
            "The database is being lifted to the new version; the site is back in a while.",
        ),
        "db-tidy" => {
            ("Den gamle udgave af databasen ryddes væk.", "The old version of the database is being cleared away.")
        }
        super::attached::TELL => {
            ("Webstedet får sin tilknyttede database at vide.", "The site is being told its attached database.")
        }
        super::attached::OUT => (
            "Data flyttes til den tilknyttede database; webstedet er tilbage om lidt.",
            "The data is being moved to the attached database; the site is back in a while.",
        ),
        super::attached::IN => (
            "Data flyttes hjem til webstedets egen database; webstedet er tilbage om lidt.",
            "The data is being moved back to the site's own database; the site is back in a while.",
        ),
        super::attached::LEAVE => (
            "Den database, som data er flyttet fra, ryddes væk.",
            "The database that the data was moved from is being cleared away.",
        ),
        "app-install" => ("WordPress installeres.", "WordPress is being installed."),
        "credential-admin" => ("Adgangskoden sættes.", "The password is being set."),
        "app-address" => ("WordPress får sin adresse at vide.", "WordPress is being told its address."),
        "probe" => (
            "Forsiden prøves i det nye miljø, før webstedet flyttes.",
            "The front page is tried in the new runtime before the site is moved.",
        ),
        _ => ("Webstedet gøres klar.", "The site is being made ready."),
    };
    Text::new(da, en)
}

/// A task failed. `serving` is the runtime the site is served by all the same.
pub(super) fn failed(task: &str, serving: Option<&RuntimeName>, reason: &str) -> Text {
    let reason = tail(reason);
    let (da, en) = match (task, serving) {
        ("probe", Some(old)) => (
            format!("Webstedet blev flyttet tilbage til {old}, for forsiden virkede ikke i det nye miljø. Vælg {old} igen, ret fejlen, og vælg så det nye på ny."),
            format!("The site was moved back to {old}, for its front page did not work in the new runtime. Choose {old} again, mend the fault, and then choose the new one anew."),
        ),
        ("probe", None) => (
            "Forsiden virker ikke i det valgte miljø. Vælg et andet miljø, eller stop og start webstedet for at prøve igen.".to_owned(),
            "The front page does not work in the chosen runtime. Choose another, or stop and start the site to try again.".to_owned(),
        ),
        (DB_UPGRADE, _) => (
            "Databasen kunne ikke løftes til den nye version. Den gamle er urørt og kører videre. Stop og start webstedet for at prøve igen.".to_owned(),
            "The database could not be lifted to the new version. The old one is untouched and runs on. Stop and start the site to try again.".to_owned(),
        ),
        (super::attached::OUT, _) => (
            "Data blev ikke flyttet; webstedet kører videre på sin egen database. Ret fejlen, og stop og start webstedet for at prøve igen, eller lad data blive.".to_owned(),
            "The data was not moved; the site goes on with its own database. Mend the fault, and stop and start the site to try again, or let the data stay.".to_owned(),
        ),
        (super::attached::IN, _) => (
            "Data blev ikke flyttet hjem; webstedet kører videre på den tilknyttede database. Stop og start webstedet for at prøve igen, eller lad data blive.".to_owned(),
            "The data was not moved back; the site goes on with the attached database. Stop and start the site to try again, or let the data stay.".to_owned(),
        ),
        (super::attached::TELL, _) => (
            "Webstedet kunne ikke få sin tilknyttede database at vide. Stop og start webstedet for at prøve igen.".to_owned(),
            "The site could not be told its attached database. Stop and start the site to try again.".to_owned(),
        ),
        ("replay", _) => (
            "Loggen kunne ikke udføres igen frem til det tidspunkt. Det, dette er lavet af, er urørt. Slet det her, og vælg et andet tidspunkt.".to_owned(),
            "The log could not be carried out again to that time. What this is made from is untouched. Delete this one and choose another time.".to_owned(),
        ),
        ("db-init", _) => (
            "Databasen kunne ikke laves. Stop og start webstedet for at prøve igen.".to_owned(),
            "The database could not be made. Stop and start the site to try again.".to_owned(),
        ),
        ("app-install", _) => (
            "WordPress kunne ikke installeres. Stop og start webstedet for at prøve igen.".to_owned(),
            "WordPress could not be installed. Stop and start the site to try again.".to_owned(),
        ),
        ("credential-admin", _) => (
            "Adgangskoden kunne ikke sættes. Bed om en ny for at prøve igen.".to_owned(),
            "The password could not be set. Ask for a new one to try again.".to_owned(),
        ),
        ("app-address", _) => (
            "WordPress kunne ikke få sin nye adresse at vide. Stop og start webstedet for at prøve igen.".to_owned(),
            "WordPress could not be told its new address. Stop and start the site to try again.".to_owned(),
        ),
        _ => (
            "Et stykke arbejde på webstedet mislykkedes. Stop og start webstedet for at prøve igen.".to_owned(),
            "A piece of work on the site failed. Stop and start the site to try again.".to_owned(),
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
