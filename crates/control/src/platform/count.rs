//! What the database holds, counted at a point that has a name, and counted again in a copy that was brought to that point.

use super::{PlatformError, sql};
use crate::config::Database;
use crate::embedded::copying::superuser;
use husorden_evidence::{Checkpoint, Frontier, Hash, PublicKey};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use sqlx::{AssertSqlSafe, Connection, PgConnection};
use std::collections::BTreeMap;

/// How often a moment is looked for in which nobody writes.
const TRIES: usize = 20;
/// Rows by which a count may differ for each transaction that began while it was counted.
const ROWS_A_WRITER: i64 = 100;
/// Leaves of the evidence that are read at once.
const LEAVES: i64 = 5_000;

/// What was counted around a named point.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Noted {
    /// When.
    pub at: Timestamp,
    /// The point's name in the log.
    pub point: String,
    /// The segment of the log that it stands in; the next one was begun after it.
    pub segment: String,
    /// The newest migration.
    pub schema: i64,
    /// Rows of each table: the fewest and the most that a copy may have at this point.
    pub rows: BTreeMap<String, (i64, i64)>,
    /// Leaves of the evidence.
    pub leaves: i64,
}

/// What a copy holds.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Found {
    /// The newest migration.
    pub schema: i64,
    /// Rows of each table.
    pub rows: BTreeMap<String, i64>,
    /// Leaves of the evidence.
    pub leaves: i64,
    /// What the evidence is not: none when its leaves make the root that it names, and the newest signed checkpoint is of this tree.
    pub evidence: Option<String>,
}

/// Names a point, with what is counted around it.
///
/// # Errors
/// When the database does not answer.
pub async fn mark(database: &Database) -> Result<Noted, PlatformError> {
    let doing = "marking a point in the database's log";
    let mut connection = superuser(&database.socket_dir, &database.name).await.map_err(sql(doing))?;
    let at = Timestamp::now();
    let mut tries = 0;
    loop {
        tries += 1;
        let point = format!("husorden-{}-{tries}", at.as_millisecond());
        let (before, first) = counted(&mut connection).await?;
        let lsn: String = sqlx::query_scalar("select pg_create_restore_point($1)::text")
            .bind(&point)
            .fetch_one(&mut connection)
            .await
            .map_err(sql(doing))?;
        let (after, last) = counted(&mut connection).await?;
        if last != first && tries < TRIES {
            continue;
        }
        let width = (last - first).saturating_mul(ROWS_A_WRITER);
        let rows = after.iter().map(|(table, after)| {
            let before = before.get(table).unwrap_or(after);
            (table.clone(), (*after.min(before) - width, *after.max(before) + width))
        });
        let (schema, leaves) = heads(&mut connection).await?;
        // The segment ends here, so that what is marked lies in a whole one.
        let segment: String = sqlx::query_scalar("select pg_walfile_name($1::pg_lsn - 1) from pg_switch_wal()")
            .bind(&lsn)
            .fetch_one(&mut connection)
            .await
            .map_err(sql(doing))?;
        let noted = Noted { at, point, segment, schema, rows: rows.collect(), leaves };
        connection.close().await.map_err(sql(doing))?;
        return Ok(noted);
    }
}

/// The newest migration, and the evidence's leaves.
async fn heads(connection: &mut PgConnection) -> Result<(i64, i64), PlatformError> {
    sqlx::query_as("select (select max(version) from _sqlx_migrations), (select size from evidence_tree)")
        .fetch_one(connection)
        .await
        .map_err(sql("reading the database's release"))
}

/// Rows of each table at one moment, and the number that the next transaction that writes will have.
async fn counted(connection: &mut PgConnection) -> Result<(BTreeMap<String, i64>, i64), PlatformError> {
    let doing = "counting the database's rows";
    let mut tx = connection.begin_with("begin isolation level repeatable read read only").await.map_err(sql(doing))?;
    let next: i64 = sqlx::query_scalar("select pg_snapshot_xmax(pg_current_snapshot())::text::bigint")
        .fetch_one(&mut *tx)
        .await
        .map_err(sql(doing))?;
    // Tables that a crash empties are none to count.
    let tables: Vec<String> = sqlx::query_scalar(
        "select format('%I.%I', n.nspname, c.relname) from pg_class c join pg_namespace n on n.oid = c.relnamespace
          where c.relkind = 'r' and c.relpersistence = 'p' and n.nspname = 'public' order by 1",
    )
    .fetch_all(&mut *tx)
    .await
    .map_err(sql(doing))?;
    let mut rows = BTreeMap::new();
    for table in tables {
        let count: i64 = sqlx::query_scalar(AssertSqlSafe(format!("select count(*) from {table}")))
            .fetch_one(&mut *tx)
            .await
            .map_err(sql(doing))?;
        rows.insert(table, count);
    }
    tx.rollback().await.map_err(sql(doing))?;
    Ok((rows, next))
}

/// What a copy holds, with its evidence hashed anew.
///
/// # Errors
/// When the copy does not answer.
pub async fn found(database: &Database) -> Result<Found, PlatformError> {
    let doing = "asking a copy of the database";
    let mut connection = superuser(&database.socket_dir, &database.name).await.map_err(sql(doing))?;
    let (rows, _) = counted(&mut connection).await?;
    let (schema, leaves) = heads(&mut connection).await?;
    let evidence = evidence(&mut connection).await?;
    connection.close().await.map_err(sql(doing))?;
    Ok(Found { schema, rows, leaves, evidence })
}

/// What is wrong with the evidence, if anything is.
async fn evidence(connection: &mut PgConnection) -> Result<Option<String>, PlatformError> {
    let doing = "reading a copy's evidence";
    let (size, root): (i64, Vec<u8>) =
        sqlx::query_as("select size, root from evidence_tree").fetch_one(&mut *connection).await.map_err(sql(doing))?;
    let signed: Option<(String, String)> = sqlx::query_as(
        "select note, key from evidence_checkpoint where size <= $1 order by size desc, at desc limit 1",
    )
    .bind(size)
    .fetch_optional(&mut *connection)
    .await
    .map_err(sql(doing))?;
    let signed = signed.map(|(note, key)| {
        let key: PublicKey = key.parse().map_err(|_| "the newest checkpoint's key does not read".to_owned())?;
        Checkpoint::open(&note, &[key]).map_err(|error| format!("the newest checkpoint does not hold: {error}"))
    });
    let signed = match signed.transpose() {
        Ok(signed) => signed,
        Err(why) => return Ok(Some(why)),
    };
    let mut frontier = Frontier::default();
    let agrees = |frontier: &Frontier| {
        signed
            .as_ref()
            .filter(|signed| signed.size == frontier.size())
            .is_none_or(|signed| signed.root == frontier.root())
    };
    let mut from = 0_i64;
    while from < size {
        let rows: Vec<(i64, String)> = sqlx::query_as(
            "select index, body from evidence_leaf where index >= $1 and index < $2 order by index limit $3",
        )
        .bind(from)
        .bind(size)
        .bind(LEAVES)
        .fetch_all(&mut *connection)
        .await
        .map_err(sql(doing))?;
        if rows.is_empty() {
            return Ok(Some(format!("leaf {from} of the evidence is missing")));
        }
        for (index, body) in rows {
            if index != from {
                return Ok(Some(format!("leaf {from} of the evidence is missing")));
            }
            frontier.push(Hash::leaf(body.as_bytes()));
            from += 1;
            if !agrees(&frontier) {
                return Ok(Some(format!("the evidence is not what was signed over its first {from} leaves")));
            }
        }
    }
    let whole = Hash::from_slice(&root) == Some(frontier.root());
    Ok((!whole).then(|| format!("the {size} leaves of the evidence do not make the root it names")))
}

/// What of a copy is not what was noted.
#[must_use]
pub fn compare(noted: &Noted, found: &Found) -> Vec<String> {
    let mut wrong = Vec::new();
    if noted.schema != found.schema {
        wrong.push(format!("the tables are of release {} and were of {}", found.schema, noted.schema));
    }
    for (table, (fewest, most)) in &noted.rows {
        match found.rows.get(table) {
            None => wrong.push(format!("the table {table} is missing")),
            Some(rows) if rows < fewest || rows > most => {
                let had = if fewest == most { fewest.to_string() } else { format!("{fewest} to {most}") };
                wrong.push(format!("{table} has {rows} rows and had {had}"));
            }
            Some(_) => {}
        }
    }
    if found.leaves < noted.leaves.saturating_sub(ROWS_A_WRITER) {
        wrong.push(format!("the evidence has {} leaves and had {}", found.leaves, noted.leaves));
    }
    wrong.extend(found.evidence.clone());
    wrong
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_copy_is_held_against_what_was_noted() {
        let noted = Noted {
            at: Timestamp::UNIX_EPOCH,
            point: "p".to_owned(),
            segment: String::new(),
            schema: 62,
            rows: BTreeMap::from([("public.account".to_owned(), (3, 3)), ("public.event".to_owned(), (10, 12))]),
            leaves: 500,
        };
        let fine = Found {
            schema: 62,
            rows: BTreeMap::from([("public.account".to_owned(), 3), ("public.event".to_owned(), 11)]),
            leaves: 500,
            evidence: None,
        };
        let rows = |table: &str, rows: i64| {
            let mut found = fine.clone();
            found.rows.insert(table.to_owned(), rows);
            found
        };
        let mut dropped = fine.clone();
        dropped.rows.remove("public.account");
        for (found, says) in [
            (fine.clone(), None),
            (rows("public.event", 12), None),
            (rows("public.event", 13), Some("10 to 12")),
            (rows("public.account", 2), Some("has 2 rows and had 3")),
            (dropped, Some("missing")),
            (Found { schema: 61, ..fine.clone() }, Some("release 61")),
            (Found { leaves: 20, ..fine.clone() }, Some("20 leaves")),
            (Found { evidence: Some("changed".to_owned()), ..fine.clone() }, Some("changed")),
        ] {
            let wrong = compare(&noted, &found);
            assert_eq!(wrong.len(), usize::from(says.is_some()), "{wrong:?}");
            assert!(says.is_none_or(|says| wrong[0].contains(says)), "{wrong:?}");
        }
    }
}
