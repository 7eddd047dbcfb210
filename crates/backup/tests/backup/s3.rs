//! A bucket on a real S3 server, whose policy lets the node's account add and read.

use crate::append::a_log_lies_there;
use crate::hand::*;
use crate::s3_server::{BUCKET, KEEPER, NODE, REGION, S3Server, SECRET, serve};
use husorden_backup::keeper::{Keeper, Ledger};
use husorden_backup::target::{Folder, Pace, Patience, Place, S3, S3Account, Steady, Target};
use husorden_backup::{Fault, Id, Key, Repository, Share};
use std::ffi::OsStr;
use std::fs;
use std::os::fd::AsFd;
use std::process::{Command, Stdio};
use std::sync::Arc;

fn account(server: &S3Server, access_key: &str) -> S3Account {
    S3Account {
        url: format!("http://127.0.0.1:{}", server.port),
        bucket: BUCKET.to_owned(),
        region: REGION.to_owned(),
        access_key: access_key.to_owned(),
        secret: husorden_base::Secret::new(SECRET),
    }
}

fn at(account: &S3Account, folder: &str) -> S3 {
    S3::new(account, folder, Arc::new(Pace::free())).unwrap()
}

/// Stock restic on the bucket, by the account that may only add and read.
fn restic_of_s3(server: &S3Server, key: &Key, arguments: &[&OsStr]) -> Result<String, String> {
    use std::io::Write;
    let repository = format!("s3:http://127.0.0.1:{}/{BUCKET}/7", server.port);
    let mut child = Command::new("restic")
        .args(["--no-cache", "--no-lock", "-r", &repository, "--password-file", "/dev/stdin"])
        .args(arguments)
        .env("AWS_ACCESS_KEY_ID", NODE)
        .env("AWS_SECRET_ACCESS_KEY", SECRET)
        .env("AWS_DEFAULT_REGION", REGION)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("restic is installed");
    child.stdin.take().unwrap().write_all(key.password().reveal().as_bytes()).unwrap();
    let done = child.wait_with_output().unwrap();
    let text = format!("{}{}", String::from_utf8_lossy(&done.stdout), String::from_utf8_lossy(&done.stderr));
    if done.status.success() { Ok(text) } else { Err(text) }
}

#[test]
fn a_bucket_keeps_backups_and_gives_them_back_to_us_and_to_restic() {
    let home = tempfile::tempdir().unwrap();
    let (source, back) = (home.path().join("volume"), home.path().join("back"));
    volume(&source, 31);
    let server = serve(&home.path().join("buckets"));
    let node = account(&server, NODE);
    let target = || -> Box<dyn Target> { Box::new(Steady::new(at(&node, "7"), Patience::default(), Arc::default())) };
    let key = Key::generate();
    let repository = Repository::create(target(), &key, now()).unwrap();
    assert!(matches!(Repository::create(target(), &key, now()), Err(Fault::Taken)));
    let first = write(&repository, &source, None).unwrap();
    let second = write(&repository, &source, Some(first.snapshot)).unwrap();
    assert_eq!(second.blobs_new, 0, "{second:?}");
    let open = Repository::open(target(), &key).unwrap();
    assert_eq!(open.snapshots().unwrap().len(), 2);
    assert!(open.check(Share::All).unwrap().findings.is_empty());
    fs::create_dir(&back).unwrap();
    let want = husorden_backup::read::Want { path: husorden_backup::read::path(b"volume"), owners: true, workers: 2 };
    open.restore(&second.snapshot, &want, folder(&back).as_fd()).unwrap();
    same(&source, &back);
    assert_eq!(at(&node, "").folders().unwrap(), ["7"]);

    let checked = restic_of_s3(&server, &key, &[OsStr::new("check"), OsStr::new("--read-data")]).unwrap();
    assert!(checked.contains("no errors were found"), "{checked}");
    let others = home.path().join("by-restic");
    let to = others.as_os_str();
    restic_of_s3(&server, &key, &[OsStr::new("restore"), OsStr::new("latest"), OsStr::new("--target"), to]).unwrap();
    same(&source, &others.join("volume"));
    a_log_lies_there(|| Box::new(Steady::new(at(&node, "7-log"), Patience::default(), Arc::default())));
}

#[test]
fn a_thief_with_the_nodes_account_takes_nothing_away() {
    let home = tempfile::tempdir().unwrap();
    let source = home.path().join("volume");
    fs::create_dir(&source).unwrap();
    fs::write(source.join("page"), b"what was there").unwrap();
    let server = serve(&home.path().join("buckets"));
    let node = account(&server, NODE);
    let key = Key::generate();
    let repository = Repository::create(Box::new(at(&node, "7")), &key, now()).unwrap();
    let written = write(&repository, &source, None).unwrap();
    let place = Place::In(Folder::Snapshots, written.snapshot);
    let whole = at(&node, "7").get(place, None).unwrap();
    // By any tool that signs requests: delete, write over without the condition, copy over, several at once, the bucket itself.
    let thief = |arguments: &[&str]| {
        let done = Command::new("curl")
            .args(["-s", "-o", "/dev/null", "-w", "%{http_code}", "--aws-sigv4", &format!("aws:amz:{REGION}:s3")])
            .args(["-u", &format!("{NODE}:{SECRET}"), "-H", "x-amz-content-sha256: UNSIGNED-PAYLOAD"])
            .args(arguments)
            .output()
            .expect("curl is installed");
        String::from_utf8(done.stdout).unwrap()
    };
    let bucket = format!("http://127.0.0.1:{}/{BUCKET}", server.port);
    let object = format!("{bucket}/7/{}", place.path());
    assert_eq!(thief(&[&object]), "200", "the tool signs as the server wants");
    assert_eq!(thief(&["-X", "DELETE", &object]), "403");
    assert_eq!(thief(&["-X", "PUT", "--data-binary", "x", &object]), "403");
    assert_eq!(thief(&["-X", "PUT", "-H", "if-none-match: *", "--data-binary", "x", &object]), "412");
    let copy = format!("x-amz-copy-source: /{BUCKET}/7/config");
    assert_eq!(thief(&["-X", "PUT", "-H", &copy, &object]), "403");
    assert_eq!(thief(&["-X", "POST", "--data-binary", "<Delete/>", &format!("{bucket}?delete")]), "403");
    assert_eq!(thief(&["-X", "DELETE", &bucket]), "403");
    assert_eq!(at(&node, "7").get(place, None).unwrap(), whole);
    // Our own client says what it found, too: other bytes under a name are told, the same count as put.
    assert!(matches!(at(&node, "7").put(place, b"other"), Err(Fault::Spoiled { .. })));
    at(&node, "7").put(place, &whole).unwrap();
}

#[test]
fn the_targets_own_side_expires_in_a_bucket_and_the_nodes_account_can_not() {
    let home = tempfile::tempdir().unwrap();
    let source = home.path().join("volume");
    fs::create_dir(&source).unwrap();
    let server = serve(&home.path().join("buckets"));
    let key = Key::generate();
    let at = |who: &str| at(&account(&server, who), "7");
    let repository = Repository::create(Box::new(at(NODE)), &key, now()).unwrap();
    let mut chance = Chance::new(32);
    let written: Vec<Id> = (0..3)
        .map(|_| {
            fs::write(source.join("changes"), chance.bytes(400_000)).unwrap();
            write(&repository, &source, None).unwrap().snapshot
        })
        .collect();
    let open = Repository::open(Box::new(at(KEEPER)), &key).unwrap();
    let side = |who: &str| Keeper::at(Box::new(at(who)));
    assert_eq!(side(NODE).backups().unwrap().len(), 3);
    let refused = side(NODE).prune(&open, &written[..1], None, &mut Ledger::default(), now());
    assert!(matches!(refused, Err(Fault::Refused { .. })), "{refused:?}");
    let mut ledger = Ledger::default();
    let first = side(KEEPER).prune(&open, &written[..2], None, &mut ledger, now()).unwrap();
    assert!(first.snapshots == 2 && first.packs == 0 && first.waiting > 0, "{first:?}");
    assert_eq!(
        ledger.untold.iter().map(|gone| gone.copy.clone()).collect::<Vec<_>>(),
        [written[0], written[1]].map(|id| id.to_string())
    );
    let later = now() + jiff::SignedDuration::from_hours(49);
    let second = side(KEEPER).prune(&open, &[], None, &mut ledger, later).unwrap();
    assert!(second.packs > 0 && second.waiting == 0, "{second:?}");
    let left = Repository::open(Box::new(at(NODE)), &key).unwrap();
    assert_eq!(left.snapshots().unwrap().len(), 1);
    assert!(left.check(Share::All).unwrap().findings.is_empty());
}

#[test]
fn what_a_server_says_is_told_by_what_can_be_done() {
    let home = tempfile::tempdir().unwrap();
    let server = serve(&home.path().join("buckets"));
    let place = Place::In(Folder::Index, Id([3; 32]));
    let node = account(&server, NODE);
    assert!(matches!(at(&node, "7").get(place, None), Err(Fault::Missing(_))));
    assert_eq!(at(&node, "7").size(place).unwrap(), None);
    let wrong = S3Account { secret: husorden_base::Secret::new("a-guess"), ..node.clone() };
    assert!(matches!(at(&wrong, "7").put(place, b"x"), Err(Fault::Refused { .. })));
    let nowhere = S3Account { bucket: "none-of-this-name".to_owned(), ..node.clone() };
    let said = at(&nowhere, "7").prepare().expect_err("no bucket").to_string();
    assert!(said.contains("no such bucket"), "{said}");
    let stranger = S3Account { access_key: "STRANGER".to_owned(), ..node.clone() };
    assert!(matches!(at(&stranger, "7").prepare(), Err(Fault::Refused { .. })));
    let away = S3Account { url: "http://127.0.0.1:1".to_owned(), ..node };
    assert!(matches!(at(&away, "7").put(place, b"x"), Err(Fault::Away { .. })));
    // The target's own side may.
    at(&account(&server, KEEPER), "7").put(place, b"x").unwrap();
}
