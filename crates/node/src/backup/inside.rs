//! The child: what it does inside its sandbox, as the solution's uid, with the volume's folders bound and one way to the target. It reads its job, does
//! it, and says how that went.

use super::hand::{self, Hand, names};
use super::job::{
    ABOUT, Came, FINDINGS_MAX, FORMER, FaultOf, JOB_BYTES_MAX, Job, LACKING_MAX, ROOT, Said, TARGET, VOLUME, WAY, Way,
    Work,
};
use super::pieces;
use super::replace::replace;
use husorden_backup::read::Want;
use husorden_backup::target::{Local, Pace, Patience, Rest, S3, S3Account, Sftp, Steady, Target};
use husorden_backup::{
    Checked, Fault, Former, Id, Key, Moment, NodeType, Options, Progress, Repository, Share, Source,
};
use husorden_kinds::hole::FILE_BYTES_MAX;
use jiff::Timestamp;
use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::os::fd::{AsFd, OwnedFd};
use std::path::Path;
use std::process;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

/// Notes that are told: of so many bytes at most.
const NOTE_BYTES_MAX: u64 = 768 << 10;
/// Time between two words about how far it is.
const SAY_EVERY: Duration = Duration::from_millis(500);
/// Time after its end that the child is given before the kernel ends it.
const GRACE_S: u32 = 60;
/// Threads that seal and open.
const WORKERS_MAX: usize = 2;
/// What gives way to whatever serves people.
const NICE: i32 = 19;

/// Does the job that stands on standard input; whether it came about.
#[must_use]
pub fn inside() -> bool {
    let mut stdin =
        BufReader::new(File::from(io::stdin().as_fd().try_clone_to_owned().expect("there is standard input")));
    let mut line = String::new();
    let job = Read::by_ref(&mut stdin)
        .take(JOB_BYTES_MAX)
        .read_line(&mut line)
        .map_err(|error| error.to_string())
        .and_then(|_| serde_json::from_str::<Job>(&line).map_err(|error| error.to_string()));
    let job = match job {
        Ok(job) => job,
        Err(why) => {
            say(&Said::Fault { of: FaultOf::Stopped, text: format!("the job does not read: {why}") });
            return false;
        }
    };
    zeroize_line(line);
    nix::unistd::alarm::set(job.limit_s.saturating_add(GRACE_S));
    // Where it may not be said, it is as urgent as anything else of the solution's.
    let _ = rustix::process::setpriority_process(None, NICE);
    let stop = Arc::new(AtomicBool::new(false));
    // When the node is gone nobody hears what comes of it.
    std::thread::spawn(move || {
        let _ = io::copy(&mut stdin, &mut io::sink());
        process::exit(1);
    });
    match work(&job, &stop) {
        Ok(came) => {
            say(&Said::Done { came });
            true
        }
        Err(fault) => {
            say(&Said::Fault { of: kind_of(&fault), text: fault.to_string() });
            false
        }
    }
}

/// What held a secret is wiped.
fn zeroize_line(line: String) {
    drop(husorden_base::Secret::new(line));
}

/// Says a line. Where nobody hears it, the thread that waits for the node's end ends this process.
fn say(said: &Said) {
    let mut line = serde_json::to_vec(said).expect("plain data has a JSON form");
    line.push(b'\n');
    let _ = io::stderr().lock().write_all(&line);
}

fn kind_of(fault: &Fault) -> FaultOf {
    match fault {
        Fault::Away { .. } => FaultOf::Away,
        Fault::Refused { .. } | Fault::Spoiled { .. } | Fault::Taken => FaultOf::Refused,
        Fault::Full { .. } => FaultOf::Full,
        Fault::Missing(_) => FaultOf::Missing,
        Fault::Damaged { .. } => FaultOf::Damaged,
        Fault::WrongKey => FaultOf::WrongKey,
        Fault::NotInBackup(_) => FaultOf::NotInBackup,
        Fault::Files { source, .. }
            if matches!(source.kind(), io::ErrorKind::QuotaExceeded | io::ErrorKind::StorageFull) =>
        {
            FaultOf::OwnFull
        }
        Fault::Files { .. } => FaultOf::Files,
        Fault::Limit(_) => FaultOf::Limit,
        Fault::Deadline { .. } => FaultOf::Deadline,
        Fault::Stopped => FaultOf::Stopped,
    }
}

fn work(job: &Job, stop: &Arc<AtomicBool>) -> Result<Came, Fault> {
    let until = Instant::now() + Duration::from_secs(job.limit_s.into());
    let target = || target(job, until, stop);
    let opened = match &job.work {
        Work::Append { .. } => Repository::open_to_append(target()?, &job.password),
        _ => Repository::open_with_password(target()?, &job.password),
    };
    let repository = match (opened, &job.work) {
        (Err(Fault::Missing(place)), Work::Write { first: true, .. } | Work::Append { first: true, .. })
            if place == "config" =>
        {
            Repository::create(target()?, &Key::from_password(&job.password)?, Timestamp::now())?
        }
        (Err(Fault::Missing(place)), Work::Find { first: true, .. }) if place == "config" => {
            return Ok(Came::Found { copy: None, files: 0, bytes: 0 });
        }
        (opened, _) => opened?,
    };
    let over = Arc::new(AtomicBool::new(false));
    let teller = tell(Arc::clone(repository.progress()), Arc::clone(&over));
    let came = one(&repository, &job.work, stop);
    over.store(true, Ordering::Relaxed);
    drop(teller.join());
    came
}

/// Says how far it is, until it is over.
fn tell(progress: Arc<Progress>, over: Arc<AtomicBool>) -> std::thread::JoinHandle<()> {
    std::thread::spawn(move || {
        let mut said = 0;
        let mut next = Instant::now();
        while !over.load(Ordering::Relaxed) {
            std::thread::sleep(Duration::from_millis(20));
            let done = progress.done();
            if Instant::now() >= next && done != said {
                (said, next) = (done, Instant::now() + SAY_EVERY);
                say(&Said::Progress { done, of: progress.known() });
            }
        }
    })
}

fn target(job: &Job, until: Instant, stop: &Arc<AtomicBool>) -> Result<Box<dyn Target>, Fault> {
    let pace = Arc::new(job.bytes_per_second.map_or_else(Pace::free, Pace::limited));
    let patience = Patience { deadline: Some(until), ..Patience::default() };
    let stop = Arc::clone(stop);
    let target: Box<dyn Target> = match &job.way {
        Way::Folder => Box::new(Steady::new(Local::new(TARGET, pace), patience, stop)),
        Way::Sftp { folder } => Box::new(Steady::new(Sftp::behind(WAY, folder, pace), patience, stop)),
        Way::Rest { url, user } => {
            let account = user.as_deref().zip(job.account.as_ref());
            let rest = Rest::behind(WAY, url, account, pace);
            let rest =
                rest.map_err(|source| Fault::Files { doing: "opening the way to the target".to_owned(), source })?;
            Box::new(Steady::new(rest, patience, stop))
        }
        Way::S3 { url, bucket, region, access_key, folder } => {
            let secret = job.account.clone().ok_or_else(|| Fault::Refused {
                doing: "opening the bucket".to_owned(),
                why: "the target has no secret key for its account; give it one".to_owned(),
            })?;
            let account = S3Account {
                url: url.clone(),
                bucket: bucket.clone(),
                region: region.clone(),
                access_key: access_key.clone(),
                secret,
            };
            Box::new(Steady::new(S3::behind(WAY, &account, folder, pace)?, patience, stop))
        }
    };
    Ok(target)
}

fn workers() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from).min(WORKERS_MAX)
}

fn id(copy: &str) -> Result<Id, Fault> {
    copy.parse().map_err(|_| Fault::Missing(format!("the backup {copy:?}")))
}

fn open(path: impl AsRef<Path>) -> Result<OwnedFd, Fault> {
    let path = path.as_ref();
    let opened = File::open(path);
    opened.map(OwnedFd::from).map_err(|source| Fault::Files { doing: format!("opening {}", path.display()), source })
}

fn options(host: &str, tags: &[String], time: Timestamp, stop: &Arc<AtomicBool>) -> Options {
    Options {
        host: host.to_owned(),
        tags: tags.to_vec(),
        time: Moment { seconds: time.as_second(), nanoseconds: time.subsec_nanosecond() },
        workers: workers(),
        stop: Arc::clone(stop),
    }
}

fn one(repository: &Repository, work: &Work, stop: &Arc<AtomicBool>) -> Result<Came, Fault> {
    match work {
        Work::Write { host, tags, taken, notes, former, beside, .. } => {
            let former = match former {
                Some(copy) => {
                    let volume = if *beside { Some(open(FORMER)?) } else { None };
                    Some(Former { snapshot: id(copy)?, volume, same_disk: *beside })
                }
                None => None,
            };
            let notes = notes.iter().map(|(name, text)| (name.clone(), text.clone().into_bytes())).collect();
            let source = Source { volume: open(VOLUME)?, notes, former };
            let written = repository.write(&source, &options(host, tags, *taken, stop))?;
            Ok(Came::Written {
                copy: written.snapshot.to_string(),
                files: written.files,
                bytes: written.bytes,
                bytes_read: written.bytes_read,
                bytes_sent: written.bytes_sent,
            })
        }
        Work::Find { tag, .. } => {
            let snapshots = repository.snapshots()?;
            let found = snapshots.into_iter().find(|(_, snapshot)| snapshot.tags.contains(tag));
            let summary = found.as_ref().and_then(|(_, snapshot)| snapshot.summary).unwrap_or_default();
            Ok(Came::Found {
                copy: found.map(|(id, _)| id.to_string()),
                files: summary.total_files_processed,
                bytes: summary.total_bytes_processed,
            })
        }
        Work::Look { copy, hole } => look(repository, &id(copy)?, hole.as_deref()),
        Work::Restore { copy, folders } => {
            let copy = id(copy)?;
            let (mut files, mut bytes, mut lacking) = (0, 0, Vec::new());
            for folder in folders {
                let path = vec![ROOT.as_bytes().to_vec(), folder.as_bytes().to_vec()];
                let want = Want { path, owners: false, workers: workers() };
                let into = open(Path::new(VOLUME).join(folder))?;
                let restored = repository.restore(&copy, &want, into.as_fd())?;
                files += restored.files;
                bytes += restored.bytes;
                lacking.extend(restored.lacking.into_iter().map(|path| format!("{folder}/{path}")));
            }
            lacking.truncate(LACKING_MAX);
            Ok(Came::Restored { files, bytes, lacking })
        }
        Work::Replace { copy, path } => {
            let mut restored = replace(repository, &id(copy)?, path, Path::new(VOLUME), workers())?;
            restored.lacking.truncate(LACKING_MAX);
            Ok(Came::Restored { files: restored.files, bytes: restored.bytes, lacking: restored.lacking })
        }
        Work::Read { copy, what } => {
            let out = Hand::new(io::stdout().lock());
            hand::out(repository, &id(copy)?, what, out)?;
            Ok(Came::Read)
        }
        Work::Append { host, tags, line, names, shelf, keep, .. } => {
            let new = pieces::New { line, names, shelf, keep: *keep };
            pieces::append(repository, &new, &options(host, tags, Timestamp::now(), stop))
        }
        Work::Pieces { copy, line, next, taken, at } => {
            pieces::fetch(repository, &id(copy)?, &pieces::Want { line: *line, next: *next, taken: *taken, at: *at })
        }
        Work::Check { copy, hashes, contents } => check(repository, copy.as_deref(), *hashes, *contents),
    }
}

fn look(repository: &Repository, copy: &Id, hole: Option<&str>) -> Result<Came, Fault> {
    if let Some(path) = hole {
        let file = repository.find(copy, &names(path))?;
        if file.kind != NodeType::File || file.size > FILE_BYTES_MAX {
            return Err(Fault::NotInBackup(format!("{path} as a file of at most {FILE_BYTES_MAX} bytes")));
        }
    }
    let mut notes = BTreeMap::new();
    for node in repository.entries(copy, &[])?.into_iter().filter(|node| node.kind == NodeType::File) {
        let mut text = Vec::new();
        if node.size <= NOTE_BYTES_MAX {
            repository.dump(copy, std::slice::from_ref(&node.name), &mut text)?;
        }
        if let (Ok(name), Ok(text)) = (String::from_utf8(node.name), String::from_utf8(text)) {
            notes.insert(name, text);
        }
    }
    notes.retain(|name, _| name == ABOUT);
    let folders = repository.entries(copy, &[ROOT.as_bytes().to_vec()])?.into_iter();
    let folders =
        folders.filter(|node| node.kind == NodeType::Dir).filter_map(|node| String::from_utf8(node.name).ok());
    Ok(Came::Looked { notes, folders: folders.collect() })
}

fn check(repository: &Repository, copy: Option<&str>, hashes: bool, contents: Option<(u8, u8)>) -> Result<Came, Fault> {
    let mut found = Checked::default();
    let mut add = |other: Checked| {
        found.findings.extend(other.findings);
        found.snapshots.extend(other.snapshots);
        found.bytes_read += other.bytes_read;
    };
    if hashes {
        add(repository.check_names(Share::All)?);
    }
    let share = contents.map_or(Share::None, |(turn, of)| if of <= 1 { Share::All } else { Share::Part { turn, of } });
    add(repository.check(share)?);
    let wrong = found.findings.len() as u64;
    let mut findings: Vec<(String, String)> =
        found.findings.into_iter().take(FINDINGS_MAX).map(|finding| (finding.place, finding.what)).collect();
    let mut lost = 0;
    if let Some(copy) = copy {
        let copy = id(copy)?;
        if !found.snapshots.contains(&copy) {
            lost = 1;
            findings.push((format!("snapshots/{}", copy.short()), "it is not there as a whole".to_owned()));
        }
    }
    Ok(Came::Checked { findings, wrong: wrong + lost, bytes_read: found.bytes_read })
}
