//! Network namespaces by name, in a folder of the platform's own. Not in the `ip` tool's: when that tool is first used it
//! covers its folder with a mount, and names made before could no longer be taken away.

use super::Error;
use nix::mount::{MntFlags, MsFlags, mount, umount2};
use nix::sched::{CloneFlags, setns, unshare};
use nix::sys::statfs::{FsType, statfs};
use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

/// Where names of network namespaces stand.
pub(crate) const FOLDER: &str = "/run/husorden-netns";

/// What the kernel calls the filesystem of namespaces (`NSFS_MAGIC`).
const NSFS: FsType = FsType(0x6e73_6673);

/// The file that stands for a name.
pub(crate) fn path(name: &str) -> PathBuf {
    Path::new(FOLDER).join(name)
}

/// Whether there is a namespace under this name. A plain file is what a crash between two calls leaves, and none.
pub(crate) fn exists(name: &str) -> bool {
    statfs(&path(name)).is_ok_and(|seen| seen.filesystem_type() == NSFS)
}

/// Makes a namespace under this name if there is none.
pub(crate) fn make(name: &str) -> Result<(), Error> {
    if exists(name) {
        return Ok(());
    }
    let path = path(name);
    fs::create_dir_all(FOLDER)
        .and_then(|()| fs::OpenOptions::new().create(true).append(true).open(&path))
        .map_err(Error::file("making a name for a network namespace", &path))?;
    on_own_thread(|| {
        unshare(CloneFlags::CLONE_NEWNET).map_err(Error::kernel(|| "making a network namespace".to_owned()))?;
        mount(Some("/proc/thread-self/ns/net"), &path, None::<&str>, MsFlags::MS_BIND, None::<&str>)
            .map_err(Error::kernel(|| format!("naming {}", path.display())))
    })
}

/// Does something in the namespace with this name, on a thread that ends with it.
pub(crate) fn within<T: Send>(name: &str, act: impl FnOnce() -> Result<T, Error> + Send) -> Result<T, Error> {
    let path = path(name);
    let file = fs::File::open(&path).map_err(Error::file("opening", &path))?;
    on_own_thread(move || {
        setns(file, CloneFlags::CLONE_NEWNET).map_err(Error::kernel(|| format!("entering {}", path.display())))?;
        act()
    })
}

/// Takes a name away; the namespace ends with the last process and socket in it.
pub(crate) fn remove(name: &str) -> Result<(), Error> {
    let path = path(name);
    while exists(name) {
        umount2(&path, MntFlags::MNT_DETACH).map_err(Error::kernel(|| format!("releasing {}", path.display())))?;
    }
    match fs::remove_file(&path) {
        Err(error) if error.kind() != ErrorKind::NotFound => Err(Error::file("removing", &path)(error)),
        _ => Ok(()),
    }
}

/// Every name that begins so, with what follows; leftovers that are no namespace too.
pub(crate) fn list(prefix: &str) -> Result<Vec<String>, Error> {
    let folder = Path::new(FOLDER);
    let entries = match fs::read_dir(folder) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
        other => other.map_err(Error::file("reading", folder))?,
    };
    let mut found = Vec::new();
    for entry in entries {
        let name = entry.map_err(Error::file("reading", folder))?.file_name().to_string_lossy().into_owned();
        if let Some(rest) = name.strip_prefix(prefix) {
            found.push(rest.to_owned());
        }
    }
    Ok(found)
}

/// Writes a kernel setting of the calling thread's network namespace. `false` where this kernel has none by that name.
pub(crate) fn set(key: &str, value: &str) -> Result<bool, Error> {
    let path = Path::new("/proc/sys/net").join(key);
    match fs::write(&path, value) {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(false),
        Err(error) => Err(Error::file("writing", &path)(error)),
    }
}

/// Reads a kernel setting of the calling thread's network namespace.
pub(crate) fn get(key: &str) -> Option<String> {
    fs::read_to_string(Path::new("/proc/sys/net").join(key)).ok().map(|text| text.trim().to_owned())
}

/// A thread's namespace is its own affair: one that moved is not used for anything else.
pub(crate) fn on_own_thread<T: Send>(act: impl FnOnce() -> Result<T, Error> + Send) -> Result<T, Error> {
    std::thread::scope(|scope| {
        std::thread::Builder::new()
            .name("netns".to_owned())
            .spawn_scoped(scope, act)
            .map_err(Error::file("starting a thread for", Path::new(FOLDER)))?
            .join()
            .unwrap_or_else(|panic| std::panic::resume_unwind(panic))
    })
}
