//! Public addresses in the database: which there are to choose from, whose each is, and the names that lead back from them.

use super::{all, json, one};
use husorden_base::{AccountId, SolutionId};
use husorden_kinds::public::{Pools, Public};
use husorden_wire::api::ReverseName;
use ipnet::IpNet;
use serde::Deserialize;
use sqlx::PgConnection;
use std::net::IpAddr;

/// What there is to choose from on a node.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Book {
    /// The node's pools; none while it has told of none.
    pub(crate) pools: Option<Pools>,
    /// Somebody's, or resting.
    pub(crate) taken: Vec<IpNet>,
    /// Somebody's once, the longest ago first.
    pub(crate) used: Vec<IpNet>,
}

/// Reads it; nobody else chooses until the transaction ends.
pub(crate) async fn book(
    conn: &mut PgConnection,
    node: &str,
    family: i32,
    rest_days: u16,
) -> Result<Book, sqlx::Error> {
    one(json("select address_book($1, $2, $3)").bind(node.to_owned()).bind(family).bind(i32::from(rest_days)), conn)
        .await?
        .ok_or(sqlx::Error::RowNotFound)
}

/// Gives one to a solution; false when it is another's.
pub(crate) async fn give(
    conn: &mut PgConnection,
    solution: SolutionId,
    net: IpNet,
    rest_days: u16,
) -> Result<bool, sqlx::Error> {
    sqlx::query_scalar("select address_give($1, $2::text::cidr, $3)")
        .bind(solution.0)
        .bind(net.to_string())
        .bind(i32::from(rest_days))
        .fetch_one(conn)
        .await
}

/// Those of a solution.
pub(crate) async fn held(conn: &mut PgConnection, solution: SolutionId) -> Result<Public, sqlx::Error> {
    one(json("select public_json($1)").bind(solution.0), conn).await?.ok_or(sqlx::Error::RowNotFound)
}

/// Names an address of a solution, or takes its name away.
pub(crate) async fn rename(
    conn: &mut PgConnection,
    (solution, account): (SolutionId, AccountId),
    address: IpAddr,
    name: Option<&str>,
) -> Result<(), sqlx::Error> {
    match name {
        Some(name) => sqlx::query(
            "insert into reverse_name (address, solution, account, name) values ($1::text::inet, $2, $3, $4)
             on conflict (address) do update set name = excluded.name, changed = now() where reverse_name.solution = $2",
        )
        .bind(address.to_string())
        .bind(solution.0)
        .bind(account.0)
        .bind(name),
        None => sqlx::query("delete from reverse_name where address = $1::text::inet and solution = $2")
            .bind(address.to_string())
            .bind(solution.0),
    }
    .execute(conn)
    .await?;
    Ok(())
}

/// Every name of the installation, in the order of the addresses.
pub(crate) async fn names(conn: &mut PgConnection) -> Result<Vec<ReverseName>, sqlx::Error> {
    all(json("select reverse_names()"), conn).await
}
