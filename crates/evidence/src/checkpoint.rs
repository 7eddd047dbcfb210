//! Checkpoints: the size and root of the tree at a time, signed, as C2SP's tlog-checkpoint writes them.

use crate::hash::Hash;
use crate::note::{self, NoteError, PublicKey, SigningKey};
use jiff::Timestamp;

/// What a checkpoint says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Checkpoint {
    /// Which log.
    pub origin: String,
    /// Leaves.
    pub size: u64,
    /// Root over them.
    pub root: Hash,
    /// When it was signed.
    pub at: Timestamp,
}

/// Why something is no checkpoint.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CheckpointError {
    /// The note does not hold.
    #[error(transparent)]
    Note(#[from] NoteError),
    /// Its text is not one of a checkpoint.
    #[error("no checkpoint: origin, size, root and time are expected")]
    Shape,
}

impl Checkpoint {
    /// The signed note.
    #[must_use]
    pub fn sign(&self, key: &SigningKey) -> String {
        key.sign(&format!("{}\n{}\n{}\ntime {}\n", self.origin, self.size, self.root, self.at))
    }

    /// From a note that one of the keys has signed.
    ///
    /// # Errors
    /// When the note does not hold or is not one of a checkpoint.
    pub fn open(text: &str, keys: &[PublicKey]) -> Result<Self, CheckpointError> {
        Self::read(note::open(text, keys)?)
    }

    /// From a note whose signatures are not looked at.
    ///
    /// # Errors
    /// When it is no note of a checkpoint.
    pub fn unsigned(text: &str) -> Result<Self, CheckpointError> {
        Self::read(note::split(text)?.0)
    }

    fn read(text: &str) -> Result<Self, CheckpointError> {
        let mut lines = text.lines();
        let mut next = || lines.next().filter(|line| !line.is_empty()).ok_or(CheckpointError::Shape);
        let origin = next()?.to_owned();
        let size_text = next()?;
        let size: u64 = size_text.parse().map_err(|_| CheckpointError::Shape)?;
        let root = next()?.parse().map_err(|_| CheckpointError::Shape)?;
        let at = next()?.strip_prefix("time ").and_then(|at| at.parse().ok()).ok_or(CheckpointError::Shape)?;
        if size.to_string() != size_text {
            return Err(CheckpointError::Shape);
        }
        Ok(Self { origin, size, root, at })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_signed_is_read_and_nothing_else() {
        let key = SigningKey::new("husorden.test/log", &[7; 32]).expect("a key");
        let at = Timestamp::from_second(1_800_000_000).expect("a second");
        let checkpoint = Checkpoint { origin: "husorden.test/log".to_owned(), size: 42, root: Hash::of(b"x"), at };
        let note = checkpoint.sign(&key);
        assert_eq!(Checkpoint::open(&note, &[key.public()]), Ok(checkpoint.clone()));
        let forged = note.replace("\n42\n", "\n41\n");
        assert!(matches!(Checkpoint::open(&forged, &[key.public()]), Err(CheckpointError::Note(_))));
        assert_eq!(Checkpoint::unsigned(&forged).map(|it| it.size), Ok(41));
        for text in ["log\n042\nAA==\ntime x\n", "log\n", "log\n1\nAA==\n"] {
            assert_eq!(Checkpoint::open(&key.sign(text), &[key.public()]), Err(CheckpointError::Shape), "{text:?}");
        }
    }
}
