//! `husorden repository`: the target's own side, run there with the target's own account. It needs no other role, and by itself no network.
//!
//! `watch` is the role that runs always: it notes when each backup was first seen, and compares objects with their names. With an address of control it
//! tells there what went and hears what must stay. What needs a repository's key by hand reads it from standard input, as restic's password, and
//! forgets it when it ends.

mod place;
mod round;

use anyhow::{Context, Result, bail};
use husorden_backup::keeper::{Approval, Ledger, Order, OrderRefused, Policy, Purge, Staff, Standing};
use husorden_backup::{Checked, Id, Repository, Share, check_names};
use husorden_cli::Globals;
use husorden_wire::node::OF_LOG;
use nix::sys::stat::{Mode, umask};
use place::{Book, BucketArgs, Where, read};
use round::{Control, ControlArgs};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;
use std::{fs, thread};

/// Seconds between two looks of the role.
const LOOK: Duration = Duration::from_secs(60);
/// Looks in which everything has been compared with its name once: a day.
const LOOKS_A_ROUND: u32 = 24 * 60;
/// Looks between two rounds with control: an hour.
const LOOKS_BETWEEN: u32 = 60;

/// What the target's own side does.
#[derive(Debug, clap::Subcommand)]
pub(crate) enum Verb {
    /// The role: note when backups came, once a minute, compare objects with their names, all of them in a day, and with --target a round each hour
    Watch {
        #[command(flatten)]
        all: All,
        #[command(flatten)]
        control: ControlArgs,
        #[command(flatten)]
        policy: PolicyArgs,
    },
    /// One round over all repositories: tell control what went, hear what must stay, and with --expire remove what expired
    Round {
        #[command(flatten)]
        all: All,
        #[command(flatten)]
        control: ControlArgs,
        #[command(flatten)]
        policy: PolicyArgs,
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

/// All repositories of a place.
#[derive(Debug, clap::Args)]
pub(crate) struct All {
    /// The folder in which each folder is a repository; with --s3 the folder in the bucket, or none for its top
    #[arg(long, value_name = "FOLDER", required_unless_present = "s3")]
    root: Option<PathBuf>,
    /// The folder of ledgers; no node's account may write there
    #[arg(long, value_name = "FOLDER")]
    state: PathBuf,
    #[command(flatten)]
    bucket: BucketArgs,
}

impl All {
    fn repositories(&self) -> Result<Vec<Where>> {
        let root = self.root.clone().unwrap_or_default();
        let at = |path| Where { path, state: self.state.clone(), bucket: self.bucket.clone() };
        Ok(self.bucket.repositories(&root)?.into_iter().map(at).collect())
    }
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
    /// A log's repository, which its name tells, has a policy of its own unless another one was asked for.
    fn policy(&self, repository: &Path) -> Policy {
        let asked = Policy {
            hours_all: self.hours,
            days: self.days,
            per_day_max: self.per_day,
            weeks: self.weeks,
            months: self.months,
        };
        let of_log = repository.file_stem().is_some_and(|name| name.to_string_lossy().ends_with(OF_LOG));
        if of_log && asked == Policy::default() { Policy::of_log() } else { asked }
    }
}

fn share(text: &str) -> Result<Share, String> {
    let parts = text.split_once('/').and_then(|(turn, of)| Some((turn.parse::<u8>().ok()?, of.parse::<u8>().ok()?)));
    match parts {
        Some((turn, of)) if turn >= 1 && turn <= of => Ok(Share::Part { turn: turn - 1, of }),
        _ => Err("a share is such as 3/7: turn 3 of 7".to_owned()),
    }
}

impl Verb {
    #[allow(clippy::print_stdout, reason = "a command prints what it found")]
    pub(crate) fn run(self, globals: &Globals) -> Result<ExitCode> {
        // What is written here is this account's alone.
        umask(Mode::from_bits_truncate(0o077));
        match self {
            Self::Watch { all, control, policy } => watch(&all, control.open(globals)?.as_ref(), &policy),
            Self::Round { all, control, policy } => {
                let control = control
                    .open(globals)?
                    .context("a round is one with control: give --target, --api and --token-file")?;
                let mut whole = true;
                let mut tell = |name: &str, came: Result<String>| match came {
                    Ok(said) => println!("{name}: {said}"),
                    Err(error) => {
                        whole = false;
                        println!("{name}: {error:#}");
                    }
                };
                round::all(&all, &control, &policy, &mut tell)?;
                Ok(if whole { ExitCode::SUCCESS } else { ExitCode::FAILURE })
            }
            Self::Plan { at, policy } => {
                let book = at.note()?;
                let plan = book.plan(&policy);
                for kept in &plan.keep {
                    println!("keep   {} {} {:?}", kept.id.short(), received(&book.ledger, &kept.id), kept.reason);
                }
                for id in &plan.expire {
                    println!("expire {} {}", id.short(), received(&book.ledger, id));
                }
                Ok(ExitCode::SUCCESS)
            }
            Self::Expire { at, policy } => {
                let repository = at.open()?;
                let mut book = at.note()?;
                let expired = book.plan(&policy).expire;
                println!("{}", prune(&at, &repository, &mut book, &expired, None)?);
                Ok(ExitCode::SUCCESS)
            }
            Self::Check { at, names, share } => {
                let gone = at.note()?.missing;
                for id in &gone {
                    println!("ledger: backup {} was there and is gone", id.short());
                }
                let checked = if names {
                    check_names(at.side()?.as_ref(), Share::All)?
                } else {
                    at.open()?.check(share.unwrap_or(Share::All))?
                };
                tell(&checked);
                let whole = gone.is_empty() && checked.findings.is_empty();
                Ok(if whole { ExitCode::SUCCESS } else { ExitCode::FAILURE })
            }
            Self::Purge { at, order, approvals, staff } => {
                let repository = at.open()?;
                let mut book = at.note()?;
                let text = read(&order)?;
                let approvals: Vec<Approval> =
                    serde_json::from_slice(&read(&approvals)?).context("reading approvals")?;
                let staff = Staff::parse(&String::from_utf8(read(&staff)?).context("keys are text")?)
                    .context("a key of staff is 32 bytes in base64, one a line")?;
                let hash = Id::of(&text).to_string();
                let seen = *book.ledger.orders.entry(hash.clone()).or_insert(book.now);
                book.save()?;
                let held = book.ledger.held.clone();
                let held = |id: &Id| held.contains(&id.to_string());
                let standing = Standing { repository: repository.id(), held: &held, sealed: book.ledger.is_sealed() };
                let judged = Order::judge(&text, &approvals, &staff, &standing, (seen, book.now));
                let signers = Order::signers(&text, &approvals, &staff).into_iter().collect();
                let of = |reason: String| Purge { order: hash, reason, signers, seen };
                match judged {
                    Ok(order) => {
                        let purge = of(order.reason);
                        println!("{}", prune(&at, &repository, &mut book, &order.snapshots, Some(&purge))?);
                        Ok(ExitCode::SUCCESS)
                    }
                    Err(refused) => {
                        if let (OrderRefused::Waits(_), Ok(order)) = (refused, serde_json::from_slice::<Order>(&text)) {
                            book.ledger.waiting.push(of(order.reason));
                            book.save()?;
                        }
                        Err(refused.into())
                    }
                }
            }
            Self::Hold { at, backup } => change(&at, |ledger| match backup {
                Some(id) => drop(ledger.held.insert(id.to_string())),
                None => ledger.held.extend(ledger.received.keys().cloned().collect::<Vec<_>>()),
            }),
            Self::Seal { at, end } => change(&at, |ledger| ledger.sealed = !end),
            Self::Proven { at, backup } => {
                if !at.note()?.ledger.received.contains_key(&backup.to_string()) {
                    bail!("backup {} is not here", backup.short());
                }
                change(&at, |ledger| ledger.proven = Some(backup.to_string()))
            }
        }
    }
}

fn change(at: &Where, what: impl FnOnce(&mut Ledger)) -> Result<ExitCode> {
    let mut book = at.note()?;
    what(&mut book.ledger);
    book.save()?;
    Ok(ExitCode::SUCCESS)
}

/// Removes, and says what was removed.
fn prune(
    at: &Where,
    repository: &Repository,
    book: &mut Book,
    expired: &[Id],
    purge: Option<&Purge>,
) -> Result<String> {
    let now = book.now;
    let pruned = at.keeper()?.prune(repository, expired, purge, &mut book.ledger, now);
    // What was done up to a fault is remembered too.
    book.save()?;
    let pruned = pruned?;
    Ok(format!(
        "{} backups removed; {} packs with {} bytes removed, {} rewritten, {} wait for their two days; {} leftovers tidied",
        pruned.snapshots, pruned.packs, pruned.bytes, pruned.repacked, pruned.waiting, pruned.leftovers
    ))
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

/// Looks at every repository once a minute, until an end is asked for. One that can't be read does not keep from the others, nor does control that is away.
fn watch(all: &All, control: Option<&Control>, policy: &PolicyArgs) -> Result<ExitCode> {
    fs::create_dir_all(&all.state).with_context(|| format!("making {}", all.state.display()))?;
    for turn in (0_u32..).map(|look| look % LOOKS_A_ROUND) {
        // Each look at a bucket is read and paid for: once an hour, and its objects are compared by `check` alone.
        let looks = all.bucket.s3.is_none() || turn.is_multiple_of(LOOKS_BETWEEN);
        for at in if looks { all.repositories()? } else { Vec::new() } {
            if let Err(error) = look(&at, turn) {
                tracing::error!(repository = %at.path.display(), "{error:#}");
            }
        }
        if let Some(control) = control.filter(|_| turn.is_multiple_of(LOOKS_BETWEEN)) {
            let mut tell = |name: &str, came: Result<String>| match came {
                Ok(said) => tracing::info!(repository = name, "{said}"),
                Err(error) => tracing::error!(repository = name, "{error:#}"),
            };
            round::all(all, control, policy, &mut tell)?;
        }
        thread::sleep(LOOK);
    }
    Ok(ExitCode::SUCCESS)
}

fn look(at: &Where, turn: u32) -> Result<()> {
    for id in at.note()?.missing {
        tracing::error!(repository = %at.path.display(), backup = %id, "a backup was here and is gone");
    }
    // 240 shares in a day's looks, so each has its turn once in six.
    if at.bucket.s3.is_none() && turn.is_multiple_of(6) {
        let share = Share::Part { turn: u8::try_from(turn / 6).unwrap_or(0), of: 240 };
        for finding in check_names(at.side()?.as_ref(), share)?.findings {
            tracing::error!(repository = %at.path.display(), place = %finding.place, "{}", finding.what);
        }
    }
    Ok(())
}
