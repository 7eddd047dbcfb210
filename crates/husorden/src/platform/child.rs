//! The child that speaks with the target: without rights, with the repository's key in its memory, for as long as the pipe of its jobs is open.
//!
//! A job is a line of JSON on standard input, and its answer a line on standard output. The repository stays open between jobs, so that what
//! lies at the target is read once.

use super::way::{self, Way};
use crate::users;
use anyhow::{Context, Result, bail, ensure};
use husorden_backup::read::Want;
use husorden_backup::target::SshFiles;
use husorden_backup::{ALLOCATOR, Fault, Former, Id, Key, Moment, Options, Repository, Share, Source};
use husorden_base::Secret;
use husorden_wire::node::Address;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use std::fs::File;
use std::io::{BufRead, BufReader, Read, Write, stdin, stdout};
use std::os::fd::{AsFd, OwnedFd};
use std::path::PathBuf;
use std::process::{Child as Process, ChildStdin, ChildStdout, Command, ExitCode, Stdio};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

/// Threads that seal and open.
const WORKERS: usize = 2;
/// Longest line either way, in bytes.
const LINE_BYTES_MAX: usize = 1 << 20;
/// Backups that are told of.
const LISTED_MAX: usize = 5_000;

/// What is opened.
#[derive(Clone, Serialize, Deserialize)]
pub(crate) struct Opening {
    /// Where.
    pub(crate) address: Address,
    /// The repository's folder there.
    pub(crate) folder: String,
    /// What opens it.
    pub(crate) password: Secret,
    /// What the target's account is opened with.
    pub(crate) secret: Option<Secret>,
    /// Bytes a second at most.
    pub(crate) bytes_per_second: Option<u64>,
    /// Make it when there is none.
    pub(crate) make: bool,
}

/// A job.
#[derive(Serialize, Deserialize)]
#[serde(tag = "do", rename_all = "kebab-case")]
enum Job {
    Open(Box<Opening>),
    Write { stage: PathBuf, host: String, at: Timestamp },
    List,
    Restore { copy: String, into: PathBuf },
    Check,
}

/// What came of it.
#[derive(Debug, Serialize, Deserialize)]
#[serde(tag = "is", rename_all = "kebab-case")]
enum Came {
    Opened,
    Written(Written),
    Listed { copies: Vec<Listed> },
    Restored { files: u64, bytes: u64 },
    Checked { wrong: Vec<String> },
    Failed { why: String, passes: bool },
}

/// A backup that was written.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Written {
    /// Its name.
    pub(crate) copy: String,
    /// Bytes of its files.
    pub(crate) bytes: u64,
    /// Bytes that were sent.
    pub(crate) bytes_sent: u64,
}

/// A backup that is there.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Listed {
    /// Its name.
    pub(crate) copy: String,
    /// Of when it is.
    pub(crate) at: Timestamp,
    /// Where it was made.
    pub(crate) host: String,
}

/// The child, as who started it holds it. It ends with this.
pub(crate) struct Child {
    process: Process,
    jobs: Option<ChildStdin>,
    answers: BufReader<ChildStdout>,
}

impl Drop for Child {
    fn drop(&mut self) {
        drop(self.jobs.take());
        drop(self.process.kill());
        drop(self.process.wait());
    }
}

impl Child {
    /// Starts one, which opens a repository.
    pub(crate) fn open(opening: Opening) -> Result<Self> {
        let mut command = Command::new("/proc/self/exe");
        command.arg("platform-child").stdin(Stdio::piped()).stdout(Stdio::piped()).current_dir("/").env_clear();
        command.env("PATH", "/usr/bin:/bin").env(ALLOCATOR.0, ALLOCATOR.1);
        let mut process = command.spawn().context("starting the child that speaks with the target")?;
        let (jobs, answers) = (process.stdin.take(), process.stdout.take().context("a child has pipes")?);
        let mut child = Self { process, jobs, answers: BufReader::new(answers) };
        match child.ask(&Job::Open(Box::new(opening)))? {
            Came::Opened => Ok(child),
            _ => bail!("the child answered something else"),
        }
    }

    /// Writes what lies in a folder as a backup.
    pub(crate) fn write(&mut self, stage: PathBuf, host: &str, at: Timestamp) -> Result<Written> {
        match self.ask(&Job::Write { stage, host: host.to_owned(), at })? {
            Came::Written(written) => Ok(written),
            _ => bail!("the child answered something else"),
        }
    }

    /// The backups there are, the newest first.
    pub(crate) fn list(&mut self) -> Result<Vec<Listed>> {
        match self.ask(&Job::List)? {
            Came::Listed { copies } => Ok(copies),
            _ => bail!("the child answered something else"),
        }
    }

    /// Puts a backup back into an empty folder of the child's.
    pub(crate) fn restore(&mut self, copy: &str, into: PathBuf) -> Result<(u64, u64)> {
        match self.ask(&Job::Restore { copy: copy.to_owned(), into })? {
            Came::Restored { files, bytes } => Ok((files, bytes)),
            _ => bail!("the child answered something else"),
        }
    }

    /// What is wrong with the repository's structure.
    pub(crate) fn check(&mut self) -> Result<Vec<String>> {
        match self.ask(&Job::Check)? {
            Came::Checked { wrong } => Ok(wrong),
            _ => bail!("the child answered something else"),
        }
    }

    fn ask(&mut self, job: &Job) -> Result<Came> {
        let line = Secret::new(serde_json::to_string(job)? + "\n");
        let jobs = self.jobs.as_mut().context("the child has ended")?;
        jobs.write_all(line.reveal().as_bytes()).and_then(|()| jobs.flush()).context("giving the child its job")?;
        let mut text = String::new();
        self.answers.read_line(&mut text).context("hearing the child")?;
        ensure!(!text.is_empty(), "the child that speaks with the target ended; the role's log has its last words");
        match serde_json::from_str(&text).context("reading the child's answer")? {
            Came::Failed { why, passes: true } => Err(Passes(why).into()),
            Came::Failed { why, passes: false } => bail!("{why}"),
            came => Ok(came),
        }
    }
}

/// What hindered it may be over a little later: nothing was found to be wrong.
#[derive(Debug)]
pub(crate) struct Passes(pub(crate) String);

impl std::fmt::Display for Passes {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Passes {}

/// The child's own part.
pub(crate) fn inside() -> Result<ExitCode> {
    users::step_down(users::PLATFORM)?;
    let mut held: Option<Held> = None;
    let mut jobs = BufReader::new(stdin());
    loop {
        let mut line = String::new();
        let read = (&mut jobs).take(LINE_BYTES_MAX as u64).read_line(&mut line)?;
        if read == 0 {
            return Ok(ExitCode::SUCCESS);
        }
        let line = Secret::new(line);
        let came = serde_json::from_str::<Job>(line.reveal())
            .context("reading a job")
            .and_then(|job| carry_out(&mut held, job))
            .unwrap_or_else(|error| Came::Failed {
                passes: error.chain().any(|cause| cause.downcast_ref::<Fault>().is_some_and(Fault::passes)),
                why: crate::progress::told(&error),
            });
        let mut out = stdout().lock();
        writeln!(out, "{}", serde_json::to_string(&came)?)?;
        out.flush()?;
    }
}

/// A repository that is open, and the backup that the next one is written beside.
struct Held {
    repository: Repository,
    newest: Option<Id>,
    /// The way's own files, which live as long as it is used.
    _files: Option<SshFiles>,
}

fn carry_out(held: &mut Option<Held>, job: Job) -> Result<Came> {
    if let Job::Open(opening) = job {
        *held = Some(open(&opening)?);
        return Ok(Came::Opened);
    }
    let held = held.as_mut().context("nothing is open")?;
    match job {
        Job::Open(_) => bail!("it is open"),
        Job::Write { stage, host, at } => held.write(&stage, host, at).map(Came::Written),
        Job::List => {
            let mut copies: Vec<Listed> = held
                .repository
                .snapshots()?
                .into_iter()
                .filter_map(|(id, snapshot)| {
                    let at = Timestamp::new(snapshot.time.seconds, snapshot.time.nanoseconds).ok()?;
                    Some(Listed { copy: id.to_string(), at, host: snapshot.hostname })
                })
                .collect();
            copies.reverse();
            copies.truncate(LISTED_MAX);
            Ok(Came::Listed { copies })
        }
        Job::Restore { copy, into } => {
            let id: Id = copy.parse().ok().with_context(|| format!("{copy:?} is no backup"))?;
            let folder = File::open(&into).with_context(|| format!("opening {}", into.display()))?;
            let want = Want { path: husorden_backup::read::path(b"volume"), owners: false, workers: WORKERS };
            let restored = held.repository.restore(&id, &want, folder.as_fd())?;
            ensure!(restored.lacking.is_empty(), "what could not be put back: {}", restored.lacking.join(", "));
            Ok(Came::Restored { files: restored.files, bytes: restored.bytes })
        }
        Job::Check => {
            let checked = held.repository.check(Share::None)?;
            let wrong = checked.findings.iter().take(20);
            Ok(Came::Checked { wrong: wrong.map(|finding| format!("{}: {}", finding.place, finding.what)).collect() })
        }
    }
}

fn open(opening: &Opening) -> Result<Held> {
    let way = || {
        let (secret, pace) = (opening.secret.as_ref(), opening.bytes_per_second);
        way::open(&opening.address, &opening.folder, secret, pace)
    };
    let key = Key::from_password(&opening.password).context("the repository's key is none")?;
    let Way { target, files } = way()?;
    let repository = match Repository::open(target, &key) {
        Err(Fault::Missing(_)) if opening.make => {
            drop(files);
            let Way { target, files } = way()?;
            let repository = Repository::create(target, &key, Timestamp::now())?;
            return Ok(Held { repository, newest: None, _files: files });
        }
        opened => opened?,
    };
    let newest = if opening.make { repository.snapshots()?.last().map(|(id, _)| *id) } else { None };
    Ok(Held { repository, newest, _files: files })
}

impl Held {
    fn write(&mut self, stage: &PathBuf, host: String, at: Timestamp) -> Result<Written> {
        let volume = File::open(stage).with_context(|| format!("opening {}", stage.display()))?;
        let former = self.newest.map(|snapshot| Former { snapshot, volume: None, same_disk: false });
        let source = Source { volume: OwnedFd::from(volume), notes: Vec::new(), former };
        let options = Options {
            host,
            tags: vec!["platform".to_owned()],
            time: Moment { seconds: at.as_second(), nanoseconds: at.subsec_nanosecond() },
            workers: WORKERS,
            stop: Arc::new(AtomicBool::new(false)),
        };
        let written = self.repository.write(&source, &options)?;
        self.newest = Some(written.snapshot);
        Ok(Written { copy: written.snapshot.to_string(), bytes: written.bytes, bytes_sent: written.bytes_sent })
    }
}
