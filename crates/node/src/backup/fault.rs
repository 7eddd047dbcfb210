//! Faults of a child as refusals: what is told to whoever asked, in both languages, with what to do.

use super::job::FaultOf;
use husorden_base::{Refusal, Text};

/// A fault with its own words, which are for staff and stand as what was measured.
pub(crate) fn refusal(of: FaultOf, words: &str) -> Refusal {
    let (code, status, title, detail) = match of {
        FaultOf::Away => (
            "backup-target-away",
            503,
            ("Backupmålet svarer ikke", "The backup target does not answer"),
            (
                "Intet er gået tabt; det prøves igen. Driften ser på netværket og på målet.",
                "Nothing is lost; it is tried again. Staff look at the network and at the target.",
            ),
        ),
        FaultOf::Refused => (
            "backup-target-refused",
            502,
            ("Backupmålet sagde nej", "The backup target refused"),
            (
                "Driften ser på, hvad nodens konto må dér. Ældre backupper er, som de var.",
                "Staff look at what the node's account may do there. Older backups are as they were.",
            ),
        ),
        FaultOf::Full => (
            "backup-target-full",
            507,
            ("Backupmålet er fyldt op", "The backup target is full"),
            (
                "Driften giver det plads. Ældre backupper er, som de var.",
                "Staff give it room. Older backups are as they were.",
            ),
        ),
        FaultOf::Missing => (
            "backup-missing",
            404,
            ("Backuppen er der ikke", "The backup is not there"),
            (
                "Vælg en anden. Var den der før, er målet blevet ændret, og driften må se på det.",
                "Choose another. If it was there before, the target was changed, and staff must look at it.",
            ),
        ),
        FaultOf::Damaged => (
            "backup-damaged",
            502,
            ("Backuppen er beskadiget", "The backup is damaged"),
            (
                "Vælg en anden backup, gerne en prøvet. Driften ser på målet.",
                "Choose another backup, best one that is proven. Staff look at the target.",
            ),
        ),
        FaultOf::WrongKey => (
            "backup-key",
            502,
            ("Nøglen åbner ikke backuppen", "The key does not open the backup"),
            (
                "Driften ser på, om målet har en anden løsnings mappe på den plads.",
                "Staff look whether the target has another solution's folder in that place.",
            ),
        ),
        FaultOf::NotInBackup => (
            "not-in-backup",
            404,
            ("Det er ikke i den backup", "It is not in that backup"),
            ("Se i en anden backup, eller ret stien.", "Look in another backup, or mend the path."),
        ),
        FaultOf::OwnFull => (
            "volume-full",
            507,
            ("Løsningens plads er brugt op", "The solution's space is used up"),
            (
                "Slet noget, eller gør løsningen større: det, der er, og det, der kommer tilbage, skal kunne være der på samme tid. Intet er ændret.",
                "Delete something, or make the solution larger: what is there and what comes back must fit at the same time. Nothing was changed.",
            ),
        ),
        FaultOf::Files => (
            "backup-files",
            500,
            ("Løsningens filer kunne ikke læses eller skrives", "The solution's files could not be read or written"),
            (
                "Intet er ændret. Prøv igen; sker det igen, så kontakt os.",
                "Nothing was changed. Try again; if it happens again, contact us.",
            ),
        ),
        FaultOf::Limit => (
            "backup-limit",
            422,
            ("En grænse for backup er nået", "A limit of backups is met"),
            ("Intet er ændret. Ordene siger hvilken.", "Nothing was changed. The words say which."),
        ),
        FaultOf::Deadline => (
            "backup-deadline",
            504,
            ("Det tog for lang tid", "It took too long"),
            (
                "Det, der er sendt, bliver liggende, og den næste fortsætter derfra. Ældre backupper er, som de var.",
                "What was sent stays, and the next goes on from there. Older backups are as they were.",
            ),
        ),
        FaultOf::Stopped => (
            "backup-stopped",
            503,
            ("Det blev afbrudt", "It was stopped"),
            ("Intet er ændret. Prøv igen.", "Nothing was changed. Try again."),
        ),
    };
    let mut refusal = Refusal::new(code, status, Text::new(title.0, title.1), Text::new(detail.0, detail.1));
    refusal.measured = Some(words.to_owned());
    refusal
}

/// A child that ended without a word.
pub(crate) fn gone(out_of_memory: bool) -> Refusal {
    let words = if out_of_memory { "it needed more memory than it may have" } else { "it ended without a word" };
    Refusal { code: "backup-broken-off".to_owned(), ..refusal(FaultOf::Stopped, words) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_fault_has_a_code_of_its_own_and_both_languages() {
        let all = [
            FaultOf::Away,
            FaultOf::Refused,
            FaultOf::Full,
            FaultOf::Missing,
            FaultOf::Damaged,
            FaultOf::WrongKey,
            FaultOf::NotInBackup,
            FaultOf::OwnFull,
            FaultOf::Files,
            FaultOf::Limit,
            FaultOf::Deadline,
            FaultOf::Stopped,
        ];
        let codes: std::collections::BTreeSet<String> = all.iter().map(|of| refusal(*of, "x").code).collect();
        assert_eq!(codes.len(), all.len());
        for refusal in all.map(|of| refusal(of, "x")) {
            assert!(refusal.title.da != refusal.title.en && refusal.detail.da != refusal.detail.en);
            assert_eq!(refusal.measured.as_deref(), Some("x"));
        }
    }
}
