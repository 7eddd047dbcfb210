//! What the tests have in common: trees of files with everything in them, repositories, and comparing.

use husorden_backup::target::{Local, Pace, Target};
use husorden_backup::{Fault, Former, Id, Key, Moment, Options, Repository, Source, Written};
use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::fs::{self, File};
use std::io::Write;
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{FileExt, MetadataExt, PermissionsExt, symlink};
use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

/// Numbers of chance that are the same in each run.
pub(crate) struct Chance(u64);

impl Chance {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1)
    }
    pub(crate) fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }
    pub(crate) fn below(&mut self, bound: u64) -> u64 {
        self.next() % bound
    }
    pub(crate) fn bytes(&mut self, count: usize) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(count + 8);
        while bytes.len() < count {
            bytes.extend_from_slice(&self.next().to_le_bytes());
        }
        bytes.truncate(count);
        bytes
    }
}

pub(crate) fn local(path: &Path) -> Box<dyn Target> {
    Box::new(Local::new(path, Arc::new(Pace::free())))
}

pub(crate) fn folder(path: &Path) -> OwnedFd {
    OwnedFd::from(File::open(path).expect("a folder"))
}

pub(crate) fn now() -> jiff::Timestamp {
    jiff::Timestamp::now()
}

/// With all its digits: of two backups within a second, "latest" is the second.
fn moment() -> Moment {
    let now = now();
    Moment { seconds: now.as_second(), nanoseconds: now.subsec_nanosecond() }
}

pub(crate) fn options() -> Options {
    Options {
        host: "node1.test".to_owned(),
        tags: vec!["solution-7".to_owned()],
        time: moment(),
        workers: 2,
        stop: Arc::new(AtomicBool::new(false)),
    }
}

pub(crate) fn write(repository: &Repository, volume: &Path, former: Option<Id>) -> Result<Written, Fault> {
    let source = Source {
        volume: folder(volume),
        notes: vec![("about.json".to_owned(), b"{\"kind\":\"test\"}".to_vec())],
        former: former.map(|snapshot| Former { snapshot, volume: None, same_disk: false }),
    };
    repository.write(&source, &options())
}

pub(crate) fn made(path: &Path) -> (Repository, Key) {
    let key = Key::generate();
    (Repository::create(local(path), &key, now()).expect("a repository"), key)
}

/// A volume with everything that a file may be.
pub(crate) fn volume(path: &Path, seed: u64) {
    let mut chance = Chance::new(seed);
    let at = |name: &[u8]| path.join(OsStr::from_bytes(name));
    fs::create_dir_all(path).unwrap();
    fs::write(at(b"empty"), b"").unwrap();
    fs::write(at(b"line\nbreak"), b"a name with a line break").unwrap();
    fs::write(at(b"no text \xff\xfe"), b"a name that is no UTF-8").unwrap();
    fs::write(at(b"quote\" and \\ back"), b"a name that needs quoting").unwrap();
    fs::write(at("blåbær".as_bytes()), "på dansk".as_bytes()).unwrap();
    fs::create_dir_all(at(b"deep/er/and/deeper")).unwrap();
    for number in 0..200 {
        let size = usize::try_from(chance.below(20_000)).unwrap();
        fs::write(at(format!("deep/er/file-{number}").as_bytes()), chance.bytes(size)).unwrap();
    }
    fs::write(at(b"deep/large"), chance.bytes(9 << 20)).unwrap();
    let text = "the same line over and over\n".repeat(200_000);
    fs::write(at(b"deep/text"), text).unwrap();
    // A file of whole pages, with a hole.
    let pages = File::create(at(b"disk.img")).unwrap();
    pages.set_len(48 << 20).unwrap();
    pages.write_all_at(&chance.bytes(3 << 20), 5 << 20).unwrap();
    pages.write_all_at(&chance.bytes(4096), 40 << 20).unwrap();
    fs::hard_link(at(b"deep/large"), at(b"second name")).unwrap();
    symlink("deep/large", at(b"link")).unwrap();
    symlink("nowhere", at(b"broken link")).unwrap();
    fs::set_permissions(at(b"empty"), fs::Permissions::from_mode(0o4711)).unwrap();
    fs::set_permissions(at(b"deep/er"), fs::Permissions::from_mode(0o2750)).unwrap();
    run("mkfifo", &[at(b"pipe").as_os_str()]);
    run("mknod", &[at(b"null").as_os_str(), OsStr::new("c"), OsStr::new("1"), OsStr::new("3")]);
    std::os::unix::fs::chown(at(b"deep/text"), Some(12_345), Some(54_321)).unwrap();
    rustix::fs::setxattr(at(b"deep/text"), "user.note", b"kept\0too", rustix::fs::XattrFlags::empty()).unwrap();
    let old = fs::File::open(at(b"deep/text")).unwrap();
    old.set_modified(std::time::UNIX_EPOCH + std::time::Duration::new(1_000_000_000, 123_456_789)).unwrap();
}

pub(crate) fn run(program: &str, arguments: &[&OsStr]) -> Vec<u8> {
    let done = Command::new(program).args(arguments).output().unwrap_or_else(|error| panic!("{program}: {error}"));
    assert!(done.status.success(), "{program} {arguments:?}: {}", String::from_utf8_lossy(&done.stderr));
    done.stdout
}

/// Stock restic on a repository, with the exported password on standard input.
pub(crate) fn restic(repository: &str, key: &Key, arguments: &[&OsStr]) -> Result<String, String> {
    let mut child = Command::new("restic")
        .args(["--no-cache", "-r", repository, "--password-file", "/dev/stdin"])
        .args(arguments)
        .stdin(std::process::Stdio::piped())
        .stdout(std::process::Stdio::piped())
        .stderr(std::process::Stdio::piped())
        .spawn()
        .expect("restic is installed");
    child.stdin.take().unwrap().write_all(key.password().reveal().as_bytes()).unwrap();
    let done = child.wait_with_output().unwrap();
    let text = format!("{}{}", String::from_utf8_lossy(&done.stdout), String::from_utf8_lossy(&done.stderr));
    if done.status.success() { Ok(text) } else { Err(text) }
}

/// Everything about a tree that a backup keeps, by path.
pub(crate) fn everything(root: &Path) -> BTreeMap<Vec<u8>, String> {
    fn within(root: &Path, path: &Path, found: &mut BTreeMap<Vec<u8>, String>) {
        for entry in fs::read_dir(path).unwrap().map(|entry| entry.unwrap().path()) {
            let about = fs::symlink_metadata(&entry).unwrap();
            let name = entry.strip_prefix(root).unwrap().as_os_str().as_bytes().to_vec();
            let held = if about.is_file() {
                format!("{} of {} bytes", Id::of(&fs::read(&entry).unwrap()), about.len())
            } else if about.is_symlink() {
                format!("to {:?}", fs::read_link(&entry).unwrap())
            } else {
                String::new()
            };
            let mut value = [0; 64];
            let note = rustix::fs::lgetxattr(&entry, "user.note", &mut value[..]).map(|count| value[..count].to_vec());
            let links = if about.is_file() { about.nlink() } else { 1 };
            found.insert(
                name,
                format!(
                    "{:o} {}:{} {}.{:09} rdev {} links {links} note {:?} {held}",
                    about.mode(),
                    about.uid(),
                    about.gid(),
                    about.mtime(),
                    about.mtime_nsec(),
                    about.rdev(),
                    note.ok()
                ),
            );
            if about.is_dir() {
                within(root, &entry, found);
            }
        }
    }
    let mut found = BTreeMap::new();
    within(root, root, &mut found);
    found
}

pub(crate) fn same(one: &Path, other: &Path) {
    let (one, other) = (everything(one), everything(other));
    for (name, about) in &one {
        assert_eq!(Some(about), other.get(name), "{:?}", String::from_utf8_lossy(name));
    }
    assert_eq!(one.len(), other.len());
}
