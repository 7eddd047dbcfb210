//! One request to a site's program and its answer, driven by one poll: what the client sends goes in as the program takes
//! it, what the program writes comes out as the client takes it. Dropping it closes the connection, by which the program
//! learns that nobody waits.

use super::head::{self, Head};
use super::record::{self, CONTENT_BYTES_MAX, Event, Kind, Parser};
use crate::pages::Page;
use bytes::{Buf, Bytes, BytesMut};
use hyper::body::{Body as _, Incoming};
use std::future::{Future, poll_fn};
use std::io::{self, IoSlice};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::task::{Context, Poll, ready};
use std::time::{Duration, Instant};
use tokio::io::AsyncWrite;
use tokio::net::UnixStream;
use tokio::time::Sleep;
use tokio_util::io::poll_read_buf;

const READ_BYTES: usize = 32 << 10;
/// Error output kept until it is logged; the rest of a burst is dropped.
const STDERR_BYTES_MAX: usize = 16 << 10;

/// Where the request body comes from.
#[derive(Debug)]
pub(super) enum Source {
    Nothing,
    /// From the client as it is taken, `left` bytes more.
    Client {
        body: Incoming,
        left: u64,
        received: Arc<AtomicU64>,
    },
    /// Spooled in memory.
    Memory(Bytes),
    /// Spooled in an unnamed file, from `at` up to `end`.
    File {
        file: std::fs::File,
        at: u64,
        end: u64,
    },
}

impl Source {
    /// Bytes to come.
    pub(super) fn length(&self) -> u64 {
        match self {
            Self::Nothing => 0,
            Self::Client { left, .. } => *left,
            Self::Memory(bytes) => bytes.len() as u64,
            Self::File { at, end, .. } => end - at,
        }
    }

    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<Bytes>> {
        match self {
            Self::Nothing => Poll::Ready(Ok(Bytes::new())),
            Self::Client { body, left, received } => loop {
                if *left == 0 {
                    return Poll::Ready(Ok(Bytes::new()));
                }
                match ready!(Pin::new(&mut *body).poll_frame(cx)) {
                    Some(Ok(frame)) => {
                        let Ok(data) = frame.into_data() else { continue };
                        if data.is_empty() {
                            continue;
                        }
                        received.fetch_add(data.len() as u64, Relaxed);
                        *left = left.saturating_sub(data.len() as u64);
                        return Poll::Ready(Ok(data));
                    }
                    Some(Err(error)) => return Poll::Ready(Err(io::Error::other(error))),
                    None => return Poll::Ready(Err(io::ErrorKind::UnexpectedEof.into())),
                }
            },
            Self::Memory(bytes) => Poll::Ready(Ok(std::mem::take(bytes))),
            Self::File { file, at, end } => {
                // What was just written is in the page cache, so this does not wait for a disk.
                let length = usize::try_from(*end - *at).unwrap_or(usize::MAX).min(CONTENT_BYTES_MAX);
                let mut buffer = vec![0; length];
                let read = std::os::unix::fs::FileExt::read_exact_at(file, &mut buffer, *at);
                *at += length as u64;
                Poll::Ready(read.map(|()| Bytes::from(buffer)))
            }
        }
    }
}

/// How long an exchange may take.
#[derive(Clone, Copy, Debug)]
pub(super) struct Patience {
    pub(super) first_byte: Duration,
    pub(super) idle: Duration,
    pub(super) body_idle: Duration,
    pub(super) until: Instant,
}

/// How an exchange fails.
#[derive(Debug)]
pub(super) enum Failure {
    /// The program's connection ended before its answer did.
    Lost(io::Error),
    /// What the program sent is no answer.
    Malformed(String),
    /// The program is full.
    NotTaken,
    ProgramSlow,
    ClientSlow,
    /// The client went away in the middle of its body.
    ClientGone(io::Error),
}

impl Failure {
    /// What the client sees, and what the owner reads.
    pub(super) fn page(&self) -> (Page, Option<String>) {
        match self {
            Self::Lost(error) => (Page::BadAnswer, Some(format!("the program ended without an answer: {error}"))),
            Self::Malformed(reason) => {
                (Page::BadAnswer, Some(format!("the program's answer cannot be passed on: {reason}")))
            }
            Self::NotTaken => (Page::Busy, Some("the program has too much to do".to_owned())),
            Self::ProgramSlow => (Page::SiteSlow, Some("the program did not answer in time".to_owned())),
            Self::ClientSlow => (Page::ClientSlow, None),
            Self::ClientGone(_) => (Page::BadRequest, None),
        }
    }

    fn into_io(self) -> io::Error {
        match self {
            Self::Lost(error) | Self::ClientGone(error) => error,
            Self::Malformed(reason) => io::Error::other(reason),
            Self::NotTaken => io::ErrorKind::ConnectionRefused.into(),
            Self::ProgramSlow | Self::ClientSlow => io::ErrorKind::TimedOut.into(),
        }
    }
}

/// See the module.
#[derive(Debug)]
pub(super) struct Exchange {
    stream: UnixStream,
    /// Record headers to be written before `content`.
    out: BytesMut,
    content: Bytes,
    /// What of the body does not fit the record that is being written.
    held: Bytes,
    source: Source,
    end_queued: bool,
    sent_all: bool,
    parser: Parser,
    read: BytesMut,
    stderr: BytesMut,
    patience: Patience,
    heard: bool,
    moved: Instant,
    client_waits_since: Option<Instant>,
    alarm: Pin<Box<Sleep>>,
}

impl Exchange {
    pub(super) fn new(
        mut stream: std::os::unix::net::UnixStream,
        params: &[u8],
        source: Source,
        patience: Patience,
    ) -> io::Result<Self> {
        let mut out = BytesMut::with_capacity(params.len() + 64);
        record::open(&mut out, params);
        let end_queued = matches!(source, Source::Nothing);
        if end_queued {
            record::header(&mut out, Kind::Stdin, 0);
        }
        // A request without a body mostly fits the socket, and is under way before the runtime hears of it. Where this
        // fails, so does the next write or read, which is seen to.
        if let Ok(count) = std::io::Write::write(&mut stream, &out) {
            out.advance(count);
        }
        let now = Instant::now();
        let first = patience.first_byte.min(patience.body_idle);
        Ok(Self {
            stream: UnixStream::from_std(stream)?,
            sent_all: end_queued && out.is_empty(),
            out,
            content: Bytes::new(),
            held: Bytes::new(),
            source,
            end_queued,
            parser: Parser::default(),
            read: BytesMut::new(),
            stderr: BytesMut::new(),
            patience,
            heard: false,
            moved: now,
            client_waits_since: None,
            alarm: Box::pin(tokio::time::sleep(first)),
        })
    }

    /// Waits for the head of the answer; returns it with what of the body came along.
    pub(super) async fn head(&mut self, bytes_max: usize) -> Result<(Head, Bytes), Failure> {
        let mut written = BytesMut::new();
        loop {
            match poll_fn(|cx| self.poll(cx)).await? {
                Some(bytes) => written.extend_from_slice(&bytes),
                None => return Err(Failure::Malformed("it ends before its header does".to_owned())),
            }
            if let Some((head, rest)) = head::split(&mut written) {
                return head::parse(&head).map(|head| (head, rest)).map_err(Failure::Malformed);
            }
            if written.len() > bytes_max {
                return Err(Failure::Malformed(format!("its header is larger than {bytes_max} bytes")));
            }
        }
    }

    /// Whether anything came from the program.
    pub(super) fn heard(&self) -> bool {
        self.heard
    }

    /// What the program wrote to its error stream since the last call.
    pub(super) fn take_stderr(&mut self) -> BytesMut {
        std::mem::take(&mut self.stderr)
    }

    /// The next piece of the answer; `None` at its end.
    pub(super) fn poll_answer(&mut self, cx: &mut Context<'_>) -> Poll<Option<io::Result<Bytes>>> {
        self.poll(cx).map(|result| result.map_err(Failure::into_io).transpose())
    }

    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Result<Option<Bytes>, Failure>> {
        loop {
            while let Some(event) =
                self.parser.next(&mut self.read).map_err(|_| Failure::Malformed("it is no FastCGI".to_owned()))?
            {
                match event {
                    Event::Stdout(bytes) => return Poll::Ready(Ok(Some(bytes))),
                    Event::Stderr(bytes) => {
                        let room = STDERR_BYTES_MAX.saturating_sub(self.stderr.len());
                        self.stderr.extend_from_slice(&bytes[..bytes.len().min(room)]);
                    }
                    Event::End { taken: true } => return Poll::Ready(Ok(None)),
                    Event::End { taken: false } => return Poll::Ready(Err(Failure::NotTaken)),
                }
            }
            self.send(cx)?;
            self.read.reserve(READ_BYTES);
            match poll_read_buf(Pin::new(&mut self.stream), cx, &mut self.read) {
                Poll::Ready(Ok(0)) => return Poll::Ready(Err(Failure::Lost(io::ErrorKind::UnexpectedEof.into()))),
                Poll::Ready(Ok(_)) => {
                    self.heard = true;
                    self.moved = Instant::now();
                }
                Poll::Ready(Err(error)) => return Poll::Ready(Err(Failure::Lost(error))),
                Poll::Pending => {
                    ready!(self.watch(cx))?;
                }
            }
        }
    }

    /// Sends what can be sent now.
    fn send(&mut self, cx: &mut Context<'_>) -> Result<(), Failure> {
        while !self.sent_all {
            if self.out.is_empty() && self.content.is_empty() {
                match self.next_record(cx)? {
                    true => {}
                    false => return Ok(()),
                }
            }
            let slices = [IoSlice::new(&self.out), IoSlice::new(&self.content)];
            match Pin::new(&mut self.stream).poll_write_vectored(cx, &slices) {
                Poll::Ready(Ok(count)) => {
                    self.moved = Instant::now();
                    let of_out = count.min(self.out.len());
                    self.out.advance(of_out);
                    self.content.advance(count - of_out);
                }
                // A program may answer without reading its input; what it wrote is still to be read.
                Poll::Ready(Err(_)) => self.sent_all = true,
                Poll::Pending => return Ok(()),
            }
        }
        Ok(())
    }

    /// Prepares the next record of the body; false when the client has to send first or everything is sent.
    fn next_record(&mut self, cx: &mut Context<'_>) -> Result<bool, Failure> {
        if self.held.is_empty() {
            if self.source.length() == 0 {
                if self.end_queued {
                    self.sent_all = true;
                    return Ok(false);
                }
                record::header(&mut self.out, Kind::Stdin, 0);
                self.end_queued = true;
                return Ok(true);
            }
            match self.source.poll(cx) {
                Poll::Ready(Ok(bytes)) => {
                    self.client_waits_since = None;
                    self.held = bytes;
                }
                Poll::Ready(Err(error)) => return Err(Failure::ClientGone(error)),
                Poll::Pending => {
                    self.client_waits_since.get_or_insert_with(Instant::now);
                    return Ok(false);
                }
            }
        }
        self.content = self.held.split_to(self.held.len().min(CONTENT_BYTES_MAX));
        record::header(&mut self.out, Kind::Stdin, self.content.len());
        Ok(true)
    }

    /// Looks at the time; ready only with a failure.
    fn watch(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Failure>> {
        loop {
            let (due, failure) = match self.client_waits_since {
                Some(since) if !self.sent_all => (since + self.patience.body_idle, Failure::ClientSlow),
                _ if self.heard => (self.moved + self.patience.idle, Failure::ProgramSlow),
                _ => (self.moved + self.patience.first_byte, Failure::ProgramSlow),
            };
            let due = due.min(self.patience.until);
            if Instant::now() >= due {
                return Poll::Ready(Err(failure));
            }
            // The alarm is moved when it rings too early or would ring too late, not with every piece.
            if self.alarm.deadline() > due.into() {
                self.alarm.as_mut().reset(due.into());
            }
            ready!(self.alarm.as_mut().poll(cx));
            self.alarm.as_mut().reset(due.into());
        }
    }
}
