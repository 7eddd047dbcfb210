//! A rebuild: all of a solution's data made anew from what it was made from. What makes it is the kind's spec, so that a node that died in
//! the middle of it goes on by itself, and a restore of what was before is a restore like any other.

use crate::answer::Answer;
use crate::app::App;
use crate::caller::Caller;
use crate::fault::Fault;
use crate::form::IfMatch;
use crate::merge::merge;
use crate::solution;
use husorden_base::{Refusal, Text};
use husorden_wire::api;
use serde_json::json;

/// Has the data of a solution made anew. To the node it is a change like any other, and one that a snapshot is taken before.
pub(crate) async fn run(
    app: &App,
    caller: &Caller,
    text: &str,
    if_match: &IfMatch,
    form: api::Rebuild,
) -> Result<Answer, Fault> {
    // Whoever may not change it is told so, and nothing of what it can do.
    let (opened, row) = solution::open(app, caller, text, if_match).await?;
    drop(opened);
    let kind = app.kind(&row.kind).ok_or_else(|| solution::no_kind(app, &row.kind))?;
    let Some(again) = kind.rebuilt(&row.spec) else {
        return Err(Refusal::new(
            "no-rebuild",
            409,
            Text::new("Denne slags løsning kan ikke laves om", "This kind of solution cannot be rebuilt"),
            Text::new("Gendan et øjebliksbillede, eller lav en ny.", "Restore a snapshot, or make a new one."),
        )
        .into());
    };
    let patch = merge(&form.spec.unwrap_or_else(|| json!({})), &again);
    solution::change(
        app,
        caller,
        text,
        if_match,
        api::SolutionChange { spec: Some(patch), ..api::SolutionChange::default() },
    )
    .await
}
