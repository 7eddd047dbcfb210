//! The external place of backups: OpenSSH in a network namespace of its own, with an account that adds and reads, as docs/backups.md tells
//! operators to make one.

use super::network::Net;
use husorden_world::{PATIENCE, text};
use serde_json::{Value, json};
use std::fs;
use std::os::unix::fs::{PermissionsExt, chown};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// This end of the link, and the place's.
const LINK: [&str; 2] = ["198.18.77.1", "198.18.77.2"];
const PORT: u16 = 2222;
/// What the account may ask for.
const MAY: &str = "open,close,read,write,stat,lstat,fstat,opendir,readdir,realpath,mkdir,hardlink,fsync,limits";
const NOBODY: u32 = 65_534;

pub(super) struct External {
    home: tempfile::TempDir,
    server: Child,
    /// The link goes with it.
    _net: Net,
}

impl Drop for External {
    fn drop(&mut self) {
        let _ = self.server.kill();
        let _ = self.server.wait();
    }
}

impl External {
    pub(super) fn new() -> Self {
        // Whoever is locked into a folder wants all above it to be root's alone, which folders for temporary files are not.
        let home = tempfile::tempdir_in("/run").expect("a folder");
        let at = |name: &str| home.path().join(name);
        fs::set_permissions(home.path(), fs::Permissions::from_mode(0o755)).expect("its rights");
        for key in ["host", "identity"] {
            let made = Command::new("ssh-keygen").args(["-q", "-t", "ed25519", "-N", "", "-f"]).arg(at(key)).status();
            assert!(made.expect("ssh-keygen runs").success());
        }
        fs::create_dir_all(at("jail/backups")).expect("folders");
        chown(at("jail/backups"), Some(NOBODY), Some(NOBODY)).expect("it is the account's");
        fs::create_dir_all("/run/sshd").expect("what sshd wants");
        let config = format!(
            "Port {PORT}\nListenAddress {}\nHostKey {1}/host\nPidFile none\nUsePAM no\nPasswordAuthentication no\n\
             AuthorizedKeysFile {1}/identity.pub\nAllowUsers nobody\nChrootDirectory {1}/jail\nAllowTcpForwarding no\n\
             PermitTTY no\nSubsystem sftp internal-sftp\nForceCommand internal-sftp -p {MAY}\n",
            LINK[1],
            home.path().display()
        );
        fs::write(at("config"), config).expect("its settings");
        let net = Net::new();
        let link = format!(
            "ip link add hustest0 type veth peer name far0 netns {0}
            ip addr add {1}/30 dev hustest0; ip link set hustest0 up",
            net.pid(),
            LINK[0]
        );
        let linked = Command::new("sh").args(["-ec", &link]).output().expect("sh runs");
        assert!(linked.status.success(), "{}", text(&linked.stderr));
        net.run(&format!("ip link set lo up; ip addr add {}/30 dev far0; ip link set far0 up", LINK[1]));
        let server = Command::new("nsenter")
            .arg(format!("--net={}", net.path()))
            .args(["/usr/sbin/sshd", "-D", "-f"])
            .arg(at("config"))
            .stderr(Stdio::null())
            .spawn()
            .expect("sshd is installed");
        let end = Instant::now() + PATIENCE;
        while std::net::TcpStream::connect((LINK[1], PORT)).is_err() {
            assert!(Instant::now() < end, "it answers");
            std::thread::sleep(Duration::from_millis(50));
        }
        Self { home, server, _net: net }
    }

    /// How it is reached.
    pub(super) fn address(&self) -> Value {
        let host_key = fs::read_to_string(self.home.path().join("host.pub")).expect("its key");
        let host_key = host_key.split_whitespace().take(2).collect::<Vec<_>>().join(" ");
        json!({ "kind": "sftp", "host": LINK[1], "port": PORT, "user": "nobody", "host_key": host_key, "path": "backups" })
    }

    /// The file with the account's key.
    pub(super) fn secret(&self) -> PathBuf {
        self.home.path().join("identity")
    }

    /// What lies there, as its own side sees it.
    pub(super) fn folder(&self) -> PathBuf {
        self.home.path().join("jail/backups")
    }

    /// The disk is gone, and there again.
    pub(super) fn away(&self, away: bool) {
        let (there, gone) = (self.folder(), self.home.path().join("away"));
        let (from, to): (&Path, &Path) = if away { (&there, &gone) } else { (&gone, &there) };
        fs::rename(from, to).expect("moved");
    }
}
