//! The hole that somebody came in by: a file that was put back together with everything else, named by whoever asked for that. A restore brings
//! it back as it was, so it is said for as long as the file holds what it held then.
//!
//! It is a mark of the volume and goes where that goes: an undo takes it back, a copy has the same hole, and a backup remembers it.

use crate::{Finding, Severity};
use husorden_base::Text;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// The mark's name.
pub const MARK: &str = "hole";
/// Longest path of one, in bytes.
pub const PATH_BYTES_MAX: usize = 1024;
/// Largest file that is one, in bytes.
pub const FILE_BYTES_MAX: u64 = 64 << 20;

/// What the mark says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hole {
    /// The file's path from the volume's root.
    pub path: String,
    /// SHA-256 of what it held when it was put back, in hexadecimal.
    pub sha256: String,
    /// When it was put back.
    pub restored: Timestamp,
    /// When the file was seen to hold something else, or to be gone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub closed: Option<Timestamp>,
}

impl Hole {
    /// Reads the mark; none where it is no such thing.
    #[must_use]
    pub fn read(mark: &str) -> Option<Self> {
        serde_json::from_str(mark).ok()
    }

    /// The mark of one that stands open.
    #[must_use]
    pub fn open(mark: &str) -> Option<Self> {
        Self::read(mark).filter(|hole| hole.closed.is_none())
    }

    /// The mark's value.
    #[must_use]
    pub fn mark(&self) -> String {
        serde_json::to_string(self).expect("plain data has a JSON form")
    }

    /// What is said while it stands open.
    #[must_use]
    pub fn finding(&self) -> Finding {
        let Self { path, .. } = self;
        Finding {
            name: "hole-open",
            severity: Severity::Danger,
            title: Text::new(format!("Hullet står åbent: {path}"), format!("The hole is open: {path}")),
            advice: Text::new(
                "Filen er den samme, som da nogen kom ind ad den. Opdatér det, den hører til, ret den, eller slet den; så forsvinder dette af sig selv.",
                "The file is the same as when somebody came in by it. Update what it belongs to, mend it, or delete it; then this goes by itself.",
            ),
            until: None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_said_until_it_is_closed() {
        let open = Hole {
            path: "files/upload.php".to_owned(),
            sha256: "00".repeat(32),
            restored: Timestamp::UNIX_EPOCH,
            closed: None,
        };
        assert_eq!(Hole::open(&open.mark()), Some(open.clone()));
        assert!(open.finding().title.en.contains("files/upload.php"));
        let closed = Hole { closed: Some(Timestamp::UNIX_EPOCH), ..open.clone() };
        assert_eq!((Hole::open(&closed.mark()), Hole::read(&closed.mark())), (None, Some(closed)));
        assert_eq!(Hole::read("something else"), None);
        let longest = Hole { path: "\"".repeat(PATH_BYTES_MAX), ..Hole::read(&open.mark()).expect("one") };
        assert!(longest.mark().len() <= 4096, "a mark holds as much, whatever the path is made of");
    }
}
