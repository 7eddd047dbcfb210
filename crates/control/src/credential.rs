//! What a bearer credential stands for. The gate asks here once a request; handlers never do.

use crate::app::App;
use crate::caller::{Credential, Who};
use crate::fault::Fault;
use crate::store;
use crate::store::measure::Holding;
use crate::token;
use husorden_base::PersonId;
use husorden_wire::api::{Capabilities, Capability};
use jiff::Timestamp;

/// Whom a credential stands for, and what it may.
#[derive(Debug)]
pub(crate) struct Found {
    pub(crate) credential: Credential,
    pub(crate) who: Who,
    /// The human being behind it; none behind a token.
    pub(crate) person: Option<PersonId>,
    pub(crate) may: Capabilities,
    /// The measure that holds the whole account.
    pub(crate) held: Option<Holding>,
    /// When a session last proved again who it is.
    pub(crate) stepped_up: Option<Timestamp>,
}

/// Whom this text stands for; none when it is no credential, or one that has ended.
pub(crate) async fn find(app: &App, bearer: &str) -> Result<Option<Found>, Fault> {
    if token::plausible(bearer) {
        return of_token(app, bearer).await;
    }
    Ok(None)
}

async fn of_token(app: &App, bearer: &str) -> Result<Option<Found>, Fault> {
    let found = store::token::find(app.doors().system(), &token::digest(bearer)).await?;
    Ok(found.map(|found| Found {
        credential: Credential::Token(found.id),
        who: found.account.map_or(Who::Staff, Who::Account),
        person: None,
        may: found.capabilities.with(Capability::Own),
        held: found.held,
        stepped_up: None,
    }))
}
