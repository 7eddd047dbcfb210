//! `husorden rebuild`: from a machine with nothing on it, a target and two papers, to a platform that `up` starts.
//!
//! Everything is brought to a folder of its own first, opened and looked at; nothing is in its place before a member of staff has confirmed
//! what was found. What a node of this home holds, pool and register, is left as it is: it may know more than the control that comes back.

use crate::place::{Place, SUPERVISOR, Settings, Which};
use crate::platform::child::{Child, Listed, Opening};
use crate::platform::files::{self, PARTS};
use crate::platform::{BASE, HOME, LOG};
use crate::prepare::{self, Users};
use crate::process::Single;
use crate::progress::{Progress, line};
use anyhow::{Context, Result, bail, ensure};
use husorden_backup::Key;
use husorden_backup::vault::{PlatformPaper, RecoveryKey, platform_folder};
use husorden_base::{Bytes, Language, Secret};
use husorden_control::embedded::{self, copying};
use husorden_control::platform::{Adopted, Known, adopt, found, known};
use husorden_vault::Store;
use husorden_wire::node::Address;
use jiff::Timestamp;
use std::fs;
use std::io::{BufRead, IsTerminal, Read, stdin};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};
use tokio::runtime::Runtime;

/// Longest file of a secret, in bytes.
const SECRET_BYTES_MAX: u64 = 64 << 10;
/// That what was brought back is being put in its place: what a home holds from then on is this command's own.
const PLACING: &str = "placing";

/// Bring the platform back on an empty machine, from a target and the two papers.
#[derive(Debug, clap::Args)]
pub(crate) struct Rebuild {
    #[command(flatten)]
    which: Which,
    /// The target: a folder, or an address in JSON as `husorden platform status` shows it; `@FILE` reads it from a file
    #[arg(long, value_name = "TARGET")]
    target: String,
    /// File with what the target's account is opened with: a private key or a password
    #[arg(long, value_name = "FILE")]
    secret_file: Option<PathBuf>,
    /// File with the recovery key; asked for at the terminal when left out
    #[arg(long, value_name = "FILE")]
    recovery_file: Option<PathBuf>,
    /// File with the platform paper; asked for at the terminal when left out
    #[arg(long, value_name = "FILE")]
    platform_file: Option<PathBuf>,
    /// As of a moment, such as 2026-01-31T12:00:00Z, and not the newest
    #[arg(long, value_name = "TIME")]
    at: Option<Timestamp>,
}

impl Rebuild {
    pub(crate) fn run(self) -> Result<ExitCode> {
        ensure!(
            nix::unistd::geteuid().is_root(),
            "`husorden rebuild` gives each role its files, and must be started by root"
        );
        let place = self.which.place()?;
        let mut progress = Progress::new();
        begin(&place)?;
        let (users, text) = prepare::users()?;
        progress.done(&text);
        let recovery = RecoveryKey::from_paper(&secret("the recovery key", self.recovery_file.as_deref())?)
            .context("reading the recovery key: it begins with AGE-SECRET-KEY-, and a slip is seen")?;
        let paper = PlatformPaper::from_paper(&secret("the platform paper", self.platform_file.as_deref())?)
            .context("reading the platform paper: it begins with HUSORDEN-PLATFORM-, and a slip is seen")?;
        let opening = self.opening(&paper.key(&recovery), &users)?;
        let folder = opening.folder.clone();
        // Waiting for somebody to type is no time of the rebuild's.
        progress.begin();
        let work = Work::new(place, users)?;

        let mut child = Child::open(opening).with_context(|| {
            format!("the target has nothing that these two papers open together ({folder}); are they of this platform?")
        })?;
        let (copy, until) = choose(child.list()?, self.at)?;
        progress.done(&format!("the target answers, and the two papers open {folder}"));
        let (count, bytes) = child.restore(&copy.copy, work.copy())?;
        drop(child);
        progress.done(&format!("{count} files, {}, of {}, fetched", Bytes(bytes), copy.at.strftime("%F %T UTC")));
        let keys = work.vault(&recovery)?;
        drop(recovery);
        progress.done(&format!("the recovery key opens the vault: {keys} keys and secrets"));
        let settings = work.settings(&self.which)?;
        let lost_node = (!work.place.home.join("node/register.redb").exists()).then_some(settings.node.name.as_str());

        let runtime =
            tokio::runtime::Builder::new_current_thread().enable_all().build().context("starting a runtime")?;
        let database = work.recover(&runtime, &until)?;
        let at = husorden_control::Database::at(database.socket_dir());
        let (known, held) =
            runtime.block_on(async { anyhow::Ok((known(&at, &settings.node.name).await?, found(&at).await?)) })?;
        if let Some(why) = &held.evidence {
            progress.note(&format!("the evidence is not as it was signed: {why}"));
        }
        progress.done(&format!(
            "the database is up: {} accounts, {} solutions, {} lines of evidence that hold together",
            known.accounts, known.solutions, held.leaves
        ));

        let by = confirm(&work.place, &copy, &known, lost_node)?;
        progress.begin();
        let adopted = Adopted { by: &by, copy: &copy.copy, of: copy.at, lost_node };
        let (epoch, made_again) = runtime.block_on(adopt(&at, &adopted))?;
        runtime.block_on(database.stop())?;
        progress.done(&match lost_node {
            Some(node) => format!("epoch {epoch}; {made_again} solutions of {node} are made again from their backups"),
            None => format!("epoch {epoch}; the node and its pool are here and stay as they are"),
        });
        work.put_in_place(&settings, held.leaves)?;
        progress.done("everything is in its place");
        line(&format!("rebuilt in {:.1} s; start it: husorden up{}", progress.seconds(), work.place.flags()));
        Ok(ExitCode::SUCCESS)
    }

    fn opening(&self, key: &Key, users: &Users) -> Result<Opening> {
        let address = address(&self.target)?;
        let folder = platform_folder(key);
        if let Address::Folder { path } = &address {
            // Users have other numbers on another machine.
            files::give(&Path::new(path).join(&folder), users.platform)?;
        }
        let secret = self.secret_file.as_deref().map(|file| secret("the target's secret", Some(file))).transpose()?;
        Ok(Opening { address, folder, password: key.password(), secret, bytes_per_second: None, make: false })
    }
}

/// Nothing may run, and nothing may live in the home but what a node keeps. What an earlier try left is cleared.
fn begin(place: &Place) -> Result<()> {
    if let Some(supervisor) = Single::holder(&place.role_lock(SUPERVISOR)) {
        bail!("{} runs (supervisor {}): a rebuild is for what is lost", place.instance, supervisor.pid);
    }
    let work = place.rebuild();
    if work.join(PLACING).exists() {
        // It was confirmed and broke off: what lies there was put there by this command, and nothing has run on it.
        for name in files::controls(place) {
            let path = place.home.join(name);
            fs::remove_dir_all(&path).with_context(|| format!("clearing {}", path.display()))?;
        }
    }
    if work.exists() {
        fs::remove_dir_all(&work).with_context(|| format!("clearing {}", work.display()))?;
    }
    let there = files::controls(place);
    ensure!(
        there.is_empty(),
        "{} holds {}: something lives there, and a rebuild would write over it. Move it away first, or choose another --home",
        place.home.display(),
        there.join(", ")
    );
    Ok(())
}

/// A target as it is written down with the papers.
fn address(text: &str) -> Result<Address> {
    let read;
    let text = match text.strip_prefix('@') {
        Some(file) => {
            read = fs::read_to_string(file).with_context(|| format!("reading {file}"))?;
            read.trim()
        }
        None => text,
    };
    if text.starts_with('/') {
        return Ok(Address::Folder { path: text.to_owned() });
    }
    serde_json::from_str(text).context(
        "--target is a folder's absolute path, or an address in JSON such as {\"kind\":\"rest\",\"url\":\"https://backup.example/\"}",
    )
}

/// A secret from a file, or from the terminal without showing it; never from the command line.
fn secret(what: &str, file: Option<&Path>) -> Result<Secret> {
    let mut text = String::new();
    match file {
        Some(file) => {
            let opened = fs::File::open(file).with_context(|| format!("opening {}", file.display()))?;
            opened
                .take(SECRET_BYTES_MAX)
                .read_to_string(&mut text)
                .with_context(|| format!("reading {}", file.display()))?;
        }
        None => {
            ensure!(stdin().is_terminal(), "{what} is typed at a terminal, or comes from a file");
            line(&format!("Type {what} / skriv {what}:"));
            let hidden = |word: &str| drop(Command::new("stty").arg(word).status());
            hidden("-echo");
            let typed = stdin().lock().read_line(&mut text);
            hidden("echo");
            typed.context("reading from the terminal")?;
        }
    }
    let secret = Secret::new(text);
    ensure!(!secret.reveal().trim().is_empty(), "{what} is empty");
    Ok(secret)
}

/// The backup that is brought back, and how far.
fn choose(copies: Vec<Listed>, at: Option<Timestamp>) -> Result<(Listed, copying::Until)> {
    let newest = copies.first().cloned().context("the repository is there and has no backup")?;
    let Some(at) = at else { return Ok((newest, copying::Until::End)) };
    // The first one after the moment has the log with it; the newest of those before has everything until it was written.
    let after = copies.iter().rev().find(|copy| copy.at > at).cloned();
    if let Some(after) = after {
        return Ok((after, copying::Until::Time(at)));
    }
    bail!("the newest backup is of {}, which is before {at}: leave --at out to take it", newest.at);
}

/// Asks a member of staff, in the words of what was found. Says who it was.
fn confirm(place: &Place, copy: &Listed, known: &Known, lost_node: Option<&str>) -> Result<String> {
    let danish = husorden_cli::language() == Language::Da;
    let newest = known.newest.unwrap_or(copy.at).strftime("%F %T UTC").to_string();
    let (epoch, next) = (known.epoch, known.epoch + 1);
    let word = format!("rebuild {}", place.instance);
    if danish {
        line(&format!(
            "\n  Platformen kommer tilbage, som den var {newest}: {} konti, {} løsninger. Hvad der skete derefter, ved den ikke.\n  \
             Epoken hæves fra {epoch} til {next}, så noderne igen tager imod ønsker. Alle logges ud. Intet slettes.",
            known.accounts, known.solutions
        ));
        if let Some(node) = lost_node {
            line(&format!(
                "  Noden {node} er tom: {} af dens {} løsninger hentes fra deres nyeste backup, de andre laves tomme.",
                known.with_backup, known.of_node
            ));
        }
        line("\n  Hvilken medarbejder bekræfter det (e-mailadresse)?");
    } else {
        line(&format!(
            "\n  The platform comes back as it was at {newest}: {} accounts, {} solutions. What happened after that it does not know.\n  \
             The epoch is raised from {epoch} to {next}, so that nodes take wishes again. Everybody is logged out. Nothing is removed.",
            known.accounts, known.solutions
        ));
        if let Some(node) = lost_node {
            line(&format!(
                "  The node {node} is empty: {} of its {} solutions are fetched from their newest backup, the others are made empty.",
                known.with_backup, known.of_node
            ));
        }
        line("\n  Which member of staff confirms it (e-mail address)?");
    }
    let typed = || -> Result<String> {
        let mut text = String::new();
        stdin().lock().read_line(&mut text).context("reading the confirmation")?;
        Ok(text.trim().to_owned())
    };
    let by = typed()?;
    let is_staff = known.staff.iter().any(|email| email.eq_ignore_ascii_case(&by));
    // Where nobody of staff has a log-in, whoever is root says who they are.
    ensure!(
        is_staff || (known.staff.is_empty() && !by.is_empty()),
        "{by:?} is no member of staff of what was brought back; nothing was changed"
    );
    line(&if danish { format!("  Skriv `{word}` for at gøre det:") } else { format!("  Type `{word}` to do it:") });
    ensure!(typed()? == word, "it was not confirmed; nothing was changed");
    Ok(by)
}

/// Where a rebuild works until everything is in its place.
struct Work {
    place: Place,
    users: Users,
    top: PathBuf,
}

impl Work {
    fn new(place: Place, users: Users) -> Result<Self> {
        let top = place.rebuild();
        prepare::folder(&place.home, files::root(), 0o755)?;
        prepare::folder(&place.run, files::root(), 0o755)?;
        prepare::folder(&top, files::root(), 0o711)?;
        let work = Self { place, users, top };
        files::own_folder(&work.copy(), users.platform)?;
        Ok(work)
    }

    /// What was fetched.
    fn copy(&self) -> PathBuf {
        self.top.join("copy")
    }

    fn home(&self) -> PathBuf {
        self.copy().join(HOME)
    }

    /// Brings the vault's key back by paper, and opens everything with it.
    fn vault(&self, recovery: &RecoveryKey) -> Result<u64> {
        let folder = self.home().join("vault");
        let sealed =
            fs::read(folder.join("vault.key.age")).context("reading the vault's key that is written for paper")?;
        let key = recovery.unseal(&sealed).context("the vault's key was written for another recovery key")?;
        // From here on nobody but root looks into it, until the vault does.
        files::give(&folder, files::root())?;
        files::put(&folder.join("vault.key"), &key, files::root())?;
        Store::open(&folder, 1).and_then(|store| store.verify()).context("opening the vault")
    }

    /// The operator's settings: those given, those in the home, or those that were backed up.
    fn settings(&self, which: &Which) -> Result<Settings> {
        let own = self.place.own_settings();
        let kept = self.home().join("husorden.toml");
        if which.config.is_none() && !own.exists() && kept.exists() {
            let text = fs::read_to_string(&kept).with_context(|| format!("reading {}", kept.display()))?;
            prepare::put(&own, &text, 0o644, files::root())?;
        }
        which.settings(&self.place)
    }

    /// Brings the database up on what was fetched, under a uid that owns nothing else, without a network.
    fn recover(&self, runtime: &Runtime, until: &copying::Until) -> Result<copying::Recovered> {
        let home = self.top.join("db");
        files::own_folder(&home, self.users.platform)?;
        fs::rename(self.copy().join(BASE), home.join("data")).context("taking the base out of the backup")?;
        let copy = embedded::Place {
            home,
            run: self.place.run.join("rebuild"),
            uid: self.users.platform.uid.as_raw(),
            gid: self.users.platform.gid.as_raw(),
            control_users: Vec::new(),
            copy_users: Vec::new(),
            durable: true,
        };
        Ok(runtime.block_on(copying::recover(copy, &self.copy().join(LOG), until))?)
    }

    /// Moves everything to where it belongs, with its owners. From the first move on `up` refuses, until the last is done.
    fn put_in_place(&self, settings: &Settings, leaves: i64) -> Result<()> {
        fs::write(self.top.join(PLACING), "").context("noting that what was brought back is put in its place")?;
        for part in &PARTS {
            let from = self.home().join(part.name);
            if !from.exists() {
                continue;
            }
            let to = match (part.name, &settings.rules) {
                ("rules", Some(rules)) if rules.exists() => continue,
                ("rules", Some(rules)) => rules.clone(),
                ("rules", None) => continue,
                (name, _) => self.place.home.join(name),
            };
            files::give(&from, part.owner.ids(&self.users))?;
            if to.exists() {
                // An empty folder: anything else was refused at the start.
                fs::remove_dir(&to).with_context(|| format!("making room at {}", to.display()))?;
            }
            fs::rename(&from, &to).with_context(|| format!("putting {} in its place", to.display()))?;
        }
        forget_what_is_ahead(&self.place.home.join("control/evidence/evidence.seen"), leaves)?;
        let (from, to) = (self.top.join("db"), self.place.home.join("db"));
        files::give(&from, self.users.database)?;
        if to.exists() {
            fs::remove_dir(&to).with_context(|| format!("making room at {}", to.display()))?;
        }
        fs::rename(&from, &to).context("putting the database in its place")?;
        // What outlives a loss of power from here on is all of it, or a rebuild that is begun anew.
        rustix::fs::sync();
        drop(fs::remove_dir_all(self.place.run.join("rebuild")));
        fs::remove_dir_all(&self.top).context("taking away where the rebuild worked")
    }
}

/// What control remembers of its signatures goes when it is ahead of the database: it says that it has forgotten, and signs on.
fn forget_what_is_ahead(seen: &Path, leaves: i64) -> Result<()> {
    let Ok(text) = fs::read_to_string(seen) else { return Ok(()) };
    let remembered: serde_json::Value = serde_json::from_str(&text).context("reading what control signed last")?;
    let size = remembered["frontier"]["size"].as_i64();
    if size.is_none_or(|size| size > leaves) {
        fs::remove_file(seen).context("forgetting what control signed last")?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn copy(name: &str, second: i64) -> Listed {
        let at = Timestamp::from_second(second).expect("a second");
        Listed { copy: name.to_owned(), at, host: "x".to_owned() }
    }

    #[test]
    fn a_moment_is_found_in_the_first_backup_after_it() {
        let copies = || vec![copy("c", 300), copy("b", 200), copy("a", 100)];
        let at = |second| Some(Timestamp::from_second(second).expect("a second"));
        let chosen = |at| choose(copies(), at).map(|(copy, until)| (copy.copy, until)).ok();
        assert_eq!(chosen(None), Some(("c".to_owned(), copying::Until::End)));
        let time = at(150).expect("a time");
        assert_eq!(chosen(at(150)), Some(("b".to_owned(), copying::Until::Time(time))));
        assert_eq!(chosen(at(300)), None, "nothing is known of what came after");
        assert!(choose(Vec::new(), None).is_err());
    }

    #[test]
    fn a_target_is_read_as_it_was_written_down() {
        for (text, fine) in [
            ("/srv/backups", true),
            (r#"{"kind":"rest","url":"https://backup.example/"}"#, true),
            (r#"{"kind":"rest","url":"https://backup.example/","password":"x"}"#, false),
            ("srv/backups", false),
            ("@/nowhere/at/all", false),
        ] {
            assert_eq!(address(text).is_ok(), fine, "{text}");
        }
    }

    #[test]
    fn a_home_that_holds_something_is_refused_and_what_a_node_keeps_is_not() {
        let top = tempfile::tempdir().expect("a folder");
        let place = Place { instance: "x".to_owned(), home: top.path().join("home"), run: top.path().join("run") };
        begin(&place).expect("nothing is there");
        for name in ["node", "pools", "edge"] {
            fs::create_dir_all(place.home.join(name)).expect("a folder");
            fs::write(place.home.join(name).join("kept"), "").expect("a file");
        }
        begin(&place).expect("what a node keeps is no hindrance");
        fs::create_dir_all(place.home.join("vault")).expect("a folder");
        begin(&place).expect("an empty folder is nothing");
        fs::write(place.home.join("vault/vault.key"), "").expect("a file");
        let error = begin(&place).expect_err("something lives there").to_string();
        assert!(error.contains("vault") && error.contains("--home"), "{error}");
        // One that broke off after it was confirmed is begun anew; one that broke off before has put nothing in its place.
        fs::create_dir_all(place.rebuild()).expect("a folder");
        assert!(begin(&place).is_err());
        fs::create_dir_all(place.rebuild()).expect("a folder");
        fs::write(place.rebuild().join(PLACING), "").expect("a file");
        begin(&place).expect("its own work is cleared");
        assert!(!place.home.join("vault").exists() && place.home.join("node/kept").exists());
    }
}
