//! The copy of the table on disk, so that the edge serves after a restart with node and control gone.
//!
//! One file: a first line with the whole table, then a line for each change since. A line is a checksum and the message as
//! the node sent it. A change is appended before it is acknowledged, so it survives the edge being killed, and synced right
//! after, so it survives the machine. When the changes outgrow the table, the file is written anew beside the old one,
//! synced, and renamed. A torn line, and everything after it, is refused at load.

use crate::error::Error;
use crate::table::{Change, Table};
use flate2::Crc;
use husorden_base::site::ToEdge;
use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::{Arc, mpsc};
use tokio::sync::oneshot;

/// A file with more bytes is no table of ours.
const FILE_BYTES_MAX: u64 = 1 << 30;
/// Changes are folded into the table when they outweigh it and this.
const CHANGES_BYTES_MIN: u64 = 1 << 20;

/// The generation of a message.
pub(crate) fn generation(message: &ToEdge) -> u64 {
    match message {
        ToEdge::Table { generation, .. } | ToEdge::Set { generation, .. } | ToEdge::Drop { generation, .. } => {
            *generation
        }
    }
}

/// Loads what the file holds into the table, up to the first line that is torn or does not follow.
pub(crate) fn load(path: &Path, table: &Table) -> Result<(), Error> {
    let bytes = match File::open(path).and_then(|file| {
        let length = file.metadata()?.len();
        if length > FILE_BYTES_MAX {
            return Err(io::Error::other(format!("{length} bytes are no table")));
        }
        std::fs::read(path)
    }) {
        Ok(bytes) => bytes,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(source) => return Err(Error::State { path: path.to_owned(), source }),
    };
    for (number, line) in bytes.split_inclusive(|&byte| byte == b'\n').enumerate() {
        let message = match parse(line) {
            Ok(message) => message,
            Err(reason) => {
                tracing::warn!(path = %path.display(), line = number + 1, reason, held = table.generation(),
                    "the kept table is torn: this line and those after it are refused");
                break;
            }
        };
        if (number == 0) != matches!(message, ToEdge::Table { .. }) {
            tracing::warn!(path = %path.display(), line = number + 1, "the kept table is out of order: refused from here on");
            break;
        }
        let offered = generation(&message);
        match table.apply(message) {
            Change::Done { .. } => {}
            // The table was folded while the change waited to be written: it holds the change already.
            Change::Older { .. } => {}
            Change::Gap { held, .. } => {
                tracing::warn!(path = %path.display(), line = number + 1, offered, held,
                    "a kept change does not follow: refused from here on");
                break;
            }
        }
    }
    Ok(())
}

fn parse(line: &[u8]) -> Result<ToEdge, &'static str> {
    let line = line.strip_suffix(b"\n").ok_or("it has no end")?;
    let (sum, json) = line.split_at_checked(9).ok_or("it is too short")?;
    if sum[8] != b' ' || sum[..8] != checksum(json)[..] {
        return Err("its checksum differs");
    }
    serde_json::from_slice(json).map_err(|_| "it is no message")
}

fn checksum(json: &[u8]) -> Vec<u8> {
    let mut crc = Crc::new();
    crc.update(json);
    format!("{:08x}", crc.sum()).into_bytes()
}

fn line(json: &[u8]) -> Vec<u8> {
    let mut line = checksum(json);
    line.push(b' ');
    line.extend_from_slice(json);
    line.push(b'\n');
    line
}

enum Job {
    Change { json: Vec<u8>, written: oneshot::Sender<()> },
    Whole { json: Vec<u8>, written: oneshot::Sender<()> },
    Stop,
}

/// The thread that writes the file.
#[derive(Debug)]
pub(crate) struct Keeper {
    jobs: mpsc::Sender<Job>,
    thread: Option<std::thread::JoinHandle<()>>,
}

impl Keeper {
    pub(crate) fn start(path: PathBuf, table: Arc<Table>) -> Result<Self, Error> {
        let (jobs, queue) = mpsc::channel();
        let thread = std::thread::Builder::new()
            .name("edge-keeper".to_owned())
            .spawn(move || Writer { path, table, file: None, whole_bytes: 0, changes_bytes: 0 }.run(&queue))
            .map_err(Error::Thread)?;
        Ok(Self { jobs, thread: Some(thread) })
    }

    /// Hands over one message, `json` being its line without the line feed. What is returned resolves once it is
    /// written, or with an error once that failed, which is logged here.
    pub(crate) fn keep(&self, json: Vec<u8>, whole: bool) -> oneshot::Receiver<()> {
        let (written, done) = oneshot::channel();
        let job = if whole { Job::Whole { json, written } } else { Job::Change { json, written } };
        // A thread that is gone drops the sender, which the receiver sees.
        let _ = self.jobs.send(job);
        done
    }
}

impl Drop for Keeper {
    fn drop(&mut self) {
        let _ = self.jobs.send(Job::Stop);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

struct Writer {
    path: PathBuf,
    table: Arc<Table>,
    file: Option<File>,
    whole_bytes: u64,
    changes_bytes: u64,
}

impl Writer {
    fn run(mut self, queue: &mpsc::Receiver<Job>) {
        while let Ok(job) = queue.recv() {
            let mut next = Some(job);
            // Everything that waits is written before it is synced once.
            while let Some(job) = next.take() {
                let (result, written) = match job {
                    Job::Stop => return self.sync(),
                    Job::Change { json, written } => (self.append(&json), written),
                    Job::Whole { json, written } => (self.replace(&json), written),
                };
                match result {
                    Ok(()) => {
                        let _ = written.send(());
                    }
                    Err(error) => {
                        tracing::error!(path = %self.path.display(), %error, "cannot keep the table on disk");
                        self.file = None;
                    }
                }
                next = queue.try_recv().ok();
            }
            self.sync();
            if self.file.is_none() || self.changes_bytes > self.whole_bytes.max(CHANGES_BYTES_MIN) {
                self.fold();
            }
        }
    }

    fn append(&mut self, json: &[u8]) -> io::Result<()> {
        let Some(file) = &mut self.file else {
            // First change since the start: the file is written anew from memory, which holds the change already.
            let whole = self.whole()?;
            return self.replace(&whole);
        };
        let line = line(json);
        file.write_all(&line)?;
        self.changes_bytes += line.len() as u64;
        Ok(())
    }

    fn replace(&mut self, json: &[u8]) -> io::Result<()> {
        let line = line(json);
        let beside = self.path.with_extension("new");
        let mut file = OpenOptions::new().create(true).truncate(true).write(true).mode(0o600).open(&beside)?;
        file.write_all(&line)?;
        file.sync_data()?;
        std::fs::rename(&beside, &self.path)?;
        if let Some(directory) = self.path.parent() {
            File::open(directory)?.sync_all()?;
        }
        self.file = Some(file);
        self.whole_bytes = line.len() as u64;
        self.changes_bytes = 0;
        Ok(())
    }

    fn whole(&self) -> io::Result<Vec<u8>> {
        // The generation is read before the sites: a change between the two is then appended again on top, which a load
        // takes; the other order would lose it.
        let generation = self.table.generation();
        let sites = self.table.sites().iter().map(|state| state.site.clone()).collect();
        serde_json::to_vec(&ToEdge::Table { generation, sites }).map_err(io::Error::other)
    }

    fn fold(&mut self) {
        let result = self.whole().and_then(|json| self.replace(&json));
        if let Err(error) = result {
            tracing::error!(path = %self.path.display(), %error, "cannot fold the kept table");
        }
    }

    fn sync(&mut self) {
        if let Some(file) = &self.file
            && let Err(error) = file.sync_data()
        {
            tracing::error!(path = %self.path.display(), %error, "cannot sync the kept table");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::table::tests::site;

    fn message_json(message: &ToEdge) -> Vec<u8> {
        serde_json::to_vec(message).expect("serialises")
    }

    #[tokio::test]
    async fn what_was_kept_is_loaded_up_to_a_torn_line() {
        let directory = tempfile::tempdir().expect("a directory");
        let path = directory.path().join("table");
        let table = Arc::new(Table::default());
        let keeper = Keeper::start(path.clone(), Arc::clone(&table)).expect("a thread");
        let (a, b) = (site(1, &["a.example"]), site(2, &["b.example"]));
        for message in [
            ToEdge::Table { generation: 7, sites: vec![a.clone()] },
            ToEdge::Set { generation: 8, site: Box::new(b) },
            ToEdge::Drop { generation: 9, solution: a.solution },
        ] {
            let (json, whole) = (message_json(&message), matches!(message, ToEdge::Table { .. }));
            table.apply(message);
            keeper.keep(json, whole).await.expect("written");
        }
        drop(keeper);

        let loaded = Table::default();
        load(&path, &loaded).expect("readable");
        assert_eq!(loaded.generation(), 9);
        assert!(loaded.find("a.example").is_none() && loaded.find("b.example").is_some());

        // The last line is torn in the middle: the two before it hold.
        let bytes = std::fs::read(&path).expect("readable");
        std::fs::write(&path, &bytes[..bytes.len() - 9]).expect("writable");
        let loaded = Table::default();
        load(&path, &loaded).expect("readable");
        assert_eq!(loaded.generation(), 8);

        // One byte of the table itself is wrong: nothing is believed.
        let mut wrong = bytes.clone();
        wrong[40] ^= 1;
        std::fs::write(&path, &wrong).expect("writable");
        let loaded = Table::default();
        load(&path, &loaded).expect("readable");
        assert_eq!(loaded.generation(), 0);

        // An older table behind a newer one is refused as well.
        let older = line(&message_json(&ToEdge::Table { generation: 3, sites: Vec::new() }));
        std::fs::write(&path, [bytes, older].concat()).expect("writable");
        let loaded = Table::default();
        load(&path, &loaded).expect("readable");
        assert_eq!(loaded.generation(), 9);
    }
}
