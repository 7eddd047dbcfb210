//! Who visits: what the API says of the session.

use crate::api::Api;
use husorden_base::Refusal;
use husorden_wire::api;
use husorden_wire::api::{Capabilities, Capability};

/// The person, the account they stand in, and what they may.
#[derive(Clone, Debug)]
pub(crate) struct Standing {
    pub(crate) person: api::Person,
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
            Err(refusal) => return Err(refusal),
        };
        let seen = |standing: &api::Standing| Account { id: standing.id.clone(), name: standing.name.clone() };
        Ok(Some(Self {
            account: session.account.as_ref().map(seen),
            accounts: session.accounts.iter().map(seen).collect(),
            capabilities: session.capabilities,
            needs: session.needs,
            person: session.person,
        }))
    }

    /// Whether the visitor may do this.
    pub(crate) const fn may(&self, what: Capability) -> bool {
        self.capabilities.has(what)
    }
}
