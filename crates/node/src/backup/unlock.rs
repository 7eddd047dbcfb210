//! What opens a repository: asked for when it is needed, sealed by the vault to a key that this node has made for itself, and held in memory alone.

use crate::Node;
use husorden_backup::vault::RecoveryKey;
use husorden_base::{OrderId, Refusal, SolutionId, Text};
use husorden_wire::node::{FromNode, Repository, Secrets, Unlocked};
use std::io::{self, BufRead, BufReader, Read};
use std::time::Duration;

/// Longest answer, in bytes.
const ANSWER_BYTES_MAX: u64 = 256 << 10;
/// Longest wait for it.
const WAIT: Duration = Duration::from_secs(30);

/// The node's own key, for as long as it runs: nobody has need of an older one.
pub(crate) struct NodeKey(RecoveryKey);

impl Default for NodeKey {
    fn default() -> Self {
        Self(RecoveryKey::generate())
    }
}

/// Asks for what opens the repository of an order, or of the backup that a wished volume is made from.
///
/// # Errors
/// When it is not released, or nobody answers.
pub(crate) fn unlock(node: &Node, order: Option<OrderId>, solution: SolutionId) -> Result<Secrets, Refusal> {
    asked(node, (order, solution), false).map(|(secrets, _)| secrets)
}

/// Asks where a solution's log goes, and for what opens that; it opens nothing else.
///
/// # Errors
/// As [`unlock`].
pub(crate) fn unlock_log(node: &Node, solution: SolutionId) -> Result<(Secrets, Repository), Refusal> {
    let (secrets, repository) = asked(node, (None, solution), true)?;
    Ok((secrets, repository.ok_or_else(|| not_heard(&io::Error::other("it was not said where the log goes")))?))
}

fn asked(
    node: &Node,
    about: (Option<OrderId>, SolutionId),
    log: bool,
) -> Result<(Secrets, Option<Repository>), Refusal> {
    let answer = ask(node, about, log).map_err(|error| not_heard(&error))?;
    match serde_json::from_str(&answer).map_err(|error| not_heard(&error))? {
        Unlocked::Released { sealed, repository } => {
            let secrets = open(&node.key, &sealed);
            let secrets = secrets.ok_or_else(|| not_heard(&io::Error::other("it was sealed to another key")))?;
            Ok((secrets, repository.map(|repository| *repository)))
        }
        Unlocked::Refused { why } => Err(Refusal::new(
            "backup-not-released",
            409,
            Text::new("Nøglen til backuppen udleveres ikke", "The key of the backup is not released"),
            why,
        )),
    }
}

fn ask(node: &Node, (order, solution): (Option<OrderId>, SolutionId), log: bool) -> io::Result<String> {
    let recipient = node.key.0.recipient().to_string();
    let line = FromNode::Unlock { node: node.config.name.clone(), order, solution, log, recipient };
    let stream = crate::control::ask(&node.config.control_socket, &line)?;
    stream.set_read_timeout(Some(WAIT))?;
    let mut answer = String::new();
    BufReader::new(stream.take(ANSWER_BYTES_MAX)).read_line(&mut answer)?;
    if answer.is_empty() {
        return Err(io::Error::other("control closed the connection without an answer"));
    }
    Ok(answer)
}

fn open(key: &NodeKey, sealed: &str) -> Option<Secrets> {
    use base64::Engine as _;
    let file = base64::engine::general_purpose::STANDARD.decode(sealed).ok()?;
    serde_json::from_slice(&key.0.unseal(&file).ok()?).ok()
}

fn not_heard(error: &dyn std::error::Error) -> Refusal {
    let mut refusal = Refusal::new(
        "backup-vault-away",
        503,
        Text::new("Nøglen til backuppen kunne ikke fås", "The key of the backup could not be had"),
        Text::new(
            "Det prøves igen. Driften ser på, om boksen kører.",
            "It is tried again. Staff look whether the vault runs.",
        ),
    );
    refusal.measured = Some(crate::causes::causes(error));
    refusal
}
