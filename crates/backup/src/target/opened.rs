//! What an account on an SSH server is opened with, in files that are in memory: OpenSSH takes both as files alone.
//!
//! They live as long as a lock on their folder does, which goes with the process that holds it, however that ends. A folder that nobody holds is an
//! orphan, and is swept.

use crate::crypt::random;
use husorden_base::Secret;
use rustix::fs::{FlockOperation, OFlags, flock};
use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, chown};
use std::path::{Path, PathBuf};

/// A folder that is in memory on every machine.
const MEMORY: &str = "/dev/shm";
/// What the names of such folders begin with; then come the process and a word of chance.
const PREFIX: &str = "husorden-ssh-";
/// Tries to make one: a sweep may come between a folder and its lock.
const TRIES: u32 = 5;

/// The account's private key and the host's public one.
#[derive(Debug)]
pub struct SshFiles {
    folder: PathBuf,
    _lock: File,
}

impl Drop for SshFiles {
    fn drop(&mut self) {
        drop(fs::remove_dir_all(&self.folder));
    }
}

impl SshFiles {
    /// Lays them down for this process, or for the user that a client will be; orphans are swept first.
    ///
    /// # Errors
    /// When there is no room, or the folder is another's.
    pub fn lay(host: (&str, u16), host_key: &str, key: &Secret, owner: Option<u32>) -> io::Result<Self> {
        Self::sweep();
        let mut tried = 0;
        loop {
            tried += 1;
            match Self::try_to_lay(host, host_key, key, owner) {
                Err(error) if error.kind() == io::ErrorKind::NotFound && tried < TRIES => {}
                other => return other,
            }
        }
    }

    fn try_to_lay((host, port): (&str, u16), host_key: &str, key: &Secret, owner: Option<u32>) -> io::Result<Self> {
        let chance: String = random::<16>().iter().map(|byte| format!("{byte:02x}")).collect();
        let folder = Path::new(MEMORY).join(format!("{PREFIX}{}-{chance}", std::process::id()));
        DirBuilder::new().mode(0o700).create(&folder)?;
        let lock = File::open(&folder)?;
        flock(&lock, FlockOperation::NonBlockingLockExclusive)?;
        let files = Self { folder, _lock: lock };
        let host = if port == 22 { host.to_owned() } else { format!("[{host}]:{port}") };
        let key = Secret::new(format!("{}\n", key.reveal().trim_end()));
        let known = Secret::new(format!("{host} {}\n", host_key.trim()));
        for (path, text) in [(files.identity(), key), (files.known_hosts(), known)] {
            let mut file = OpenOptions::new().write(true).create_new(true).mode(0o400).open(&path)?;
            file.write_all(text.reveal().as_bytes())?;
            chown(&path, owner, owner)?;
        }
        chown(&files.folder, owner, owner)?;
        Ok(files)
    }

    /// File of the private key.
    #[must_use]
    pub fn identity(&self) -> PathBuf {
        self.folder.join("key")
    }

    /// File with the host's public key.
    #[must_use]
    pub fn known_hosts(&self) -> PathBuf {
        self.folder.join("known")
    }

    /// Removes what processes that were killed have left, as far as the caller may.
    pub fn sweep() {
        for entry in fs::read_dir(MEMORY).into_iter().flatten().flatten() {
            if !entry.file_name().to_string_lossy().starts_with(PREFIX) {
                continue;
            }
            // Whose lock this is lives, or it is another user's. Anybody may put anything there, so only a folder is opened.
            let flags = (OFlags::DIRECTORY | OFlags::NOFOLLOW).bits();
            let opened = OpenOptions::new().read(true).custom_flags(flags.cast_signed()).open(entry.path());
            let Ok(folder) = opened else { continue };
            if flock(&folder, FlockOperation::NonBlockingLockExclusive).is_ok() {
                drop(fs::remove_dir_all(entry.path()));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{MEMORY, SshFiles};
    use husorden_base::Secret;
    use std::fs;
    use std::path::Path;

    #[test]
    fn what_a_killed_process_left_is_swept_and_what_is_used_stays() {
        let used =
            SshFiles::lay(("backup.example", 22), "ssh-ed25519 AAAA", &Secret::new("a key"), None).expect("files");
        let orphan = Path::new(MEMORY).join(format!("{}0-orphan", super::PREFIX));
        fs::create_dir_all(&orphan).expect("a folder");
        fs::write(orphan.join("key"), "another").expect("a key");
        // What is no folder is left alone, and holds up nobody.
        let pipe = Path::new(MEMORY).join(format!("{}0-pipe", super::PREFIX));
        drop(fs::remove_file(&pipe));
        let made = std::process::Command::new("mkfifo").arg(&pipe).status().expect("mkfifo runs");
        assert!(made.success());
        SshFiles::sweep();
        assert!(!orphan.exists() && pipe.exists());
        fs::remove_file(&pipe).expect("it goes");
        assert_eq!(fs::read_to_string(used.identity()).expect("it is there"), "a key\n");
        assert_eq!(fs::read_to_string(used.known_hosts()).expect("it is there"), "backup.example ssh-ed25519 AAAA\n");
        let folder = used.folder.clone();
        drop(used);
        assert!(!folder.exists());
        let other =
            SshFiles::lay(("2001:db8::7", 2222), "ssh-ed25519 AAAA\n", &Secret::new("a key\n"), None).expect("files");
        assert_eq!(
            fs::read_to_string(other.known_hosts()).expect("it is there"),
            "[2001:db8::7]:2222 ssh-ed25519 AAAA\n"
        );
    }
}
