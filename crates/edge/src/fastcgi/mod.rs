//! The FastCGI phase: a request to a site's program over its unix socket, and the program's answer, both streamed.
//!
//! One connection carries one request, as PHP-FPM's processes each serve one connection at a time. A small request body, and
//! one without a stated length, is spooled first: the program must be told the length, and must not wait for it.

mod exchange;
mod head;
mod params;
mod record;
pub(crate) mod reply;
mod spool;

use crate::config::ms;
use crate::connection::{Connection, Track};
use crate::files::Script;
use crate::gzip::{self, Zipped};
use crate::log;
use crate::pages::Page;
use crate::request::Refused;
use crate::respond::{Answer, Content, Received};
use crate::route::Route;
use exchange::{Exchange, Failure, Patience, Source};
use http::request::Parts;
use http::{HeaderValue, Method, Response, StatusCode, header};
use hyper::body::{Body as _, Incoming};
use reply::Reply;
use rustix::net::{AddressFamily, SocketAddrUnix, SocketFlags, SocketType, socket_with};
use std::io;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::{Duration, Instant};

const CONNECT_RETRY: Duration = Duration::from_millis(10);
const CONNECT_RETRY_MAX: Duration = Duration::from_millis(250);
/// Smaller answers are not worth compressing.
const GZIP_BYTES_MIN: u64 = 1 << 10;

/// Where a site's program is.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Place<'a> {
    pub(crate) socket: &'a Path,
    pub(crate) inner_root: &'a str,
}

/// Answers a request by running a script.
pub(crate) async fn answer(
    connection: &Arc<Connection>,
    track: &Arc<Track>,
    route: &Route,
    parts: &Parts,
    body: Incoming,
    place: Place<'_>,
    script: &Script,
) -> Result<Answer, Refused> {
    let edge = &connection.edge;
    let limits = &edge.limits;
    let site = &route.site.site;
    let received = Arc::new(AtomicU64::new(0));
    let size = body.size_hint();
    if size.lower() > site.body_bytes_max {
        return Err(Page::BodyTooLarge.into());
    }
    let in_flight = edge.ledger.enter(&route.site.tally, limits.upstream_in_flight_max).ok_or(Page::Busy)?;
    let mut source = match size.exact() {
        Some(0) => Source::Nothing,
        Some(length) if length > limits.spool_memory_bytes_max as u64 => {
            Source::Client { body, left: length, received: Arc::clone(&received) }
        }
        // A small body is taken first, so that a client that dawdles over a form holds none of the site's processes.
        _ => spool::spool(edge, site.body_bytes_max, body, &received).await?,
    };
    if !track.multiplexed && !matches!(source, Source::Client { .. }) {
        track.life.unread.store(false, Relaxed);
    }
    let params = params::build(connection, route, parts, place.inner_root, script, source.length());
    let patience = Patience {
        first_byte: ms(limits.upstream_first_byte_ms_max),
        idle: ms(limits.upstream_idle_ms_max),
        body_idle: ms(limits.body_idle_ms_max),
        until: Instant::now() + ms(limits.request_ms_max),
    };
    // Run twice only where that means the same as once (RFC 9110, 9.2.2), and where nothing was taken from the client.
    let mut may_repeat = parts.method.is_idempotent() && matches!(source, Source::Nothing);
    loop {
        let stream = connect(place.socket, ms(limits.upstream_connect_ms_max)).await.map_err(|error| {
            tracing::warn!(site = %site.number, %error, "a site's program cannot be reached");
            Refused::from(Page::Busy)
        })?;
        let mut exchange = Exchange::new(stream, &params, source, patience).map_err(|error| {
            tracing::error!(site = %site.number, %error, "cannot speak with a site's program");
            Refused::from(Page::Failed)
        })?;
        match exchange.head(limits.header_bytes_max.max(head::BYTES_MIN)).await {
            Ok((head, rest)) => {
                let stderr = exchange.take_stderr();
                log::error(&edge.logs, site.number, &stderr);
                let reply =
                    Reply::new(Arc::clone(edge), Arc::clone(&route.site), in_flight, exchange, rest, head.length);
                return Ok(assemble(parts, head, reply, received));
            }
            Err(Failure::Lost(_)) if !exchange.heard() && std::mem::take(&mut may_repeat) => {
                source = Source::Nothing;
            }
            Err(failure) => {
                let stderr = exchange.take_stderr();
                log::error(&edge.logs, site.number, &stderr);
                let (page, reason) = failure.page();
                if let Some(reason) = reason {
                    log::error(&edge.logs, site.number, format!("{}: {reason}", script.name).as_bytes());
                }
                return Err(page.into());
            }
        }
    }
}

/// Connects, with patience while the socket is not there, not listened on, or its queue is full: the node restarts, or the
/// site is just waking.
async fn connect(path: &Path, patience: Duration) -> io::Result<UnixStream> {
    let until = Instant::now() + patience;
    let mut pause = CONNECT_RETRY;
    loop {
        match connect_now(path) {
            Err(error)
                if matches!(
                    error.kind(),
                    io::ErrorKind::ConnectionRefused | io::ErrorKind::NotFound | io::ErrorKind::WouldBlock
                ) && Instant::now() + pause < until =>
            {
                tokio::time::sleep(pause).await;
                pause = (pause * 2).min(CONNECT_RETRY_MAX);
            }
            result => return result,
        }
    }
}

/// A unix socket connects at once or not at all, so there is nothing to wait for.
fn connect_now(path: &Path) -> io::Result<UnixStream> {
    let flags = SocketFlags::NONBLOCK | SocketFlags::CLOEXEC;
    let socket = socket_with(AddressFamily::UNIX, SocketType::STREAM, flags, None)?;
    rustix::net::connect(&socket, &SocketAddrUnix::new(path)?)?;
    Ok(UnixStream::from(socket))
}

/// Makes the program's answer ours.
fn assemble(parts: &Parts, head: head::Head, reply: Reply, received: Arc<AtomicU64>) -> Answer {
    let zips = head.status == StatusCode::OK
        && parts.method != Method::HEAD
        && head.length.is_none_or(|length| length >= GZIP_BYTES_MIN)
        && !head.headers.contains_key(header::CONTENT_ENCODING)
        && !head.headers.contains_key(header::CONTENT_RANGE)
        && head.headers.get(header::CONTENT_TYPE).is_some_and(crate::files::compresses)
        && !head
            .headers
            .get(header::CACHE_CONTROL)
            .is_some_and(|value| value.as_bytes().windows(12).any(|word| word == b"no-transform"));
    let mut headers = head.headers;
    if zips {
        headers.append(header::VARY, HeaderValue::from_static("accept-encoding"));
    }
    let content = if zips && gzip::accepted(&parts.headers) {
        headers.insert(header::CONTENT_ENCODING, HeaderValue::from_static("gzip"));
        headers.remove(header::CONTENT_LENGTH);
        headers.remove(header::ACCEPT_RANGES);
        weaken(&mut headers);
        Content::Zipped(Box::new(Zipped::new(reply)))
    } else {
        Content::Reply(Box::new(reply))
    };
    let mut answer = Response::new(content);
    *answer.status_mut() = head.status;
    *answer.headers_mut() = headers;
    answer.extensions_mut().insert(Received(received));
    answer
}

/// A strong entity tag is of the bytes that the program sent, which ours no longer are.
fn weaken(headers: &mut http::HeaderMap) {
    let weak = headers
        .get(header::ETAG)
        .filter(|tag| tag.as_bytes().starts_with(b"\""))
        .and_then(|tag| HeaderValue::from_bytes(&[b"W/", tag.as_bytes()].concat()).ok());
    if let Some(weak) = weak {
        headers.insert(header::ETAG, weak);
    }
}
