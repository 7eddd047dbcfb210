//! From the vault to stock restic and back: what is released writes a repository, the paper opens it on a machine without the platform, and
//! once the key is destroyed nothing that is left opens it.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use husorden_backup::target::{Local, Pace, Target};
use husorden_backup::vault::{RecoveryKey, VaultKey};
use husorden_backup::{Fault, Key, Moment, Options, Repository, Source};
use husorden_base::{Number, SolutionId, TargetId};
use husorden_vault::Store;
use husorden_vault::serve::{ask, bind, serve};
use husorden_wire::node::Secrets;
use husorden_wire::vault::{Answer, Ask, Refused};
use std::fs::{self, File};
use std::io::Write;
use std::os::fd::OwnedFd;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

fn local(path: &Path) -> Box<dyn Target> {
    Box::new(Local::new(path, Arc::new(Pace::free())))
}

/// A vault that answers whoever this is, as control and, when that is root, as root.
fn running(home: &Path) -> PathBuf {
    let socket = home.join("vault.sock");
    let store = Store::open(&home.join("vault"), 35).expect("a vault");
    let listener = bind(&socket).expect("it listens");
    let own = fs::metadata("/proc/self").expect("this process").uid();
    std::thread::spawn(move || serve(store, &listener, own));
    socket
}

fn back_up(repository: &Path, key: &Key, volume: &Path) {
    let now = jiff::Timestamp::now();
    let made = Repository::create(local(repository), key, now).expect("a repository");
    let source =
        Source { volume: OwnedFd::from(File::open(volume).expect("a folder")), notes: Vec::new(), former: None };
    let options = Options {
        host: "node1.test".to_owned(),
        tags: Vec::new(),
        time: Moment { seconds: now.as_second(), nanoseconds: now.subsec_nanosecond() },
        workers: 1,
        stop: Arc::new(AtomicBool::new(false)),
    };
    made.write(&source, &options).expect("written");
}

fn restic(repository: &Path, password: &str, arguments: &[&str]) -> Output {
    let mut restic = Command::new("restic");
    restic.arg("-r").arg(repository).arg("--no-cache").args(arguments).env("RESTIC_PASSWORD", password);
    restic.output().expect("restic is installed")
}

/// `age -d` with the paper: what the file holds, or none.
fn age(paper: &Path, file: &[u8]) -> Option<String> {
    let mut age = Command::new("age");
    age.arg("-d").arg("-i").arg(paper).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
    let mut age = age.spawn().expect("age is installed");
    // An age that has seen enough reads no further.
    let _ = age.stdin.take().expect("a pipe").write_all(file);
    let said = age.wait_with_output().expect("an end");
    said.status.success().then(|| String::from_utf8(said.stdout).expect("text"))
}

fn files(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).expect("a folder").map(|entry| entry.expect("an entry").path());
    entries.flat_map(|path| if path.is_dir() { files(&path) } else { vec![path] }).collect()
}

#[test]
fn the_paper_opens_what_the_vault_released_and_nothing_opens_what_it_destroyed() {
    let home = tempfile::tempdir().expect("a folder");
    let at = |name: &str| home.path().join(name);
    let socket = running(home.path());
    let said = |one: &Ask| ask(&socket, one).expect("the vault answers");
    let (paper, node) = (RecoveryKey::generate(), RecoveryKey::generate());
    fs::write(at("paper.txt"), paper.to_paper().reveal()).expect("paper");
    let recipient = paper.recipient().to_string();
    assert_eq!(said(&Ask::SetRecovery { recipient, replace: false }), Answer::Done);
    fs::create_dir(at("volume")).expect("a folder");
    fs::write(at("volume/orders.txt"), "one, two, three").expect("a file");

    let solutions = [7, 8].map(|n| (SolutionId::new(), Number::new(n).expect("a number")));
    let repository = |number: Number| home.path().join(number.to_string());
    for (solution, number) in solutions {
        let recipient = node.recipient().to_string();
        let asked = Ask::Release { solution, number, make: true, log: false, target: Some(TargetId::new()), recipient };
        let Answer::Released { sealed } = said(&asked) else { panic!("released") };
        let clear = node.unseal(&STANDARD.decode(sealed).expect("base64")).expect("the node's");
        let secrets: Secrets = serde_json::from_slice(&clear).expect("secrets");
        back_up(&repository(number), &Key::from_password(&secrets.repository).expect("a key"), &at("volume"));
    }

    // On a machine without the platform: the paper, the file, age and restic.
    for (solution, number) in solutions {
        let Answer::Recovery { file } = said(&Ask::Recovery { solution, number }) else { panic!("a file") };
        let password = age(&at("paper.txt"), &STANDARD.decode(file).expect("base64")).expect("it opens");
        let back = at(&format!("back-{number}"));
        let restored =
            restic(&repository(number), &password, &["restore", "latest", "--target", back.to_str().expect("text")]);
        assert!(restored.status.success(), "{}", String::from_utf8_lossy(&restored.stderr));
        assert_eq!(fs::read_to_string(back.join("volume/orders.txt")).expect("it is back"), "one, two, three");
    }

    // Destroyed: neither the vault, nor its folder with its key, nor the paper opens it; the other is untouched.
    let (gone, stays) = (solutions[0], solutions[1]);
    let destroy = Ask::Destroy { solution: gone.0, number: gone.1 };
    let Answer::Destroyed { receipt } = said(&destroy) else { panic!("destroyed") };
    assert!(receipt.made.is_some() && receipt.gone_by > receipt.destroyed);
    let recipient = node.recipient().to_string();
    for one in [
        Ask::Release { solution: gone.0, number: gone.1, make: true, log: false, target: None, recipient },
        Ask::Recovery { solution: gone.0, number: gone.1 },
    ] {
        assert!(matches!(said(&one), Answer::Refused { why: Refused::Destroyed { .. } }));
    }
    let bytes: [u8; 32] = fs::read(at("vault/vault.key")).expect("the key").try_into().expect("32 bytes");
    let mut keys = Vec::new();
    // The paper opens the vault's own key too, with which what is wrapped is tried here.
    for path in files(&at("vault")).into_iter().filter(|path| !path.ends_with("vault.key.age")) {
        let file = fs::read(&path).expect("a file");
        keys.extend(age(&at("paper.txt"), &file));
        if let Ok(kept) = serde_json::from_slice::<serde_json::Value>(&file)
            && let Some(wrapped) = kept["wrapped"].as_str()
        {
            for (solution, _) in solutions {
                let key = VaultKey::from_bytes(bytes).unwrap(wrapped, &solution.to_string());
                keys.extend(key.ok().map(|key| key.password().reveal().to_owned()));
            }
        }
    }
    assert_eq!(keys.len(), 2, "the other's, wrapped and on paper");
    for password in &keys {
        assert!(!restic(&repository(gone.1), password, &["snapshots"]).status.success(), "nothing opens it");
        let key = Key::from_password(&husorden_base::Secret::new(password.clone())).expect("a key");
        assert!(matches!(Repository::open(local(&repository(gone.1)), &key), Err(Fault::WrongKey)));
        assert!(restic(&repository(stays.1), password, &["snapshots"]).status.success(), "the other's opens");
    }
}
