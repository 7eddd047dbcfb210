//! What is put back of a backup, in the place of what is there. The state before becomes a snapshot, by which it is undone as a restore
//! of a snapshot is.

use super::{path, ready};
use crate::answer::Answer;
use crate::app::App;
use crate::caller::{Caller, Trail};
use crate::fault::Fault;
use crate::form::IfMatch;
use crate::order::{self, Asked};
use crate::store::solution::SolutionRow;
use crate::{solution, store, undo};
use husorden_base::{Refusal, SnapshotId, Text};
use husorden_wire::api::{self, BackupOnly};
use husorden_wire::node::{Returning, Verb};

/// Puts back what the form says.
pub(crate) async fn restore(
    app: &App,
    caller: &Caller,
    text: &str,
    backup: &str,
    form: api::BackupRestore,
) -> Result<Answer, Fault> {
    let (mut tx, row) = solution::open(app, caller, text, &IfMatch::default()).await?;
    order::refuse_gone(&row)?;
    let (found, copy) = ready(&mut tx, &row, backup).await?;
    let what = what(app, &row, &form)?;
    undo::refuse_waiting(&row)?;
    let before = SnapshotId::new();
    store::snapshot::insert(tx.conn(), before, (row.id, row.account), "before restore", Some("restore"), &row.spec)
        .await?;
    let repository = Box::new(store::backup::repository(tx.conn(), row.id, found.target).await?);
    // Where the whole volume goes back, so does the spec that belongs to it.
    let spec = (what == Returning::Everything).then_some(found.spec);
    let asked = Asked::just(Verb::BackupRestore { repository, copy, what, before });
    let mut trail = Trail::default();
    let order = order::queue(&mut tx, &row, asked, &mut trail).await?;
    if let Some(spec) = spec {
        undo::spec_goes_back(app, &mut tx, row, &spec, order.id).await?;
    }
    let shown = api::BackupRestoring { order: order::shown(&order, caller.language), before: before.to_string() };
    let answer = Answer::accepted(shown).at(format!("/v1/orders/{}", order.id));
    trail.finish(app, caller, tx, answer).await
}

fn what(app: &App, row: &SolutionRow, form: &api::BackupRestore) -> Result<Returning, Refusal> {
    let alone = |pointer: &str, given: bool| {
        let text = Text::new("Hører ikke til det valg", "Does not belong to that choice");
        if given { Err(Refusal::field(pointer, text)) } else { Ok(()) }
    };
    alone("/path", form.path.is_some() && form.only != BackupOnly::Path)?;
    alone("/part", form.part.is_some() && form.only != BackupOnly::Part)?;
    match form.only {
        BackupOnly::Everything => Ok(Returning::Everything),
        BackupOnly::Path => {
            let path = path::read_some(form.path.as_deref().unwrap_or_default(), "/path")?;
            Ok(Returning::Path { path })
        }
        BackupOnly::Part => {
            let part = form.part.clone().unwrap_or_default();
            let parts = app.kind(&row.kind).map(|kind| kind.parts(&row.spec)).unwrap_or_default();
            if !parts.contains(&part) {
                let there = parts.join(", ");
                let text = Text::new(
                    format!("{} har ikke den del. Der er: {there}", row.name),
                    format!("{} has no such part. There are: {there}", row.name),
                );
                return Err(Refusal::field("/part", text));
            }
            Ok(Returning::Part { part })
        }
    }
}
