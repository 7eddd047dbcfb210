//! The person behind a request: a session with all that decides what it may, as the gate found it.

use crate::app::App;
use crate::fault::Fault;
use crate::identity::session::{Realm, Standing};
use crate::routes::{Permission, Stage};
use crate::store::identity::session::{self as rows, Found};
use axum::extract::FromRequestParts;
use http::request::Parts;
use husorden_base::{AccountId, PersonId, Refusal, SessionId, Text};
use husorden_wire::api::{self, Capability, Need, Role};
use sqlx::PgExecutor;
use std::sync::Arc;

/// The session that asks.
#[derive(Clone, Debug)]
pub(crate) struct Seat {
    pub(crate) found: Arc<Found>,
    /// What is kept of the secret that came with the request.
    pub(crate) digest: [u8; 32],
}

impl Seat {
    pub(crate) fn person(&self) -> PersonId {
        self.found.person.id
    }

    pub(crate) fn session(&self) -> SessionId {
        self.found.session.id
    }

    pub(crate) fn account(&self) -> Option<AccountId> {
        self.found.session.account
    }

    /// As evidence says it.
    pub(crate) fn signature(&self) -> String {
        signature(self.found.session.realm, self.person())
    }
}

/// A person, as evidence says it.
pub(crate) fn signature(realm: Realm, person: PersonId) -> String {
    format!("{}:person:{person}", realm.word())
}

/// What a session must do first. The gate holds it to its factors; the house rules are for whoever may accept them to see to.
pub(crate) async fn needs(
    conn: impl PgExecutor<'_>,
    standing: Standing,
    account: Option<AccountId>,
    role: Option<Role>,
) -> Result<Vec<Need>, sqlx::Error> {
    Ok(match (standing, account) {
        (Standing::Code, _) => vec![Need::SecondFactor],
        (Standing::Enrol, _) => vec![Need::SecondFactorEnrol],
        (Standing::Open { .. }, Some(account))
            if role.is_some_and(|role| role.capabilities().has(Capability::AccountManage))
                && !rows::rules_accepted(conn, account).await? =>
        {
            vec![Need::Rules]
        }
        (Standing::Open { .. } | Standing::Ended, _) => Vec::new(),
    })
}

pub(crate) const fn realm(realm: api::Realm) -> Realm {
    match realm {
        api::Realm::Account => Realm::Account,
        api::Realm::Staff => Realm::Staff,
    }
}

pub(crate) const fn realm_shown(realm: Realm) -> api::Realm {
    match realm {
        Realm::Account => api::Realm::Account,
        Realm::Staff => api::Realm::Staff,
    }
}

/// Whether a session has come far enough for a route.
pub(crate) fn check(permission: Permission, seat: &Seat) -> Result<(), Refusal> {
    match (seat.found.standing(), permission.stage) {
        (Standing::Ended, _) => Err(super::log_in::ended()),
        (Standing::Code, Stage::Enrol | Stage::Open) => Err(needed(
            "second-factor-needed",
            Text::new("Koden mangler endnu", "The code is still missing"),
            Text::new("Send den til POST /v1/session/second-factor.", "Send it to POST /v1/session/second-factor."),
        )),
        (Standing::Enrol, Stage::Open) => Err(needed(
            "second-factor-enrol-needed",
            Text::new("Der kræves en anden faktor", "A second factor is required"),
            Text::new("Sæt den op med POST /v1/person/totp.", "Set it up with POST /v1/person/totp."),
        )),
        (Standing::Code, Stage::Code) | (Standing::Enrol, Stage::Code | Stage::Enrol) | (Standing::Open { .. }, _) => {
            Ok(())
        }
    }
}

fn needed(code: &str, title: Text, detail: Text) -> Refusal {
    Refusal::new(code, 403, title, detail)
}

impl FromRequestParts<App> for Seat {
    type Rejection = Fault;

    async fn from_request_parts(parts: &mut Parts, _: &App) -> Result<Self, Fault> {
        parts.extensions.get::<Self>().cloned().ok_or_else(|| no_person().into())
    }
}

/// A route is about a person, and a token came.
pub(crate) fn no_person() -> Refusal {
    Refusal::new(
        "no-person",
        403,
        Text::new("Et token er ikke en person", "A token is no person"),
        Text::new(
            "Log ind med adresse og kodeord; dette gælder et log-in.",
            "Log in by address and password; this is about a log-in.",
        ),
    )
}
