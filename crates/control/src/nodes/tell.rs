//! What a node is told: everything after its hello, and then what was touched since the last reading.

use super::LinkError;
use crate::app::App;
use crate::store;
use futures_util::StreamExt;
use husorden_base::{MeasureId, OrderId, SolutionId};
use husorden_wire::node::{ToNode, VERSION};
use std::collections::{HashMap, HashSet};
use std::time::Duration;
use tokio::sync::mpsc;

/// A look is taken after this long even when nothing woke the link.
const LOOK_AGAIN: Duration = Duration::from_secs(5);

/// What was sent on this link, so that a line which is read twice is said once.
#[derive(Default)]
struct Sent {
    wishes: HashMap<SolutionId, (u64, u64)>,
    measures: HashMap<MeasureId, u64>,
    orders: HashSet<OrderId>,
}

pub(super) async fn tell(app: &App, node: &str, epoch: u64, sender: mpsc::Sender<ToNode>) -> Result<(), LinkError> {
    let mut changes = app.changes();
    let mut sent = Sent::default();
    say(&sender, ToNode::Welcome { version: VERSION, epoch }).await?;
    changes.mark_unchanged();
    let mut cursor = look(app, node, 0, &mut sent, &sender).await?;
    say(&sender, ToNode::ThatIsAll).await?;
    loop {
        tokio::select! {
            changed = changes.changed() => changed.map_err(|_| LinkError::Half)?,
            () = tokio::time::sleep(LOOK_AGAIN) => {}
        }
        cursor = look(app, node, cursor, &mut sent, &sender).await?;
    }
}

/// Reads what was touched since the cursor, sends what is new, and answers with the next cursor.
async fn look(
    app: &App,
    node: &str,
    since: i64,
    sent: &mut Sent,
    sender: &mpsc::Sender<ToNode>,
) -> Result<i64, LinkError> {
    let mut rows = store::node::changes(app.doors().system(), node, since);
    let mut cursor = since;
    while let Some(row) = rows.next().await {
        let row = row?.0;
        if let Some(next) = row.get("cursor").and_then(serde_json::Value::as_i64) {
            cursor = next;
            continue;
        }
        match serde_json::from_value::<ToNode>(row) {
            Ok(line) => {
                if sent.is_new(&line) {
                    say(sender, line).await?;
                }
            }
            Err(error) => tracing::error!(%error, node, "a stored line cannot be said; the node is not told of it"),
        }
    }
    Ok(cursor)
}

impl Sent {
    fn is_new(&mut self, line: &ToNode) -> bool {
        match line {
            ToNode::Wish { wish } => {
                let now = (wish.epoch, wish.generation);
                self.wishes.insert(wish.solution, now) != Some(now)
            }
            ToNode::Measure { measure } => self.measures.insert(measure.id, measure.revision) != Some(measure.revision),
            ToNode::Verb { order, .. } => self.orders.insert(*order),
            ToNode::Welcome { .. } | ToNode::ThatIsAll | ToNode::Noted { .. } | ToNode::EvidenceKept { .. } => true,
        }
    }
}

pub(super) async fn say(sender: &mpsc::Sender<ToNode>, line: ToNode) -> Result<(), LinkError> {
    sender.send(line).await.map_err(|_| LinkError::Half)
}
