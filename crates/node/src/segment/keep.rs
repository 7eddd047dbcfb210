//! Keeping a log: what an engine has ended becomes a segment. This runs in the solution's own sandbox, as its uid, and trusts nothing there;
//! who tampers with a store spoils their own.
//!
//! A store has room for so much. When it is used up the oldest pieces go, for the newest are what a loss of this minute is mended with; an
//! engine is never held up. A piece that finds no room at all is left out, and its number with it, so that the gap is seen.

use super::{Content, Header, MAGIC, Name, binlog, hex, list, wal};
use jiff::Timestamp;
use rustix::fs::{AtFlags, Dir, FlockOperation, Stat, flock, statat, syncfs};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::fd::AsFd;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// The file of a store in which the node says whose it is.
pub const ABOUT: &str = "about.json";
/// The file that says up to which state of its log everything is kept.
pub const NOTED: &str = "noted";
/// The file that says what was kept last.
const LAST: &str = "last.json";
/// What names of PostgreSQL's files begin with.
const WAL: &str = "0";
/// How hard it is compressed: the engine waits for a processor too.
const LEVEL: i32 = 3;

/// Whose a store is, as the node says it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct About {
    /// The solution's id.
    pub solution: String,
    /// The engine whose log it is.
    pub engine: String,
    /// Bytes it may hold.
    pub room: u64,
}

/// What was kept last.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
struct Last {
    seq: u64,
    hash: String,
    file: String,
    sha256: String,
}

/// A store, and nobody else at it.
struct Store {
    folder: PathBuf,
    about: About,
    last: Last,
    _lock: File,
}

impl Store {
    fn open(folder: &Path) -> io::Result<Self> {
        let about = serde_json::from_slice(&fs::read(folder.join(ABOUT))?)?;
        let lock = OpenOptions::new().write(true).create(true).truncate(false).mode(0o600).open(folder.join("lock"))?;
        flock(&lock, FlockOperation::LockExclusive)?;
        let noted: Option<Last> = fs::read(folder.join(LAST)).ok().and_then(|text| serde_json::from_slice(&text).ok());
        // A piece that was kept and not noted, for its maker was killed in between, counts.
        let newest = list(folder)?.pop();
        let last = match (noted, newest) {
            (Some(noted), Some(newest)) if newest.seq <= noted.seq => noted,
            (Some(noted), None) => noted,
            (_, Some(newest)) => {
                let (header, _) = super::open(&folder.join(newest.to_string()))?;
                Last { seq: header.seq, hash: header.hash(), file: header.file, sha256: header.sha256 }
            }
            (None, None) => Last::default(),
        };
        Ok(Self { folder: folder.to_owned(), about, last, _lock: lock })
    }

    /// Keeps a file of the engine as the next piece; one that was kept last is kept already.
    fn keep(&mut self, source: &Path, file: &str, content: Content) -> io::Result<()> {
        let (bytes, sha256) = super::copied(&mut File::open(source)?, &mut io::sink())?;
        if (self.last.file.as_str(), &self.last.sha256) == (file, &sha256) {
            return Ok(());
        }
        let header = Header {
            seq: self.last.seq + 1,
            solution: self.about.solution.clone(),
            engine: self.about.engine.clone(),
            file: file.to_owned(),
            content,
            bytes,
            sha256: sha256.clone(),
            previous: self.last.hash.clone(),
            kept: Timestamp::now(),
        };
        let mut last = Last { seq: header.seq, hash: header.hash(), file: file.to_owned(), sha256 };
        let fresh = self.folder.join(".new");
        let written = loop {
            match write(&fresh, &header, source) {
                Err(error) if is_full(&error) => {
                    fs::remove_file(&fresh)?;
                    if !self.drop_oldest()? {
                        break false;
                    }
                }
                other => break other.map(|()| true)?,
            }
        };
        if written {
            fs::rename(&fresh, self.folder.join(header.name().to_string()))?;
        } else {
            // It is left out, and its number with it.
            last.hash.clone_from(&self.last.hash);
        }
        self.note(LAST, &serde_json::to_vec(&last)?)?;
        File::open(&self.folder)?.sync_all()?;
        self.last = last;
        while self.bytes()? > self.about.room / 8 * 7 && self.drop_oldest()? {}
        Ok(())
    }

    /// Bytes of all pieces.
    fn bytes(&self) -> io::Result<u64> {
        let names = list(&self.folder)?;
        names.iter().map(|name| Ok(fs::metadata(self.folder.join(name.to_string()))?.len() | 4095)).sum()
    }

    /// Lets the oldest piece go, but never the only one.
    fn drop_oldest(&self) -> io::Result<bool> {
        let names = list(&self.folder)?;
        let [oldest, _, ..] = names.as_slice() else { return Ok(false) };
        fs::remove_file(self.folder.join(oldest.to_string()))?;
        // Its room is given back when the file system has written this down.
        syncfs(File::open(&self.folder)?)?;
        Ok(true)
    }

    /// Writes a small file by rename.
    fn note(&self, name: &str, text: &[u8]) -> io::Result<()> {
        let fresh = self.folder.join(format!(".{name}"));
        fs::write(&fresh, text)?;
        fs::rename(fresh, self.folder.join(name))
    }
}

fn write(fresh: &Path, header: &Header, source: &Path) -> io::Result<()> {
    let mut file =
        OpenOptions::new().write(true).create(true).truncate(true).mode(0o400).open(fresh).or_else(|_| {
            fs::remove_file(fresh)?;
            OpenOptions::new().write(true).create_new(true).mode(0o400).open(fresh)
        })?;
    write!(file, "{MAGIC}\n{}\n", header.line())?;
    let mut encoder = zstd::Encoder::new(file, LEVEL)?;
    io::copy(&mut File::open(source)?, &mut encoder)?;
    encoder.finish()?.sync_all()
}

fn is_full(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded)
}

/// Keeps one file of PostgreSQL, as its archiver names it. `times` is the program that prints a piece's transactions. Where the next one has not
/// been begun everything is kept, and it is said at once.
///
/// # Errors
/// When it could not be kept; the archiver tries it again.
pub fn wal(store: &Path, from: &Path, name: &str, times: &Path) -> io::Result<()> {
    let content = wal::content(from, name, times)?;
    let mut store = Store::open(store)?;
    store.keep(from, name, content)?;
    let Some(folder) = from.parent() else { return Ok(()) };
    // First the state, then the look: what is written in between changes this sign.
    let sign = sign(&File::open(folder)?, WAL, By::Time)?;
    match wal::is_last(from, name)? {
        true => store.note(NOTED, sign.as_bytes()),
        false => Ok(()),
    }
}

/// Keeps what MariaDB has ended, and, where there is a client to be asked, has it end the file that is open and remove what is kept.
///
/// # Errors
/// When something could not be kept, or the server does not do what it is asked.
pub fn binlogs(store: &Path, data: &Path, prefix: &str, client: Option<&str>) -> io::Result<()> {
    let mut files = binlog::files(data, prefix)?;
    let Some((_, newest)) = files.last() else { return Ok(()) };
    if let Some(client) = client
        && binlog::content(newest)?.is_some()
    {
        ask(client, "FLUSH BINARY LOGS")?;
        files = binlog::files(data, prefix)?;
    }
    let open = client.and_then(|_| files.pop());
    let mut store = Store::open(store)?;
    let before: u64 = store.last.file.strip_prefix(prefix).and_then(|number| number.parse().ok()).unwrap_or(0);
    for (number, path) in &files {
        let name = format!("{prefix}{number:06}");
        if *number > before
            && let Some(content) = binlog::content(path)?
        {
            store.keep(path, &name, content)?;
        }
    }
    if let (Some(client), Some((number, _)), false) = (client, &open, files.is_empty()) {
        ask(client, &format!("PURGE BINARY LOGS TO '{prefix}{number:06}'"))?;
    }
    // What is written from here on changes this sign. It must be that of the file which is looked into: a server may have begun another.
    let sign = sign(&File::open(data)?, prefix, By::Size)?;
    let bare = match &open {
        Some((number, path)) => sign.starts_with(&format!("{prefix}{number:06} ")) && binlog::content(path)?.is_none(),
        None => true,
    };
    if bare { store.note(NOTED, sign.as_bytes()) } else { Ok(()) }
}

/// Says that everything which a log holds now is kept.
///
/// # Errors
/// When it cannot be said.
pub fn note(store: &Path, data: &Path, prefix: &str, by: By) -> io::Result<()> {
    let sign = sign(&File::open(data)?, prefix, by)?;
    Store::open(store)?.note(NOTED, sign.as_bytes())
}

fn ask(client: &str, sql: &str) -> io::Result<()> {
    let mut words = client.split(' ');
    let program = words.next().unwrap_or_default();
    let output = Command::new(program).args(words).arg(format!("--execute={sql}")).stdin(Stdio::null()).output()?;
    if output.status.success() {
        return Ok(());
    }
    Err(io::Error::other(format!("{sql}: {}", String::from_utf8_lossy(&output.stderr).trim())))
}

/// What tells two states of a log apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum By {
    /// The name and the size of its newest file.
    Size,
    /// When each of its files was last written. A clock that was set back gives another time too, though no later one.
    Time,
}

/// The state of a log, seen in the names, sizes and times of its files alone.
///
/// # Errors
/// When the folder cannot be read.
pub fn sign(folder: &impl AsFd, prefix: &str, by: By) -> io::Result<String> {
    let files = files(folder, prefix)?;
    Ok(match by {
        By::Size => files.last().map_or_else(String::new, |(name, stat)| format!("{name} {}", stat.st_size)),
        By::Time => {
            let mut hash = Sha256::new();
            for (name, stat) in &files {
                hash.update(format!("{name} {}.{:09}\n", stat.st_mtime, stat.st_mtime_nsec));
            }
            hex(&hash.finalize())
        }
    })
}

/// Whether there are files of a log beside the one that is written to.
///
/// # Errors
/// When the folder cannot be read.
pub fn has_ended(folder: &impl AsFd, prefix: &str) -> io::Result<bool> {
    Ok(files(folder, prefix)?.len() > 1)
}

/// The files of a log, the oldest first.
fn files(folder: &impl AsFd, prefix: &str) -> io::Result<Vec<(String, Stat)>> {
    let mut files = Vec::new();
    for entry in Dir::read_from(folder)? {
        let entry = entry?;
        let Ok(name) = entry.file_name().to_str() else { continue };
        if !name.strip_prefix(prefix).is_some_and(|rest| rest.bytes().all(|byte| byte.is_ascii_hexdigit())) {
            continue;
        }
        match statat(folder, entry.file_name(), AtFlags::SYMLINK_NOFOLLOW) {
            Err(rustix::io::Errno::NOENT) => {}
            stat => files.push((name.to_owned(), stat?)),
        }
    }
    files.sort_by(|one, other| one.0.cmp(&other.0));
    Ok(files)
}

/// The newest piece's number, for whoever counts.
#[must_use]
pub fn newest(names: &[Name]) -> u64 {
    names.last().map_or(0, |name| name.seq)
}
