//! The evidence log in the database: taking what is new, the tree's tiles, leaves with what is visible of them, checkpoints.

use super::{all, json, one};
use husorden_evidence::tree::{Missing, TileId, Tiles};
use husorden_evidence::{Checkpoint, Hash, Line};
use jiff::Timestamp;
use serde::Deserialize;
use serde_json::Value;
use sqlx::types::Json;
use sqlx::{PgConnection, PgExecutor, PgPool, Row};
use std::collections::{BTreeMap, BTreeSet};

/// Why the log could not be read or written.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// The database.
    #[error("database: {0}")]
    Database(#[from] sqlx::Error),
    /// A tile is not there.
    #[error("the tree of evidence is torn: {0}")]
    Torn(#[from] Missing),
    /// A hash does not read as one.
    #[error("a hash of the tree of evidence does not read")]
    Garbled,
    /// Another control holds the tree.
    #[error("another control adds to the tree and does not end")]
    Busy,
}

/// The tree as it is.
#[derive(Debug)]
pub(crate) struct Head {
    pub(crate) origin: String,
    pub(crate) size: u64,
    pub(crate) root: Hash,
}

/// What is to be added.
#[derive(Debug, Deserialize)]
pub(crate) struct Taken {
    pub(crate) size: u64,
    pub(crate) lines: Vec<TakenLine>,
}

#[derive(Debug, Deserialize)]
pub(crate) struct TakenLine {
    pub(crate) pending: i64,
    #[serde(flatten)]
    pub(crate) line: Line,
}

/// What was added.
#[derive(Debug)]
pub(crate) struct Added {
    pub(crate) from: u64,
    pub(crate) pending: Vec<i64>,
    pub(crate) bodies: Vec<String>,
    pub(crate) salts: Vec<String>,
    pub(crate) tiles: Vec<(TileId, Vec<Hash>)>,
    pub(crate) root: Hash,
}

impl Default for Added {
    fn default() -> Self {
        Self {
            from: 0,
            pending: Vec::new(),
            bodies: Vec::new(),
            salts: Vec::new(),
            tiles: Vec::new(),
            root: Hash::of(&[]),
        }
    }
}

/// A leaf with what is visible of its line.
#[derive(Debug, Deserialize)]
pub(crate) struct OpenedRow {
    pub(crate) index: u64,
    pub(crate) line: u64,
    pub(crate) body: String,
    pub(crate) salts: BTreeMap<String, String>,
    pub(crate) who: Value,
    pub(crate) before: Value,
    #[serde(default)]
    pub(crate) after: Value,
    pub(crate) erased: BTreeMap<String, String>,
}

impl OpenedRow {
    /// The value at a hidden field's path.
    pub(crate) fn value(&self, path: &str) -> Option<&Value> {
        husorden_evidence::leaf::value(path, &self.who, &self.before, &self.after)
    }
}

fn number(n: u64) -> i64 {
    i64::try_from(n).unwrap_or(i64::MAX)
}

pub(crate) async fn head<'e>(executor: impl PgExecutor<'e>) -> Result<Head, LoadError> {
    #[derive(Deserialize)]
    struct Row {
        origin: String,
        size: u64,
        root: Hash,
    }
    let row: Option<Row> = one(json("select evidence_head()"), executor).await?;
    let row = row.ok_or(sqlx::Error::RowNotFound)?;
    Ok(Head { origin: row.origin, size: row.size, root: row.root })
}

/// Takes what is new, in order; none when another control is at it.
pub(crate) async fn take(tx: &mut PgConnection, limit: i32) -> Result<Option<Taken>, LoadError> {
    let taken: Option<Json<Taken>> = sqlx::query_scalar("select evidence_take($1)").bind(limit).fetch_one(tx).await?;
    Ok(taken.map(|taken| taken.0))
}

/// Tiles as far as they are there.
pub(crate) async fn tiles<'e>(executor: impl PgExecutor<'e>, ids: &BTreeSet<TileId>) -> Result<Tiles, LoadError> {
    let mut tiles = Tiles::default();
    if ids.is_empty() {
        return Ok(tiles);
    }
    let levels: Vec<i16> = ids.iter().map(|id| id.level.into()).collect();
    let positions: Vec<i64> = ids.iter().map(|id| number(id.position)).collect();
    let rows = sqlx::query("select level, position, hashes from evidence_tiles($1, $2)")
        .bind(levels)
        .bind(positions)
        .fetch_all(executor)
        .await?;
    for row in rows {
        let (level, position): (i16, i64) = (row.try_get(0)?, row.try_get(1)?);
        let bytes: Vec<u8> = row.try_get(2)?;
        let hashes: Option<Vec<Hash>> = bytes.chunks(32).map(Hash::from_slice).collect();
        let id = TileId { level: u8::try_from(level).unwrap_or(u8::MAX), position: position.unsigned_abs() };
        tiles.put(id, hashes.ok_or(LoadError::Garbled)?);
    }
    Ok(tiles)
}

pub(crate) async fn append(tx: &mut PgConnection, added: &Added) -> Result<(), LoadError> {
    let levels: Vec<i16> = added.tiles.iter().map(|(id, _)| id.level.into()).collect();
    let positions: Vec<i64> = added.tiles.iter().map(|(id, _)| number(id.position)).collect();
    let hashes: Vec<Vec<u8>> =
        added.tiles.iter().map(|(_, tile)| tile.iter().flat_map(|hash| hash.0).collect()).collect();
    sqlx::query("select evidence_append($1, $2, $3, $4, $5, $6, $7, $8)")
        .bind(number(added.from))
        .bind(&added.pending)
        .bind(&added.bodies)
        .bind(&added.salts)
        .bind(levels)
        .bind(positions)
        .bind(hashes)
        .bind(added.root.0.to_vec())
        .execute(tx)
        .await?;
    Ok(())
}

/// Bodies of leaves in order, with their places.
pub(crate) async fn bodies(system: &PgPool, from: u64, to: u64, limit: i32) -> Result<Vec<(u64, String)>, LoadError> {
    let rows: Vec<(i64, String)> = sqlx::query_as("select index, body from evidence_bodies($1, $2, $3)")
        .bind(number(from))
        .bind(number(to))
        .bind(limit)
        .fetch_all(system)
        .await?;
    Ok(rows.into_iter().map(|(index, body)| (index.unsigned_abs(), body)).collect())
}

pub(crate) async fn opened(system: &PgPool, from: u64, to: u64, limit: i32) -> Result<Vec<OpenedRow>, LoadError> {
    let query = json("select evidence_opened($1, $2, $3)").bind(number(from)).bind(number(to)).bind(limit);
    Ok(all(query, system).await?)
}

/// Writes down a public key; says whether it is new.
pub(crate) async fn keep_key(system: &PgPool, key: &str) -> Result<bool, LoadError> {
    Ok(sqlx::query_scalar("select evidence_key_keep($1)").bind(key).fetch_one(system).await?)
}

pub(crate) async fn keep_checkpoint(
    system: &PgPool,
    checkpoint: &Checkpoint,
    key: &str,
    note: &str,
) -> Result<(), LoadError> {
    sqlx::query("select evidence_checkpoint_keep($1, $2, $3::timestamptz, $4)")
        .bind(number(checkpoint.size))
        .bind(key)
        .bind(checkpoint.at.to_string())
        .bind(note)
        .execute(system)
        .await?;
    Ok(())
}

/// Something is wrong with the log, or is well again.
pub(crate) async fn alarm(system: &PgPool, act: &str, detail: &Value) -> Result<(), LoadError> {
    sqlx::query("select evidence_alarm($1, $2)").bind(act).bind(Json(detail)).execute(system).await?;
    Ok(())
}

/// From which leaf up to which a class is to be erased.
pub(crate) async fn to_erase(system: &PgPool, class: &str, days: u16) -> Result<(u64, u64), LoadError> {
    #[derive(Deserialize)]
    struct Due {
        from: u64,
        to: u64,
    }
    let due: Option<Due> =
        one(json("select evidence_to_erase($1, $2)").bind(class.to_owned()).bind(i32::from(days)), system).await?;
    Ok(due.map_or((0, 0), |due| (due.from, due.to)))
}

pub(crate) async fn erase(
    system: &PgPool,
    class: &str,
    through: u64,
    leaves: &[i64],
    paths: &[String],
) -> Result<(), LoadError> {
    sqlx::query("select evidence_erase($1, $2, $3, $4)")
        .bind(class)
        .bind(number(through))
        .bind(leaves)
        .bind(paths)
        .execute(system)
        .await?;
    Ok(())
}

/// Which of these leaves are of an account that is sealed.
pub(crate) async fn sealed(system: &PgPool, leaves: &[i64]) -> Result<BTreeSet<i64>, LoadError> {
    let found = sqlx::query_scalar("select evidence_sealed($1)").bind(leaves).fetch_all(system).await?;
    Ok(found.into_iter().collect())
}

/// Lets fields wait until their account is no longer sealed.
pub(crate) async fn hold(system: &PgPool, class: &str, leaves: &[i64], paths: &[String]) -> Result<(), LoadError> {
    sqlx::query("select evidence_hold($1, $2, $3)").bind(class).bind(leaves).bind(paths).execute(system).await?;
    Ok(())
}

/// Fields that waited and need not any more, side by side.
#[derive(Debug, Default, Deserialize)]
pub(crate) struct Released {
    pub(crate) leaves: Vec<i64>,
    pub(crate) paths: Vec<String>,
}

pub(crate) async fn released(system: &PgPool, class: &str, limit: i32) -> Result<Released, LoadError> {
    let query = json("select evidence_released($1, $2)").bind(class.to_owned()).bind(limit);
    Ok(one(query, system).await?.unwrap_or_default())
}

pub(crate) async fn let_go(system: &PgPool, class: &str, released: &Released) -> Result<(), LoadError> {
    let query = sqlx::query("select evidence_let_go($1, $2, $3)").bind(class);
    query.bind(&released.leaves).bind(&released.paths).execute(system).await?;
    Ok(())
}

/// A checkpoint as it was kept.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct CheckpointRow {
    pub(crate) size: u64,
    pub(crate) at: Timestamp,
    pub(crate) key: String,
    pub(crate) note: String,
}

/// The newest checkpoints of trees below a size, the largest first.
pub(crate) async fn checkpoints(
    conn: &mut PgConnection,
    below: Option<u64>,
    limit: i64,
) -> Result<Vec<CheckpointRow>, LoadError> {
    let query = json(
        "select to_jsonb(c) from evidence_checkpoint c where $1::bigint is null or size < $1 order by size desc, at desc limit $2",
    );
    Ok(all(query.bind(below.map(number)).bind(limit), conn).await?)
}

/// Every public key that has signed.
pub(crate) async fn keys(conn: &mut PgConnection) -> Result<Vec<String>, LoadError> {
    Ok(sqlx::query_scalar("select key from evidence_key order by first_used").fetch_all(conn).await?)
}

/// Name and size of the log, for whoever may ask.
pub(crate) async fn tree(conn: &mut PgConnection) -> Result<(String, u64), LoadError> {
    let (origin, size): (String, i64) =
        sqlx::query_as("select origin, size from evidence_tree").fetch_one(conn).await?;
    Ok((origin, size.unsigned_abs()))
}

/// Leaves for an export in order, as the door shows them: of one account (and the platform's erasures), or all.
pub(crate) async fn exported(
    conn: &mut PgConnection,
    account: Option<uuid::Uuid>,
    (from, to): (u64, u64),
    limit: i64,
) -> Result<Vec<OpenedRow>, LoadError> {
    let query = json(
        "select jsonb_build_object('index', l.index, 'line', l.line, 'body', l.body, 'salts', coalesce(s.salts, '{}'),
                'who', e.who, 'before', coalesce(e.before, '{}'), 'after', e.after, 'erased', coalesce(e.erased, '{}'))
           from evidence_leaf l left join evidence e on e.id = l.line left join evidence_salt s on s.index = l.index
          where l.index >= $1 and l.index < $2 and ($3::uuid is null or l.account = $3 or l.erasure) order by l.index limit $4",
    );
    Ok(all(query.bind(number(from)).bind(number(to)).bind(account).bind(limit), conn).await?)
}
