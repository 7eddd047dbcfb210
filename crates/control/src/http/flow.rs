//! Parts of a solution as one stream, such as its databases: handed out by the node through here, or uploaded and taken in by it.

use crate::answer::Answer;
use crate::app::App;
use crate::caller::{Caller, Trail};
use crate::doors::TenantTx;
use crate::fault::Fault;
use crate::form::{Ask, IfMatch};
use crate::gives::Given;
use crate::order::{self, Asked};
use crate::store::order::OrderRow;
use crate::store::solution::SolutionRow;
use crate::stream::{self, Count};
use crate::{solution, spool, store};
use axum::body::Body;
use axum::extract::{Path, Request, State};
use axum::response::{IntoResponse, Response};
use bytes::{Bytes, BytesMut};
use http::{HeaderName, HeaderValue, header};
use husorden_base::{AccountId, OrderId, Refusal, SnapshotId, Text};
use husorden_kinds::StreamFormat;
use husorden_wire::node::Verb;
use jiff::Timestamp;
use serde::Deserialize;
use std::io;
use std::time::Duration;
use tokio::io::AsyncReadExt;
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;

/// Longest wait for the first byte: other orders may come first, and the server may have to wake.
const FIRST_WAIT: Duration = Duration::from_secs(120);
/// Longest wait for the node to say how it ended, when the last byte has come.
const END_WAIT: Duration = Duration::from_secs(30);
/// The header that says about how many bytes the stream will be.
const EXPECTED: HeaderName = HeaderName::from_static("husorden-bytes-expected");
/// Bytes of one piece, and pieces that wait for a slow reader.
const PIECE_BYTES: usize = 64 << 10;
const PIECES: usize = 4;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Asking {
    part: String,
    #[serde(default)]
    format: Option<String>,
}

impl Asking {
    /// The format, if the solution has the part in it.
    fn check(&self, app: &App, row: &SolutionRow) -> Result<StreamFormat, Refusal> {
        let kind = app.kind(&row.kind);
        let parts = kind.map(|kind| kind.parts(&row.spec)).unwrap_or_default();
        if !parts.contains(&self.part) {
            let there = parts.join(", ");
            let text = Text::new(
                format!("{} har ikke den del. Der er: {there}", row.name),
                format!("{} has no such part. There are: {there}", row.name),
            );
            return Err(Refusal::field("?part", text));
        }
        let formats = kind.map(|kind| kind.formats(&row.spec)).unwrap_or_default();
        let asked = |format: &&StreamFormat| self.format.as_deref().is_none_or(|word| word == format.word);
        formats.iter().find(asked).copied().ok_or_else(|| {
            let words: Vec<&str> = formats.iter().map(|format| format.word).collect();
            let words = words.join(", ");
            Refusal::field("?format", Text::new(format!("En af: {words}"), format!("One of: {words}")))
        })
    }
}

pub(crate) async fn dump(
    State(app): State<App>,
    caller: Caller,
    Path(text): Path<String>,
    Ask(asking): Ask<Asking>,
) -> Result<Response, Fault> {
    let (mut tx, row) = solution::open(&app, &caller, &text, &IfMatch::default()).await?;
    order::refuse_gone(&row)?;
    let format = asking.check(&app, &row)?;
    let expected = stream::expected(&app, &mut tx, &row, &asking.part, format).await?;
    let verb = Verb::Dump { part: asking.part.clone(), format: format.word.to_owned() };
    let stream = Stream::ordered(&app, &caller, tx, &row, verb, expected).await?;
    Ok(answered(stream, &file_name(&row, &asking.part, format.ending), format.media, expected))
}

/// The whole solution as a package for leaving.
pub(crate) async fn package(
    State(app): State<App>,
    caller: Caller,
    Path(text): Path<String>,
) -> Result<Response, Fault> {
    let (mut tx, row) = solution::open(&app, &caller, &text, &IfMatch::default()).await?;
    order::refuse_gone(&row)?;
    if app.kind(&row.kind).is_none_or(|kind| !kind.packs()) {
        return Err(Refusal::new(
            "not-packed",
            409,
            Text::new("Den slags pakkes ikke endnu", "This kind is not packed yet"),
            Text::new(
                "Dens backupper kan hentes som filer, eller åbnes med restic og den nøgle, udbyderen giver ud.",
                "Its backups can be got as files, or opened with restic and the key that the provider hands out.",
            ),
        )
        .into());
    }
    let expected = store::order::packed(tx.conn(), row.id).await?;
    let stream = Stream::ordered(&app, &caller, tx, &row, Verb::Package, expected).await?;
    Ok(answered(stream, &file_name(&row, "package", "tar"), "application/x-tar", expected))
}

/// A stream as a file to be kept.
fn answered(stream: Stream, name: &str, media: &'static str, expected: Option<u64>) -> Response {
    let mut response = Body::from_stream(ReceiverStream::new(stream.bytes)).into_response();
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(media));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    if let Some(expected) = expected {
        headers.insert(EXPECTED, HeaderValue::from(expected));
    }
    if let Ok(value) = HeaderValue::try_from(format!("attachment; filename=\"{name}\"")) {
        headers.insert(header::CONTENT_DISPOSITION, value);
    }
    response
}

/// What a node hands out for an order.
pub(crate) struct Stream {
    account: AccountId,
    order: OrderId,
    /// What comes; an error where it did not come to its end.
    pub(crate) bytes: mpsc::Receiver<Result<Bytes, io::Error>>,
}

impl Stream {
    /// Queues an order whose bytes come back, about so many where that is known, and waits until they begin to. What the node refuses before
    /// that is refused here.
    pub(crate) async fn ordered(
        app: &App,
        caller: &Caller,
        mut tx: TenantTx,
        row: &SolutionRow,
        verb: Verb,
        expected: Option<u64>,
    ) -> Result<Self, Fault> {
        let asked = Asked::just(verb);
        let (account, order) = (row.account, asked.id);
        let mut waiting = app.gives().wait(order.0);
        let mut trail = Trail::default();
        let queued = order::queue(&mut tx, row, asked, &mut trail).await?;
        let answer = Answer::accepted(order::shown(&queued, caller.language));
        trail.finish(app, caller, tx, answer).await?;
        let mut changes = app.changes();
        let deadline = tokio::time::Instant::now() + FIRST_WAIT;
        let given = loop {
            if let Some(refused) = ended(app, account, order).await?.and_then(|order| order.refusal) {
                return Err(refused.into());
            }
            tokio::select! {
                given = &mut waiting.stream => match given {
                    Ok(given) => break given,
                    Err(_) => return Err(late().into()),
                },
                _ = changes.changed() => {}
                () = tokio::time::sleep_until(deadline) => return Err(late().into()),
            }
        };
        drop(waiting);
        let (sender, bytes) = mpsc::channel(PIECES);
        let going = app.clone();
        tokio::spawn(async move {
            let mut count = Count::new(&going, order, expected);
            if let Err(error) = pour(&going, account, order, given, &sender, &mut count).await {
                tracing::info!(%error, %order, "what a node handed out did not come to its end");
                // The reader's connection is cut, so that half a stream is not taken for a whole one.
                let _ = sender.send(Err(error)).await;
            }
        });
        Ok(Self { account, order, bytes })
    }

    /// The first of it, so that what the node refuses late is still an answer of its own; none where it is empty.
    pub(crate) async fn first(&mut self, app: &App) -> Result<Option<Bytes>, Fault> {
        match self.bytes.recv().await {
            None => Ok(None),
            Some(Ok(bytes)) => Ok(Some(bytes)),
            Some(Err(error)) => {
                let refused = ended(app, self.account, self.order).await?.and_then(|order| order.refusal);
                Err(refused.map_or_else(|| Fault::broken("reading what a node hands out")(error.into()), Fault::from))
            }
        }
    }
}

/// What it is, of what, and when: `shop-app-20260131T1500Z.sql.gz`.
fn file_name(row: &SolutionRow, part: &str, ending: &str) -> String {
    let at = Timestamp::now().strftime("%Y%m%dT%H%MZ");
    format!("{}-{part}-{at}.{ending}", row.name)
}

/// Everything that comes, and then whether it was all.
async fn pour(
    app: &App,
    account: AccountId,
    order: OrderId,
    mut given: Given,
    to: &mpsc::Sender<Result<Bytes, io::Error>>,
    count: &mut Count,
) -> Result<(), io::Error> {
    let gone = |_| io::Error::from(io::ErrorKind::BrokenPipe);
    if !given.first.is_empty() {
        count.add(given.first.len()).await;
        to.send(Ok(given.first)).await.map_err(gone)?;
    }
    loop {
        let mut piece = BytesMut::with_capacity(PIECE_BYTES);
        if given.rest.read_buf(&mut piece).await? == 0 {
            break;
        }
        count.add(piece.len()).await;
        to.send(Ok(piece.freeze())).await.map_err(gone)?;
    }
    count.say().await;
    let mut changes = app.changes();
    let deadline = tokio::time::Instant::now() + END_WAIT;
    loop {
        let ended = ended(app, account, order).await.map_err(|fault| io::Error::other(fault.to_string()))?;
        if let Some(order) = ended {
            return if order.state == "done" { Ok(()) } else { Err(io::Error::other("the node says that it failed")) };
        }
        tokio::select! {
            _ = changes.changed() => {}
            () = tokio::time::sleep_until(deadline) => return Err(io::Error::from(io::ErrorKind::TimedOut)),
        }
    }
}

/// The order, when it has ended.
async fn ended(app: &App, account: AccountId, id: OrderId) -> Result<Option<OrderRow>, Fault> {
    let mut tx = app.doors().tenant(account).await?;
    let order = store::order::get(tx.conn(), id.0).await?;
    Ok(order.filter(|order| matches!(order.state.as_str(), "done" | "failed")))
}

fn late() -> Refusal {
    Refusal::new(
        "stream-late",
        503,
        Text::new("Strømmen begyndte ikke", "The stream did not begin"),
        Text::new(
            "Andre ordrer på løsningen kommer først, eller serveren er ikke nået. Prøv igen.",
            "Other orders on the solution come first, or the node is not reached. Try again.",
        ),
    )
}

pub(crate) async fn load(
    State(app): State<App>,
    caller: Caller,
    Path(text): Path<String>,
    Ask(asking): Ask<Asking>,
    request: Request,
) -> Result<Answer, Fault> {
    // Looked at before the body is read, so that a mistake does not cost an upload; looked at again under the lock.
    let (tx, row) = solution::open(&app, &caller, &text, &IfMatch::default()).await?;
    order::refuse_gone(&row)?;
    asking.check(&app, &row)?;
    drop(tx);
    let id = OrderId::new();
    let file = spool::receive(app.config(), &id.to_string(), request).await?;
    let (mut tx, row) = solution::open(&app, &caller, &text, &IfMatch::default()).await?;
    order::refuse_gone(&row)?;
    let format = asking.check(&app, &row)?;
    let (before, failed) = (SnapshotId::new(), SnapshotId::new());
    let of = (row.id, row.account);
    store::snapshot::insert(tx.conn(), before, of, "before loading", Some("load"), &row.spec).await?;
    let verb = Verb::Load { part: asking.part, format: format.word.to_owned(), bytes: file.bytes(), before, failed };
    let asked = Asked { id, spool: Some(file.name()), ..Asked::just(verb) };
    let answer = order::end(&app, &caller, tx, &row, asked).await?;
    file.keep();
    Ok(answer)
}
