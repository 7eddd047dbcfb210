//! The versions of the house rules in the database, and who accepted which.

use super::{all, json, one};
use husorden_base::AccountId;
use husorden_rules::Rules;
use husorden_wire::api;
use jiff::Timestamp;
use serde::Deserialize;
use sqlx::{PgConnection, PgPool};

/// A version as it was published.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct VersionRow {
    pub(crate) version: u32,
    /// The canonical text.
    body: String,
    pub(crate) hash: String,
    pub(crate) effective: Timestamp,
    pub(crate) published: Timestamp,
    pub(crate) in_force: bool,
    /// The version before it.
    #[serde(default)]
    pub(crate) before: Option<u32>,
    /// The newest after it.
    #[serde(default)]
    pub(crate) next: Option<u32>,
}

impl VersionRow {
    /// The rules.
    pub(crate) fn rules(&self) -> Result<Rules, serde_json::Error> {
        serde_json::from_str(&self.body)
    }
}

/// Publishes a version if it is new. False: it is there with another text.
pub(crate) async fn publish(system: &PgPool, rules: &Rules) -> Result<bool, sqlx::Error> {
    sqlx::query_scalar("select rules_publish($1, $2, $3::timestamptz)")
        .bind(number(rules.version))
        .bind(rules.canonical())
        .bind(rules.effective_at().to_string())
        .fetch_one(system)
        .await
}

/// One version; with none named, the one that holds now.
pub(crate) async fn read(system: &PgPool, version: Option<u32>) -> Result<Option<VersionRow>, sqlx::Error> {
    // The function answers in any case; with null when there is no such version.
    let row: Option<sqlx::types::Json<VersionRow>> =
        sqlx::query_scalar("select rules_read($1)").bind(version.map(number)).fetch_one(system).await?;
    Ok(row.map(|row| row.0))
}

pub(crate) async fn list(system: &PgPool) -> Result<Vec<VersionRow>, sqlx::Error> {
    all(json("select v from rules_list() v"), system).await
}

/// What an account accepted, newest version first.
pub(crate) async fn acceptances(
    conn: &mut PgConnection,
    account: AccountId,
) -> Result<Vec<api::RulesAcceptance>, sqlx::Error> {
    all(
        json("select to_jsonb(a) from (select version, who, accepted from rules_acceptance where account = $1 order by version desc limit 1000) a")
            .bind(account.0),
        conn,
    )
    .await
}

/// Writes an acceptance. None: this version was accepted before, and that one stands.
pub(crate) async fn accept(
    conn: &mut PgConnection,
    account: AccountId,
    version: u32,
    who: &str,
) -> Result<Option<api::RulesAcceptance>, sqlx::Error> {
    one(
        json(
            "insert into rules_acceptance as a (account, version, who) values ($1, $2, $3)
             on conflict do nothing returning jsonb_build_object('version', version, 'who', who, 'accepted', accepted)",
        )
        .bind(account.0)
        .bind(number(version))
        .bind(who.to_owned()),
        conn,
    )
    .await
}

fn number(version: u32) -> i32 {
    i32::try_from(version).unwrap_or(i32::MAX)
}
