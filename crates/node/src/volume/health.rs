//! How a pool is: its space, its device, its scrubs, and whether it takes anything new.

use super::btrfs::{self, Scrubbed, Space};
use super::{Pool, VolumeError};
use husorden_base::{Bytes, Refusal, Text};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use std::fs;
use std::path::Path;
use std::sync::PoisonError;

/// From this share of data or metadata on, a pool takes no new volumes.
const FULL_PERCENT: u64 = 85;

/// How a pool is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PoolHealth {
    /// Bytes of data in use.
    pub data_used: Bytes,
    /// Bytes that data could have, with what no kind of space has taken yet.
    pub data_total: Bytes,
    /// Bytes of metadata in use, with what the kernel keeps in reserve.
    pub meta_used: Bytes,
    /// Bytes that metadata could have.
    pub meta_total: Bytes,
    /// Errors that the device has shown since the pool was made.
    pub device_errors: u64,
    /// The filesystem has turned read-only after an error.
    pub read_only: bool,
    /// The newest scrub, which may still run.
    pub last_scrub: Option<Scrub>,
}

/// A reading of everything in the pool against its checksums.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Scrub {
    /// When it began.
    pub started: Timestamp,
    /// When it was through; none while it runs, or if the node died meanwhile.
    pub ended: Option<Timestamp>,
    /// Bytes read.
    pub bytes: Bytes,
    /// Errors found.
    pub errors: u64,
    /// Those that had no intact copy.
    pub uncorrectable: u64,
    /// Why it did not get through.
    pub failed: Option<String>,
}

impl Pool {
    /// Whether something new may be made here.
    ///
    /// # Errors
    /// A refusal when data or metadata is at 85 % or more, or when the pool has turned read-only.
    pub fn admit(&self) -> Result<(), VolumeError> {
        let health = self.health()?;
        let refuse = |what: Text, measured: String, limit: String| {
            let refusal = Refusal::new(
                "pool-full",
                507,
                Text::new("Der kan ikke oprettes mere her lige nu", "Nothing more can be made here right now"),
                what,
            )
            .with_limit(measured, limit);
            Err(VolumeError::Refused(Box::new(refusal)))
        };
        if health.read_only {
            return refuse(
                Text::new(
                    "Lageret er skrivebeskyttet efter en fejl. Værten ved det og må rette det først.",
                    "The pool is read-only after an error. The host knows and has to mend it first.",
                ),
                "read-only".to_owned(),
                "writable".to_owned(),
            );
        }
        for (da, en, used, total) in [
            ("data", "data", health.data_used, health.data_total),
            ("metadata", "metadata", health.meta_used, health.meta_total),
        ] {
            let percent = used.0.saturating_mul(100) / total.0.max(1);
            if percent >= FULL_PERCENT {
                return refuse(
                    Text::new(
                        format!(
                            "Lageret er for fuldt ({da}). Det, der er der, virker videre; prøv igen, når værten har udvidet det."
                        ),
                        format!(
                            "The pool is too full ({en}). What is there works on; try again when the host has enlarged it."
                        ),
                    ),
                    format!("{percent} % of {en}"),
                    format!("{FULL_PERCENT} %"),
                );
            }
        }
        Ok(())
    }

    /// How it is.
    ///
    /// # Errors
    /// When the kernel does not say.
    pub fn health(&self) -> Result<PoolHealth, VolumeError> {
        let spaces = btrfs::spaces(self.top()).map_err(VolumeError::io("reading the pool's space"))?;
        let (size, given) = btrfs::device(self.top()).map_err(VolumeError::io("reading the pool's device"))?;
        let device_errors = btrfs::device_errors(self.top()).map_err(VolumeError::io("reading the device's errors"))?;
        let stat = nix::sys::statvfs::fstatvfs(self.top())
            .map_err(|errno| VolumeError::io("reading the pool's flags")(errno.into()))?;
        let free = size.saturating_sub(given);
        let mut health = PoolHealth {
            data_used: Bytes(0),
            data_total: Bytes(0),
            meta_used: Bytes(0),
            meta_total: Bytes(0),
            device_errors,
            read_only: stat.flags().contains(nix::sys::statvfs::FsFlags::ST_RDONLY),
            last_scrub: self.last_scrub(),
        };
        for space in spaces {
            match kind(space) {
                SpaceKind::Data => {
                    health.data_used.0 += space.used;
                    health.data_total.0 += space.total + free / copies(space);
                }
                SpaceKind::Metadata => {
                    health.meta_used.0 += space.used;
                    health.meta_total.0 += space.total + free / copies(space);
                }
                // Part of the metadata's space that nobody else may use.
                SpaceKind::Reserve => health.meta_used.0 += space.total,
                SpaceKind::Other => {}
            }
        }
        Ok(health)
    }

    /// Begins a scrub in the background; one that runs already is fine. [`Pool::health`] shows how it goes.
    ///
    /// # Errors
    /// When it cannot be begun.
    pub fn scrub(&self) -> Result<(), VolumeError> {
        let mut running = self.scrubbing.lock().unwrap_or_else(PoisonError::into_inner);
        if running.as_ref().is_some_and(|thread| !thread.is_finished()) {
            return Ok(());
        }
        let top = self.top();
        let mut scrub = Scrub {
            started: Timestamp::now(),
            ended: None,
            bytes: Bytes(0),
            errors: 0,
            uncorrectable: 0,
            failed: None,
        };
        let file = self.scrub_file.clone();
        record(&file, &scrub)?;
        let thread = std::thread::Builder::new().name("scrub".to_owned()).spawn(move || {
            match btrfs::scrub(&top) {
                Ok(Scrubbed { bytes, errors, uncorrectable }) => {
                    scrub.bytes = Bytes(bytes);
                    scrub.errors = errors;
                    scrub.uncorrectable = uncorrectable;
                }
                Err(error) => scrub.failed = Some(error.to_string()),
            }
            scrub.ended = Some(Timestamp::now());
            if let Err(error) = record(&file, &scrub) {
                tracing::error!(%error, "the scrub's result could not be kept");
            }
        });
        *running = Some(thread.map_err(VolumeError::io("beginning a scrub"))?);
        Ok(())
    }

    fn last_scrub(&self) -> Option<Scrub> {
        serde_json::from_slice(&fs::read(&self.scrub_file).ok()?).ok()
    }
}

enum SpaceKind {
    Data,
    Metadata,
    Reserve,
    Other,
}

fn kind(space: Space) -> SpaceKind {
    const DATA: u64 = 1;
    const METADATA: u64 = 1 << 2;
    const RESERVE: u64 = 1 << 49;
    if space.flags & RESERVE != 0 {
        SpaceKind::Reserve
    } else if space.flags & METADATA != 0 {
        SpaceKind::Metadata
    } else if space.flags & DATA != 0 {
        SpaceKind::Data
    } else {
        SpaceKind::Other
    }
}

/// How often each byte of this kind lies on the device.
const fn copies(space: Space) -> u64 {
    const DUP: u64 = 1 << 5;
    if space.flags & DUP != 0 { 2 } else { 1 }
}

fn record(file: &Path, scrub: &Scrub) -> Result<(), VolumeError> {
    let fresh = file.with_extension("new");
    let text = serde_json::to_vec(scrub).expect("plain data has a JSON form");
    fs::write(&fresh, text)
        .and_then(|()| fs::rename(&fresh, file))
        .map_err(VolumeError::io("keeping the scrub's result"))
}
