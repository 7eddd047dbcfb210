//! One solution's volume: its verbs. Each may be called again after a death at any point.

use super::bound::{BOUND, Bound};
use super::{Pool, QuotaMode, VolumeError, Why, btrfs, owner, pool::destroy_subvolume};
use crate::segment::Name;
use husorden_base::{Bytes, Number, SnapshotId};
use husorden_kinds::VolumeSight;
use husorden_kinds::segments::REPLAY;
use jiff::Timestamp;
use std::collections::BTreeMap;
use std::fs::{self, DirBuilder, File, OpenOptions, Permissions};
use std::io::{self, Read, Write};
use std::os::fd::AsFd;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt, chown};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;

pub(super) const LIVE: &str = "live";
pub(super) const LIVE_NEW: &str = "live.new";
pub(super) const MARKS: &str = "marks";
pub(super) const SNAP: &str = "snap";
const RETAINED: &str = "retained";
/// The mark that a restore leaves: the snapshot that was taken before it.
pub(super) const RESTORED: &str = "restored";
/// Folders that only the solution itself reads; the others may be read by the edge, which serves from them.
const PRIVATE_FOLDERS: [&str; 3] = ["db", "log", "tmp"];
const MARK_KEY_BYTES_MAX: usize = 64;
const MARK_VALUE_BYTES_MAX: usize = 4096;
const MARKS_MAX: usize = 64;
/// What a mark may cost in a full volume: the limit is raised by this for the moment of writing it.
const MARK_ROOM: u64 = 1 << 20;
/// What a volume holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Usage {
    /// What the live part holds.
    pub live: Bytes,
    /// What only snapshots hold.
    pub snapshots: Bytes,
    /// The most that both together may hold.
    pub limit: Bytes,
}

/// One solution's volume, there or not.
#[derive(Clone, Debug)]
pub struct Volume {
    pub(super) pool: Arc<Pool>,
    pub(super) number: Number,
    pub(super) holder: PathBuf,
}

impl Volume {
    pub(super) fn new(pool: Arc<Pool>, number: Number) -> Self {
        let holder = pool.solutions().join(number.to_string());
        Self { pool, number, holder }
    }

    /// Whose it is.
    #[must_use]
    pub const fn number(&self) -> Number {
        self.number
    }

    /// A folder of the live part, to bind into sandboxes and to serve from.
    #[must_use]
    pub fn folder(&self, name: &str) -> PathBuf {
        self.holder.join(LIVE).join(name)
    }

    /// What is there. Starts no process; a few small reads.
    ///
    /// # Errors
    /// When it cannot be seen. Not knowing is not absence.
    pub fn look(&self) -> Result<VolumeSight, VolumeError> {
        if self.there(LIVE)? {
            Ok(VolumeSight::Live { limit: self.bound()?.limit })
        } else if self.there(RETAINED)? {
            Ok(VolumeSight::Retained)
        } else if self.there("")? {
            Err(VolumeError::Strange(format!("{} has neither a live part nor a retained one", self.holder.display())))
        } else {
            Ok(VolumeSight::Absent)
        }
    }

    /// What tasks have left on the live part; nothing where there is none.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn marks(&self) -> Result<BTreeMap<String, String>, VolumeError> {
        self.marks_of(LIVE)
    }

    pub(super) fn marks_of(&self, part: &str) -> Result<BTreeMap<String, String>, VolumeError> {
        let folder = self.holder.join(part).join(MARKS);
        let doing = || format!("reading {}", folder.display());
        let entries = match fs::read_dir(&folder) {
            Ok(entries) => entries,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(BTreeMap::new()),
            Err(error) => return Err(VolumeError::io(doing())(error)),
        };
        let mut marks = BTreeMap::new();
        for entry in entries {
            let entry = entry.map_err(VolumeError::io(doing()))?;
            let key = entry.file_name().to_string_lossy().into_owned();
            if !key.starts_with('.') {
                marks.insert(key, fs::read_to_string(entry.path()).map_err(VolumeError::io(doing()))?);
            }
        }
        Ok(marks)
    }

    /// Leaves a mark on the live part, also in a full volume.
    ///
    /// # Errors
    /// When there is no live part, or the mark is too long.
    pub fn set_mark(&self, key: &str, value: &str) -> Result<(), VolumeError> {
        if !fine_mark(key) || value.len() > MARK_VALUE_BYTES_MAX {
            return Err(VolumeError::Strange(format!("{key:?} with {} bytes is no mark", value.len())));
        }
        self.must_live()?;
        if self.marks()?.len() >= MARKS_MAX {
            return Err(VolumeError::Strange(format!("solution {} has {MARKS_MAX} marks already", self.number)));
        }
        self.write_mark(LIVE, key, value)
    }

    /// Writes a mark into the live part or what is to become it, and makes room for it where there is none.
    pub(super) fn write_mark(&self, part: &str, key: &str, value: &str) -> Result<(), VolumeError> {
        let folder = self.holder.join(part).join(MARKS);
        let write = || {
            write_whole(&folder.join(format!(".{key}")), &folder.join(key), value.as_bytes())
                .map_err(VolumeError::io(format!("leaving the mark {key}")))
        };
        match write() {
            Err(error) if error.is_full() => {
                // A death in between leaves the limit raised; the next look sees that and the pass puts it back.
                let wall = self.wall()?;
                self.set_wall(Bytes(wall.0.max(self.used()?.0) + MARK_ROOM))?;
                let written = write();
                self.set_wall(wall)?;
                written
            }
            other => other,
        }
    }

    /// Makes the volume, all of it or nothing. One that is there is left as it is.
    ///
    /// # Errors
    /// A refusal when the pool is full; else when the machine refuses.
    pub fn create(&self, bound: impl Into<Bound>, folders: &[String]) -> Result<(), VolumeError> {
        if let Some(name) = folders.iter().find(|name| !fine_name(name, 32) || name.as_str() == MARKS) {
            return Err(VolumeError::Strange(format!("{name:?} is no name for a folder of a volume")));
        }
        self.build(bound.into(), |holder| self.furnish(holder, LIVE, folders, self.number))
    }

    /// Makes a live part under this name, with the platform's own and with these folders, which belong to `owner`.
    pub(super) fn furnish(&self, holder: &Path, name: &str, folders: &[String], owner: Number) -> io::Result<()> {
        let live = holder.join(name);
        btrfs::subvol_create(open_folder(holder)?, name, self.group())?;
        fs::set_permissions(&live, Permissions::from_mode(0o710))?;
        chown(&live, Some(0), Some(self.pool.edge_gid))?;
        DirBuilder::new().mode(0o700).create(live.join(MARKS))?;
        for name in folders {
            let folder = live.join(name);
            DirBuilder::new().mode(0o700).create(&folder)?;
            let mode = if PRIVATE_FOLDERS.contains(&name.as_str()) { 0o700 } else { 0o755 };
            fs::set_permissions(&folder, Permissions::from_mode(mode))?;
            chown(&folder, Some(owner.uid()), Some(owner.uid()))?;
        }
        Ok(())
    }

    /// Makes the volume from a snapshot of another in the same pool. What was the other's is this one's. With a time come the
    /// segments that are to be carried out to it, and a mark that says so.
    ///
    /// # Errors
    /// As [`Volume::create`], and when there is no such snapshot.
    pub fn clone_from(
        &self,
        other: &Self,
        id: &SnapshotId,
        bound: impl Into<Bound>,
        replay: Option<(Timestamp, &[Name])>,
    ) -> Result<(), VolumeError> {
        let source = other.open_snapshot(id)?;
        let from = other.snapshot_path(id);
        self.build(bound.into(), |holder| {
            let own = || {
                let live = holder.join(LIVE);
                owner::give(open_folder(&live)?.as_fd(), other.number, self.number)?;
                let Some((at, names)) = replay else { return Ok(()) };
                other.lend(names, &live.join(REPLAY), self.number)?;
                let marks = live.join(MARKS);
                write_whole(&marks.join(format!(".{REPLAY}")), &marks.join(REPLAY), at.to_string().as_bytes())
            };
            if self.pool.quota_mode() == QuotaMode::Simple {
                return btrfs::snapshot(open_folder(holder)?, LIVE, &source, false, self.group()).and_then(|()| own());
            }
            // Shared extents make plain groups slower with every clone, so this is a full copy. Nobody else can reach either side.
            btrfs::subvol_create(open_folder(holder)?, LIVE, self.group())?;
            let mut copy = Command::new("cp");
            copy.args(["-a", "--reflink=never", "-T"]).arg(&from).arg(holder.join(LIVE));
            super::run(&mut copy).map(drop).map_err(|error| io::Error::other(error.to_string()))?;
            own()
        })
    }

    pub(super) fn build(&self, bound: Bound, fill: impl FnOnce(&Path) -> io::Result<()>) -> Result<(), VolumeError> {
        match self.look()? {
            VolumeSight::Live { .. } => return Ok(()),
            VolumeSight::Retained => {
                let said = format!("solution {} is retained: it is revived or destroyed, not made anew", self.number);
                return Err(VolumeError::Strange(said));
            }
            VolumeSight::Absent => self.pool.admit()?,
        }
        let doing = || format!("making the volume of solution {}", self.number);
        let name = format!(".new-{}", self.number);
        let fresh = self.pool.solutions().join(&name);
        destroy_subvolume(&self.pool.top(), &fresh)?;
        if self.group().is_some() {
            btrfs::group_create(self.pool.top(), btrfs::level1(self.number.get())).map_err(VolumeError::io(doing()))?;
            self.set_wall(Bytes(bound.limit.0 + bound.reserve.0))?;
        }
        let built = (|| {
            btrfs::subvol_create(open_folder(&self.pool.solutions())?, &name, None)?;
            fs::set_permissions(&fresh, Permissions::from_mode(0o710))?;
            chown(&fresh, Some(0), Some(self.pool.edge_gid))?;
            DirBuilder::new().mode(0o700).create(fresh.join(SNAP))?;
            fs::write(fresh.join(BOUND), bound.text())?;
            fill(&fresh)?;
            fs::rename(&fresh, &self.holder)?;
            open_folder(&self.pool.solutions())?.sync_all()
        })();
        built.map_err(|error| {
            let _ = destroy_subvolume(&self.pool.top(), &fresh);
            VolumeError::io(doing())(error)
        })
    }

    /// What live part and snapshots hold together, without the log store; one small read. Where nothing counts, the live part alone.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn used(&self) -> Result<Bytes, VolumeError> {
        match self.group() {
            Some(_) => self.group_number("referenced"),
            None => self.live_bytes(),
        }
    }

    /// What the live part and snapshots hold, apart. Reads the live part's tree (not its files), so it is for a page, not for
    /// every look. What the live part shares with a template is nobody's, and so is counted only as far as the group is charged;
    /// what is written and has not reached the disk is the live part's.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn usage(&self) -> Result<Usage, VolumeError> {
        let (held, taken) = (self.used()?, self.taken()?);
        let live = if self.there(LIVE)? { self.live_bytes()?.min(held) } else { Bytes(0) };
        let coming = taken.0.saturating_sub(held.0);
        Ok(Usage { live: Bytes(live.0 + coming), snapshots: Bytes(held.0 - live.0), limit: self.bound()?.limit })
    }

    fn live_bytes(&self) -> Result<Bytes, VolumeError> {
        open_folder(&self.holder.join(LIVE))
            .and_then(|live| btrfs::live_bytes(self.pool.top(), btrfs::subvol_id(live)?))
            .map(Bytes)
            .map_err(VolumeError::io(format!("measuring solution {}", self.number)))
    }

    /// Puts the live part back to what a snapshot holds. What the live part held is gone: whoever calls this takes the
    /// snapshot `before` of it first, and stops what runs on it. The live part says which `before` it was restored after, so
    /// that the same restore called again after a death does not undo what was written since.
    ///
    /// # Errors
    /// When there is no such snapshot or no live part.
    pub fn restore(&self, id: &SnapshotId, before: &SnapshotId) -> Result<(), VolumeError> {
        if self.marks()?.get(RESTORED) == Some(&before.to_string()) {
            return Ok(());
        }
        let source = self.open_snapshot(id)?;
        self.must_live()?;
        let doing = || format!("restoring solution {} to snapshot {id}", self.number);
        self.make_live_new(&source).map_err(VolumeError::io(doing()))?;
        self.take_place(before)
    }

    /// Puts what was made to come in the place of the live part.
    pub(super) fn take_place(&self, before: &SnapshotId) -> Result<(), VolumeError> {
        let doing = || format!("putting another live part in the place of solution {}'s", self.number);
        self.write_mark(LIVE_NEW, RESTORED, &before.to_string())?;
        self.turn_line()?;
        let holder = open_folder(&self.holder).map_err(VolumeError::io(doing()))?;
        rustix::fs::renameat_with(&holder, LIVE_NEW, &holder, LIVE, rustix::fs::RenameFlags::EXCHANGE)
            .map_err(|errno| VolumeError::io(doing())(errno.into()))?;
        holder.sync_all().map_err(VolumeError::io(doing()))?;
        // From here on `live.new` is what was, and the restore is done: what stays of it goes before the next one or with
        // the sweep.
        if let Err(error) = destroy_subvolume(&self.pool.top(), &self.holder.join(LIVE_NEW)) {
            let error = crate::causes::causes(&error);
            tracing::error!(solution = %self.number, error, "what was before a restore stays");
        }
        Ok(())
    }

    fn make_live_new(&self, source: &File) -> io::Result<()> {
        destroy_subvolume(&self.pool.top(), &self.holder.join(LIVE_NEW))
            .map_err(|error| io::Error::other(error.to_string()))?;
        btrfs::snapshot(open_folder(&self.holder)?, LIVE_NEW, source, false, self.group())?;
        self.pool.mend_groups();
        Ok(())
    }

    /// Takes a snapshot of the live part, notes that it brings the volume back, and removes the live part. One that is retained
    /// already stays so.
    ///
    /// # Errors
    /// When there is no volume.
    pub fn retain(&self, id: &SnapshotId) -> Result<(), VolumeError> {
        if !self.there(LIVE)? && self.retained()?.is_some() {
            return Ok(());
        }
        self.must_live()?;
        let doing = || format!("retaining solution {}", self.number);
        self.snapshot(id, Why::Retained, None)?;
        write_whole(&self.holder.join(".retained"), &self.holder.join(RETAINED), id.to_string().as_bytes())
            .and_then(|()| open_folder(&self.holder)?.sync_all())
            .map_err(VolumeError::io(doing()))?;
        destroy_subvolume(&self.pool.top(), &self.holder.join(LIVE))
    }

    /// Brings the live part back from what was retained. One that is live stays so. The snapshot is kept.
    ///
    /// # Errors
    /// When nothing is retained.
    pub fn revive(&self) -> Result<(), VolumeError> {
        let doing = || format!("reviving solution {}", self.number);
        if !self.there(LIVE)? {
            let id = self.retained()?.ok_or(VolumeError::Absent(self.number))?;
            let source = self.open_snapshot(&id)?;
            self.make_live_new(&source)
                .and_then(|()| fs::rename(self.holder.join(LIVE_NEW), self.holder.join(LIVE)))
                .and_then(|()| open_folder(&self.holder)?.sync_all())
                .map_err(VolumeError::io(doing()))?;
        }
        remove_file(&self.holder.join(RETAINED)).map_err(VolumeError::io(doing()))
    }

    /// Destroys the volume with all its snapshots. Gone is fine.
    ///
    /// # Errors
    /// When the kernel refuses; what is left is swept when the pool is next opened.
    pub fn destroy(&self) -> Result<(), VolumeError> {
        let doing = || format!("destroying the volume of solution {}", self.number);
        let going = self.pool.solutions().join(format!(".gone-{}", self.number));
        destroy_subvolume(&self.pool.top(), &going)?;
        if self.there("")? {
            fs::rename(&self.holder, &going).map_err(VolumeError::io(doing()))?;
            destroy_subvolume(&self.pool.top(), &going)?;
        }
        self.pool.sweep_groups()
    }

    /// Writes a snapshot as a btrfs stream.
    ///
    /// # Errors
    /// When there is no such snapshot, or the writer fails.
    pub fn send(&self, id: &SnapshotId, out: &mut impl Write) -> Result<u64, VolumeError> {
        send(&self.open_snapshot(id)?, out)
            .map_err(VolumeError::io(format!("sending snapshot {id} of solution {}", self.number)))
    }

    /// Takes away what a death left half made.
    pub(super) fn sweep(&self) -> Result<(), VolumeError> {
        if self.there(LIVE_NEW)? {
            destroy_subvolume(&self.pool.top(), &self.holder.join(LIVE_NEW))?;
        }
        self.sweep_trial()?;
        let names = self.snap_entries()?;
        let snap = self.holder.join(SNAP);
        for name in &names {
            let lonely_note = name.strip_suffix(".json").is_some_and(|id| !names.iter().any(|other| other == id));
            if lonely_note || name.starts_with('.') {
                remove_file(&snap.join(name)).map_err(VolumeError::io("sweeping notes of snapshots"))?;
            } else if !name.ends_with(".json") && !names.contains(&format!("{name}.json")) {
                // The note goes last at a deletion and comes first at a creation: this one was being deleted no more than
                // halfway, or came from elsewhere. It is kept and named.
                tracing::warn!(solution = %self.number, snapshot = name, "a snapshot without its note was left as it is");
            }
        }
        Ok(())
    }

    pub(super) fn group(&self) -> Option<u64> {
        (self.pool.quota_mode() != QuotaMode::Nothing).then(|| btrfs::level1(self.number.get()))
    }

    pub(super) fn group_number(&self, name: &str) -> Result<Bytes, VolumeError> {
        read_number(&self.pool.group_folder(self.number).join(name))
    }

    pub(super) fn there(&self, name: &str) -> Result<bool, VolumeError> {
        let path = if name.is_empty() { self.holder.clone() } else { self.holder.join(name) };
        match fs::symlink_metadata(&path) {
            Ok(_) => Ok(true),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
            Err(error) => Err(VolumeError::io(format!("looking at {}", path.display()))(error)),
        }
    }

    pub(super) fn must_live(&self) -> Result<(), VolumeError> {
        if self.there(LIVE)? { Ok(()) } else { Err(VolumeError::Absent(self.number)) }
    }

    pub(super) fn retained(&self) -> Result<Option<SnapshotId>, VolumeError> {
        let doing = || format!("reading what solution {} retained", self.number);
        match fs::read_to_string(self.holder.join(RETAINED)) {
            Ok(text) => text
                .parse()
                .map(Some)
                .map_err(|_| VolumeError::Strange(format!("{}: {text:?} is no snapshot", doing()))),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(VolumeError::io(doing())(error)),
        }
    }
}

/// Opens a folder of the platform's own; a link in its place is refused.
pub(crate) fn open_folder(path: &Path) -> io::Result<File> {
    let flags = rustix::fs::OFlags::DIRECTORY | rustix::fs::OFlags::NOFOLLOW;
    OpenOptions::new().read(true).custom_flags(flags.bits().cast_signed()).open(path)
}

/// Sends a read-only subvolume through a pipe: the kernel fills it on one thread, this one empties it.
pub(crate) fn send(source: &File, out: &mut impl Write) -> io::Result<u64> {
    let (mut reader, writer) = io::pipe()?;
    std::thread::scope(|scope| {
        let filling = scope.spawn(move || btrfs::send(source, &writer));
        let copied = io::copy(&mut reader, out);
        // Closing our end ends the kernel's part when the writer failed.
        drop(reader);
        let filled = filling.join().map_err(|_| io::Error::other("the sending thread died"))?;
        let copied = copied?;
        filled?;
        Ok(copied)
    })
}

/// Dots group marks; a part between them is a name.
pub(super) fn fine_mark(key: &str) -> bool {
    key.len() <= MARK_KEY_BYTES_MAX && key.split('.').all(|part| fine_name(part, MARK_KEY_BYTES_MAX))
}

pub(super) fn fine_name(name: &str, length_max: usize) -> bool {
    !name.is_empty()
        && name.len() <= length_max
        && name.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
        && !name.starts_with('-')
}

pub(super) fn write_whole(fresh: &Path, last: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut file = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(fresh)?;
    file.write_all(bytes)?;
    fs::rename(fresh, last)
}

pub(super) fn remove_file(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

pub(super) fn read_number(path: &Path) -> Result<Bytes, VolumeError> {
    let doing = || format!("reading {}", path.display());
    let mut text = String::new();
    File::open(path).and_then(|mut file| file.read_to_string(&mut text)).map_err(VolumeError::io(doing()))?;
    text.trim()
        .parse()
        .map(Bytes)
        .map_err(|_| VolumeError::Strange(format!("{}: {:?} is no number", doing(), text.trim())))
}
