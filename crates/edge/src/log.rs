//! The log phase: an access log and an error log for each site, written by one thread and bounded in size.
//!
//! Lines are gathered per worker and handed over about once a second, so that a request costs a formatted line and no
//! system call. If the disk is too slow, lines are dropped and the number of them is logged; requests never wait.
//!
//! An access line is the combined format and the duration in seconds. What a client sent is escaped, so that a line stays
//! one line and a quote stays inside its quotes.

use crate::error::Error;
use crate::respond::Ticket;
use http::HeaderMap;
use http::header::{HeaderName, REFERER, USER_AGENT};
use husorden_base::Number;
use std::cell::RefCell;
use std::collections::HashMap;
use std::fmt::Write as _;
use std::fs::{DirBuilder, File, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, mpsc};
use std::time::{Duration, Instant};

/// Lines one worker gathers before it hands them over early.
const GATHERED_BYTES_MAX: usize = 256 << 10;
/// Hand-overs that may wait for the disk.
const QUEUE_MAX: usize = 64;
const OPEN_FILES_MAX: usize = 128;
/// Open files are let go this often, so that a removed site's log is not held.
const REOPEN_AFTER: Duration = Duration::from_secs(10);
/// Longest piece of a client's text in a line.
const FIELD_BYTES_MAX: usize = 2 << 10;
/// Longest line of a site's own error output.
const ERROR_LINE_BYTES_MAX: usize = 8 << 10;

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Which {
    Access,
    Error,
}

impl Which {
    fn file_name(self) -> &'static str {
        match self {
            Self::Access => "access.log",
            Self::Error => "error.log",
        }
    }
}

type Batch = HashMap<(Number, Which), String>;

thread_local! {
    static GATHERED: RefCell<Gathered> = RefCell::default();
}

#[derive(Default)]
struct Gathered {
    batch: Batch,
    bytes: usize,
    stamp: (i64, String),
}

impl Gathered {
    /// The time as both logs write it, formatted once a second.
    fn stamp(&mut self) -> &str {
        let now = jiff::Timestamp::now();
        if self.stamp.0 != now.as_second() || self.stamp.1.is_empty() {
            self.stamp = (now.as_second(), now.strftime("%d/%b/%Y:%H:%M:%S +0000").to_string());
        }
        &self.stamp.1
    }

    fn add(&mut self, number: Number, which: Which, write: impl FnOnce(&mut String, &str)) {
        let stamp = self.stamp().to_owned();
        let text = self.batch.entry((number, which)).or_default();
        let before = text.len();
        write(text, &stamp);
        self.bytes += text.len() - before;
    }
}

/// Logs a request that is over.
pub(crate) fn access(ticket: &Ticket) {
    let full = GATHERED.with_borrow_mut(|gathered| {
        gathered.add(ticket.site.site.number, Which::Access, |text, stamp| {
            let request = &ticket.request;
            let target = request.uri.path_and_query().map_or("*", |target| target.as_str());
            // Writing to a string cannot fail.
            let _ = write!(text, "{} - - [{stamp}] \"{} ", ticket.connection.peer.address, request.method);
            escape(text, target.as_bytes());
            let _ = write!(text, " {:?}\" {} {} \"", request.version, ticket.status.as_u16(), ticket.sent_bytes);
            field(text, &request.headers, REFERER);
            text.push_str("\" \"");
            field(text, &request.headers, USER_AGENT);
            let _ = writeln!(text, "\" {:.6}", ticket.started.elapsed().as_secs_f64());
        });
        gathered.bytes > GATHERED_BYTES_MAX
    });
    if full {
        flush(&ticket.connection.edge.logs);
    }
}

/// Logs what a site's program wrote to its error stream, or what the edge has to say to its owner.
pub(crate) fn error(logs: &Logs, number: Number, message: &[u8]) {
    let full = GATHERED.with_borrow_mut(|gathered| {
        for line in message.split(|&byte| byte == b'\n').filter(|line| !line.is_empty()) {
            gathered.add(number, Which::Error, |text, stamp| {
                let _ = write!(text, "[{stamp}] ");
                escape(text, &line[..line.len().min(ERROR_LINE_BYTES_MAX)]);
                text.push('\n');
            });
        }
        gathered.bytes > GATHERED_BYTES_MAX
    });
    if full {
        flush(logs);
    }
}

fn field(text: &mut String, headers: &HeaderMap, name: HeaderName) {
    match headers.get(name) {
        Some(value) => escape(text, &value.as_bytes()[..value.len().min(FIELD_BYTES_MAX)]),
        None => text.push('-'),
    }
}

fn escape(text: &mut String, bytes: &[u8]) {
    for &byte in bytes {
        match byte {
            b'"' | b'\\' | 0..=31 | 127.. => {
                let _ = write!(text, "\\x{byte:02X}");
            }
            plain => text.push(char::from(plain)),
        }
    }
}

/// Hands over what this thread has gathered.
pub(crate) fn flush(logs: &Logs) {
    let (batch, bytes) =
        GATHERED.with_borrow_mut(|gathered| (std::mem::take(&mut gathered.batch), std::mem::take(&mut gathered.bytes)));
    if bytes > 0 && logs.queue.try_send(Job::Batch(batch)).is_err() {
        logs.dropped_bytes.fetch_add(bytes as u64, Relaxed);
    }
}

enum Job {
    Batch(Batch),
    Stop,
}

/// Where the workers hand over.
#[derive(Clone, Debug)]
pub(crate) struct Logs {
    queue: mpsc::SyncSender<Job>,
    dropped_bytes: Arc<AtomicU64>,
}

impl Logs {
    /// Starts the thread that writes beneath `directory`.
    pub(crate) fn start(
        directory: PathBuf,
        bytes_max: u64,
        files_max: u32,
    ) -> Result<(Self, std::thread::JoinHandle<()>), Error> {
        let (queue, jobs) = mpsc::sync_channel(QUEUE_MAX);
        let dropped_bytes = Arc::new(AtomicU64::new(0));
        let writer =
            Writer { directory, bytes_max, files_max, open: HashMap::new(), opened: Instant::now(), failed: false };
        let thread = std::thread::Builder::new()
            .name("edge-logs".to_owned())
            .spawn({
                let dropped_bytes = Arc::clone(&dropped_bytes);
                move || writer.run(&jobs, &dropped_bytes)
            })
            .map_err(Error::Thread)?;
        Ok((Self { queue, dropped_bytes }, thread))
    }

    /// Ends the thread once everything handed over is written.
    pub(crate) fn stop(&self) {
        let _ = self.queue.send(Job::Stop);
    }
}

struct Writer {
    directory: PathBuf,
    bytes_max: u64,
    files_max: u32,
    open: HashMap<(Number, Which), (File, u64)>,
    opened: Instant,
    failed: bool,
}

impl Writer {
    fn run(mut self, jobs: &mpsc::Receiver<Job>, dropped_bytes: &AtomicU64) {
        while let Ok(Job::Batch(batch)) = jobs.recv() {
            if self.open.len() > OPEN_FILES_MAX || self.opened.elapsed() > REOPEN_AFTER {
                self.open.clear();
                self.opened = Instant::now();
            }
            for (log, text) in batch {
                match self.write(log, text.as_bytes()) {
                    Ok(()) => self.failed = false,
                    Err(error) => {
                        self.open.remove(&log);
                        if !std::mem::replace(&mut self.failed, true) {
                            tracing::error!(site = %log.0, %error, "cannot write a site's log");
                        }
                    }
                }
            }
            let dropped = dropped_bytes.swap(0, Relaxed);
            if dropped > 0 {
                tracing::warn!(bytes = dropped, "the log disk is too slow: lines were dropped");
            }
        }
    }

    fn write(&mut self, log: (Number, Which), text: &[u8]) -> io::Result<()> {
        let path = self.directory.join(log.0.to_string()).join(log.1.file_name());
        if self.open.get(&log).is_some_and(|(_, bytes)| bytes + text.len() as u64 > self.bytes_max) {
            self.open.remove(&log);
            turn_over(&path, self.files_max)?;
        }
        let (file, bytes) = match self.open.entry(log) {
            std::collections::hash_map::Entry::Occupied(open) => open.into_mut(),
            std::collections::hash_map::Entry::Vacant(place) => {
                let mut file = open(&path)?;
                let mut bytes = file.metadata()?.len();
                if bytes > 0 && bytes + text.len() as u64 > self.bytes_max {
                    turn_over(&path, self.files_max)?;
                    file = open(&path)?;
                    bytes = 0;
                }
                place.insert((file, bytes))
            }
        };
        file.write_all(text)?;
        *bytes += text.len() as u64;
        Ok(())
    }
}

fn open(path: &Path) -> io::Result<File> {
    let open = || OpenOptions::new().create(true).append(true).mode(0o640).open(path);
    match (open(), path.parent()) {
        (Err(error), Some(directory)) if error.kind() == io::ErrorKind::NotFound => {
            DirBuilder::new().recursive(true).mode(0o750).create(directory)?;
            open()
        }
        (result, _) => result,
    }
}

/// Renames `x.log` to `x.log.1`, `x.log.1` to `x.log.2`, and so on; the last one falls off.
fn turn_over(path: &Path, files_max: u32) -> io::Result<()> {
    let numbered = |number: u32| {
        let mut name = path.as_os_str().to_owned();
        if number > 0 {
            name.push(format!(".{number}"));
        }
        PathBuf::from(name)
    };
    if files_max == 0 {
        return std::fs::remove_file(path);
    }
    for number in (0..files_max).rev() {
        match std::fs::rename(numbered(number), numbered(number + 1)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_client_sends_stays_one_field_of_one_line() {
        let mut text = String::new();
        escape(&mut text, b"a \"b\"\r\n\\ \xc3\xa6");
        assert_eq!(text, "a \\x22b\\x22\\x0D\\x0A\\x5C \\xC3\\xA6");
    }

    #[test]
    fn logs_turn_over_and_stay_bounded() {
        let directory = tempfile::tempdir().expect("a directory");
        let (logs, thread) = Logs::start(directory.path().to_owned(), 100, 2).expect("a thread");
        let number = Number::new(4).expect("4");
        for _ in 0..10 {
            error(&logs, number, &[b'x'; 40]);
            flush(&logs);
        }
        logs.stop();
        thread.join().expect("the writer");
        let mut names: Vec<_> = std::fs::read_dir(directory.path().join("4"))
            .expect("the site's directory")
            .map(|entry| entry.expect("an entry"))
            .map(|entry| {
                assert!(entry.metadata().expect("its size").len() <= 100);
                entry.file_name().into_string().expect("UTF-8")
            })
            .collect();
        names.sort();
        assert_eq!(names, ["error.log", "error.log.1", "error.log.2"]);
    }
}
