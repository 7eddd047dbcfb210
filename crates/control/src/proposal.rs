//! Proposals: a refused attempt becomes "allow 203.0.113.7?", and one word puts it on the allow-list.
//!
//! A proposal is never acted on by the platform. Accepting one is a change of the solution's spec like any other, read by the
//! same reader; it loses nothing, so no snapshot is taken.
//!
//! Whoever needs to get in now opens for their own address, having proved again who they are; the entry ends by the node's clock, whether
//! control is there or not.

use crate::answer::Answer;
use crate::app::App;
use crate::caller::{Caller, Trail};
use crate::fault::Fault;
use crate::form::IfMatch;
use crate::merge::merge;
use crate::solution;
use crate::store::evidence::{Awaits, NewEvidence};
use crate::store::refused::RefusedRow;
use crate::visitor::Visitor;
use crate::{order, store};
use husorden_base::{Refusal, Text};
use husorden_kinds::allow::{Access, Entry, parse_net, short};
use husorden_wire::api;
use ipnet::IpNet;
use jiff::{SignedDuration, Timestamp};
use serde_json::json;
use std::net::IpAddr;
use std::ops::RangeInclusive;
use uuid::Uuid;

/// Minutes that somebody may open for at once.
const OPEN_MINUTES: RangeInclusive<u32> = 5..=720;

/// Who was refused and is not let in meanwhile, the newest first.
pub(crate) async fn list(app: &App, caller: &Caller, text: &str, visitor: Visitor) -> Result<Answer, Fault> {
    let view = solution::find(app, caller, text).await?;
    let mut tx = caller.read(app).await?;
    let rows = store::refused::list(tx.conn(), view.id).await?;
    let access = Access::of(&view.spec).unwrap_or_default();
    let now = Timestamp::now();
    let rows = rows.into_iter().filter(|row| !covers(&access, row.net, now));
    let items = rows.map(|row| shown(&row, visitor)).collect();
    Ok(Answer::ok(api::Page::<api::Proposal> { items, next: None }))
}

/// Puts a proposal on the allow-list.
pub(crate) async fn accept(
    app: &App,
    caller: &Caller,
    (text, id): (&str, Uuid),
    if_match: &IfMatch,
    form: api::ProposalAccept,
) -> Result<Answer, Fault> {
    let (mut tx, mut row) = solution::open(app, caller, text, if_match).await?;
    order::refuse_gone(&row)?;
    let proposal =
        store::refused::get(tx.conn(), row.id, id).await?.ok_or_else(|| Refusal::not_found(&id.to_string()))?;
    let (Some(kind), Some(mut access)) = (app.kind(&row.kind), Access::of(&row.spec)) else {
        return Err(no_list().into());
    };
    // An entry for the same address that has ended, or ends too early, makes room for this one.
    access.allow.retain(|entry| entry.net != proposal.net);
    access.allow.push(Entry { net: proposal.net, note: form.note.clone(), until: form.until });
    let wished = merge(&row.spec, &json!({ "allow": access.allow }));
    let at = format!("/spec/allow/{}/", access.allow.len() - 1);
    row.spec = solution::parse(kind, &wished, Some(&row.spec), Vec::new()).map_err(|refusal| own_form(refusal, &at))?;
    store::refused::forget(tx.conn(), &proposal).await?;
    let details = json!({ "net": short(proposal.net), "note": form.note, "ends": form.until, "port": proposal.port,
        "attempts": proposal.attempts, "proposal": proposal.id });
    solution::save(app, caller, tx, &row, None, Trail::default(), "access.allow", "access.allowed", details).await
}

/// Lets one address connect for a while. An entry for it that lasts longer stays as it is.
pub(crate) async fn open(
    app: &App,
    caller: &Caller,
    (text, visitor): (&str, Visitor),
    if_match: &IfMatch,
    form: api::AccessOpen,
) -> Result<Answer, Fault> {
    let (tx, mut row) = solution::open(app, caller, text, if_match).await?;
    order::refuse_gone(&row)?;
    let (Some(kind), Some(mut access)) = (app.kind(&row.kind), Access::of(&row.spec)) else {
        return Err(no_list().into());
    };
    if !OPEN_MINUTES.contains(&form.minutes) {
        let (least, most) = (OPEN_MINUTES.start(), OPEN_MINUTES.end());
        let text = Text::new(format!("Fra {least} til {most} minutter."), format!("From {least} to {most} minutes."));
        return Err(Refusal::field("/minutes", text).into());
    }
    let own = || match visitor.host() {
        address @ IpAddr::V4(_) => address.to_string(),
        address @ IpAddr::V6(_) => format!("{address}/64"),
    };
    let net = parse_net(&form.net.clone().unwrap_or_else(own)).map_err(|text| Refusal::field("/net", text))?;
    let until = Timestamp::now() + SignedDuration::from_mins(form.minutes.into());
    let before = access.allow.iter().find(|entry| entry.net == net).cloned();
    let longer = before.as_ref().is_some_and(|entry| entry.until.is_none_or(|ends| ends > until));
    let until = if longer { before.as_ref().and_then(|entry| entry.until) } else { Some(until) };
    if !longer {
        access.allow.retain(|entry| entry.net != net);
        access.allow.push(Entry { net, note: form.note.clone(), until });
        let wished = merge(&row.spec, &json!({ "allow": access.allow }));
        let at = format!("/spec/allow/{}/", access.allow.len() - 1);
        row.spec =
            solution::parse(kind, &wished, Some(&row.spec), Vec::new()).map_err(|refusal| own_form(refusal, &at))?;
    }
    let details =
        json!({ "net": short(net), "note": form.note, "ends": until, "until": until, "asked-from": visitor.0 });
    solution::save(app, caller, tx, &row, None, Trail::default(), "access.open", "access.opened", details).await
}

/// What is wrong with an entry stands in the caller's own form.
fn own_form(mut refusal: Refusal, at: &str) -> Refusal {
    for field in &mut refusal.fields {
        if let Some(own) = field.pointer.strip_prefix(at) {
            field.pointer = format!("/{own}");
        }
    }
    refusal
}

/// Takes a proposal away: it is nobody the account knows.
pub(crate) async fn dismiss(app: &App, caller: &Caller, text: &str, id: Uuid) -> Result<Answer, Fault> {
    let found = solution::find(app, caller, text).await?;
    let mut tx = caller.tenant(app, found.account, Some(found.id)).await?;
    let row = store::refused::get(tx.conn(), found.id, id).await?.ok_or_else(|| Refusal::not_found(&id.to_string()))?;
    store::refused::dismiss(tx.conn(), &row).await?;
    let mut trail = Trail::default();
    trail.evidence(NewEvidence {
        act: "proposal.dismiss",
        account: Some(found.account),
        solution: Some(found.id),
        before: json!({ "net": row.net, "port": row.port, "attempts": row.attempts, "proposal": row.id }),
        awaits: Awaits::Nothing,
        visible_from: None,
    });
    trail.finish(app, caller, tx, Answer::empty()).await
}

fn covers(access: &Access, net: IpNet, now: Timestamp) -> bool {
    access.allow.iter().any(|entry| entry.lasts(now) && entry.net.contains(&net))
}

fn shown(row: &RefusedRow, visitor: Visitor) -> api::Proposal {
    api::Proposal {
        id: row.id.to_string(),
        solution: row.solution.to_string(),
        net: short(row.net),
        port: row.port,
        attempts: row.attempts,
        first: row.first,
        last: row.last,
        own: row.net.contains(&visitor.0),
    }
}

fn no_list() -> Refusal {
    Refusal::new(
        "no-allow-list",
        409,
        Text::new(
            "Løsningen har ingen liste over, hvem der må forbinde",
            "The solution has no list of who may connect",
        ),
        Text::new(
            "Denne slags løsning kan ikke nås på en port; der er intet at give adgang til.",
            "This kind of solution is not reached by a port; there is nothing to give access to.",
        ),
    )
}
