//! A pool: one btrfs filesystem on a file or a device, held by one node at a time.

use super::carrier::{enable_quota, hold, make_device, make_file, mount, mounts};
use super::{VolumeError, btrfs, loopdev};
use crate::Ground;
use crate::sandbox::Disk;
use husorden_base::{Bytes, Number};
use nix::errno::Errno;
use nix::mount::MntFlags;
use serde::{Deserialize, Serialize};
use std::fs::{self, File};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, PermissionsExt, chown};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

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
    disk: Option<Disk>,
    pub(super) scrub_file: PathBuf,
    pub(super) scrubbing: Mutex<Option<std::thread::JoinHandle<()>>>,
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
            disk: disk(&device),
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

    /// The disk it lies on, where the kernel can bound what is read and written.
    #[must_use]
    pub const fn disk(&self) -> Option<Disk> {
        self.disk
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

    /// Takes away what a crash left: half-made volumes, snapshots and restores, and groups that hold nothing any more. What
    /// cannot be taken away is named and left for the next time: one volume must not keep all others from their node.
    fn sweep(self: &Arc<Self>) -> Result<(), VolumeError> {
        for name in self.solution_entries()? {
            let swept = if name.starts_with('.') {
                destroy_subvolume(&self.top(), &self.solutions().join(&name))
            } else if let Some(number) = name.parse().ok().and_then(Number::new) {
                self.volume(number).sweep()
            } else {
                Ok(())
            };
            if let Err(error) = swept {
                let error = crate::causes::causes(&error);
                tracing::error!(pool = self.name, name, error, "what a crash left of a volume stays");
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

/// The disk that a device is, or is a part of.
fn disk(device: &Path) -> Option<Disk> {
    let number = fs::metadata(device).ok()?.rdev();
    Disk::of(Path::new("/sys"), nix::sys::stat::major(number), nix::sys::stat::minor(number))
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
