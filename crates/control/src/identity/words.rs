//! What people type about themselves, read once: e-mail addresses, names, company and phone numbers. Whatever is accepted has
//! one form only, so that two texts that look alike are the same text, or one of them was refused.

use husorden_base::{FieldError, Text};
use idna::domain_to_unicode;
use unicode_normalization::UnicodeNormalization;
use unicode_properties::{GeneralCategory, UnicodeGeneralCategory};
use unicode_security::MixedScript;

const EMAIL_CHARS_MAX: usize = 254;
const LOCAL_CHARS_MAX: usize = 64;
/// Most characters of a person's or company's name.
pub(crate) const NAME_CHARS_MAX: usize = 80;
const ADDRESS_CHARS_MAX: usize = 300;
/// Marks that may stand on one letter; more are drawn over the lines around it.
const MARKS_MAX: usize = 2;

/// What is wrong with a text, in both languages.
type Wrong = Text;

/// An e-mail address in the form it is kept: lower case, its domain in A-labels. Letters of other alphabets stand only in the
/// domain, where each label must be of one script; the address is always shown as it is kept.
pub(crate) fn email(text: &str) -> Result<String, Wrong> {
    let wrong = || {
        Text::new(
            "Skriv en e-mailadresse, som navn@firma.example",
            "Write an e-mail address, like name@company.example",
        )
    };
    let text = text.trim();
    if text.len() > EMAIL_CHARS_MAX {
        return Err(wrong());
    }
    let (local, domain) = text.rsplit_once('@').ok_or_else(wrong)?;
    let atom = |part: &str| {
        !part.is_empty() && part.bytes().all(|b| b.is_ascii_alphanumeric() || b"!#$%&'*+/=?^_`{|}~-".contains(&b))
    };
    if local.len() > LOCAL_CHARS_MAX || !local.split('.').all(atom) {
        return Err(wrong());
    }
    let domain = idna::domain_to_ascii_strict(domain).map_err(|_| wrong())?;
    let (shown, read) = domain_to_unicode(&domain);
    if read.is_err()
        || !domain.contains('.')
        || domain.rsplit('.').next().is_none_or(|last| last.bytes().all(|b| b.is_ascii_digit()))
    {
        return Err(wrong());
    }
    if !shown.split('.').all(MixedScript::is_single_script) {
        return Err(Text::new(
            "Domænet blander alfabeter, så det kan forveksles med et andet",
            "The domain mixes alphabets, so that it can be taken for another",
        ));
    }
    let kept = format!("{}@{domain}", local.to_ascii_lowercase());
    if kept.len() > EMAIL_CHARS_MAX { Err(wrong()) } else { Ok(kept) }
}

/// A name as it is kept: NFKC, one space between words, nothing invisible, no word that mixes alphabets.
pub(crate) fn name(text: &str) -> Result<String, Wrong> {
    let kept = line(text, NAME_CHARS_MAX)?;
    if !kept.split([' ', '-']).all(MixedScript::is_single_script) {
        return Err(Text::new(
            "Et ord i navnet blander alfabeter, så det kan forveksles med et andet",
            "A word of the name mixes alphabets, so that it can be taken for another",
        ));
    }
    Ok(kept)
}

/// A postal address on one line.
pub(crate) fn address(text: &str) -> Result<String, Wrong> {
    line(text, ADDRESS_CHARS_MAX)
}

/// One line of visible text.
fn line(text: &str, chars_max: usize) -> Result<String, Wrong> {
    let length = || Text::new(format!("Skriv 1 til {chars_max} tegn"), format!("Write 1 to {chars_max} characters"));
    // Four bytes a character; what is longer need not be normalised to be refused.
    if text.len() > chars_max * 4 {
        return Err(length());
    }
    let mut marks = 0;
    for letter in text.nfkc() {
        let category = letter.general_category();
        let hidden = matches!(
            category,
            GeneralCategory::Control
                | GeneralCategory::Format
                | GeneralCategory::Surrogate
                | GeneralCategory::PrivateUse
                | GeneralCategory::Unassigned
                | GeneralCategory::LineSeparator
                | GeneralCategory::ParagraphSeparator
        );
        marks = if matches!(category, GeneralCategory::NonspacingMark | GeneralCategory::EnclosingMark) {
            marks + 1
        } else {
            0
        };
        if hidden || marks > MARKS_MAX {
            return Err(Text::new(
                "Der er usynlige tegn, retningsskift eller for mange accenter i teksten",
                "There are invisible characters, changes of direction or too many accents in the text",
            ));
        }
    }
    let kept = text.nfkc().collect::<String>().split_whitespace().collect::<Vec<_>>().join(" ");
    if kept.is_empty() || kept.chars().count() > chars_max { Err(length()) } else { Ok(kept) }
}

/// A Danish company number: eight digits whose weighted sum is divisible by 11. `DK` and spaces before and between are fine.
pub(crate) fn cvr(text: &str) -> Result<String, Wrong> {
    let bare: String = text.trim().trim_start_matches("DK").chars().filter(|c| *c != ' ').collect();
    if bare.len() != 8 || !bare.bytes().all(|b| b.is_ascii_digit()) {
        return Err(Text::new("Et CVR-nummer er 8 cifre", "A CVR number is 8 digits"));
    }
    let sum: u32 =
        bare.bytes().zip([2, 7, 6, 5, 4, 3, 2, 1]).map(|(digit, weight)| u32::from(digit - b'0') * weight).sum();
    if sum == 0 || !sum.is_multiple_of(11) {
        return Err(Text::new(
            "CVR-nummeret findes ikke: kontrolcifferet passer ikke, så et ciffer er nok skrevet forkert",
            "There is no such CVR number: its check digit does not fit, so a digit is probably mistyped",
        ));
    }
    Ok(bare)
}

/// A phone number in the international form, `+` and digits.
pub(crate) fn phone(text: &str) -> Result<String, Wrong> {
    let bare: String = text.chars().filter(|c| !matches!(c, ' ' | '-' | '(' | ')')).collect();
    let digits = bare.strip_prefix('+').unwrap_or_default();
    if (6..=15).contains(&digits.len()) && digits.bytes().all(|b| b.is_ascii_digit()) && !digits.starts_with('0') {
        Ok(bare)
    } else {
        Err(Text::new(
            "Skriv nummeret med landekode, som +45 12 34 56 78",
            "Write the number with its country code, like +45 12 34 56 78",
        ))
    }
}

/// A country as ISO 3166 writes it.
pub(crate) fn country(text: &str) -> Result<String, Wrong> {
    let code = text.trim().to_ascii_uppercase();
    if code.len() == 2 && code.bytes().all(|b| b.is_ascii_uppercase()) {
        Ok(code)
    } else {
        Err(Text::new("Skriv landets to bogstaver, som DK", "Write the two letters of the country, like DK"))
    }
}

/// A time zone by its name in the IANA database.
pub(crate) fn time_zone(text: &str) -> Result<String, Wrong> {
    jiff::tz::TimeZone::get(text)
        .ok()
        .and_then(|zone| zone.iana_name().map(str::to_owned))
        .filter(|name| name.len() <= 64)
        .ok_or_else(|| {
            Text::new(
                "Tidszonen kendes ikke; skriv en som Europe/Copenhagen",
                "There is no such time zone; write one like Europe/Copenhagen",
            )
        })
}

/// Collects what is wrong with each field of a form, so that all of it is said at once.
#[derive(Debug, Default)]
pub(crate) struct Fields(Vec<FieldError>);

impl Fields {
    /// The value, or nothing and a note of what is wrong at this field.
    pub(crate) fn take<T>(&mut self, pointer: &str, read: Result<T, Wrong>) -> Option<T> {
        read.map_err(|detail| self.wrong(pointer, detail)).ok()
    }

    /// Notes what is wrong.
    pub(crate) fn wrong(&mut self, pointer: &str, detail: Wrong) {
        self.0.push(FieldError { pointer: pointer.to_owned(), detail });
    }

    /// A refusal, if anything was wrong.
    pub(crate) fn done(self) -> Result<(), husorden_base::Refusal> {
        if self.0.is_empty() { Ok(()) } else { Err(husorden_base::Refusal::fields(self.0)) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_mailbox_has_one_form() {
        for (text, expected) in [
            ("Anna@Company.Example", Some("anna@company.example")),
            (" a.b+c@x.example ", Some("a.b+c@x.example")),
            ("a@smørrebrød.example", Some("a@xn--smrrebrd-64af.example")),
            ("a@ＣＯＭＰＡＮＹ.example", Some("a@company.example")),
            // A Cyrillic letter among Latin ones, in the domain and before it.
            ("a@compаny.example", None),
            ("аnna@company.example", None),
            ("a@company", None),
            ("a@192.0.2.1", None),
            ("a@b@company.example", None),
            ("a..b@company.example", None),
            ("a@company.example\r\nbcc: b@company.example", None),
            ("a@com\u{200b}pany.example", Some("a@company.example")),
            ("a@\u{202e}company.example", None),
            ("", None),
        ] {
            assert_eq!(email(text).ok().as_deref(), expected, "{text:?}");
        }
        assert!(email(&format!("{}@company.example", "a".repeat(65))).is_err());
        assert!(email(&"a@".repeat(500_000)).is_err());
    }

    #[test]
    fn a_name_is_what_it_looks_like() {
        for (text, expected) in [
            ("Åse  Ørsted ", Some("Åse Ørsted")),
            ("A\u{30a}se", Some("Åse")),
            ("Ａnna", Some("Anna")),
            ("Анна Петрова", Some("Анна Петрова")),
            ("山田 太郎", Some("山田 太郎")),
            ("<b>Anna</b>", Some("<b>Anna</b>")),
            // A Cyrillic letter within a Latin word.
            ("Аnna", None),
            ("Anna\u{202e}", None),
            ("An\u{200b}na", None),
            ("An\nna", None),
            ("A\u{301}\u{301}\u{301}\u{301}\u{301}nna", None),
            ("   ", None),
        ] {
            assert_eq!(name(text).ok().as_deref(), expected, "{text:?}");
        }
        assert!(name(&"a".repeat(81)).is_err());
    }

    #[test]
    fn a_company_number_is_checked_by_modulus_11() {
        for (text, good) in [
            ("13585628", true),
            ("DK 13 58 56 28", true),
            ("13585629", false),
            ("31585628", false),
            ("1358562", false),
            ("00000000", false),
            ("1358562x", false),
        ] {
            assert_eq!(cvr(text).is_ok(), good, "{text}");
        }
    }

    #[test]
    fn phones_countries_and_zones() {
        assert_eq!(phone("+45 12 34 56 78").as_deref(), Ok("+4512345678"));
        assert!(phone("12345678").is_err() && phone("+45; drop").is_err());
        assert_eq!(country("dk").as_deref(), Ok("DK"));
        assert!(country("Danmark").is_err());
        assert_eq!(time_zone("Europe/Copenhagen").as_deref(), Ok("Europe/Copenhagen"));
        assert!(time_zone("../../etc/passwd").is_err());
    }
}
