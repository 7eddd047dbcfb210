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
use husorden_kinds::hole::PATH_BYTES_MAX;
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
    let hole = hole(app, &row, &form, &what)?;
    undo::refuse_waiting(&row)?;
    let before = SnapshotId::new();
    store::snapshot::insert(tx.conn(), before, (row.id, row.account), "before restore", Some("restore"), &row.spec)
        .await?;
    let repository = Box::new(store::backup::repository(tx.conn(), row.id, found.target).await?);
    // Where the whole volume goes back, so does the spec that belongs to it.
    let back = if what == Returning::Everything { undo::with_spec(&row, &found.spec) } else { None };
    let spec_follows = back.is_some();
    let asked = Asked::just(Verb::BackupRestore { repository, copy, what, before, hole, spec_follows });
    let mut trail = Trail::default();
    let order = order::queue(&mut tx, &row, asked, &mut trail).await?;
    if let Some(back) = back {
        undo::goes_back(app, &mut tx, &row.spec, back, order.id).await?;
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

/// The file that somebody came in by: one of the solution's own, and among what is put back.
fn hole(app: &App, row: &SolutionRow, form: &api::BackupRestore, what: &Returning) -> Result<Option<String>, Refusal> {
    let Some(text) = form.hole.as_deref() else { return Ok(None) };
    let wrong = |da: String, en: String| Err(Refusal::field("/hole", Text::new(da, en)));
    let path = path::read_some(text, "/hole")?;
    if path.len() > PATH_BYTES_MAX || path.contains(char::is_control) {
        return wrong(
            format!("Højst {PATH_BYTES_MAX} byte, uden styretegn"),
            format!("At most {PATH_BYTES_MAX} bytes, without control characters"),
        );
    }
    let Some((files, _)) = app.kind(&row.kind).and_then(|kind| kind.intake()) else {
        return wrong(
            format!("{} har ingen egne filer, der kan peges på", row.name),
            format!("{} has no files of its own to name", row.name),
        );
    };
    if path.split_once('/').is_none_or(|(top, _)| top != files) {
        return wrong(
            format!("En fil blandt løsningens egne: {files}/…"),
            format!("A file among the solution's own: {files}/…"),
        );
    }
    match what {
        Returning::Everything => Ok(Some(path)),
        Returning::Path { path: whole } if path == *whole || path.starts_with(&format!("{whole}/")) => Ok(Some(path)),
        Returning::Path { path: whole } => {
            wrong(format!("Den lægges ikke tilbage: kun {whole} gør"), format!("It is not put back: only {whole} is"))
        }
        Returning::Part { .. } => {
            wrong("Hører ikke til det valg".to_owned(), "Does not belong to that choice".to_owned())
        }
    }
}
