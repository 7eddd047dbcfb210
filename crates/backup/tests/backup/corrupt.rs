//! Whatever is done to a repository's files is found, and it is said by which look.

use crate::hand::*;
use husorden_backup::keeper::Ledger;
use husorden_backup::target::{Folder, Place};
use husorden_backup::{Fault, Key, Repository, Share, check_names};
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

/// What is done to a repository; all of it undone by copying the files back.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Harm {
    FlippedBit,
    Truncated,
    Missing,
    Grown,
    Swapped,
    WrongKey,
}

const HARMS: [Harm; 6] = [Harm::FlippedBit, Harm::Truncated, Harm::Missing, Harm::Grown, Harm::Swapped, Harm::WrongKey];

fn objects(repo: &Path) -> BTreeMap<&'static str, Vec<PathBuf>> {
    let mut found: BTreeMap<&'static str, Vec<PathBuf>> = BTreeMap::new();
    let target = local(repo);
    for folder in Folder::ALL {
        let mut listed = target.list(folder).unwrap();
        listed.sort_by_key(|listed| listed.id);
        found.insert(folder.name(), listed.into_iter().map(|l| repo.join(Place::In(folder, l.id).path())).collect());
    }
    found.insert("config", vec![repo.join("config")]);
    found
}

fn harm(path: &Path, other: &Path, harm: Harm, chance: &mut Chance) {
    let mut bytes = fs::read(path).unwrap();
    let at = |chance: &mut Chance, length: usize| usize::try_from(chance.below(length as u64)).unwrap();
    match harm {
        Harm::FlippedBit => {
            let at = at(chance, bytes.len());
            bytes[at] ^= 1 << chance.below(8);
        }
        Harm::Truncated => bytes.truncate(at(chance, bytes.len())),
        Harm::Grown => bytes.extend_from_slice(&chance.bytes(7)),
        Harm::Swapped => bytes = fs::read(other).unwrap(),
        Harm::Missing | Harm::WrongKey => {}
    }
    fs::remove_file(path).unwrap();
    if harm != Harm::Missing {
        fs::write(path, bytes).unwrap();
    }
}

/// The first look that finds something, in the order they are made.
fn found_by(repo: &Path, key: &Key, ledger: &Ledger) -> Option<&'static str> {
    if !check_names(local(repo).as_ref(), Share::All).unwrap().findings.is_empty() {
        return Some("names");
    }
    let there: Vec<_> = local(repo).list(Folder::Snapshots).unwrap().into_iter().map(|listed| listed.id).collect();
    if !ledger.clone().note(&there, now()).is_empty() {
        return Some("ledger");
    }
    match Repository::open(local(repo), key) {
        Err(Fault::WrongKey | Fault::Damaged { .. } | Fault::Missing(_)) => Some("opening"),
        Err(fault) => panic!("{fault}"),
        Ok(repository) => {
            let checked = repository.check(Share::All).unwrap();
            checked.findings.iter().map(|finding| finding.look).min().map(|look| match look {
                husorden_backup::Look::Names => "names",
                husorden_backup::Look::Structure => "structure",
                husorden_backup::Look::Contents => "contents",
            })
        }
    }
}

/// What a check with the key finds, when nobody compared names before.
fn found_with_key(repo: &Path, key: &Key) -> bool {
    match Repository::open(local(repo), key) {
        Err(_) => true,
        Ok(repository) => !repository.check(Share::All).unwrap().findings.is_empty(),
    }
}

#[test]
fn three_hundred_harms_are_found() {
    let home = tempfile::tempdir().unwrap();
    let (source, repo) = (home.path().join("volume"), home.path().join("repo"));
    fs::create_dir_all(source.join("in")).unwrap();
    let (repository, key) = made(&repo);
    let mut chance = Chance::new(7);
    let mut former = None;
    let mut ledger = Ledger::default();
    for round in 0..3 {
        for number in 0..6 {
            fs::write(source.join(format!("in/{round}-{number}")), chance.bytes(30_000)).unwrap();
        }
        former = Some(write(&repository, &source, former).unwrap().snapshot);
    }
    let there: Vec<_> = repository.snapshots().unwrap().into_iter().map(|(id, _)| id).collect();
    assert!(ledger.note(&there, now()).is_empty());
    assert_eq!(found_by(&repo, &key, &ledger), None, "nothing is wrong before");
    let mut table: BTreeMap<(Harm, &str), BTreeMap<&str, usize>> = BTreeMap::new();
    let mut missed = Vec::new();
    let mut done = 0;
    while done < 300 {
        let objects = objects(&repo);
        let folders: Vec<&'static str> = objects.keys().copied().collect();
        let folder = folders[usize::try_from(chance.below(folders.len() as u64)).unwrap()];
        let what = HARMS[usize::try_from(chance.below(HARMS.len() as u64)).unwrap()];
        let paths = &objects[folder];
        let at = usize::try_from(chance.below(paths.len() as u64)).unwrap();
        let (path, other) = (&paths[at], &paths[(at + 1) % paths.len()]);
        if what == Harm::Swapped && path == other {
            continue;
        }
        done += 1;
        let before = fs::read(path).unwrap();
        harm(path, other, what, &mut chance);
        let tried = if what == Harm::WrongKey { Key::generate() } else { key.clone() };
        let folder = if what == Harm::WrongKey { "-" } else { folder };
        match found_by(&repo, &tried, &ledger) {
            Some(look) => *table.entry((what, folder)).or_default().entry(look).or_default() += 1,
            None => missed.push((what, path.clone())),
        }
        // A missing backup is known to the ledger alone; everything else the key finds by itself.
        if !(what == Harm::Missing && folder == "snapshots") {
            assert!(found_with_key(&repo, &tried), "{what:?} {}", path.display());
        }
        drop(fs::remove_file(path));
        fs::write(path, before).unwrap();
    }
    println!("{:<12} {:<10} found by", "harm", "in");
    for ((what, folder), looks) in &table {
        println!("{:<12} {folder:<10} {looks:?}", format!("{what:?}"));
    }
    println!("{done} harms, {} found", done - missed.len());
    assert!(missed.is_empty(), "{missed:?}");
    assert_eq!(found_by(&repo, &key, &ledger), None, "nothing is wrong after");
}
