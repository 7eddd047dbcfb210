//! The role's round: gather, copy, write, and once a day a new base and a proof.

use super::child::{Child, Opening, Written};
use super::local::{self, What};
use super::{BASE, HOME, LOG, NODE, NOTED, files, prove};
use crate::place::{Place, Settings};
use crate::prepare::database_folder;
use crate::progress::told;
use crate::users::{self, Ids};
use crate::vault;
use anyhow::{Context, Result, bail, ensure};
use husorden_backup::Key;
use husorden_backup::vault::platform_folder;
use husorden_control::embedded::{self, copying};
use husorden_control::platform::{self as database, Noted, Standing};
use husorden_wire::node::Address;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::json;
use std::fs;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::process::{Child as Process, Stdio};
use std::sync::mpsc::RecvTimeoutError;
use std::thread;
use std::time::{Duration, Instant};
use tokio::runtime::Runtime;

/// Pause between two looks.
const LOOK: Duration = Duration::from_secs(1);
/// Seconds after something failed.
const AGAIN_S: u64 = 60;
/// Pause after a proof that could not be made.
const PROVE_AGAIN: Duration = Duration::from_secs(900);
/// Longest wait for a segment of the log that has ended.
const SEGMENT_WAIT: Duration = Duration::from_secs(60);
/// Bytes of log after which a new base is made before its time.
const LOG_BYTES_MAX: u64 = 1 << 30;
/// Bases that are begun before a round is given up.
const BASES_TRIED: u32 = 4;
/// Deaths of the log's copier after which it begins anew, with a new base.
const DEATHS_MAX: u32 = 5;

/// Configuration of the role.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Config {
    /// Name of the installation.
    pub(crate) instance: String,
    /// Folder of what stays.
    pub(crate) home: PathBuf,
    /// Folder of what goes with the machine's boot.
    pub(crate) run: PathBuf,
    /// Folder of the database's socket.
    pub(crate) database: PathBuf,
    /// The database is the platform's own, and its log is copied as it is written.
    pub(crate) private: bool,
    /// Name of the target.
    pub(crate) target: String,
    /// The settings, where there are some.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) settings: Option<PathBuf>,
    /// The operator's own house rules.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) rules: Option<PathBuf>,
    /// Seconds between two backups.
    #[serde(default = "every_s")]
    pub(crate) every_s: u64,
    /// Seconds between two bases, and between two proofs.
    #[serde(default = "daily_s")]
    pub(crate) daily_s: u64,
}

const fn every_s() -> u64 {
    60
}

const fn daily_s() -> u64 {
    24 * 3600
}

impl Config {
    /// Of an installation.
    pub(crate) fn at(place: &Place, settings: &Settings) -> Self {
        let own = place.own_settings();
        Self {
            instance: place.instance.clone(),
            home: place.home.clone(),
            run: place.run.clone(),
            database: database_folder(place, settings),
            private: settings.database.socket_dir.is_none(),
            target: settings.backup.platform.clone().unwrap_or_else(|| settings.backup.target.clone()),
            settings: own.exists().then_some(own),
            rules: settings.rules.clone(),
            every_s: every_s(),
            daily_s: daily_s(),
        }
    }

    pub(super) fn place(&self) -> Place {
        Place { instance: self.instance.clone(), home: self.home.clone(), run: self.run.clone() }
    }
}

/// Backs the platform up, for ever.
pub(crate) fn run(config: Config) -> Result<()> {
    let asks = local::listen(&config.place().platform_socket())?;
    let mut keeper = Keeper::new(config)?;
    let mut next = Instant::now();
    let mut prove_next = Instant::now();
    loop {
        match asks.recv_timeout(LOOK) {
            Ok(ask) => {
                let done = match ask.what {
                    What::Status => Ok(()),
                    What::Backup => keeper.round(),
                    What::Prove => keeper.prove(),
                };
                ask.answer(done.map(|()| &keeper.standing));
                continue;
            }
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => bail!("nobody listens for verbs any more"),
        }
        if Instant::now() < next {
            continue;
        }
        let pause = if keeper.round().is_ok() { keeper.config.every_s.max(1) } else { AGAIN_S };
        next = Instant::now() + Duration::from_secs(pause);
        if keeper.proof_is_due() && Instant::now() >= prove_next && keeper.prove().is_err() {
            prove_next = Instant::now() + PROVE_AGAIN;
        }
    }
}

/// What the role holds.
pub(super) struct Keeper {
    pub(super) config: Config,
    pub(super) place: Place,
    /// Whose the stage is.
    pub(super) own: Ids,
    pub(super) runtime: Runtime,
    pub(super) standing: Standing,
    child: Option<Child>,
    receiver: Option<Process>,
    deaths: u32,
}

impl Keeper {
    fn new(config: Config) -> Result<Self> {
        let place = config.place();
        let own = users::find(users::PLATFORM)?.with_context(|| format!("there is no user {}", users::PLATFORM))?;
        let runtime =
            tokio::runtime::Builder::new_current_thread().enable_all().build().context("starting a runtime")?;
        let standing = Standing::read(&place.platform_state()).unwrap_or_default().unwrap_or_default();
        let keeper = Self { config, place, own, runtime, standing, child: None, receiver: None, deaths: 0 };
        // What a role that died left of a proof.
        prove::clear(&keeper.place);
        Ok(keeper)
    }

    /// The stage: what each backup is made of.
    pub(super) fn stage(&self) -> PathBuf {
        self.place.platform().join("stage")
    }

    pub(super) fn database(&self) -> husorden_control::Database {
        husorden_control::Database::at(&self.config.database)
    }

    fn embedded(&self) -> Result<embedded::Place> {
        let database = users::find(users::DATABASE)?.context("there is no user of the database")?;
        Ok(embedded::Place {
            home: self.place.home.join("db"),
            run: self.config.database.clone(),
            uid: database.uid.as_raw(),
            gid: database.gid.as_raw(),
            control_users: vec![users::CONTROL.to_owned()],
            copy_users: vec![users::PLATFORM.to_owned()],
            durable: true,
        })
    }

    fn copier(&self) -> copying::Copier {
        copying::Copier { uid: self.own.uid.as_raw(), gid: self.own.gid.as_raw() }
    }

    /// What opens the repository, and where it is.
    pub(super) fn opening(&self, make: bool) -> Result<Opening> {
        let database = self.database();
        let found = self.runtime.block_on(database::target(&database, &self.config.target))?;
        let (id, address, bytes_per_second) = found.with_context(|| {
            format!(
                "there is no target {} that is open: make it, or name another as [backup] platform",
                self.config.target
            )
        })?;
        let secrets = vault::platform_secrets(&self.place.vault_socket(), Some(id))?;
        let folder = platform_folder(&Key::from_password(&secrets.repository)?);
        if let Address::Folder { path } = &address {
            own_repository(&Path::new(path).join(&folder), make, self.own)?;
        }
        let (password, secret) = (secrets.repository, secrets.target);
        Ok(Opening { address, folder, password, secret, bytes_per_second, make })
    }

    /// One backup, with a new base when it is time for one. What hinders it is said once.
    fn round(&mut self) -> Result<()> {
        let paper = crate::vault::status(&self.place).context("asking the vault")?.platform;
        if !paper {
            self.rest();
            bail!(
                "the platform has no second paper yet, so it is not backed up: `husorden vault platform{}` makes it",
                self.place.flags()
            );
        }
        let written = self.write();
        let was = self.standing.trouble.is_some();
        match &written {
            Ok(_) => {
                self.standing.trouble = None;
                if was {
                    self.witness("platform.backup-well", &json!({}), true);
                }
            }
            Err(error) => {
                let why = told(error);
                tracing::warn!(why, "the platform was not backed up");
                let since = self.standing.trouble.as_ref().map_or_else(Timestamp::now, |(since, _)| *since);
                self.standing.trouble = Some((since, why.clone()));
                self.child = None;
                if !was {
                    self.witness("platform.backup-failed", &json!({ "why": why }), true);
                }
            }
        }
        self.say();
        written.map(drop)
    }

    /// Nothing is kept for a backup that nobody can open.
    fn rest(&mut self) {
        self.child = None;
        if let Some(mut receiver) = self.receiver.take() {
            drop(receiver.kill());
            drop(receiver.wait());
            if let Err(error) = self.runtime.block_on(database::forget_slot(&self.database())) {
                tracing::warn!(%error, "the database keeps log for a backup that is not written");
            }
        }
    }

    fn write(&mut self) -> Result<Written> {
        let begun = Instant::now();
        let stage = self.stage();
        files::own_folder(&self.place.platform(), self.own)?;
        files::own_folder(&stage, self.own)?;
        // The files before the log: what control remembers of its signatures is then never ahead of the database.
        let (rules, settings) = (self.config.rules.as_deref(), self.config.settings.as_deref());
        files::gather(&self.place.home, rules, settings, &stage.join(HOME), self.own)?;
        self.node();
        if self.config.private {
            self.receive()?;
            let old =
                |base: Timestamp| Timestamp::now().duration_since(base).as_secs() >= self.config.daily_s.cast_signed();
            let missing = !stage.join(BASE).join("PG_VERSION").exists() || !stage.join(NOTED).exists();
            let due = self.standing.base.is_none_or(old) || files::bytes_in(&stage.join(LOG)) > LOG_BYTES_MAX;
            if missing || due {
                self.base_at_last()?;
            }
        }
        if self.child.is_none() {
            let opening = self.opening(true)?;
            self.standing.target.clone_from(&self.config.target);
            self.standing.folder.clone_from(&opening.folder);
            self.standing.address = Some(opening.address.clone());
            self.standing.with_machine = matches!(&opening.address, Address::Folder { path }
                if Path::new(path).starts_with(&self.place.home));
            self.child = Some(Child::open(opening)?);
        }
        let at = Timestamp::now();
        let child = self.child.as_mut().context("it was just opened")?;
        let written = child.write(stage, &self.config.instance, at)?;
        self.standing.newest = Some(at);
        self.standing.copy = Some(written.copy.clone());
        self.standing.bytes_sent = written.bytes_sent;
        self.standing.took_ms = u64::try_from(begun.elapsed().as_millis()).unwrap_or(u64::MAX);
        tracing::debug!(copy = written.copy, bytes = written.bytes, sent = written.bytes_sent, "backed up");
        Ok(written)
    }

    /// A new base. Where the copier ended meanwhile it is begun anew at once and not with the next round: a server was seen to let go of a slot, twice in a
    /// row, right after it was made.
    fn base_at_last(&mut self) -> Result<()> {
        for _ in 1..BASES_TRIED {
            match self.base() {
                Ok(()) => return Ok(()),
                Err(error) => tracing::warn!(why = told(&error), "no base of the database was made; it is tried again"),
            }
            self.receive()?;
        }
        self.base()
    }

    /// What the node knows, as it says it; one that is away leaves what it said last.
    fn node(&self) {
        let said = crate::local::ask(&self.place, &json!({ "do": "state" }));
        let kept = said.and_then(|said| files::put(&self.stage().join(NODE), said.to_string().as_bytes(), self.own));
        if let Err(error) = kept {
            tracing::debug!(why = told(&error), "the node did not say what it knows");
        }
    }

    /// Sees to it that the log is copied as it is written.
    fn receive(&mut self) -> Result<()> {
        if let Some(receiver) = &mut self.receiver {
            match receiver.try_wait().context("looking after the log's copier")? {
                None => {
                    self.deaths = 0;
                    return Ok(());
                }
                Some(status) => {
                    self.deaths += 1;
                    tracing::warn!(%status, deaths = self.deaths, "the log's copier ended and is started again");
                }
            }
        }
        let (here, log) = (self.embedded()?, self.stage().join(LOG));
        let lost = self.runtime.block_on(database::slot_is_lost(&self.database()))?;
        if lost || self.deaths >= DEATHS_MAX {
            // The server has let go of what was not copied: what is here is of no use without it.
            tracing::warn!(lost, "the log's copier begins anew, with a new base");
            self.runtime.block_on(database::forget_slot(&self.database()))?;
            if log.exists() {
                fs::remove_dir_all(&log).context("clearing the log that has a gap")?;
            }
            self.standing.base = None;
            self.deaths = 0;
        }
        files::own_folder(&log, self.own)?;
        copying::remove_half_made(&log).context("removing what a copier left that died")?;
        let made = copying::slot(&here, self.copier())?.output().context("starting pg_receivewal")?;
        ensure!(made.status.success(), "making the log's slot: {}", String::from_utf8_lossy(&made.stderr).trim());
        let mut receiver = copying::receiver(&here, self.copier(), &log)?;
        receiver.stdout(Stdio::null());
        self.receiver = Some(receiver.spawn().context("starting pg_receivewal")?);
        Ok(())
    }

    /// A new base, with a named point after it; what the log has of before it goes.
    pub(super) fn base(&mut self) -> Result<()> {
        let (top, stage) = (self.place.platform(), self.stage());
        let (fresh, old) = (top.join("base.new"), top.join("base.old"));
        for path in [&fresh, &old] {
            if path.exists() {
                fs::remove_dir_all(path).with_context(|| format!("clearing {}", path.display()))?;
            }
        }
        let at = Timestamp::now();
        let made =
            copying::base(&self.embedded()?, self.copier(), &fresh)?.output().context("starting pg_basebackup")?;
        ensure!(made.status.success(), "copying the database: {}", String::from_utf8_lossy(&made.stderr).trim());
        let label = fs::read_to_string(fresh.join("backup_label")).context("reading the base's label")?;
        let first = copying::first_segment(&label).context("the base's label does not say where it begins")?;
        let base = stage.join(BASE);
        if base.exists() {
            fs::rename(&base, &old).context("putting the new base in its place")?;
        }
        fs::rename(&fresh, &base).context("putting the new base in its place")?;
        for segment in copying::older(&stage.join(LOG), first)? {
            fs::remove_file(&segment).with_context(|| format!("removing {}", segment.display()))?;
        }
        if old.exists() {
            fs::remove_dir_all(&old).context("removing the old base")?;
        }
        self.mark()?;
        self.standing.base = Some(at);
        tracing::info!(first, "a new base of the database was made");
        Ok(())
    }

    /// Names a point, and waits until the log has it.
    pub(super) fn mark(&mut self) -> Result<Noted> {
        let noted = self.runtime.block_on(database::mark(&self.database()))?;
        let (whole, until) = (self.stage().join(LOG).join(&noted.segment), Instant::now() + SEGMENT_WAIT);
        while !whole.exists() {
            ensure!(Instant::now() < until, "the log was not copied in {} s", SEGMENT_WAIT.as_secs());
            let ended = self.receiver.as_mut().is_none_or(|receiver| !matches!(receiver.try_wait(), Ok(None)));
            ensure!(!ended || whole.exists(), "the log's copier ended");
            thread::sleep(Duration::from_millis(50));
        }
        files::put(&self.stage().join(NOTED), &serde_json::to_vec(&noted)?, self.own)?;
        Ok(noted)
    }

    fn proof_is_due(&self) -> bool {
        let old = |at: Timestamp| Timestamp::now().duration_since(at).as_secs() >= self.config.daily_s.cast_signed();
        self.config.private
            && self.standing.newest.is_some()
            && self.standing.proof.as_ref().is_none_or(|proof| old(proof.at))
    }

    /// Names a point, writes a backup with it, and proves that one.
    fn prove(&mut self) -> Result<()> {
        ensure!(self.config.private, "the operator's own PostgreSQL is proven by who backs it up");
        if self.receiver.is_some()
            && let Err(error) = self.mark()
        {
            tracing::warn!(why = told(&error), "the log did not get its point; it is tried again");
            // A copier that ended is begun anew by a round; then the point is in the log.
            self.round()?;
            self.mark()?;
        }
        self.round()?;
        let proven = prove::prove(self);
        prove::clear(&self.place);
        let proven =
            proven.inspect_err(|error| tracing::warn!(why = told(error), "the platform's backup was not proven"))?;
        let before = json!({ "copy": proven.copy, "target": self.standing.target });
        if proven.wrong.is_empty() {
            self.standing.proven = Some(proven.at);
            let after = json!({ "rows": proven.rows, "leaves": proven.leaves, "steps": proven.steps });
            self.witness_of("platform.proven", &before, &after, false);
        } else {
            let why = proven.wrong.join("; ");
            tracing::error!(why, "the platform's backup did not pass its proof");
            self.witness_of("platform.proof-failed", &before, &json!({ "why": why }), true);
        }
        self.standing.proof = Some(proven);
        self.say();
        Ok(())
    }

    fn witness(&self, act: &str, after: &serde_json::Value, alarm: bool) {
        self.witness_of(act, &json!({ "target": self.config.target }), after, alarm);
    }

    fn witness_of(&self, act: &str, before: &serde_json::Value, after: &serde_json::Value, alarm: bool) {
        let written = self.runtime.block_on(database::witness(&self.database(), act, before, after, alarm));
        if let Err(error) = written {
            tracing::error!(%error, act, "a line of evidence could not be written");
        }
    }

    /// Says how it stands, for control to read.
    fn say(&self) {
        let path = self.place.platform_state();
        let said = serde_json::to_string(&self.standing).map_err(anyhow::Error::from);
        if let Err(error) = said.and_then(|text| crate::prepare::put(&path, &text, 0o644, files::root())) {
            tracing::error!(why = told(&error), "how the platform's backups stand could not be said");
        }
    }
}

/// The repository's folder, where the target is a folder of this machine. Made before the first backup, never later: a disk that is away is not
/// written beside.
fn own_repository(path: &Path, make: bool, own: Ids) -> Result<()> {
    let parent = path.parent().context("a repository lies in a folder")?;
    if path.is_dir() || !make {
        return Ok(());
    }
    fs::DirBuilder::new()
        .recursive(true)
        .mode(0o711)
        .create(parent)
        .with_context(|| format!("making {}", parent.display()))?;
    files::own_folder(path, own)
}
