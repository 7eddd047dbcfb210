//! The way to a target from a process of the platform's own: the same kinds that solutions' backups go to.

use anyhow::{Context, Result};
use husorden_backup::target::{Local, Pace, Patience, Rest, S3, S3Account, Sftp, SftpAccount, Steady, Target};
use husorden_base::Secret;
use husorden_wire::node::Address;
use std::fs::{self, DirBuilder, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

/// A folder that is in memory on every machine.
const MEMORY: &str = "/dev/shm";
const CLIENT: &str = "/usr/bin/ssh";

/// A target with a folder at it, open.
pub(crate) struct Way {
    /// The repository's place.
    pub(crate) target: Box<dyn Target>,
    /// What an account is opened with, in memory as long as this is.
    pub(crate) files: Option<Files>,
}

/// Files of an account, which go when nobody needs them.
pub(crate) struct Files(PathBuf);

impl Drop for Files {
    fn drop(&mut self) {
        drop(fs::remove_dir_all(&self.0));
    }
}

/// Opens the way to a repository. Whoever calls may be without rights: what is needed is in memory, for its eyes only.
pub(crate) fn open(
    address: &Address,
    folder: &str,
    secret: Option<&Secret>,
    bytes_per_second: Option<u64>,
) -> Result<Way> {
    let pace = Arc::new(bytes_per_second.map_or_else(Pace::free, Pace::limited));
    let patience = Patience::default();
    let stop = Arc::new(AtomicBool::new(false));
    match address {
        Address::Folder { path } => {
            let local = Local::new(Path::new(path).join(folder), pace);
            Ok(Way { target: Box::new(Steady::new(local, patience, stop)), files: None })
        }
        Address::Sftp { host, port, user, host_key, path } => {
            let key = secret.context("the target's account is opened with a private key, and none was given")?;
            let files = files((host, *port), host_key, key).context("laying the account's key into memory")?;
            let account = SftpAccount {
                host: host.clone(),
                port: *port,
                user: user.clone(),
                identity: files.0.join("key"),
                known_hosts: files.0.join("known"),
                folder: format!("{}/{folder}", path.trim_end_matches('/')).trim_start_matches("./").to_owned(),
                client: CLIENT.into(),
            };
            let sftp = Steady::new(Sftp::new(account, pace), patience, stop);
            Ok(Way { target: Box::new(sftp), files: Some(files) })
        }
        Address::Rest { url, user } => {
            let url = format!("{}/{folder}", url.trim_end_matches('/'));
            let rest = Rest::new(&url, user.as_deref().zip(secret), pace);
            Ok(Way { target: Box::new(Steady::new(rest, patience, stop)), files: None })
        }
        Address::S3 { url, bucket, region, access_key, path } => {
            let secret = secret.context("the bucket's account signs with a secret key, and none was given")?;
            let account = S3Account {
                url: url.clone(),
                bucket: bucket.clone(),
                region: region.clone(),
                access_key: access_key.clone(),
                secret: secret.clone(),
            };
            let folder = path
                .as_deref()
                .map_or_else(|| folder.to_owned(), |path| format!("{}/{folder}", path.trim_matches('/')));
            let s3 = Steady::new(S3::new(&account, &folder, pace)?, patience, stop);
            Ok(Way { target: Box::new(s3), files: None })
        }
    }
}

fn files((host, port): (&str, u16), host_key: &str, key: &Secret) -> io::Result<Files> {
    let mut name = [0; 16];
    getrandom(&mut name)?;
    let name: String = name.iter().map(|byte| format!("{byte:02x}")).collect();
    let files = Files(Path::new(MEMORY).join(format!("husorden-{name}")));
    DirBuilder::new().mode(0o700).create(&files.0)?;
    let host = if port == 22 { host.to_owned() } else { format!("[{host}]:{port}") };
    let known = format!("{host} {}\n", host_key.trim());
    for (name, text) in [("key", format!("{}\n", key.reveal().trim_end())), ("known", known)] {
        let text = Secret::new(text);
        let mut file = OpenOptions::new().write(true).create_new(true).mode(0o400).open(files.0.join(name))?;
        file.write_all(text.reveal().as_bytes())?;
    }
    Ok(files)
}

fn getrandom(bytes: &mut [u8]) -> io::Result<()> {
    use std::io::Read;
    fs::File::open("/dev/urandom")?.read_exact(bytes)
}
