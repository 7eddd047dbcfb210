//! Targets that are served on this machine: a REST server that appends only, and a bucket whose policy lets the account add and read.

#[path = "../../../backup/tests/backup/s3_server.rs"]
mod s3_server;

use husorden_world::PATIENCE;
use s3_server::{BUCKET, NODE, REGION, S3Server, SECRET};
use serde_json::{Value, json};
use std::fs;
use std::net::{TcpListener, TcpStream};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// The account of the REST server.
const USER: &str = "node1";

enum Server {
    /// rclone's.
    Rest {
        child: Child,
        port: u16,
    },
    S3(S3Server),
}

pub(super) struct Served {
    home: tempfile::TempDir,
    server: Server,
}

impl Drop for Served {
    fn drop(&mut self) {
        if let Server::Rest { child, .. } = &mut self.server {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

impl Served {
    pub(super) fn rest() -> Self {
        let home = tempfile::tempdir_in("/var/tmp").expect("a folder");
        let folder = home.path().join("folder");
        fs::create_dir(&folder).expect("a folder");
        let free = TcpListener::bind("127.0.0.1:0").expect("a port");
        let port = free.local_addr().expect("its number").port();
        drop(free);
        let child = Command::new("rclone")
            .args(["--config", "/dev/null", "serve", "restic", "--append-only"])
            .args(["--addr", &format!("127.0.0.1:{port}")])
            .env("RCLONE_USER", USER)
            .env("RCLONE_PASS", SECRET)
            .arg(folder)
            .stderr(Stdio::null())
            .spawn()
            .expect("rclone is installed");
        let end = Instant::now() + PATIENCE;
        while TcpStream::connect(("127.0.0.1", port)).is_err() {
            assert!(Instant::now() < end, "it answers");
            std::thread::sleep(Duration::from_millis(50));
        }
        Self::of(home, Server::Rest { child, port })
    }

    pub(super) fn s3() -> Self {
        let home = tempfile::tempdir_in("/var/tmp").expect("a folder");
        let server = s3_server::serve(&home.path().join("buckets"));
        Self::of(home, Server::S3(server))
    }

    fn of(home: tempfile::TempDir, server: Server) -> Self {
        fs::write(home.path().join("secret"), SECRET).expect("a secret");
        Self { home, server }
    }

    /// Its address, and the file with what its account is opened with.
    pub(super) fn reached(&self) -> (Value, PathBuf) {
        let address = match &self.server {
            Server::Rest { port, .. } => {
                json!({ "kind": "rest", "url": format!("http://127.0.0.1:{port}/"), "user": USER })
            }
            Server::S3(server) => json!({
                "kind": "s3", "url": format!("http://127.0.0.1:{}", server.port), "bucket": BUCKET, "region": REGION,
                "access_key": NODE, "path": "platform",
            }),
        };
        (address, self.home.path().join("secret"))
    }
}
