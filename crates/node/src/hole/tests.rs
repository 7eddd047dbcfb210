//! A hole that came back with a backup, seen until it is closed; on real walls and by the child that reads.

use super::inside::of;
use super::look;
use crate::backup::tests::control::Control;
use crate::backup::tests::{Place, verbs};
use crate::tests::{measure, on_a_node, wish};
use husorden_base::SnapshotId;
use husorden_kinds::hole::{Hole, MARK};
use husorden_wire::node::{Returning, Verb};
use std::fs::{self, File};
use std::os::unix::fs::symlink;

fn held(place: &Place<'_>) -> Option<Hole> {
    Hole::read(place.volume().marks().expect("marks").get(MARK)?)
}

#[test]
fn one_that_came_back_stands_open_until_the_file_is_another() {
    on_a_node(|node| {
        let place = Place::of(node, 7);
        let control = Control::of(&place);
        let solution = wish(7).solution;
        place.put("www/up.php", b"<?php // lets anybody in");
        let backup = verbs::written(control.do_it(solution, verbs::back_up(&place)));
        place.put("www/up.php", b"<?php // somebody's");
        place.put("www/shell.php", b"came in by it");
        let restore = |hole: Option<&str>, what: Returning| Verb::BackupRestore {
            repository: Box::new(place.repository()),
            copy: backup.copy.clone(),
            what,
            before: SnapshotId::new(),
            hole: hole.map(str::to_owned),
            spec_follows: false,
        };
        let seen = || {
            node.holes.heard(solution, place.volume().marks().expect("marks").get(MARK));
            look(node);
        };
        // What is not in the backup is no hole of it, and nothing was put back.
        let refused = control.do_it(solution, restore(Some("www/shell.php"), Returning::Everything));
        assert_eq!(refused.expect_err("it came later").code, "not-in-backup");
        assert!(place.at("www/shell.php").exists() && held(&place).is_none());
        control.do_it(solution, restore(Some("www/up.php"), Returning::Everything)).expect("restored");
        let open = held(&place).expect("a mark");
        assert!(!place.at("www/shell.php").exists() && open.closed.is_none() && open.path == "www/up.php", "{open:?}");
        seen();
        assert_eq!(held(&place), Some(open.clone()));
        // The same bytes by another writer are the same hole, and what stands still is not looked at.
        fs::remove_file(place.at("www/up.php")).expect("removed");
        place.put("www/up.php", b"<?php // lets anybody in");
        seen();
        assert_eq!(held(&place), Some(open.clone()));
        // A later restore that names none brings the same one back.
        control.do_it(solution, restore(None, Returning::Everything)).expect("restored");
        assert_eq!(held(&place), Some(open.clone()));
        place.put("www/up.php", b"<?php // mended");
        seen();
        assert!(held(&place).is_some_and(|hole| hole.closed.is_some() && hole.sha256 == open.sha256), "it is closed");
        control.do_it(solution, restore(Some("www/up.php"), Returning::Everything)).expect("restored");
        let open = held(&place).filter(|hole| hole.closed.is_none()).expect("it is back");
        place.put("www/up.php", b"<?php // mended");
        let closing = measure(&wish(7));
        node.register.take_measure(closing).expect("closed");
        seen();
        assert_eq!(held(&place), Some(open.clone()));
    });
}

#[test]
fn what_is_no_file_of_the_solutions_is_not_read() {
    let folder = tempfile::tempdir().expect("a folder");
    let at = |name: &str| folder.path().join(name);
    fs::create_dir(at("www")).expect("a folder");
    fs::write(at("www/a"), "abc").expect("written");
    symlink("/etc/passwd", at("www/out")).expect("a link");
    symlink("/etc", at("www/etc")).expect("a link");
    let volume = File::open(folder.path()).expect("opened");
    let abc = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
    assert_eq!(of(&volume, "www/a").expect("read").as_deref(), Some(abc), "FIPS 180-2, appendix B.1");
    for none in ["www/none", "www", "www/out", "www/etc/passwd", "../etc/passwd", "/etc/passwd", "www/a/b"] {
        assert_eq!(of(&volume, none).expect("looked"), None, "{none}");
    }
}
