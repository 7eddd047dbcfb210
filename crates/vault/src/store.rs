//! What lies in the vault's folder.
//!
//! ```text
//! vault.key             32 bytes: the vault's key, the one thing here that lies in clear
//! vault.key.age         the same, written for the recovery key: what a backup of this folder has in the place of `vault.key`
//! platform.json         the key of the platform's own backups, wrapped; the two papers that it follows from are elsewhere
//! recovery              the public half of the recovery key; the other half lies on paper
//! keys/7.json           the key of solution 7, wrapped by the vault's key
//! keys/7.age            the same, written for the recovery key
//! receipts/7.json       that it was destroyed; from then on there is no other
//! targets/<id>.json     a target's secret, wrapped
//! targets/<id>.age      the same, written for the recovery key
//! ```
//!
//! Each file is written whole or not at all. A key is answered only once it outlasts a loss of power; a receipt is written before what it
//! is about is removed, and what a death left half is done at the next start.

use crate::disk;
use husorden_backup::Key;
use husorden_backup::vault::{Recipient, VaultKey};
use husorden_base::{Number, Secret, SolutionId, TargetId};
use husorden_wire::node::Secrets;
use husorden_wire::vault::{Receipt, Refused, SECRET_BYTES_MAX, Status};
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use std::io;
use std::path::{Path, PathBuf};
use zeroize::Zeroizing;

const KEY_BYTES: usize = 32;

/// What the vault keeps.
pub struct Store {
    folder: PathBuf,
    key: VaultKey,
    recovery: Option<Recipient>,
    copies_days: u16,
}

/// A solution's key on the disk.
#[derive(Serialize, Deserialize)]
struct KeptKey {
    solution: SolutionId,
    number: Number,
    made: Timestamp,
    wrapped: String,
    /// For whom the file beside it is written; none when it is not written yet.
    recovery: Option<String>,
}

/// A target's secret on the disk.
#[derive(Serialize, Deserialize)]
struct KeptSecret {
    target: TargetId,
    kept: Timestamp,
    wrapped: String,
    recovery: Option<String>,
}

/// The key of the platform's own backups on the disk.
#[derive(Serialize, Deserialize)]
struct KeptPlatform {
    made: Timestamp,
    wrapped: String,
    /// The recovery key that it was made for.
    recovery: String,
}

/// What the wrapped key of the platform's own backups is about.
const PLATFORM: &str = "platform";

#[allow(clippy::needless_pass_by_value, reason = "what map_err hands over")]
fn trouble(error: impl std::fmt::Display) -> Refused {
    Refused::Trouble { text: error.to_string() }
}

impl Store {
    /// Opens the folder; at the first start it is made. What was left half before is done.
    ///
    /// # Errors
    /// When the folder can't be used, others may look into it, or there is something in it but no key: a vault that made a new key then
    /// could open nothing it has.
    pub fn open(folder: &Path, copies_days: u16) -> io::Result<Self> {
        disk::folder(folder)?;
        for part in ["keys", "receipts", "targets"] {
            disk::folder(&folder.join(part))?;
        }
        let path = folder.join("vault.key");
        let empty = |part: &str| Ok::<_, io::Error>(disk::names(&folder.join(part))?.is_empty());
        let bytes = match disk::get(&path)? {
            Some(bytes) => bytes,
            None if empty("keys")? && empty("targets")? && !folder.join("platform.json").exists() => {
                let mut fresh = Zeroizing::new(vec![0; KEY_BYTES]);
                getrandom::fill(&mut fresh).map_err(io::Error::other)?;
                disk::put(&path, &fresh)?;
                fresh
            }
            None => {
                let path = path.display();
                let why = format!("{path} is missing, and what lies beside it was wrapped by it: put it back");
                return Err(io::Error::other(why));
            }
        };
        let key = <[u8; KEY_BYTES]>::try_from(bytes.as_slice()).map(Zeroizing::new);
        let key = key.map_err(|_| io::Error::other(format!("{} is no key", path.display())))?;
        let recovery = disk::get(&folder.join("recovery"))?.map(|text| String::from_utf8_lossy(&text).parse());
        let recovery = recovery
            .transpose()
            .map_err(|error| io::Error::other(format!("{}: {error}", folder.join("recovery").display())))?;
        let store = Self { folder: folder.to_owned(), key: VaultKey::from_bytes(*key), recovery, copies_days };
        store.settle()?;
        Ok(store)
    }

    fn of_key(&self, number: Number, ending: &str) -> PathBuf {
        self.folder.join("keys").join(format!("{number}.{ending}"))
    }

    fn of_receipt(&self, number: Number) -> PathBuf {
        self.folder.join("receipts").join(format!("{number}.json"))
    }

    fn of_target(&self, target: TargetId, ending: &str) -> PathBuf {
        self.folder.join("targets").join(format!("{target}.{ending}"))
    }

    /// What is named by the files of a part of the folder.
    fn listed<T>(&self, part: &str, read: impl Fn(&str) -> Option<T>) -> io::Result<Vec<T>> {
        let names = disk::names(&self.folder.join(part))?;
        Ok(names.iter().filter_map(|name| read(name.strip_suffix(".json")?)).collect())
    }

    /// Does what a death left half: what has a receipt is removed, and what is written for another recovery key is written anew.
    fn settle(&self) -> io::Result<()> {
        for number in self.listed("keys", |name| Number::new(name.parse().ok()?))? {
            if disk::get(&self.of_receipt(number))?.is_some() {
                self.remove_key(number)?;
            }
        }
        let Some(recovery) = &self.recovery else { return Ok(()) };
        if let Some(bytes) = disk::get(&self.folder.join("vault.key"))? {
            disk::put(&self.folder.join("vault.key.age"), &recovery.seal(&bytes))?;
        }
        let own = Some(recovery.to_string());
        for number in self.listed("keys", |name| Number::new(name.parse().ok()?))? {
            let path = self.of_key(number, "json");
            let Some(mut kept) = disk::get_json::<KeptKey>(&path)?.filter(|kept| kept.recovery != own) else {
                continue;
            };
            let key = self.unwrap_key(&kept).map_err(io::Error::other)?;
            disk::put(&self.of_key(number, "age"), &recovery.write(&key))?;
            kept.recovery.clone_from(&own);
            disk::put_json(&path, &kept)?;
        }
        for target in self.listed("targets", |name| name.parse().ok())? {
            let path = self.of_target(target, "json");
            let kept = disk::get_json::<KeptSecret>(&path)?.filter(|kept| kept.recovery != own);
            let Some(mut kept) = kept else { continue };
            let secret = self.unwrap_secret(&kept).map_err(io::Error::other)?;
            disk::put(&self.of_target(target, "age"), &recovery.seal(secret.reveal().as_bytes()))?;
            kept.recovery.clone_from(&own);
            disk::put_json(&path, &kept)?;
        }
        Ok(())
    }

    fn unwrap_key(&self, kept: &KeptKey) -> Result<Key, Refused> {
        let key = self.key.unwrap(&kept.wrapped, &kept.solution.to_string());
        key.map_err(|_| trouble(format!("the key of {} was wrapped by another vault, or is damaged", kept.number)))
    }

    fn unwrap_secret(&self, kept: &KeptSecret) -> Result<Secret, Refused> {
        let secret = self.key.unwrap_secret(&kept.wrapped, &kept.target.to_string());
        secret
            .map_err(|_| trouble(format!("the secret of {} was wrapped by another vault, or is damaged", kept.target)))
    }

    fn kept(&self, solution: SolutionId, number: Number) -> Result<Option<KeptKey>, Refused> {
        if let Some(receipt) = disk::get_json::<Receipt>(&self.of_receipt(number)).map_err(trouble)? {
            let other = receipt.solution != solution;
            return Err(if other { Refused::OtherSolution } else { Refused::Destroyed { at: receipt.destroyed } });
        }
        let kept = disk::get_json::<KeptKey>(&self.of_key(number, "json")).map_err(trouble)?;
        if kept.as_ref().is_some_and(|kept| kept.solution != solution) {
            return Err(Refused::OtherSolution);
        }
        Ok(kept)
    }

    /// A solution's key. It is made when there is none and that is asked for.
    ///
    /// # Errors
    /// When there is none, it was destroyed, or the number is another's.
    pub fn key_of(&self, solution: SolutionId, number: Number, make: bool) -> Result<Key, Refused> {
        match self.kept(solution, number)? {
            Some(kept) => self.unwrap_key(&kept),
            None if make => {
                let key = Key::generate();
                let kept = KeptKey {
                    solution,
                    number,
                    made: Timestamp::now(),
                    wrapped: self.key.wrap(&key, &solution.to_string()),
                    recovery: self.recovery.map(|recovery| recovery.to_string()),
                };
                if let Some(recovery) = &self.recovery {
                    disk::put(&self.of_key(number, "age"), &recovery.write(&key)).map_err(trouble)?;
                }
                disk::put_json(&self.of_key(number, "json"), &kept).map_err(trouble)?;
                Ok(key)
            }
            None => Err(Refused::NoKey),
        }
    }

    /// What opens a solution's repository at a target, sealed to a recipient.
    ///
    /// # Errors
    /// As [`Store::key_of`], or when the recipient is none.
    pub fn release(
        &self,
        (solution, number): (SolutionId, Number),
        make: bool,
        target: Option<TargetId>,
        recipient: &str,
    ) -> Result<Vec<u8>, Refused> {
        let recipient: Recipient = recipient.parse().map_err(|_| Refused::BadRecipient)?;
        self.sealed(&self.key_of(solution, number, make)?, target, &recipient)
    }

    /// What opens the repository of a solution's log at a target, and not that of its backups, sealed to a recipient.
    ///
    /// # Errors
    /// As [`Store::release`].
    pub fn release_log(
        &self,
        (solution, number): (SolutionId, Number),
        make: bool,
        target: Option<TargetId>,
        recipient: &str,
    ) -> Result<Vec<u8>, Refused> {
        let recipient: Recipient = recipient.parse().map_err(|_| Refused::BadRecipient)?;
        self.sealed(&self.key_of(solution, number, make)?.of_log(), target, &recipient)
    }

    fn sealed(&self, key: &Key, target: Option<TargetId>, recipient: &Recipient) -> Result<Vec<u8>, Refused> {
        let target = target.map(|target| self.secret_of(target)).transpose()?.flatten();
        let secrets = Secrets { repository: key.password(), target };
        let clear = Zeroizing::new(serde_json::to_vec(&secrets).map_err(trouble)?);
        Ok(recipient.seal(&clear))
    }

    /// A target's secret; none when it has none.
    fn secret_of(&self, target: TargetId) -> Result<Option<Secret>, Refused> {
        let kept = disk::get_json::<KeptSecret>(&self.of_target(target, "json")).map_err(trouble)?;
        kept.map(|kept| self.unwrap_secret(&kept)).transpose()
    }

    /// Keeps a target's secret, in the place of the one before.
    ///
    /// # Errors
    /// When it is empty or too long.
    pub fn keep(&self, target: TargetId, secret: &Secret) -> Result<(), Refused> {
        if secret.reveal().is_empty() || secret.reveal().len() > SECRET_BYTES_MAX {
            return Err(Refused::BadSecret);
        }
        let kept = KeptSecret {
            target,
            kept: Timestamp::now(),
            wrapped: self.key.wrap_secret(secret, &target.to_string()),
            recovery: self.recovery.map(|recovery| recovery.to_string()),
        };
        if let Some(recovery) = &self.recovery {
            let file = recovery.seal(secret.reveal().as_bytes());
            disk::put(&self.of_target(target, "age"), &file).map_err(trouble)?;
        }
        disk::put_json(&self.of_target(target, "json"), &kept).map_err(trouble)
    }

    /// Forgets a target's secret.
    ///
    /// # Errors
    /// When the disk will not.
    pub fn forget(&self, target: TargetId) -> Result<(), Refused> {
        disk::destroy(&self.of_target(target, "json")).map_err(trouble)?;
        disk::destroy(&self.of_target(target, "age")).map_err(trouble)
    }

    /// Destroys a solution's key, and says so in a receipt, which is the same however often it is asked for.
    ///
    /// # Errors
    /// When the number is another's, or the disk will not.
    pub fn destroy(&self, solution: SolutionId, number: Number) -> Result<Receipt, Refused> {
        let path = self.of_receipt(number);
        let receipt = match disk::get_json::<Receipt>(&path).map_err(trouble)? {
            Some(receipt) if receipt.solution != solution => return Err(Refused::OtherSolution),
            Some(receipt) => receipt,
            None => {
                let made = self.kept(solution, number)?.map(|kept| kept.made);
                let destroyed = Timestamp::now();
                // Of a key that never was there are no copies.
                let days = if made.is_some() { i64::from(self.copies_days) } else { 0 };
                let gone_by = destroyed + SignedDuration::from_hours(24 * days);
                let receipt = Receipt { solution, number, made, destroyed, gone_by };
                disk::put_json(&path, &receipt).map_err(trouble)?;
                receipt
            }
        };
        self.remove_key(number).map_err(trouble)?;
        Ok(receipt)
    }

    fn remove_key(&self, number: Number) -> io::Result<()> {
        // By the one that is removed last the next start finds what was left half.
        disk::destroy(&self.of_key(number, "age"))?;
        disk::destroy(&self.of_key(number, "json"))
    }

    /// A solution's key as it is written for the recovery key.
    ///
    /// # Errors
    /// When there is none, it was destroyed, or there is no recovery key yet.
    pub fn recovery(&self, solution: SolutionId, number: Number) -> Result<Vec<u8>, Refused> {
        self.kept(solution, number)?.ok_or(Refused::NoKey)?;
        let file = disk::get(&self.of_key(number, "age")).map_err(trouble)?;
        file.map(|file| file.to_vec()).ok_or(Refused::NoRecovery)
    }

    /// From now on everything is written for this recovery key, and what there is is written anew.
    ///
    /// # Errors
    /// When there is one and it is not to be replaced, or the recipient is none.
    pub fn set_recovery(&mut self, recipient: &str, replace: bool) -> Result<(), Refused> {
        let recipient: Recipient = recipient.parse().map_err(|_| Refused::BadRecipient)?;
        if self.recovery.is_some_and(|there| there != recipient) && !replace {
            return Err(Refused::HasRecovery);
        }
        disk::put(&self.folder.join("recovery"), recipient.to_string().as_bytes()).map_err(trouble)?;
        self.recovery = Some(recipient);
        self.settle().map_err(trouble)
    }

    fn kept_platform(&self) -> io::Result<Option<KeptPlatform>> {
        disk::get_json::<KeptPlatform>(&self.folder.join("platform.json"))
    }

    /// From now on the platform's own backups are written with this key.
    ///
    /// # Errors
    /// When there is one and it is not to be replaced, or it was made for another recovery key than there is.
    pub fn set_platform(&self, key: &Secret, recipient: &str, replace: bool) -> Result<(), Refused> {
        let own = self.recovery.ok_or(Refused::NoRecovery)?.to_string();
        let key = Key::from_password(key).map_err(|_| Refused::BadSecret)?;
        if own != recipient {
            return Err(Refused::BadRecipient);
        }
        let there = self.kept_platform().map_err(trouble)?;
        if there.is_some_and(|there| there.recovery == own) && !replace {
            return Err(Refused::HasPlatform);
        }
        let kept = KeptPlatform { made: Timestamp::now(), wrapped: self.key.wrap(&key, PLATFORM), recovery: own };
        disk::put_json(&self.folder.join("platform.json"), &kept).map_err(trouble)
    }

    /// What opens the repository of the platform's own backups at a target, sealed to a recipient.
    ///
    /// # Errors
    /// When there is no such key for the recovery key there is, or the recipient is none.
    pub fn platform(&self, target: Option<TargetId>, recipient: &str) -> Result<Vec<u8>, Refused> {
        let recipient: Recipient = recipient.parse().map_err(|_| Refused::BadRecipient)?;
        let own = self.recovery.map(|recovery| recovery.to_string());
        let kept = self.kept_platform().map_err(trouble)?.filter(|kept| Some(&kept.recovery) == own.as_ref());
        let key = self.key.unwrap(&kept.ok_or(Refused::NoPlatform)?.wrapped, PLATFORM);
        let key = key.map_err(|_| trouble("the platform's key was wrapped by another vault, or is damaged"))?;
        let target = target.map(|target| self.secret_of(target)).transpose()?.flatten();
        let secrets = Secrets { repository: key.password(), target };
        let clear = Zeroizing::new(serde_json::to_vec(&secrets).map_err(trouble)?);
        Ok(recipient.seal(&clear))
    }

    /// Opens everything that is wrapped, and says how many that were.
    ///
    /// # Errors
    /// When one of them does not open, or the folder can't be read.
    pub fn verify(&self) -> io::Result<u64> {
        let mut opened = 0;
        for number in self.listed("keys", |name| Number::new(name.parse().ok()?))? {
            let kept = disk::get_json::<KeptKey>(&self.of_key(number, "json"))?;
            kept.map(|kept| self.unwrap_key(&kept)).transpose().map_err(io::Error::other)?;
            opened += 1;
        }
        for target in self.listed("targets", |name| name.parse().ok())? {
            let kept = disk::get_json::<KeptSecret>(&self.of_target(target, "json"))?;
            kept.map(|kept| self.unwrap_secret(&kept)).transpose().map_err(io::Error::other)?;
            opened += 1;
        }
        if let Some(kept) = self.kept_platform()? {
            self.key.unwrap(&kept.wrapped, PLATFORM).map_err(io::Error::other)?;
            opened += 1;
        }
        Ok(opened)
    }

    /// How it is.
    ///
    /// # Errors
    /// When the folder can't be read.
    pub fn status(&self) -> Result<Status, Refused> {
        let count = |part: &str| Ok(self.listed(part, |_| Some(())).map_err(trouble)?.len() as u64);
        Ok(Status {
            keys: count("keys")?,
            destroyed: count("receipts")?,
            targets: count("targets")?,
            recovery: self.recovery.map(|recovery| recovery.to_string()),
            platform: self
                .kept_platform()
                .map_err(trouble)?
                .is_some_and(|kept| Some(kept.recovery) == self.recovery.map(|recovery| recovery.to_string())),
        })
    }
}

#[cfg(test)]
mod tests;
