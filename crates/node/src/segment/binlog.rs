//! A piece of MariaDB's log: the events it is made of, as far as their heads say.

use super::{Content, wal};
use jiff::Timestamp;
use std::fs::File;
use std::io::{self, BufReader, Read};
use std::path::{Path, PathBuf};

const MAGIC: [u8; 4] = [0xfe, b'b', b'i', b'n'];
const HEAD_BYTES: usize = 19;
/// A transaction begins.
const GTID: u8 = 162;
/// What stands in a file without a change in it: how it is written, where it begins, where it ends.
const FRAME: [u8; 5] = [3, 4, 15, 161, 163];

/// What a file holds; nothing where no change stands in it. An event that was cut by a kill is not looked at.
pub(super) fn content(path: &Path) -> io::Result<Option<Content>> {
    let mut reader = BufReader::with_capacity(1 << 20, File::open(path)?);
    let mut magic = [0; 4];
    if reader.read_exact(&mut magic).is_err() || magic != MAGIC {
        return Ok(None);
    }
    let (mut changes, mut times, mut gtids) = (false, Vec::new(), Vec::new());
    let mut head = [0; HEAD_BYTES];
    while reader.read_exact(&mut head).is_ok() {
        let int = |at: usize| u32::from_le_bytes(head[at..at + 4].try_into().expect("four bytes"));
        let (second, kind, server) = (int(0), head[4], int(5));
        let Some(rest) = u64::from(int(9)).checked_sub(HEAD_BYTES as u64) else { break };
        let mut body = reader.by_ref().take(rest);
        if kind == GTID {
            let mut numbers = [0; 12];
            if body.read_exact(&mut numbers).is_err() {
                break;
            }
            let seq = u64::from_le_bytes(numbers[..8].try_into().expect("eight bytes"));
            let domain = u32::from_le_bytes(numbers[8..].try_into().expect("four bytes"));
            gtids.push(format!("{domain}-{server}-{seq}"));
            times.extend(Timestamp::from_second(second.into()));
        }
        changes |= !FRAME.contains(&kind);
        if io::copy(&mut body, &mut io::sink()).is_err() {
            break;
        }
    }
    let (times, back) = wal::of(times.into_iter());
    let place = |gtid: Option<&String>| gtid.cloned().unwrap_or_default();
    let content =
        Content { system: "mariadb".to_owned(), begins: place(gtids.first()), ends: place(gtids.last()), times, back };
    Ok(changes.then_some(content))
}

/// Files of the log in a folder, the oldest first.
pub(super) fn files(folder: &Path, prefix: &str) -> io::Result<Vec<(u64, PathBuf)>> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder)? {
        let entry = entry?;
        let name = entry.file_name();
        let number = name.to_str().and_then(|name| name.strip_prefix(prefix)).filter(|rest| rest.len() >= 6);
        if let Some(number) = number.and_then(|rest| rest.parse().ok()) {
            found.push((number, entry.path()));
        }
    }
    found.sort();
    Ok(found)
}
