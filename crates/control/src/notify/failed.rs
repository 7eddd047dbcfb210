//! Why something that leaves the house did not.

/// Why a try failed, and whether another could help.
#[derive(Debug, thiserror::Error)]
#[error("{text}")]
pub(crate) struct Failed {
    pub(crate) text: String,
    pub(crate) is_final: bool,
}

impl Failed {
    pub(crate) fn for_good(text: impl ToString) -> Self {
        Self { text: text.to_string(), is_final: true }
    }
}
