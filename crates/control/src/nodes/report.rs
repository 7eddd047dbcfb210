//! What a node says: each line is read, written down, and answered where the protocol has an answer.

use super::{Lines, LinkError, tell::say};
use crate::app::App;
use crate::{spool, store};
use futures_util::StreamExt;
use husorden_wire::node::{FromNode, ToNode};
use serde_json::Value;
use tokio::sync::mpsc;
use uuid::Uuid;

/// What this control knows how to take; what else a newer node says is passed over.
const KNOWN: [&str; 8] =
    ["seen", "wish-refused", "measured", "measure-seen", "measure-taken", "progress", "evidence", "health"];

pub(super) async fn take(
    app: &App,
    node: &str,
    link: Uuid,
    mut lines: Lines,
    sender: mpsc::Sender<ToNode>,
) -> Result<(), LinkError> {
    while let Some(line) = lines.next().await {
        let line = line.map_err(|error| LinkError::Garbage(error.to_string()))?;
        // PostgreSQL keeps no NUL in a text; one in a report must not stop all that follow it.
        let line = line.replace("\\u0000", "\\ufffd");
        let Some(said) = read(node, &line)? else { continue };
        match note(app, node, link, said, &sender).await {
            // The database is there and will not have this one: saying it again would not help, so it is passed over.
            Err(LinkError::Database(sqlx::Error::Database(error))) if !passing(&*error) => {
                tracing::error!(%error, node, "a report could not be written down and is passed over");
            }
            other => other?,
        }
    }
    Ok(())
}

/// Whether an error goes by itself: deadlocks, serialization, shutdown, lack of resources.
fn passing(error: &dyn sqlx::error::DatabaseError) -> bool {
    error.code().is_some_and(|code| ["40", "53", "57", "08", "58"].iter().any(|class| code.starts_with(class)))
}

/// A line; none when it says something this release does not know.
fn read(node: &str, line: &str) -> Result<Option<FromNode>, LinkError> {
    let garbage = |error: serde_json::Error| LinkError::Garbage(error.to_string());
    let value: Value = serde_json::from_str(line).map_err(garbage)?;
    let word = value.get("say").and_then(Value::as_str).unwrap_or_default();
    if word.is_empty() {
        return Err(LinkError::Garbage("a line without say".to_owned()));
    }
    if !KNOWN.contains(&word) {
        tracing::info!(node, say = word, "the node said something this release does not know");
        return Ok(None);
    }
    serde_json::from_value(value).map(Some).map_err(garbage)
}

async fn note(
    app: &App,
    node: &str,
    link: Uuid,
    said: FromNode,
    sender: &mpsc::Sender<ToNode>,
) -> Result<(), LinkError> {
    let system = app.doors().system();
    match said {
        FromNode::Seen(seen) => {
            store::node::seen(system, node, link, &seen).await?;
            app.wake();
            say(sender, ToNode::Noted { solution: seen.solution, report: seen.report }).await?;
        }
        FromNode::WishRefused { solution, epoch, generation, why } => {
            tracing::warn!(node, %solution, epoch, generation, why, "the node refused a wish");
            store::node::wish_refused(system, node, solution.0, (epoch, generation), &why).await?;
        }
        FromNode::Measured { measure, revision, state, at } => {
            store::node::measured(system, node, (measure, revision), state, at).await?;
            app.wake();
        }
        FromNode::MeasureSeen(seen) => {
            store::node::measure_seen(system, node, &seen).await?;
            app.wake();
        }
        FromNode::MeasureTaken { measure, reasons } => {
            match store::node::measure_taken(system, node, &measure, &reasons).await? {
                Some(measure) => {
                    app.wake();
                    say(sender, ToNode::Measure { measure: Box::new(measure) }).await?;
                }
                None => {
                    tracing::error!(node, measure = %measure.id, "the node holds a measure on what this control does not know");
                }
            }
        }
        FromNode::Progress { order, state } => {
            let spooled = store::node::progress(system, node, order, &state).await?;
            app.wake();
            if let Some(name) = spooled {
                spool::remove(&app.config().spool, &name).await;
            }
        }
        FromNode::Evidence(line) => {
            store::node::evidence(system, node, &line).await?;
            say(sender, ToNode::EvidenceKept { serial: line.serial }).await?;
        }
        FromNode::Health(health) => store::node::health(system, node, link, &health).await?,
        FromNode::Hello { .. } | FromNode::Fetch { .. } => {
            return Err(LinkError::Garbage("a second hello".to_owned()));
        }
    }
    Ok(())
}
