//! What a disk image's owner is told, in both languages.

use crate::Waiting;
use husorden_base::Text;

/// The stored spec is of a version that this platform does not read.
pub(super) fn unreadable() -> Waiting {
    Waiting::Trouble {
        text: Text::new(
            "Aftrykkets indstillinger kan ikke læses af denne udgave af platformen. Intet ændres; vi ser på det.",
            "The image's settings cannot be read by this version of the platform. Nothing is changed; we are looking at it.",
        ),
    }
}

/// It is cleared of what is not the disk.
pub(super) fn keeping() -> Text {
    Text::new("Disken lægges til rette.", "The disk is being put in order.")
}

/// That failed.
pub(super) fn failed(reason: &str) -> Text {
    Text::new(
        format!("Aftrykket kunne ikke laves. Slet det, og tag det igen. Det sidste, der blev sagt: {}", reason.trim()),
        format!("The image could not be made. Delete it, and make it again. The last words: {}", reason.trim()),
    )
}

/// Nothing is ever written to it.
pub(super) fn when_full() -> Text {
    Text::new("Der skrives ikke mere i det.", "Nothing more is written to it.")
}
