//! By hand: programs of the platform's own runtimes, run as a person would run them, in a folder of theirs and a mount namespace of
//! its own. The peers of benches are made of it, so that they are the same versions.

use crate::{House, text};
use anyhow::{Context, Result, bail};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

/// Where the folder is seen inside.
pub const INSIDE: &str = "/srv/x";
/// Runs a program of a runtime with the folder in it, and with a device that opens taps for their owner. Pools of other houses are let go of, for as long as it ran they could not be closed.
const ENTER: &str = r#"r=$1 f=$2 u=$3; shift 3
findmnt -rn -t btrfs -o TARGET | grep -E '^/(run|var/tmp)/husorden' | while read -r m; do case "$r" in "$m"/*) ;; *) umount -l "$m" 2> /dev/null || true ;; esac; done
mount --bind /dev "$r/dev"; mount -t tmpfs -o mode=1777 none "$r/dev/shm"; mount -t proc proc "$r/proc"; mount -t tmpfs none "$r/tmp"; mount -t tmpfs none "$r/srv"
mkdir "$r/srv/x"; mount --bind "$f" "$r/srv/x"
mknod -m 666 "$r/srv/tun" c 10 200; mount --bind "$r/srv/tun" "$r/dev/net/tun"
exec chroot --userspec="$u:$u" "$r" "$@""#;

/// Folder of a house's pool.
#[must_use]
pub fn pool(house: &House) -> PathBuf {
    PathBuf::from(format!("/run/husorden/{}/pools/main", house.instance))
}

/// The root of a runtime in a house's pool.
///
/// # Errors
/// When it was not built there.
pub fn runtime(house: &House, name: &str) -> Result<PathBuf> {
    newest(&pool(house).join("runtimes"), name)
}

/// The folder of an image in a house's pool.
///
/// # Errors
/// When it was not built there.
pub fn image(house: &House, name: &str) -> Result<PathBuf> {
    newest(&pool(house).join("images"), name)
}

fn newest(folder: &Path, name: &str) -> Result<PathBuf> {
    let entries = fs::read_dir(folder)?.flatten().map(|entry| entry.path());
    let found = entries.filter(|path| {
        path.is_dir() && path.file_name().is_some_and(|file| file.to_string_lossy().starts_with(&format!("{name}@")))
    });
    found.max().with_context(|| format!("no {name} in {}", folder.display()))
}

/// A program of a runtime that sees `folder` as [`INSIDE`], as a user of this number.
#[must_use]
pub fn command(root: &Path, folder: &Path, uid: u32, program: &[&str]) -> Command {
    let mut command = Command::new("unshare");
    command.args(["-m", "--propagation", "private", "sh", "-ec", ENTER, "sh"]);
    command.arg(root).arg(folder).arg(uid.to_string()).args(program);
    command.stdin(Stdio::null()).env_clear().env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin").env("LC_ALL", "C.UTF-8");
    command
}

/// Runs a command to its end, and gives what it said.
///
/// # Errors
/// When it fails, with what it said.
pub fn run(command: &mut Command) -> Result<String> {
    let output = command.output().with_context(|| format!("running {command:?}"))?;
    if !output.status.success() {
        bail!("{command:?}: {}{}", text(&output.stdout), text(&output.stderr));
    }
    Ok(text(&output.stdout))
}

/// A child that ends when this is dropped.
#[derive(Debug)]
pub struct Running(pub Child);

impl Drop for Running {
    fn drop(&mut self) {
        // Asked, not killed: a master takes its workers along. It may have ended by itself; then nobody is asked.
        if let (Ok(pid), Ok(None)) = (i32::try_from(self.0.id()), self.0.try_wait()) {
            let _ = nix::sys::signal::kill(nix::unistd::Pid::from_raw(pid), nix::sys::signal::Signal::SIGTERM);
        }
        let _ = self.0.wait();
    }
}
