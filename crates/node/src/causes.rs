//! An error as it is told in a log, and what somebody said last.

/// An error with everything that caused it, in one line.
pub(crate) fn causes(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(at) = cause {
        text.push_str(": ");
        text.push_str(&at.to_string());
        cause = at.source();
    }
    text
}

/// The end of what somebody said, so many characters of it.
pub(crate) fn last_words(said: &str, chars_max: usize) -> String {
    let said = said.trim();
    let skip = said.chars().count().saturating_sub(chars_max);
    said.chars().skip(skip).collect()
}
