//! One judge for every secret that a person may choose: log-ins, databases, SFTP, SMTP, administrators of applications.
//!
//! It follows NIST SP 800-63B-4: length counts, composition does not; what is guessable, tied to the person or leaked is
//! refused. There is no other rule, and no rule elsewhere. It does not say how secrets are kept.

mod common;
mod context;
pub mod leaked;
mod list;
mod refusals;

pub use list::ListState;

use husorden_base::{Refusal, Secret};
use leaked::LeakedError;
use std::path::PathBuf;
use unicode_normalization::UnicodeNormalization;

/// Fewest characters where the password is all there is.
pub const CHARS_MIN: usize = 15;
/// Fewest characters where a second factor is asked for as well.
pub const CHARS_MIN_WITH_SECOND_FACTOR: usize = 8;
/// Most characters.
pub const CHARS_MAX: usize = 256;
/// Most bytes, looked at before anything else is done.
pub const BYTES_MAX: usize = 1024;
/// What can be guessed in this many tries is refused.
pub const GUESSES_MIN: u64 = 10_000_000_000;
/// Characters that are weighed; weighing takes longer than in proportion to the length.
const WEIGHED_CHARS_MAX: usize = 100;

/// The judge. It keeps the list of leaked passwords open and notices when a newer one was imported.
#[derive(Debug)]
pub struct Judge {
    list: list::List,
}

impl Judge {
    /// A judge that looks for imported passwords in this folder, besides the small list it carries. The folder may be empty
    /// or not there yet.
    #[must_use]
    pub fn new(folder: Option<PathBuf>) -> Self {
        Self { list: list::List::new(folder) }
    }

    /// Judges a password that a person wants to use from now on. `context` is what others know about them: name, mail
    /// addresses, company, domains. A refusal names the field `/password`; see [`Judge::check_at`].
    ///
    /// # Errors
    /// With what is wrong and what would be right; never with the password.
    pub fn check(&self, password: &str, context: &[&str], second_factor: bool) -> Result<(), Refusal> {
        self.check_at("/password", password, context, second_factor)
    }

    /// The same, for a field with another name (a JSON pointer).
    ///
    /// # Errors
    /// With what is wrong and what would be right; never with the password.
    pub fn check_at(
        &self,
        pointer: &str,
        password: &str,
        context: &[&str],
        second_factor: bool,
    ) -> Result<(), Refusal> {
        // The door: nothing is done with what is too long, not even counted.
        if password.len() > BYTES_MAX {
            return Err(refusals::too_long(pointer, None));
        }
        let normal = normalised(password);
        let text = normal.reveal();
        let chars = text.chars().count();
        let least = if second_factor { CHARS_MIN_WITH_SECOND_FACTOR } else { CHARS_MIN };
        if chars > CHARS_MAX {
            return Err(refusals::too_long(pointer, Some(chars)));
        }
        if text.chars().any(char::is_control) {
            return Err(refusals::control(pointer));
        }
        if chars < least {
            return Err(refusals::too_short(pointer, chars, least, second_factor));
        }
        let words = context::words(context);
        if let Some(word) = context::held(text, &words) {
            return Err(refusals::context(pointer, word));
        }
        if self.leaked(password)? || (text != password && self.leaked(text)?) {
            return Err(refusals::leaked(pointer));
        }
        let weighed = match text.char_indices().nth(WEIGHED_CHARS_MAX) {
            Some((end, _)) => &text[..end],
            None => text,
        };
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        if zxcvbn::zxcvbn(weighed, &words).guesses() < GUESSES_MIN {
            return Err(refusals::guessable(pointer));
        }
        Ok(())
    }

    /// How the imported list stands, for whoever looks after the house.
    #[must_use]
    pub fn list(&self) -> ListState {
        self.list.state()
    }

    fn leaked(&self, password: &str) -> Result<bool, Refusal> {
        if common::holds(password) {
            return Ok(true);
        }
        self.list.contains(password).map_err(|error: LeakedError| {
            tracing::error!(error = %leaked::chain(&error), "the list of leaked passwords can't be read");
            refusals::unjudged()
        })
    }
}

/// The one form of a password that is counted, weighed, hashed and compared (NFKC, as SP 800-63B-4 advises), so that the
/// same keys on another keyboard give the same secret.
#[must_use]
pub fn normalised(password: &str) -> Secret {
    Secret::new(password.nfkc().collect::<String>())
}

#[cfg(test)]
mod tests;
