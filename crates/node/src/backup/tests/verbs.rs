//! The verbs: a backup beside everything else, what is put back and undone, what is read, and a volume that is made from a backup.

use super::control::Control;
use super::{Place, everything};
use crate::host::Walls;
use crate::tests::{Heard, measure, on_a_node, until, wish};
use crate::volume::Why;
use husorden_base::{BackupId, Bytes, ProofId, Refusal, SnapshotId, TargetId};
use husorden_kinds::{Aim, Host, Step, Waiting};
use husorden_rules::Access;
use husorden_wire::node::{
    Address, BackedUp, BackupChange, BackupEntry, BackupOrigin, Changed, FromNode, Level, Outcome, Reading, Repository,
    Returning, Verb, VerbState, WhatLies, Wish,
};
use std::fs;
use std::io::Read;
use std::os::unix::fs::MetadataExt;
use std::sync::atomic::Ordering;

pub(crate) fn back_up(place: &Place<'_>) -> Verb {
    Verb::BackUp { backup: BackupId::new(), repository: Box::new(place.repository()) }
}

fn slowly(place: &Place<'_>, bytes_per_second: u64) -> Verb {
    let repository = Repository { bytes_per_second: Some(bytes_per_second), ..place.repository() };
    Verb::BackUp { backup: BackupId::new(), repository: Box::new(repository) }
}

pub(crate) fn written(result: Result<Option<Box<Outcome>>, Refusal>) -> BackedUp {
    match result.map(|outcome| outcome.map(|outcome| *outcome)) {
        Ok(Some(Outcome::BackedUp(written))) => *written,
        other => panic!("{other:?}"),
    }
}

/// Snapshots that backups were made of.
fn kept(place: &Place<'_>) -> Vec<SnapshotId> {
    let all = place.volume().snapshots().expect("snapshots").into_iter();
    all.filter(|info| info.why == Why::Backup).map(|info| info.id).collect()
}

/// Backups that lie on the target.
fn listed(place: &Place<'_>) -> usize {
    let folder = place.target.join(place.number.to_string()).join("snapshots");
    fs::read_dir(folder).map_or(0, |entries| entries.count())
}

#[test]
fn a_backup_is_written_beside_other_work_and_the_next_reads_what_changed() {
    on_a_node(|node| {
        let place = Place::of(node, 7);
        let control = Control::of(&place);
        let solution = wish(7).solution;
        place.volume().set_mark("installed", "1").expect("a mark");
        let first = written(control.do_it(solution, back_up(&place)));
        assert!(first.files >= 3 && first.bytes > 300_000 && first.bytes_sent > 0, "{first:?}");
        assert_eq!(kept(&place), [first.snapshot]);
        place.put("www/more", &noise(3 << 20));
        // It takes some seconds; a snapshot and a pass do not wait for it, and it says how far it is.
        let order = control.begin(solution, slowly(&place, 1 << 20));
        until("it is at work", || kept(&place).len() == 2);
        let snapshot = SnapshotId::new();
        let taken = Verb::Snapshot { snapshot, label: String::new(), before: None };
        control.do_it(solution, taken).expect("a snapshot meanwhile");
        assert!(node.verbs.claim(solution).is_some(), "passes go on");
        assert!(control.end(order).is_none(), "and it is not done yet");
        let second = written(control.wait(order));
        assert!(control.running.lock().expect("a lock").iter().any(|(of, percent)| *of == order && percent.is_some()));
        assert!(second.bytes_read < second.bytes && second.copy != first.copy, "{second:?}");
        assert_eq!(kept(&place), [second.snapshot], "the one before has served its purpose");
        assert_eq!(listed(&place), 2);
        // Nobody but the platform is told of such snapshots.
        let heard = Heard::of(node);
        let outcome = husorden_kinds::Outcome::Settled(Walls::new(node, &wish(7)).look().expect("a look"));
        node.report(&wish(7), false, &outcome);
        let seen = heard.all().into_iter().find_map(|line| match line {
            FromNode::Seen(seen) => Some(seen),
            _ => None,
        });
        let ids: Vec<SnapshotId> = seen.expect("a report").snapshots.into_iter().map(|one| one.id).collect();
        assert_eq!(ids, [snapshot]);
    });
}

/// Bytes that do not compress.
fn noise(count: usize) -> Vec<u8> {
    let mut state = 0x9E37_79B9_7F4A_7C15_u64;
    let next = |_| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state.to_le_bytes()[3]
    };
    (0..count).map(next).collect()
}

#[test]
fn what_is_suspended_is_backed_up_and_what_is_sealed_is_not() {
    on_a_node(|node| {
        let place = Place::of(node, 7);
        let control = Control::of(&place);
        let mut closed = measure(&wish(7));
        node.register.take_measure(closed.clone()).expect("kept");
        node.enforce(&wish(7));
        written(control.do_it(wish(7).solution, back_up(&place)));
        place.put("www/more", &noise(4 << 20));
        let order = control.begin(wish(7).solution, slowly(&place, 256 << 10));
        until("it is at work", || kept(&place).len() == 2);
        (closed.access, closed.revision) = (Access::None, 2);
        node.register.take_measure(closed).expect("sealed");
        let cut = control.wait(order).expect_err("a seal ends it");
        assert_eq!((cut.code.as_str(), cut.case.as_deref()), ("sealed", Some("S-1")));
        assert_eq!((kept(&place).len(), listed(&place)), (1, 1), "nothing half is listed, and the former one stays");
        let refused = control.do_it(wish(7).solution, back_up(&place)).expect_err("sealed");
        assert_eq!(refused.code, "sealed");
    });
}

/// The work is the platform's own, and nothing of it stands still with the solution.
#[test]
fn what_stands_still_is_backed_up_all_the_same() {
    on_a_node(|node| {
        let place = Place::of(node, 7);
        let control = Control::of(&place);
        let (number, solution) = (wish(7).number, wish(7).solution);
        let still = |still| node.sandboxes.freeze(number, still).expect("it is done");
        still(true);
        written(control.do_it(solution, back_up(&place)));
        still(false);
        place.put("www/more", &noise(2 << 20));
        let order = control.begin(solution, slowly(&place, 1 << 20));
        until("it is at work", || kept(&place).len() == 2);
        still(true);
        written(control.wait(order));
        still(false);
        assert_eq!(listed(&place), 2);
    });
}

/// Who proves another node's backup holds neither the solution nor its measures, and hears of a seal by the order being withdrawn.
#[test]
fn a_proof_of_anothers_backup_ends_when_its_order_is_withdrawn() {
    on_a_node(|node| {
        let place = Place::of(node, 7);
        let control = Control::of(&place);
        let solution = wish(7).solution;
        place.put("www/more", &noise(4 << 20));
        let copy = written(control.do_it(solution, back_up(&place))).copy;
        node.register.forget_wish(solution).expect("it is forgotten");
        let prove = |bytes_per_second| Verb::Prove {
            proof: ProofId::new(),
            repository: Box::new(Repository { bytes_per_second, ..place.repository() }),
            copy: copy.clone(),
            level: Level::Pieces,
        };
        node.verbs.withdraw(husorden_base::OrderId::new());
        let order = control.begin(solution, prove(Some(256 << 10)));
        until("it is at work", || control.end(order).is_none() && control.running.lock().expect("a lock").len() > 1);
        node.verbs.withdraw(order);
        let cut = control.wait(order).expect_err("it ends");
        assert_eq!(cut.code, "withdrawn");
        until("it is let go", || !node.verbs.has(order));
        assert!(!node.verbs.withdrawn(order), "an order that has ended is not remembered");
        // The next one is another order.
        let proven = control.do_it(solution, prove(None)).expect("it is carried out");
        assert!(matches!(proven.as_deref(), Some(Outcome::Proven(proven)) if proven.passed), "{proven:?}");
    });
}

#[test]
fn one_that_the_nodes_end_cut_short_is_done_anew() {
    on_a_node(|node| {
        let place = Place::of(node, 7);
        let control = Control::of(&place);
        place.put("www/more", &noise(4 << 20));
        let verb = slowly(&place, 256 << 10);
        let order = control.begin(wish(7).solution, verb.clone());
        until("it is at work", || control.end(order).is_none() && !control.running.lock().expect("a lock").is_empty());
        node.ending.store(true, Ordering::Relaxed);
        until("its child ends, and nobody waits for it", || !node.verbs.has(order));
        assert!(control.end(order).is_none() && node.register.verb(order).expect("read").is_none(), "it has no end");
        assert_eq!(listed(&place), 0);
        node.ending.store(false, Ordering::Relaxed);
        assert_eq!(kept(&place).len(), 1, "what it was made of stays for the next node to know that it was begun");
        // Another backup knows nothing of it; what was sent serves it.
        let again = written(control.do_it(wish(7).solution, back_up(&place)));
        assert_eq!((listed(&place), kept(&place)), (1, vec![again.snapshot]));
    });
}

#[test]
fn one_that_was_written_before_the_node_died_is_not_written_twice() {
    on_a_node(|node| {
        let place = Place::of(node, 7);
        let control = Control::of(&place);
        let solution = wish(7).solution;
        let verb = back_up(&place);
        let first = written(control.do_it(solution, verb.clone()));
        // It died when all was written down and only the order's end was not, or when nothing was: the answer is the same.
        for remembered in [true, false] {
            if !remembered {
                node.register.keep_copies(solution, &std::collections::BTreeMap::new()).expect("forgotten");
            }
            place.put("www/later", &noise(1 << 20));
            let again = written(control.do_it(solution, verb.clone()));
            assert_eq!((listed(&place), kept(&place)), (1, vec![first.snapshot]), "remembered: {remembered}");
            let what = |one: &BackedUp| (one.copy.clone(), one.taken, one.files, one.bytes, one.noted.clone());
            assert_eq!(what(&again), what(&first), "it is the backup that was written, as it was then");
        }
        let next = written(control.do_it(solution, back_up(&place)));
        assert!(
            next.files == first.files + 1 && next.bytes_read >= 1 << 20,
            "what came later is in the next: {next:?}"
        );
        // It died when the snapshot was taken and nothing written yet: it is taken anew, with what is there by now.
        let backup = BackupId::new();
        place.volume().snapshot(&SnapshotId(backup.0), Why::Backup, None).expect("a snapshot");
        place.put("www/last", &noise(1 << 20));
        let verb = Verb::BackUp { backup, repository: Box::new(place.repository()) };
        let last = written(control.do_it(solution, verb));
        assert_eq!((listed(&place), last.files), (3, next.files + 1));
    });
}

#[test]
fn a_target_that_is_full_or_gone_says_so_and_keeps_what_it_has() {
    on_a_node(|node| {
        let place = Place::of(node, 7);
        let control = Control::of(&place);
        let small = node.volume(wish(9).number);
        small.create(Bytes::mib(3), &["www".to_owned()]).expect("a disk of three megabytes");
        let full = Place { target: small.folder("www"), key: place.key.clone(), ..place };
        let first = written(control.do_it(wish(7).solution, back_up(&full)));
        place.put("www/more", &noise(6 << 20));
        let refused = control.do_it(wish(7).solution, back_up(&full)).expect_err("full");
        assert_eq!(refused.code, "backup-target-full", "{refused:?}");
        assert_eq!((kept(&place), listed(&full)), (vec![first.snapshot], 1), "the former one is as it was");
        fs::remove_dir_all(full.target.join("7")).expect("gone");
        let refused = control.do_it(wish(7).solution, back_up(&full)).expect_err("gone");
        assert_eq!(refused.code, "backup-missing", "what was there and is gone is not begun anew in silence");
    });
}

#[test]
fn everything_comes_back_and_can_be_undone() {
    on_a_node(|node| {
        let place = Place::of(node, 7);
        let control = Control::of(&place);
        let solution = wish(7).solution;
        place.volume().set_mark("installed", "1").expect("a mark");
        let backup = written(control.do_it(solution, back_up(&place)));
        let was = everything(&place.at("www"));
        fs::remove_dir_all(place.at("www/deep")).expect("lost");
        place.put("www/index.html", b"hacked");
        place.volume().set_mark("later", "1").expect("a mark");
        let hacked = everything(&place.at("www"));
        let before = SnapshotId::new();
        let verb = |copy: &str| Verb::BackupRestore {
            repository: Box::new(place.repository()),
            copy: copy.to_owned(),
            what: Returning::Everything,
            before,
            hole: None,
            spec_follows: false,
        };
        let missing = control.do_it(solution, verb(&"0".repeat(64))).expect_err("no such backup");
        assert_eq!((missing.code.as_str(), everything(&place.at("www"))), ("backup-missing", hacked.clone()));
        control.do_it(solution, verb(&backup.copy)).expect("restored");
        assert_eq!(everything(&place.at("www")), was);
        let marks = place.volume().marks().expect("marks");
        assert_eq!((marks.get("installed").map(String::as_str), marks.get("later")), (Some("1"), None));
        assert_eq!(marks.get("restored"), Some(&before.to_string()));
        // What it is made of is held against the solution's own limit.
        assert!(place.volume().used().expect("used").0 > 300_000);
        let undo = Verb::Restore { snapshot: before, before: SnapshotId::new(), spec_follows: false };
        control.do_it(solution, undo).expect("undone");
        assert_eq!(everything(&place.at("www")), hacked);
    });
}

#[test]
fn what_does_not_fit_beside_what_is_there_is_refused_and_changes_nothing() {
    on_a_node(|node| {
        let place = Place::of(node, 7);
        let control = Control::of(&place);
        place.put("www/large", &noise(9 << 20));
        let backup = written(control.do_it(wish(7).solution, back_up(&place)));
        place.volume().set_limit(Bytes::mib(14)).expect("smaller");
        let was = everything(&place.at("www"));
        let verb = Verb::BackupRestore {
            repository: Box::new(place.repository()),
            copy: backup.copy,
            what: Returning::Everything,
            before: SnapshotId::new(),
            hole: None,
            spec_follows: false,
        };
        let refused = control.do_it(wish(7).solution, verb).expect_err("no room");
        assert_eq!(refused.code, "volume-full", "{refused:?}");
        assert_eq!(everything(&place.at("www")), was);
    });
}

#[test]
fn one_file_or_folder_comes_back_in_place_of_what_is_there() {
    on_a_node(|node| {
        let place = Place::of(node, 7);
        let control = Control::of(&place);
        let solution = wish(7).solution;
        let backup = written(control.do_it(solution, back_up(&place)));
        let was = everything(&place.at("www"));
        let restore = |path: &str| {
            let verb = Verb::BackupRestore {
                repository: Box::new(place.repository()),
                copy: backup.copy.clone(),
                what: Returning::Path { path: path.to_owned() },
                before: SnapshotId::new(),
                hole: None,
                spec_follows: false,
            };
            control.do_it(solution, verb)
        };
        place.put("www/index.html", b"hacked");
        restore("www/index.html").expect("a file");
        assert_eq!(everything(&place.at("www")), was);
        // The folder that it lies in is gone too; what came since in a folder goes with it.
        fs::remove_dir_all(place.at("www/deep")).expect("lost");
        restore("www/deep/er/page").expect("a file with its folders");
        assert_eq!(fs::metadata(place.at("www/deep/er/page")).expect("there").len(), 300_000);
        place.put("www/deep/er/shell.php", b"<?php");
        restore("www/deep").expect("a folder");
        assert_eq!(everything(&place.at("www")), was);
        place.put("www/shell.php", b"<?php");
        fs::remove_file(place.at("www/index.html")).expect("lost");
        restore("www").expect("all files");
        assert_eq!(everything(&place.at("www")), was);
        // A link in the way is not followed, and what is not the customer's own files is not put back one by one.
        fs::remove_dir_all(place.at("www/deep")).expect("lost");
        std::os::unix::fs::symlink("/run/target", place.at("www/deep")).expect("a link");
        let refused = restore("www/deep/er/page").expect_err("a link");
        assert_eq!(refused.code, "backup-files", "{refused:?}");
        for (path, code) in [("tmp/x", "not-a-file"), ("www/../tmp", "not-a-file"), ("www/none", "not-in-backup")] {
            assert_eq!(restore(path).expect_err(path).code, code);
        }
        assert!(!place.at("www/.husorden-restore").exists());
    });
}

#[test]
fn a_backup_is_browsed_downloaded_and_compared() {
    on_a_node(|node| {
        let place = Place::of(node, 7);
        let control = Control::of(&place);
        let solution = wish(7).solution;
        let old = written(control.do_it(solution, back_up(&place)));
        place.put("www/index.html", b"<title>Hacked</title>");
        place.put("www/deep/shell.php", b"<?php");
        fs::remove_file(place.at("www/closed")).expect("lost");
        let new = written(control.do_it(solution, back_up(&place)));
        let read = |what: Reading| {
            let verb = Verb::BackupRead { repository: Box::new(place.repository()), copy: new.copy.clone(), what };
            let order = control.begin(solution, verb);
            control.wait(order).map(|_| control.given(order))
        };
        let folder = |path: &str| read(Reading::Folder { path: path.to_owned() });
        let text = String::from_utf8(folder("www").expect("a folder")).expect("lines");
        let entries: Vec<BackupEntry> =
            text.lines().map(|line| serde_json::from_str(line).expect("an entry")).collect();
        let about: Vec<(&str, WhatLies)> = entries.iter().map(|entry| (entry.name.as_str(), entry.is)).collect();
        assert_eq!(about, [("deep", WhatLies::Folder), ("index.html", WhatLies::File), ("link", WhatLies::Link)]);
        let content = |path: &str| read(Reading::Content { path: path.to_owned() });
        assert_eq!(content("www/index.html").expect("a file"), b"<title>Hacked</title>");
        let archive = content("www").expect("an archive");
        let mut found = std::collections::BTreeMap::new();
        for entry in tar::Archive::new(archive.as_slice()).entries().expect("entries") {
            let mut entry = entry.expect("an entry");
            let path = entry.path().expect("a path").display().to_string();
            let mut bytes = Vec::new();
            entry.read_to_end(&mut bytes).expect("bytes");
            found.insert(path, bytes.len());
        }
        assert_eq!((found["deep/er/page"], found["index.html"], found.len()), (300_000, 21, 6), "{found:?}");
        let since = read(Reading::Since { copy: old.copy.clone(), path: String::new() }).expect("a list");
        let since: Vec<BackupChange> = String::from_utf8(since)
            .expect("lines")
            .lines()
            .map(|line| serde_json::from_str(line).expect("a change"))
            .collect();
        let since: Vec<(&str, Changed)> = since.iter().map(|one| (one.path.as_str(), one.change)).collect();
        assert_eq!(
            since,
            [
                ("www/closed", Changed::Removed),
                ("www/deep/shell.php", Changed::Added),
                ("www/index.html", Changed::Content)
            ]
        );
        assert_eq!(folder("www/none").expect_err("no such folder").code, "not-in-backup");
        // A measure that leaves data out leaves this too.
        let mut closed = measure(&wish(7));
        node.register.take_measure(closed.clone()).expect("kept");
        assert_eq!(folder("www").expect_err("closed").code, "closed-by-measure");
        (closed.access, closed.revision) = (Access::DataOut, 2);
        node.register.take_measure(closed.clone()).expect("kept");
        folder("www").expect("data out");
        (closed.access, closed.revision) = (Access::None, 3);
        node.register.take_measure(closed).expect("kept");
        assert_eq!(folder("www").expect_err("sealed").code, "closed-by-measure");
    });
}

#[test]
fn a_new_volume_is_made_from_anothers_backup() {
    on_a_node(|node| {
        let place = Place::of(node, 7);
        let control = Control::of(&place);
        place.volume().set_mark("installed", "1").expect("a mark");
        let backup = written(control.do_it(wish(7).solution, back_up(&place)));
        let from =
            BackupOrigin { solution: wish(7).solution, repository: place.repository(), copy: backup.copy, log: None };
        let new = Wish { from_backup: Some(from.clone()), ..wish(8) };
        node.register.take_wish(new.clone()).expect("taken");
        let limit = Bytes::mib(50);
        let create = Step::VolumeCreate { limit, reserve: Bytes(0), folders: vec!["www".to_owned()] };
        let mut walls = Walls::new(node, &new);
        walls.apply(&create).expect("begun");
        assert!(matches!(walls.busy(), Some(Waiting::Work { .. }) | None));
        until("it is made", || walls.busy().is_none());
        let made = node.volume(new.number);
        let (one, other) = (everything(&place.at("www")), everything(&made.folder("www")));
        assert_eq!(one.keys().collect::<Vec<_>>(), other.keys().collect::<Vec<_>>());
        for name in ["index.html", "deep/er/page", "link"] {
            let about = fs::symlink_metadata(made.folder("www").join(name)).expect("there");
            assert_eq!((about.uid(), about.gid()), (new.number.uid(), new.number.uid()), "{name}");
        }
        assert_eq!(made.marks().expect("marks")["installed"], "1");
        // One that is not there says so, and it is not made.
        let none = Wish { from_backup: Some(BackupOrigin { copy: "0".repeat(64), ..from }), ..wish(9) };
        node.register.take_wish(none.clone()).expect("taken");
        let mut walls = Walls::new(node, &none);
        walls.apply(&create).expect("begun");
        until("it says why not", || matches!(walls.busy(), Some(Waiting::Trouble { .. })));
        assert_eq!(walls.look().expect("a look").volume, husorden_kinds::VolumeSight::Absent);
    });
}

#[test]
fn a_full_disk_is_not_kept_full_by_our_own_snapshots() {
    on_a_node(|node| {
        let place = Place::of(node, 7);
        let control = Control::of(&place);
        written(control.do_it(wish(7).solution, back_up(&place)));
        crate::backup::give_up(node, &wish(7));
        assert_eq!(kept(&place).len(), 1, "with room it stays");
        place.volume().set_limit(Bytes::mib(1)).expect("smaller");
        place.put("www/a", &noise(700 << 10));
        node.look_at_filling(place.number);
        crate::backup::give_up(node, &wish(7));
        assert_eq!(kept(&place).len(), 0);
        let deleted = Wish { aim: Aim::Gone, generation: 2, ..wish(7) };
        node.register.take_wish(deleted).expect("taken");
        let refused = control.do_it(wish(7).solution, back_up(&place)).expect_err("deleted");
        assert_eq!(refused.code, "no-volume");
        let elsewhere = Repository {
            target: TargetId::new(),
            address: Address::Folder { path: "relative".to_owned() },
            ..place.repository()
        };
        node.register.take_wish(Wish { generation: 3, ..wish(7) }).expect("taken");
        let verb = Verb::BackUp { backup: BackupId::new(), repository: Box::new(elsewhere) };
        let order = control.begin(wish(7).solution, verb);
        assert_eq!(control.wait(order).expect_err("no absolute path").code, "backup-target-refused");
        assert!(matches!(control.end(order), Some(VerbState::Failed { .. })));
    });
}
