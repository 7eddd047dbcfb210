//! A pool: one btrfs filesystem on a file or a device, held by one node at a time.

use super::btrfs::{self, Scrubbed, Space};
use super::{VolumeError, loopdev, run};
use crate::Ground;
use husorden_base::{Bytes, Number, Refusal, Text};
use jiff::Timestamp;
use nix::errno::Errno;
use nix::mount::{MntFlags, MsFlags};
use serde::{Deserialize, Serialize};
use std::fs::{self, File, OpenOptions, TryLockError};
use std::os::unix::fs::{DirBuilderExt, FileTypeExt, PermissionsExt, chown};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Arc, Mutex, PoisonError};

/// From this share of data or metadata on, a pool takes no new volumes.
const FULL_PERCENT: u64 = 85;

/// What a pool stands on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum Source {
    /// A file, made in this size if it is not there.
    File {
        /// Where.
        path: PathBuf,
        /// How large.
        size: Bytes,
    },
    /// A whole block device, used only if it is blank or already the pool.
    Device {
        /// Its path.
        path: PathBuf,
    },
}

/// Which quotas are asked for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum QuotaWish {
    /// The best that the kernel has.
    #[default]
    Best,
    /// Plain quota groups, as on kernels before 6.7.
    Plain,
}

/// A pool as configured.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PoolConfig {
    /// Its name, which is a folder's name.
    pub name: String,
    /// What it stands on.
    pub source: Source,
    /// Which quotas.
    #[serde(default)]
    pub quota: QuotaWish,
}

/// How limits are held in a pool.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum QuotaMode {
    /// Simple quotas: whoever first wrote an extent pays. Clones share.
    Simple,
    /// Plain quota groups, whose cost grows with what is shared: clones are full copies.
    Plain,
    /// The kernel refuses both: nothing holds a solution's limit.
    Nothing,
}

/// How a pool is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PoolHealth {
    /// Bytes of data in use.
    pub data_used: Bytes,
    /// Bytes that data could have, with what no kind of space has taken yet.
    pub data_total: Bytes,
    /// Bytes of metadata in use, with what the kernel keeps in reserve.
    pub meta_used: Bytes,
    /// Bytes that metadata could have.
    pub meta_total: Bytes,
    /// Errors that the device has shown since the pool was made.
    pub device_errors: u64,
    /// The filesystem has turned read-only after an error.
    pub read_only: bool,
    /// The newest scrub, which may still run.
    pub last_scrub: Option<Scrub>,
}

/// A reading of everything in the pool against its checksums.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Scrub {
    /// When it began.
    pub started: Timestamp,
    /// When it was through; none while it runs, or if the node died meanwhile.
    pub ended: Option<Timestamp>,
    /// Bytes read.
    pub bytes: Bytes,
    /// Errors found.
    pub errors: u64,
    /// Those that had no intact copy.
    pub uncorrectable: u64,
    /// Why it did not get through.
    pub failed: Option<String>,
}

/// An open pool. While it is held, no other node can open it.
#[derive(Debug)]
pub struct Pool {
    name: String,
    root: PathBuf,
    top: Mutex<Arc<File>>,
    pub(super) fsid: String,
    quota: QuotaMode,
    pub(super) edge_gid: u32,
    loop_device: Option<PathBuf>,
    scrub_file: PathBuf,
    scrubbing: Mutex<Option<std::thread::JoinHandle<()>>>,
    lock: Mutex<Option<File>>,
}

impl Pool {
    /// Opens a pool: makes it if there is none, attaches and mounts it where it is not yet, and sweeps what a crash left half
    /// made. May be called again after a death at any point.
    ///
    /// # Errors
    /// When another node holds it, when a device carries something else, or when the machine refuses a step.
    pub fn open(ground: &Ground, config: &PoolConfig) -> Result<Arc<Self>, VolumeError> {
        let state = ground.home.join("pools");
        fs::create_dir_all(&state).map_err(VolumeError::io(format!("making {}", state.display())))?;
        let lock = hold(&state, &config.name)?;
        let (device, loop_device) = match &config.source {
            Source::File { path, size } => {
                make_file(path, *size, &config.name)?;
                let device = loopdev::attach(path)?;
                (device.clone(), Some(device))
            }
            Source::Device { path } => {
                make_device(path, &state, &config.name)?;
                (path.clone(), None)
            }
        };
        let root = ground.pool(&config.name);
        mount(&device, &root, loop_device.is_some())?;
        let top = File::open(&root).map_err(VolumeError::io(format!("opening {}", root.display())))?;
        let fsid = btrfs::fsid(&top).map_err(VolumeError::io("reading the pool's id"))?;
        let quota = enable_quota(&top, &fsid, config.quota)?;
        let pool = Arc::new(Self {
            name: config.name.clone(),
            root,
            top: Mutex::new(Arc::new(top)),
            fsid,
            quota,
            edge_gid: ground.edge_gid,
            loop_device,
            scrub_file: state.join(format!("{}.scrub.json", config.name)),
            scrubbing: Mutex::new(None),
            lock: Mutex::new(Some(lock)),
        });
        // Other parts of the platform stand in folders of their own here; the edge passes through to what it serves.
        fs::set_permissions(&pool.root, fs::Permissions::from_mode(0o755))
            .map_err(VolumeError::io("setting the pool's mode"))?;
        let solutions = pool.solutions();
        if !solutions.exists() {
            fs::DirBuilder::new().mode(0o710).create(&solutions).map_err(VolumeError::io("making solutions/"))?;
        }
        chown(&solutions, Some(0), Some(pool.edge_gid)).map_err(VolumeError::io("setting the group of solutions/"))?;
        pool.sweep()?;
        Ok(pool)
    }

    /// Unmounts and detaches. Fails while anything in it is in use, and may then be called again. What is called on the pool
    /// afterwards fails. Dropping a pool without this leaves it mounted, for what runs in it.
    ///
    /// # Errors
    /// When the pool is busy.
    pub fn release(&self) -> Result<(), VolumeError> {
        let doing = || format!("closing pool {}", self.name);
        match btrfs::scrub_cancel(self.top()) {
            // Closed already.
            Err(error) if error.raw_os_error() == Some(Errno::ENOTTY as i32) => return Ok(()),
            other => other.map_err(VolumeError::io(doing()))?,
        }
        let running = self.scrubbing.lock().unwrap_or_else(PoisonError::into_inner).take();
        if running.is_some_and(|thread| thread.join().is_err()) {
            return Err(VolumeError::Strange("the scrub's thread died".to_owned()));
        }
        // An open handle would keep the pool mounted; one of nothing takes its place.
        let nothing = Arc::new(File::open("/dev/null").map_err(VolumeError::io(doing()))?);
        *self.top.lock().unwrap_or_else(PoisonError::into_inner) = nothing;
        if let Err(errno) = nix::mount::umount2(&self.root, MntFlags::UMOUNT_NOFOLLOW) {
            let top = File::open(&self.root).map_err(VolumeError::io(doing()))?;
            *self.top.lock().unwrap_or_else(PoisonError::into_inner) = Arc::new(top);
            return Err(VolumeError::io(doing())(errno.into()));
        }
        if let Some(device) = &self.loop_device {
            loopdev::detach(device)?;
        }
        *self.lock.lock().unwrap_or_else(PoisonError::into_inner) = None;
        Ok(())
    }

    /// Its name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Where it is mounted.
    #[must_use]
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// How limits are held.
    #[must_use]
    pub const fn quota_mode(&self) -> QuotaMode {
        self.quota
    }

    /// The volume of a solution, there or not.
    #[must_use]
    pub fn volume(self: &Arc<Self>, number: Number) -> super::Volume {
        super::Volume::new(Arc::clone(self), number)
    }

    /// Numbers of all solutions that have something here, for a sweep against what should be.
    ///
    /// # Errors
    /// When the folder cannot be read.
    pub fn numbers(&self) -> Result<Vec<Number>, VolumeError> {
        let mut found: Vec<Number> =
            self.solution_entries()?.iter().filter_map(|name| name.parse().ok().and_then(Number::new)).collect();
        found.sort_unstable();
        Ok(found)
    }

    /// Whether something new may be made here.
    ///
    /// # Errors
    /// A refusal when data or metadata is at 85 % or more, or when the pool has turned read-only.
    pub fn admit(&self) -> Result<(), VolumeError> {
        let health = self.health()?;
        let refuse = |what: Text, measured: String, limit: String| {
            let refusal = Refusal::new(
                "pool-full",
                507,
                Text::new("Der kan ikke oprettes mere her lige nu", "Nothing more can be made here right now"),
                what,
            )
            .with_limit(measured, limit);
            Err(VolumeError::Refused(Box::new(refusal)))
        };
        if health.read_only {
            return refuse(
                Text::new(
                    "Lageret er skrivebeskyttet efter en fejl. Værten ved det og må rette det først.",
                    "The pool is read-only after an error. The host knows and has to mend it first.",
                ),
                "read-only".to_owned(),
                "writable".to_owned(),
            );
        }
        for (da, en, used, total) in [
            ("data", "data", health.data_used, health.data_total),
            ("metadata", "metadata", health.meta_used, health.meta_total),
        ] {
            let percent = used.0.saturating_mul(100) / total.0.max(1);
            if percent >= FULL_PERCENT {
                return refuse(
                    Text::new(
                        format!(
                            "Lageret er for fuldt ({da}). Det, der er der, virker videre; prøv igen, når værten har udvidet det."
                        ),
                        format!(
                            "The pool is too full ({en}). What is there works on; try again when the host has enlarged it."
                        ),
                    ),
                    format!("{percent} % of {en}"),
                    format!("{FULL_PERCENT} %"),
                );
            }
        }
        Ok(())
    }

    /// How it is.
    ///
    /// # Errors
    /// When the kernel does not say.
    pub fn health(&self) -> Result<PoolHealth, VolumeError> {
        let spaces = btrfs::spaces(self.top()).map_err(VolumeError::io("reading the pool's space"))?;
        let (size, given) = btrfs::device(self.top()).map_err(VolumeError::io("reading the pool's device"))?;
        let device_errors = btrfs::device_errors(self.top()).map_err(VolumeError::io("reading the device's errors"))?;
        let stat = nix::sys::statvfs::fstatvfs(self.top())
            .map_err(|errno| VolumeError::io("reading the pool's flags")(errno.into()))?;
        let free = size.saturating_sub(given);
        let mut health = PoolHealth {
            data_used: Bytes(0),
            data_total: Bytes(0),
            meta_used: Bytes(0),
            meta_total: Bytes(0),
            device_errors,
            read_only: stat.flags().contains(nix::sys::statvfs::FsFlags::ST_RDONLY),
            last_scrub: self.last_scrub(),
        };
        for space in spaces {
            match kind(space) {
                SpaceKind::Data => {
                    health.data_used.0 += space.used;
                    health.data_total.0 += space.total + free / copies(space);
                }
                SpaceKind::Metadata => {
                    health.meta_used.0 += space.used;
                    health.meta_total.0 += space.total + free / copies(space);
                }
                // Part of the metadata's space that nobody else may use.
                SpaceKind::Reserve => health.meta_used.0 += space.total,
                SpaceKind::Other => {}
            }
        }
        Ok(health)
    }

    /// Begins a scrub in the background; one that runs already is fine. [`Pool::health`] shows how it goes.
    ///
    /// # Errors
    /// When it cannot be begun.
    pub fn scrub(&self) -> Result<(), VolumeError> {
        let mut running = self.scrubbing.lock().unwrap_or_else(PoisonError::into_inner);
        if running.as_ref().is_some_and(|thread| !thread.is_finished()) {
            return Ok(());
        }
        let top = self.top();
        let mut scrub = Scrub {
            started: Timestamp::now(),
            ended: None,
            bytes: Bytes(0),
            errors: 0,
            uncorrectable: 0,
            failed: None,
        };
        let file = self.scrub_file.clone();
        record(&file, &scrub)?;
        let thread = std::thread::Builder::new().name("scrub".to_owned()).spawn(move || {
            match btrfs::scrub(&top) {
                Ok(Scrubbed { bytes, errors, uncorrectable }) => {
                    scrub.bytes = Bytes(bytes);
                    scrub.errors = errors;
                    scrub.uncorrectable = uncorrectable;
                }
                Err(error) => scrub.failed = Some(error.to_string()),
            }
            scrub.ended = Some(Timestamp::now());
            if let Err(error) = record(&file, &scrub) {
                tracing::error!(%error, "the scrub's result could not be kept");
            }
        });
        *running = Some(thread.map_err(VolumeError::io("beginning a scrub"))?);
        Ok(())
    }

    fn last_scrub(&self) -> Option<Scrub> {
        serde_json::from_slice(&fs::read(&self.scrub_file).ok()?).ok()
    }

    /// Commits everything to the device.
    ///
    /// # Errors
    /// When the device refuses.
    pub fn sync(&self) -> Result<(), VolumeError> {
        btrfs::sync(self.top()).map_err(VolumeError::io("committing the pool"))
    }

    /// The handle that the kernel is called on. After [`Pool::release`] it is one of nothing, and every call fails with ENOTTY.
    pub(super) fn top(&self) -> Arc<File> {
        Arc::clone(&self.top.lock().unwrap_or_else(PoisonError::into_inner))
    }

    pub(super) fn solutions(&self) -> PathBuf {
        self.root.join("solutions")
    }

    pub(super) fn group_folder(&self, number: Number) -> PathBuf {
        Path::new("/sys/fs/btrfs").join(&self.fsid).join("qgroups").join(format!("1_{number}"))
    }

    /// Older kernels mark plain groups as uncertain when a snapshot joins one; then they are counted anew. Simple quotas never are.
    pub(super) fn mend_groups(&self) {
        if self.quota != QuotaMode::Plain {
            return;
        }
        let mark = Path::new("/sys/fs/btrfs").join(&self.fsid).join("qgroups/inconsistent");
        if fs::read_to_string(mark).is_ok_and(|text| text.trim() == "1")
            && let Err(error) = btrfs::quota_rescan(self.top())
        {
            tracing::warn!(%error, pool = self.name, "the quota groups could not be counted anew");
        }
    }

    fn solution_entries(&self) -> Result<Vec<String>, VolumeError> {
        let path = self.solutions();
        fs::read_dir(&path)
            .and_then(|entries| entries.map(|entry| Ok(entry?.file_name().to_string_lossy().into_owned())).collect())
            .map_err(VolumeError::io(format!("listing {}", path.display())))
    }

    /// Takes away what a crash left: half-made volumes, snapshots and restores, and groups that hold nothing any more.
    fn sweep(self: &Arc<Self>) -> Result<(), VolumeError> {
        for name in self.solution_entries()? {
            if name.starts_with('.') {
                destroy_subvolume(&self.top(), &self.solutions().join(name))?;
            } else if let Some(number) = name.parse().ok().and_then(Number::new) {
                self.volume(number).sweep()?;
            }
        }
        self.sweep_groups()
    }

    /// Removes the level-1 groups of solutions that are gone, as far as the kernel has freed what they held. Cheap enough for
    /// every hour: it reads one folder.
    ///
    /// # Errors
    /// When the folder cannot be read.
    pub fn sweep_groups(&self) -> Result<(), VolumeError> {
        if self.quota == QuotaMode::Nothing {
            return Ok(());
        }
        for number in self.groups()? {
            if !self.solutions().join(number.to_string()).exists()
                && let Err(error) = btrfs::group_remove(self.top(), btrfs::level1(number.get()))
            {
                // Busy until the kernel's cleaner has been by; the next sweep finds it again.
                tracing::debug!(%number, %error, "group not removed yet");
            }
        }
        Ok(())
    }

    /// Numbers of all level-1 groups there are, for a sweep against what should be.
    ///
    /// # Errors
    /// When the folder cannot be read.
    pub fn groups(&self) -> Result<Vec<Number>, VolumeError> {
        let folder = Path::new("/sys/fs/btrfs").join(&self.fsid).join("qgroups");
        let entries = fs::read_dir(&folder).map_err(VolumeError::io("listing quota groups"))?;
        Ok(entries
            .flatten()
            .filter_map(|entry| entry.file_name().to_str()?.strip_prefix("1_")?.parse().ok().and_then(Number::new))
            .collect())
    }
}

/// Destroys the subvolume at a path that only root can change.
pub(crate) fn destroy_subvolume(top: &File, path: &Path) -> Result<(), VolumeError> {
    let doing = || format!("destroying {}", path.display());
    let folder = match super::volume::open_folder(path) {
        Ok(folder) => folder,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(VolumeError::io(doing())(error)),
    };
    let id = btrfs::subvol_id(&folder).map_err(VolumeError::io(doing()))?;
    let pool = btrfs::subvol_id(top).map_err(VolumeError::io(doing()))?;
    drop(folder);
    if id == pool {
        // A plain folder: it was never a subvolume, so nothing of a customer is in it.
        return fs::remove_dir_all(path).map_err(VolumeError::io(doing()));
    }
    btrfs::destroy(top, id).map_err(VolumeError::io(doing()))
}

enum SpaceKind {
    Data,
    Metadata,
    Reserve,
    Other,
}

fn kind(space: Space) -> SpaceKind {
    const DATA: u64 = 1;
    const METADATA: u64 = 1 << 2;
    const RESERVE: u64 = 1 << 49;
    if space.flags & RESERVE != 0 {
        SpaceKind::Reserve
    } else if space.flags & METADATA != 0 {
        SpaceKind::Metadata
    } else if space.flags & DATA != 0 {
        SpaceKind::Data
    } else {
        SpaceKind::Other
    }
}

/// How often each byte of this kind lies on the device.
const fn copies(space: Space) -> u64 {
    const DUP: u64 = 1 << 5;
    if space.flags & DUP != 0 { 2 } else { 1 }
}

fn record(file: &Path, scrub: &Scrub) -> Result<(), VolumeError> {
    let fresh = file.with_extension("new");
    let text = serde_json::to_vec(scrub).expect("plain data has a JSON form");
    fs::write(&fresh, text)
        .and_then(|()| fs::rename(&fresh, file))
        .map_err(VolumeError::io("keeping the scrub's result"))
}

fn hold(state: &Path, name: &str) -> Result<File, VolumeError> {
    let path = state.join(format!("{name}.lock"));
    let lock = OpenOptions::new()
        .create(true)
        .truncate(false)
        .write(true)
        .open(&path)
        .map_err(VolumeError::io(format!("opening {}", path.display())))?;
    match lock.try_lock() {
        Ok(()) => Ok(lock),
        Err(TryLockError::WouldBlock) => Err(VolumeError::Held(name.to_owned())),
        Err(TryLockError::Error(error)) => Err(VolumeError::io(format!("locking {}", path.display()))(error)),
    }
}

/// Makes the pool's file under another name and renames it when it holds a whole filesystem: a file with the right name is
/// a finished pool.
fn make_file(path: &Path, size: Bytes, name: &str) -> Result<(), VolumeError> {
    if path.exists() {
        return Ok(());
    }
    let doing = || format!("making the pool file {}", path.display());
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder).map_err(VolumeError::io(doing()))?;
    }
    let fresh = path.with_extension("new");
    let _ = fs::remove_file(&fresh);
    let file = OpenOptions::new().create_new(true).write(true).open(&fresh).map_err(VolumeError::io(doing()))?;
    file.set_permissions(fs::Permissions::from_mode(0o600)).map_err(VolumeError::io(doing()))?;
    let length = i64::try_from(size.0).map_err(|_| VolumeError::Strange(format!("a pool of {size} is too large")))?;
    nix::fcntl::fallocate(&file, nix::fcntl::FallocateFlags::empty(), 0, length)
        .map_err(|errno| VolumeError::io(doing())(errno.into()))?;
    mkfs(&fresh, name, false)?;
    file.sync_all().and_then(|()| fs::rename(&fresh, path)).map_err(VolumeError::io(doing()))
}

/// Makes the filesystem on a device, unless it was finished before. A device that carries anything else is refused by mkfs
/// itself; only one on which we had begun is overwritten.
fn make_device(path: &Path, state: &Path, name: &str) -> Result<(), VolumeError> {
    let meta = fs::metadata(path).map_err(VolumeError::io(format!("looking at {}", path.display())))?;
    if !meta.file_type().is_block_device() {
        return Err(VolumeError::Strange(format!("{} is no block device", path.display())));
    }
    let (made, begun) = (state.join(format!("{name}.made")), state.join(format!("{name}.begun")));
    if made.exists() {
        return Ok(());
    }
    let again = begun.exists();
    if !again {
        // A blank device passes; anything recognised is refused before the mark is set that would allow overwriting it.
        let seen =
            Command::new("blkid").arg("--probe").arg(path).output().map_err(VolumeError::io("starting blkid"))?;
        if seen.status.code() != Some(2) {
            return Err(VolumeError::Strange(format!(
                "{} carries something already ({}); wipe it by hand (wipefs -a) if it is to be a pool",
                path.display(),
                String::from_utf8_lossy(&seen.stdout).trim()
            )));
        }
        fs::write(&begun, b"").map_err(VolumeError::io("marking the device"))?;
    }
    mkfs(path, name, true)?;
    fs::rename(&begun, &made).map_err(VolumeError::io("marking the device"))
}

/// Size of a node of the filesystem's trees. Every snapshot owns at least one, and every rewrite after a snapshot copies one with a
/// reference for each extent in it: with 100 clones and 14 snapshots each, the smallest size halved the time of a day against mkfs's own
/// choice of 16 KiB, and kept it level.
const NODE_BYTES: u32 = 4096;

fn mkfs(path: &Path, name: &str, force: bool) -> Result<(), VolumeError> {
    let mut command = Command::new("mkfs.btrfs");
    command.arg("--nodesize").arg(NODE_BYTES.to_string()).arg("--quiet").arg("--label").arg(format!("husorden-{name}"));
    if force {
        command.arg("--force");
    }
    run(command.arg(path)).map(drop)
}

/// Mounts the device, unless it is mounted there already. On a file, freed blocks are not handed back to the machine: the file's
/// space was promised to the pool.
fn mount(device: &Path, root: &Path, on_file: bool) -> Result<(), VolumeError> {
    let doing = || format!("mounting {} at {}", device.display(), root.display());
    fs::create_dir_all(root).map_err(VolumeError::io(doing()))?;
    let root = &root.canonicalize().map_err(VolumeError::io(doing()))?;
    if let Some(mounted) = mounts()?.into_iter().find(|(target, _)| target == root) {
        if mounted.1 == device {
            return Ok(());
        }
        return Err(VolumeError::Strange(format!(
            "{} is mounted at {}, not {}",
            mounted.1.display(),
            root.display(),
            device.display()
        )));
    }
    let flags = MsFlags::MS_NODEV | MsFlags::MS_NOSUID | MsFlags::MS_NOATIME;
    let options = if on_file { "nodiscard" } else { "discard=async" };
    nix::mount::mount(Some(device), root, Some("btrfs"), flags, Some(options))
        .map_err(|errno| VolumeError::io(doing())(errno.into()))
}

/// Everything mounted: where, and from what.
fn mounts() -> Result<Vec<(PathBuf, PathBuf)>, VolumeError> {
    let text = fs::read_to_string("/proc/self/mountinfo").map_err(VolumeError::io("listing mounts"))?;
    Ok(text
        .lines()
        .filter_map(|line| {
            let (before, after) = line.split_once(" - ")?;
            Some((
                PathBuf::from(unescape(before.split(' ').nth(4)?)),
                PathBuf::from(unescape(after.split(' ').nth(1)?)),
            ))
        })
        .collect())
}

/// The kernel writes blanks and backslashes in octal.
fn unescape(text: &str) -> String {
    text.replace("\\040", " ").replace("\\011", "\t").replace("\\134", "\\")
}

fn enable_quota(top: &File, fsid: &str, wish: QuotaWish) -> Result<QuotaMode, VolumeError> {
    let read = || fs::read_to_string(Path::new("/sys/fs/btrfs").join(fsid).join("qgroups/mode")).ok();
    let mode = |text: String| match text.trim() {
        "squota" => Some(QuotaMode::Simple),
        "qgroup" => Some(QuotaMode::Plain),
        _ => None,
    };
    if let Some(found) = read().and_then(mode) {
        return Ok(found);
    }
    if wish == QuotaWish::Best && btrfs::quota_enable_simple(top).is_ok() {
        return Ok(QuotaMode::Simple);
    }
    match btrfs::quota_enable_plain(top) {
        Ok(()) => Ok(QuotaMode::Plain),
        Err(error) => {
            tracing::error!(%error, "the kernel refuses quotas: nothing holds a solution's limit in this pool");
            Ok(QuotaMode::Nothing)
        }
    }
}

/// What an installation has left on a machine: for `down`, and for tests that look whether nothing stays.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Leftovers {
    /// Mounts beneath its run folder's pools.
    pub mounts: Vec<PathBuf>,
    /// Loop devices that carry a file beneath its home.
    pub loops: Vec<PathBuf>,
}

/// Lists what stands on the machine of this installation's pools, open or not.
///
/// # Errors
/// When the machine does not say.
pub fn leftovers(ground: &Ground) -> Result<Leftovers, VolumeError> {
    let (pools, home) = (ground.run.join("pools"), ground.home.clone());
    Ok(Leftovers {
        mounts: mounts()?.into_iter().map(|(target, _)| target).filter(|target| target.starts_with(&pools)).collect(),
        loops: loopdev::attached()?
            .into_iter()
            .filter(|(_, file)| file.starts_with(&home))
            .map(|(device, _)| device)
            .collect(),
    })
}
