//! Sequencing: what was committed becomes leaves of the tree, in batches, by one control at a time.

use crate::app::App;
use crate::store::log::{self, Added, LoadError};
use husorden_evidence::tree::edge;
use husorden_evidence::{Hash, Leaf};
use std::collections::BTreeSet;
use std::time::{Duration, Instant};

/// Halves of lines added at once.
const BATCH: i32 = 1_000;
/// What else is committed within this time goes into the same batch.
const GATHER: Duration = Duration::from_millis(25);
const LOOK_AGAIN: Duration = Duration::from_secs(2);
/// How long a signature waits for another control that adds to the tree.
const DRAIN_WAIT: Duration = Duration::from_secs(20);

/// Adds for ever.
pub(super) async fn work(app: App) {
    let mut changes = app.changes();
    loop {
        changes.mark_unchanged();
        match round(&app).await {
            Ok(Round::Full) => continue,
            Ok(Round::Some | Round::Busy) => {}
            Err(error) => {
                tracing::warn!(%error, "evidence could not be put into the tree");
                tokio::time::sleep(LOOK_AGAIN).await;
            }
        }
        tokio::select! {
            changed = changes.changed() => if changed.is_err() { return },
            () = tokio::time::sleep(LOOK_AGAIN) => {}
        }
        tokio::time::sleep(GATHER).await;
    }
}

/// Adds until what was there is in the tree.
pub(super) async fn drain(app: &App) -> Result<(), LoadError> {
    let begun = Instant::now();
    loop {
        match round(app).await? {
            Round::Some => return Ok(()),
            Round::Full => {}
            Round::Busy if begun.elapsed() > DRAIN_WAIT => return Err(LoadError::Busy),
            Round::Busy => tokio::time::sleep(Duration::from_millis(50)).await,
        }
    }
}

enum Round {
    /// Another control is at it.
    Busy,
    /// There may be more.
    Full,
    /// That was all.
    Some,
}

async fn round(app: &App) -> Result<Round, LoadError> {
    let mut tx = app.doors().system().begin().await?;
    let Some(taken) = log::take(&mut tx, BATCH).await? else { return Ok(Round::Busy) };
    if taken.lines.is_empty() {
        return Ok(Round::Some);
    }
    let mut tiles = log::tiles(&mut *tx, &edge(taken.size)).await?;
    let mut written = BTreeSet::new();
    let mut added = Added { from: taken.size, ..Added::default() };
    let mut size = taken.size;
    for line in &taken.lines {
        let leaf = Leaf::seal(&line.line, salt);
        tiles.append(size, Hash::leaf(leaf.body.as_bytes()), &mut written);
        size += 1;
        added.pending.push(line.pending);
        added.bodies.push(leaf.body);
        added.salts.push(serde_json::to_string(&leaf.salts).unwrap_or_default());
    }
    added.root = tiles.hash((0, size))?;
    for id in written {
        added.tiles.push((id, tiles.get(id).unwrap_or_default().to_vec()));
    }
    log::append(&mut tx, &added).await?;
    tx.commit().await?;
    Ok(if taken.lines.len() < usize::try_from(BATCH).unwrap_or(usize::MAX) { Round::Some } else { Round::Full })
}

fn salt() -> [u8; 16] {
    let mut salt = [0; 16];
    getrandom::fill(&mut salt).expect("the kernel gives random numbers");
    salt
}
