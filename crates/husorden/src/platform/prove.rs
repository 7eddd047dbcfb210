//! The proof of the platform's own backup: fetched from the target, its vault opened, its database brought to the point that was named when it
//! was written, without a network and under a uid that owns nothing else, and counted.

use super::child::{Child, Passes};
use super::role::Keeper;
use super::{BASE, HOME, LOG, NOTED, files};
use crate::place::Place;
use crate::progress::told;
use anyhow::{Context, Result, ensure};
use husorden_control::embedded::{self, copying};
use husorden_control::platform::{Noted, Proven, compare, found};
use husorden_vault::Store;
use jiff::Timestamp;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Instant;

/// Where the copy is opened.
fn bench(place: &Place) -> PathBuf {
    place.platform().join("proof")
}

/// Where the copy of the vault is opened, by root alone.
fn vault_bench(place: &Place) -> PathBuf {
    place.secrets().join("proof")
}

/// Folder of the copy's socket.
fn socket_dir(place: &Place) -> PathBuf {
    place.run.join("proof")
}

/// Takes away what a proof left.
pub(super) fn clear(place: &Place) {
    for path in [bench(place), vault_bench(place), socket_dir(place)] {
        if let Err(error) = fs::remove_dir_all(&path)
            && error.kind() != std::io::ErrorKind::NotFound
        {
            tracing::warn!(%error, path = %path.display(), "what a proof left could not be taken away");
        }
    }
}

/// Proves the newest backup at the target. An error says that it could not be done, and nothing of the backup.
pub(super) fn prove(keeper: &Keeper) -> Result<Proven> {
    clear(&keeper.place);
    let mut proven = Proven::default();
    let outcome = all(keeper, &mut proven);
    proven.at = Timestamp::now();
    match outcome {
        Ok(()) => Ok(proven),
        // The target is away: nothing is known.
        Err(error) if error.chain().any(|cause| cause.is::<Passes>()) || proven.copy.is_empty() => Err(error),
        Err(error) => {
            proven.wrong.push(told(&error));
            Ok(proven)
        }
    }
}

fn all(keeper: &Keeper, proven: &mut Proven) -> Result<()> {
    let (place, bench) = (&keeper.place, bench(&keeper.place));
    let mut step = Instant::now();
    let mut done = |proven: &mut Proven, what: &str| {
        proven.steps.push((what.to_owned(), u64::try_from(step.elapsed().as_millis()).unwrap_or(u64::MAX)));
        step = Instant::now();
    };
    // A child of its own: what is read comes from the target, and not from what the writer remembers.
    let mut child = Child::open(keeper.opening(false)?)?;
    let newest = child.list()?.into_iter().next().context("the target has no backup of the platform")?;
    proven.copy.clone_from(&newest.copy);
    let wrong = child.check()?;
    ensure!(wrong.is_empty(), "the repository is not whole: {}", wrong.join("; "));
    done(proven, "the repository opens and is whole");
    files::own_folder(&bench, keeper.own)?;
    let (count, bytes) = child.restore(&newest.copy, bench.clone())?;
    drop(child);
    done(proven, &format!("{count} files, {bytes} bytes, restored from the target"));
    let keys = vault(place, &bench)?;
    done(proven, &format!("the vault opens, with {keys} keys and secrets"));
    let noted: Noted = serde_json::from_slice(&fs::read(bench.join(NOTED)).context("reading what was noted")?)
        .context("what was noted does not read")?;
    let home = bench.join("db");
    files::own_folder(&home, keeper.own)?;
    fs::rename(bench.join(BASE), home.join("data")).context("taking the base out of the backup")?;
    let copy = embedded::Place {
        home,
        run: socket_dir(place),
        uid: keeper.own.uid.as_raw(),
        gid: keeper.own.gid.as_raw(),
        control_users: Vec::new(),
        copy_users: Vec::new(),
        durable: true,
    };
    let until = copying::Until::Point(noted.point.clone());
    let held = keeper.runtime.block_on(async {
        let copy = copying::recover(copy, &bench.join(LOG), &until).await?;
        done(proven, "the database is up, without a network, at the point that was named");
        let held = found(&husorden_control::Database::at(copy.socket_dir())).await;
        drop(copy);
        anyhow::Ok(held?)
    })?;
    proven.rows = held.rows.values().sum();
    proven.leaves = held.leaves;
    proven.wrong = compare(&noted, &held);
    done(proven, "its tables were counted, its evidence was hashed and held against its checkpoint");
    Ok(())
}

/// Opens the vault as it was backed up, with the key that is here and not in the backup: the recovery key would bring the same.
fn vault(place: &Place, bench: &Path) -> Result<u64> {
    let (from, to) = (bench.join(HOME).join("vault"), vault_bench(place));
    ensure!(from.join("vault.key.age").exists(), "the backup has no vault key that is written for the recovery key");
    ensure!(!from.join("vault.key").exists(), "the backup has the vault's key in clear");
    files::own_folder(&to, files::root())?;
    copy_tree(&from, &to)?;
    let key = fs::read(place.home.join("vault/vault.key")).context("reading the vault's key")?;
    files::put(&to.join("vault.key"), &key, files::root())?;
    let opened = Store::open(&to, 1).and_then(|store| store.verify()).context("opening the vault that was backed up");
    fs::remove_dir_all(&to).context("taking the vault's copy away")?;
    opened
}

fn copy_tree(from: &Path, to: &Path) -> Result<()> {
    for entry in fs::read_dir(from).with_context(|| format!("reading {}", from.display()))? {
        let entry = entry?;
        let into = to.join(entry.file_name());
        if entry.file_type()?.is_dir() {
            files::own_folder(&into, files::root())?;
            copy_tree(&entry.path(), &into)?;
        } else {
            files::put(&into, &fs::read(entry.path())?, files::root())?;
        }
    }
    Ok(())
}
