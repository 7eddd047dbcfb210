//! The log store of a volume: a subvolume of its own beside the live part, so that neither snapshots nor a restore touch what was kept.
//!
//! ```text
//! <holder>/store/<line>-<engine>/      segments, written by the solution's uid from its sandbox
//! <holder>/store/.away                 what of them lies at a target, noted by the node
//! ```
//!
//! A restore, and another version of the engine, begin another line: what is written from then on does not follow what was written before.
//! Its bytes are counted and bounded by a group of their own, so that neither takes room from the other, and go with the volume.

use super::{Volume, VolumeError, btrfs, open_folder};
use crate::segment::keep::{ABOUT, About};
use crate::segment::{self, Name, window::Point};
use husorden_base::{Bytes, Number, RuntimeName};
use husorden_kinds::segments::room;
use rustix::fs::{FileType, Mode, OFlags, ResolveFlags, fstat, openat2};
use std::fs::{self, DirBuilder, File, Permissions};
use std::io;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt, chown};
use std::path::{Path, PathBuf};

/// The subvolume.
pub(super) const STORE: &str = "store";
/// The note of what lies elsewhere.
const AWAY: &str = ".away";
/// Room that is made in a full store for what the platform writes there itself.
const OWN_ROOM: u64 = 1 << 20;

/// The newest line of a store.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line {
    /// Its number.
    pub number: u64,
    /// Whose log it is.
    pub engine: String,
    /// Where it lies.
    pub folder: PathBuf,
}

impl Volume {
    fn store(&self) -> PathBuf {
        self.holder.join(STORE)
    }

    /// The newest line, if there is any.
    ///
    /// # Errors
    /// When it cannot be seen.
    pub fn line(&self) -> Result<Option<Line>, VolumeError> {
        let entries = match fs::read_dir(self.store()) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            other => other.map_err(VolumeError::io("looking at a log store"))?,
        };
        let mut newest = None::<Line>;
        for entry in entries {
            let name = entry.map_err(VolumeError::io("looking at a log store"))?.file_name();
            let Some((number, engine)) = name.to_str().and_then(|name| name.split_once('-')) else { continue };
            let Ok(number) = number.parse() else { continue };
            if newest.as_ref().is_none_or(|line| line.number < number) {
                newest = Some(Line { number, engine: engine.to_owned(), folder: self.store().join(&name) });
            }
        }
        Ok(newest)
    }

    /// The folder of the line for this engine, made where the newest is another's.
    ///
    /// # Errors
    /// When it cannot be made.
    pub fn line_for(&self, engine: &RuntimeName, solution: &str) -> Result<PathBuf, VolumeError> {
        let line = self.line()?.filter(|line| line.engine == engine.as_str());
        let line = match line {
            Some(line) => line,
            None => self.begin_line(engine.as_str())?,
        };
        let about = About { solution: solution.to_owned(), engine: line.engine, room: self.store_room()?.0 };
        let text = serde_json::to_vec(&about).expect("plain data has a JSON form");
        self.with_room("saying whose a log store is", || self.write_about(&line.folder, &text))?;
        Ok(line.folder)
    }

    /// Writes something small of the platform's own, and makes room for it where the store is full: whoever keeps segments is told by it
    /// how many may stay. A death in between leaves a limit that is little above what is held, until the next such write.
    fn with_room<T>(&self, doing: &str, write: impl Fn() -> io::Result<T>) -> Result<T, VolumeError> {
        let kept = || write().map_err(VolumeError::io(doing));
        match (kept(), self.store_group()?) {
            (Err(error), Some(group)) if error.is_full() => {
                let raised = Bytes(self.store_used()?.0 + OWN_ROOM);
                btrfs::group_limit(self.pool.top(), group, raised.0).map_err(VolumeError::io(doing))?;
                let written = kept();
                self.set_store_room(self.bound()?.limit)?;
                written
            }
            (other, _) => other,
        }
    }

    /// What is noted of what of the log lies elsewhere; none where nothing is.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn away(&self) -> Result<Option<Vec<u8>>, VolumeError> {
        match fs::read(self.store().join(AWAY)) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            other => other.map(Some).map_err(VolumeError::io("reading what of a log lies elsewhere")),
        }
    }

    /// Notes it, whole or not at all.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn set_away(&self, text: &[u8]) -> Result<(), VolumeError> {
        self.with_room("noting what of a log lies elsewhere", || {
            let fresh = self.store().join(".away.new");
            let mut file = fs::OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&fresh)?;
            io::Write::write_all(&mut file, text)?;
            fs::rename(&fresh, self.store().join(AWAY))
        })
    }

    /// Written beside, and moved there: the folder is the solution's own, and what lies in it under that name may be anything.
    fn write_about(&self, line: &Path, text: &[u8]) -> io::Result<()> {
        let fresh = self.store().join(".about");
        fs::write(&fresh, text)?;
        fs::set_permissions(&fresh, Permissions::from_mode(0o444))?;
        rustix::fs::renameat(open_folder(&self.store())?, ".about", open_folder(line)?, ABOUT)?;
        Ok(())
    }

    /// From here on nothing follows what was kept so far.
    ///
    /// # Errors
    /// When the next line cannot be made.
    pub(super) fn turn_line(&self) -> Result<(), VolumeError> {
        match self.line()? {
            Some(line) => self.begin_line(&line.engine).map(drop),
            None => Ok(()),
        }
    }

    fn begin_line(&self, engine: &str) -> Result<Line, VolumeError> {
        self.make_store()?;
        let before = self.line()?;
        let number = before.as_ref().map_or(1, |line| line.number + 1);
        let folder = self.store().join(format!("{number:06}-{engine}"));
        let fresh = self.store().join(".line");
        self.with_room("beginning a line of a log store", || {
            if fresh.exists() {
                fs::remove_dir(&fresh)?;
            }
            DirBuilder::new().mode(0o700).create(&fresh)?;
            chown(&fresh, Some(self.number.uid()), Some(self.number.uid()))?;
            fs::rename(&fresh, &folder)?;
            open_folder(&self.store())?.sync_all()
        })?;
        // Two lines are kept: that one, and the one before.
        for old in self.lines_before(number.saturating_sub(1))? {
            remove(&old).map_err(VolumeError::io("removing an old line of a log store"))?;
        }
        Ok(Line { number, engine: engine.to_owned(), folder })
    }

    fn lines_before(&self, number: u64) -> Result<Vec<PathBuf>, VolumeError> {
        let entries = fs::read_dir(self.store()).map_err(VolumeError::io("looking at a log store"))?;
        let old = entries.filter_map(Result::ok).filter(|entry| {
            let name = entry.file_name();
            let line = name.to_str().and_then(|name| name.split_once('-')?.0.parse::<u64>().ok());
            line.is_some_and(|line| line < number)
        });
        Ok(old.map(|entry| entry.path()).collect())
    }

    /// Makes the subvolume, with a limit of its own.
    fn make_store(&self) -> Result<(), VolumeError> {
        if self.store().exists() {
            return Ok(());
        }
        let doing = || format!("making the log store of solution {}", self.number);
        let fresh = self.holder.join(".store");
        super::destroy_subvolume(&self.pool.top(), &fresh)?;
        btrfs::subvol_create(open_folder(&self.holder).map_err(VolumeError::io(doing()))?, ".store", None)
            .and_then(|()| fs::set_permissions(&fresh, Permissions::from_mode(0o700)))
            .and_then(|()| fs::rename(&fresh, self.store()))
            .map_err(VolumeError::io(doing()))?;
        self.set_store_room(self.bound()?.limit)
    }

    /// Sets what the store may hold, for a volume with this limit.
    pub(super) fn set_store_room(&self, limit: Bytes) -> Result<(), VolumeError> {
        let Some(group) = self.store_group()? else { return Ok(()) };
        btrfs::group_limit(self.pool.top(), group, room(limit).0)
            .map_err(VolumeError::io(format!("setting the limit of the log store of solution {}", self.number)))
    }

    /// What the store may hold; nothing where there is none.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn store_room(&self) -> Result<Bytes, VolumeError> {
        match self.store_group()? {
            Some(_) => self.store_number("max_referenced"),
            // Where nothing counts, whoever keeps segments does.
            None if self.store().exists() => Ok(room(self.bound()?.limit)),
            None => Ok(Bytes(0)),
        }
    }

    /// What the store holds.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn store_used(&self) -> Result<Bytes, VolumeError> {
        self.store_number("referenced")
    }

    /// One number of the kernel about the store; zero where there is none.
    fn store_number(&self, name: &str) -> Result<Bytes, VolumeError> {
        let Some(id) = self.store_group()? else { return Ok(Bytes(0)) };
        let Some(folder) = self.pool.group_folder(self.number).parent().map(|all| all.join(format!("0_{id}"))) else {
            return Ok(Bytes(0));
        };
        super::volume::read_number(&folder.join(name))
    }

    fn store_group(&self) -> Result<Option<u64>, VolumeError> {
        if self.group().is_none() || !self.store().exists() {
            return Ok(None);
        }
        let id = open_folder(&self.store()).and_then(btrfs::subvol_id);
        id.map(Some).map_err(VolumeError::io("finding a log store"))
    }

    /// Where the log stands now.
    pub(super) fn point(&self) -> Result<Option<Point>, VolumeError> {
        let Some(line) = self.line()? else { return Ok(None) };
        let names = segment::list(&line.folder).map_err(VolumeError::io("listing segments"))?;
        Ok(Some(Point { line: line.number, next: segment::keep::newest(&names) + 1 }))
    }

    /// Gives segments of this store to the live part of another volume that is being made, under the other's uid. They share their
    /// blocks.
    pub(super) fn lend(&self, names: &[Name], to: &Path, owner: Number) -> io::Result<()> {
        let line = self.line().map_err(|error| io::Error::other(error.to_string()))?;
        let line = line.ok_or(io::ErrorKind::NotFound)?;
        let folder = open_folder(&line.folder)?;
        DirBuilder::new().mode(0o700).create(to)?;
        for name in names {
            let name = name.to_string();
            let resolve = ResolveFlags::BENEATH | ResolveFlags::NO_SYMLINKS | ResolveFlags::NO_XDEV;
            let flags = OFlags::RDONLY | OFlags::CLOEXEC | OFlags::NONBLOCK | OFlags::NOFOLLOW;
            let mut from = File::from(openat2(&folder, &name, flags, Mode::empty(), resolve)?);
            if FileType::from_raw_mode(fstat(&from)?.st_mode) != FileType::RegularFile {
                return Err(io::Error::other(format!("{name} is no regular file")));
            }
            let path = to.join(&name);
            let mut copy = fs::OpenOptions::new().write(true).create_new(true).mode(0o400).open(&path)?;
            if rustix::fs::ioctl_ficlone(&copy, &from).is_err() {
                io::copy(&mut from, &mut copy)?;
            }
            chown(&path, Some(owner.uid()), Some(owner.uid()))?;
        }
        chown(to, Some(owner.uid()), Some(owner.uid()))
    }
}

/// Removes a folder of the solution's own with the plain files in it, following nothing.
fn remove(folder: &Path) -> io::Result<()> {
    let open = open_folder(folder)?;
    for entry in rustix::fs::Dir::read_from(&open)? {
        let entry = entry?;
        let name = entry.file_name();
        if !matches!(name.to_bytes(), b"." | b"..") {
            let _ = rustix::fs::unlinkat(&open, name, rustix::fs::AtFlags::empty());
        }
    }
    match fs::remove_dir(folder) {
        // Something in it is no plain file: it stays, and takes its room.
        Err(error) if error.kind() == io::ErrorKind::DirectoryNotEmpty => Ok(()),
        other => other,
    }
}
