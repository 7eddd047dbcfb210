//! Sessions and devices in the database. The digest of a secret is written and looked for, and never read.

use super::{Digest, all, json, one};
use crate::identity::session::{Earned, Factors, Realm, Session, Standing};
use crate::store::measure::Holding;
use husorden_base::{AccountId, Language, PersonId, SessionId};
use husorden_wire::api::{self, Role, StaffRole};
use jiff::Timestamp;
use serde::Deserialize;
use sqlx::PgExecutor;
use sqlx::types::Json;
use uuid::Uuid;

/// Whoever has a mailbox, as log-in needs to know them.
#[derive(Debug, Deserialize)]
pub(crate) struct Knock {
    pub(crate) id: PersonId,
    pub(crate) email: String,
    pub(crate) language: Language,
    pub(crate) password: String,
    pub(crate) disabled: bool,
    pub(crate) second_factor: bool,
    /// The device, if the person has logged in from it before.
    pub(crate) device: Option<Uuid>,
    pub(crate) staff: bool,
    pub(crate) account: Option<AccountId>,
    pub(crate) role: Option<Role>,
    pub(crate) required: bool,
}

/// The person behind a session.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Whose {
    pub(crate) id: PersonId,
    pub(crate) email: String,
    pub(crate) name: String,
    pub(crate) language: Language,
    pub(crate) time_zone: String,
    pub(crate) second_factor: bool,
}

/// A session with all that decides what it may now.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Found {
    pub(crate) session: Session,
    pub(crate) person: Whose,
    pub(crate) account: Option<api::Account>,
    pub(crate) role: Option<Role>,
    pub(crate) staff_roles: Option<Vec<StaffRole>>,
    pub(crate) required: bool,
    pub(crate) held: Option<Holding>,
    pub(crate) now: Timestamp,
}

impl Found {
    pub(crate) const fn factors(&self) -> Factors {
        Factors { has: self.person.second_factor, required: self.required }
    }

    pub(crate) fn standing(&self) -> Standing {
        self.session.standing(self.factors(), self.now)
    }
}

/// One of a person's sessions.
#[derive(Debug, Deserialize)]
pub(crate) struct Listed {
    pub(crate) id: SessionId,
    pub(crate) realm: Realm,
    pub(crate) account_name: Option<String>,
    pub(crate) address: String,
    pub(crate) agent: String,
    pub(crate) begun: Timestamp,
    pub(crate) seen: Timestamp,
}

pub(crate) async fn knock<'e>(
    system: impl PgExecutor<'e>,
    email: &str,
    realm: Realm,
    device: Option<Digest>,
) -> Result<Option<Knock>, sqlx::Error> {
    one(
        json("select k from login_find($1, $2, $3) k where k is not null")
            .bind(email.to_owned())
            .bind(realm.word())
            .bind(device.map(|digest| digest.to_vec())),
        system,
    )
    .await
}

pub(crate) async fn insert<'e>(
    system: impl PgExecutor<'e>,
    session: &Session,
    digest: &Digest,
) -> Result<(), sqlx::Error> {
    let row = serde_json::json!({
        "id": session.id, "digest": crate::token::hex(digest), "person": session.person, "realm": session.realm,
        "account": session.account, "begun": session.begun, "seen": session.seen, "idle_s": session.idle_s,
        "ends": session.ends, "second_factor": session.second_factor, "stepped_up": session.stepped_up,
        "device": session.device, "address": session.address, "agent": session.agent,
    });
    sqlx::query("select session_insert($1)").bind(Json(row)).execute(system).await?;
    Ok(())
}

pub(crate) async fn find<'e>(system: impl PgExecutor<'e>, digest: &Digest) -> Result<Option<Found>, sqlx::Error> {
    one(json("select f from session_find($1) f where f is not null").bind(digest.to_vec()), system).await
}

pub(crate) async fn touch<'e>(system: impl PgExecutor<'e>, id: SessionId) -> Result<(), sqlx::Error> {
    sqlx::query("select session_touch($1)").bind(id.0).execute(system).await?;
    Ok(())
}

/// False: the old secret opens nothing any more.
pub(crate) async fn rotate<'e>(
    system: impl PgExecutor<'e>,
    old: &Digest,
    new: &Digest,
    earned: &Earned,
) -> Result<bool, sqlx::Error> {
    sqlx::query_scalar("select session_rotate($1, $2, $3)")
        .bind(old.to_vec())
        .bind(new.to_vec())
        .bind(Json(earned))
        .fetch_one(system)
        .await
}

/// Whether the account has accepted the house rules that hold now.
pub(crate) async fn rules_accepted<'e>(system: impl PgExecutor<'e>, account: AccountId) -> Result<bool, sqlx::Error> {
    sqlx::query_scalar("select rules_accepted($1)").bind(account.0).fetch_one(system).await
}

/// Whether a session still opens anything.
pub(crate) async fn holds<'e>(system: impl PgExecutor<'e>, id: SessionId) -> Result<bool, sqlx::Error> {
    sqlx::query_scalar("select session_holds($1)").bind(id.0).fetch_one(system).await
}

pub(crate) async fn tried<'e>(system: impl PgExecutor<'e>, id: SessionId) -> Result<i32, sqlx::Error> {
    sqlx::query_scalar("select session_tried($1)").bind(id.0).fetch_one(system).await
}

/// Which of a person's sessions.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Which {
    One(SessionId),
    AllBut(SessionId),
    All,
}

/// Ends sessions of a person; the answer is how many.
pub(crate) async fn end<'e>(
    system: impl PgExecutor<'e>,
    person: PersonId,
    which: Which,
    why: &str,
) -> Result<i32, sqlx::Error> {
    let (only, except) = match which {
        Which::One(id) => (Some(id.0), None),
        Which::AllBut(id) => (None, Some(id.0)),
        Which::All => (None, None),
    };
    sqlx::query_scalar("select session_end($1, $2, $3, $4)")
        .bind(person.0)
        .bind(only)
        .bind(except)
        .bind(why)
        .fetch_one(system)
        .await
}

pub(crate) async fn list<'e>(system: impl PgExecutor<'e>, person: PersonId) -> Result<Vec<Listed>, sqlx::Error> {
    all(json("select session_list($1)").bind(person.0), system).await
}

/// True: the person has not logged in from the device before.
pub(crate) async fn device_seen<'e>(
    system: impl PgExecutor<'e>,
    id: Uuid,
    person: PersonId,
    digest: &Digest,
    agent: &str,
) -> Result<bool, sqlx::Error> {
    sqlx::query_scalar("select device_seen($1, $2, $3, $4)")
        .bind(id)
        .bind(person.0)
        .bind(digest.to_vec())
        .bind(agent)
        .fetch_one(system)
        .await
}

/// The accounts a person may stand in.
pub(crate) async fn accounts<'e>(
    system: impl PgExecutor<'e>,
    person: PersonId,
) -> Result<Vec<api::Standing>, sqlx::Error> {
    all(json("select person_accounts($1)").bind(person.0), system).await
}
