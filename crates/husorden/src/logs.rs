//! The roles' log files, kept within bounds.
//!
//! A role writes to a file, never to a pipe: a role must not die because who supervises it did. The files are opened for
//! appending, so that they can be cut to nothing while the role holds them open.

use anyhow::{Context, Result};
use std::fs::{self, File, OpenOptions};
use std::io::{Read, Seek, SeekFrom};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

/// Size at which a log is turned over; one older file is kept beside it.
const LOG_BYTES_MAX: u64 = 16 << 20;
/// How much of a log's end is looked at for its last lines.
const TAIL_BYTES: u64 = 16 << 10;

/// The log of a role.
pub(crate) fn path(folder: &Path, role: &str) -> PathBuf {
    folder.join(format!("{role}.log"))
}

/// Opens a log for appending.
pub(crate) fn open(path: &Path) -> Result<File> {
    OpenOptions::new()
        .append(true)
        .create(true)
        .mode(0o640)
        .open(path)
        .with_context(|| format!("opening the log {}", path.display()))
}

/// Turns every log over that has grown too large. What a role writes between the copy and the cut is lost.
pub(crate) fn bound(folder: &Path, roles: &[&str], log_bytes_max: Option<u64>) {
    for role in roles {
        let log = path(folder, role);
        let large = fs::metadata(&log).is_ok_and(|data| data.len() > log_bytes_max.unwrap_or(LOG_BYTES_MAX));
        if large && fs::copy(&log, log.with_extension("log.1")).is_ok() {
            let _ = OpenOptions::new().write(true).open(&log).and_then(|file| file.set_len(0));
        }
    }
}

/// The last lines of a log.
pub(crate) fn tail(path: &Path, lines: usize) -> Vec<String> {
    let read = || -> std::io::Result<String> {
        let mut file = File::open(path)?;
        let length = file.metadata()?.len();
        file.seek(SeekFrom::Start(length.saturating_sub(TAIL_BYTES)))?;
        let mut bytes = Vec::new();
        file.take(TAIL_BYTES).read_to_end(&mut bytes)?;
        Ok(String::from_utf8_lossy(&bytes).into_owned())
    };
    let text = read().unwrap_or_default();
    let all: Vec<&str> = text.lines().collect();
    all[all.len().saturating_sub(lines)..].iter().map(|line| (*line).to_owned()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;

    #[test]
    fn a_log_is_turned_over_under_its_writer() {
        let folder = std::env::temp_dir().join(format!("husorden-logs-{}", std::process::id()));
        fs::create_dir_all(&folder).expect("a folder");
        let log = path(&folder, "edge");
        let mut writer = open(&log).expect("the log opens");
        writer.write_all(b"one\ntwo\n").expect("it is written");
        bound(&folder, &["edge", "absent"], Some(4));
        writer.write_all(b"three\n").expect("it is written");
        assert_eq!(tail(&log, 5), ["three"]);
        assert_eq!(tail(&log.with_extension("log.1"), 1), ["two"]);
        fs::remove_dir_all(&folder).expect("it is removed");
    }
}
