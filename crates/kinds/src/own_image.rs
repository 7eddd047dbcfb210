//! What images are called that are an account's own: by the number of the solution that gives the disk, so that a new name changes nothing.

use husorden_base::{Number, RuntimeName};

/// What the name of an image begins with that is the account's own; its number follows.
const OWN: &str = "own-";

/// By what name servers are made from the disk image with this number.
#[must_use]
pub fn name(number: Number) -> RuntimeName {
    format!("{OWN}{number}").parse().expect("letters, a hyphen and digits")
}

/// The number of the disk image that a name of an image leads to; none for names of the catalogue and of what was imported.
#[must_use]
pub fn number_of(name: &RuntimeName) -> Option<Number> {
    let digits = name.as_str().strip_prefix(OWN)?;
    let number = digits.parse().ok().and_then(Number::new)?;
    (self::name(number) == *name).then_some(number)
}

/// Whether a name is kept for disk images of accounts, and nothing else may have it.
#[must_use]
pub fn is_reserved(name: &RuntimeName) -> bool {
    name.as_str().starts_with(OWN)
}
