//! Undo: of a deletion, or of the newest restore, unpacking or destructive change, by the snapshot the platform took before it.

use crate::answer::Answer;
use crate::app::App;
use crate::caller::{Caller, Trail};
use crate::doors::TenantTx;
use crate::fault::Fault;
use crate::form::IfMatch;
use crate::licence;
use crate::order::{self, Asked};
use crate::solution;
use crate::store;
use crate::store::order::OrderRow;
use crate::store::snapshot::SnapshotRow;
use crate::store::solution::SolutionRow;
use husorden_base::{OrderId, Refusal, SnapshotId, Text};
use husorden_kinds::{Aim, Login, allow, network, public};
use husorden_wire::node::Verb;
use jiff::Timestamp;
use serde_json::{Value, json};

/// Undoes what can be undone. Answers with the solution when a deletion is undone, and else with the order that a node
/// carries out.
pub(crate) async fn undo(app: &App, caller: &Caller, text: &str, if_match: &IfMatch) -> Result<Answer, Fault> {
    let (mut tx, mut row) = solution::open(app, caller, text, if_match).await?;
    if row.aim == Aim::Gone {
        if let Some(until) = row.retain_until.filter(|until| *until <= Timestamp::now()) {
            return Err(too_late(until).into());
        }
        row.aim = row.aim_before;
        row.retain_until = None;
        let details = json!({ "undone": "delete" });
        return solution::save(
            app,
            caller,
            tx,
            &row,
            None,
            Trail::default(),
            "solution.undo",
            "solution.undone",
            details,
        )
        .await;
    }
    let Some(snapshot) = store::snapshot::to_undo(tx.conn(), row.id).await? else {
        return Err(nothing().into());
    };
    if snapshot.state != "ready" {
        return Err(Refusal::new(
            "undo-not-yet",
            409,
            Text::new("Det kan ikke fortrydes endnu", "It cannot be undone yet"),
            Text::new(
                "Ændringen er ved at blive udført; prøv igen, når ordren er færdig.",
                "The change is being carried out; try again when the order has ended.",
            ),
        )
        .into());
    }
    store::snapshot::set_undone(tx.conn(), snapshot.id).await?;
    let told = solution::event(row.account, row.id, "solution.undone", json!({ "name": row.name }));
    let mut trail = Trail::default();
    let order = restore(app, &mut tx, row, &snapshot, Some(snapshot.id), &mut trail).await?;
    trail.event(told);
    let answer = Answer::accepted(order::shown(&order, caller.language)).at(format!("/v1/orders/{}", order.id));
    trail.finish(app, caller, tx, answer).await
}

/// Queues the restore of a snapshot and holds the wish with its spec until the node has done it. `undoes` says that this is
/// an undo, which is not itself undone by the next one.
pub(crate) async fn restore(
    app: &App,
    tx: &mut TenantTx,
    row: SolutionRow,
    snapshot: &SnapshotRow,
    undoes: Option<SnapshotId>,
    trail: &mut Trail,
) -> Result<OrderRow, Fault> {
    refuse_waiting(&row)?;
    let before = SnapshotId::new();
    let word = if undoes.is_some() { "undo" } else { "restore" };
    let label = format!("before {word}");
    store::snapshot::insert(tx.conn(), before, (row.id, row.account), &label, Some(word), &row.spec).await?;
    let back = snapshot.spec.as_ref().and_then(|spec| with_spec(&row, spec));
    let verb = Verb::Restore { snapshot: snapshot.id, before, spec_follows: back.is_some() };
    let order =
        order::queue(tx, &row, Asked { snapshot: Some(snapshot.id), undoes, ..Asked::just(verb) }, trail).await?;
    if let Some(back) = back {
        goes_back(app, tx, &row.spec, back, order.id).await?;
    }
    Ok(order)
}

/// Only one change at a time waits for an order.
pub(crate) fn refuse_waiting(row: &SolutionRow) -> Result<(), Refusal> {
    if row.hold_for.is_none() {
        return Ok(());
    }
    Err(Refusal::new(
        "change-waits",
        409,
        Text::new("En ændring venter allerede på en ordre", "A change waits for an order already"),
        Text::new("Prøv igen, når ordren er færdig.", "Try again when the order has ended."),
    ))
}

/// The solution with a spec that it had, where that is another one. What is brought back is data and how it is served; who may connect, and
/// which networks it is in, is as it is now.
pub(crate) fn with_spec(row: &SolutionRow, spec: &Value) -> Option<SolutionRow> {
    let spec = public::keep(network::keep(&allow::keep(spec, &row.spec), &row.spec), &row.spec);
    (spec != row.spec).then(|| SolutionRow { spec, ..row.clone() })
}

/// Has the wish go back to that when an order is done, from the spec that it has now.
pub(crate) async fn goes_back(
    app: &App,
    tx: &mut TenantTx,
    now: &Value,
    mut back: SolutionRow,
    order: OrderId,
) -> Result<(), Fault> {
    if let Some(kind) = app.kind(&back.kind) {
        licence::check(tx, kind, back.id, Some(now), &back.spec).await?;
        solution::claim(tx, kind, back.id, back.account, &back.spec, true).await?;
        // A password that was made for something that ends with this is none for when it begins anew.
        let wanted = kind.credentials(&back.spec);
        let ends = |login: &Login| login.at_once && !wanted.iter().any(|one| one.name == login.name);
        for login in kind.credentials(now).into_iter().filter(ends) {
            back.credentials.remove(&login.name);
        }
    }
    store::solution::save(tx.conn(), &back, Some(order)).await?;
    Ok(())
}

/// From then on the node may have removed what was retained, also where control has not heard of it.
fn too_late(until: Timestamp) -> Refusal {
    let mut refusal = Refusal::new(
        "undo-too-late",
        409,
        Text::new("Sletningen kan ikke længere fortrydes", "The deletion can no longer be undone"),
        Text::new(
            format!("Fristen udløb {until}; det, der var gemt, er slettet eller bliver det nu."),
            format!("The time for it ended at {until}; what was kept is removed, or is being removed."),
        ),
    );
    refusal.since = Some(until);
    refusal
}

fn nothing() -> Refusal {
    Refusal::new(
        "nothing-to-undo",
        409,
        Text::new("Der er intet at fortryde", "There is nothing to undo"),
        Text::new(
            "Fortrydes kan en sletning, en gendannelse, en udpakning og en ændring, der kunne koste data.",
            "What can be undone is a deletion, a restore, an unpacking, and a change that could have cost data.",
        ),
    )
}
