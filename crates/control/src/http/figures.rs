//! `/v1/solutions/{solution}/figures`.

use crate::answer::Answer;
use crate::app::App;
use crate::caller::Caller;
use crate::fault::Fault;
use crate::figure;
use crate::form::Ask;
use axum::extract::{Path, State};
use serde::Deserialize;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Span {
    #[serde(default = "day")]
    hours: u32,
}

const fn day() -> u32 {
    24
}

pub(crate) async fn list(
    State(app): State<App>,
    caller: Caller,
    Path(text): Path<String>,
    Ask(span): Ask<Span>,
) -> Result<Answer, Fault> {
    figure::list(&app, &caller, &text, span.hours).await
}
