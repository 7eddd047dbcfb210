//! `husorden repository`: the target's own side, run there with the target's own account. It needs no other role, and no network.
//!
//! `watch` is the role that runs always: it notes when each backup was first seen, and compares objects with their names; it has no key.
//! What needs a repository's key reads it from standard input, as restic's password, and forgets it when it ends.

use anyhow::{Context, Result, bail, ensure};
use husorden_backup::keeper::{Approval, Keeper, Ledger, Order, Plan, Policy, Seen, Staff, Standing, expire};
use husorden_backup::target::{Local, Pace, Target};
use husorden_backup::{Checked, Id, Repository, Share, check_names};
use husorden_base::Secret;
use jiff::Timestamp;
use nix::sys::stat::{Mode, umask};
use std::io::{Read, stdin};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;
use std::{fs, thread};

/// Seconds between two looks of the role.
const LOOK: Duration = Duration::from_secs(60);
/// Looks in which everything has been compared with its name once: a day.
const LOOKS_A_ROUND: u32 = 24 * 60;
/// Bytes of an order, an approval or a password.
const FILE_BYTES_MAX: u64 = 1 << 20;

/// One repository on this machine.
#[derive(Debug, clap::Args)]
pub(crate) struct Where {
    /// The repository's folder
    #[arg(long, value_name = "FOLDER")]
    path: PathBuf,
    /// The folder of ledgers; no node's account may write there
    #[arg(long, value_name = "FOLDER")]
    state: PathBuf,
}

/// What the target's own side does.
#[derive(Debug, clap::Subcommand)]
pub(crate) enum Verb {
    /// The role: note when backups came, once a minute, and compare objects with their names, all of them in a day
    Watch {
        /// The folder in which each folder is a repository
        #[arg(long, value_name = "FOLDER")]
        root: PathBuf,
        /// The folder of ledgers
        #[arg(long, value_name = "FOLDER")]
        state: PathBuf,
    },
    /// What is kept and why, and what would expire; needs no key
    Plan {
        #[command(flatten)]
        at: Where,
        #[command(flatten)]
        policy: PolicyArgs,
    },
    /// Remove what expired, and packs that nothing has used for two days; the key comes on standard input
    Expire {
        #[command(flatten)]
        at: Where,
        #[command(flatten)]
        policy: PolicyArgs,
    },
    /// Look whether it is whole; with --names no key is needed, else it comes on standard input
    Check {
        #[command(flatten)]
        at: Where,
        /// Compare every object with its name, and nothing else
        #[arg(long)]
        names: bool,
        /// Read a share of the packs, such as 3/7: seven checks in a row read everything
        #[arg(long, value_name = "TURN/OF", value_parser = share)]
        share: Option<Share>,
    },
    /// Purge backups before their time by a signed order; the key comes on standard input
    Purge {
        #[command(flatten)]
        at: Where,
        /// The order (JSON)
        #[arg(long, value_name = "FILE")]
        order: PathBuf,
        /// Who signed it (JSON)
        #[arg(long, value_name = "FILE")]
        approvals: PathBuf,
        /// Public keys of members of staff, base64, one a line
        #[arg(long, value_name = "FILE")]
        staff: PathBuf,
    },
    /// Put a legal hold on a backup, or on all there are
    Hold {
        #[command(flatten)]
        at: Where,
        /// The backup; all of them without it
        backup: Option<Id>,
    },
    /// Let nothing of a repository be touched, or end that
    Seal {
        #[command(flatten)]
        at: Where,
        /// End it
        #[arg(long)]
        end: bool,
    },
    /// Note the last backup that a proof found good: expiry never takes it
    Proven {
        #[command(flatten)]
        at: Where,
        /// The backup
        backup: Id,
    },
}

/// How much is kept.
#[derive(Debug, clap::Args)]
pub(crate) struct PolicyArgs {
    /// Hours of which everything is kept
    #[arg(long, default_value_t = Policy::default().hours_all)]
    hours: u16,
    /// Days of which the first few are kept
    #[arg(long, default_value_t = Policy::default().days)]
    days: u16,
    /// Backups of one day that are kept beyond the hours
    #[arg(long, default_value_t = Policy::default().per_day_max)]
    per_day: u16,
    /// Weeks of which the first is kept
    #[arg(long, default_value_t = Policy::default().weeks)]
    weeks: u16,
    /// Months of which the first is kept
    #[arg(long, default_value_t = Policy::default().months)]
    months: u16,
}

impl PolicyArgs {
    fn policy(&self) -> Policy {
        Policy {
            hours_all: self.hours,
            days: self.days,
            per_day_max: self.per_day,
            weeks: self.weeks,
            months: self.months,
        }
    }
}

fn share(text: &str) -> Result<Share, String> {
    let parts = text.split_once('/').and_then(|(turn, of)| Some((turn.parse::<u8>().ok()?, of.parse::<u8>().ok()?)));
    match parts {
        Some((turn, of)) if turn >= 1 && turn <= of => Ok(Share::Part { turn: turn - 1, of }),
        _ => Err("a share is such as 3/7: turn 3 of 7".to_owned()),
    }
}

impl Where {
    fn ledger(&self) -> Result<PathBuf> {
        let name = self.path.file_name().context("a repository is a folder with a name")?;
        Ok(self.state.join(name).with_added_extension("json"))
    }

    fn target(&self) -> Local {
        Local::new(&self.path, Arc::new(Pace::free()))
    }

    fn open(&self) -> Result<Repository> {
        let mut password = String::new();
        stdin().take(FILE_BYTES_MAX).read_to_string(&mut password).context("reading the key from standard input")?;
        let password = Secret::new(password.trim());
        ensure!(
            !password.reveal().is_empty(),
            "the repository's key is expected on standard input, as restic's password"
        );
        Ok(Repository::open_with_password(Box::new(self.target()), &password)?)
    }

    /// Notes what is there, and gives the ledger with the time and what is gone.
    fn note(&self) -> Result<(Ledger, Timestamp, Vec<Id>)> {
        let mut ledger = Ledger::load(&self.ledger()?)?;
        let now = ledger.now(Timestamp::now());
        let gone = ledger.note(&Keeper::new(&self.path).backups()?, now);
        ledger.save(&self.ledger()?)?;
        Ok((ledger, now, gone))
    }

    fn plan(&self, policy: &PolicyArgs) -> Result<(Ledger, Timestamp, Plan)> {
        let (ledger, now, gone) = self.note()?;
        let seen = ledger.received.iter().filter_map(|(id, received)| {
            let parsed: Id = id.parse().ok()?;
            (!gone.contains(&parsed)).then(|| Seen { id: parsed, received: *received, held: ledger.held.contains(id) })
        });
        let proven = ledger.proven.as_ref().and_then(|id| id.parse().ok());
        let plan = expire(&seen.collect::<Vec<_>>(), &policy.policy(), now, proven, ledger.sealed);
        Ok((ledger, now, plan))
    }
}

impl Verb {
    #[allow(clippy::print_stdout, reason = "a command prints what it found")]
    pub(crate) fn run(self) -> Result<ExitCode> {
        // What is written here is this account's alone.
        umask(Mode::from_bits_truncate(0o077));
        match self {
            Self::Watch { root, state } => watch(&root, &state),
            Self::Plan { at, policy } => {
                let (ledger, _, plan) = at.plan(&policy)?;
                for kept in &plan.keep {
                    println!("keep   {} {} {:?}", kept.id.short(), received(&ledger, &kept.id), kept.reason);
                }
                for id in &plan.expire {
                    println!("expire {} {}", id.short(), received(&ledger, id));
                }
                Ok(ExitCode::SUCCESS)
            }
            Self::Expire { at, policy } => {
                let repository = at.open()?;
                let (ledger, now, plan) = at.plan(&policy)?;
                prune(&at, &repository, ledger, now, &plan.expire)
            }
            Self::Check { at, names, share } => {
                let (_, _, gone) = at.note()?;
                for id in &gone {
                    println!("ledger: backup {} was there and is gone", id.short());
                }
                let checked = if names {
                    check_names(&at.target(), Share::All)?
                } else {
                    at.open()?.check(share.unwrap_or(Share::All))?
                };
                tell(&checked);
                let whole = gone.is_empty() && checked.findings.is_empty();
                Ok(if whole { ExitCode::SUCCESS } else { ExitCode::FAILURE })
            }
            Self::Purge { at, order, approvals, staff } => {
                let repository = at.open()?;
                let (mut ledger, now, _) = at.note()?;
                let text = read(&order)?;
                let approvals: Vec<Approval> =
                    serde_json::from_slice(&read(&approvals)?).context("reading approvals")?;
                let staff = Staff::parse(&String::from_utf8(read(&staff)?).context("keys are text")?)
                    .context("a key of staff is 32 bytes in base64, one a line")?;
                let first_seen = *ledger.orders.entry(Id::of(&text).to_string()).or_insert(now);
                ledger.save(&at.ledger()?)?;
                let held = |id: &Id| ledger.held.contains(&id.to_string());
                let standing = Standing { repository: repository.id(), held: &held, sealed: ledger.sealed };
                let order = Order::judge(&text, &approvals, &staff, &standing, (first_seen, now))?;
                prune(&at, &repository, ledger, now, &order.snapshots)
            }
            Self::Hold { at, backup } => change(&at, |ledger| match backup {
                Some(id) => drop(ledger.held.insert(id.to_string())),
                None => ledger.held.extend(ledger.received.keys().cloned().collect::<Vec<_>>()),
            }),
            Self::Seal { at, end } => change(&at, |ledger| ledger.sealed = !end),
            Self::Proven { at, backup } => {
                let (ledger, ..) = at.note()?;
                if !ledger.received.contains_key(&backup.to_string()) {
                    bail!("backup {} is not here", backup.short());
                }
                change(&at, |ledger| ledger.proven = Some(backup.to_string()))
            }
        }
    }
}

fn change(at: &Where, what: impl FnOnce(&mut Ledger)) -> Result<ExitCode> {
    let (mut ledger, ..) = at.note()?;
    what(&mut ledger);
    ledger.save(&at.ledger()?)?;
    Ok(ExitCode::SUCCESS)
}

#[allow(clippy::print_stdout, reason = "a command prints what it did")]
fn prune(at: &Where, repository: &Repository, mut ledger: Ledger, now: Timestamp, expired: &[Id]) -> Result<ExitCode> {
    let pruned = Keeper::new(&at.path).prune(repository, expired, &mut ledger, now);
    // What was done up to a fault is remembered too.
    ledger.save(&at.ledger()?)?;
    let pruned = pruned?;
    println!(
        "{} backups removed; {} packs with {} bytes removed, {} rewritten, {} wait for their two days; {} leftovers tidied",
        pruned.snapshots, pruned.packs, pruned.bytes, pruned.repacked, pruned.waiting, pruned.leftovers
    );
    Ok(ExitCode::SUCCESS)
}

#[allow(clippy::print_stdout, reason = "a command prints what it found")]
fn tell(checked: &Checked) {
    for finding in &checked.findings {
        println!("{}: {}: {}", finding.look, finding.place, finding.what);
    }
    println!(
        "{} findings; {} packs with {} bytes read; {} backups whole; {} leftovers",
        checked.findings.len(),
        checked.packs_read,
        checked.bytes_read,
        checked.snapshots.len(),
        checked.leftovers
    );
}

fn received(ledger: &Ledger, id: &Id) -> String {
    ledger.received.get(&id.to_string()).map(ToString::to_string).unwrap_or_default()
}

fn read(path: &Path) -> Result<Vec<u8>> {
    let mut bytes = Vec::new();
    let file = fs::File::open(path).with_context(|| format!("opening {}", path.display()))?;
    file.take(FILE_BYTES_MAX).read_to_end(&mut bytes).with_context(|| format!("reading {}", path.display()))?;
    Ok(bytes)
}

/// Looks at every repository once a minute, until an end is asked for. One that can't be read does not keep from the others.
fn watch(root: &Path, state: &Path) -> Result<ExitCode> {
    fs::create_dir_all(state).with_context(|| format!("making {}", state.display()))?;
    for turn in (0_u32..).map(|look| look % LOOKS_A_ROUND) {
        let entries = fs::read_dir(root).with_context(|| format!("listing {}", root.display()))?;
        for path in entries.flatten().map(|entry| entry.path()).filter(|path| path.join("config").is_file()) {
            let at = Where { path, state: state.to_owned() };
            if let Err(error) = look(&at, turn) {
                tracing::error!(repository = %at.path.display(), "{error:#}");
            }
        }
        thread::sleep(LOOK);
    }
    Ok(ExitCode::SUCCESS)
}

fn look(at: &Where, turn: u32) -> Result<()> {
    for id in at.note()?.2 {
        tracing::error!(repository = %at.path.display(), backup = %id, "a backup was here and is gone");
    }
    // 240 shares in a day's looks, so each has its turn once in six.
    if turn.is_multiple_of(6) {
        let share = Share::Part { turn: u8::try_from(turn / 6).unwrap_or(0), of: 240 };
        for finding in check_names(&at.target() as &dyn Target, share)?.findings {
            tracing::error!(repository = %at.path.display(), place = %finding.place, "{}", finding.what);
        }
    }
    Ok(())
}
