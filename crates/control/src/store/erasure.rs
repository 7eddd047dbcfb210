//! Erasures on a person's request in the database.

use super::log::{LoadError, OpenedRow};
use super::{all, json, one};
use husorden_base::AccountId;
use husorden_wire::api::{Erasure, PersonLeft};
use serde::Deserialize;
use sqlx::{PgConnection, PgPool};
use uuid::Uuid;

/// What became of a wish.
#[derive(Debug, Deserialize)]
#[serde(tag = "said", rename_all = "kebab-case")]
pub(crate) enum Said {
    Asked { erasure: Erasure },
    NotLeft,
    Sealed { case: String },
}

/// What is to be erased.
#[derive(Debug, Deserialize)]
pub(crate) struct Wanted {
    pub(crate) person: Uuid,
    pub(crate) account: Option<Uuid>,
    /// Words that name the person, as far as they are still known.
    pub(crate) email: Option<String>,
    pub(crate) name: Option<String>,
    /// What it was asked of is sealed.
    pub(crate) held: bool,
}

/// Who left an account, or with none who is a member nowhere.
pub(crate) async fn left(conn: &mut PgConnection, account: Option<AccountId>) -> Result<Vec<PersonLeft>, sqlx::Error> {
    all(json("select people_left($1)").bind(account.map(|account| account.0)), conn).await
}

pub(crate) async fn ask(
    conn: &mut PgConnection,
    account: Option<AccountId>,
    person: Uuid,
    by: &str,
) -> Result<Said, sqlx::Error> {
    let row = json("select erasure_ask($1, $2, $3, $4)")
        .bind(Uuid::now_v7())
        .bind(account.map(|account| account.0))
        .bind(person)
        .bind(by.to_owned());
    one(row, conn).await?.ok_or(sqlx::Error::RowNotFound)
}

/// None: it was done.
pub(crate) async fn wanted(system: &PgPool, id: Uuid) -> Result<Option<Wanted>, sqlx::Error> {
    one(json("select e from erasure_look($1) e where e is not null").bind(id), system).await
}

/// Leaves of the lines by a person or about one, in order.
pub(crate) async fn leaves(system: &PgPool, person: Uuid, account: Option<Uuid>) -> Result<Vec<i64>, sqlx::Error> {
    sqlx::query_scalar("select erasure_leaves($1, $2)").bind(person).bind(account).fetch_all(system).await
}

pub(crate) async fn opened(system: &PgPool, leaves: &[i64]) -> Result<Vec<OpenedRow>, LoadError> {
    Ok(all(json("select evidence_opened_at($1)").bind(leaves.to_vec()), system).await?)
}

/// Fields of one class that go, and the lines they go from.
#[derive(Debug, Default)]
pub(crate) struct Fields {
    pub(crate) through: i64,
    pub(crate) leaves: Vec<i64>,
    pub(crate) paths: Vec<String>,
    pub(crate) lines: Vec<u64>,
}

/// Erases fields, says so in the log, and counts them, all or nothing.
pub(crate) async fn erase(
    system: &PgPool,
    id: Uuid,
    fields: impl Iterator<Item = (&'static str, Fields)>,
) -> Result<(), LoadError> {
    let mut tx = system.begin().await?;
    let mut count = 0;
    for (class, of_class) in fields {
        count += of_class.leaves.len();
        sqlx::query("select evidence_erase_lines($1, $2, $3, $4, $5)")
            .bind(class)
            .bind(of_class.through)
            .bind(of_class.leaves)
            .bind(of_class.paths)
            .bind(husorden_evidence::lines::pack(of_class.lines))
            .execute(&mut *tx)
            .await?;
    }
    sqlx::query("select erasure_counted($1, $2)")
        .bind(id)
        .bind(i64::try_from(count).unwrap_or(i64::MAX))
        .execute(&mut *tx)
        .await?;
    Ok(tx.commit().await?)
}

/// Every line is done; from everywhere the person's own rows go too.
pub(crate) async fn done(system: &PgPool, id: Uuid) -> Result<(), sqlx::Error> {
    sqlx::query("select erasure_done($1)").bind(id).execute(system).await?;
    Ok(())
}
