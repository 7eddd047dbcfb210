//! `husorden passwords import`: a list of leaked passwords becomes the file that is looked in.
//!
//! The new list is built beside the old one without a name of its own to be found by, and takes the old one's place by one
//! rename. Whoever is killed in between leaves the old list; the next import clears away what was left.

use super::build::{Added, Builder};
use super::format::{HASH_BYTES, Hash};
use super::lines::{Line, Lines, hash_of};
use super::{FILE_NAME, LeakedError, io_error};
use rustix::fs::{FlockOperation, flock};
use sha1::{Digest, Sha1};
use std::fs::{self, File, OpenOptions, Permissions};
use std::io::{BufRead, BufWriter, Read, Seek, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

/// How the lines of a list look.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// `40HEX:COUNT`, sorted by hash: the form of Pwned Passwords.
    Hashes,
    /// A password a line, in any order.
    Plain,
}

/// How far an import is.
#[derive(Clone, Copy, Debug)]
pub struct Progress {
    /// Lines read.
    pub lines: u64,
    /// Bytes read.
    pub bytes: u64,
    /// Every line is read; what remains is sorting and writing.
    pub read: bool,
}

/// What an import made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Imported {
    /// Passwords in the list.
    pub count: u64,
    /// Lines that said what another line had said.
    pub repeated: u64,
    /// Lines that can be nobody's password: empty, or longer than a password may be.
    pub skipped: u64,
}

/// Lines between two words about progress.
const LINES_BETWEEN_PROGRESS: u64 = 1 << 20;
/// Files that a plain list is parted into by the first byte of the hash, so that each can be sorted in memory.
const PARTS: usize = 256;
/// Name of what is being built.
const BUILDING: &str = "leaked.hus.new";
/// Name of the file whose lock is held by the one import that runs.
const LOCK: &str = "leaked.lock";

/// Reads a list and puts it in the place of the one in the folder.
///
/// # Errors
/// When a line is broken, the list is empty, another import runs, or the disk says no. The list before is then untouched.
pub fn import(
    list: impl Read,
    form: Form,
    folder: &Path,
    progress: &mut dyn FnMut(Progress),
) -> Result<Imported, LeakedError> {
    fs::create_dir_all(folder).map_err(io_error("making", folder))?;
    let _lock = lock(folder)?;
    let path = folder.join(BUILDING);
    // What a killed import left has this name too; the lock says that nobody is at it.
    let file =
        OpenOptions::new().write(true).create(true).truncate(true).open(&path).map_err(io_error("making", &path))?;
    // Whoever imports is seldom the role that reads; what is on the list is no secret.
    file.set_permissions(Permissions::from_mode(0o644)).map_err(io_error("making", &path))?;
    let made = build(list, form, folder, &path, file, progress);
    if made.is_err() {
        // The error that is told is why the import failed; the next one clears away as well.
        fs::remove_file(&path).ok();
    }
    let imported = made?;
    let place = folder.join(FILE_NAME);
    fs::rename(&path, &place).map_err(io_error("renaming to", &place))?;
    File::open(folder).and_then(|folder| folder.sync_all()).map_err(io_error("syncing", folder))?;
    Ok(imported)
}

fn lock(folder: &Path) -> Result<File, LeakedError> {
    let path = folder.join(LOCK);
    let file =
        OpenOptions::new().write(true).create(true).truncate(false).open(&path).map_err(io_error("making", &path))?;
    match flock(&file, FlockOperation::NonBlockingLockExclusive) {
        Ok(()) => Ok(file),
        Err(rustix::io::Errno::WOULDBLOCK) => Err(LeakedError::Busy { folder: folder.to_owned() }),
        Err(error) => Err(io_error("locking", &path)(error.into())),
    }
}

fn build(
    list: impl Read,
    form: Form,
    folder: &Path,
    path: &Path,
    file: File,
    progress: &mut dyn FnMut(Progress),
) -> Result<Imported, LeakedError> {
    let nameless = || tempfile::tempfile_in(folder).map_err(io_error("making a file in", folder));
    let mut builder = Builder::new(path, file, nameless()?)?;
    let mut lines = Lines::new(std::io::BufReader::with_capacity(1 << 20, list));
    let mut tally = Imported { count: 0, repeated: 0, skipped: 0 };
    match form {
        Form::Hashes => hashes(&mut lines, &mut builder, &mut tally, progress)?,
        Form::Plain => {
            let parts = (0..PARTS).map(|_| nameless()).collect::<Result<Vec<_>, _>>()?;
            let parts = part(&mut lines, parts, folder, &mut tally, progress)?;
            for mut part in parts {
                for hash in sorted(&mut part, folder)? {
                    if let Added::Again = builder.add(&hash, lines.number)? {
                        tally.repeated += 1;
                    }
                }
            }
        }
    }
    progress(Progress { lines: lines.number, bytes: lines.bytes, read: true });
    tally.count = builder.finish(jiff::Timestamp::now().as_second())?;
    Ok(tally)
}

/// Lines of hashes go straight into the file: they are in order.
fn hashes(
    lines: &mut Lines<impl BufRead>,
    builder: &mut Builder<'_>,
    tally: &mut Imported,
    progress: &mut dyn FnMut(Progress),
) -> Result<(), LeakedError> {
    loop {
        let number = lines.number + 1;
        let hash = match lines.next().map_err(io_error("reading", Path::new("the list")))? {
            None => return Ok(()),
            Some(Line::Whole(line)) => hash_of(line, number)?,
            Some(Line::TooLong) => return Err(LeakedError::Line { number, what: "the line is too long" }),
        };
        if let Added::Again = builder.add(&hash, number)? {
            tally.repeated += 1;
        }
        told(lines, progress);
    }
}

/// Plain passwords are hashed and parted, for they come in any order.
fn part(
    lines: &mut Lines<impl BufRead>,
    parts: Vec<File>,
    folder: &Path,
    tally: &mut Imported,
    progress: &mut dyn FnMut(Progress),
) -> Result<Vec<File>, LeakedError> {
    let mut parts: Vec<_> = parts.into_iter().map(BufWriter::new).collect();
    loop {
        let line = match lines.next().map_err(io_error("reading", Path::new("the list")))? {
            None => break,
            Some(Line::Whole(line)) if !line.is_empty() => line,
            Some(_) => {
                tally.skipped += 1;
                continue;
            }
        };
        let hash: Hash = Sha1::digest(line).into();
        parts[usize::from(hash[0])].write_all(&hash).map_err(io_error("writing in", folder))?;
        told(lines, progress);
    }
    let whole =
        |part: BufWriter<File>| part.into_inner().map_err(|error| io_error("writing in", folder)(error.into_error()));
    parts.into_iter().map(whole).collect()
}

fn sorted(part: &mut File, folder: &Path) -> Result<Vec<Hash>, LeakedError> {
    part.rewind().map_err(io_error("reading in", folder))?;
    let mut bytes = Vec::new();
    part.read_to_end(&mut bytes).map_err(io_error("reading in", folder))?;
    let mut hashes = bytes.as_chunks::<HASH_BYTES>().0.to_vec();
    drop(bytes);
    hashes.sort_unstable();
    Ok(hashes)
}

fn told(lines: &Lines<impl BufRead>, progress: &mut dyn FnMut(Progress)) {
    if lines.number.is_multiple_of(LINES_BETWEEN_PROGRESS) {
        progress(Progress { lines: lines.number, bytes: lines.bytes, read: false });
    }
}
