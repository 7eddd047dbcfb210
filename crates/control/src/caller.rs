//! Who asks: found from the token by the gate, and what it means for the transactions of the request.

use crate::answer::Answer;
use crate::app::App;
use crate::doors::{Narrow, ReadTx, StaffTx, TenantTx};
use crate::fault::Fault;
use crate::store;
use crate::store::event::NewEvent;
use crate::store::evidence::NewEvidence;
use axum::extract::FromRequestParts;
use http::request::Parts;
use husorden_base::{AccountId, Language, PersonId, Refusal, SessionId, SolutionId, Text, TokenId};
use husorden_wire::api::{self, Capabilities};
use jiff::Timestamp;
use std::sync::Arc;
use uuid::Uuid;

/// What a request was let in by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Credential {
    Token(TokenId),
    Session(SessionId),
}

impl Credential {
    /// Its id, which rates and kept answers are counted under.
    pub(crate) const fn id(self) -> Uuid {
        match self {
            Self::Token(id) => id.0,
            Self::Session(id) => id.0,
        }
    }
}

/// What a caller is.
#[derive(Clone, Debug)]
pub(crate) enum Who {
    Staff,
    Account(api::Account),
}

/// Who asks.
#[derive(Clone, Debug)]
pub(crate) struct Caller {
    pub(crate) credential: Credential,
    /// The human being who asks; none behind a token.
    pub(crate) person: Option<PersonId>,
    pub(crate) who: Who,
    pub(crate) may: Capabilities,
    /// What of the account the credential is narrowed to.
    pub(crate) narrow: Arc<Narrow>,
    /// When a session last proved again who it is.
    #[allow(dead_code, reason = "the page of a log-in tells it")]
    pub(crate) stepped_up: Option<Timestamp>,
    pub(crate) language: Language,
    /// The idempotency key of the request and the digest of what was asked.
    pub(crate) key: Option<Arc<Key>>,
}

/// An idempotency key with the digest of the request it came with.
#[derive(Debug)]
pub(crate) struct Key {
    pub(crate) key: String,
    pub(crate) digest: [u8; 32],
}

impl Caller {
    pub(crate) const fn is_staff(&self) -> bool {
        matches!(self.who, Who::Staff)
    }

    /// The account, for callers that belong to one.
    pub(crate) fn account(&self) -> Option<AccountId> {
        match &self.who {
            Who::Staff => None,
            Who::Account(account) => account.id.parse().ok(),
        }
    }

    /// As events say it.
    pub(crate) const fn by(&self) -> &'static str {
        match self.who {
            Who::Staff => "staff",
            Who::Account(_) => "account",
        }
    }

    /// As evidence says it.
    pub(crate) fn signature(&self) -> String {
        match (self.person, self.credential) {
            (Some(person), _) => format!("{}:person:{person}", self.by()),
            (None, Credential::Token(id)) => format!("{}:token:{id}", self.by()),
            (None, Credential::Session(id)) => format!("{}:session:{id}", self.by()),
        }
    }

    /// A transaction that shows the caller what it may see.
    pub(crate) async fn read(&self, app: &App) -> Result<ReadTx, Fault> {
        Ok(match self.account() {
            Some(account) => ReadTx::Tenant(app.doors().tenant_narrowed(account, &self.narrow).await?),
            None => ReadTx::Staff(app.doors().staff().await?),
        })
    }

    /// A transaction that changes an account's things: its own caller's, as far as the credential goes, or staff's under a
    /// grant. A grant on one solution is none for what is not that solution's.
    pub(crate) async fn tenant(
        &self,
        app: &App,
        account: AccountId,
        solution: Option<SolutionId>,
    ) -> Result<TenantTx, Fault> {
        let mut tx = app.doors().tenant_narrowed(account, &self.narrow).await?;
        if self.is_staff() {
            let found = store::grant::usable(tx.conn(), account, solution, self.holder()).await?;
            tx.grant = Some(found.ok_or_else(crate::grant::needed)?);
        }
        Ok(tx)
    }

    /// Who a broken glass is counted for: the human being, or the token where there is none.
    pub(crate) fn holder(&self) -> Uuid {
        self.person.map_or_else(|| self.credential.id(), |person| person.0)
    }

    /// The account that something new is made in: the caller's, or the one that staff name.
    pub(crate) async fn account_for(&self, app: &App, named: Option<&str>) -> Result<AccountId, Fault> {
        match (self.account(), named) {
            (Some(own), None) => Ok(own),
            (Some(own), Some(named)) if matches!(&self.who, Who::Account(a) if a.id == named || a.name == named) => {
                Ok(own)
            }
            (Some(_), Some(_)) => Err(Refusal::field(
                "/account",
                Text::new("Kun personale vælger konto", "Only staff choose the account"),
            )
            .into()),
            (None, Some(named)) => {
                let mut tx = app.doors().staff().await?;
                crate::account::named(tx.conn(), named, "/account").await
            }
            (None, None) => Err(Refusal::field(
                "/account",
                Text::new("Personale skal nævne kontoen", "Staff must name the account"),
            )
            .into()),
        }
    }
}

/// What a change leaves behind besides its rows, written at its very end: see the trigger on events.
#[derive(Debug, Default)]
pub(crate) struct Trail {
    evidence: Vec<NewEvidence>,
    events: Vec<NewEvent>,
}

impl Trail {
    pub(crate) fn evidence(&mut self, line: NewEvidence) {
        self.evidence.push(line);
    }

    pub(crate) fn event(&mut self, event: NewEvent) {
        self.events.push(event);
    }

    /// What another change leaves behind, that is made with this one.
    pub(crate) fn and(&mut self, other: Self) {
        self.evidence.extend(other.evidence);
        self.events.extend(other.events);
    }

    /// What was done, and on which solution, as far as it is written down.
    pub(crate) fn acts(&self) -> (Vec<&'static str>, Option<SolutionId>) {
        (self.evidence.iter().map(|line| line.act).collect(), self.evidence.iter().find_map(|line| line.solution))
    }

    async fn write(
        self,
        conn: &mut sqlx::PgConnection,
        caller: &Caller,
        account: Option<AccountId>,
        answer: &Answer,
    ) -> Result<(), Fault> {
        if let Some(key) = &caller.key {
            store::idempotency::keep(conn, caller.credential.id(), key, account, answer).await?;
        }
        for line in &self.evidence {
            store::evidence::insert(conn, &caller.signature(), line).await?;
        }
        for event in &self.events {
            store::event::insert(conn, caller.by(), event).await?;
        }
        Ok(())
    }

    /// Ends a change of one account: what it leaves behind and the answer's copy are written, all is committed, who waits
    /// is woken.
    pub(crate) async fn finish(
        mut self,
        app: &App,
        caller: &Caller,
        mut tx: TenantTx,
        answer: Answer,
    ) -> Result<Answer, Fault> {
        let account = tx.account();
        if let Some(grant) = tx.grant.take() {
            crate::grant::used(&mut self, account, &grant);
        }
        self.write(tx.conn(), caller, Some(account), &answer).await?;
        tx.commit().await?;
        app.wake();
        Ok(answer)
    }

    /// The same for a change by staff.
    pub(crate) async fn finish_staff(
        self,
        app: &App,
        caller: &Caller,
        mut tx: StaffTx,
        answer: Answer,
    ) -> Result<Answer, Fault> {
        self.write(tx.conn(), caller, None, &answer).await?;
        tx.commit().await?;
        app.wake();
        Ok(answer)
    }
}

impl FromRequestParts<App> for Caller {
    type Rejection = Fault;

    async fn from_request_parts(parts: &mut Parts, _: &App) -> Result<Self, Fault> {
        parts.extensions.get::<Self>().cloned().ok_or_else(|| crate::gate::no_credential().into())
    }
}
