//! A directory as target: for a first look, for tests, and for the target's own side.

use super::{Folder, Listed, OBJECT_BYTES_MAX, Pace, Place, Target, already};
use crate::crypt::random;
use crate::fault::Fault;
use crate::id::Id;
use rustix::fs::{AtFlags, CWD, Mode, OFlags};
use rustix::io::Errno;
use std::fs::{self, File};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::ops::Range;
use std::os::fd::AsRawFd;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, fchown};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Bytes that are written between two looks at the pace.
const PIECE_BYTES: usize = 256 << 10;
/// Where objects lie until they have their name, on filesystems without nameless files.
const INCOMING: &str = "incoming";

/// A directory of this machine.
pub struct Local {
    pub(crate) path: PathBuf,
    pace: Arc<Pace>,
}

impl Local {
    /// The repository in this directory; it need not be there yet.
    #[must_use]
    pub fn new(path: impl Into<PathBuf>, pace: Arc<Pace>) -> Self {
        Self { path: path.into(), pace }
    }

    pub(crate) fn file(&self, place: Place) -> PathBuf {
        self.path.join(place.path())
    }

    /// Where objects lie until they have their name.
    pub(crate) fn incoming(&self) -> PathBuf {
        self.path.join(INCOMING)
    }

    /// Writes where nobody sees it and gives it its name when it has reached the disk: an object is there whole or not at all.
    fn publish(&self, place: Place, body: &[u8]) -> io::Result<()> {
        let path = self.file(place);
        let folder = path.parent().expect("every object lies in a folder");
        let flags = OFlags::TMPFILE | OFlags::WRONLY | OFlags::CLOEXEC;
        let named = match rustix::fs::open(folder, flags, Mode::RUSR) {
            Ok(file) => {
                let file = self.write(folder, File::from(file), body)?;
                let own = format!("/proc/self/fd/{}", file.as_raw_fd());
                rustix::fs::linkat(CWD, own, CWD, &path, AtFlags::SYMLINK_FOLLOW)
            }
            // Some network filesystems have no nameless files: then it has a name until the target's side tidies.
            Err(Errno::OPNOTSUPP | Errno::ISDIR | Errno::NOSYS) => {
                let name: String = random::<16>().iter().map(|byte| format!("{byte:02x}")).collect();
                let incoming = self.incoming().join(name);
                let flags = OFlags::CREATE | OFlags::EXCL | OFlags::WRONLY | OFlags::CLOEXEC;
                self.write(folder, File::from(rustix::fs::open(&incoming, flags, Mode::RUSR)?), body)?;
                rustix::fs::linkat(CWD, &incoming, CWD, &path, AtFlags::empty())
            }
            Err(error) => Err(error),
        };
        named?;
        File::open(folder)?.sync_all()
    }

    /// Root, as the target's own side may run, writes for whoever the folder belongs to: the account of nodes must read it.
    fn write(&self, folder: &Path, mut file: File, body: &[u8]) -> io::Result<File> {
        let (own, theirs) = (file.metadata()?, fs::metadata(folder)?);
        if own.uid() == 0 && theirs.uid() != 0 {
            fchown(&file, Some(theirs.uid()), Some(theirs.gid()))?;
        }
        for piece in body.chunks(PIECE_BYTES) {
            self.pace.take(piece.len());
            file.write_all(piece)?;
        }
        file.sync_all()?;
        Ok(file)
    }
}

impl Target for Local {
    fn prepare(&self) -> Result<(), Fault> {
        let make = |path: &Path| {
            fs::DirBuilder::new()
                .recursive(true)
                .mode(0o700)
                .create(path)
                .map_err(|error| fault("making folders", error))
        };
        for folder in Folder::ALL.map(Folder::name).into_iter().chain(["locks", INCOMING]) {
            make(&self.path.join(folder))?;
        }
        (0..=255).try_for_each(|byte| make(&self.path.join(format!("data/{byte:02x}"))))
    }

    fn put(&self, place: Place, body: &[u8]) -> Result<(), Fault> {
        match self.publish(place, body) {
            Ok(()) => Ok(()),
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                let found =
                    self.size(place)?.ok_or_else(|| Fault::away(format!("writing {place}"), "it came and went"))?;
                already(place, found, body)
            }
            Err(error) => Err(fault(&format!("writing {place}"), error)),
        }
    }

    fn get(&self, place: Place, part: Option<Range<u64>>) -> Result<Vec<u8>, Fault> {
        let read = || -> io::Result<Vec<u8>> {
            let mut file = File::open(self.file(place))?;
            let whole = file.metadata()?.len();
            let part = part.unwrap_or(0..whole);
            let bytes = part.end.saturating_sub(part.start).min(OBJECT_BYTES_MAX);
            let mut body = Vec::with_capacity(usize::try_from(bytes.min(whole)).unwrap_or(0));
            if part.start > 0 {
                file.seek(SeekFrom::Start(part.start))?;
            }
            file.take(bytes).read_to_end(&mut body)?;
            self.pace.take(body.len());
            Ok(body)
        };
        read().map_err(|error| match error.kind() {
            io::ErrorKind::NotFound => Fault::Missing(place.to_string()),
            _ => fault(&format!("reading {place}"), error),
        })
    }

    fn list(&self, folder: Folder) -> Result<Vec<Listed>, Fault> {
        fn within(path: &Path, deeper: bool, found: &mut Vec<Listed>) -> io::Result<()> {
            for entry in fs::read_dir(path)? {
                let entry = entry?;
                if deeper && entry.file_type()?.is_dir() {
                    within(&entry.path(), false, found)?;
                } else if let Some(id) = entry.file_name().to_str().and_then(|name| name.parse::<Id>().ok()) {
                    match entry.metadata() {
                        Ok(about) if about.is_file() => found.push(Listed { id, bytes: about.size() }),
                        Ok(_) => {}
                        // Expiry may take it away between the two calls.
                        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                        Err(error) => return Err(error),
                    }
                }
            }
            Ok(())
        }
        let mut found = Vec::new();
        within(&self.path.join(folder.name()), folder == Folder::Data, &mut found)
            .map_err(|error| fault(&format!("listing {}", folder.name()), error))?;
        Ok(found)
    }

    fn size(&self, place: Place) -> Result<Option<u64>, Fault> {
        match fs::symlink_metadata(self.file(place)) {
            Ok(about) => Ok(Some(about.size())),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(fault(&format!("looking at {place}"), error)),
        }
    }
}

/// A directory that is not there may be a disk that comes back.
pub(crate) fn fault(doing: &str, error: io::Error) -> Fault {
    match error.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => Fault::Full { doing: doing.to_owned() },
        io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem => {
            Fault::Refused { doing: doing.to_owned(), why: error.to_string() }
        }
        _ => Fault::away(doing, error),
    }
}
