//! The connection to control: opened by the node, kept open, opened again. Customers are served whether it stands or not.

use crate::Node;
use crate::console::View;
use crate::register::WishError;
use husorden_base::{MeasureId, OrderId, QuestionId, SolutionId};
use husorden_wire::node::{FromNode, LINE_BYTES_MAX, Question, ToNode, VERSION, Wish};
use std::collections::HashSet;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::Shutdown;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::sync::atomic::Ordering;
use std::sync::mpsc::{Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tracing::{info, warn};

/// Pause between two tries to reach control.
const RETRY: Duration = Duration::from_millis(500);

/// Bytes read from control in one go.
const READ_BYTES: usize = 256 << 10;

/// Wishes written down in one transaction.
const WISHES_AT_ONCE_MAX: usize = 256;

/// Lines of evidence sent at once.
const EVIDENCE_LINES_MAX: usize = 500;

/// What the node has to say to control; what can't be said now is said again after the next hello.
#[derive(Default)]
pub(crate) struct Voice {
    lines: Mutex<Option<Sender<String>>>,
    /// Serial of the last line of evidence said on this connection.
    evidence: Mutex<u64>,
}

impl Voice {
    /// Says a line if control is there. Nothing may depend on it having been heard.
    pub(crate) fn say(&self, line: &FromNode) {
        let text = serde_json::to_string(line).expect("plain data has a JSON form");
        if let Some(lines) = self.lines.lock().unwrap_or_else(PoisonError::into_inner).as_ref() {
            // A closed channel means the connection has just ended; the next hello tells control everything again.
            let _ = lines.send(text);
        }
    }

    /// Who hears from now on, and has heard nothing yet.
    pub(crate) fn set(&self, lines: Option<Sender<String>>) {
        *self.evidence.lock().unwrap_or_else(PoisonError::into_inner) = 0;
        *self.lines.lock().unwrap_or_else(PoisonError::into_inner) = lines;
    }

    /// Serial of the last line of evidence said on this connection.
    fn said_evidence(&self) -> u64 {
        *self.evidence.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether control is connected.
    pub(crate) fn heard(&self) -> bool {
        self.lines.lock().unwrap_or_else(PoisonError::into_inner).is_some()
    }
}

/// Talks to control until the node ends.
pub(crate) fn talk(node: &Arc<Node>) {
    let mut silent = false;
    while !node.ending() {
        match converse(node) {
            Ok(()) => {
                info!("control closed the connection");
                silent = false;
            }
            Err(error) if !silent => {
                warn!(%error, "control is not reached; everything is served as it was wished last");
                silent = true;
            }
            Err(_) => {}
        }
        // However it ended: what was said on it is an old word from here on.
        node.confirmed.store(false, Ordering::Relaxed);
        node.voice.set(None);
        std::thread::sleep(RETRY);
    }
}

fn converse(node: &Arc<Node>) -> std::io::Result<()> {
    let stream = UnixStream::connect(&node.config.control_socket)?;
    let mut writer = stream.try_clone()?;
    let (sender, receiver) = channel::<String>();
    let hello = FromNode::Hello { version: VERSION, node: node.config.name.clone(), epoch: node.register.epoch() };
    writeln!(writer, "{}", serde_json::to_string(&hello)?)?;
    let writing = std::thread::Builder::new().name("to-control".to_owned()).spawn(move || {
        for line in receiver {
            if writer.write_all(line.as_bytes()).and_then(|()| writer.write_all(b"\n")).is_err() {
                break;
            }
        }
        let _ = writer.shutdown(Shutdown::Both);
    })?;
    node.confirmed.store(false, Ordering::Relaxed);
    node.voice.set(Some(sender));
    let mut reader = BufReader::with_capacity(READ_BYTES, stream);
    let mut wishes = Wishes::default();
    let mut line = Vec::new();
    let result = loop {
        line.clear();
        let read = Read::by_ref(&mut reader).take(LINE_BYTES_MAX as u64).read_until(b'\n', &mut line)?;
        if read == 0 {
            break Ok(());
        }
        match serde_json::from_slice::<ToNode>(&line) {
            Ok(said) => hear(node, said, &mut wishes),
            Err(error) => warn!(%error, "control said something this version does not know"),
        }
        if wishes.waiting.len() >= WISHES_AT_ONCE_MAX || !reader.buffer().contains(&b'\n') {
            wishes.take(node);
        }
    };
    node.voice.set(None);
    let _ = writing.join();
    result
}

/// What control wishes, on the connection that stands.
#[derive(Default)]
struct Wishes {
    /// Heard and not yet written down: those that came together are, in one transaction.
    waiting: Vec<Wish>,
    /// Solutions that were named.
    named: HashSet<SolutionId>,
    /// And measures.
    measures: HashSet<MeasureId>,
}

impl Wishes {
    /// Writes down what waits, has each solution looked after, and refuses what can't be taken.
    fn take(&mut self, node: &Node) {
        if self.waiting.is_empty() {
            return;
        }
        let said: Vec<_> = self.waiting.iter().map(|wish| (wish.solution, wish.epoch, wish.generation)).collect();
        let refuse = |(solution, epoch, generation): (SolutionId, u64, u64), why: String| {
            warn!(%solution, why, "a wish was refused");
            node.voice.say(&FromNode::WishRefused { solution, epoch, generation, why });
        };
        // Who is attached to whom may differ afterwards, and both sides are looked after.
        let around = |ids: &[(SolutionId, u64, u64)]| -> HashSet<SolutionId> {
            ids.iter().flat_map(|(solution, ..)| crate::attachments::around(node, *solution)).collect()
        };
        let before = around(&said);
        match node.register.take_wishes(std::mem::take(&mut self.waiting)) {
            Ok(taken) => {
                let neighbours = before.into_iter().chain(around(&said));
                neighbours.for_each(|solution| node.keeper.wake(solution));
                for (said, taken) in said.into_iter().zip(taken) {
                    let look = matches!(taken, Ok(true) | Err(WishError::Older { .. }));
                    // Control has taken it over.
                    node.unwished.lock().unwrap_or_else(PoisonError::into_inner).retain(|known| *known != said.0);
                    if let Err(error) = taken {
                        refuse(said, error.to_string());
                    }
                    if look {
                        node.keeper.wake(said.0);
                    }
                }
            }
            Err(error) => said.into_iter().for_each(|said| refuse(said, error.to_string())),
        }
    }
}

fn hear(node: &Arc<Node>, said: ToNode, wishes: &mut Wishes) {
    if !matches!(said, ToNode::Wish { .. }) {
        // It may be about what was wished just before.
        wishes.take(node);
    }
    match said {
        ToNode::Wish { wish } => {
            wishes.named.insert(wish.solution);
            wishes.waiting.push(*wish);
        }
        ToNode::Welcome { version, epoch } => info!(version, epoch, "control is there"),
        ToNode::Measure { measure } => {
            let id = measure.id;
            wishes.measures.insert(id);
            if let Err(error) = crate::measures::take(node, *measure) {
                warn!(measure = %id, %error, "a measure could not be written down");
            }
        }
        ToNode::Verb { order, solution, verb } => node.verbs.take(node, order, solution, verb),
        ToNode::Withdraw { order } => node.verbs.withdraw(order),
        ToNode::ThatIsAll => {
            let strays = node
                .register
                .solutions()
                .into_iter()
                .filter(|(id, _, _)| !wishes.named.contains(id))
                .map(|(id, _, _)| id)
                .collect();
            node.note_unwished(strays);
            node.confirmed.store(true, Ordering::Relaxed);
            node.say_everything(&wishes.measures);
        }
        ToNode::EvidenceKept { serial } => {
            if let Err(error) = node.register.evidence_kept(serial) {
                warn!(%error, "kept evidence could not be let go");
            }
            // The batch is through: the next one.
            if serial >= node.voice.said_evidence() {
                say_evidence(node);
            }
        }
        ToNode::Ask { question, solution, about } => match about {
            Question::Log { .. } | Question::Wish => crate::journal::answer(node, question, solution, about),
            Question::Console => crate::console::attach(node, question, solution, View::Console),
            Question::Screen => crate::console::attach(node, question, solution, View::Picture),
        },
        ToNode::Build { runtime, .. } => match node.runtimes.rebuild(&runtime) {
            Ok(()) => info!(%runtime, "a new build was asked for"),
            Err(error) => warn!(%runtime, %error, "a build that was asked for is not made"),
        },
        ToNode::Noted { solution, report } => node.reports.noted(solution, report),
    }
}

/// Says the lines of evidence that were not said on this connection, a batch at a time.
pub(crate) fn say_evidence(node: &Node) {
    if !node.voice.heard() {
        return;
    }
    let mut said = node.voice.evidence.lock().unwrap_or_else(PoisonError::into_inner);
    match node.register.evidence(*said, EVIDENCE_LINES_MAX) {
        Ok(lines) => {
            for line in lines {
                *said = line.serial;
                node.voice.say(&FromNode::Evidence(Box::new(line)));
            }
        }
        Err(error) => warn!(%error, "evidence could not be read"),
    }
}

/// A connection that opens with a line, and on which the other side answers.
///
/// # Errors
/// When control is not reached.
pub(crate) fn ask(control: &Path, line: &FromNode) -> std::io::Result<UnixStream> {
    let mut stream = UnixStream::connect(control)?;
    writeln!(stream, "{}", serde_json::to_string(line)?)?;
    stream.shutdown(Shutdown::Write)?;
    Ok(stream)
}

/// A connection that yields the bytes of an order; its writing half is closed, so whoever gets it can only read them.
///
/// # Errors
/// When control is not reached.
pub(crate) fn fetch(control: &Path, node: &str, order: OrderId) -> std::io::Result<UnixStream> {
    ask(control, &FromNode::Fetch { node: node.to_owned(), order })
}

/// A connection that a question asks for; what goes over it is not control's to read.
///
/// # Errors
/// When control is not reached.
pub(crate) fn attach(control: &Path, node: &str, question: QuestionId) -> std::io::Result<UnixStream> {
    let mut stream = UnixStream::connect(control)?;
    writeln!(stream, "{}", serde_json::to_string(&FromNode::Attach { node: node.to_owned(), question })?)?;
    Ok(stream)
}

/// A connection that takes the bytes that an order asks for; its reading half is closed.
///
/// # Errors
/// When control is not reached.
pub(crate) fn give(control: &Path, node: &str, order: OrderId) -> std::io::Result<UnixStream> {
    let mut stream = UnixStream::connect(control)?;
    writeln!(stream, "{}", serde_json::to_string(&FromNode::Give { node: node.to_owned(), order })?)?;
    stream.shutdown(Shutdown::Read)?;
    Ok(stream)
}
