//! The child's work on a log: pieces of the solution's store are added to what lies at the target, and those that bring a backup to a time are put
//! beside it.

use super::job::{Came, PIECES, VOLUME};
use crate::segment::window::{self, Base, Point};
use crate::segment::{self, Name};
use husorden_backup::{Fault, Id, LOG, Moment, Options, Piece, Repository, Shelf};
use husorden_base::SnapshotId;
use husorden_kinds::segments::REPLAY;
use jiff::Timestamp;
use rustix::fs::{FileType, Mode, OFlags, ResolveFlags, fstat, openat2};
use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

/// What is added.
pub(super) struct New<'a> {
    pub(super) line: &'a str,
    pub(super) names: &'a [String],
    pub(super) shelf: &'a Shelf,
    pub(super) keep: Timestamp,
}

/// Adds pieces.
pub(super) fn append(repository: &Repository, new: &New<'_>, options: &Options) -> Result<Came, Fault> {
    let store = File::open(PIECES).map_err(files("opening the log store"))?;
    let pieces = new.names.iter().map(|name| piece(&store, name)).collect::<Result<Vec<_>, _>>()?;
    let appended = repository.append(new.shelf.clone(), new.line, pieces, new.keep.as_second(), options)?;
    Ok(Came::Appended {
        copy: appended.snapshot.to_string(),
        shelf: Box::new(appended.shelf),
        bytes_sent: appended.bytes_sent,
    })
}

fn files(doing: &str) -> impl FnOnce(io::Error) -> Fault {
    let doing = doing.to_owned();
    move |source| Fault::Files { doing, source }
}

/// A piece of the store, whatever the solution has put in its place.
fn piece(store: &File, name: &str) -> Result<Piece, Fault> {
    let resolve = ResolveFlags::BENEATH | ResolveFlags::NO_SYMLINKS | ResolveFlags::NO_XDEV;
    let flags = OFlags::RDONLY | OFlags::CLOEXEC | OFlags::NONBLOCK | OFlags::NOFOLLOW;
    let doing = || format!("opening piece {name}");
    let opened = openat2(store, name, flags, Mode::empty(), resolve);
    let file = File::from(opened.map_err(|error| files(&doing())(error.into()))?);
    let stat = fstat(&file).map_err(|error| files(&doing())(error.into()))?;
    if FileType::from_raw_mode(stat.st_mode) != FileType::RegularFile {
        return Err(Fault::Limit(format!("{name} in the log store is no file")));
    }
    let made = Moment { seconds: stat.st_mtime, nanoseconds: i32::try_from(stat.st_mtime_nsec).unwrap_or(0) };
    Ok(Piece { name: name.to_owned(), file, made })
}

/// What is fetched.
pub(super) struct Want {
    pub(super) line: u64,
    pub(super) next: u64,
    pub(super) taken: Timestamp,
    pub(super) at: Timestamp,
}

/// Puts the pieces there that bring a backup to a time.
pub(super) fn fetch(repository: &Repository, copy: &Id, want: &Want) -> Result<Came, Fault> {
    let Chosen { path, pieces: found } = chosen(repository, copy, want)?;
    let folder = Path::new(VOLUME).join(REPLAY);
    let mut bytes = 0;
    for (chapter, name) in &found {
        let name = name.to_string();
        let mut file = OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o400)
            .open(folder.join(&name))
            .map_err(files("making a piece of the log"))?;
        let from: Vec<Vec<u8>> = path.iter().chain([chapter, &name.into_bytes()]).cloned().collect();
        bytes += repository.dump(copy, &from, &mut file)?;
    }
    // Each names the one before by its hash: one that is missing, or was made by somebody else, is seen here.
    segment::target(&folder, want.at)
        .map_err(|error| Fault::Damaged { place: format!("the log of line {}", want.line), why: error.to_string() })?;
    Ok(Came::Restored { files: found.len() as u64, bytes, lacking: Vec::new() })
}

/// What is to be fetched, and where it stands.
struct Chosen {
    /// The path of the line.
    path: Vec<Vec<u8>>,
    /// Pieces, each after the name of its chapter.
    pieces: Vec<(Vec<u8>, Name)>,
}

fn chosen(repository: &Repository, copy: &Id, want: &Want) -> Result<Chosen, Fault> {
    let missing = || Fault::Damaged {
        place: format!("the log of line {}", want.line),
        why: format!("a piece between {} and the one that goes beyond {} is missing", want.next, want.at),
    };
    let root = vec![LOG.as_bytes().to_vec()];
    let named = |name: &[u8]| std::str::from_utf8(name).ok().map(str::to_owned);
    let lines = repository.entries(copy, &root)?;
    let line = lines
        .into_iter()
        .map(|node| node.name)
        .find(|name| named(name).and_then(|name| name.split_once('-')?.0.parse::<u64>().ok()) == Some(want.line));
    let path: Vec<Vec<u8>> = root.into_iter().chain([line.ok_or_else(missing)?]).collect();
    let first = |chapter: &[u8]| named(chapter).and_then(|name| name.parse::<u64>().ok());
    let chapters: Vec<Vec<u8>> = repository.entries(copy, &path)?.into_iter().map(|node| node.name).collect();
    let from = chapters.iter().rposition(|chapter| first(chapter).is_some_and(|seq| seq <= want.next)).unwrap_or(0);
    let mut all = Vec::new();
    for chapter in &chapters[from..] {
        let inner: Vec<Vec<u8>> = path.iter().chain([chapter]).cloned().collect();
        let names = repository.entries(copy, &inner)?.into_iter().filter_map(|node| Name::parse(&named(&node.name)?));
        all.extend(names.map(|name| (chapter.clone(), name)));
    }
    all.sort_by(|one, other| one.1.cmp(&other.1));
    let names: Vec<Name> = all.iter().map(|(_, name)| name.clone()).collect();
    let pieces = window::replay(&names, want.next, want.at).ok_or_else(missing)?;
    let base = Base {
        id: SnapshotId(uuid::Uuid::nil()),
        taken: want.taken,
        ours: true,
        point: Point { line: want.line, next: want.next },
    };
    let plain = window::window(want.line, &pieces, &[base], None)
        .is_some_and(|seen| !seen.holes.iter().any(|(from, to)| *from <= want.at && want.at <= *to));
    if !plain {
        return Err(Fault::Limit(format!(
            "the clock was set back around {}, and showed that time more than once; choose another time",
            want.at
        )));
    }
    all.retain(|(_, name)| pieces.contains(name));
    Ok(Chosen { path, pieces: all })
}

/// The folder that they are put into.
pub(crate) fn room(live: &Path, owner: husorden_base::Number) -> io::Result<()> {
    let folder = live.join(REPLAY);
    fs::DirBuilder::new().create(&folder)?;
    fs::set_permissions(&folder, std::os::unix::fs::PermissionsExt::from_mode(0o700))?;
    std::os::unix::fs::chown(&folder, Some(owner.uid()), Some(owner.uid()))
}
