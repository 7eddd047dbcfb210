//! Orders: what a node does once, written to the outbox in the transaction that asks for it.

use crate::answer::Answer;
use crate::app::App;
use crate::caller::{Caller, Trail};
use crate::doors::TenantTx;
use crate::fault::Fault;
use crate::form::IfMatch;
use crate::solution::{self, event};
use crate::store::evidence::{Awaits, NewEvidence};
use crate::store::order::{NewOrder, OrderRow};
use crate::store::snapshot::SnapshotRow;
use crate::store::solution::SolutionRow;
use crate::{store, undo};
use husorden_base::{Bytes, Language, OrderId, Refusal, SnapshotId, Text};
use husorden_kinds::Aim;
use husorden_wire::api;
use husorden_wire::node::{Verb, VerbState};
use serde_json::{Value, json};
use uuid::Uuid;

/// Orders of one solution that may wait at once.
const OPEN_MAX: i64 = 16;
const LABEL_CHARS_MAX: usize = 100;

/// An order to be queued.
#[derive(Debug)]
pub(crate) struct Asked<'a> {
    pub(crate) id: OrderId,
    pub(crate) verb: Verb,
    pub(crate) snapshot: Option<SnapshotId>,
    pub(crate) undoes: Option<SnapshotId>,
    pub(crate) spool: Option<&'a str>,
}

impl Asked<'_> {
    /// An order with nothing but a verb.
    pub(crate) fn just(verb: Verb) -> Self {
        Self { id: OrderId::new(), verb, snapshot: None, undoes: None, spool: None }
    }
}

/// Queues an order.
pub(crate) async fn queue(
    tx: &mut TenantTx,
    row: &SolutionRow,
    asked: Asked<'_>,
    trail: &mut Trail,
) -> Result<OrderRow, Fault> {
    let open = store::order::open(tx.conn(), row.id).await?;
    if open >= OPEN_MAX {
        return Err(Refusal::new(
            "too-many-orders",
            409,
            Text::new("For mange ordrer venter", "Too many orders are waiting"),
            Text::new("Vent, til nogle er færdige.", "Wait until some have ended."),
        )
        .with_limit(format!("{open} orders"), format!("{OPEN_MAX} orders"))
        .into());
    }
    let word = word(&asked.verb);
    let new = NewOrder {
        id: asked.id,
        row,
        word,
        verb: &asked.verb,
        snapshot: asked.snapshot,
        undoes: asked.undoes,
        spool: asked.spool,
    };
    let order = store::order::insert(tx.conn(), &new).await?;
    trail.evidence(NewEvidence {
        act: act(&asked.verb),
        account: Some(row.account),
        solution: Some(row.id),
        before: json!({ "order": order.id, "verb": told(&asked.verb), "name": row.name }),
        awaits: Awaits::Order(order.id),
        visible_from: None,
    });
    // Who reads a backup folder by folder asks often; that is evidence, and no news.
    if !matches!(asked.verb, Verb::BackupRead { .. }) {
        let data = json!({ "name": row.name, "order": order.id, "verb": word });
        trail.event(event(row.account, row.id, "order.queued", data));
    }
    Ok(order)
}

/// The snapshot that is taken before a change which may lose something.
pub(crate) async fn snapshot_before_change(
    tx: &mut TenantTx,
    before: &SolutionRow,
    trail: &mut Trail,
) -> Result<OrderId, Fault> {
    let snapshot = SnapshotId::new();
    let label = "before a change";
    store::snapshot::insert(tx.conn(), snapshot, (before.id, before.account), label, Some("change"), &before.spec)
        .await?;
    let verb = Verb::Snapshot { snapshot, label: label.to_owned(), before: Some("change".to_owned()) };
    let asked = Asked { snapshot: Some(snapshot), ..Asked::just(verb) };
    Ok(queue(tx, before, asked, trail).await?.id)
}

/// The snapshot that another solution is made from.
pub(crate) async fn snapshot_to_copy(
    app: &App,
    tx: &mut TenantTx,
    row: &SolutionRow,
    to: &str,
    trail: &mut Trail,
) -> Result<SnapshotId, Fault> {
    room_for_snapshot(app, tx, row).await?;
    let snapshot = SnapshotId::new();
    let label = format!("copied to {to}");
    store::snapshot::insert(tx.conn(), snapshot, (row.id, row.account), &label, None, &row.spec).await?;
    let verb = Verb::Snapshot { snapshot, label, before: None };
    queue(tx, row, Asked { snapshot: Some(snapshot), ..Asked::just(verb) }, trail).await?;
    Ok(snapshot)
}

async fn room_for_snapshot(app: &App, tx: &mut TenantTx, row: &SolutionRow) -> Result<(), Fault> {
    let limit = app.config().limits.snapshots_per_solution_max;
    let count = store::snapshot::count(tx.conn(), row.id).await?;
    if count < i64::from(limit) {
        return Ok(());
    }
    Err(Refusal::new(
        "too-many-snapshots",
        409,
        Text::new("Der er for mange øjebliksbilleder", "There are too many snapshots"),
        Text::new("Slet et først.", "Delete one first."),
    )
    .with_limit(format!("{count} snapshots"), format!("{limit} snapshots"))
    .into())
}

/// Takes a snapshot.
pub(crate) async fn snapshot(
    app: &App,
    caller: &Caller,
    text: &str,
    form: api::SnapshotCreate,
) -> Result<Answer, Fault> {
    if form.label.chars().count() > LABEL_CHARS_MAX || form.label.chars().any(char::is_control) {
        return Err(Refusal::field(
            "/label",
            Text::new(
                format!("Højst {LABEL_CHARS_MAX} synlige tegn"),
                format!("At most {LABEL_CHARS_MAX} visible characters"),
            ),
        )
        .into());
    }
    let (mut tx, row) = solution::open(app, caller, text, &IfMatch::default()).await?;
    refuse_gone(&row)?;
    room_for_snapshot(app, &mut tx, &row).await?;
    let snapshot = SnapshotId::new();
    store::snapshot::insert(tx.conn(), snapshot, (row.id, row.account), &form.label, None, &row.spec).await?;
    let verb = Verb::Snapshot { snapshot, label: form.label, before: None };
    let asked = Asked { snapshot: Some(snapshot), ..Asked::just(verb) };
    end(app, caller, tx, &row, asked).await
}

/// Deletes a snapshot.
pub(crate) async fn snapshot_delete(app: &App, caller: &Caller, text: &str, snapshot: &str) -> Result<Answer, Fault> {
    let (mut tx, row) = solution::open(app, caller, text, &IfMatch::default()).await?;
    refuse_gone(&row)?;
    let found = ready(&mut tx, &row, snapshot).await?;
    store::snapshot::set_state(tx.conn(), found.id, "deleting").await?;
    let asked = Asked { snapshot: Some(found.id), ..Asked::just(Verb::SnapshotDelete { snapshot: found.id }) };
    end(app, caller, tx, &row, asked).await
}

/// Brings a solution back to a snapshot: its volume, and the spec as it was then, for they belong together.
pub(crate) async fn restore(app: &App, caller: &Caller, text: &str, snapshot: &str) -> Result<Answer, Fault> {
    let (mut tx, row) = solution::open(app, caller, text, &IfMatch::default()).await?;
    refuse_gone(&row)?;
    let found = ready(&mut tx, &row, snapshot).await?;
    let mut trail = Trail::default();
    let order = undo::restore(app, &mut tx, row, &found, None, &mut trail).await?;
    trail.finish(app, caller, tx, Answer::accepted(shown(&order, caller.language))).await
}

/// Wakes a solution, puts it to sleep, resets it, or has it updated.
pub(crate) async fn rouse(app: &App, caller: &Caller, text: &str, verb: Verb) -> Result<Answer, Fault> {
    let (tx, row) = solution::open(app, caller, text, &IfMatch::default()).await?;
    refuse_gone(&row)?;
    if row.aim == Aim::Stop && matches!(verb, Verb::Wake | Verb::Update | Verb::Reset) {
        return Err(Refusal::new(
            "is-stopped",
            409,
            Text::new("Løsningen er stoppet", "The solution is stopped"),
            Text::new("Start den først.", "Start it first."),
        )
        .into());
    }
    if verb == Verb::Reset && app.kind(&row.kind).is_some_and(|kind| !kind.runs()) {
        return Err(Refusal::new(
            "nothing-runs",
            409,
            Text::new("Der kører intet af den", "Nothing of it runs"),
            Text::new("Der er ingen strøm at tage.", "There is no power to take."),
        )
        .into());
    }
    end(app, caller, tx, &row, Asked::just(verb)).await
}

/// Queues one order and ends the transaction.
pub(crate) async fn end(
    app: &App,
    caller: &Caller,
    mut tx: TenantTx,
    row: &SolutionRow,
    asked: Asked<'_>,
) -> Result<Answer, Fault> {
    let mut trail = Trail::default();
    let order = queue(&mut tx, row, asked, &mut trail).await?;
    let answer = Answer::accepted(shown(&order, caller.language)).at(format!("/v1/orders/{}", order.id));
    trail.finish(app, caller, tx, answer).await
}

/// A snapshot that can be used.
async fn ready(tx: &mut TenantTx, row: &SolutionRow, text: &str) -> Result<SnapshotRow, Fault> {
    let id = text.parse::<Uuid>().map_err(|_| Refusal::not_found(text))?;
    let found = store::snapshot::get(tx.conn(), row.id, id).await?.ok_or_else(|| Refusal::not_found(text))?;
    if found.state != "ready" {
        return Err(Refusal::new(
            "snapshot-not-ready",
            409,
            Text::new("Øjebliksbilledet kan ikke bruges", "The snapshot cannot be used"),
            Text::new(format!("Dets tilstand er {}.", found.state), format!("Its state is {}.", found.state)),
        )
        .into());
    }
    Ok(found)
}

/// Nothing but undo is done to a solution that is on its way out.
pub(crate) fn refuse_gone(row: &SolutionRow) -> Result<(), Refusal> {
    if row.aim != Aim::Gone {
        return Ok(());
    }
    let mut refusal = Refusal::new(
        "is-deleted",
        409,
        Text::new("Løsningen er slettet", "The solution is deleted"),
        Text::new(
            format!("Fortryd sletningen først: POST /v1/solutions/{}/undo.", row.id),
            format!("Undo the deletion first: POST /v1/solutions/{}/undo.", row.id),
        ),
    );
    refusal.until = row.retain_until;
    Err(refusal)
}

/// A verb as evidence keeps it. Where backups lie is the host's, and what is evidence is the account's to read.
fn told(verb: &Verb) -> Value {
    let mut told = json!(verb);
    if let Some(fields) = told.as_object_mut() {
        fields.remove("repository");
    }
    told
}

pub(crate) const fn word(verb: &Verb) -> &'static str {
    match verb {
        Verb::Snapshot { .. } => "snapshot",
        Verb::Restore { .. } => "restore",
        Verb::SnapshotDelete { .. } => "snapshot-delete",
        Verb::Unpack { .. } => "unpack",
        Verb::Dump { .. } => "dump",
        Verb::Package => "package",
        Verb::Load { .. } => "load",
        Verb::BackUp { .. } => "back-up",
        Verb::BackupRestore { .. } => "backup-restore",
        Verb::BackupRead { .. } => "backup-read",
        Verb::Prove { .. } => "prove",
        Verb::Update => "update",
        Verb::Wake => "wake",
        Verb::Sleep => "sleep",
        Verb::Reset => "reset",
    }
}

const fn act(verb: &Verb) -> &'static str {
    match verb {
        Verb::Snapshot { .. } => "order.snapshot",
        Verb::Restore { .. } => "order.restore",
        Verb::SnapshotDelete { .. } => "order.snapshot-delete",
        Verb::Unpack { .. } => "order.unpack",
        Verb::Dump { .. } => "order.dump",
        Verb::Package => "order.package",
        Verb::Load { .. } => "order.load",
        Verb::BackUp { .. } => "order.back-up",
        Verb::BackupRestore { .. } => "order.backup-restore",
        Verb::BackupRead { .. } => "order.backup-read",
        Verb::Prove { .. } => "order.prove",
        Verb::Update => "order.update",
        Verb::Wake => "order.wake",
        Verb::Sleep => "order.sleep",
        Verb::Reset => "order.reset",
    }
}

/// An order as the API shows it.
pub(crate) fn shown(order: &OrderRow, language: Language) -> api::Order {
    let asked = |what: &str| order.body.get(what);
    // What is taken in is as large as what was sent; what is handed out is known by the end alone.
    let sent = asked("bytes").and_then(serde_json::Value::as_u64);
    let expected = order.bytes_expected.or(sent);
    let (message, percent) = match (&order.refusal, &order.progress) {
        (Some(refusal), _) => {
            let text = format!("{}: {}", refusal.title.get(language), refusal.detail.get(language));
            (Some(text), None)
        }
        (None, Some(VerbState::Running { text, percent })) => (
            Some(flowing(text.get(language), order.bytes, expected, language)),
            percent.or_else(|| Some(share(order.bytes?, expected?))),
        ),
        (None, _) => (None, (order.state == "done").then_some(100)),
    };
    api::Order {
        id: order.id.to_string(),
        solution: order.solution.to_string(),
        verb: order.verb.clone(),
        state: order.state.clone(),
        message,
        percent,
        snapshot: order.snapshot.map(|id| id.to_string()),
        part: asked("part").and_then(|part| part.as_str()).map(str::to_owned),
        bytes: order.bytes,
        bytes_expected: expected,
        created: order.created,
        ended: order.ended,
    }
}

/// The share of a stream that went through. It is an estimate, so that all of it is not said before it is.
fn share(bytes: u64, expected: u64) -> u8 {
    u8::try_from(u128::from(bytes) * 100 / u128::from(expected.max(1))).map_or(99, |share| share.min(99))
}

/// What is done, and how far its stream is.
fn flowing(text: &str, bytes: Option<u64>, expected: Option<u64>, language: Language) -> String {
    match (bytes.map(Bytes), expected.map(Bytes), language) {
        (None, ..) => text.to_owned(),
        (Some(bytes), None, _) => format!("{text}: {bytes}"),
        (Some(bytes), Some(expected), Language::Da) => format!("{text}: {bytes} af omkring {expected}"),
        (Some(bytes), Some(expected), Language::En) => format!("{text}: {bytes} of about {expected}"),
    }
}

/// A snapshot as the API shows it.
pub(crate) fn snapshot_shown(row: SnapshotRow) -> api::Snapshot {
    api::Snapshot {
        id: row.id.to_string(),
        solution: row.solution.to_string(),
        label: row.label,
        before: row.before,
        state: row.state,
        taken: row.taken,
        consistent: row.consistent.map(|worth| worth.word().to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stream_is_never_all_there_before_its_end() {
        let shares = [(0, 100), (50, 100), (100, 100), (300, 100), (5, 0), (u64::MAX, u64::MAX)];
        assert_eq!(shares.map(|(bytes, of)| share(bytes, of)), [0, 50, 99, 99, 99, 99]);
        let said = |bytes, expected, language| flowing("Dumping", bytes, expected, language);
        assert_eq!(said(None, Some(1), Language::En), "Dumping");
        assert_eq!(said(Some(1_536), None, Language::En), "Dumping: 1.5 KiB");
        assert_eq!(said(Some(1_536), Some(4_096), Language::En), "Dumping: 1.5 KiB of about 4 KiB");
    }
}
