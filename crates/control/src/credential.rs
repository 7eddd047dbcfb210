//! What a bearer credential stands for. The gate asks here once a request; handlers never do.

use crate::app::App;
use crate::caller::{Caller, Credential, Who};
use crate::doors::Narrow;
use crate::fault::Fault;
use crate::identity::log_in::ended;
use crate::identity::seat::Seat;
use crate::identity::session::Standing;
use crate::store;
use crate::store::identity::session as rows;
use crate::store::measure::Holding;
use crate::token;
use crate::visitor::Visitor;
use husorden_base::{PersonId, Refusal, Text};
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
    /// What of the account it is narrowed to.
    pub(crate) narrow: Narrow,
    /// The measure that holds the whole account.
    pub(crate) held: Option<Holding>,
    /// When a session last proved again who it is.
    pub(crate) stepped_up: Option<Timestamp>,
    /// The session, where it is one.
    pub(crate) seat: Option<Seat>,
}

/// Whom this text stands for; none when it is no credential, or one that has ended. Every request reads it anew, so that what
/// was ended on one control is ended on all.
pub(crate) async fn find(app: &App, bearer: &str, from: Option<Visitor>) -> Result<Option<Found>, Fault> {
    if token::plausible(bearer) {
        return of_token(app, bearer, from).await;
    }
    if bearer.starts_with("hus_session_") && token::plausible_secret(bearer) {
        return of_session(app, bearer).await.map(Some);
    }
    Ok(None)
}

/// Whether what a caller came with is still good; a stream asks this as long as it goes on.
pub(crate) async fn stands(app: &App, caller: &Caller) -> Result<bool, Fault> {
    match caller.credential {
        Credential::Token(id) => Ok(store::token::stands(app.doors().system(), id).await?),
        Credential::Session(id) => Ok(rows::holds(app.doors().system(), id).await?),
    }
}

/// A stream that somebody works by is use of their session, as a request is.
pub(crate) async fn used(app: &App, caller: &Caller) -> Result<(), Fault> {
    match caller.credential {
        Credential::Token(_) => Ok(()),
        Credential::Session(id) => Ok(rows::touch(app.doors().system(), id).await?),
    }
}

async fn of_token(app: &App, bearer: &str, from: Option<Visitor>) -> Result<Option<Found>, Fault> {
    let system = app.doors().system();
    let Some(found) = store::token::find(system, &token::digest(bearer)).await? else { return Ok(None) };
    if !found.cidrs.is_empty() && !from.is_some_and(|from| found.cidrs.iter().any(|net| net.contains(&from.0))) {
        return Err(elsewhere(from).into());
    }
    if !found.used_lately {
        store::token::used(system, found.id).await?;
    }
    Ok(Some(Found {
        credential: Credential::Token(found.id),
        who: found.account.map_or(Who::Staff, Who::Account),
        person: None,
        may: found.capabilities.with(Capability::Own),
        narrow: found.narrow,
        held: found.held,
        stepped_up: None,
        seat: None,
    }))
}

/// A token that came from outside its networks. Which those are is not told: whoever stole it would go there.
fn elsewhere(from: Option<Visitor>) -> Refusal {
    let from = from.map_or_else(|| "?".to_owned(), |from| from.0.to_string());
    let mut refusal = Refusal::new(
        "token-elsewhere",
        403,
        Text::new("Tokenet må ikke bruges herfra", "The token may not be used from here"),
        Text::new(
            format!("Det er bundet til bestemte adresser, og {from} er ikke en af dem."),
            format!("It is bound to certain addresses, and {from} is none of them."),
        ),
    );
    refusal.measured = Some(from);
    refusal
}

/// A session is looked up whole at each request: what ended it, or changed what it may, holds at once and on every control.
async fn of_session(app: &App, bearer: &str) -> Result<Found, Fault> {
    let digest = token::digest(bearer);
    let found = rows::find(app.doors().system(), &digest).await?.ok_or_else(ended)?;
    let standing = found.standing();
    let may = match standing {
        Standing::Ended => return Err(ended().into()),
        // Half a log-in may see itself and get on, or out.
        Standing::Code | Standing::Enrol => Capabilities::of(&[Capability::Own]),
        Standing::Open { .. } => {
            let of_staff = found.staff_roles.iter().flatten().map(|role| role.capabilities());
            of_staff.chain(found.role.map(|role| role.capabilities())).fold(Capabilities::NONE, Capabilities::and)
        }
    };
    if found.session.stale(found.now) {
        rows::touch(app.doors().system(), found.session.id).await?;
    }
    Ok(Found {
        credential: Credential::Session(found.session.id),
        who: found.account.clone().map_or(Who::Staff, Who::Account),
        person: Some(found.person.id),
        may,
        held: found.held.clone(),
        narrow: Narrow::default(),
        stepped_up: found.session.stepped_up,
        seat: Some(Seat { found: found.into(), digest }),
    })
}
