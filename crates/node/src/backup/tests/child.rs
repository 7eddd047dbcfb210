//! The child: what it writes and puts back, what it says of what is wrong, and that it stops.

use super::{Place, copy_of, everything};
use crate::backup::job::{Came, FaultOf, VOLUME, Work};
use crate::backup::{Errand, folders, refusal, run};
use crate::tests::{PATIENCE, on_a_node};
use husorden_backup::Key;
use husorden_wire::node::{Repository, Secrets};
use jiff::Timestamp;
use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::{MetadataExt, chown};

#[test]
fn a_child_writes_and_puts_back_and_the_second_reads_what_changed() {
    on_a_node(|node| {
        let place = Place::of(node, 7);
        place.put("www/image", &vec![1; 40 << 20]);
        let first = place.snapshot();
        let came = place.write(&first, None).expect("written");
        let copy = copy_of(&came).to_owned();
        let own = fs::metadata(place.target.join("7")).expect("the repository");
        assert_eq!(
            (own.uid(), own.mode() & 0o777),
            (place.number.uid(), 0o700),
            "it is the solution's own, and nobody else's"
        );
        // One page of a large file, and a small file.
        let image = fs::File::options().write(true).open(place.at("www/image")).expect("the image");
        std::os::unix::fs::FileExt::write_all_at(&image, b"changed", 20 << 20).expect("written");
        drop(image);
        place.put("www/index.html", b"<title>Another</title>");
        let second = place.snapshot();
        let Came::Written { copy: newer, bytes, bytes_read, .. } =
            place.write(&second, Some((&copy, &first))).expect("written")
        else {
            panic!("a backup")
        };
        assert!(bytes > 40 << 20 && bytes_read < 1 << 20, "of {bytes} bytes {bytes_read} were read");

        let Came::Looked { folders: names, notes } =
            place.work(Work::Look { copy: copy.clone(), hole: None }, Vec::new()).expect("looked")
        else {
            panic!("a look")
        };
        assert_eq!((names.as_slice(), notes["about.json"].as_str()), (&["tmp".to_owned(), "www".to_owned()][..], "{}"));
        for (of, snapshot, number) in [(copy, first, 8), (newer.clone(), second, 9)] {
            let other = Place { key: place.key.clone(), ..Place::of(node, number) };
            let empty = other.volume().folder("back");
            fs::create_dir(&empty).expect("a folder");
            for name in &names {
                fs::create_dir(empty.join(name)).expect("a folder");
                chown(empty.join(name), Some(place.number.uid()), Some(place.number.uid())).expect("its owner");
            }
            let binds = folders(&empty, &names, VOLUME, true);
            let came = place.work(Work::Restore { copy: of, folders: names.clone() }, binds).expect("restored");
            assert!(matches!(came, Came::Restored { ref lacking, .. } if lacking.is_empty()), "{came:?}");
            let (was, _) = place.volume().snapshot_folders(&snapshot).expect("the snapshot");
            for name in &names {
                assert_eq!(everything(&was.join(name)), everything(&empty.join(name)));
            }
        }
        let check = Work::Check { copy: Some(newer), hashes: true, contents: Some((0, 1)) };
        let Came::Checked { wrong, bytes_read, .. } = place.work(check, Vec::new()).expect("checked") else { panic!() };
        assert!(wrong == 0 && bytes_read > 0);
    });
}

#[test]
fn a_child_hears_that_it_is_to_stop_and_says_what_is_wrong() {
    on_a_node(|node| {
        let place = Place::of(node, 7);
        let missing =
            place.work(Work::Look { copy: "0".repeat(64), hole: None }, Vec::new()).expect_err("there is no target");
        assert_eq!(missing.code, "backup-target-away", "{missing:?}");
        let id = place.snapshot();
        let copy = copy_of(&place.write(&id, None).expect("written")).to_owned();
        let stranger = Place { key: Key::generate(), target: place.target.clone(), ..place };
        let refused =
            stranger.work(Work::Look { copy: copy.clone(), hole: None }, Vec::new()).expect_err("another key");
        assert_eq!(refused.code, "backup-key");
        let absent =
            place.work(Work::Look { copy: "0".repeat(64), hole: None }, Vec::new()).expect_err("another backup");
        assert_eq!(absent.code, "backup-missing");
        fs::remove_dir_all(place.target.join("7")).expect("gone");
        let gone = place.write(&id, Some((&copy, &id))).expect_err("its backups are gone");
        assert_eq!(gone.code, "backup-missing", "a repository that was there is not begun anew in silence");
        let stop = || Some(refusal(FaultOf::Stopped, "sealed"));
        place.put("www/more", &vec![9; 1 << 20]);
        let slow = Repository { bytes_per_second: Some(1000), ..place.repository() };
        let secrets = Secrets { repository: place.key.password(), target: None };
        let (from, names) = place.volume().snapshot_folders(&place.snapshot()).expect("a snapshot");
        let work = Work::Write {
            host: String::new(),
            tags: Vec::new(),
            taken: Timestamp::now(),
            notes: BTreeMap::new(),
            former: None,
            beside: false,
            first: true,
        };
        let errand = Errand {
            number: place.number,
            name: "test",
            repository: &slow,
            secrets: &secrets,
            work,
            binds: folders(&from, &names, VOLUME, false),
            into: None,
            limit: PATIENCE,
            stop: &stop,
        };
        let stopped = run(node, errand, &mut |_, _| ()).expect_err("stopped");
        assert_eq!(stopped.code, "backup-stopped", "{stopped:?}");
    });
}
