//! Files of the home that go along, and where they belong. What opens the vault does not: a backup has `vault.key.age`, which the recovery key opens.

use crate::place::Place;
use crate::prepare::Users;
use crate::users::Ids;
use anyhow::{Context, Result};
use nix::unistd::{Gid, Uid};
use rustix::fs::{CWD, Dir, FileType, Mode, OFlags, fstat, openat};
use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::fs::{self, File};
use std::io::{self, Read};
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{MetadataExt, PermissionsExt, lchown};
use std::path::Path;

/// Largest file that goes along, in bytes; what is larger is no part of the platform.
const FILE_BYTES_MAX: u64 = 64 << 20;

/// Whose a folder is when it is back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Owner {
    Root,
    Control,
    Vault,
}

/// Root.
pub(crate) fn root() -> Ids {
    Ids { uid: Uid::from_raw(0), gid: Gid::from_raw(0) }
}

impl Owner {
    /// The user.
    pub(crate) fn ids(self, users: &Users) -> Ids {
        match self {
            Self::Root => root(),
            Self::Control => users.control,
            Self::Vault => users.vault,
        }
    }
}

/// A folder of the home: its name, whose it is, and what of it stays behind.
pub(crate) struct Part {
    pub(crate) name: &'static str,
    pub(crate) owner: Owner,
    without: &'static [&'static str],
}

/// All of them. What is not named is made anew, belongs to the node, or goes another way (the database).
pub(crate) const PARTS: [Part; 7] = [
    Part { name: "ca", owner: Owner::Root, without: &[] },
    Part { name: "secrets", owner: Owner::Root, without: &[] },
    Part { name: "demo", owner: Owner::Root, without: &[] },
    Part { name: "rules", owner: Owner::Root, without: &[] },
    // Uploads on their way, and a list that is imported again.
    Part { name: "control", owner: Owner::Control, without: &["spool", "passwords"] },
    Part { name: "checkpoints", owner: Owner::Control, without: &[] },
    Part { name: "vault", owner: Owner::Vault, without: &["vault.key"] },
];

/// Brings a folder to what the home holds now, for this user alone to read.
pub(crate) fn gather(home: &Path, rules: Option<&Path>, settings: Option<&Path>, to: &Path, reader: Ids) -> Result<()> {
    own_folder(to, reader)?;
    for part in &PARTS {
        let from = match part.name {
            "rules" => match rules {
                Some(rules) => rules.to_owned(),
                None => continue,
            },
            name => home.join(name),
        };
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let into = to.join(part.name);
        match openat(CWD, &from, flags, Mode::empty()) {
            Ok(folder) => {
                mirror(folder, &into, part.without, reader).with_context(|| format!("gathering {}", from.display()))?
            }
            Err(rustix::io::Errno::NOENT) if into.exists() => {
                fs::remove_dir_all(&into).with_context(|| format!("clearing {}", into.display()))?;
            }
            Err(rustix::io::Errno::NOENT) => {}
            Err(error) => return Err(error).with_context(|| format!("opening {}", from.display())),
        }
    }
    if let Some(settings) = settings {
        let bytes = fs::read(settings).with_context(|| format!("reading {}", settings.display()))?;
        put(&to.join("husorden.toml"), &bytes, reader)?;
    }
    Ok(())
}

/// Makes a folder what another one is. What is in it and not in the other goes; links are passed over, and never followed.
fn mirror(from: OwnedFd, to: &Path, without: &[&str], reader: Ids) -> Result<()> {
    own_folder(to, reader)?;
    let mut there = BTreeSet::new();
    for entry in Dir::read_from(&from)? {
        let entry = entry?;
        let name = OsStr::from_bytes(entry.file_name().to_bytes()).to_owned();
        let passing = name.as_bytes().ends_with(b".new");
        if name == "." || name == ".." || passing || without.iter().any(|left| name == *left) {
            continue;
        }
        let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
        let opened = match openat(&from, entry.file_name(), flags, Mode::empty()) {
            Ok(opened) => opened,
            // It went while we looked, or is a link or a socket.
            Err(rustix::io::Errno::NOENT | rustix::io::Errno::LOOP | rustix::io::Errno::NXIO) => continue,
            Err(error) => return Err(error).with_context(|| format!("opening {}", name.display())),
        };
        let about = fstat(&opened)?;
        match FileType::from_raw_mode(about.st_mode) {
            FileType::Directory => mirror(opened, &to.join(&name), &[], reader)?,
            FileType::RegularFile if u64::try_from(about.st_size).unwrap_or(u64::MAX) <= FILE_BYTES_MAX => {
                let mut bytes = Vec::new();
                File::from(opened).take(FILE_BYTES_MAX).read_to_end(&mut bytes)?;
                put(&to.join(&name), &bytes, reader)?;
            }
            FileType::RegularFile => {
                tracing::warn!(file = %name.display(), "a file is too large to go along with the platform's backup");
                continue;
            }
            _ => continue,
        }
        there.insert(name);
    }
    for entry in fs::read_dir(to)? {
        let entry = entry?;
        if !there.contains(&entry.file_name()) {
            let path = entry.path();
            if entry.file_type()?.is_dir() { fs::remove_dir_all(&path)? } else { fs::remove_file(&path)? }
        }
    }
    Ok(())
}

/// Writes a file unless it holds this already: what did not change is not read again by the next backup.
pub(crate) fn put(path: &Path, bytes: &[u8], reader: Ids) -> Result<()> {
    if fs::read(path).is_ok_and(|there| there == bytes) {
        return Ok(());
    }
    let fresh = path.with_added_extension("writing");
    let write = || -> io::Result<()> {
        fs::write(&fresh, bytes)?;
        fs::set_permissions(&fresh, fs::Permissions::from_mode(0o600))?;
        lchown(&fresh, Some(reader.uid.as_raw()), Some(reader.gid.as_raw()))?;
        fs::rename(&fresh, path)
    };
    write().with_context(|| format!("writing {}", path.display()))
}

/// A folder that one user alone may look into.
pub(crate) fn own_folder(path: &Path, owner: Ids) -> Result<()> {
    crate::prepare::folder(path, owner, 0o700)
}

/// Gives everything below a folder, and it, to a user.
pub(crate) fn give(path: &Path, owner: Ids) -> Result<()> {
    let one = |path: &Path| -> io::Result<bool> {
        let about = fs::symlink_metadata(path)?;
        if (about.uid(), about.gid()) != (owner.uid.as_raw(), owner.gid.as_raw()) {
            lchown(path, Some(owner.uid.as_raw()), Some(owner.gid.as_raw()))?;
        }
        Ok(about.is_dir())
    };
    let folder = match one(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        looked => looked.with_context(|| format!("giving away {}", path.display()))?,
    };
    if folder {
        for entry in fs::read_dir(path).with_context(|| format!("reading {}", path.display()))? {
            give(&entry?.path(), owner)?;
        }
    }
    Ok(())
}

/// Bytes of the files in a folder.
pub(crate) fn bytes_in(folder: &Path) -> u64 {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    entries.filter_map(|entry| entry.metadata().ok()).filter(fs::Metadata::is_file).map(|about| about.len()).sum()
}

/// What control and the vault have in a home; where any of it is, something lives there.
pub(crate) fn controls(place: &Place) -> Vec<String> {
    let names = PARTS.iter().map(|part| part.name).filter(|name| *name != "rules").chain(["db", "platform"]);
    names
        .filter(|name| fs::read_dir(place.home.join(name)).is_ok_and(|mut entries| entries.next().is_some()))
        .map(str::to_owned)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use nix::unistd::{getegid, geteuid};

    #[test]
    fn what_opens_the_vault_stays_behind_and_what_is_gone_goes() {
        let top = tempfile::tempdir().expect("a folder");
        let (home, to) = (top.path().join("home"), top.path().join("to"));
        let reader = Ids { uid: geteuid(), gid: getegid() };
        for (path, text) in [
            ("vault/vault.key", "secret"),
            ("vault/vault.key.age", "sealed"),
            ("vault/keys/7.json", "wrapped"),
            ("vault/keys/7.json.new", "half"),
            ("control/spool/upload", "on its way"),
            ("control/evidence/evidence.key", "key"),
            ("ca/root.pem", "root"),
            ("pool.img", "customers"),
        ] {
            fs::create_dir_all(home.join(path).parent().expect("a folder")).expect("a folder");
            fs::write(home.join(path), text).expect("a file");
        }
        std::os::unix::fs::symlink("/etc/passwd", home.join("control/link")).expect("a link");
        let settings = home.join("husorden.toml");
        fs::write(&settings, "retention_days = 7\n").expect("settings");
        let listed = || {
            let mut found = Vec::new();
            let mut waiting = vec![to.clone()];
            while let Some(folder) = waiting.pop() {
                for entry in fs::read_dir(folder).expect("a folder").map(|entry| entry.expect("an entry")) {
                    match entry.file_type().expect("a kind").is_dir() {
                        true => waiting.push(entry.path()),
                        false => found.push(entry.path().strip_prefix(&to).expect("below").display().to_string()),
                    }
                }
            }
            found.sort();
            found
        };
        gather(&home, None, Some(&settings), &to, reader).expect("gathered");
        let mut expected = vec![
            "ca/root.pem",
            "control/evidence/evidence.key",
            "husorden.toml",
            "vault/keys/7.json",
            "vault/vault.key.age",
        ];
        assert_eq!(listed(), expected);
        let before = fs::metadata(to.join("ca/root.pem")).expect("a file").ino();
        fs::remove_file(home.join("vault/keys/7.json")).expect("destroyed");
        gather(&home, None, Some(&settings), &to, reader).expect("gathered again");
        expected.remove(3);
        assert_eq!(listed(), expected);
        assert_eq!(fs::metadata(to.join("ca/root.pem")).expect("a file").ino(), before, "what is the same stays");
    }
}
