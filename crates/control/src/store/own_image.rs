//! Disk images in the database: solutions of that kind, as servers are made from them.

use super::{all, json, one};
use husorden_base::{Bytes, Number, SolutionId};
use husorden_kinds::Aim;
use serde::Deserialize;
use sqlx::PgConnection;

/// One of the account's.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct OwnImageRow {
    pub(crate) id: SolutionId,
    pub(crate) number: Number,
    pub(crate) node: String,
    pub(crate) name: String,
    pub(crate) aim: Aim,
    /// Size of its disk.
    pub(crate) disk: Bytes,
}

const OWN: &str = "select jsonb_build_object('id', s.id, 'number', s.number, 'node', s.node, 'name', s.name, 'aim', s.aim,
            'disk', coalesce(s.seen->'marks'->>'disk', s.spec->>'disk')::bigint)
       from solution s where s.kind = 'disk-image' and s.deleted is null and s.account = bound_account()
        and ($1::text is null or s.name = $1 or s.id::text = $1) and ($2::bigint is null or s.number = $2) order by s.name limit 200";

/// The one of the bound account with this name or id.
pub(crate) async fn find(conn: &mut PgConnection, text: &str) -> Result<Option<OwnImageRow>, sqlx::Error> {
    one(json(OWN).bind(Some(text.to_owned())).bind(None::<i64>), conn).await
}

/// The one of the bound account with this number.
pub(crate) async fn numbered(conn: &mut PgConnection, number: Number) -> Result<Option<OwnImageRow>, sqlx::Error> {
    one(json(OWN).bind(None::<String>).bind(Some(i64::from(number.get()))), conn).await
}

/// All of the bound account.
pub(crate) async fn list(conn: &mut PgConnection) -> Result<Vec<OwnImageRow>, sqlx::Error> {
    all(json(OWN).bind(None::<String>).bind(None::<i64>), conn).await
}
