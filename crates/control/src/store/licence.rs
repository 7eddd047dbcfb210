//! Pools of licences in the database. Who has a seat follows from what solutions are made from, by a trigger.

use super::{all, json, one};
use husorden_base::SolutionId;
use husorden_wire::api::{LicencePool, LicencePoolForm};
use serde::Deserialize;
use sqlx::PgConnection;

/// What there is of a pool, and what others have of it.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Room {
    pub(crate) pool: String,
    pub(crate) seats: i64,
    pub(crate) used: i64,
}

/// The room of the pool that an image's licences come from; none where it needs none.
pub(crate) async fn room(
    conn: &mut PgConnection,
    solution: SolutionId,
    image: &str,
) -> Result<Option<Room>, sqlx::Error> {
    let sql = "select r from licence_room($1, $2) r where r is not null";
    one(json(sql).bind(solution.0).bind(image.to_owned()), conn).await
}

/// Every pool.
pub(crate) async fn list(conn: &mut PgConnection) -> Result<Vec<LicencePool>, sqlx::Error> {
    all(json("select p from licence_pools() p"), conn).await
}

/// Makes a pool, or changes it.
pub(crate) async fn set(conn: &mut PgConnection, name: &str, form: &LicencePoolForm) -> Result<(), sqlx::Error> {
    let sql = "insert into licence_pool (name, seats, note) values ($1, $2, $3)
               on conflict (name) do update set seats = $2, note = $3, changed = now()";
    let seats = i32::try_from(form.seats).unwrap_or(i32::MAX);
    sqlx::query(sql).bind(name).bind(seats).bind(&form.note).execute(conn).await.map(drop)
}

/// Takes a pool away; whether there was one.
pub(crate) async fn remove(conn: &mut PgConnection, name: &str) -> Result<bool, sqlx::Error> {
    Ok(sqlx::query("delete from licence_pool where name = $1").bind(name).execute(conn).await?.rows_affected() > 0)
}
