//! Allowances of tries at log-in. None of them can be used up by a stranger against the owner: a device that has logged in
//! before has its own; elsewhere each host has its own for each mailbox, and what is counted for a mailbox over all hosts only
//! makes the answer slower. The counts are in the database, so that several controls share them.

use crate::app::App;
use crate::fault::Fault;
use crate::store;
use crate::visitor::Visitor;
use husorden_base::{PersonId, Refusal, SessionId, Text};
use jiff::{SignedDuration, Timestamp};
use sha2::{Digest, Sha256};
use std::fmt::Display;
use std::time::Duration;
use uuid::Uuid;

/// Longest delay of a try at a mailbox that many try.
const DELAY_MAX: Duration = Duration::from_secs(4);

/// One allowance: so many at once, and so many a second in the long run.
#[derive(Clone, Copy, Debug)]
struct Allowance {
    key: [u8; 32],
    burst: f64,
    per_s: f64,
}

fn allowance(of: &str, who: impl Display, burst: f64, per_s: f64) -> Allowance {
    Allowance { key: Sha256::digest(format!("{of} {who}")).into(), burst, per_s }
}

/// What a try took, to be given back if it was right.
#[derive(Debug, Default)]
#[must_use]
pub(crate) struct Taken(Vec<[u8; 32]>);

impl Taken {
    pub(crate) async fn give_back(self, app: &App) -> Result<(), Fault> {
        Ok(store::identity::give(app.doors().system(), &self.0).await?)
    }
}

/// A try at a mailbox's password.
pub(crate) async fn log_in(app: &App, email: &str, visitor: Visitor, device: Option<Uuid>) -> Result<Taken, Fault> {
    if let Some(device) = device {
        return take(app, &[allowance("device", device, 10.0, 1.0 / 30.0)]).await;
    }
    let host = format!("{email} {}", visitor.host());
    let taken =
        take(app, &[allowance("network", visitor.network(), 60.0, 1.0), allowance("host", host, 5.0, 1.0 / 60.0)])
            .await?;
    let mailbox = allowance("mailbox", email, 20.0, 1.0 / 10.0);
    let wait_s = store::identity::take(app.doors().system(), &mailbox.key, mailbox.burst, mailbox.per_s).await?;
    if wait_s > 0.0 {
        tokio::time::sleep(Duration::from_secs_f64(wait_s).min(DELAY_MAX)).await;
    }
    Ok(taken)
}

/// A try at a person's second factor, by somebody who has the password.
pub(crate) async fn code(app: &App, person: PersonId, device: Option<Uuid>, visitor: Visitor) -> Result<Taken, Fault> {
    let of = match device {
        Some(device) => allowance("device-code", device, 10.0, 1.0 / 30.0),
        None => allowance("code", format!("{person} {}", visitor.host()), 10.0, 1.0 / 60.0),
    };
    take(app, &[of]).await
}

/// A wish for a new password. False: there were enough for now, and nobody is told.
pub(crate) async fn reset(app: &App, email: &str, visitor: Visitor) -> Result<bool, Fault> {
    let _ = take(app, &[allowance("reset-network", visitor.network(), 30.0, 1.0 / 10.0)]).await?;
    let mailbox = allowance("reset", email, 3.0, 1.0 / 1200.0);
    Ok(store::identity::take(app.doors().system(), &mailbox.key, mailbox.burst, mailbox.per_s).await? == 0.0)
}

/// A wish for help with a lost second factor. False: there were enough for now, and nobody is told.
pub(crate) async fn rescue(app: &App, email: &str, visitor: Visitor) -> Result<bool, Fault> {
    let _ = take(app, &[allowance("rescue-network", visitor.network(), 10.0, 1.0 / 60.0)]).await?;
    let mailbox = allowance("rescue", email, 2.0, 1.0 / 3600.0);
    Ok(store::identity::take(app.doors().system(), &mailbox.key, mailbox.burst, mailbox.per_s).await? == 0.0)
}

/// A wish for another address: by whoever wishes, and for the mailbox that is written to.
pub(crate) async fn email(app: &App, person: PersonId, email: &str) -> Result<(), Fault> {
    let wishes = allowance("email", person, 5.0, 1.0 / 600.0);
    let _ = take(app, &[wishes, allowance("email-to", email, 3.0, 1.0 / 1200.0)]).await?;
    Ok(())
}

/// A mail that somebody who is logged in makes us send.
pub(crate) async fn invitation(app: &App, by: impl Display) -> Result<(), Fault> {
    let _ = take(app, &[allowance("invitation", by, 30.0, 1.0 / 120.0)]).await?;
    Ok(())
}

/// A proof within a session that is open already.
pub(crate) async fn proof(app: &App, session: SessionId) -> Result<Taken, Fault> {
    take(app, &[allowance("proof", session, 5.0, 1.0 / 60.0)]).await
}

/// Takes one of each, or refuses.
async fn take(app: &App, all: &[Allowance]) -> Result<Taken, Fault> {
    let mut taken = Taken::default();
    for one in all {
        let wait_s = store::identity::take(app.doors().system(), &one.key, one.burst, one.per_s).await?;
        if wait_s > 0.0 {
            taken.give_back(app).await?;
            return Err(too_many(wait_s).into());
        }
        taken.0.push(one.key);
    }
    Ok(taken)
}

fn too_many(wait_s: f64) -> Refusal {
    #[allow(clippy::cast_possible_truncation, reason = "an allowance refills within minutes")]
    let seconds = wait_s.ceil() as i64;
    let mut refusal = Refusal::new(
        "too-many-tries",
        429,
        Text::new("For mange forsøg", "Too many tries"),
        Text::new(
            format!("Prøv igen om {seconds} s. En enhed, du har logget ind fra før, har sine egne forsøg."),
            format!("Try again in {seconds} s. A device that you have logged in from before has tries of its own."),
        ),
    );
    refusal.until = Timestamp::now().checked_add(SignedDuration::from_secs(seconds)).ok();
    refusal
}
