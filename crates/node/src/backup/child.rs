//! The driver of a child: it makes the sandbox with the volume's folders and the one way to the target, gives it its job, hears how far it is, and ends it
//! when its time is up, when somebody says so, or when the node ends.

use super::fault::{gone, refusal};
use super::job::{Came, JOB_BYTES_MAX, Job, LINE_BYTES_MAX, Said, Work};
use super::stage;
use super::way;
use crate::Node;
use crate::sandbox::{Aside, ResolvedBind};
use husorden_base::{Number, Refusal};
use husorden_wire::node::{Repository, Secrets};
use std::fs::File;
use std::io::{self, Read, Write};
use std::os::fd::OwnedFd;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};
use tracing::{debug, warn};

/// Pause between two looks at it.
const LOOK: Duration = Duration::from_millis(100);
/// Pause between two questions whether it is to stop.
const ASK: Duration = Duration::from_secs(1);
/// Last words that are kept, where they are none of ours.
const WORDS_BYTES_MAX: usize = 4 << 10;

/// Children get a name each.
static COUNT: AtomicU32 = AtomicU32::new(0);

/// Work for a child.
pub(crate) struct Errand<'a> {
    /// As whose uid: the solution whose repository it is, for the files of a folder target are its own.
    pub(crate) number: Number,
    /// What it is called: `backup`, `restore`, `read`, `prove`.
    pub(crate) name: &'a str,
    /// Where the repository lies.
    pub(crate) repository: &'a Repository,
    /// What opens it.
    pub(crate) secrets: &'a Secrets,
    /// What is to be done.
    pub(crate) work: Work,
    /// What is bound beside the target; see [`folders`].
    pub(crate) binds: Vec<ResolvedBind>,
    /// Where what is handed out goes.
    pub(crate) into: Option<OwnedFd>,
    /// The longest it may take.
    pub(crate) limit: Duration,
    /// Asked about once a second: why it is to stop.
    pub(crate) stop: &'a dyn Fn() -> Option<Refusal>,
}

/// Binds of folders of a volume, or of a snapshot, beneath a place inside.
pub(crate) fn folders(from: &std::path::Path, names: &[String], inside: &str, write: bool) -> Vec<ResolvedBind> {
    let bind = |name: &String| ResolvedBind { from: from.join(name), to: format!("{inside}/{name}"), write };
    names.iter().map(bind).collect()
}

/// Does it, and says what came of it; `progress` hears bytes that are done, and of how many as far as that is known.
///
/// # Errors
/// Why it did not come about, for whoever asked.
pub(crate) fn run(node: &Node, errand: Errand<'_>, progress: &mut dyn FnMut(u64, u64)) -> Result<Came, Refusal> {
    let first = matches!(
        errand.work,
        Work::Write { first: true, .. } | Work::Append { first: true, .. } | Work::Find { first: true, .. }
    );
    let way = way::open(node, errand.number, errand.repository, errand.secrets, first)?;
    let mut binds = errand.binds;
    binds.extend(way.binds());
    let limit_s = u32::try_from(errand.limit.as_secs()).unwrap_or(u32::MAX).max(1);
    let job = Job {
        way: way.inside(),
        password: errand.secrets.repository.clone(),
        account: way.account(errand.secrets),
        bytes_per_second: errand.repository.bytes_per_second,
        limit_s,
        work: errand.work,
    };
    let line = husorden_base::Secret::new(serde_json::to_string(&job).expect("plain data has a JSON form"));
    drop(job);
    if line.reveal().len() as u64 >= JOB_BYTES_MAX {
        return Err(refusal(super::job::FaultOf::Limit, "what is noted beside the backup is too long"));
    }
    let ours = |error: io::Error| crate::verbs::ours(&error);
    let sandbox = stage::sandbox(&["copy"]);
    let resolved = stage::resolved(node, binds).map_err(ours)?;
    let (job_reader, job_writer) = io::pipe().map_err(ours)?;
    let (said, mouth) = io::pipe().map_err(ours)?;
    let out = errand.into.map_or_else(|| File::options().write(true).open("/dev/null").map(OwnedFd::from), Ok);
    let streams = [OwnedFd::from(job_reader), out.map_err(ours)?, OwnedFd::from(mouth)];
    // Several may be at work for one number, such as two who look into its backups.
    let name = format!("{}-{}", errand.name, COUNT.fetch_add(1, Ordering::Relaxed));
    let aside = node
        .sandboxes
        .aside(errand.number, &name, &sandbox, &resolved, streams)
        .map_err(|error| crate::verbs::ours(&error))?;
    let heard = std::thread::scope(|scope| {
        // It lives as long as the job is wanted: its end is what tells the child that nobody waits any more.
        let mut job_writer = job_writer;
        // A child that is gone before it has read all of it shows by its end.
        let writing = scope.spawn(move || {
            let _ = job_writer.write_all(line.reveal().as_bytes()).and_then(|()| job_writer.write_all(b"\n"));
            job_writer
        });
        let heard = listen(node, &aside, said, Instant::now() + errand.limit, errand.stop, progress);
        if heard.is_err() {
            aside.kill();
        }
        drop(writing.join());
        heard
    });
    let ended = aside.end();
    drop(way);
    match heard? {
        Heard { last: Some(Said::Done { came }), .. } => Ok(came),
        Heard { last: Some(Said::Fault { of, text }), .. } => {
            warn!(number = %errand.number, errand = errand.name, ?of, text, "work at a backup target did not come about");
            Err(refusal(of, &text))
        }
        Heard { words, .. } => {
            warn!(number = %errand.number, errand = errand.name, exit = %ended.exit, ended.out_of_memory, words, "a child of the backup ended without a word");
            Err(gone(ended.out_of_memory))
        }
    }
}

/// What was heard of a child.
#[derive(Default)]
struct Heard {
    /// Its last line, when that is one that ends.
    last: Option<Said>,
    /// What it said beside lines.
    words: String,
}

/// Hears a child to its end.
fn listen(
    node: &Node,
    aside: &Aside,
    said: io::PipeReader,
    until: Instant,
    stop: &dyn Fn() -> Option<Refusal>,
    progress: &mut dyn FnMut(u64, u64),
) -> Result<Heard, Refusal> {
    let mut said = File::from(OwnedFd::from(said));
    let quiet = rustix::fs::fcntl_getfl(&said)
        .and_then(|flags| rustix::fs::fcntl_setfl(&said, flags | rustix::fs::OFlags::NONBLOCK));
    quiet.map_err(|error| crate::verbs::ours(&io::Error::from(error)))?;
    let mut lines = Lines::default();
    let mut heard = Heard::default();
    let mut asked = Instant::now();
    loop {
        let ended = aside.wait(LOOK);
        for line in lines.read(&mut said) {
            match serde_json::from_slice(&line) {
                Ok(Said::Progress { done, of }) => progress(done, of),
                Ok(last) => heard.last = Some(last),
                Err(_) => {
                    let words = String::from_utf8_lossy(&line);
                    debug!(%words, "a child of the backup says");
                    if heard.words.len() < WORDS_BYTES_MAX {
                        heard.words.push_str(&words);
                        heard.words.push('\n');
                    }
                }
            }
        }
        if ended {
            return Ok(heard);
        }
        if node.ending() {
            return Err(refusal(super::job::FaultOf::Stopped, "the node is ending"));
        }
        if Instant::now() >= until {
            return Err(refusal(super::job::FaultOf::Deadline, "the node's own clock"));
        }
        if asked.elapsed() >= ASK {
            asked = Instant::now();
            if let Some(why) = stop() {
                return Err(why);
            }
        }
    }
}

/// Lines as they come.
#[derive(Default)]
struct Lines {
    begun: Vec<u8>,
}

impl Lines {
    /// The lines that are whole by now. One that is too long is cut into pieces, which are no lines of ours.
    fn read(&mut self, from: &mut impl Read) -> Vec<Vec<u8>> {
        let mut buffer = vec![0; 64 << 10];
        let mut whole = Vec::new();
        // At most what a pipe holds, many times over: who never stops talking holds nobody up.
        for _ in 0..64 {
            match from.read(&mut buffer) {
                Ok(0) => {
                    if !self.begun.is_empty() {
                        whole.push(std::mem::take(&mut self.begun));
                    }
                    break;
                }
                Ok(count) => {
                    for byte in &buffer[..count] {
                        if *byte == b'\n' || self.begun.len() >= LINE_BYTES_MAX {
                            whole.push(std::mem::take(&mut self.begun));
                        }
                        if *byte != b'\n' {
                            self.begun.push(*byte);
                        }
                    }
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(_) => break,
            }
        }
        whole
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_come_in_pieces_and_none_is_endless() {
        let mut lines = Lines::default();
        assert_eq!(lines.read(&mut &b"one\ntw"[..]), [b"one".to_vec(), b"tw".to_vec()], "the end ends a line");
        let long = vec![b'x'; LINE_BYTES_MAX + 10];
        let read: Vec<usize> = lines.read(&mut long.as_slice()).iter().map(Vec::len).collect();
        assert_eq!(read, [LINE_BYTES_MAX, 10]);
    }
}
