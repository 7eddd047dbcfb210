//! What a node says: each line is read, written down, and answered where the protocol has an answer.

use super::tell::{Ways, say};
use super::{Lines, LinkError};
use crate::app::App;
use crate::{spool, store};
use futures_util::StreamExt;
use husorden_wire::node::{EvidenceLine, FromNode, Seen, ToNode};
use serde_json::Value;
use uuid::Uuid;

/// What this control knows how to take; what else a newer node says is passed over.
const KNOWN: [&str; 11] = [
    "seen",
    "answer",
    "samples",
    "wish-refused",
    "measured",
    "measure-seen",
    "measure-taken",
    "progress",
    "evidence",
    "health",
    "refused",
];

/// Lines that are taken together at most.
const READY_MAX: usize = 500;
/// Looks written down in one transaction. It holds the lock under which events are numbered, and a decision waits for that.
const LOOKS_AT_ONCE_MAX: usize = 16;

pub(super) async fn take(app: &App, node: &str, link: Uuid, lines: Lines, ways: Ways) -> Result<(), LinkError> {
    // What has arrived is taken together, so that lines of evidence, or looks, that follow each other are one transaction.
    let mut ready = lines.ready_chunks(READY_MAX);
    while let Some(chunk) = ready.next().await {
        let (mut evidence, mut looks) = (Vec::new(), Vec::new());
        for line in chunk {
            let line = line.map_err(|error| LinkError::Garbage(error.to_string()))?;
            // PostgreSQL keeps no NUL in a text; one in a report must not stop all that follow it.
            let line = line.replace("\\u0000", "\\ufffd");
            let Some(said) = read(node, &line)? else { continue };
            if !matches!(said, FromNode::Evidence(_)) {
                keep(app, node, std::mem::take(&mut evidence), &ways).await?;
            }
            if !matches!(said, FromNode::Seen(_)) || looks.len() == LOOKS_AT_ONCE_MAX {
                looked(app, node, link, std::mem::take(&mut looks), &ways).await?;
            }
            match said {
                FromNode::Evidence(line) => evidence.push(*line),
                FromNode::Seen(look) => looks.push(*look),
                other => passed_over(node, note(app, node, link, other, &ways).await)?,
            }
        }
        keep(app, node, evidence, &ways).await?;
        looked(app, node, link, looks, &ways).await?;
    }
    Ok(())
}

/// Writes down looks in one transaction, or, where the database will not have one of them, each by itself.
async fn looked(app: &App, node: &str, link: Uuid, mut looks: Vec<Seen>, ways: &Ways) -> Result<(), LinkError> {
    if looks.is_empty() {
        return Ok(());
    }
    let system = app.doors().system();
    if store::node::seen(system, node, link, &looks).await.is_err() {
        let mut noted = Vec::with_capacity(looks.len());
        for look in looks {
            let result = store::node::seen(system, node, link, std::slice::from_ref(&look)).await;
            let taken = result.is_ok();
            passed_over(node, result.map_err(LinkError::from))?;
            noted.extend(taken.then_some(look));
        }
        looks = noted;
    }
    app.wake();
    for Seen { solution, report, .. } in looks {
        say(&ways.ordinary, ToNode::Noted { solution, report }).await?;
    }
    Ok(())
}

/// Keeps lines of evidence together, and answers for the last of them. A line the database will not have is passed over.
async fn keep(app: &App, node: &str, lines: Vec<EvidenceLine>, ways: &Ways) -> Result<(), LinkError> {
    let Some(last) = lines.last().map(|line| line.serial) else { return Ok(()) };
    let system = app.doors().system();
    let broken = match store::node::evidence(system, node, &lines).await {
        Err(sqlx::Error::Database(error)) if !passing(&*error) => {
            let mut broken = 0;
            for line in lines {
                let one = store::node::evidence(system, node, &[line]).await.map(|count| broken += count);
                passed_over(node, one.map_err(LinkError::from))?;
            }
            broken
        }
        other => other?,
    };
    if broken > 0 {
        tracing::error!(node, broken, "the chain of the node's evidence is broken");
    }
    app.wake();
    say(&ways.ordinary, ToNode::EvidenceKept { serial: last }).await
}

/// When the database is there and will not have a report, saying it again would not help, so it is passed over.
fn passed_over(node: &str, outcome: Result<(), LinkError>) -> Result<(), LinkError> {
    match outcome {
        Err(LinkError::Database(sqlx::Error::Database(error))) if !passing(&*error) => {
            tracing::error!(%error, node, "a report could not be written down and is passed over");
            Ok(())
        }
        other => other,
    }
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

async fn note(app: &App, node: &str, link: Uuid, said: FromNode, ways: &Ways) -> Result<(), LinkError> {
    let system = app.doors().system();
    match said {
        FromNode::Seen(look) => looked(app, node, link, vec![*look], ways).await?,
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
                    say(&ways.urgent, ToNode::Measure { measure: Box::new(measure) }).await?;
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
        FromNode::Evidence(line) => keep(app, node, vec![*line], ways).await?,
        FromNode::Health(health) => store::node::health(system, node, link, &health).await?,
        FromNode::Refused { refused } => {
            store::node::refused(system, node, &refused).await?;
            app.wake();
        }
        FromNode::Answer { question, text } => store::node::answer(system, node, question, text).await?,
        FromNode::Samples { samples } => store::node::samples(system, node, &samples).await?,
        FromNode::Hello { .. }
        | FromNode::Fetch { .. }
        | FromNode::Give { .. }
        | FromNode::Attach { .. }
        | FromNode::Unlock { .. } => {
            return Err(LinkError::Garbage("a second hello".to_owned()));
        }
    }
    Ok(())
}
