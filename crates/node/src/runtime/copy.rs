//! Copying a tree out of an unpacked root, with links replaced by what they point to inside that root: an absolute link never
//! leads to the machine's own files.

use rustix::fs::{AtFlags, Dir, FileType, Mode, OFlags, ResolveFlags};
use std::fs::{self, File};
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::fs::{OpenOptionsExt, symlink};
use std::path::Path;

const DEPTH_MAX: usize = 64;
const ENTRIES_MAX: usize = 200_000;

/// Copies the folder `from` of `root` to `to`, which is made. `wanted` says by its path below `from` whether a file comes along. A link to
/// nothing stays a link: what it points to may be there where the copy is used.
pub(super) fn copy(root: &File, from: &str, to: &Path, wanted: &dyn Fn(&str) -> bool) -> io::Result<()> {
    let mut entries = 0;
    folder(root, from, "", to, wanted, 0, &mut entries)
}

fn folder(
    root: &File,
    from: &str,
    below: &str,
    to: &Path,
    wanted: &dyn Fn(&str) -> bool,
    depth: usize,
    entries: &mut usize,
) -> io::Result<()> {
    if depth > DEPTH_MAX {
        return Err(io::Error::other(format!(
            "{from} is deeper than {DEPTH_MAX} folders; a link may lead in a circle"
        )));
    }
    fs::create_dir(to)?;
    let opened = open(root, from, OFlags::RDONLY | OFlags::DIRECTORY)?;
    for entry in Dir::read_from(&opened)? {
        let entry = entry?;
        let name = entry.file_name().to_string_lossy().into_owned();
        if name == "." || name == ".." {
            continue;
        }
        *entries += 1;
        if *entries > ENTRIES_MAX {
            return Err(io::Error::other(format!("more than {ENTRIES_MAX} files")));
        }
        let (source, path, target) = (format!("{from}/{name}"), format!("{below}{name}"), to.join(&name));
        if !wanted(&path) {
            continue;
        }
        let found = match open(root, &source, OFlags::RDONLY | OFlags::NONBLOCK) {
            Ok(found) => found,
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                let points_to = rustix::fs::readlinkat(&opened, &*name, Vec::new())?;
                symlink(points_to.to_string_lossy().as_ref(), &target)?;
                continue;
            }
            Err(error) => return Err(error),
        };
        let stat = rustix::fs::statat(found.as_fd(), "", AtFlags::EMPTY_PATH)?;
        match FileType::from_raw_mode(stat.st_mode) {
            FileType::Directory => folder(root, &source, &format!("{path}/"), &target, wanted, depth + 1, entries)?,
            FileType::RegularFile => {
                let mode = if stat.st_mode & 0o111 == 0 { 0o644 } else { 0o755 };
                let mut out = fs::OpenOptions::new().write(true).create_new(true).mode(mode).open(&target)?;
                io::copy(&mut File::from(found), &mut out)?;
            }
            other => return Err(io::Error::other(format!("{source} is a {other:?}, no file of an app"))),
        }
    }
    Ok(())
}

fn open(root: &File, path: &str, flags: OFlags) -> io::Result<OwnedFd> {
    let resolve = ResolveFlags::IN_ROOT | ResolveFlags::NO_MAGICLINKS;
    Ok(rustix::fs::openat2(root, path, flags | OFlags::CLOEXEC, Mode::empty(), resolve)?)
}

/// Whether a path fits a pattern in which `*` stands for any characters.
pub(super) fn fits(pattern: &str, path: &str) -> bool {
    let mut parts = pattern.split('*');
    let Some(mut rest) = path.strip_prefix(parts.next().unwrap_or_default()) else { return false };
    let parts: Vec<&str> = parts.collect();
    let Some((last, middle)) = parts.split_last() else { return rest.is_empty() };
    for part in middle {
        match rest.find(part) {
            Some(at) => rest = &rest[at + part.len()..],
            None => return false,
        }
    }
    rest.ends_with(last)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns() {
        for (pattern, path, expected) in [
            ("a", "a", true),
            ("a", "ab", false),
            ("l/*", "l/x/y", true),
            ("*-da_DK.mo", "l/admin-da_DK.mo", true),
            ("l/*da_DK.mo", "l/da_DK.mo", true),
            ("a*b*c", "a1b2c", true),
            ("a*b*c", "a1c", false),
            ("ab*ba", "aba", false),
        ] {
            assert_eq!(fits(pattern, path), expected, "{pattern} {path}");
        }
    }

    #[test]
    fn links_lead_nowhere_but_into_the_root() {
        let folder = tempfile::tempdir().expect("a folder");
        let root = folder.path().join("root");
        fs::create_dir_all(root.join("usr/share/app/sub")).expect("a folder");
        fs::create_dir_all(root.join("etc")).expect("a folder");
        fs::write(root.join("etc/hostname"), "the root's own").expect("a file");
        fs::write(root.join("usr/share/lib.js"), "lib").expect("a file");
        for (to, at) in [
            ("/etc/hostname", "absolute"),
            ("../lib.js", "up"),
            ("../../../../../../etc/hostname", "far-up"),
            ("/no/such", "nothing"),
        ] {
            symlink(to, root.join("usr/share/app").join(at)).expect("a link");
        }
        fs::write(root.join("usr/share/app/sub/left"), "x").expect("a file");
        let to = folder.path().join("to");
        copy(&File::open(&root).expect("the root"), "usr/share/app", &to, &|path| path != "sub/left").expect("copied");
        let read = |name: &str| fs::read_to_string(to.join(name)).expect("a file");
        assert_eq!(
            (read("absolute").as_str(), read("up").as_str(), read("far-up").as_str()),
            ("the root's own", "lib", "the root's own")
        );
        assert!(fs::symlink_metadata(to.join("up")).expect("metadata").is_file());
        assert_eq!(fs::read_link(to.join("nothing")).expect("a link"), Path::new("/no/such"));
        assert!(to.join("sub").is_dir() && !to.join("sub/left").exists());
        symlink(".", root.join("usr/share/app/circle")).expect("a link");
        assert!(
            copy(&File::open(&root).expect("the root"), "usr/share/app", &folder.path().join("again"), &|_| true)
                .is_err()
        );
    }
}
