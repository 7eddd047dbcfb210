//! A REST server that appends only: rclone's.

use crate::append::a_log_lies_there;
use crate::hand::*;
use husorden_backup::target::{Pace, Patience, Rest, Steady, Target};
use husorden_backup::{Key, Repository, Share};
use std::fs;
use std::net::TcpListener;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;

struct Server {
    child: Child,
    port: u16,
}

impl Drop for Server {
    fn drop(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}

fn serve(path: &Path) -> Server {
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let child = Command::new("rclone")
        .args(["--config", "/dev/null", "serve", "restic", "--append-only", "--user", "node", "--pass", "word"])
        .args(["--addr", &format!("127.0.0.1:{port}")])
        .arg(path)
        .stderr(Stdio::null())
        .spawn()
        .expect("rclone is installed");
    for _ in 0..6_000 {
        if std::net::TcpStream::connect(("127.0.0.1", port)).is_ok() {
            break;
        }
        std::thread::sleep(std::time::Duration::from_millis(50));
    }
    Server { child, port }
}

#[test]
fn a_rest_server_keeps_backups_and_gives_them_back() {
    let home = tempfile::tempdir().unwrap();
    let (source, repo) = (home.path().join("volume"), home.path().join("repo"));
    volume(&source, 21);
    fs::create_dir(&repo).unwrap();
    let server = serve(&repo);
    let at = |name: &str| -> Box<dyn Target> {
        let address = format!("http://127.0.0.1:{}/{name}", server.port);
        let password = husorden_base::Secret::new("word");
        let rest = Rest::new(&address, Some(("node", &password)), Arc::new(Pace::free()));
        Box::new(Steady::new(rest, Patience::default(), Arc::default()))
    };
    let target = || at("solution-7");
    let key = Key::generate();
    let repository = Repository::create(target(), &key, now()).unwrap();
    assert!(matches!(Repository::create(target(), &key, now()), Err(husorden_backup::Fault::Taken)));
    let first = write(&repository, &source, None).unwrap();
    let second = write(&repository, &source, Some(first.snapshot)).unwrap();
    assert_eq!(second.blobs_new, 0, "{second:?}");
    let open = Repository::open(target(), &key).unwrap();
    assert_eq!(open.snapshots().unwrap().len(), 2);
    assert!(open.check(Share::All).unwrap().findings.is_empty());
    let back = home.path().join("back");
    fs::create_dir(&back).unwrap();
    let want = husorden_backup::read::Want { path: husorden_backup::read::path(b"volume"), owners: true, workers: 2 };
    use std::os::fd::AsFd;
    open.restore(&second.snapshot, &want, folder(&back).as_fd()).unwrap();
    same(&source, &back);
    a_log_lies_there(|| at("solution-7-log"));
    // What is there is neither removed nor written over by who has the password.
    let curl = |arguments: &[&str]| {
        let mut done = Command::new("curl");
        done.args(["-s", "-o", "/dev/null", "-w", "%{http_code}", "-u", "node:word"]).args(arguments);
        String::from_utf8(done.output().unwrap().stdout).unwrap()
    };
    let address = format!("http://127.0.0.1:{}/solution-7/snapshots/{}", server.port, first.snapshot);
    assert!(curl(&["-X", "DELETE", &address]).starts_with('4'));
    assert!(curl(&["-X", "POST", "--data-binary", "x", &address]).starts_with('4'));
    assert!(open.check(Share::All).unwrap().findings.is_empty());
    let wrong = husorden_base::Secret::new("other");
    let address = format!("http://127.0.0.1:{}/solution-7", server.port);
    let stranger = Rest::new(&address, Some(("node", &wrong)), Arc::new(Pace::free()));
    assert!(matches!(Repository::open(Box::new(stranger), &key), Err(husorden_backup::Fault::Refused { .. })));
}
