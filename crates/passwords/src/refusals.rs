//! What the judge says when it says no, in Danish and English.

use crate::{CHARS_MAX, CHARS_MIN, CHARS_MIN_WITH_SECOND_FACTOR};
use husorden_base::{FieldError, Refusal, Text};

fn refusal(code: &str, pointer: &str, detail: Text) -> Refusal {
    let title = Text::new("Adgangskoden kan ikke bruges", "The password can't be used");
    let mut refusal = Refusal::new(code, 422, title, detail.clone());
    refusal.fields = vec![FieldError { pointer: pointer.to_owned(), detail }];
    refusal
}

pub(crate) fn too_long(pointer: &str, chars: Option<usize>) -> Refusal {
    let detail = Text::new(
        format!("Den er for lang. Højst {CHARS_MAX} tegn."),
        format!("It is too long. At most {CHARS_MAX} characters."),
    );
    let measured =
        chars.map_or_else(|| format!("more than {CHARS_MAX} characters"), |chars| format!("{chars} characters"));
    refusal("password-too-long", pointer, detail).with_limit(measured, format!("{CHARS_MAX} characters"))
}

pub(crate) fn too_short(pointer: &str, chars: usize, least: usize, second_factor: bool) -> Refusal {
    let detail = if second_factor {
        Text::new(
            format!("Den er for kort: mindst {CHARS_MIN_WITH_SECOND_FACTOR} tegn. Flere ord i træk er lette at huske."),
            format!(
                "It is too short: at least {CHARS_MIN_WITH_SECOND_FACTOR} characters. Several words in a row are easy to remember."
            ),
        )
    } else {
        Text::new(
            format!("Den er for kort: mindst {CHARS_MIN} tegn. Flere ord i træk er lette at huske."),
            format!("It is too short: at least {CHARS_MIN} characters. Several words in a row are easy to remember."),
        )
    };
    refusal("password-too-short", pointer, detail)
        .with_limit(format!("{chars} characters"), format!("{least} characters"))
}

pub(crate) fn control(pointer: &str) -> Refusal {
    let detail = Text::new(
        "Den indeholder tegn, der ikke kan skrives på et tastatur, for eksempel linjeskift.",
        "It holds characters that no keyboard types, such as the end of a line.",
    );
    refusal("password-control-characters", pointer, detail)
}

pub(crate) fn context(pointer: &str, word: &str) -> Refusal {
    let detail = Text::new(
        format!("Den indeholder “{word}”, som andre kan regne ud om dig. Vælg noget, der intet har med dig at gøre."),
        format!(
            "It holds “{word}”, which others may know about you. Choose something that has nothing to do with you."
        ),
    );
    refusal("password-personal", pointer, detail)
}

pub(crate) fn leaked(pointer: &str) -> Refusal {
    let detail = Text::new(
        "Den står på en liste over lækkede adgangskoder, som andre prøver først. Vælg en, der aldrig er brugt før.",
        "It is on a list of leaked passwords, which others try first. Choose one that was never used before.",
    );
    refusal("password-leaked", pointer, detail)
}

pub(crate) fn guessable(pointer: &str) -> Refusal {
    let detail = Text::new(
        "Den er for let at gætte. Sæt flere ord sammen, der ikke plejer at stå sammen.",
        "It is too easy to guess. Put several words together that do not usually stand together.",
    );
    refusal("password-guessable", pointer, detail)
}

pub(crate) fn unjudged() -> Refusal {
    Refusal::new(
        "password-not-judged",
        503,
        Text::new("Adgangskoden kunne ikke prøves", "The password could not be judged"),
        Text::new(
            "Listen over lækkede adgangskoder kan ikke læses lige nu. Intet er ændret; prøv igen om lidt.",
            "The list of leaked passwords can't be read right now. Nothing was changed; try again shortly.",
        ),
    )
}
