//! Private networks in the database. Who is in one is claimed by solutions; here it is read.

use super::{all, json, one};
use husorden_base::{AccountId, NetworkId, SolutionId};
use ipnet::{Ipv4Net, Ipv6Net};
use jiff::Timestamp;
use serde::Deserialize;
use sqlx::PgConnection;
use std::net::Ipv4Addr;
use uuid::Uuid;

/// A network.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct NetworkRow {
    pub(crate) id: NetworkId,
    pub(crate) account: AccountId,
    pub(crate) name: String,
    pub(crate) range: Ipv4Net,
    pub(crate) prefix: Ipv6Net,
    pub(crate) created: Timestamp,
    /// As far as whoever asks sees them.
    #[serde(default)]
    pub(crate) members: Vec<MemberRow>,
}

/// Who is in it.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct MemberRow {
    pub(crate) solution: SolutionId,
    pub(crate) name: String,
    pub(crate) address: Ipv4Addr,
    pub(crate) deleted: bool,
}

/// An address of a network that is somebody's.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct TakenRow {
    pub(crate) address: Ipv4Addr,
    pub(crate) solution: SolutionId,
    pub(crate) name: String,
    pub(crate) node: String,
}

pub(crate) async fn list(
    conn: &mut PgConnection,
    account: Option<AccountId>,
    after: Option<Uuid>,
    limit: i64,
) -> Result<Vec<NetworkRow>, sqlx::Error> {
    all(
        json(
            "select to_jsonb(n) || jsonb_build_object('members', coalesce(m.members, '[]'))
               from network n left join lateral (
                    select jsonb_agg(jsonb_build_object('solution', s.id, 'name', s.name, 'deleted', s.aim = 'gone',
                                                        'address', split_part(c.key, ' ', 2)) order by s.name) as members
                      from claim c join solution s on s.id = c.solution
                     where c.space = 'network' and split_part(c.key, ' ', 1) = n.id::text) m on true
              where ($1::uuid is null or n.account = $1) and ($2::uuid is null or n.id > $2) order by n.id limit $3",
        )
        .bind(account.map(|account| account.0))
        .bind(after)
        .bind(limit),
        conn,
    )
    .await
}

/// Up to two networks with this id or name: two only for staff, when several accounts use the name.
pub(crate) async fn find(conn: &mut PgConnection, text: &str) -> Result<Vec<NetworkRow>, sqlx::Error> {
    all(
        json("select to_jsonb(n) from network n where n.id = $1 or n.name = $2 limit 2")
            .bind(text.parse::<Uuid>().ok())
            .bind(text.to_owned()),
        conn,
    )
    .await
}

/// Locks a network, so that nobody else gives its addresses meanwhile. Only through the tenant door.
pub(crate) async fn lock(conn: &mut PgConnection, id: NetworkId) -> Result<Option<NetworkRow>, sqlx::Error> {
    one(json("select to_jsonb(n) from network n where n.id = $1 for update").bind(id.0), conn).await
}

/// How many networks an account has. Nobody else makes one for the account until the transaction ends.
pub(crate) async fn count_to_create(conn: &mut PgConnection, account: AccountId) -> Result<i64, sqlx::Error> {
    super::solution::count_to_create(conn, account).await?;
    sqlx::query_scalar("select count(*) from network where account = $1").bind(account.0).fetch_one(conn).await
}

pub(crate) async fn insert(
    conn: &mut PgConnection,
    id: NetworkId,
    account: AccountId,
    name: &str,
    (range, prefix): (Ipv4Net, Ipv6Net),
) -> Result<NetworkRow, sqlx::Error> {
    one(
        json(
            "insert into network as n (id, account, name, range, prefix) values ($1, $2, $3, $4::cidr, $5::cidr)
             returning to_jsonb(n)",
        )
        .bind(id.0)
        .bind(account.0)
        .bind(name.to_owned())
        .bind(range.to_string())
        .bind(prefix.to_string()),
        conn,
    )
    .await?
    .ok_or(sqlx::Error::RowNotFound)
}

pub(crate) async fn rename(conn: &mut PgConnection, id: NetworkId, name: &str) -> Result<(), sqlx::Error> {
    sqlx::query("update network set name = $2 where id = $1").bind(id.0).bind(name).execute(conn).await?;
    Ok(())
}

pub(crate) async fn delete(conn: &mut PgConnection, id: NetworkId) -> Result<(), sqlx::Error> {
    sqlx::query("delete from network where id = $1").bind(id.0).execute(conn).await?;
    Ok(())
}

/// Every address of a network that is somebody's. Only through the tenant door.
pub(crate) async fn taken(conn: &mut PgConnection, id: NetworkId) -> Result<Vec<TakenRow>, sqlx::Error> {
    all(json("select a from network_addresses($1) a").bind(id.0), conn).await
}
