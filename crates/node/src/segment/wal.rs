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
    let piece = name.len() == 24 && name.bytes().all(|byte| byte.is_ascii_hexdigit());
    if !piece {
        return Ok(Content::default());
    }
    let mut head = [0; HEAD_BYTES];
    File::open(path)?.read_exact(&mut head)?;
    let long = |at: usize| u64::from_le_bytes(head[at..at + 8].try_into().expect("eight bytes"));
    let int = |at: usize| u32::from_le_bytes(head[at..at + 4].try_into().expect("four bytes"));
    let (timeline, begins, system, size) = (int(4), long(8), long(24), u64::from(int(32)));
    let (times, back) = committed(path, times)?;
    Ok(Content {
        system: format!("{system} timeline {timeline}"),
        begins: position(begins),
        ends: position(begins + size),
        times,
        back,
    })
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
    fn time_that_goes_back_is_noticed_and_a_little_is_none() {
        let at = |seconds: i64| Timestamp::from_second(seconds).expect("a time");
        let told = |seconds: &[i64]| of(seconds.iter().copied().map(at));
        assert_eq!(told(&[]), (None, false));
        assert_eq!(told(&[10, 12, 11, 13]), (Some((at(10), at(13))), false));
        assert_eq!(told(&[100, 110, 50, 60]), (Some((at(50), at(110))), true));
    }
}
