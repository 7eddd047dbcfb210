//! The platform's own program as sandboxes see it. A package's upgrade puts another file under its name while the node runs, so the node
//! keeps the file that it is itself under a name of its own, and binds that: what a sandbox runs is always of the node's own version.

use rustix::fs::{AtFlags, CWD, linkat};
use std::fs::{self, File};
use std::io;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

const OWN: &str = "/proc/self/exe";

/// Keeps the file that this process runs in a folder, and says where. It is linked, which costs nothing, or copied where the folder lies on
/// another filesystem. What runs on the file of an earlier node goes on with that.
pub(crate) fn keep(folder: &Path) -> io::Result<PathBuf> {
    if cfg!(test) {
        // A test of this crate is no program that could be started in a sandbox, and has one made for it.
        let own = std::env::current_exe()?;
        let target = own.ancestors().nth(2).ok_or(io::ErrorKind::NotFound)?;
        return Ok(target.join("examples/copy"));
    }
    keep_file(Path::new(OWN), folder)
}

fn keep_file(own: &Path, folder: &Path) -> io::Result<PathBuf> {
    let (kept, new) = (folder.join("program"), folder.join("program.new"));
    let is_own = |one: &fs::Metadata, other: &fs::Metadata| (one.dev(), one.ino()) == (other.dev(), other.ino());
    if fs::metadata(&kept).and_then(|there| Ok(is_own(&there, &fs::metadata(own)?))).unwrap_or(false) {
        return Ok(kept);
    }
    match fs::remove_file(&new) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    // Nobody reads a copy after a power cut: the next node makes its own.
    if linkat(CWD, own, CWD, &new, AtFlags::SYMLINK_FOLLOW).is_err() {
        let mut to = File::create_new(&new)?;
        io::copy(&mut File::open(own)?, &mut to)?;
        to.set_permissions(fs::Permissions::from_mode(0o755))?;
    }
    fs::rename(&new, &kept)?;
    Ok(kept)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_runs_is_kept_when_another_takes_its_name() -> io::Result<()> {
        let folder = tempfile::tempdir()?;
        // What a process has open by a link that leads past names, as it has its own program.
        let named = folder.path().join("husorden");
        fs::write(&named, "the one that runs")?;
        let open = File::open(&named)?;
        let own = PathBuf::from(format!("/proc/self/fd/{}", std::os::fd::AsRawFd::as_raw_fd(&open)));
        let kept = keep_file(&own, folder.path())?;
        assert_eq!(fs::metadata(&kept)?.ino(), open.metadata()?.ino(), "linked, and not copied");
        let upgraded = folder.path().join("husorden.dpkg-new");
        fs::write(&upgraded, "a later one")?;
        fs::rename(&upgraded, &named)?;
        assert_eq!(keep_file(&own, folder.path())?, kept);
        assert_eq!(fs::read_to_string(&kept)?, "the one that runs");
        // The next node is of the later one; a link that a death left half-way is in nobody's way.
        fs::write(folder.path().join("program.new"), "half")?;
        assert_eq!(keep_file(&named, folder.path())?, kept);
        assert_eq!(fs::read_to_string(&kept)?, "a later one");
        // A file that has no name any more cannot be linked, and is copied.
        fs::remove_file(&kept)?;
        let kept = keep_file(&own, folder.path())?;
        assert_eq!(fs::read_to_string(&kept)?, "the one that runs");
        assert_eq!(fs::metadata(&kept)?.mode() & 0o777, 0o755);
        Ok(())
    }
}
