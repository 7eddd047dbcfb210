//! What is kept, and what a death in between leaves.

use super::*;
use husorden_backup::vault::{PlatformPaper, RecoveryKey};
use std::fs;

const fn number(n: u32) -> Number {
    Number::new(n).expect("a number")
}

fn solution(n: u128) -> SolutionId {
    SolutionId(uuid_of(n))
}

fn uuid_of<T: std::str::FromStr>(n: u128) -> T {
    let text = format!("0190f0a0-0000-7000-8000-{n:012}");
    text.parse().ok().expect("an id")
}

fn opened(reader: &RecoveryKey, sealed: &[u8]) -> Secrets {
    serde_json::from_slice(&reader.unseal(sealed).expect("its reader")).expect("secrets")
}

#[test]
fn a_key_is_made_once_and_released_with_the_targets_secret() {
    let home = tempfile::tempdir().expect("a folder");
    let (folder, node) = (home.path().join("vault"), RecoveryKey::generate());
    let store = Store::open(&folder, 35).expect("made");
    let to = node.recipient().to_string();
    let (shop, target) = ((solution(1), number(7)), TargetId(uuid_of(9)));
    assert_eq!(store.release(shop, false, None, &to), Err(Refused::NoKey));
    assert_eq!(store.release(shop, true, None, "age1nobody"), Err(Refused::BadRecipient));
    assert_eq!(store.status().expect("read").keys, 0, "nothing is made for nobody");
    let first = opened(&node, &store.release(shop, true, Some(target), &to).expect("released"));
    assert!(first.target.is_none());
    store.keep(target, &Secret::new("one")).expect("kept");
    store.keep(target, &Secret::new("two")).expect("replaced");
    drop(store);
    let store = Store::open(&folder, 35).expect("opened");
    let log = opened(&node, &store.release_log(shop, false, Some(target), &to).expect("released"));
    assert!(log.repository != first.repository && log.target == Some(Secret::new("two")), "a key of its own");
    let again = opened(&node, &store.release(shop, true, Some(target), &to).expect("released"));
    assert_eq!(again.repository, first.repository);
    assert_eq!(again.target, Some(Secret::new("two")));
    assert_eq!(store.release((solution(2), number(7)), true, None, &to), Err(Refused::OtherSolution));
    store.forget(target).expect("forgotten");
    store.forget(target).expect("twice");
    assert!(opened(&node, &store.release(shop, false, Some(target), &to).expect("released")).target.is_none());
    for wrong in ["", &"x".repeat(SECRET_BYTES_MAX + 1)] {
        assert_eq!(store.keep(target, &Secret::new(wrong)), Err(Refused::BadSecret));
    }
    // Nothing that lies in the folder shows a secret.
    store.keep(target, &Secret::new("a-secret-of-a-target")).expect("kept");
    for part in ["keys", "targets"] {
        for entry in fs::read_dir(folder.join(part)).expect("a folder") {
            let text = fs::read_to_string(entry.expect("an entry").path()).expect("text");
            assert!(!text.contains("a-secret-of-a-target") && !text.contains(first.repository.reveal()), "{text}");
        }
    }
}

#[test]
fn what_was_destroyed_is_never_made_anew() {
    let home = tempfile::tempdir().expect("a folder");
    let folder = home.path().join("vault");
    let (node, paper) = (RecoveryKey::generate(), RecoveryKey::generate());
    let to = node.recipient().to_string();
    let mut store = Store::open(&folder, 35).expect("made");
    store.set_recovery(&paper.recipient().to_string(), false).expect("set");
    let (shop, never) = ((solution(1), number(7)), (solution(2), number(8)));
    let secrets = opened(&node, &store.release(shop, true, None, &to).expect("released"));
    let file = store.recovery(shop.0, shop.1).expect("written");
    assert_eq!(paper.open(&file).expect("the key").password(), secrets.repository);
    assert_eq!(store.destroy(solution(3), number(7)), Err(Refused::OtherSolution));
    let receipt = store.destroy(shop.0, shop.1).expect("destroyed");
    assert!(receipt.made.is_some());
    assert_eq!(receipt.gone_by.duration_since(receipt.destroyed).as_hours(), 35 * 24);
    assert_eq!(store.destroy(shop.0, shop.1).expect("the same"), receipt);
    let none = store.destroy(never.0, never.1).expect("there was none");
    assert_eq!((none.made, none.gone_by), (None, none.destroyed));
    let store = Store::open(&folder, 35).expect("opened");
    for one in [shop, never] {
        assert!(matches!(store.release(one, true, None, &to), Err(Refused::Destroyed { .. })));
        assert!(matches!(store.recovery(one.0, one.1), Err(Refused::Destroyed { .. })));
    }
    assert_eq!(disk::names(&folder.join("keys")).expect("read"), Vec::<String>::new());
    assert_eq!(
        store.status().expect("read"),
        Status { keys: 0, destroyed: 2, targets: 0, recovery: Some(paper.recipient().to_string()), platform: false }
    );
}

#[test]
fn a_new_recovery_key_is_written_for_also_after_a_death_in_between() {
    let home = tempfile::tempdir().expect("a folder");
    let folder = home.path().join("vault");
    let node = RecoveryKey::generate().recipient().to_string();
    let (old, new) = (RecoveryKey::generate(), RecoveryKey::generate());
    let target = TargetId(uuid_of(9));
    let mut store = Store::open(&folder, 35).expect("made");
    let all = [(solution(1), number(1)), (solution(2), number(2)), (solution(3), number(3))];
    for one in all {
        store.release(one, true, None, &node).expect("released");
        assert_eq!(store.recovery(one.0, one.1), Err(Refused::NoRecovery));
    }
    store.keep(target, &Secret::new("of the target")).expect("kept");
    store.set_recovery(&old.recipient().to_string(), false).expect("set");
    store.set_recovery(&old.recipient().to_string(), false).expect("the same again");
    assert_eq!(store.set_recovery(&new.recipient().to_string(), false), Err(Refused::HasRecovery));
    // Killed after the new one was named and before anything was written for it, and once more after the first.
    fs::write(folder.join("recovery"), new.recipient().to_string()).expect("written");
    fs::write(folder.join("keys/2.json.new"), "half").expect("written");
    let store = Store::open(&folder, 35).expect("opened");
    for one in all {
        let file = store.recovery(one.0, one.1).expect("written anew");
        let key = store.key_of(one.0, one.1, false).expect("the key");
        assert_eq!(new.open(&file).expect("the new paper").password(), key.password());
        assert!(old.open(&file).is_err(), "the old paper opens nothing of it");
    }
    let secret = new.unseal(&fs::read(folder.join(format!("targets/{}.age", target.0))).expect("a file"));
    assert_eq!(*secret.expect("the paper"), *b"of the target");
    // Killed between a receipt and what it is about.
    let receipt = Receipt {
        solution: all[1].0,
        number: all[1].1,
        made: None,
        destroyed: Timestamp::now(),
        gone_by: Timestamp::now(),
    };
    disk::put_json(&folder.join("receipts/2.json"), &receipt).expect("written");
    let store = Store::open(&folder, 35).expect("opened");
    assert!(!folder.join("keys/2.json").exists() && !folder.join("keys/2.age").exists());
    assert!(matches!(store.key_of(all[1].0, all[1].1, true), Err(Refused::Destroyed { .. })));
}

#[test]
fn a_folder_that_others_see_or_that_lost_its_key_is_not_opened() {
    use std::os::unix::fs::PermissionsExt;
    let home = tempfile::tempdir().expect("a folder");
    let folder = home.path().join("vault");
    let store = Store::open(&folder, 35).expect("made");
    store.key_of(solution(1), number(1), true).expect("made");
    let key = fs::read(folder.join("vault.key")).expect("a key");
    assert_eq!(fs::metadata(folder.join("vault.key")).expect("a file").permissions().mode() & 0o777, 0o600);
    fs::set_permissions(&folder, fs::Permissions::from_mode(0o755)).expect("set");
    assert!(Store::open(&folder, 35).is_err(), "others may look");
    fs::set_permissions(&folder, fs::Permissions::from_mode(0o700)).expect("set");
    fs::remove_file(folder.join("vault.key")).expect("removed");
    assert!(Store::open(&folder, 35).is_err(), "no new key for what the old one wrapped");
    fs::write(folder.join("vault.key"), [1; 32]).expect("written");
    let other = Store::open(&folder, 35).expect("it opens");
    assert!(matches!(other.key_of(solution(1), number(1), false), Err(Refused::Trouble { .. })), "another's key");
    fs::write(folder.join("vault.key"), key).expect("written");
    assert!(Store::open(&folder, 35).expect("opened").key_of(solution(1), number(1), false).is_ok());
}

#[test]
fn the_platforms_key_is_of_the_recovery_key_there_is_and_the_folder_comes_back_by_paper() {
    let home = tempfile::tempdir().expect("a folder");
    let (folder, asker, recovery) = (home.path().join("vault"), RecoveryKey::generate(), RecoveryKey::generate());
    let mut store = Store::open(&folder, 35).expect("made");
    let (to, own) = (asker.recipient().to_string(), recovery.recipient().to_string());
    let (paper, key) = PlatformPaper::make(&recovery.recipient());
    let set = |store: &Store, replace| store.set_platform(&key.password(), &own, replace);
    assert_eq!(set(&store, false), Err(Refused::NoRecovery), "it follows from a recovery key");
    store.set_recovery(&own, false).expect("set");
    assert_eq!(store.platform(None, &to), Err(Refused::NoPlatform));
    assert_eq!(store.set_platform(&key.password(), &to, false), Err(Refused::BadRecipient), "of another recovery key");
    set(&store, false).expect("set");
    assert_eq!(set(&store, false), Err(Refused::HasPlatform));
    set(&store, true).expect("replaced");
    assert!(store.status().expect("read").platform);
    let released = opened(&asker, &store.platform(None, &to).expect("released"));
    assert_eq!(released.repository, paper.key(&recovery).password(), "both papers make the same");
    let solution_key = store.key_of(solution(1), number(7), true).expect("made").password();

    store.keep(TargetId(uuid_of(9)), &Secret::new("of a target")).expect("kept");
    assert_eq!(store.verify().expect("all open"), 3);

    // What a backup of the folder has: everything but `vault.key`, which the recovery key brings back.
    drop(store);
    let sealed = fs::read(folder.join("vault.key.age")).expect("written for the paper");
    fs::remove_file(folder.join("vault.key")).expect("lost");
    assert!(Store::open(&folder, 35).is_err(), "no new key is made where something was wrapped by the old one");
    fs::write(folder.join("vault.key"), &*recovery.unseal(&sealed).expect("by paper")).expect("put back");
    let mut store = Store::open(&folder, 35).expect("opened");
    assert_eq!(store.key_of(solution(1), number(7), false).expect("there").password(), solution_key);

    let path = folder.join("keys/7.json");
    let kept = fs::read_to_string(&path).expect("text");
    fs::write(&path, kept.replacen("v1.", "v1.A", 1)).expect("broken");
    assert!(store.verify().is_err(), "what is broken does not open");
    fs::write(&path, kept).expect("mended");

    // Another recovery key: the platform's key is of the old papers, and a new one is asked for.
    store.set_recovery(&RecoveryKey::generate().recipient().to_string(), true).expect("replaced");
    assert!(!store.status().expect("read").platform);
    assert_eq!(store.platform(None, &to), Err(Refused::NoPlatform));
}
