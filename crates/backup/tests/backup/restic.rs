//! Stock restic reads what we write, and we read what it writes.

use crate::hand::*;
use husorden_backup::read::{Change, Want, path};
use husorden_backup::{Repository, Share};
use std::ffi::OsStr;
use std::fs::{self, File};
use std::os::fd::AsFd;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::FileExt;

fn want(path_: &str) -> Want {
    Want { path: path(path_.as_bytes()), owners: true, workers: 2 }
}

#[test]
fn restic_restores_what_we_wrote_and_finds_nothing_wrong() {
    let home = tempfile::tempdir().unwrap();
    let (source, repo, back) = (home.path().join("volume"), home.path().join("repo"), home.path().join("back"));
    volume(&source, 1);
    let (repository, key) = made(&repo);
    let first = write(&repository, &source, None).unwrap();
    assert!(first.files > 200 && first.bytes > 50 << 20, "{first:?}");
    // A second one, for a former backup and for several indexes.
    fs::write(source.join("new"), b"new").unwrap();
    let second = write(&repository, &source, Some(first.snapshot)).unwrap();
    assert!(second.bytes_read < 10_000 && second.blobs_new < 6, "what did not change is not read: {second:?}");

    let repo = repo.to_str().unwrap();
    let checked = restic(repo, &key, &[OsStr::new("check"), OsStr::new("--read-data")]).unwrap();
    assert!(checked.contains("no errors were found"), "{checked}");
    let listed = restic(repo, &key, &[OsStr::new("snapshots")]).unwrap();
    assert!(listed.contains("2 snapshots") && listed.contains("node1.test"), "{listed}");
    restic(repo, &key, &[OsStr::new("restore"), OsStr::new("latest"), OsStr::new("--target"), back.as_os_str()])
        .unwrap();
    same(&source, &back.join("volume"));
    assert_eq!(fs::read(back.join("about.json")).unwrap(), b"{\"kind\":\"test\"}");
    // Restic goes on where we stopped: it writes a backup into the same repository, and prunes it.
    restic(repo, &key, &[OsStr::new("backup"), source.as_os_str()]).unwrap();
    restic(repo, &key, &[OsStr::new("forget"), OsStr::new("--keep-last"), OsStr::new("1"), OsStr::new("--prune")])
        .unwrap();
    restic(repo, &key, &[OsStr::new("check"), OsStr::new("--read-data")]).unwrap();
    let open = Repository::open(local(repo.as_ref()), &key).unwrap();
    assert!(open.check(Share::All).unwrap().findings.is_empty());
}

#[test]
fn we_restore_what_restic_wrote() {
    let home = tempfile::tempdir().unwrap();
    let (source, repo, back) = (home.path().join("volume"), home.path().join("repo"), home.path().join("back"));
    volume(&source, 2);
    let key = husorden_backup::Key::generate();
    let repo_text = repo.to_str().unwrap();
    restic(repo_text, &key, &[OsStr::new("init")]).unwrap();
    restic(repo_text, &key, &[OsStr::new("backup"), source.as_os_str()]).unwrap();
    let repository = Repository::open(local(&repo), &key).unwrap();
    let snapshots = repository.snapshots().unwrap();
    let [(id, snapshot)] = &snapshots[..] else { panic!("{snapshots:?}") };
    fs::create_dir(&back).unwrap();
    let restored = repository.restore(id, &want(&snapshot.paths[0]), folder(&back).as_fd()).unwrap();
    assert!(restored.lacking.is_empty(), "{restored:?}");
    same(&source, &back);
    let checked = repository.check(Share::All).unwrap();
    assert!(checked.findings.is_empty() && checked.snapshots == [*id], "{checked:?}");
    let wrong = Repository::open(local(&repo), &husorden_backup::Key::generate());
    assert!(matches!(wrong, Err(husorden_backup::Fault::WrongKey)));
}

#[test]
fn what_we_wrote_we_restore_whole_and_in_parts_and_never_over_anything() {
    let home = tempfile::tempdir().unwrap();
    let (source, repo, back) = (home.path().join("volume"), home.path().join("repo"), home.path().join("back"));
    volume(&source, 3);
    // Restic of Debian 12 does not keep the target of a link that is no UTF-8; later ones do, as we do.
    std::os::unix::fs::symlink(OsStr::from_bytes(b"\xff nowhere"), source.join("odd link")).unwrap();
    let (repository, key) = made(&repo);
    let first = write(&repository, &source, None).unwrap();
    drop(repository);
    let repository = Repository::open(local(&repo), &key).unwrap();
    fs::create_dir(&back).unwrap();
    let restored = repository.restore(&first.snapshot, &want("volume"), folder(&back).as_fd()).unwrap();
    assert!(
        restored.lacking.is_empty() && restored.files + 1 == first.files,
        "a second name is no second file: {restored:?}"
    );
    same(&source, &back);
    assert!(File::open(back.join("disk.img")).unwrap().metadata().unwrap().len() == 48 << 20);
    {
        use std::os::unix::fs::MetadataExt;
        let blocks = fs::metadata(back.join("disk.img")).unwrap().blocks() * 512;
        assert!(blocks < 8 << 20, "holes stay holes: {blocks}");
    }
    // Over what is there: refused, and nothing of it is changed.
    let refused = repository.restore(&first.snapshot, &want("volume"), folder(&back).as_fd());
    assert!(refused.is_err());
    same(&source, &back);
    // One file, into a folder in which a link leads out.
    let one = home.path().join("one");
    fs::create_dir(&one).unwrap();
    repository.restore(&first.snapshot, &want("volume/deep/text"), folder(&one).as_fd()).unwrap();
    assert_eq!(fs::read(one.join("text")).unwrap(), fs::read(source.join("deep/text")).unwrap());
    let (trap, outside) = (home.path().join("trap"), home.path().join("outside"));
    fs::create_dir(&trap).unwrap();
    fs::create_dir(&outside).unwrap();
    std::os::unix::fs::symlink(&outside, trap.join("deep")).unwrap();
    assert!(repository.restore(&first.snapshot, &want("volume"), folder(&trap).as_fd()).is_err());
    assert_eq!(fs::read_dir(&outside).unwrap().count(), 0);
    // A file as a stream.
    let mut dumped = Vec::new();
    repository.dump(&first.snapshot, &path(b"volume/disk.img"), &mut dumped).unwrap();
    assert!(dumped == fs::read(source.join("disk.img")).unwrap());
    let names: Vec<_> =
        repository.entries(&first.snapshot, &path(b"volume")).unwrap().into_iter().map(|n| n.name).collect();
    assert!(names.contains(&b"line\nbreak".to_vec()) && names.len() == 13, "{names:?}");
}

#[test]
fn what_changed_between_two_backups_is_told() {
    let home = tempfile::tempdir().unwrap();
    let (source, repo) = (home.path().join("volume"), home.path().join("repo"));
    volume(&source, 4);
    let (repository, _) = made(&repo);
    let first = write(&repository, &source, None).unwrap();
    fs::write(source.join("deep/shell.php"), b"<?php evil").unwrap();
    fs::remove_file(source.join("deep/er/file-7")).unwrap();
    File::options().write(true).open(source.join("deep/er/file-9")).unwrap().write_all_at(b"x", 0).unwrap();
    std::os::unix::fs::chown(source.join("deep/er/file-11"), Some(4), Some(5)).unwrap();
    let second = write(&repository, &source, Some(first.snapshot)).unwrap();
    let mut told = Vec::new();
    repository
        .differences(&first.snapshot, &second.snapshot, &mut |difference| {
            told.push((String::from_utf8(difference.path.join(&b'/')).unwrap(), difference.change));
            true
        })
        .unwrap();
    let expected = [
        ("volume/deep/er/file-11", Change::About),
        ("volume/deep/er/file-7", Change::Removed),
        ("volume/deep/er/file-9", Change::Content),
        ("volume/deep/shell.php", Change::Added),
    ];
    assert_eq!(told, expected.map(|(path, change)| (path.to_owned(), change)));
}

#[test]
fn five_gigabytes_of_nothing_cost_nothing() {
    let home = tempfile::tempdir().unwrap();
    let (source, repo) = (home.path().join("volume"), home.path().join("repo"));
    fs::create_dir(&source).unwrap();
    File::create(source.join("sparse")).unwrap().set_len(5 << 30).unwrap();
    let (repository, key) = made(&repo);
    let written = write(&repository, &source, None).unwrap();
    assert_eq!((written.bytes, written.bytes_read), (5 << 30, 0));
    assert!(written.bytes_sent < 1 << 20, "{written:?}");
    restic(repo.to_str().unwrap(), &key, &[OsStr::new("check"), OsStr::new("--read-data")]).unwrap();
    let back = home.path().join("back");
    fs::create_dir(&back).unwrap();
    repository.restore(&written.snapshot, &want("volume"), folder(&back).as_fd()).unwrap();
    use std::os::unix::fs::MetadataExt;
    let about = fs::metadata(back.join("sparse")).unwrap();
    assert_eq!((about.len(), about.blocks()), (5 << 30, 0));
}
