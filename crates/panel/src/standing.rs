//! Who visits: what the API says of the session.

use crate::api::Api;
use husorden_base::Refusal;
use husorden_wire::api;
use husorden_wire::api::{Capabilities, Capability};
use serde_json::Value;

/// The person, the account they stand in, and what they may.
#[derive(Clone, Debug)]
pub(crate) struct Standing {
    /// What the person is called; the account's name where the session is no person's.
    pub(crate) name: String,
    pub(crate) person: Option<api::Person>,
    /// The account that is stood in.
    pub(crate) account: Option<Account>,
    /// Every account that can be stood in.
    pub(crate) accounts: Vec<Account>,
    pub(crate) capabilities: Capabilities,
    /// What must be done before anything else.
    pub(crate) needs: Vec<api::Need>,
}

/// An account, as its members see it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Account {
    pub(crate) id: String,
    pub(crate) name: String,
}

impl Standing {
    /// Asks the API. `None` says that the session is none, or has ended.
    pub(crate) async fn ask(api: &Api) -> Result<Option<Self>, Refusal> {
        if !api.has_session() {
            return Ok(None);
        }
        let session: api::Session = match api.get("/v1/session").await {
            Ok(session) => session,
            Err(refusal) if refusal.status == 401 => return Ok(None),
            Err(refusal) if refusal.status >= 500 => return Err(refusal),
            // A token is nobody's log-in, and lets its holder in all the same: it may what it may at the API.
            Err(_) => return Self::of_token(api).await,
        };
        let seen = |standing: &api::Standing| Account { id: standing.id.clone(), name: standing.name.clone() };
        Ok(Some(Self {
            name: session.person.name.clone(),
            account: session.account.as_ref().map(seen),
            accounts: session.accounts.iter().map(seen).collect(),
            capabilities: capabilities(&serde_json::to_value(session.capabilities).unwrap_or(Value::Null)),
            needs: session.needs,
            person: Some(session.person),
        }))
    }

    async fn of_token(api: &Api) -> Result<Option<Self>, Refusal> {
        let me: api::Me = match api.get("/v1/me").await {
            Ok(me) => me,
            Err(refusal) if refusal.status == 401 => return Ok(None),
            Err(refusal) => return Err(refusal),
        };
        let account = me.account.map(|account| Account { id: account.id, name: account.name });
        Ok(Some(Self {
            name: account.as_ref().map_or_else(|| "Husorden".to_owned(), |account| account.name.clone()),
            person: None,
            accounts: account.iter().cloned().collect(),
            account,
            capabilities: me.capabilities,
            needs: Vec::new(),
        }))
    }

    /// Whether the visitor may do this.
    pub(crate) const fn may(&self, what: Capability) -> bool {
        self.capabilities.has(what)
    }
}

fn capabilities(words: &Value) -> Capabilities {
    serde_json::from_value(words.clone()).unwrap_or(Capabilities::NONE)
}
