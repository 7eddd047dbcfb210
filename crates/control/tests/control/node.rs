//! A node for tests: the real socket and the real protocol, with a hand in place of an engine.

use husorden_base::{OrderId, SnapshotId, SolutionId};
use husorden_rules::Measure;
use husorden_wire::node::{
    FromNode, Health, MeasureState, Seen, SeenState, SnapshotSeen, ToNode, VERSION, Verb, VerbState, VolumeUsage, Wish,
};
use jiff::Timestamp;
use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader, Lines};
use tokio::net::UnixStream;
use tokio::net::unix::{OwnedReadHalf, OwnedWriteHalf};

pub use crate::waiting::until;

/// No answer in this time is a failure; on a busy machine it is never reached by a control that works.
const PATIENCE: Duration = Duration::from_secs(300);

pub struct Node {
    lines: Lines<BufReader<OwnedReadHalf>>,
    write: OwnedWriteHalf,
    report: u64,
}

impl Node {
    /// Connects and says hello; answers with what came before "that is all".
    pub async fn hello(socket: &Path) -> (Self, Vec<ToNode>) {
        Self::hello_as(socket, "local").await
    }

    pub async fn hello_as(socket: &Path, name: &str) -> (Self, Vec<ToNode>) {
        let mut node = Self::open(socket).await;
        node.say(&FromNode::Hello { version: VERSION, node: name.to_owned(), epoch: 0 }).await;
        let mut told = Vec::new();
        loop {
            match node.next().await {
                ToNode::ThatIsAll => return (node, told),
                line => told.push(line),
            }
        }
    }

    pub async fn open(socket: &Path) -> Self {
        let (read, write) = UnixStream::connect(socket).await.expect("control listens").into_split();
        Self { lines: BufReader::new(read).lines(), write, report: 0 }
    }

    pub async fn say(&mut self, line: &FromNode) {
        self.say_text(&serde_json::to_string(line).unwrap()).await;
    }

    /// Says how it is: as one on which nothing is, but for these changes.
    pub async fn health(&mut self, change: impl FnOnce(&mut Health)) {
        let mut health = Health::default();
        change(&mut health);
        self.say(&FromNode::Health(Box::new(health))).await;
    }

    pub async fn say_text(&mut self, text: &str) {
        // A control that has had enough may close while we still write; what follows is read either way.
        let _ = self.write.write_all(format!("{text}\n").as_bytes()).await;
    }

    pub async fn next(&mut self) -> ToNode {
        let line = tokio::time::timeout(PATIENCE, self.lines.next_line()).await.expect("control says something");
        serde_json::from_str(&line.unwrap().expect("the link stands")).expect("a line of the protocol")
    }

    /// Whether control has closed the link.
    pub async fn closed(&mut self) -> bool {
        loop {
            match tokio::time::timeout(PATIENCE, self.lines.next_line()).await.expect("control decides") {
                Ok(Some(_)) => {}
                Ok(None) | Err(_) => return true,
            }
        }
    }

    pub async fn wish(&mut self) -> Wish {
        loop {
            if let ToNode::Wish { wish } = self.next().await {
                return *wish;
            }
        }
    }

    pub async fn measure(&mut self) -> Measure {
        loop {
            if let ToNode::Measure { measure } = self.next().await {
                return *measure;
            }
        }
    }

    pub async fn verb(&mut self) -> (OrderId, Verb) {
        loop {
            if let ToNode::Verb { order, verb, .. } = self.next().await {
                return (order, verb);
            }
        }
    }

    /// The next order that is withdrawn.
    pub async fn withdrawn(&mut self) -> OrderId {
        loop {
            if let ToNode::Withdraw { order } = self.next().await {
                return order;
            }
        }
    }

    /// Reports and waits until it is noted.
    pub async fn seen(&mut self, wish: &Wish, state: SeenState, change: impl FnOnce(&mut Seen)) {
        self.report += 1;
        let mut seen = Seen {
            solution: wish.solution,
            report: self.report,
            epoch: wish.epoch,
            generation: wish.generation,
            looked: true,
            state,
            closed: false,
            waiting: None,
            usage: Some(VolumeUsage { live: 1 << 20, snapshots: 0, limit: 1 << 30, full: false }),
            snapshots: Vec::new(),
            marks: BTreeMap::new(),
            services: BTreeMap::new(),
            builds: husorden_kinds::Builds::default(),
            log: None,
            virtualisation: husorden_kinds::Virtualisation::default(),
            away: None,
            at: Timestamp::now(),
        };
        change(&mut seen);
        self.say(&FromNode::Seen(Box::new(seen))).await;
        self.noted(wish.solution, self.report).await;
    }

    async fn noted(&mut self, of: SolutionId, number: u64) {
        loop {
            if let ToNode::Noted { solution, report } = self.next().await
                && (solution, report) == (of, number)
            {
                return;
            }
        }
    }

    pub async fn settled(&mut self, wish: &Wish) {
        self.seen(wish, SeenState::Settled, |_| {}).await;
    }

    pub async fn progress(&mut self, order: OrderId, state: VerbState) {
        self.say(&FromNode::Progress { order, state }).await;
    }

    /// Hands out bytes that an order asks for.
    pub async fn give(socket: &Path, order: OrderId, bytes: &[u8]) {
        let mut stream = Self::open(socket).await;
        stream.say(&FromNode::Give { node: "local".to_owned(), order }).await;
        let _ = stream.write.write_all(bytes).await;
        let _ = stream.write.shutdown().await;
    }

    pub async fn measured(&mut self, measure: &Measure, state: MeasureState) {
        self.say(&FromNode::Measured { measure: measure.id, revision: measure.revision, state, at: Timestamp::now() })
            .await;
    }
}

pub fn snapshot(id: SnapshotId) -> SnapshotSeen {
    SnapshotSeen { id, taken: Timestamp::now(), label: "x".to_owned(), before: None, spec: None, consistent: None }
}
