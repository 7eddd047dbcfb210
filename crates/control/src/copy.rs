//! A solution made from another of the same account: from a backup or a snapshot of it, or from what it holds now, of which a snapshot
//! is ordered then. The new one has names, passwords and a volume of its own; the spec is the other's, with the form laid over it.

use crate::app::App;
use crate::attachment;
use crate::backup::away;
use crate::doors::TenantTx;
use crate::fault::Fault;
use crate::store::solution::{SolutionRow, SolutionView};
use crate::{order, store};
use husorden_base::{Refusal, Text};
use husorden_kinds::Kind;
use husorden_wire::api;
use husorden_wire::node::{BackupOrigin, LogOrigin, Origin};
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};
use uuid::Uuid;

/// How long what opens the backups of a deleted solution must still be kept, so that a volume can be made from one.
const KEY_LIVES: SignedDuration = SignedDuration::from_hours(1);

/// What a solution is made from.
pub(crate) struct Source {
    /// The other solution, locked.
    pub(crate) row: SolutionRow,
    /// The snapshot, if one was chosen.
    snapshot: Option<Uuid>,
    /// The backup, if one was chosen.
    backup: Option<(Uuid, BackupOrigin)>,
    /// The time to which the log is carried out from there.
    at: Option<Timestamp>,
    /// The spec as it was when the snapshot was taken.
    pub(crate) spec: Value,
}

/// Finds and locks what is copied, or what a solution of another kind is made of. Only what is the account's own is found.
pub(crate) async fn source(tx: &mut TenantTx, from: &api::SolutionFrom, kind: &dyn Kind) -> Result<Source, Fault> {
    let mut source = found(tx, from, kind).await?;
    if source.row.kind != kind.name() {
        let spec = kind.spec_made_of(&source.spec);
        source.spec = spec.ok_or_else(|| other_kind(&source.row))?;
    }
    Ok(source)
}

fn other_kind(row: &SolutionRow) -> Refusal {
    Refusal::field(
        "/kind",
        Text::new(
            format!("{} er af slagsen {}", row.name, row.kind),
            format!("{} is of the kind {}", row.name, row.kind),
        ),
    )
}

async fn found(tx: &mut TenantTx, from: &api::SolutionFrom, kind: &dyn Kind) -> Result<Source, Fault> {
    let missing = |pointer: &str, what: &str| {
        let text = Text::new(format!("{what:?} findes ikke"), format!("{what:?} does not exist"));
        Fault::from(Refusal::field(pointer, text))
    };
    let mut found = store::solution::find(tx.conn(), &from.solution).await?;
    let (Some(view), true) = (found.pop(), found.is_empty()) else {
        return Err(missing("/from/solution", &from.solution));
    };
    let Some(row) = store::solution::lock(tx.conn(), view.id).await? else {
        return Err(missing("/from/solution", &from.solution));
    };
    // What was deleted is still to be had from its backups, for as long as their key surely lives.
    let soon = Timestamp::now() + KEY_LIVES;
    if from.backup.is_none() || row.retain_until.is_none_or(|until| until < soon) {
        order::refuse_gone(&row)?;
    }
    if row.kind != kind.name() && kind.made_of() != Some(row.kind.as_str()) {
        return Err(other_kind(&row).into());
    }
    // What is closed is not carried on under another name; staff lift the measure first.
    if let Some(held) = store::solution::held_on(tx.conn(), row.id).await? {
        return Err(held.refusal(false).into());
    }
    if from.off_site {
        return from_off_site(tx, view, row, from).await;
    }
    if let Some(text) = &from.backup {
        if from.snapshot.is_some() || from.at.is_some() {
            let text = Text::new(
                "Vælg en backup, et øjebliksbillede eller et tidspunkt",
                "Choose a backup, a snapshot or a time",
            );
            return Err(Refusal::field("/from/backup", text).into());
        }
        let Ok(id) = text.parse::<Uuid>() else { return Err(missing("/from/backup", text)) };
        let found = store::backup::get(tx.conn(), row.id, id).await?.filter(|backup| backup.state == "ready");
        let Some((found, copy)) = found.and_then(|found| found.copy.clone().map(|copy| (found, copy))) else {
            return Err(missing("/from/backup", text));
        };
        let repository = store::backup::repository(tx.conn(), row.id, found.target).await?;
        let mut spec = found.spec;
        attachment::not_inherited(&mut spec)?;
        let backup = BackupOrigin { solution: row.id, repository, copy, log: None };
        return Ok(Source { row, snapshot: None, backup: Some((id, backup)), at: None, spec });
    }
    if let Some(at) = from.at {
        let base = base(&row, from, at)?;
        // What was changed since has a snapshot from before it, and that the spec of then.
        let then = store::snapshot::spec_at(tx.conn(), row.id, at).await?;
        let mut spec = then.unwrap_or_else(|| row.spec.clone());
        attachment::not_inherited(&mut spec)?;
        return Ok(Source { row, snapshot: Some(base), backup: None, at: Some(at), spec });
    }
    let Some(text) = &from.snapshot else {
        let mut spec = row.spec.clone();
        attachment::not_inherited(&mut spec)?;
        return Ok(Source { row, snapshot: None, backup: None, at: None, spec });
    };
    let Ok(id) = text.parse::<Uuid>() else { return Err(missing("/from/snapshot", text)) };
    match store::snapshot::get(tx.conn(), row.id, id).await? {
        Some(snapshot) if snapshot.state == "ready" => {
            let mut spec = snapshot.spec.unwrap_or_else(|| row.spec.clone());
            attachment::not_inherited(&mut spec)?;
            Ok(Source { row, snapshot: Some(id), backup: None, at: None, spec })
        }
        Some(_) | None => Err(missing("/from/snapshot", text)),
    }
}

/// A time, from where the backups lie: the newest backup before it, and the log there.
async fn from_off_site(
    tx: &mut TenantTx,
    view: SolutionView,
    row: SolutionRow,
    from: &api::SolutionFrom,
) -> Result<Source, Fault> {
    let wrong = |da: String, en: String| Fault::from(Refusal::field("/from/at", Text::new(da, en)));
    let (Some(at), None, None) = (from.at, &from.snapshot, &from.backup) else {
        return Err(wrong("Vælg et tidspunkt, og intet andet".into(), "Choose a time, and nothing else".into()));
    };
    let none = || {
        wrong(
            "Der er endnu intet tidspunkt at få udefra; der skal først være en backup, og skrives noget".into(),
            "There is no time to be had from off-site yet; there must be a backup first, and something be written"
                .into(),
        )
    };
    let window = away::window(&view).ok_or_else(none)?;
    let base = window.base(at).filter(|_| at <= window.to).ok_or_else(|| {
        let (from, to) = (window.from, window.to);
        wrong(
            format!("Tidspunktet skal ligge mellem {from:.0} og {to:.0}"),
            format!("The time must lie between {from:.0} and {to:.0}"),
        )
    })?;
    let found = store::backup::get(tx.conn(), row.id, base.backup.0).await?.filter(|backup| backup.state == "ready");
    let Some((found, copy)) = found.and_then(|found| found.copy.clone().map(|copy| (found, copy))) else {
        return Err(none());
    };
    let repository = store::backup::repository(tx.conn(), row.id, found.target).await?;
    // What was changed since has a snapshot from before it, and that the spec of then.
    let then = store::snapshot::spec_at(tx.conn(), row.id, at).await?;
    let mut spec = then.unwrap_or_else(|| row.spec.clone());
    attachment::not_inherited(&mut spec)?;
    let log = Some(LogOrigin { copy: window.away.copy.clone(), at, optional: false });
    let backup = BackupOrigin { solution: row.id, repository, copy, log };
    Ok(Source { row, snapshot: None, backup: Some((base.backup.0, backup)), at: None, spec })
}

/// The snapshot from which the log is carried out to a time. What the node said last decides at the door; it looks again itself.
fn base(row: &SolutionRow, from: &api::SolutionFrom, at: Timestamp) -> Result<Uuid, Fault> {
    let wrong = |da: String, en: String| Fault::from(Refusal::field("/from/at", Text::new(da, en)));
    if from.snapshot.is_some() {
        return Err(wrong("Vælg et øjebliksbillede eller et tidspunkt".into(), "Choose a snapshot or a time".into()));
    }
    let none = || {
        wrong(
            "Der er endnu intet tidspunkt at få; der skal først skrives noget, og gå et minut".into(),
            "There is no time to be had yet; something must be written first, and a minute pass".into(),
        )
    };
    let log = row.seen.as_ref().and_then(|seen| seen.log.as_ref()).ok_or_else(none)?;
    let to = log.to.unwrap_or_else(Timestamp::now);
    if at < log.from || at > to {
        // The first whole second of it.
        let second = log.from.as_second() + i64::from(log.from.subsec_nanosecond() > 0);
        let from = Timestamp::from_second(second).unwrap_or(log.from);
        if from > to {
            return Err(none());
        }
        return Err(wrong(
            format!("Tidspunktet skal ligge mellem {from:.0} og {to:.0}; det nyeste er med inden for et minut"),
            format!("The time must lie between {from:.0} and {to:.0}; what is newer is had within a minute"),
        ));
    }
    if let Some((first, last)) = log.holes.iter().find(|(first, last)| *first <= at && at <= *last) {
        return Err(wrong(
            format!(
                "Uret blev stillet: mellem {first} og {last} viste det de samme tider mere end én gang. Vælg en anden tid."
            ),
            format!(
                "The clock was set: between {first} and {last} it showed the same times more than once. Choose another time."
            ),
        ));
    }
    let base = log.bases.iter().filter(|base| base.from <= at).max_by_key(|base| base.from);
    base.map(|base| base.snapshot.0).ok_or_else(|| wrong("Det kan ikke fås".into(), "It cannot be had".into()))
}

/// What the node is told to make a volume from.
#[derive(Debug, Default)]
pub(crate) struct Made {
    /// A snapshot.
    pub(crate) from: Option<Origin>,
    /// A backup.
    pub(crate) backup: Option<BackupOrigin>,
    /// The backup's id.
    id: Option<Uuid>,
}

impl Made {
    /// The same, as evidence keeps it: where backups lie is the host's.
    pub(crate) fn told(&self) -> Value {
        match &self.backup {
            Some(origin) => {
                let mut told = json!({ "solution": origin.solution, "backup": self.id, "copy": origin.copy });
                if let Some(log) = &origin.log {
                    told["at"] = json!(log.at);
                }
                told
            }
            None => json!(self.from),
        }
    }
}

impl Source {
    /// What the node is told to copy; a snapshot is ordered when neither that nor a backup was chosen.
    pub(crate) async fn origin(
        &self,
        app: &App,
        tx: &mut TenantTx,
        name: &str,
        trail: &mut crate::caller::Trail,
    ) -> Result<Made, Fault> {
        if let Some((id, backup)) = &self.backup {
            return Ok(Made { from: None, backup: Some(backup.clone()), id: Some(*id) });
        }
        let snapshot = match self.snapshot {
            Some(id) => husorden_base::SnapshotId(id),
            None => order::snapshot_to_copy(app, tx, &self.row, name, trail).await?,
        };
        let origin = Origin { solution: self.row.id, number: self.row.number, snapshot, at: self.at };
        Ok(Made { from: Some(origin), ..Made::default() })
    }
}
