//! A solution made from another of the same account: from a snapshot of it, or from what it holds now, of which a snapshot is
//! ordered then. The new one has names, passwords and a volume of its own; the spec is the other's, with the form laid over it.

use crate::app::App;
use crate::attachment;
use crate::doors::TenantTx;
use crate::fault::Fault;
use crate::store::solution::SolutionRow;
use crate::{order, store};
use husorden_base::{Refusal, Text};
use husorden_wire::api;
use husorden_wire::node::Origin;
use serde_json::Value;
use uuid::Uuid;

/// What a solution is made from.
pub(crate) struct Source {
    /// The other solution, locked.
    pub(crate) row: SolutionRow,
    /// The snapshot, if one was chosen.
    snapshot: Option<Uuid>,
    /// The spec as it was when the snapshot was taken.
    pub(crate) spec: Value,
}

/// Finds and locks what is copied. Only what is the account's own is found.
pub(crate) async fn source(tx: &mut TenantTx, from: &api::SolutionFrom, kind: &str) -> Result<Source, Fault> {
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
    order::refuse_gone(&row)?;
    if row.kind != kind {
        let text = Text::new(
            format!("{} er af slagsen {}", row.name, row.kind),
            format!("{} is of the kind {}", row.name, row.kind),
        );
        return Err(Refusal::field("/kind", text).into());
    }
    // What is closed is not carried on under another name; staff lift the measure first.
    if let Some(held) = store::solution::held_on(tx.conn(), row.id).await? {
        return Err(held.refusal(false).into());
    }
    let Some(text) = &from.snapshot else {
        let mut spec = row.spec.clone();
        attachment::not_inherited(&mut spec)?;
        return Ok(Source { row, snapshot: None, spec });
    };
    let Ok(id) = text.parse::<Uuid>() else { return Err(missing("/from/snapshot", text)) };
    match store::snapshot::get(tx.conn(), row.id, id).await? {
        Some(snapshot) if snapshot.state == "ready" => {
            let mut spec = snapshot.spec.unwrap_or_else(|| row.spec.clone());
            attachment::not_inherited(&mut spec)?;
            Ok(Source { row, snapshot: Some(id), spec })
        }
        Some(_) | None => Err(missing("/from/snapshot", text)),
    }
}

impl Source {
    /// What the node is told to copy; a snapshot is ordered when none was chosen.
    pub(crate) async fn origin(
        &self,
        app: &App,
        tx: &mut TenantTx,
        name: &str,
        trail: &mut crate::caller::Trail,
    ) -> Result<Origin, Fault> {
        let snapshot = match self.snapshot {
            Some(id) => husorden_base::SnapshotId(id),
            None => order::snapshot_to_copy(app, tx, &self.row, name, trail).await?,
        };
        Ok(Origin { solution: self.row.id, number: self.row.number, snapshot })
    }
}
