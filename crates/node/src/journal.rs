//! What a solution's services said, read for whoever may see it. Nothing of it is understood here: lines are compared as bytes, and a file
//! is opened only beneath its folder, never by a link.

use crate::Node;
use crate::volume::open_folder;
use husorden_base::{QuestionId, SolutionId};
use husorden_kinds::{Log, kind};
use husorden_wire::node::{ANSWER_BYTES_MAX, FromNode, Question};
use jiff::Timestamp;
use rustix::fs::{FileType, Mode, OFlags, ResolveFlags, fstat, openat2};
use std::collections::VecDeque;
use std::fs::File;
use std::io::{self, BufRead, BufReader, Read};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use tracing::warn;

/// Bytes read of one file at most.
const FILE_BYTES_MAX: u64 = 16 << 20;
/// A longer line is cut here.
const LINE_BYTES_MAX: usize = 16 << 10;
/// Length of the time that a line begins with.
const TIME_BYTES: usize = 20;
/// Questions that are answered at the same time; whoever asks more hears nothing.
const AT_ONCE_MAX: usize = 4;

static AT_ONCE: AtomicUsize = AtomicUsize::new(0);

/// Answers a question, on a thread of its own.
pub(crate) fn answer(node: &Arc<Node>, question: QuestionId, solution: SolutionId, about: Question) {
    if AT_ONCE.fetch_add(1, Ordering::Relaxed) >= AT_ONCE_MAX {
        AT_ONCE.fetch_sub(1, Ordering::Relaxed);
        return;
    }
    let asked = Arc::clone(node);
    let spawned = std::thread::Builder::new().name("answer".to_owned()).spawn(move || {
        let text = text(&asked, solution, &about);
        asked.voice.say(&FromNode::Answer { question, text });
        AT_ONCE.fetch_sub(1, Ordering::Relaxed);
    });
    if let Err(error) = spawned {
        AT_ONCE.fetch_sub(1, Ordering::Relaxed);
        warn!(%solution, %error, "no thread for a question");
    }
}

fn text(node: &Node, solution: SolutionId, about: &Question) -> Option<String> {
    let (search, since, lines) = match about {
        Question::Log { search, since, lines } => (search, since, lines),
        Question::Wish => return node.unwished(solution).and_then(|wish| serde_json::to_string(&wish).ok()),
        // They are handed out over connections of their own.
        Question::Screen | Question::Console => return None,
    };
    let wish = node.register.wish(solution)?;
    let Log { folder, file } = kind(&wish.kind)?.log()?;
    let mut tail = Tail::new(search.as_deref().unwrap_or_default(), *since, *lines);
    for name in [format!("{file}.1"), file.to_owned()] {
        match open(&node.volume(wish.number).folder(folder), &name) {
            Ok(file) => {
                if let Err(error) = tail.read(BufReader::new(file.take(FILE_BYTES_MAX))) {
                    warn!(%solution, %error, "a log could not be read to its end");
                }
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => warn!(%solution, %error, "a log could not be opened"),
        }
    }
    Some(tail.text())
}

/// Opens a regular file of a folder, whatever the solution has put in its place.
fn open(folder: &Path, name: &str) -> io::Result<File> {
    let resolve = ResolveFlags::BENEATH | ResolveFlags::NO_SYMLINKS | ResolveFlags::NO_XDEV;
    let flags = OFlags::RDONLY | OFlags::CLOEXEC | OFlags::NONBLOCK | OFlags::NOFOLLOW;
    let file = openat2(open_folder(folder)?, name, flags, Mode::empty(), resolve)?;
    if FileType::from_raw_mode(fstat(&file)?.st_mode) != FileType::RegularFile {
        return Err(io::Error::other("it is no regular file"));
    }
    Ok(File::from(file))
}

/// The newest lines of those that are asked for.
struct Tail {
    search: Vec<u8>,
    since: Vec<u8>,
    most: usize,
    lines: VecDeque<Vec<u8>>,
    bytes: usize,
}

impl Tail {
    fn new(search: &str, since: Option<Timestamp>, most: usize) -> Self {
        // Lines have whole seconds, in the same form, so that they are compared as they stand.
        let since = since.map(|at| at.strftime("%Y-%m-%dT%H:%M:%SZ").to_string()).unwrap_or_default();
        let search = search.to_ascii_lowercase().into_bytes();
        Self { search, since: since.into_bytes(), most, lines: VecDeque::new(), bytes: 0 }
    }

    fn read(&mut self, mut from: impl BufRead) -> io::Result<()> {
        let mut line = Vec::new();
        loop {
            line.clear();
            if from.read_until(b'\n', &mut line)? == 0 {
                return Ok(());
            }
            if line.last() == Some(&b'\n') {
                line.pop();
            }
            line.truncate(LINE_BYTES_MAX);
            self.take(&line);
        }
    }

    fn take(&mut self, line: &[u8]) {
        let Some((time, said)) = line.split_at_checked(TIME_BYTES) else { return };
        let found = self.search.is_empty()
            || said.to_ascii_lowercase().windows(self.search.len()).any(|window| window == self.search);
        if time < self.since.as_slice() || !found {
            return;
        }
        self.bytes += line.len() + 1;
        self.lines.push_back(line.to_vec());
        while self.lines.len() > self.most || self.bytes > ANSWER_BYTES_MAX {
            let Some(oldest) = self.lines.pop_front() else { break };
            self.bytes -= oldest.len() + 1;
        }
    }

    fn text(self) -> String {
        let lines: Vec<Vec<u8>> = self.lines.into();
        String::from_utf8_lossy(&lines.join(&b'\n')).into_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SAID: &str =
        "2026-01-01T10:00:00Z ready\n2026-01-01T10:00:01Z ERROR: one\nshort\n2026-01-01T10:00:02Z error: two\n";

    fn tail(search: &str, since: Option<&str>, most: usize) -> String {
        let since = since.map(|at| at.parse().expect("a time"));
        let mut tail = Tail::new(search, since, most);
        tail.read(SAID.as_bytes()).expect("it is read");
        tail.text()
    }

    #[test]
    fn the_newest_lines_that_are_asked_for() {
        assert_eq!(tail("", None, 10).lines().count(), 3);
        assert_eq!(tail("", None, 1), "2026-01-01T10:00:02Z error: two");
        assert_eq!(tail("Error", None, 10), "2026-01-01T10:00:01Z ERROR: one\n2026-01-01T10:00:02Z error: two");
        assert_eq!(tail("", Some("2026-01-01T10:00:02Z"), 10), "2026-01-01T10:00:02Z error: two");
        // A time is no word that is looked for.
        assert_eq!(tail("2026", None, 10), "");
        assert_eq!(tail("", None, 0), "");
    }

    #[test]
    fn what_is_answered_has_an_end() {
        let mut tail = Tail::new("", None, 1_000_000);
        let line = format!("2026-01-01T10:00:00Z {}\n", "x".repeat(40_000));
        tail.read(line.repeat(50).as_bytes()).expect("it is read");
        let text = tail.text();
        assert!(
            text.len() <= ANSWER_BYTES_MAX && text.lines().all(|line| line.len() == LINE_BYTES_MAX),
            "{}",
            text.len()
        );
    }

    #[test]
    fn only_a_regular_file_beneath_the_folder_is_opened() {
        let place = tempfile::tempdir().expect("a folder");
        std::fs::write(place.path().join("secret"), "x").expect("a file");
        let folder = place.path().join("log");
        std::fs::create_dir(&folder).expect("a folder");
        std::os::unix::fs::symlink("../secret", folder.join("link")).expect("a link");
        std::fs::create_dir(folder.join("folder")).expect("a folder");
        std::fs::write(folder.join("db.log"), "x").expect("a file");
        for name in ["link", "folder", "../secret", "absent"] {
            assert!(open(&folder, name).is_err(), "{name}");
        }
        assert!(open(&folder, "db.log").is_ok());
    }
}
