//! Snapshots of a solution, all of them: where something runs that can be asked, it holds still for the moment that a snapshot takes.
//!
//! Who asks is a command beside the service, which lets go by itself when its time is up or when nobody holds the other end of its standard input.
//! So a node that dies in the middle of it leaves nothing held. Where nobody answers, or what is said is odd, the snapshot is taken all the same.

use crate::Node;
use crate::causes::causes;
use crate::sandbox::{Beside, timespec};
use crate::volume::{SnapshotInfo, VolumeError, Why};
use husorden_base::SnapshotId;
use husorden_kinds::{Consistent, Quiesce, kind};
use husorden_wire::node::Wish;
use rustix::event::{PollFd, PollFlags, poll};
use serde_json::{Value, json};
use std::io::{self, PipeReader, PipeWriter, Read};
use std::time::{Duration, Instant};
use tracing::{debug, warn};

/// Longest wait until it holds still, after which the snapshot is taken as it is.
const HOLD_MAX: Duration = Duration::from_secs(8);
/// Longest wait for the word that it was let go.
const LET_GO_MAX: Duration = Duration::from_secs(6);
/// Bytes that the command says at most; anything longer is none of its words.
const SAID_BYTES_MAX: usize = 64;

/// What there is to say of a snapshot that is to be taken.
pub(crate) struct Note {
    pub(crate) why: Why,
    pub(crate) label: Option<String>,
    /// Fields of the spec that belong to this data.
    pub(crate) spec: Option<Value>,
}

impl From<Why> for Note {
    fn from(why: Why) -> Self {
        Self { why, label: None, spec: None }
    }
}

/// Takes a snapshot of what a wish has on its volume. One that is there already stays as it is.
///
/// # Errors
/// When there is no live part, or it can't be taken.
pub(crate) fn snapshot(
    node: &Node,
    wish: &Wish,
    id: &SnapshotId,
    note: impl Into<Note>,
) -> Result<SnapshotInfo, VolumeError> {
    let volume = node.volume(wish.number);
    let Note { why, label, spec } = note.into();
    let asked = kind(&wish.kind).and_then(|kind| kind.quiesce(&wish.spec));
    let asked = asked.filter(|asked| node.sandboxes.pid(wish.number, &asked.role).is_some());
    let Some(asked) = asked.filter(|_| volume.snapshot_info(id).is_ok_and(|info| info.is_none())) else {
        return volume.snapshot_with(id, why, label, spec);
    };
    let held = Held::begin(node, wish, &asked);
    let taken = volume.snapshot_with(id, why, label, spec);
    let kept = held.is_some_and(|held| held.end(node, wish, &asked));
    let consistent = if kept { Consistent::Filesystem } else { Consistent::Crash };
    let taken = taken?;
    let detail = json!({ "snapshot": id, "consistent": consistent });
    if let Err(error) = node.register.witness("snapshot.consistent", Some(wish.solution), detail) {
        warn!(number = %wish.number, %error, "no line of evidence of what a snapshot is worth");
    }
    // A snapshot is one whether or not it can say what it is worth.
    Ok(volume.snapshot_is(id, consistent).unwrap_or_else(|error| {
        warn!(number = %wish.number, error = causes(&error), "what a snapshot is worth could not be noted");
        taken
    }))
}

/// A service that holds still while this lives.
struct Held {
    beside: Beside,
    /// It waits for the end of this.
    hold: Option<PipeWriter>,
    said: PipeReader,
}

impl Held {
    /// Asks it; none where nobody answers in time.
    fn begin(node: &Node, wish: &Wish, asked: &Quiesce) -> Option<Self> {
        let failed = |error: &dyn std::error::Error| {
            debug!(number = %wish.number, error = causes(error), "a snapshot is taken without asking");
        };
        let pipes = io::pipe().and_then(|stdin| Ok((stdin, io::pipe()?)));
        let ((stdin, hold), (said, stdout)) = pipes.map_err(|error| failed(&error)).ok()?;
        let began = Instant::now();
        let beside = node.sandboxes.beside(wish.number, &asked.role, &asked.hold, [stdin.into(), stdout.into()]);
        let mut held = Self { beside: beside.map_err(|error| failed(&error)).ok()?, hold: Some(hold), said };
        if held.hear(HOLD_MAX).as_deref() == Some(Quiesce::HELD) {
            return Some(held);
        }
        debug!(number = %wish.number, "nobody holds still for a snapshot");
        held.leave();
        if began.elapsed() >= HOLD_MAX {
            // It may hold still yet; who says in time that there is nobody to ask lets go by itself.
            Self::let_go(node, wish, asked);
        }
        None
    }

    /// Lets it go; whether it held still until then.
    fn end(mut self, node: &Node, wish: &Wish, asked: &Quiesce) -> bool {
        self.hold = None;
        let kept = self.hear(LET_GO_MAX).as_deref() == Some(Quiesce::LET_GO);
        self.leave();
        if !kept {
            warn!(number = %wish.number, "what held still for a snapshot did not say that it was let go");
            Self::let_go(node, wish, asked);
        }
        kept
    }

    /// Lets go what may have been left held.
    fn let_go(node: &Node, wish: &Wish, asked: &Quiesce) {
        let pipes = io::pipe().and_then(|stdin| Ok((stdin, io::pipe()?)));
        let Ok(((stdin, _), (_, stdout))) = pipes else { return };
        match node.sandboxes.beside(wish.number, &asked.role, &asked.let_go, [stdin.into(), stdout.into()]) {
            Ok(beside) => beside.leave(),
            // What does not run holds nothing, and what stands still lets go when it goes on.
            Err(error) => debug!(number = %wish.number, error = causes(&error), "nothing was let go"),
        }
    }

    /// The next line that is said within a time.
    fn hear(&mut self, at_most: Duration) -> Option<String> {
        let until = Instant::now() + at_most;
        let mut line = Vec::new();
        while line.len() < SAID_BYTES_MAX {
            let left = until.saturating_duration_since(Instant::now());
            let mut said = [PollFd::new(&self.said, PollFlags::IN)];
            match poll(&mut said, Some(&timespec(left))) {
                Ok(1..) => {}
                Err(rustix::io::Errno::INTR) => continue,
                Ok(0) | Err(_) => return None,
            }
            let mut byte = [0];
            match self.said.read(&mut byte) {
                Ok(1) if byte == *b"\n" => return String::from_utf8(line).ok(),
                Ok(1) => line.push(byte[0]),
                Ok(_) | Err(_) => return None,
            }
        }
        None
    }

    /// It ends by itself.
    fn leave(self) {
        drop((self.hold, self.said));
        self.beside.leave();
    }
}
