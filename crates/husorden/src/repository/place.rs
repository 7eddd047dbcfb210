//! Where one repository lies, and its ledger: a folder of this machine, or of a bucket that this side's own account may remove from.

use super::PolicyArgs;
use anyhow::{Context, Result, ensure};
use husorden_backup::keeper::{Keeper, Ledger, Plan, Seen, Side, expire};
use husorden_backup::target::{Local, Pace, S3, S3Account};
use husorden_backup::{Id, Repository};
use husorden_base::Secret;
use jiff::Timestamp;
use nix::fcntl::{Flock, FlockArg};
use std::fs::{self, File};
use std::io::{Read, stdin};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Bytes of an order, an approval, a secret or a password.
const FILE_BYTES_MAX: u64 = 1 << 20;

/// One repository.
#[derive(Clone, Debug, clap::Args)]
pub(crate) struct Where {
    /// The repository's folder; with --s3 its folder in the bucket
    #[arg(long, value_name = "FOLDER")]
    pub(super) path: PathBuf,
    /// The folder of ledgers; no node's account may write there
    #[arg(long, value_name = "FOLDER")]
    pub(super) state: PathBuf,
    #[command(flatten)]
    pub(super) bucket: BucketArgs,
}

/// A bucket, and an account that may remove from it.
#[derive(Clone, Debug, Default, clap::Args)]
pub(crate) struct BucketArgs {
    /// Address of an S3 server, with --bucket, --access-key and --secret-file
    #[arg(long, value_name = "URL", requires_all = ["bucket", "access_key", "secret_file"])]
    pub(super) s3: Option<String>,
    /// The bucket
    #[arg(long, requires = "s3")]
    bucket: Option<String>,
    /// The access key of this side's own account, which may remove; never the node's
    #[arg(long, value_name = "NAME", requires = "s3")]
    access_key: Option<String>,
    /// File with its secret key
    #[arg(long, value_name = "FILE", requires = "s3")]
    secret_file: Option<PathBuf>,
    /// The region that requests are signed for
    #[arg(long, requires = "s3", default_value = "us-east-1")]
    region: String,
}

impl BucketArgs {
    fn account(&self) -> Result<Option<S3Account>> {
        let (Some(url), Some(bucket), Some(access_key), Some(file)) =
            (&self.s3, &self.bucket, &self.access_key, &self.secret_file)
        else {
            return Ok(None);
        };
        let secret = String::from_utf8(read(file)?).context("the secret key is text")?;
        Ok(Some(S3Account {
            url: url.clone(),
            bucket: bucket.clone(),
            region: self.region.clone(),
            access_key: access_key.clone(),
            secret: Secret::new(secret.trim()),
        }))
    }

    fn at(&self, folder: &Path) -> Result<Option<S3>> {
        let Some(account) = self.account()? else { return Ok(None) };
        let folder = folder.to_str().context("a folder in a bucket is text")?;
        Ok(Some(S3::new(&account, folder, Arc::new(Pace::free()))?))
    }

    /// The repositories beneath a folder.
    pub(super) fn repositories(&self, root: &Path) -> Result<Vec<PathBuf>> {
        if let Some(bucket) = self.at(root)? {
            return Ok(bucket.folders()?.into_iter().map(|name| root.join(name)).collect());
        }
        let entries = fs::read_dir(root).with_context(|| format!("listing {}", root.display()))?;
        let mut paths: Vec<_> =
            entries.flatten().map(|entry| entry.path()).filter(|path| path.join("config").is_file()).collect();
        paths.sort();
        Ok(paths)
    }
}

/// A ledger that nobody else changes until this is dropped.
pub(super) struct Book {
    pub(super) ledger: Ledger,
    /// The time, which never goes back.
    pub(super) now: Timestamp,
    /// Backups that were there, are not, and were not removed by this side.
    pub(super) missing: Vec<Id>,
    path: PathBuf,
    _lock: Flock<File>,
}

impl Book {
    pub(super) fn save(&self) -> Result<()> {
        Ok(self.ledger.save(&self.path)?)
    }

    /// What stays and what goes.
    pub(super) fn plan(&self, policy: &PolicyArgs) -> Plan {
        let seen = self.ledger.received.iter().filter_map(|(id, received)| {
            let parsed: Id = id.parse().ok()?;
            let there = !self.missing.contains(&parsed);
            there.then(|| Seen { id: parsed, received: *received, held: self.ledger.held.contains(id) })
        });
        let seen: Vec<Seen> = seen.collect();
        expire(&seen, &policy.policy(&self.path), self.now, &self.ledger.proven(), self.ledger.is_sealed())
    }
}

impl Where {
    /// The repository's name, which control knows it by: the solution's number.
    pub(super) fn name(&self) -> Result<&str> {
        self.path.file_name().and_then(|name| name.to_str()).context("a repository is a folder with a name")
    }

    pub(super) fn side(&self) -> Result<Box<dyn Side>> {
        Ok(match self.bucket.at(&self.path)? {
            Some(bucket) => Box::new(bucket),
            None => Box::new(Local::new(&self.path, Arc::new(Pace::free()))),
        })
    }

    pub(super) fn keeper(&self) -> Result<Keeper> {
        Ok(Keeper::at(self.side()?))
    }

    pub(super) fn open_with(&self, password: &Secret) -> Result<Repository> {
        Ok(Repository::open_with_password(self.side()?, password)?)
    }

    /// Opens it with the key from standard input.
    pub(super) fn open(&self) -> Result<Repository> {
        let mut password = String::new();
        stdin().take(FILE_BYTES_MAX).read_to_string(&mut password).context("reading the key from standard input")?;
        let password = Secret::new(password.trim());
        ensure!(
            !password.reveal().is_empty(),
            "the repository's key is expected on standard input, as restic's password"
        );
        self.open_with(&password)
    }

    /// Notes what is there. The ledger is this command's alone until the book is closed: `watch` and a command by hand take turns.
    pub(super) fn note(&self) -> Result<Book> {
        let path = self.state.join(self.name()?).with_added_extension("json");
        let lock =
            File::create(path.with_extension("lock")).with_context(|| format!("opening {}", self.state.display()))?;
        let lock = Flock::lock(lock, FlockArg::LockExclusive)
            .map_err(|(_, error)| error)
            .with_context(|| format!("taking turns at {}", path.display()))?;
        let mut ledger = Ledger::load(&path)?;
        let now = ledger.now(Timestamp::now());
        let missing = ledger.note(&self.keeper()?.backups()?, now);
        ledger.save(&path)?;
        Ok(Book { ledger, now, missing, path, _lock: lock })
    }
}

/// A small file.
pub(super) fn read(path: &Path) -> Result<Vec<u8>> {
    let mut bytes = Vec::new();
    let file = File::open(path).with_context(|| format!("opening {}", path.display()))?;
    file.take(FILE_BYTES_MAX).read_to_end(&mut bytes).with_context(|| format!("reading {}", path.display()))?;
    Ok(bytes)
}
