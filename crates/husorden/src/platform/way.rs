//! The way to a target from a process of the platform's own: the same kinds that solutions' backups go to.

use anyhow::{Context, Result};
use husorden_backup::target::{
    Local, Pace, Patience, Rest, S3, S3Account, Sftp, SftpAccount, SshFiles, Steady, Target,
};
use husorden_base::Secret;
use husorden_wire::node::Address;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

const CLIENT: &str = "/usr/bin/ssh";

/// A target with a folder at it, open.
pub(crate) struct Way {
    /// The repository's place.
    pub(crate) target: Box<dyn Target>,
    /// What an account is opened with, in memory as long as this is.
    pub(crate) files: Option<SshFiles>,
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
            let files = SshFiles::lay((host, *port), host_key, key, None);
            let files = files.context("laying the account's key into memory")?;
            let account = SftpAccount {
                host: host.clone(),
                port: *port,
                user: user.clone(),
                identity: files.identity(),
                known_hosts: files.known_hosts(),
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
