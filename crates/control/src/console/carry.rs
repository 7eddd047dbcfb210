//! A console while it is open. Each way waits for the other side to take what it was given, so that nothing piles up here; beside them it is
//! looked again and again whether whoever sits there still may.

use super::hands::Hands;
use super::{PIECE_BYTES, Reached, Seat};
use crate::app::App;
use crate::fault::Fault;
use crate::{credential, store};
use axum::extract::ws::{CloseFrame, Message, WebSocket};
use bytes::{Bytes, BytesMut};
use futures_util::stream::{SplitSink, SplitStream};
use futures_util::{SinkExt, StreamExt};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::unix::{OwnedReadHalf, OwnedWriteHalf};
use tokio::time::Instant;

/// The longest that a console is open; whoever needs it longer opens another.
const CONSOLE_MAX: Duration = Duration::from_secs(8 * 3600);
/// The longest that nobody presses a key or moves the pointer.
const IDLE_MAX: Duration = Duration::from_secs(30 * 60);
/// A viewer answers a ping; one of which nothing is heard for so long is gone.
const PING: Duration = Duration::from_secs(20);
const HEARD_MAX: Duration = Duration::from_secs(60);
/// The longest that either side may take to take something.
const TAKE_MAX: Duration = Duration::from_secs(30);
/// The longest that it is waited until somebody has heard that it ends.
const FAREWELL_MAX: Duration = Duration::from_secs(2);
/// It is looked whether it may go on when something changed, at most this often, and at least that often.
const LOOK_PAUSE: Duration = Duration::from_millis(500);
const LOOK_AGAIN: Duration = Duration::from_secs(5);
/// The longest that it goes on where that can't be found out.
const UNKNOWN_MAX: Duration = Duration::from_secs(60);
/// How often it is noted of a session that somebody works by it.
const USED: Duration = Duration::from_secs(60);

/// Why a console ended. A WebSocket's own codes of applications begin at 4000.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum End {
    /// Whoever sat there went.
    Left,
    /// What it was opened with has ended.
    LoggedOut,
    /// A measure cut it.
    Held,
    /// Nobody did anything.
    Idle,
    /// It was open as long as one may be.
    Long,
    /// The screen went.
    Off,
    /// Whether it may go on could not be found out.
    Unknown,
}

impl End {
    const fn said(self) -> (u16, &'static str) {
        match self {
            Self::Left => (1000, "left"),
            Self::LoggedOut => (4001, "logged-out"),
            Self::Held => (4002, "held"),
            Self::Idle => (4003, "idle"),
            Self::Long => (4004, "long"),
            Self::Off => (4005, "off"),
            Self::Unknown => (4006, "unknown"),
        }
    }
}

/// When somebody last did something, in seconds since the console was opened.
struct Clock {
    begun: Instant,
    acted_s: AtomicU64,
}

impl Clock {
    fn act(&self) {
        self.acted_s.store(self.begun.elapsed().as_secs(), Ordering::Relaxed);
    }

    fn idle(&self) -> Duration {
        self.begun.elapsed().saturating_sub(Duration::from_secs(self.acted_s.load(Ordering::Relaxed)))
    }
}

/// Carries a console until it ends, and writes down that it did.
pub(crate) async fn carry(app: App, reached: Reached, socket: WebSocket) {
    let Reached { seat, first, given } = reached;
    let clock = Clock { begun: Instant::now(), acted_s: AtomicU64::new(0) };
    let (mut sink, stream) = socket.split();
    let mut end = tokio::select! {
        end = show(first, given.rest, &mut sink) => end,
        end = press(stream, given.back, &clock) => end,
        end = watch(&app, &seat, &clock) => end,
    };
    // A node that cuts it for a measure is quicker than the look here.
    if end == End::Off && matches!(stands(&app, &seat).await, Ok(Some(End::Held))) {
        end = End::Held;
    }
    let (code, reason) = end.said();
    let farewell = Message::Close(Some(CloseFrame { code, reason: reason.into() }));
    // Who is gone hears nothing.
    let _ = tokio::time::timeout(FAREWELL_MAX, sink.send(farewell)).await;
    seat.close(&app, clock.begun.elapsed(), reason).await;
}

/// From the screen to whoever looks.
async fn show(first: Bytes, mut screen: OwnedReadHalf, sink: &mut SplitSink<WebSocket, Message>) -> End {
    let mut ping = tokio::time::interval_at(Instant::now() + PING, PING);
    let mut next = Message::Binary(first);
    let mut piece = BytesMut::with_capacity(PIECE_BYTES);
    loop {
        if !matches!(tokio::time::timeout(TAKE_MAX, sink.send(next)).await, Ok(Ok(()))) {
            return End::Left;
        }
        next = tokio::select! {
            read = screen.read_buf(&mut piece) => match read {
                Ok(1..) => Message::Binary(piece.split().freeze()),
                Ok(0) | Err(_) => return End::Off,
            },
            _ = ping.tick() => Message::Ping(Bytes::new()),
        };
        piece.reserve(PIECE_BYTES);
    }
}

/// From the keys to the screen's own side.
async fn press(mut stream: SplitStream<WebSocket>, mut back: OwnedWriteHalf, clock: &Clock) -> End {
    let mut hands = Hands::default();
    loop {
        match tokio::time::timeout(HEARD_MAX, stream.next()).await {
            Ok(Some(Ok(Message::Binary(said)))) => {
                if hands.hear(&said) {
                    clock.act();
                }
                if !matches!(tokio::time::timeout(TAKE_MAX, back.write_all(&said)).await, Ok(Ok(()))) {
                    return End::Off;
                }
            }
            Ok(Some(Ok(Message::Ping(_) | Message::Pong(_)))) => {}
            // Text says nothing to a screen.
            Ok(Some(Ok(Message::Text(_) | Message::Close(_)) | Err(_)) | None) | Err(_) => return End::Left,
        }
    }
}

/// Ends when it may not go on.
async fn watch(app: &App, seat: &Seat, clock: &Clock) -> End {
    let mut changes = app.changes();
    let (mut known, mut used) = (Instant::now(), Instant::now());
    loop {
        changes.mark_unchanged();
        tokio::time::sleep(LOOK_PAUSE).await;
        // Control that ends takes its consoles with it, so a closed channel is waited out.
        let _ = tokio::time::timeout(LOOK_AGAIN, changes.changed()).await;
        if clock.begun.elapsed() > CONSOLE_MAX {
            return End::Long;
        }
        if clock.idle() > IDLE_MAX {
            return End::Idle;
        }
        match stands(app, seat).await {
            Ok(Some(end)) => return end,
            Ok(None) => known = Instant::now(),
            Err(error) => tracing::warn!(%error, solution = %seat.solution, "whether a console may go on is not known"),
        }
        if known.elapsed() > UNKNOWN_MAX {
            return End::Unknown;
        }
        if used.elapsed() > USED && clock.idle() < USED {
            used = Instant::now();
            if let Err(error) = credential::used(app, &seat.caller).await {
                tracing::warn!(%error, "that a session is used is not noted");
            }
        }
    }
}

/// Why it may not go on; none where it may.
async fn stands(app: &App, seat: &Seat) -> Result<Option<End>, Fault> {
    if !credential::stands(app, &seat.caller).await? {
        return Ok(Some(End::LoggedOut));
    }
    // Staff need their grant as long as they look.
    let mut tx = match seat.caller.tenant(app, seat.account, Some(seat.solution)).await {
        Err(Fault::Refused(_)) => return Ok(Some(End::LoggedOut)),
        other => other?,
    };
    let held = store::solution::held_on(tx.conn(), seat.solution).await?;
    Ok(held.filter(|held| !seat.caller.is_staff() && !held.leaves_console()).map(|_| End::Held))
}
