//! A piece of PostgreSQL's log: where it begins and ends, and the times of what was committed in it.

use super::{Content, SLACK_MS};
use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use std::fs::File;
use std::io::{self, Read};
use std::path::Path;
use std::process::{Command, Stdio};

/// Bytes of a page's long header that are read here.
const HEAD_BYTES: usize = 40;

/// What a file of this name holds. What is no piece of the log, such as a file of history, holds no times. `times` is the program that
/// prints a piece's transactions.
pub(super) fn content(path: &Path, name: &str, times: &Path) -> io::Result<Content> {
    if !is_piece(name) {
        return Ok(Content::default());
    }
    let head = Head::read(path)?;
    let (times, back) = committed(path, times)?;
    Ok(Content {
        system: format!("{} timeline {}", head.system, head.timeline),
        begins: position(head.begins),
        ends: position(head.begins + head.size),
        times,
        back,
    })
}

/// Whether nothing was written after this piece: the next one is not there, or is an older one under a new name, or has not been begun.
pub(super) fn is_last(path: &Path, name: &str) -> io::Result<bool> {
    if !is_piece(name) {
        return Ok(false);
    }
    let head = Head::read(path)?;
    let Some(in_each) = 0x1_0000_0000_u64.checked_div(head.size).filter(|in_each| *in_each > 0) else {
        return Ok(false);
    };
    let (begins, timeline) = (head.begins + head.size, head.timeline);
    let number = begins / head.size;
    let next = path.with_file_name(format!("{timeline:08X}{:08X}{:08X}", number / in_each, number % in_each));
    match Head::read(&next) {
        Ok(next) => Ok(next.begins != begins),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(true),
        Err(error) => Err(error),
    }
}

fn is_piece(name: &str) -> bool {
    name.len() == 24 && name.bytes().all(|byte| byte.is_ascii_hexdigit())
}

/// What the first page of a piece says.
struct Head {
    timeline: u32,
    begins: u64,
    system: u64,
    size: u64,
}

impl Head {
    fn read(path: &Path) -> io::Result<Self> {
        let mut head = [0; HEAD_BYTES];
        File::open(path)?.read_exact(&mut head)?;
        let long = |at: usize| u64::from_le_bytes(head[at..at + 8].try_into().expect("eight bytes"));
        let int = |at: usize| u32::from_le_bytes(head[at..at + 4].try_into().expect("four bytes"));
        Ok(Self { timeline: int(4), begins: long(8), system: long(24), size: int(32).into() })
    }
}

/// As PostgreSQL writes it.
fn position(at: u64) -> String {
    format!("{:X}/{:X}", at >> 32, at & 0xFFFF_FFFF)
}

/// First and last time, and whether time went back.
type Times = (Option<(Timestamp, Timestamp)>, bool);

fn committed(path: &Path, program: &Path) -> io::Result<Times> {
    // It ends with an error where the piece does: the next one is not its to be read.
    let output = Command::new(program)
        .arg("--rmgr=Transaction")
        .arg(path)
        .env("TZ", "UTC")
        .stdin(Stdio::null())
        .stderr(Stdio::null())
        .output()?;
    Ok(of(String::from_utf8_lossy(&output.stdout).lines().filter_map(time)))
}

/// The time of a line about a transaction's end.
fn time(line: &str) -> Option<Timestamp> {
    let said = line.split_once("desc: ")?.1;
    let ended = said.starts_with("COMMIT") || said.starts_with("ABORT");
    let mut words = said.split(' ').skip_while(|word| !(word.len() == 10 && word.as_bytes()[4] == b'-'));
    let text = format!("{}T{}", words.next()?, words.next()?.trim_end_matches(';'));
    let civil: DateTime = text.parse().ok().filter(|_| ended)?;
    Some(civil.to_zoned(TimeZone::UTC).ok()?.timestamp())
}

/// Times in the order of the log.
pub(super) fn of(times: impl Iterator<Item = Timestamp>) -> Times {
    let (mut span, mut back) = (None::<(Timestamp, Timestamp)>, false);
    for at in times {
        let (first, last) = span.unwrap_or((at, at));
        back |= at.as_millisecond() < last.as_millisecond() - SLACK_MS;
        span = Some((first.min(at), last.max(at)));
    }
    (span, back)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_times_of_commits_are_read_as_they_are_printed() {
        let line = "rmgr: Transaction len (rec/tot):     46/    46, tx:        742, lsn: 0/01A2B3C8, prev 0/01A2B380, desc: COMMIT 2030-01-31 17:02:03.123456 UTC; inval msgs: catcache 80";
        assert_eq!(time(line), Some("2030-01-31T17:02:03.123456Z".parse().expect("a time")));
        let prepared = "… desc: COMMIT_PREPARED gid x: 2030-01-31 17:02:03.5 UTC";
        assert_eq!(time(prepared), Some("2030-01-31T17:02:03.5Z".parse().expect("a time")));
        assert_eq!(time("… desc: ASSIGNMENT xtop 7: subxacts: 8"), None);
        assert_eq!(time("garbage"), None);
    }

    #[test]
    fn a_piece_is_the_last_until_the_next_is_begun() {
        let folder = tempfile::tempdir().expect("a folder");
        let size = 16_u64 << 20;
        let write = |name: &str, begins: u64| {
            let mut head = [0_u8; HEAD_BYTES];
            head[4..8].copy_from_slice(&1_u32.to_le_bytes());
            head[8..16].copy_from_slice(&begins.to_le_bytes());
            head[32..36].copy_from_slice(&16_777_216_u32.to_le_bytes());
            std::fs::write(folder.path().join(name), head).expect("it is written");
        };
        // The last of one four GiB, so that the next one's name is another in both parts.
        let (name, next) = ("0000000100000002000000FF", "000000010000000300000000");
        write(name, (3 << 32) - size);
        let last = || is_last(&folder.path().join(name), name).expect("it is looked at");
        assert!(last(), "there is none after it");
        write(next, 1 << 32);
        assert!(last(), "an older one under a new name");
        std::fs::write(folder.path().join(next), [0; 8192]).expect("it is written");
        assert!(last(), "one that was made ready");
        write(next, 3 << 32);
        assert!(!last());
        assert!(!is_last(&folder.path().join(name), "00000002.history").expect("it is no piece"));
    }

    #[test]
    fn time_that_goes_back_is_noticed_and_a_little_is_none() {
        let at = |seconds: i64| Timestamp::from_second(seconds).expect("a time");
        let told = |seconds: &[i64]| of(seconds.iter().copied().map(at));
        assert_eq!(told(&[]), (None, false));
        assert_eq!(told(&[10, 12, 11, 13]), (Some((at(10), at(13))), false));
        assert_eq!(told(&[100, 110, 50, 60]), (Some((at(50), at(110))), true));
    }
}
