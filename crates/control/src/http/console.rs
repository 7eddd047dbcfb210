//! `/v1/solutions/{solution}/screen` and `…/console`.

use crate::app::App;
use crate::caller::Caller;
use crate::console::{self, Reached};
use crate::fault::Fault;
use crate::visitor::Whence;
use axum::extract::ws::WebSocketUpgrade;
use axum::extract::ws::rejection::WebSocketUpgradeRejection;
use axum::extract::{Path, State};
use axum::response::{IntoResponse, Response};
use http::{HeaderValue, header};
use husorden_base::{Refusal, Text};
use husorden_wire::node::Question;
use std::time::Duration;

/// Bytes of one message of a viewer's at most; the largest are settings of a hundred bytes, and text that was copied.
const MESSAGE_BYTES_MAX: usize = 1 << 20;

pub(crate) async fn screen(
    State(app): State<App>,
    caller: Caller,
    Path(text): Path<String>,
    whence: Whence,
) -> Result<Response, Fault> {
    let reached = Reached::ask(&app, caller, &text, whence.visitor, Question::Screen).await?;
    let picture = console::picture(reached).await?;
    let headers = [
        (header::CONTENT_TYPE, HeaderValue::from_static("image/png")),
        (header::CACHE_CONTROL, HeaderValue::from_static("no-store")),
    ];
    Ok((headers, picture).into_response())
}

pub(crate) async fn console(
    State(app): State<App>,
    caller: Caller,
    Path(text): Path<String>,
    whence: Whence,
    socket: Result<WebSocketUpgrade, WebSocketUpgradeRejection>,
) -> Result<Response, Fault> {
    // Who may not see it learns nothing else.
    console::find(&app, &caller, &text).await?;
    let socket = socket.map_err(|_| no_socket())?;
    let reached = Reached::ask(&app, caller, &text, whence.visitor, Question::Console).await?;
    let socket = socket.max_message_size(MESSAGE_BYTES_MAX).max_frame_size(MESSAGE_BYTES_MAX);
    let (seat, begun) = (reached.seat.clone(), app.clone());
    let socket = socket.on_failed_upgrade(move |_| {
        // Who went before the connection was theirs has closed it too.
        tokio::spawn(async move { seat.close(&begun, Duration::ZERO, "left").await });
    });
    // A console is a task of its own: its state is not part of every answer's.
    Ok(socket.on_upgrade(move |socket| Box::pin(console::carry(app, reached, socket))))
}

fn no_socket() -> Refusal {
    Refusal::new(
        "no-websocket",
        426,
        Text::new("En konsol åbnes som WebSocket", "A console is opened as a WebSocket"),
        Text::new(
            "Send Connection: Upgrade og Upgrade: websocket (RFC 6455), eller åbn konsollen i panelet.",
            "Send Connection: Upgrade and Upgrade: websocket (RFC 6455), or open the console in the panel.",
        ),
    )
}
