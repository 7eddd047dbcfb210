//! Waking: changes are told within the process at once and between processes by LISTEN/NOTIFY. A wake carries no data; who is
//! woken reads the database again. Streams of events are such readers.

use crate::app::App;
use crate::caller::Caller;
use crate::store::event::EventRow;
use crate::{credential, store, texts};
use axum::response::sse::{Event, KeepAlive, Sse};
use futures_util::Stream;
use husorden_base::{Language, SolutionId};
use husorden_wire::api;
use std::convert::Infallible;
use std::time::Duration;
use tokio::sync::{OwnedSemaphorePermit, mpsc};

/// Events read at once for a stream.
const BATCH: i64 = 200;
/// A stream looks again after this long even when nothing woke it: a silent measure becomes visible by the clock alone.
const LOOK_AGAIN: Duration = Duration::from_secs(15);
/// A stream ends after this long; the client comes again with Last-Event-ID, and its token is checked again.
const STREAM_MAX: Duration = Duration::from_secs(600);
const RECONNECT_WAIT: Duration = Duration::from_secs(1);

/// Listens for changes that other processes made, for ever.
pub(crate) async fn listen(app: App) {
    loop {
        match app.doors().listener().await {
            Ok(mut listener) => {
                if listener.listen("husorden").await.is_ok() {
                    // What happened while nobody listened is found by reading.
                    app.wake();
                    while listener.recv().await.is_ok() {
                        app.wake();
                    }
                }
                tracing::warn!("the connection that listens for changes was lost");
            }
            Err(error) => tracing::warn!(%error, "changes of other processes cannot be listened for"),
        }
        tokio::time::sleep(RECONNECT_WAIT).await;
    }
}

/// An event in the reader's language.
pub(crate) fn shown(row: EventRow, language: Language) -> api::Event {
    api::Event {
        id: row.id,
        at: row.at,
        message: texts::event(&row.kind, &row.data).get(language).to_owned(),
        kind: row.kind,
        solution: row.solution.map(|id| id.to_string()),
        by: row.by,
    }
}

/// A stream of events from a number on; with none given, of those to come.
pub(crate) fn stream(
    app: App,
    caller: Caller,
    solution: Option<SolutionId>,
    after: Option<u64>,
    place: OwnedSemaphorePermit,
) -> Sse<impl Stream<Item = Result<Event, Infallible>>> {
    let (sender, receiver) = mpsc::channel(64);
    tokio::spawn(async move {
        let _place = place;
        let told = tokio::time::timeout(STREAM_MAX, tell(&app, &caller, solution, after, &sender)).await;
        if let Ok(Err(error)) = told {
            tracing::warn!(%error, "a stream of events ended");
        }
    });
    Sse::new(tokio_stream::wrappers::ReceiverStream::new(receiver)).keep_alive(KeepAlive::default())
}

async fn tell(
    app: &App,
    caller: &Caller,
    solution: Option<SolutionId>,
    after: Option<u64>,
    sender: &mpsc::Sender<Result<Event, Infallible>>,
) -> Result<(), crate::fault::Fault> {
    let mut changes = app.changes();
    let mut cursor = match after {
        Some(after) => after,
        None => {
            let mut tx = caller.read(app).await?;
            store::event::list(tx.conn(), solution, None, 1).await?.last().map_or(0, |row| row.id)
        }
    };
    loop {
        changes.mark_unchanged();
        // A credential that was ended ends its streams: ending it is a change too, told to every control.
        if !credential::stands(app, caller).await? {
            return Ok(());
        }
        loop {
            let mut tx = caller.read(app).await?;
            let rows = store::event::list(tx.conn(), solution, Some(cursor), BATCH).await?;
            drop(tx);
            let Some(last) = rows.last() else { break };
            cursor = last.id;
            for row in rows {
                let event = shown(row, caller.language);
                let text = serde_json::to_string(&event).unwrap_or_default();
                let line = Event::default().id(event.id.to_string()).event("event").data(text);
                if sender.send(Ok(line)).await.is_err() {
                    return Ok(());
                }
            }
        }
        tokio::select! {
            () = sender.closed() => return Ok(()),
            changed = changes.changed() => if changed.is_err() { return Ok(()) },
            () = tokio::time::sleep(LOOK_AGAIN) => {}
        }
    }
}
