//! The tool's program, held in memory and sealed.
//!
//! A container that gets hold of the program that entered it could overwrite it for the next (CVE-2019-5736), so crun makes a copy
//! of itself that cannot be written and starts again from that, at every start. One that is started from a sealed copy sees
//! that it cannot be written, and goes on at once: all starts share the one copy, as the kernel lets nobody change it.

use rustix::fs::{MemfdFlags, SealFlags, fcntl_add_seals, memfd_create};
use std::fs::{self, File};
use std::io;
use std::os::fd::AsRawFd;
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

/// Where a program is looked for.
pub(crate) const FOLDERS: [&str; 4] = ["/usr/sbin", "/usr/bin", "/sbin", "/bin"];

/// What tells one version of a file from the next: device, inode, size, and when it was changed.
type Stamp = (u64, u64, u64, i64, i64);

#[derive(Debug)]
struct Copy {
    stamp: Stamp,
    /// Keeps the copy; the link leads to its number in this process.
    _held: File,
}

/// A program, and its sealed copy.
#[derive(Debug)]
pub(crate) struct Tool {
    program: PathBuf,
    /// Leads to the copy from within a child of this process, under the program's own name: by that its processes are known.
    link: PathBuf,
    copy: Mutex<Option<Copy>>,
}

impl Tool {
    /// The program with this name; its copy is reached by a link in `folder`.
    pub(crate) fn new(name: &str, folder: &Path) -> io::Result<Self> {
        fs::create_dir_all(folder)?;
        let found = FOLDERS.iter().map(|folder| Path::new(folder).join(name)).find(|path| path.exists());
        let program = found.unwrap_or_else(|| Path::new(FOLDERS[1]).join(name));
        Ok(Self { program, link: folder.join(name), copy: Mutex::default() })
    }

    /// What is to be executed by a child of this process: the copy, made anew when the program has become another one, or the
    /// program itself where the machine gives no memory that can be executed.
    pub(crate) fn path(&self) -> PathBuf {
        let mut copy = self.copy.lock().unwrap_or_else(PoisonError::into_inner);
        let Ok(stamp) = fs::metadata(&self.program).map(|meta| stamp(&meta)) else { return self.program.clone() };
        if copy.as_ref().is_some_and(|copy| copy.stamp == stamp) {
            return self.link.clone();
        }
        match self.seal(stamp) {
            Ok(made) => {
                *copy = Some(made);
                self.link.clone()
            }
            Err(error) => {
                tracing::warn!(program = %self.program.display(), %error, "no sealed copy; each start makes its own");
                self.program.clone()
            }
        }
    }

    fn seal(&self, stamp: Stamp) -> io::Result<Copy> {
        let name = self.program.file_name().unwrap_or_default();
        let make = |flags| memfd_create(name, flags | MemfdFlags::CLOEXEC | MemfdFlags::ALLOW_SEALING);
        // Kernels before 6.3 do not know the flag, and let everything be executed.
        let mut held = File::from(make(MemfdFlags::EXEC).or_else(|_| make(MemfdFlags::empty()))?);
        io::copy(&mut File::open(&self.program)?, &mut held)?;
        held.set_permissions(fs::Permissions::from_mode(0o500))?;
        // Just these: the tool looks for no other set.
        fcntl_add_seals(&held, SealFlags::SEAL | SealFlags::SHRINK | SealFlags::GROW | SealFlags::WRITE)?;
        let fresh = self.link.with_extension("new");
        let _ = fs::remove_file(&fresh);
        symlink(format!("/proc/self/fd/{}", held.as_raw_fd()), &fresh)?;
        fs::rename(&fresh, &self.link)?;
        Ok(Copy { stamp, _held: held })
    }
}

fn stamp(meta: &fs::Metadata) -> Stamp {
    (meta.dev(), meta.ino(), meta.len(), meta.ctime(), meta.ctime_nsec())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may panic")]
    use super::*;
    use std::io::Write;
    use std::process::Command;

    #[test]
    fn a_copy_is_executed_under_its_name_and_cannot_be_written() {
        let folder = tempfile::tempdir().unwrap();
        let program = folder.path().join("tool");
        fs::copy("/bin/cat", &program).unwrap();
        let tool = Tool { program: program.clone(), ..Tool::new("tool", &folder.path().join("links")).unwrap() };
        let path = tool.path();
        assert_eq!(path, folder.path().join("links/tool"));
        let said = |file: &str| {
            let output = Command::new(tool.path()).arg(file).output().unwrap();
            String::from_utf8(output.stdout).unwrap()
        };
        assert_eq!(said("/proc/self/comm"), "tool\n");
        // Another program in its place is noticed, and the copy is of that one.
        fs::remove_file(&program).unwrap();
        fs::copy("/bin/echo", &program).unwrap();
        assert_eq!(said("another"), "another\n");
        let mut open = File::options().write(true).open(&path).unwrap();
        assert!(open.write_all(b"x").is_err() && open.set_len(0).is_err(), "nobody writes to it, whoever opens it");
        drop(open);
        assert_eq!(said("whole"), "whole\n");
        fs::remove_file(&program).unwrap();
        assert_eq!(tool.path(), program, "what is not there says so when it is started");
    }
}
