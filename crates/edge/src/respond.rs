//! The respond phase: the answer's last header fields, and its body on its way out.

use crate::connection::{Connection, Track};
use crate::fastcgi::reply::Reply;
use crate::files::stream::FileStream;
use crate::gzip::Zipped;
use crate::life::Life;
use crate::log;
use crate::pages::Page;
use crate::route::{Route, SitePath};
use crate::table::SiteState;
use bytes::Bytes;
use http::header::{self, HeaderMap, HeaderValue};
use http::request::Parts;
use http::{Method, Response, StatusCode};
use husorden_base::Language;
use hyper::body::{Body as HttpBody, Frame, SizeHint};
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::task::{Context, Poll};
use std::time::Instant;

/// Pieces in which a body in memory is handed out, so that a cut takes effect between two of them.
const PIECE_BYTES: usize = 64 << 10;

/// An answer that has not been sent yet.
pub(crate) type Answer = Response<Content>;

/// What a body is made of.
#[derive(Debug)]
pub(crate) enum Content {
    Empty,
    Bytes(Bytes),
    File(Box<FileStream>),
    Reply(Box<Reply>),
    Zipped(Box<Zipped>),
}

impl Content {
    pub(crate) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Option<io::Result<Bytes>>> {
        match self {
            Self::Empty => Poll::Ready(None),
            Self::Bytes(bytes) if bytes.is_empty() => Poll::Ready(None),
            Self::Bytes(bytes) => Poll::Ready(Some(Ok(bytes.split_to(bytes.len().min(PIECE_BYTES))))),
            Self::File(file) => file.poll(cx),
            Self::Reply(reply) => reply.poll(cx),
            Self::Zipped(zipped) => zipped.poll(cx),
        }
    }

    /// Bytes still to come, where that is known.
    pub(crate) fn left(&self) -> Option<u64> {
        match self {
            Self::Empty => Some(0),
            Self::Bytes(bytes) => Some(bytes.len() as u64),
            Self::File(file) => Some(file.left()),
            Self::Reply(reply) => reply.left(),
            Self::Zipped(_) => None,
        }
    }
}

/// A page of the edge's own as an answer.
pub(crate) fn page(page: &Page, headers: &HeaderMap) -> Answer {
    let language = headers
        .get(header::ACCEPT_LANGUAGE)
        .and_then(|value| value.to_str().ok())
        .map_or_else(Language::default, Language::from_accept);
    let mut answer = Response::new(Content::Bytes(page.html(language)));
    *answer.status_mut() = page.status();
    let fields = answer.headers_mut();
    fields.insert(header::CONTENT_TYPE, HeaderValue::from_static("text/html; charset=utf-8"));
    fields.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    fields.insert(header::VARY, HeaderValue::from_static("accept-language"));
    fields.insert(
        header::CONTENT_SECURITY_POLICY,
        HeaderValue::from_static("default-src 'none'; style-src 'unsafe-inline'"),
    );
    if let Some(seconds) = page.retry_after_s() {
        fields.insert(header::RETRY_AFTER, HeaderValue::from(seconds));
    }
    if *page == Page::MethodNotAllowed {
        fields.insert(header::ALLOW, HeaderValue::from_static("GET, HEAD"));
    }
    answer
}

/// A redirect of a whole site to HTTPS.
pub(crate) fn to_https(route: &Route, parts: &Parts, port: u16) -> Answer {
    let target = parts.uri.path_and_query().map_or("/", |target| target.as_str());
    let location = match port {
        443 => format!("https://{}{target}", route.host),
        port => format!("https://{}:{port}{target}", route.host),
    };
    redirect(StatusCode::PERMANENT_REDIRECT, &location)
}

/// A redirect of a directory to its name with a slash.
pub(crate) fn with_slash(path: &SitePath, parts: &Parts) -> Answer {
    let query = parts.uri.query().map_or_else(String::new, |query| format!("?{query}"));
    // Only these two methods may be changed by a client that follows a 301 (RFC 9110, 15.4.2).
    let status = if parts.method == Method::GET || parts.method == Method::HEAD {
        StatusCode::MOVED_PERMANENTLY
    } else {
        StatusCode::PERMANENT_REDIRECT
    };
    redirect(status, &format!("{}/{query}", path.encoded()))
}

fn redirect(status: StatusCode, location: &str) -> Answer {
    let mut answer = Response::new(Content::Empty);
    *answer.status_mut() = status;
    if let Ok(location) = HeaderValue::from_str(location) {
        answer.headers_mut().insert(header::LOCATION, location);
    }
    answer
}

/// Makes an answer ready to be sent.
pub(crate) fn finish(answer: Answer, method: &Method, ticket: Option<Box<Ticket>>, busy: Busy) -> Response<Body> {
    let (mut parts, mut content) = answer.into_parts();
    let bodiless =
        *method == Method::HEAD || parts.status == StatusCode::NO_CONTENT || parts.status == StatusCode::NOT_MODIFIED;
    if bodiless {
        // A HEAD is told the length that a GET would have (RFC 9110, 9.3.2).
        if *method == Method::HEAD
            && !parts.headers.contains_key(header::CONTENT_LENGTH)
            && let Some(left) = content.left()
            && !matches!(content, Content::Empty)
        {
            parts.headers.insert(header::CONTENT_LENGTH, HeaderValue::from(left));
        }
        content = Content::Empty;
    }
    Response::from_parts(parts, Body { content, ticket, busy })
}

/// A body on its way out. When it is dropped, sent or cut, the request is over: it is logged and counted.
#[derive(Debug)]
pub(crate) struct Body {
    content: Content,
    ticket: Option<Box<Ticket>>,
    busy: Busy,
}

impl HttpBody for Body {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, io::Error>>> {
        let this = self.get_mut();
        match this.content.poll(cx) {
            Poll::Ready(Some(Ok(bytes))) => {
                if let Some(ticket) = &mut this.ticket {
                    ticket.sent_bytes += bytes.len() as u64;
                }
                this.busy.sending();
                Poll::Ready(Some(Ok(Frame::data(bytes))))
            }
            Poll::Ready(Some(Err(error))) => Poll::Ready(Some(Err(error))),
            Poll::Ready(None) => Poll::Ready(None),
            Poll::Pending => {
                this.busy.waiting();
                Poll::Pending
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        self.content.left() == Some(0)
    }

    fn size_hint(&self) -> SizeHint {
        self.content.left().map_or_else(SizeHint::default, SizeHint::with_exact)
    }
}

/// Says to the life of the connection or stream that it is answering, until it is dropped.
#[derive(Debug)]
pub(crate) struct Busy {
    life: Arc<Life>,
    multiplexed: bool,
}

impl Busy {
    pub(crate) fn new(track: &Track) -> Self {
        if !track.multiplexed {
            track.life.request();
        }
        Self { life: Arc::clone(&track.life), multiplexed: track.multiplexed }
    }

    // On HTTP/1.1 the socket tells what the client takes; a stream's client can only be judged by how it takes the body.
    fn sending(&self) {
        if self.multiplexed {
            self.life.sending();
        }
    }

    fn waiting(&self) {
        if self.multiplexed {
            self.life.waiting();
        }
    }
}

impl Drop for Busy {
    fn drop(&mut self) {
        if !self.multiplexed {
            self.life.answered();
        }
    }
}

/// What is known of a request when it is over.
#[derive(Debug)]
pub(crate) struct Ticket {
    pub(crate) connection: Arc<Connection>,
    pub(crate) site: Arc<SiteState>,
    pub(crate) request: Parts,
    pub(crate) status: StatusCode,
    pub(crate) sent_bytes: u64,
    received: Option<Arc<AtomicU64>>,
    pub(crate) started: Instant,
}

/// Carries the count of a request body's bytes from the FastCGI phase to the ticket, in the answer's extensions.
#[derive(Clone, Debug)]
pub(crate) struct Received(pub(crate) Arc<AtomicU64>);

impl Ticket {
    pub(crate) fn new(
        connection: Arc<Connection>,
        site: Arc<SiteState>,
        request: Parts,
        answer: &Answer,
        started: Instant,
    ) -> Box<Self> {
        Box::new(Self {
            connection,
            site,
            status: answer.status(),
            sent_bytes: 0,
            received: answer.extensions().get::<Received>().map(|received| Arc::clone(&received.0)),
            started,
            request,
        })
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        let received = self.received.as_ref().map_or(0, |received| received.load(Relaxed));
        self.connection.edge.ledger.answered(&self.site.tally, self.status.as_u16(), received, self.sent_bytes);
        log::access(self);
    }
}
