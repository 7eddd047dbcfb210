//! Pieces of a log are added without reading what is there, and one snapshot names all of them, for stock restic too.

use crate::hand::*;
use husorden_backup::read::{Want, path};
use husorden_backup::target::Target;
use husorden_backup::{Key, LOG, Moment, Options, Piece, Repository, Share, Shelf};
use std::ffi::OsStr;
use std::fs::{self, File};
use std::os::fd::AsFd;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

fn options() -> Options {
    let time = now();
    Options {
        host: "node1.test".to_owned(),
        tags: vec!["log".to_owned()],
        time: Moment { seconds: time.as_second(), nanoseconds: time.subsec_nanosecond() },
        workers: 1,
        stop: Arc::new(AtomicBool::new(false)),
    }
}

/// Makes pieces and adds them, as one who knows nothing but the shelf.
fn add(target: Box<dyn Target>, key: &Key, home: &Path, shelf: Shelf, (line, from, to): (&str, u32, u32)) -> Shelf {
    let pieces = (from..=to).map(|seq| {
        let name = format!("{seq:012}_piece.seg");
        let bytes = Chance::new(seq.into()).bytes(if seq == 5 { 9 << 20 } else { 3_000 });
        fs::write(home.join(&name), bytes).unwrap();
        let made = Moment { seconds: i64::from(seq) * 60, nanoseconds: 0 };
        Piece { file: File::open(home.join(&name)).unwrap(), name, made }
    });
    let repository = Repository::open_to_append(target, &key.password()).unwrap();
    repository.append(shelf, line, pieces.collect(), 100 * 60, &options()).unwrap().shelf
}

/// A log is added to wherever it lies, twice over the network, is whole there, and comes back.
pub(crate) fn a_log_lies_there(target: impl Fn() -> Box<dyn Target>) {
    let home = tempfile::tempdir().unwrap();
    let (made, back) = (home.path().join("made"), home.path().join("back"));
    fs::create_dir(&made).unwrap();
    fs::create_dir(&back).unwrap();
    let key = Key::generate().of_log();
    drop(Repository::create(target(), &key, now()).unwrap());
    let shelf = add(target(), &key, &made, Shelf::default(), ("000001-e", 201, 206));
    add(target(), &key, &made, shelf, ("000001-e", 207, 208));
    let open = Repository::open(target(), &key).unwrap();
    let checked = open.check(Share::All).unwrap();
    assert!(checked.findings.is_empty() && checked.snapshots.len() == 2, "{:?}", checked.findings);
    let (newest, _) =
        open.snapshots().unwrap().into_iter().max_by_key(|(_, one)| (one.time.seconds, one.time.nanoseconds)).unwrap();
    let want = Want { path: path(format!("{LOG}/000001-e").as_bytes()), owners: false, workers: 2 };
    open.restore(&newest, &want, folder(&back).as_fd()).unwrap();
    let mut names: Vec<_> = fs::read_dir(&made).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    names.sort();
    assert_eq!(names.len(), 8);
    let chapter = fs::read_dir(&back).unwrap().next().unwrap().unwrap().path();
    for name in names {
        assert_eq!(fs::read(chapter.join(&name)).unwrap(), fs::read(made.join(&name)).unwrap(), "{}", name.display());
    }
}

#[test]
fn the_newest_snapshot_names_all_pieces_and_restic_restores_them() {
    let home = tempfile::tempdir().unwrap();
    let (made, repo, back) = (home.path().join("made"), home.path().join("repo"), home.path().join("back"));
    fs::create_dir(&made).unwrap();
    let key = Key::generate().of_log();
    drop(Repository::create(local(&repo), &key, now()).unwrap());
    let mut shelf = Shelf::default();
    for part in [("000001-e", 1, 100), ("000001-e", 101, 101), ("000001-e", 102, 300), ("000002-e", 301, 303)] {
        shelf = add(local(&repo), &key, &made, shelf, part);
        let text = serde_json::to_string(&shelf).unwrap();
        assert_eq!(serde_json::from_str::<Shelf>(&text).unwrap(), shelf, "it is kept as text");
    }
    let open = Repository::open(local(&repo), &key).unwrap();
    let checked = open.check(Share::All).unwrap();
    assert!(checked.findings.is_empty() && checked.snapshots.len() == 4, "{:?}", checked.findings);
    let (newest, _) =
        open.snapshots().unwrap().into_iter().max_by_key(|(_, one)| (one.time.seconds, one.time.nanoseconds)).unwrap();
    let names = |inner: &str| -> Vec<String> {
        let entries = open.entries(&newest, &path(format!("{LOG}/{inner}").as_bytes())).unwrap();
        entries.into_iter().map(|node| String::from_utf8(node.name).unwrap()).collect()
    };
    assert_eq!(names(""), ["000001-e", "000002-e"]);
    let chapters = names("000001-e");
    assert_eq!(chapters.len(), 3, "128 pieces each: {chapters:?}");
    assert_eq!(chapters.iter().map(|chapter| names(&format!("000001-e/{chapter}")).len()).sum::<usize>(), 300);

    let repo_text = repo.to_str().unwrap();
    restic(repo_text, &key, &[OsStr::new("check"), OsStr::new("--read-data")]).unwrap();
    let target = [OsStr::new("restore"), OsStr::new("latest"), OsStr::new("--target"), back.as_os_str()];
    restic(repo_text, &key, &target).unwrap();
    for seq in [1_u32, 5, 128, 129, 300] {
        let name = format!("{seq:012}_piece.seg");
        let chapter = chapters.iter().rfind(|chapter| **chapter <= name).unwrap();
        let there = back.join(LOG).join("000001-e").join(chapter).join(&name);
        assert_eq!(fs::read(there).unwrap(), fs::read(made.join(&name)).unwrap(), "{name}");
    }
    // Chapters of which the last piece was made too long ago leave: the first ends with piece 128.
    let repository = Repository::open_to_append(local(&repo), &key.password()).unwrap();
    let appended = repository.append(shelf, "000002-e", Vec::new(), 129 * 60, &options()).unwrap();
    let open = Repository::open(local(&repo), &key).unwrap();
    let left = open.entries(&appended.snapshot, &path(format!("{LOG}/000001-e").as_bytes())).unwrap();
    assert_eq!(left.len(), 2);
}
