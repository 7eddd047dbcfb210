//! Targets elsewhere, in the network that the node of a test has: OpenSSH, a REST server that appends only, and an S3 server with a policy.

use super::{Place, copy_of, everything};
use crate::backup::folders;
use crate::backup::job::{Came, VOLUME, Work};
use crate::tests::{on_a_node, until};
use husorden_base::Secret;
use husorden_wire::node::Address;
use jiff::Timestamp;
use std::collections::BTreeMap;
use std::fs;
use std::net::{TcpListener, TcpStream};
use std::os::unix::fs::{PermissionsExt, chown};
use std::process::{Child, Command, Stdio};

#[path = "../../../../backup/tests/backup/s3_server.rs"]
mod s3_server;

const NOBODY: u32 = 65_534;
/// What the account may ask for, as docs/backups.md tells operators.
const MAY: &str = "open,close,read,write,stat,lstat,fstat,opendir,readdir,realpath,mkdir,hardlink,fsync,limits";

struct Server(Child);

impl Drop for Server {
    fn drop(&mut self) {
        drop(self.0.kill());
        drop(self.0.wait());
    }
}

fn done(program: &str, arguments: &[&str]) {
    let done = Command::new(program).args(arguments).output().expect(program);
    assert!(done.status.success(), "{program}: {}", String::from_utf8_lossy(&done.stderr));
}

fn port() -> u16 {
    TcpListener::bind("127.0.0.1:0").expect("a port").local_addr().expect("its number").port()
}

/// Writes to the target, looks whether it is whole, and puts it back.
fn there_and_back(place: &Place<'_>, address: &Address, account: &Secret) {
    let work = |work: Work, binds| place.work_at(address.clone(), Some(account.clone()), work, binds);
    let id = place.snapshot();
    let (from, names) = place.volume().snapshot_folders(&id).expect("a snapshot");
    let write = Work::Write {
        host: "here".to_owned(),
        tags: Vec::new(),
        taken: Timestamp::now(),
        notes: BTreeMap::new(),
        former: None,
        beside: false,
        first: true,
    };
    let came = work(write, folders(&from, &names, VOLUME, false)).expect("written");
    let copy = copy_of(&came).to_owned();
    let check = Work::Check { copy: Some(copy.clone()), hashes: true, contents: Some((0, 1)) };
    let Came::Checked { wrong, findings, .. } = work(check, Vec::new()).expect("checked") else { panic!("a check") };
    assert_eq!(wrong, 0, "{findings:?}");
    let back = place.volume().folder("back");
    fs::create_dir(&back).expect("a folder");
    for name in &names {
        fs::create_dir(back.join(name)).expect("a folder");
        chown(back.join(name), Some(place.number.uid()), Some(place.number.uid())).expect("its owner");
    }
    let restore = Work::Restore { copy, folders: names.clone() };
    work(restore, folders(&back, &names, VOLUME, true)).expect("restored");
    for name in &names {
        assert_eq!(everything(&from.join(name)), everything(&back.join(name)));
    }
}

#[test]
fn an_sftp_account_is_reached_by_a_client_outside_the_sandbox() {
    on_a_node(|node| {
        done("ip", &["link", "set", "lo", "up"]);
        let place = Place::of(node, 7);
        // A chroot wants all folders above it to be root's alone.
        let home = tempfile::tempdir_in("/run").expect("a folder");
        let at = |name: &str| home.path().join(name);
        fs::set_permissions(home.path(), fs::Permissions::from_mode(0o755)).expect("rights");
        for key in ["host", "identity"] {
            done("ssh-keygen", &["-q", "-t", "ed25519", "-N", "", "-f", at(key).to_str().expect("a path")]);
        }
        fs::create_dir_all(at("jail/backups")).expect("a jail");
        chown(at("jail/backups"), Some(NOBODY), Some(NOBODY)).expect("its owner");
        fs::create_dir_all("/run/sshd").expect("a folder");
        let port = port();
        let config = format!(
            "Port {port}\nListenAddress 127.0.0.1\nHostKey {0}/host\nPidFile none\nUsePAM no\nPasswordAuthentication no\n\
             AuthorizedKeysFile {0}/identity.pub\nAllowUsers nobody\nChrootDirectory {0}/jail\nAllowTcpForwarding no\nPermitTTY no\n\
             Subsystem sftp internal-sftp\nForceCommand internal-sftp -p {MAY}\n",
            home.path().display()
        );
        fs::write(at("config"), config).expect("a configuration");
        let child = Command::new("/usr/sbin/sshd").args(["-D", "-f"]).arg(at("config")).stderr(Stdio::null()).spawn();
        let _server = Server(child.expect("sshd is installed"));
        until("it listens", || TcpStream::connect(("127.0.0.1", port)).is_ok());
        let host = fs::read_to_string(at("host.pub")).expect("the host's key");
        let host_key = host.split_whitespace().take(2).collect::<Vec<_>>().join(" ");
        let sftp = |host_key: String| Address::Sftp {
            host: "127.0.0.1".to_owned(),
            port,
            user: "nobody".to_owned(),
            host_key,
            path: "/backups".to_owned(),
        };
        let key = Secret::new(fs::read_to_string(at("identity")).expect("the account's key"));
        there_and_back(&place, &sftp(host_key), &key);
        assert!(at("jail/backups/7/config").exists());
        let own = format!("husorden-ssh-{}-", std::process::id());
        let left = fs::read_dir("/dev/shm").expect("memory").flatten();
        let left: Vec<_> = left.filter(|entry| entry.file_name().to_string_lossy().starts_with(&own)).collect();
        assert!(left.is_empty(), "the key's file goes with the way: {left:?}");
        assert_eq!(fs::read_dir(node.config.ground.run.join("ways")).expect("ways").count(), 0);
        let none = place.work_at(sftp("ssh-ed25519 AAAA\nx".to_owned()), Some(key), look(), Vec::new());
        assert_eq!(none.expect_err("no host key").code, "backup-target-refused");
    });
}

fn look() -> Work {
    Work::Look { copy: "0".repeat(64), hole: None }
}

fn rest(port: u16) -> Address {
    Address::Rest { url: format!("http://127.0.0.1:{port}/"), user: Some("node".to_owned()) }
}

#[test]
fn a_rest_server_is_reached_from_a_sandbox_without_a_network() {
    on_a_node(|node| {
        done("ip", &["link", "set", "lo", "up"]);
        let place = Place::of(node, 7);
        let home = tempfile::tempdir().expect("a folder");
        let port = port();
        let child = Command::new("rclone")
            .args(["--config", "/dev/null", "serve", "restic", "--append-only", "--user", "node", "--pass", "word"])
            .args(["--addr", &format!("127.0.0.1:{port}")])
            .arg(home.path())
            .stderr(Stdio::null())
            .spawn();
        let _server = Server(child.expect("rclone is installed"));
        until("it listens", || TcpStream::connect(("127.0.0.1", port)).is_ok());
        there_and_back(&place, &rest(port), &Secret::new("word"));
        assert!(home.path().join("7/config").exists());
        let refused = place.work_at(rest(port), Some(Secret::new("guess")), look(), Vec::new()).expect_err("a guess");
        assert_eq!(refused.code, "backup-target-refused");
    });
}

#[test]
fn a_bucket_is_reached_from_a_sandbox_without_a_network() {
    on_a_node(|node| {
        done("ip", &["link", "set", "lo", "up"]);
        let place = Place::of(node, 7);
        let home = tempfile::tempdir().expect("a folder");
        let server = s3_server::serve(home.path());
        let bucket = |path: Option<&str>| Address::S3 {
            url: format!("http://127.0.0.1:{}", server.port),
            bucket: s3_server::BUCKET.to_owned(),
            region: s3_server::REGION.to_owned(),
            access_key: s3_server::NODE.to_owned(),
            path: path.map(str::to_owned),
        };
        there_and_back(&place, &bucket(Some("node1")), &Secret::new(s3_server::SECRET));
        assert!(home.path().join(s3_server::BUCKET).join("node1/7/config").exists());
        let guess = place.work_at(bucket(None), Some(Secret::new("guess")), look(), Vec::new()).expect_err("a guess");
        assert_eq!(guess.code, "backup-target-refused");
        let none = place.work_at(bucket(None), None, look(), Vec::new()).expect_err("no secret");
        assert_eq!(none.code, "backup-target-refused");
    });
}
