//! Exports: leaves with what is visible of them, checkpoints and proofs for the verifier, or a table for people. Written a
//! batch at a time, each read in a transaction of its own: the tree only grows, so they fit together.

use crate::app::App;
use crate::caller::Caller;
use crate::fault::Fault;
use crate::store::evidence::{Asked, Order};
use crate::store::{self, log};
use bytes::Bytes;
use husorden_evidence::export::{Consistency, ExportedLeaf, Header, Record, VERSION};
use husorden_evidence::leaf::{self, Opened};
use husorden_evidence::{TileId, proof, tree};
use jiff::Timestamp;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use tokio::sync::mpsc;
use uuid::Uuid;

/// Leaves in one batch.
const BATCH: i64 = 500;
/// Checkpoints that go with an account's export, each with a proof; the newest are those that are asked about.
const CHECKPOINTS_MAX: i64 = 2_000;

/// Where the bytes go. A reader who has gone ends the export.
pub(crate) type Sink = mpsc::Sender<Result<Bytes, std::io::Error>>;

/// Why an export ended early.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ExportError {
    #[error(transparent)]
    Fault(#[from] Fault),
    #[error(transparent)]
    Load(#[from] log::LoadError),
    #[error("the reader has gone")]
    Gone,
}

impl From<sqlx::Error> for ExportError {
    fn from(error: sqlx::Error) -> Self {
        Self::Fault(error.into())
    }
}

async fn write(sink: &Sink, text: String) -> Result<(), ExportError> {
    sink.send(Ok(Bytes::from(text))).await.map_err(|_| ExportError::Gone)
}

fn record(text: &mut String, record: &Record) {
    // Our own records always are JSON.
    text.push_str(&serde_json::to_string(record).unwrap_or_default());
    text.push('\n');
}

/// The export for the verifier: of one account, or of every leaf there is.
pub(crate) async fn records(app: &App, caller: &Caller, account: Option<Uuid>, sink: &Sink) -> Result<(), ExportError> {
    let mut tx = caller.read(app).await?;
    let (origin, whole) = log::tree(tx.conn()).await?;
    let limit = if account.is_some() { CHECKPOINTS_MAX } else { i64::MAX };
    let checkpoints = log::checkpoints(tx.conn(), None, limit).await?;
    // The proofs lead to what is signed. What came after is in the next export.
    let size = checkpoints.first().map_or(whole, |newest| newest.size);
    let keys = log::keys(tx.conn()).await?;
    let mut text = String::new();
    record(
        &mut text,
        &Record::Header(Header { version: VERSION, origin, keys, made: Timestamp::now(), size, account }),
    );
    for checkpoint in &checkpoints {
        record(&mut text, &Record::Checkpoint(checkpoint.note.clone()));
    }
    if account.is_some() {
        let sizes: BTreeSet<u64> =
            checkpoints.iter().map(|checkpoint| checkpoint.size).filter(|from| *from < size).collect();
        for from in sizes {
            let ranges = proof::consistency(from, size);
            let proof =
                log::tiles(tx.conn(), &tiles_of(&ranges)).await?.hashes(&ranges).map_err(log::LoadError::from)?;
            record(&mut text, &Record::Consistency(Consistency { from, proof }));
        }
    }
    drop(tx);
    write(sink, text).await?;

    let (mut from, mut leaves) = (0, 0);
    while from < size {
        let mut tx = caller.read(app).await?;
        let rows = log::exported(tx.conn(), account, (from, size), BATCH).await?;
        let Some(last) = rows.last() else { break };
        from = last.index + 1;
        let paths: Vec<Vec<tree::Range>> = match account {
            Some(_) => rows.iter().map(|row| proof::inclusion(row.index, size)).collect(),
            None => vec![Vec::new(); rows.len()],
        };
        let tiles = log::tiles(tx.conn(), &tiles_of(&paths.concat())).await?;
        drop(tx);
        let mut text = String::new();
        for (row, path) in rows.into_iter().zip(paths) {
            let proof = tiles.hashes(&path).map_err(log::LoadError::from)?;
            record(&mut text, &Record::Leaf(Box::new(exported(row, proof))));
            leaves += 1;
        }
        write(sink, text).await?;
    }
    let mut text = String::new();
    record(&mut text, &Record::End { leaves });
    write(sink, text).await
}

fn tiles_of(ranges: &[tree::Range]) -> BTreeSet<TileId> {
    let mut tiles = BTreeSet::new();
    ranges.iter().for_each(|range| tree::tiles_of(*range, &mut tiles));
    tiles
}

fn exported(row: log::OpenedRow, proof: Vec<husorden_evidence::Hash>) -> ExportedLeaf {
    let body: Value = serde_json::from_str(&row.body).unwrap_or_default();
    let (mut open, mut erased) = (BTreeMap::new(), BTreeMap::new());
    for (path, _) in leaf::hidden(&body) {
        if let Some(said) = row.erased.get(&path) {
            erased.insert(path, said.clone());
        } else if let Some((salt, value)) = row.salts.get(&path).zip(row.value(&path)) {
            open.insert(path, Opened { salt: salt.clone(), value: value.clone() });
        }
    }
    ExportedLeaf { index: row.index, body, open, erased, proof }
}

/// The export for people: a table that a spreadsheet opens.
pub(crate) async fn table(app: &App, caller: &Caller, account: Option<Uuid>, sink: &Sink) -> Result<(), ExportError> {
    write(sink, "\u{feff}number,begun,ended,who,act,account,solution,node,before,after,erased\r\n".to_owned()).await?;
    let mut asked = Asked { account, order: Order::Oldest, limit: BATCH, ..Asked::default() };
    loop {
        let mut tx = caller.read(app).await?;
        let rows = store::evidence::list(tx.conn(), &asked).await?;
        drop(tx);
        let Some(last) = rows.last() else { return Ok(()) };
        asked.after = Some(last.id);
        let mut text = String::new();
        for row in rows {
            let erased: Vec<String> = row.erased.iter().map(|(path, by)| format!("{path}: {by}")).collect();
            let cells = [
                row.id.to_string(),
                row.begun.to_string(),
                row.ended.map(|at| at.to_string()).unwrap_or_default(),
                row.who,
                row.act,
                row.account.unwrap_or_default(),
                row.solution.unwrap_or_default(),
                row.node.unwrap_or_default(),
                row.before.to_string(),
                row.after.map(|after| after.to_string()).unwrap_or_default(),
                erased.join("; "),
            ];
            text.push_str(&cells.map(|cell| cell_of(&cell)).join(","));
            text.push_str("\r\n");
        }
        write(sink, text).await?;
    }
}

/// A cell of RFC 4180. What a spreadsheet would take for a formula is made a text.
fn cell_of(text: &str) -> String {
    let formula = text.starts_with(['=', '+', '-', '@', '\t', '\r']);
    let text = if formula { format!("'{text}") } else { text.to_owned() };
    if text.contains([',', '"', '\n', '\r']) { format!("\"{}\"", text.replace('"', "\"\"")) } else { text }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cells_are_texts() {
        for (text, cell) in [
            ("plain", "plain"),
            ("a,b", "\"a,b\""),
            (r#"{"a":1}"#, r#""{""a"":1}""#),
            ("=1+1", "'=1+1"),
            ("@x\ny", "\"'@x\ny\""),
            ("", ""),
        ] {
            assert_eq!(cell_of(text), cell);
        }
    }
}
