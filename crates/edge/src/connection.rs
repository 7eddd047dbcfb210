//! One connection: its protocol, and the tracks on which its requests run.

use crate::accept::{Roll, Scheme};
use crate::config::{Limits, ms};
use crate::counts::Ledger;
use crate::files::cache::Cache;
use crate::life::{Life, Member, Streams, Verdict};
use crate::log::Logs;
use crate::request;
use crate::socket::Socket;
use crate::table::Table;
use crate::tls::Tls;
use hyper::rt::Executor;
use hyper::server::conn::{http1, http2};
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use std::convert::Infallible;
use std::future::Future;
use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::pin::{Pin, pin};
use std::sync::atomic::Ordering::Relaxed;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;

/// Bytes of an answer that may wait in one HTTP/1.1 connection, beside what the kernel holds.
const H1_BUFFER_BYTES_MAX: usize = 256 << 10;
/// Bytes of an answer that may wait in one HTTP/2 stream.
const H2_SEND_BYTES_MAX: usize = 128 << 10;
const H2_STREAM_WINDOW_BYTES: u32 = 256 << 10;
const H2_CONNECTION_WINDOW_BYTES: u32 = 1 << 20;

/// What every request may use.
#[derive(Debug)]
pub(crate) struct Edge {
    pub(crate) limits: Limits,
    pub(crate) table: Arc<Table>,
    pub(crate) ledger: Arc<Ledger>,
    pub(crate) tls: Tls,
    pub(crate) cache: Cache,
    pub(crate) logs: Logs,
    pub(crate) https_port: u16,
    pub(crate) spool_dir: PathBuf,
}

/// Who is at the other end, and how they came.
#[derive(Clone, Debug)]
pub(crate) struct Peer {
    /// The address, never an IPv4-mapped one.
    pub(crate) address: IpAddr,
    pub(crate) port: u16,
    pub(crate) local: SocketAddr,
    pub(crate) scheme: Scheme,
    /// The name asked for in the TLS hello, in lower case.
    pub(crate) name: Option<Box<str>>,
}

/// What a connection's requests share.
#[derive(Debug)]
pub(crate) struct Connection {
    pub(crate) edge: Arc<Edge>,
    pub(crate) peer: Peer,
}

/// What is cut as one: an HTTP/1.1 connection, or one stream of an HTTP/2 connection.
#[derive(Debug)]
pub(crate) struct Track {
    pub(crate) life: Arc<Life>,
    pub(crate) multiplexed: bool,
    member: Mutex<Option<Member>>,
}

impl Track {
    fn new(life: Arc<Life>, multiplexed: bool) -> Arc<Self> {
        Arc::new(Self { life, multiplexed, member: Mutex::default() })
    }

    /// Puts the track among a site's; false when the site has closed meanwhile.
    pub(crate) fn join(&self, streams: &Arc<Streams>) -> bool {
        let mut member = self.member.lock().unwrap_or_else(PoisonError::into_inner);
        if !member.as_ref().is_some_and(|member| member.of(streams)) {
            *member = streams.join(&self.life);
        }
        member.is_some()
    }

    /// Takes the track from among its site's.
    fn leave(&self) {
        *self.member.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }
}

tokio::task_local! {
    static TRACK: Arc<Track>;
}

/// Serves one connection to its end.
pub(crate) async fn serve(edge: Arc<Edge>, tcp: TcpStream, mut peer: Peer, life: Arc<Life>, roll: Arc<Roll>) {
    let socket = Socket::new(tcp, Arc::clone(&life));
    if peer.scheme == Scheme::Http {
        return Box::pin(serve_h1(Arc::new(Connection { edge, peer }), socket, life)).await;
    }
    // The handshake has a time-out of its own; to the sweep it counts as an answer.
    life.request();
    let handshake = Box::pin(edge.tls.accept(socket));
    let accepted = tokio::time::timeout(ms(edge.limits.handshake_ms_max), handshake).await;
    life.answered();
    let stream = match accepted {
        Ok(Ok(stream)) => stream,
        Ok(Err(error)) => {
            tracing::debug!(peer = %peer.address, %error, "handshake failed");
            return;
        }
        Err(_) => return,
    };
    let session = stream.get_ref().1;
    peer.name = session.server_name().map(|name| name.to_ascii_lowercase().into());
    let h2 = session.alpn_protocol() == Some(b"h2");
    let connection = Arc::new(Connection { edge, peer });
    if h2 {
        Box::pin(serve_h2(connection, stream, life, roll)).await;
    } else {
        Box::pin(serve_h1(connection, stream, life)).await;
    }
}

async fn serve_h1<S>(connection: Arc<Connection>, stream: S, life: Arc<Life>)
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let track = Track::new(Arc::clone(&life), false);
    let service = service_fn(|request| {
        let (connection, track) = (Arc::clone(&connection), Arc::clone(&track));
        async move { Ok::<_, Infallible>(request::handle(connection, track, request).await) }
    });
    let mut http = pin!(
        http1::Builder::new()
            .max_buf_size(H1_BUFFER_BYTES_MAX)
            .header_read_timeout(None)
            .serve_connection(TokioIo::new(stream), service)
    );
    std::future::poll_fn(|cx| {
        life.register(cx.waker());
        // Between requests there is nothing to take back: whoever asks again is told without a new handshake.
        if life.verdict() == Verdict::Cut && life.is_rested() {
            life.pardon();
            track.leave();
        }
        match life.verdict() {
            Verdict::Live => {}
            Verdict::Finish => http.as_mut().graceful_shutdown(),
            Verdict::End | Verdict::Cut => return Poll::Ready(()),
        }
        http.as_mut().poll(cx).map(drop)
    })
    .await;
}

async fn serve_h2<S>(connection: Arc<Connection>, stream: S, life: Arc<Life>, roll: Arc<Roll>)
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    life.multiplexed.store(true, Relaxed);
    let limits = &connection.edge.limits;
    let streams = StreamExecutor { connection: Arc::clone(&life), roll };
    let header_bytes_max = u32::try_from(limits.header_bytes_max).unwrap_or(u32::MAX);
    let service = service_fn(|request| {
        let connection = Arc::clone(&connection);
        async move {
            let track = TRACK.with(Arc::clone);
            Ok::<_, Infallible>(request::handle(connection, track, request).await)
        }
    });
    let mut http = pin!(
        http2::Builder::new(streams)
            .max_concurrent_streams(limits.h2_streams_max)
            .max_header_list_size(header_bytes_max)
            .max_send_buf_size(H2_SEND_BYTES_MAX)
            .initial_stream_window_size(H2_STREAM_WINDOW_BYTES)
            .initial_connection_window_size(H2_CONNECTION_WINDOW_BYTES)
            .serve_connection(TokioIo::new(stream), service)
    );
    let mut said_goodbye = false;
    std::future::poll_fn(|cx| {
        life.register(cx.waker());
        match life.verdict() {
            Verdict::Live => {}
            Verdict::Finish if said_goodbye => {}
            Verdict::Finish => {
                said_goodbye = true;
                http.as_mut().graceful_shutdown();
            }
            Verdict::End | Verdict::Cut => return Poll::Ready(()),
        }
        http.as_mut().poll(cx).map(drop)
    })
    .await;
}

/// Runs each HTTP/2 stream as a task on a track of its own.
#[derive(Clone, Debug)]
struct StreamExecutor {
    connection: Arc<Life>,
    roll: Arc<Roll>,
}

impl<F> Executor<F> for StreamExecutor
where
    F: Future<Output = ()> + Send + 'static,
{
    fn execute(&self, stream: F) {
        let life = Life::new();
        life.request();
        self.connection.request();
        self.roll.add(&life);
        let track = Track::new(life, true);
        tokio::spawn(Tracked { stream: Some(Box::pin(stream)), track, connection: Arc::clone(&self.connection) });
    }
}

/// A stream on its track. Dropping the stream before it ends resets it, and what h2 still held of it is thrown away; the
/// connection and its other streams go on. A stream whose answer was handed to h2 whole has ended: at most its last
/// pieces (`H2_SEND_BYTES_MAX`) may still wait for the client's window.
struct Tracked<F> {
    stream: Option<Pin<Box<F>>>,
    track: Arc<Track>,
    connection: Arc<Life>,
}

impl<F: Future<Output = ()>> Future for Tracked<F> {
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let this = self.get_mut();
        this.track.life.register(cx.waker());
        if this.track.life.verdict() >= Verdict::End {
            this.stream = None;
        }
        let Some(stream) = &mut this.stream else { return Poll::Ready(()) };
        TRACK.sync_scope(Arc::clone(&this.track), || stream.as_mut().poll(cx))
    }
}

impl<F> Drop for Tracked<F> {
    fn drop(&mut self) {
        self.stream = None;
        self.connection.answered();
    }
}
