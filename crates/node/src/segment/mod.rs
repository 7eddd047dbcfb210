//! Segments: pieces of an engine's log as they lie in a solution's log store, one file each, never changed once they are there.
//!
//! ```text
//! husorden-log 1\n            what it is
//! {"seq": 7, …}\n             whose, which piece, from where to where, its hash, and the hash of the header before
//! <zstd frame>                the engine's own file
//! ```
//!
//! So a segment is opened without the platform: `tail -n +3 SEGMENT | zstd -d > NAME`. Numbers have no gaps, and each header names the one
//! before by its hash, so that a missing or a changed piece is noticed. A name says what is to be known without opening the file: number,
//! first and last time in it, whether time went back within it, and the engine's own name for it.
//!
//! Segments are made and read in a sandbox of the solution's uid, or by whoever has a copy of a store ([`extract`]); the node itself looks at
//! names only ([`window`]).

mod binlog;
pub mod extract;
mod fetch;
pub mod keep;
mod wal;
pub(crate) mod window;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::fs::{self, File};
use std::io::{self, BufRead, BufReader, Read, Write};
use std::path::Path;

pub use fetch::{fetch, target};

/// The first line of a segment.
const MAGIC: &str = "husorden-log 1";
/// Bytes of a header at most.
const HEADER_BYTES_MAX: u64 = 16 << 10;
/// What the names of segments end with.
const ENDING: &str = ".seg";
/// Clocks are put right by less than this, and times of what happens at once need not be in order.
pub(crate) const SLACK_MS: i64 = 2_000;

/// Up to when everything is in pieces of which the newest time is this, in milliseconds since 1970: engines write times down to the second, and
/// not always in their order.
pub(crate) fn reaches(last_ms: i64) -> Option<Timestamp> {
    Timestamp::from_millisecond(last_ms.saturating_sub(SLACK_MS)).ok()
}

/// A piece's name in the store.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Name {
    /// Its number, from 1 without gaps.
    pub seq: u64,
    /// The first and the last time in it, in milliseconds since 1970; none where nothing in it has a time.
    pub times: Option<(i64, i64)>,
    /// Time went back within it.
    pub back: bool,
    /// What the engine calls it.
    pub file: String,
}

impl Name {
    /// Reads a name; what has another form is no segment.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let mut words = text.strip_suffix(ENDING)?.splitn(5, '_');
        let seq = words.next().filter(|word| word.len() == 12)?.parse().ok()?;
        let (first, last): (i64, i64) = (words.next()?.parse().ok()?, words.next()?.parse().ok()?);
        let back = match words.next()? {
            "n" => false,
            "b" => true,
            _ => return None,
        };
        let file = words.next()?;
        let fine = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-');
        let file = Some(file).filter(|file| !file.is_empty() && file.len() <= 80 && file.bytes().all(fine))?;
        let times = (last > 0).then_some((first, last));
        Some(Self { seq, times, back, file: file.to_owned() }).filter(|name| name.to_string() == text)
    }
}

impl std::fmt::Display for Name {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (first, last) = self.times.unwrap_or_default();
        let back = if self.back { 'b' } else { 'n' };
        write!(f, "{:012}_{first}_{last}_{back}_{}{ENDING}", self.seq, self.file)
    }
}

/// What a piece holds, as the engine's own file says it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Content {
    /// The system that wrote it, and its line of history: system identifier and timeline, or server and domain.
    pub system: String,
    /// Where it begins, in the engine's own terms.
    pub begins: String,
    /// Where it ends: the next one begins there.
    pub ends: String,
    /// The first and the last time of what was committed in it.
    pub times: Option<(Timestamp, Timestamp)>,
    /// Time went back within it.
    #[serde(default)]
    pub back: bool,
}

/// The second line of a segment.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Header {
    /// Its number.
    pub seq: u64,
    /// The solution's id.
    pub solution: String,
    /// The engine with its version, such as `postgresql-17`.
    pub engine: String,
    /// What the engine calls it.
    pub file: String,
    /// What it holds.
    pub content: Content,
    /// Bytes of the engine's own file.
    pub bytes: u64,
    /// Its SHA-256.
    pub sha256: String,
    /// SHA-256 of the header line before; empty for the first.
    pub previous: String,
    /// When it was kept.
    pub kept: Timestamp,
}

impl Header {
    /// Its name in the store.
    #[must_use]
    pub fn name(&self) -> Name {
        let times = self.content.times.map(|(first, last)| (first.as_millisecond(), last.as_millisecond()));
        Name { seq: self.seq, times, back: self.content.back, file: self.file.clone() }
    }

    fn line(&self) -> String {
        serde_json::to_string(self).expect("plain data has a JSON form")
    }

    /// What the next one names it by.
    #[must_use]
    pub fn hash(&self) -> String {
        hex(&Sha256::digest(self.line()))
    }
}

/// Opens a segment: its header, and a reader of the engine's own file.
///
/// # Errors
/// When it is no segment.
pub fn open(path: &Path) -> io::Result<(Header, impl Read)> {
    let wrong = |what: String| io::Error::new(io::ErrorKind::InvalidData, format!("{}: {what}", path.display()));
    let mut reader = BufReader::new(File::open(path)?);
    let mut line = String::new();
    reader.by_ref().take(HEADER_BYTES_MAX).read_line(&mut line)?;
    if line.trim_end() != MAGIC {
        return Err(wrong("it is no segment of a log".to_owned()));
    }
    line.clear();
    reader.by_ref().take(HEADER_BYTES_MAX).read_line(&mut line)?;
    let header: Header = serde_json::from_str(&line).map_err(|error| wrong(format!("its header: {error}")))?;
    // A hash is taken over the line as it stands.
    if header.line() != line.trim_end() {
        return Err(wrong("its header was written by another release".to_owned()));
    }
    Ok((header, zstd::Decoder::with_buffer(reader)?))
}

/// Copies the engine's own file out of a segment, and compares what comes out with what the header says.
///
/// # Errors
/// When it is not what it says.
pub fn copy(path: &Path, out: &mut impl Write) -> io::Result<Header> {
    let (header, mut reader) = open(path)?;
    let (bytes, sha256) = copied(&mut reader, out)?;
    if (bytes, &sha256) != (header.bytes, &header.sha256) {
        let said = format!("{}: it does not hold what its header says", path.display());
        return Err(io::Error::new(io::ErrorKind::InvalidData, said));
    }
    Ok(header)
}

/// Copies, and says how much it was, and its SHA-256.
fn copied(from: &mut impl Read, to: &mut impl Write) -> io::Result<(u64, String)> {
    let (mut hash, mut bytes, mut buffer) = (Sha256::new(), 0, vec![0; 256 << 10]);
    loop {
        let count = from.read(&mut buffer)?;
        if count == 0 {
            return Ok((bytes, hex(&hash.finalize())));
        }
        bytes += count as u64;
        hash.update(&buffer[..count]);
        to.write_all(&buffer[..count])?;
    }
}

/// All segments of a folder by their names, the oldest first.
///
/// # Errors
/// When it cannot be read.
pub fn list(folder: &Path) -> io::Result<Vec<Name>> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder)? {
        found.extend(entry?.file_name().to_str().and_then(Name::parse));
    }
    found.sort();
    Ok(found)
}

pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests;
