//! One request from its header to its answer: route, gate, then files or FastCGI, then respond. Logging follows when the
//! answer has been sent.

use crate::connection::{Connection, Track};
use crate::fastcgi;
use crate::files;
use crate::gate::{Stop, gate};
use crate::pages::Page;
use crate::respond::{self, Answer, Body, Busy, Ticket};
use crate::route::{Route, route};
use http::request::Parts;
use http::{Request, Response};
use husorden_base::site::Handler;
use hyper::body::{Body as _, Incoming};
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Instant;

/// Why a request ends without an answer from its site.
#[derive(Debug)]
pub(crate) enum Refused {
    Page(Page),
    /// Nothing more is to be said; the client is gone or gets a ready answer.
    Answer(Box<Answer>),
}

impl From<Page> for Refused {
    fn from(page: Page) -> Self {
        Self::Page(page)
    }
}

/// Answers one request.
pub(crate) async fn handle(
    connection: Arc<Connection>,
    track: Arc<Track>,
    request: Request<Incoming>,
) -> Response<Body> {
    let started = Instant::now();
    let busy = Busy::new(&track);
    let (parts, body) = request.into_parts();
    if !track.multiplexed && !body.is_end_stream() {
        // Cleared by whoever reads the body to its end.
        track.life.unread.store(true, Relaxed);
    }
    let mut route = match route(&connection, &parts) {
        Ok(route) => route,
        Err(page) => {
            let answer = respond::page(&page, &parts.headers);
            return respond::finish(answer, &parts.method, None, busy);
        }
    };
    let answer = match gate(&connection, &track, &mut route, &parts.method) {
        Ok(()) => match Box::pin(serve(&connection, &track, &route, &parts, body)).await {
            Ok(answer) => answer,
            Err(Refused::Page(page)) => respond::page(&page, &parts.headers),
            Err(Refused::Answer(answer)) => *answer,
        },
        Err(Stop::Page(page)) => respond::page(&page, &parts.headers),
        Err(Stop::ToHttps) => respond::to_https(&route, &parts, connection.edge.https_port),
    };
    let method = parts.method.clone();
    let ticket = Ticket::new(connection, route.site, parts, &answer, started);
    respond::finish(answer, &method, Some(ticket), busy)
}

/// Finds what the path names, and answers with it.
async fn serve(
    connection: &Arc<Connection>,
    track: &Arc<Track>,
    route: &Route,
    parts: &Parts,
    body: Incoming,
) -> Result<Answer, Refused> {
    let site = &route.site.site;
    if route.path.is_hidden() {
        return Err(Page::Missing.into());
    }
    match files::resolve(connection, route).await? {
        files::Target::File { opened, name } => files::answer(&connection.edge, parts, opened, &name).await,
        files::Target::Directory => Ok(respond::with_slash(&route.path, parts)),
        files::Target::Script(script) => {
            let Handler::Php { socket, inner_root, .. } = &site.handler else {
                return Err(Page::Missing.into());
            };
            let place = fastcgi::Place { socket, inner_root };
            fastcgi::answer(connection, track, route, parts, body, place, &script).await
        }
    }
}
