//! The ledger: entries of double postings, and money that came in. What was entered is never changed.

use crate::answer::Answer;
use crate::app::App;
use crate::caller::{Caller, Trail};
use crate::fault::Fault;
use crate::store;
use crate::store::event::NewEvent;
use crate::store::evidence::{Awaits, NewEvidence};
use husorden_base::{AccountId, Refusal, Text};
use husorden_wire::api;
use serde_json::json;

const REFERENCE_CHARS_MAX: usize = 140;
/// Most that is paid at once, in minor units.
const PAYMENT_MINOR_MAX: i64 = 1_000_000_000_000;

pub(crate) async fn list(
    app: &App,
    caller: &Caller,
    account: Option<AccountId>,
    after: i64,
    limit: crate::http::Limit,
) -> Result<Answer, Fault> {
    let mut tx = caller.read(app).await?;
    let rows = store::money::ledger(tx.conn(), account, after, crate::http::one_more(limit)).await?;
    Ok(Answer::ok(crate::http::page(rows, limit, |row| row.id.to_string(), |row| row)))
}

/// The sum of each ledger.
pub(crate) async fn balance(app: &App, caller: &Caller, account: Option<AccountId>) -> Result<Answer, Fault> {
    let mut tx = caller.read(app).await?;
    let items = store::money::balance(tx.conn(), account).await?;
    Ok(Answer::ok(api::Page { items, next: None }))
}

/// Enters money that came in. The same reference is entered once.
pub(crate) async fn payment(app: &App, caller: &Caller, form: &api::Payment) -> Result<Answer, Fault> {
    let length = form.reference.chars().count();
    if form.reference.trim().is_empty() || length > REFERENCE_CHARS_MAX || form.reference.chars().any(char::is_control)
    {
        let text = Text::new(
            format!("1 til {REFERENCE_CHARS_MAX} synlige tegn"),
            format!("1 to {REFERENCE_CHARS_MAX} visible characters"),
        );
        return Err(Refusal::field("/reference", text).into());
    }
    if form.amount.minor == 0 || form.amount.minor.unsigned_abs() > PAYMENT_MINOR_MAX.unsigned_abs() {
        let text =
            Text::new("Et beløb, der ikke er nul og ikke for stort", "An amount that is not zero and not too large");
        return Err(Refusal::field("/amount/minor", text).into());
    }
    let mut tx = app.doors().staff().await?;
    let account = crate::account::named(tx.conn(), &form.account, "/account").await?;
    store::money::payment(tx.conn(), account, form.amount, &form.reference, &caller.signature()).await?;
    let mut trail = Trail::default();
    let data = json!({ "amount": form.amount, "reference": form.reference });
    trail.evidence(NewEvidence {
        act: "ledger.payment",
        account: Some(account),
        solution: None,
        before: data.clone(),
        awaits: Awaits::Nothing,
        visible_from: None,
    });
    trail.event(NewEvent { account: Some(account), solution: None, kind: "payment.entered", data, visible_from: None });
    let items = store::money::balance(tx.conn(), Some(account)).await?;
    trail.finish_staff(app, caller, tx, Answer::created(api::Page { items, next: None })).await
}
