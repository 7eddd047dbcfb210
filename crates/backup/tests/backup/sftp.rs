//! OpenSSH as the external place: the node's account adds and reads, and whoever steals it can do no more.

use crate::append::a_log_lies_there;
use crate::hand::*;
use husorden_backup::read::{Want, path};
use husorden_backup::target::{Pace, Patience, Sftp, SftpAccount, Steady, Target};
use husorden_backup::{Key, Repository, Share};
use std::ffi::OsStr;
use std::fs;
use std::io::Write;
use std::net::TcpListener;
use std::os::fd::AsFd;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

/// What the account may ask for, as docs/backups.md tells operators.
const MAY: &str = "open,close,read,write,stat,lstat,fstat,opendir,readdir,realpath,mkdir,hardlink,fsync,limits";
const NOBODY: u32 = 65_534;

struct Server {
    child: Child,
    port: u16,
    home: tempfile::TempDir,
}

impl Drop for Server {
    fn drop(&mut self) {
        self.end_sessions();
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}

impl Server {
    /// Kills what serves the connections of now.
    fn end_sessions(&self) -> usize {
        let children = |pid: u32| {
            let list = fs::read_to_string(format!("/proc/{pid}/task/{pid}/children")).unwrap_or_default();
            list.split_whitespace().filter_map(|pid| pid.parse::<i32>().ok()).collect::<Vec<_>>()
        };
        let sessions = children(self.child.id());
        for pid in &sessions {
            let pid = rustix::process::Pid::from_raw(*pid).unwrap();
            rustix::process::kill_process(pid, rustix::process::Signal::KILL).unwrap_or(());
        }
        sessions.len()
    }

    fn account(&self, folder: &str) -> SftpAccount {
        SftpAccount {
            host: "127.0.0.1".to_owned(),
            port: self.port,
            user: "nobody".to_owned(),
            identity: self.home.path().join("identity"),
            known_hosts: self.home.path().join("known"),
            folder: folder.to_owned(),
            client: "/usr/bin/ssh".into(),
        }
    }

    fn target(&self, folder: &str) -> Box<dyn Target> {
        let sftp = Sftp::new(self.account(folder), Arc::new(Pace::free()));
        let patience = Patience { first_pause: Duration::from_millis(20), ..Patience::default() };
        Box::new(Steady::new(sftp, patience, Arc::default()))
    }
}

fn serve() -> Server {
    // A chroot wants all folders above it to be root's alone, which the folder for temporary files is not.
    let home = tempfile::tempdir_in("/run").unwrap();
    let at = |name: &str| home.path().join(name);
    fs::set_permissions(home.path(), fs::Permissions::from_mode(0o755)).unwrap();
    for key in ["host", "identity"] {
        run(
            "ssh-keygen",
            &["-q", "-t", "ed25519", "-N", "", "-f"]
                .map(OsStr::new)
                .into_iter()
                .chain([at(key).as_os_str()])
                .collect::<Vec<_>>(),
        );
    }
    fs::copy(at("identity.pub"), at("authorized")).unwrap();
    fs::create_dir(at("jail")).unwrap();
    fs::create_dir(at("jail/backups")).unwrap();
    std::os::unix::fs::chown(at("jail/backups"), Some(NOBODY), Some(NOBODY)).unwrap();
    fs::create_dir_all("/run/sshd").unwrap();
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let host = fs::read_to_string(at("host.pub")).unwrap();
    fs::write(at("known"), format!("[127.0.0.1]:{port} {host}")).unwrap();
    let config = format!(
        "Port {port}\nListenAddress 127.0.0.1\nHostKey {0}/host\nPidFile none\nUsePAM no\nPasswordAuthentication no\n\
         AuthorizedKeysFile {0}/authorized\nAllowUsers nobody\nChrootDirectory {0}/jail\nAllowTcpForwarding no\nPermitTTY no\n\
         Subsystem sftp internal-sftp\nForceCommand internal-sftp -p {MAY}\n",
        home.path().display()
    );
    fs::write(at("config"), config).unwrap();
    let child = Command::new("/usr/sbin/sshd")
        .args(["-D", "-f"])
        .arg(at("config"))
        .stderr(Stdio::null())
        .spawn()
        .expect("sshd is installed");
    for _ in 0..6_000 {
        if std::net::TcpStream::connect(("127.0.0.1", port)).is_ok() {
            break;
        }
        std::thread::sleep(Duration::from_millis(50));
    }
    Server { child, port, home }
}

fn restores(repository: &Repository, snapshot: &husorden_backup::Id, volume: &Path, home: &Path) {
    let back = home.join(format!("back-{}", snapshot.short()));
    fs::create_dir(&back).unwrap();
    let want = Want { path: path(b"volume"), owners: true, workers: 2 };
    repository.restore(snapshot, &want, folder(&back).as_fd()).unwrap();
    same(volume, &back);
}

#[test]
fn a_thief_of_the_nodes_account_destroys_nothing() {
    let server = serve();
    let home = tempfile::tempdir().unwrap();
    let source = home.path().join("volume");
    volume(&source, 31);
    let key = Key::generate();
    let repository = Repository::create(server.target("backups/s7"), &key, now()).unwrap();
    let written = write(&repository, &source, None).unwrap();
    let repo = server.home.path().join("jail/backups/s7");
    assert!(Repository::open(local(&repo), &key).unwrap().check(Share::All).unwrap().findings.is_empty());
    let before = everything(&repo);
    let junk = home.path().join("junk");
    fs::write(&junk, b"junk").unwrap();
    let snapshot = format!("/backups/s7/snapshots/{}", written.snapshot);
    let denied = [
        format!("rm {snapshot}"),
        format!("rename {snapshot} /backups/s7/gone"),
        format!("rename -l {snapshot} /backups/s7/gone"),
        "rename /backups/s7 /backups/s8".to_owned(),
        format!("chmod 600 {snapshot}"),
        format!("chown 0 {snapshot}"),
        format!("put {} {snapshot}", junk.display()),
        format!("put -a {} {snapshot}", junk.display()),
        format!("put {} /backups/s7/config", junk.display()),
        "rmdir /backups/s7/locks".to_owned(),
        "ln -s /etc/passwd /backups/s7/link".to_owned(),
        format!("ln {} {snapshot}", "/backups/s7/config"),
    ];
    for command in &denied {
        let mut thief = Command::new("sftp")
            .args(["-q", "-b", "-", "-oStrictHostKeyChecking=yes", "-oIdentitiesOnly=yes"])
            .arg(format!("-oUserKnownHostsFile={}", server.home.path().join("known").display()))
            .arg(format!("-oIdentityFile={}", server.home.path().join("identity").display()))
            .args(["-P", &server.port.to_string(), "nobody@127.0.0.1"])
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        writeln!(thief.stdin.take().unwrap(), "{command}").unwrap();
        let done = thief.wait_with_output().unwrap();
        assert!(!done.status.success(), "{command} was allowed");
    }
    assert_eq!(everything(&repo), before, "nothing changed");
    // Poisoned backups are added, as many as the thief likes; the good one restores.
    for _ in 0..3 {
        write(&repository, home.path(), None).unwrap();
    }
    let open = Repository::open(server.target("backups/s7"), &key).unwrap();
    restores(&open, &written.snapshot, &source, home.path());
    a_log_lies_there(|| server.target("backups/s7-log"));
    println!("{} ways to destroy were refused", denied.len());
}

#[test]
fn a_connection_that_breaks_costs_time_only() {
    let server = serve();
    let home = tempfile::tempdir().unwrap();
    let source = home.path().join("volume");
    volume(&source, 32);
    fs::write(source.join("more"), Chance::new(32).bytes(200 << 20)).unwrap();
    let key = Key::generate();
    let repository = Repository::create(server.target("backups/s8"), &key, now()).unwrap();
    let (written, ended) = std::thread::scope(|scope| {
        let writing = scope.spawn(|| write(&repository, &source, None));
        let mut ended = 0;
        for _ in 0..4 {
            std::thread::sleep(Duration::from_millis(350));
            if !writing.is_finished() {
                ended += server.end_sessions();
            }
        }
        (writing.join().unwrap().unwrap(), ended)
    });
    assert!(ended > 0, "at least one connection was ended");
    let repo = server.home.path().join("jail/backups/s8");
    let open = Repository::open(local(&repo), &key).unwrap();
    let checked = open.check(Share::All).unwrap();
    assert!(checked.findings.is_empty() && checked.snapshots == [written.snapshot], "{:?}", checked.findings);
    restores(&open, &written.snapshot, &source, home.path());
    // Stock restic opens it where it lies; what broke off does not disturb it.
    restic(repo.to_str().unwrap(), &key, &["check".as_ref(), "--read-data".as_ref()]).unwrap();
    println!("{ended} connections were ended while it was written");
}

#[test]
fn an_unknown_host_is_not_talked_to() {
    let server = serve();
    fs::write(server.home.path().join("known"), "").unwrap();
    let patience = Patience { tries: 1, ..Patience::default() };
    let target = Steady::new(Sftp::new(server.account("backups/s9"), Arc::new(Pace::free())), patience, Arc::default());
    assert!(target.prepare().is_err());
}
