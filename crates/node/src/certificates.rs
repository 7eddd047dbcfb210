//! Certificates from the installation's own authority, each in a folder of its own: made when there is none for just these
//! names, and anew when a third of its life is left.

use crate::ca::{Ca, CaError, LEAF_RENEW_DAYS};
use husorden_base::{Domain, Number};
use std::fs;
use std::io::{self, Write};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt, chown};
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::time::{Duration, UNIX_EPOCH};
use tracing::warn;

/// Certificates by folder name.
#[derive(Debug)]
pub(crate) struct Certificates {
    ca: Ca,
    folder: PathBuf,
    /// One is made at a time: two passes that want the same one get the same one.
    making: Mutex<()>,
}

/// Who reads a key besides root.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reader {
    /// The members of a group.
    Group(u32),
    /// A uid alone; servers refuse a key that others could read.
    Owner(u32),
}

/// A certificate that is there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Held {
    /// Where it lies.
    pub(crate) folder: PathBuf,
    /// The chain in PEM, leaf first.
    pub(crate) chain: PathBuf,
    /// The key in PEM.
    pub(crate) key: PathBuf,
    /// Microseconds since 1970 when it was made: differs between two.
    pub(crate) stamp: u128,
}

/// A certificate could not be made or written.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    /// The authority.
    #[error(transparent)]
    Ca(#[from] CaError),
    /// The folder.
    #[error("writing the certificate in {path}")]
    Write {
        /// Where.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
}

impl Certificates {
    pub(crate) fn open(ca: Ca, folder: PathBuf) -> Self {
        Self { ca, folder, making: Mutex::default() }
    }

    /// The authority's certificate in PEM.
    #[must_use]
    pub(crate) fn authority(&self) -> String {
        self.ca.root_pem().to_owned()
    }

    /// The certificate under this name for these domains.
    ///
    /// # Errors
    /// When it can't be made or written, or a domain is outside what the authority certifies.
    pub(crate) fn ensure(&self, name: &str, domains: &[Domain], reader: Reader) -> Result<Held, Error> {
        let _making = self.making.lock();
        let folder = self.folder.join(name);
        let (chain, key, listed) = (folder.join("chain.pem"), folder.join("key.pem"), folder.join("names"));
        let names = domains.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n");
        let made = |path: &Path| fs::metadata(path).and_then(|meta| meta.modified());
        let life = Duration::from_secs(LEAF_RENEW_DAYS * 86_400);
        let fresh = made(&chain).is_ok_and(|made| made.elapsed().is_ok_and(|age| age < life));
        let failed = |source| Error::Write { path: folder.clone(), source };
        if !fresh || fs::read_to_string(&listed).ok().as_deref() != Some(names.as_str()) {
            let (chain_pem, key_pem) = self.ca.issue(domains)?;
            let write = || -> io::Result<()> {
                fs::create_dir_all(&folder)?;
                // The names come last: without them what lies there counts as unfinished.
                for (path, text) in [(&key, &key_pem), (&chain, &chain_pem), (&listed, &names)] {
                    put(path, text.as_bytes(), reader)?;
                }
                dress(&folder, reader, 0o710, 0o500)
            };
            write().map_err(failed)?;
        }
        let stamp = made(&chain).map_err(failed)?.duration_since(UNIX_EPOCH).unwrap_or_default().as_micros();
        Ok(Held { folder, chain, key, stamp })
    }

    /// Nothing is left of a solution: its certificates and keys go too. Its number is never given again.
    pub(crate) fn forget(&self, number: Number) {
        for name in [number.to_string(), own_name(number)] {
            match fs::remove_dir_all(self.folder.join(name)) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => {
                    warn!(%number, %error, "the certificate of what is gone stays");
                }
                _ => {}
            }
        }
    }
}

/// Name of the certificate that a solution's own sandboxes are given; the one at the edge has the number alone.
pub(crate) fn own_name(number: Number) -> String {
    format!("{number}-own")
}

fn put(path: &Path, text: &[u8], reader: Reader) -> io::Result<()> {
    let fresh = path.with_extension("new");
    let _ = fs::remove_file(&fresh);
    let mut file = fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(&fresh)?;
    dress(&fresh, reader, 0o640, 0o400)?;
    file.write_all(text)?;
    file.sync_all()?;
    fs::rename(&fresh, path)
}

fn dress(path: &Path, reader: Reader, group_mode: u32, owner_mode: u32) -> io::Result<()> {
    let mode = match reader {
        Reader::Group(gid) => {
            chown(path, None, Some(gid))?;
            group_mode
        }
        Reader::Owner(uid) => {
            chown(path, Some(uid), Some(uid))?;
            owner_mode
        }
    };
    fs::set_permissions(path, PermissionsExt::from_mode(mode))
}
