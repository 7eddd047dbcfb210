//! Clause `money.breach`: what a decision forfeits. A decision may end subscriptions of the account in the transaction that it is
//! written in; a complaint that is upheld gives back what was forfeited.

use super::subscription::{self, Why};
use crate::caller::Trail;
use crate::fault::Fault;
use crate::store;
use crate::store::event::NewEvent;
use crate::store::evidence::{Awaits, NewEvidence};
use crate::store::money::{Breach, ForfeitRow};
use husorden_base::{AccountId, MeasureId, Money, Refusal, SubscriptionId, Text};
use husorden_wire::api;
use serde_json::json;

/// Ends subscriptions of an account for breach; one that is not the account's, or has ended, refuses the whole decision.
pub(crate) async fn forfeit(
    conn: &mut sqlx::PgConnection,
    (account, breach): (AccountId, Breach<'_>),
    subscriptions: &[SubscriptionId],
    by: &str,
    trail: &mut Trail,
) -> Result<Vec<api::Forfeit>, Fault> {
    for (at, id) in subscriptions.iter().enumerate() {
        let row = store::money::subscription(conn, id.0).await?;
        let Some(row) = row.filter(|row| row.account == account && row.state == "active") else {
            let text = Text::new(
                "Kontoen har ikke det abonnement, eller det er afsluttet",
                "The account has no such subscription, or it has ended",
            );
            return Err(Refusal::field(format!("/forfeits/{at}"), text).into());
        };
        let ending = subscription::settle_now(conn, &row, Why::Breach, Some(breach), by).await?;
        trail.and(subscription::ended_trail(&row, &ending, Some(breach.case)));
    }
    Ok(store::money::forfeits(conn, breach.measure).await?.iter().map(ForfeitRow::shown).collect())
}

/// Gives back what a measure has forfeited. Ended it stays: the account may order again.
pub(crate) async fn give_back(
    conn: &mut sqlx::PgConnection,
    account: AccountId,
    measure: MeasureId,
    by: &str,
    trail: &mut Trail,
) -> Result<(), Fault> {
    for row in store::money::give_back(conn, measure, by).await? {
        let data = json!({ "subscription": row.subscription, "name": row.code, "measure": measure,
            "amount": Money::new(row.minor, row.currency) });
        trail.evidence(NewEvidence {
            act: "subscription.return",
            account: Some(account),
            solution: None,
            before: data.clone(),
            awaits: Awaits::Nothing,
            visible_from: None,
        });
        let kind = "subscription.returned";
        trail.event(NewEvent { account: Some(account), solution: None, kind, data, visible_from: None });
    }
    Ok(())
}
