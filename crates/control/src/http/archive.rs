//! Uploads: the raw body goes to the spool, and an order tells the node to fetch and unpack it.

use crate::answer::Answer;
use crate::app::App;
use crate::caller::Caller;
use crate::fault::Fault;
use crate::form::{Ask, IfMatch};
use crate::order::{self, Asked};
use crate::{solution, spool, store};
use axum::extract::{Path, Request, State};
use husorden_base::{OrderId, Refusal, SnapshotId, Text};
use husorden_wire::node::Verb;
use serde::Deserialize;

const FORMATS: [&str; 3] = ["zip", "tar", "tar.gz"];
const INTO_BYTES_MAX: usize = 1_000;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Asking {
    format: String,
    #[serde(default)]
    into: String,
}

impl Asking {
    /// The folder, without slashes at its ends. What the archive does inside is the sandbox's to hold; a path that climbs is
    /// refused here already, because it is a mistake or worse.
    fn check(&self) -> Result<&str, Refusal> {
        if !FORMATS.contains(&self.format.as_str()) {
            let formats = FORMATS.join(", ");
            let text = Text::new(format!("En af: {formats}"), format!("One of: {formats}"));
            return Err(Refusal::field("?format", text));
        }
        let into = self.into.trim_matches('/');
        let climbs = into.split('/').any(|part| part == ".." || part == ".");
        if climbs || into.len() > INTO_BYTES_MAX || into.chars().any(char::is_control) {
            let text = Text::new(
                "En mappe i løsningens filer, uden .. og styretegn",
                "A folder in the solution's files, without .. and control characters",
            );
            return Err(Refusal::field("?into", text));
        }
        Ok(into)
    }
}

pub(crate) async fn upload(
    State(app): State<App>,
    caller: Caller,
    Path(text): Path<String>,
    Ask(asking): Ask<Asking>,
    request: Request,
) -> Result<Answer, Fault> {
    let into = asking.check()?.to_owned();
    // Looked at before the body is read, so that a mistake does not cost an upload; looked at again under the lock.
    let (tx, row) = solution::open(&app, &caller, &text, &IfMatch::default()).await?;
    order::refuse_gone(&row)?;
    drop(tx);
    let id = OrderId::new();
    let file = spool::receive(app.config(), &id.to_string(), request).await?;
    let (mut tx, row) = solution::open(&app, &caller, &text, &IfMatch::default()).await?;
    order::refuse_gone(&row)?;
    let before = SnapshotId::new();
    let of = (row.id, row.account);
    store::snapshot::insert(tx.conn(), before, of, "before unpacking", Some("unpack"), &row.spec).await?;
    let verb = Verb::Unpack { format: asking.format, into, bytes: file.bytes(), before };
    let asked = Asked { id, spool: Some(file.name()), ..Asked::just(verb) };
    let answer = order::end(&app, &caller, tx, &row, asked).await?;
    file.keep();
    Ok(answer)
}
