//! What a node is told: everything after its hello, and then what was touched since the last reading.
//!
//! A reading never waits for the node: what it found is put in a queue and sent from there. Measures go by a way of their own,
//! so that a decision is not behind ten thousand wishes that a node is still taking.

use super::LinkError;
use crate::app::App;
use crate::store;
use futures_util::StreamExt;
use husorden_base::{MeasureId, OrderId, QuestionId, RuntimeName, SolutionId};
use husorden_wire::node::{ToNode, VERSION};
use jiff::Timestamp;
use std::collections::{HashMap, HashSet, VecDeque};
use std::time::Duration;
use tokio::sync::mpsc;

/// A look is taken after this long even when nothing woke the link.
const LOOK_AGAIN: Duration = Duration::from_secs(5);

/// The two ways to a node.
#[derive(Clone)]
pub(super) struct Ways {
    /// The welcome, measures and what they withdraw: whatever else waits, they are written first.
    pub(super) urgent: mpsc::Sender<ToNode>,
    /// Everything else.
    pub(super) ordinary: mpsc::Sender<ToNode>,
}

/// What was said on this link, so that a line which is read twice is said once, and what waits to be said.
#[derive(Default)]
struct Said {
    wishes: HashMap<SolutionId, (u64, u64)>,
    measures: HashMap<MeasureId, u64>,
    orders: HashSet<OrderId>,
    withdrawn: HashSet<OrderId>,
    questions: HashSet<QuestionId>,
    builds: HashMap<RuntimeName, Timestamp>,
    waiting: VecDeque<ToNode>,
}

pub(super) async fn tell(app: &App, node: &str, epoch: u64, ways: Ways) -> Result<(), LinkError> {
    let mut changes = app.changes();
    let mut said = Said::default();
    // Before any measure: what follows is of the epoch that this line names.
    say(&ways.urgent, ToNode::Welcome { version: VERSION, epoch }).await?;
    changes.mark_unchanged();
    let mut cursor = look(app, node, 0, &mut said, &ways).await?;
    said.waiting.push_back(ToNode::ThatIsAll);
    loop {
        tokio::select! {
            changed = changes.changed() => {
                changed.map_err(|_| LinkError::Half)?;
                cursor = look(app, node, cursor, &mut said, &ways).await?;
            }
            () = tokio::time::sleep(LOOK_AGAIN) => cursor = look(app, node, cursor, &mut said, &ways).await?,
            room = ways.ordinary.reserve(), if !said.waiting.is_empty() => {
                let room = room.map_err(|_| LinkError::Half)?;
                if let Some(line) = said.waiting.pop_front() {
                    room.send(line);
                }
            }
        }
    }
}

/// Reads what was touched since the cursor, has what is new said, and answers with the next cursor.
async fn look(app: &App, node: &str, since: i64, said: &mut Said, ways: &Ways) -> Result<i64, LinkError> {
    let mut rows = store::node::changes(app.doors().system(), node, since);
    let mut cursor = since;
    while let Some(row) = rows.next().await {
        let row = row?.0;
        if let Some(next) = row.get("cursor").and_then(serde_json::Value::as_i64) {
            cursor = next;
            continue;
        }
        match serde_json::from_value::<ToNode>(row) {
            Ok(line) if !said.is_new(&line) => {}
            Ok(line @ (ToNode::Measure { .. } | ToNode::Withdraw { .. })) => say(&ways.urgent, line).await?,
            Ok(line) => said.waiting.push_back(line),
            Err(error) => tracing::error!(%error, node, "a stored line cannot be said; the node is not told of it"),
        }
    }
    drop(rows);
    for row in store::node::builds_asked(app.doors().system(), node).await? {
        match serde_json::from_value::<ToNode>(row) {
            Ok(line) if said.is_new(&line) => said.waiting.push_back(line),
            Ok(_) => {}
            Err(error) => tracing::error!(%error, node, "a build that was asked for cannot be said"),
        }
    }
    Ok(cursor)
}

impl Said {
    fn is_new(&mut self, line: &ToNode) -> bool {
        match line {
            ToNode::Wish { wish } => {
                let now = (wish.epoch, wish.generation);
                self.wishes.insert(wish.solution, now) != Some(now)
            }
            ToNode::Measure { measure } => self.measures.insert(measure.id, measure.revision) != Some(measure.revision),
            ToNode::Verb { order, .. } => self.orders.insert(*order),
            ToNode::Withdraw { order } => self.withdrawn.insert(*order),
            ToNode::Ask { question, .. } => self.questions.insert(*question),
            ToNode::Build { runtime, asked } => self.builds.insert(runtime.clone(), *asked) != Some(*asked),
            ToNode::Welcome { .. } | ToNode::ThatIsAll | ToNode::Noted { .. } | ToNode::EvidenceKept { .. } => true,
        }
    }
}

pub(super) async fn say(sender: &mpsc::Sender<ToNode>, line: ToNode) -> Result<(), LinkError> {
    sender.send(line).await.map_err(|_| LinkError::Half)
}
