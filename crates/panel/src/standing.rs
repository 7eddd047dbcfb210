//! Who visits: what the API says of the session.

use crate::api::Api;
use husorden_base::Refusal;
use husorden_wire::api;

/// The person, the account they stand in, and what they may.
#[derive(Clone, Debug, Default)]
pub(crate) struct Standing {
    /// What the person is called; the account's name where a session has no person.
    pub(crate) name: String,
    /// The person's address.
    pub(crate) email: Option<String>,
    /// The time zone times are shown in.
    pub(crate) zone: Option<String>,
    /// The account that is stood in.
    pub(crate) account: Option<Account>,
    /// Every account that can be stood in.
    pub(crate) accounts: Vec<Account>,
    /// Whether this is a session of staff.
    pub(crate) staff: bool,
    /// Whether they may make no solutions.
    pub(crate) read_only: bool,
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
        let me: api::Me = match api.get("/v1/me").await {
            Ok(me) => me,
            Err(refusal) if refusal.status == 401 => return Ok(None),
            Err(refusal) => return Err(refusal),
        };
        let account = me.account.map(|account| Account { id: account.id, name: account.name });
        Ok(Some(Self {
            name: account.as_ref().map_or_else(|| "Staff".to_owned(), |account| account.name.clone()),
            email: None,
            zone: None,
            accounts: account.iter().cloned().collect(),
            staff: account.is_none(),
            account,
            read_only: !me.capabilities.has(api::Capability::SolutionCreate),
        }))
    }
}
