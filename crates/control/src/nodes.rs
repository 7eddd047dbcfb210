//! The node link: JSON lines on a unix socket whose other end the kernel says is root.
//!
//! After the hello a node is sent everything that is wished of it and then what changes. A change is found by reading the
//! database when something was committed; measures are read and sent first. Reports are taken one by one, each a transaction
//! of its own, in the order in which the node said them; lines of evidence that follow each other share one.

mod fetch;
mod report;
mod tell;
mod unlock;

use crate::app::App;
use crate::gives::Given;
use crate::store;
use futures_util::StreamExt;
use husorden_base::{OrderId, QuestionId};
use husorden_wire::node::{FromNode, LINE_BYTES_MAX, ToNode, VERSION};
use std::io;
use std::path::Path;
use std::time::Duration;
use tokio::io::AsyncWriteExt;
use tokio::net::unix::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio_util::codec::{FramedRead, LinesCodec};
use uuid::Uuid;

/// Connections of nodes at once, bulk data included.
const CONNECTIONS_MAX: usize = 256;
/// Longest time for the first line.
const HELLO_WAIT: Duration = Duration::from_secs(10);
/// Longest time a line may take on its way out before the link is given up.
const WRITE_WAIT: Duration = Duration::from_secs(30);
/// Lines that wait to be written.
const QUEUE_MAX: usize = 256;
/// Lines written in one go.
const WRITE_LINES_MAX: usize = 64;

type Lines = FramedRead<OwnedReadHalf, LinesCodec>;

/// Why a link ended.
#[derive(Debug, thiserror::Error)]
enum LinkError {
    #[error("the node said what is no line of the protocol: {0}")]
    Garbage(String),
    #[error("the node speaks protocol {0}; this control speaks {VERSION} and the one before")]
    Version(u32),
    #[error("the connection: {0}")]
    Io(#[from] io::Error),
    #[error("database: {0}")]
    Database(#[from] sqlx::Error),
    #[error("a line took too long: {0}")]
    Slow(&'static str),
    #[error("the link's other half has ended")]
    Half,
}

/// Binds the socket; a socket file that nobody answers on is left from before and is replaced.
pub(crate) fn bind(path: &Path) -> io::Result<UnixListener> {
    use std::os::unix::fs::PermissionsExt;
    if std::os::unix::net::UnixStream::connect(path).is_ok() {
        return Err(io::Error::new(io::ErrorKind::AddrInUse, "another control listens there"));
    }
    match std::fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let listener = UnixListener::bind(path)?;
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o600))?;
    Ok(listener)
}

/// Serves nodes for ever.
pub(crate) async fn serve(app: App, listener: UnixListener) {
    let mut links = JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok((stream, _)) if links.len() < CONNECTIONS_MAX => {
                    let app = app.clone();
                    links.spawn(async move {
                        if let Err(error) = Box::pin(link(app, stream)).await {
                            tracing::warn!(%error, "a node's link ended");
                        }
                    });
                }
                Ok(_) => tracing::warn!(CONNECTIONS_MAX, "a node was turned away: too many connections"),
                Err(error) => {
                    tracing::warn!(%error, "a node's connection could not be taken");
                    tokio::time::sleep(Duration::from_millis(100)).await;
                }
            },
            Some(_) = links.join_next() => {}
        }
    }
}

async fn link(app: App, stream: UnixStream) -> Result<(), LinkError> {
    let peer = stream.peer_cred()?;
    if peer.uid() != 0 {
        let why = format!("the peer has uid {}, and only root is a node", peer.uid());
        return Err(io::Error::new(io::ErrorKind::PermissionDenied, why).into());
    }
    let (read, write) = stream.into_split();
    let mut lines = FramedRead::new(read, LinesCodec::new_with_max_length(LINE_BYTES_MAX));
    let first = tokio::time::timeout(HELLO_WAIT, lines.next()).await.map_err(|_| LinkError::Slow("the hello"))?;
    let Some(first) = first else { return Ok(()) };
    let first = first.map_err(|error| LinkError::Garbage(error.to_string()))?;
    match serde_json::from_str(&first).map_err(|error| LinkError::Garbage(error.to_string()))? {
        FromNode::Hello { version, node, epoch } => {
            if version != VERSION && version + 1 != VERSION {
                return Err(LinkError::Version(version));
            }
            if node.parse::<husorden_base::Name>().is_err() {
                return Err(LinkError::Garbage(format!("{node:?} is no node name")));
            }
            let link = Uuid::now_v7();
            let ours = store::node::hello(app.doors().system(), &node, link, version).await?;
            if epoch > ours {
                tracing::error!(
                    node,
                    epoch,
                    ours,
                    "the node has seen a newer epoch: this control was restored. The node refuses its wishes until the epoch is raised"
                );
            }
            app.wake();
            tracing::info!(node, "a node is connected");
            let ended = speak(&app, &node, link, ours, lines, write).await;
            store::node::goodbye(app.doors().system(), &node, link).await?;
            tracing::info!(node, "a node has gone");
            ended
        }
        FromNode::Fetch { node, order } => fetch::send(&app, &node, order, write).await,
        FromNode::Unlock { node, order, solution, log, recipient } => {
            unlock::answer(&app, &node, (order, solution, log), &recipient, write).await
        }
        // What was read of the stream with the first line goes along.
        FromNode::Give { order: OrderId(id), .. } | FromNode::Attach { question: QuestionId(id), .. } => {
            let first = lines.read_buffer_mut().split().freeze();
            app.gives().given(id, Given { first, rest: lines.into_inner(), back: write });
            Ok(())
        }
        _ => Err(LinkError::Garbage("the first line was neither hello nor one of bulk data".to_owned())),
    }
}

/// Both directions, until one of them ends.
async fn speak(
    app: &App,
    node: &str,
    link: Uuid,
    epoch: u64,
    lines: Lines,
    write: OwnedWriteHalf,
) -> Result<(), LinkError> {
    let (urgent, first) = mpsc::channel(QUEUE_MAX);
    let (ordinary, then) = mpsc::channel(QUEUE_MAX);
    let ways = tell::Ways { urgent, ordinary };
    tokio::select! {
        ended = report::take(app, node, link, lines, ways.clone()) => ended,
        ended = tell::tell(app, node, epoch, ways) => ended,
        ended = write_lines(write, first, then) => ended,
    }
}

/// Writes lines as they come, the urgent ones first; what waits is written in one go.
async fn write_lines(
    mut write: OwnedWriteHalf,
    mut urgent: mpsc::Receiver<ToNode>,
    mut ordinary: mpsc::Receiver<ToNode>,
) -> Result<(), LinkError> {
    let mut bytes = Vec::new();
    loop {
        let first = tokio::select! {
            biased;
            Some(line) = urgent.recv() => line,
            Some(line) = ordinary.recv() => line,
            else => return Err(LinkError::Half),
        };
        bytes.clear();
        let waiting = std::iter::from_fn(|| urgent.try_recv().or_else(|_| ordinary.try_recv()).ok());
        for line in std::iter::once(first).chain(waiting).take(WRITE_LINES_MAX) {
            serde_json::to_writer(&mut bytes, &line).map_err(io::Error::other)?;
            bytes.push(b'\n');
        }
        tokio::time::timeout(WRITE_WAIT, write.write_all(&bytes)).await.map_err(|_| LinkError::Slow("writing"))??;
    }
}
