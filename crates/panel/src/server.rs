//! The panel's listener: TLS always, HTTP/1.1 and 2, with limits on connections and on the time to the first request.

use crate::config::Config;
use crate::routes;
use axum::Router;
use axum::extract::ConnectInfo;
use husorden_control::App;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto::Builder;
use hyper_util::server::graceful::GracefulShutdown;
use hyper_util::service::TowerToHyperService;
use rustls::crypto::ring;
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};
use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::{Duration, SystemTime};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio_rustls::TlsAcceptor;

/// How long open requests may take to end when the panel stops. Streams of events would never end by themselves.
const DRAIN_WAIT: Duration = Duration::from_secs(3);
/// How often it is looked whether another certificate lies there.
const CERTIFICATE_LOOK: Duration = Duration::from_secs(60);

/// Why the panel did not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// A socket or a file.
    #[error("{doing}: {source}")]
    Io {
        /// What was done.
        doing: String,
        /// Why it failed.
        source: io::Error,
    },
    /// The certificate or its key.
    #[error("reading the panel's certificate {chain}: {why}")]
    Certificate {
        /// Where it lies.
        chain: PathBuf,
        /// What is wrong with it.
        why: String,
    },
}

/// A panel that serves.
#[derive(Debug)]
pub struct Running {
    /// Where it listens.
    pub addresses: Vec<SocketAddr>,
    tasks: JoinSet<()>,
    graceful: Arc<tokio::sync::Notify>,
}

impl Running {
    /// Ends when a listener has ended by itself, which it does by a fault alone.
    pub async fn ended(&mut self) {
        self.tasks.join_next().await;
    }

    /// Stops: no new connections, open requests may end.
    pub async fn stop(mut self) {
        self.graceful.notify_waiters();
        let end = async { while self.tasks.join_next().await.is_some() {} };
        let _ = tokio::time::timeout(DRAIN_WAIT + Duration::from_secs(1), end).await;
        self.tasks.shutdown().await;
    }
}

/// Starts the panel of this control on listeners that don't block; it serves when this returns. To be called within a
/// runtime.
///
/// # Errors
/// When its certificate can't be read.
pub fn start(app: &App, config: Config, listeners: Vec<std::net::TcpListener>) -> Result<Running, StartError> {
    let io = |doing: String| move |source| StartError::Io { doing, source };
    let certificate = Arc::new(Certificate::open(&config.chain, &config.key)?);
    app.watch_certificate("panel", config.chain.clone());
    let acceptor = acceptor(&certificate)?;
    let router = routes::router(app, config.clone());
    let places = Arc::new(Semaphore::new(config.limits.connections_max));
    let graceful = Arc::new(tokio::sync::Notify::new());
    let (mut tasks, mut addresses) = (JoinSet::new(), Vec::new());
    for listener in listeners {
        let listener = TcpListener::from_std(listener).map_err(io("taking a listener".to_owned()))?;
        addresses.push(listener.local_addr().map_err(io("reading the panel's address".to_owned()))?);
        let door = Door {
            router: router.clone(),
            acceptor: acceptor.clone(),
            places: Arc::clone(&places),
            wait: Duration::from_secs(config.limits.head_wait_s_max),
            header_bytes_max: config.limits.header_bytes_max,
        };
        tasks.spawn(serve(door, listener, Arc::clone(&graceful)));
    }
    tasks.spawn(async move {
        loop {
            tokio::time::sleep(CERTIFICATE_LOOK).await;
            certificate.look();
        }
    });
    Ok(Running { addresses, tasks, graceful })
}

#[derive(Clone)]
struct Door {
    router: Router,
    acceptor: TlsAcceptor,
    places: Arc<Semaphore>,
    wait: Duration,
    header_bytes_max: usize,
}

async fn serve(door: Door, listener: TcpListener, stop: Arc<tokio::sync::Notify>) {
    let graceful = GracefulShutdown::new();
    let stopped = stop.notified();
    tokio::pin!(stopped);
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            () = &mut stopped => break,
        };
        let (stream, peer) = match accepted {
            Ok(accepted) => accepted,
            Err(error) => {
                tracing::warn!(%error, "a connection to the panel could not be taken");
                tokio::time::sleep(Duration::from_millis(50)).await;
                continue;
            }
        };
        let Ok(place) = Arc::clone(&door.places).try_acquire_owned() else { continue };
        let (door, watcher) = (door.clone(), graceful.watcher());
        tokio::spawn(async move {
            let _place = place;
            connection(&door, stream, peer, watcher).await;
        });
    }
    drop(listener);
    let _ = tokio::time::timeout(DRAIN_WAIT, graceful.shutdown()).await;
}

/// A connection that ends badly is the peer's doing.
async fn connection(door: &Door, stream: TcpStream, peer: SocketAddr, watcher: hyper_util::server::graceful::Watcher) {
    let _ = stream.set_nodelay(true);
    let Ok(Ok(stream)) = tokio::time::timeout(door.wait, door.acceptor.accept(stream)).await else { return };
    let mut builder = Builder::new(TokioExecutor::new());
    builder
        .http1()
        .timer(TokioTimer::new())
        .header_read_timeout(door.wait)
        .max_buf_size(door.header_bytes_max.max(8192));
    builder
        .http2()
        .timer(TokioTimer::new())
        .max_header_list_size(u32::try_from(door.header_bytes_max).unwrap_or(u32::MAX))
        .max_concurrent_streams(64)
        .keep_alive_interval(Duration::from_secs(30));
    let router = door.router.clone().layer(axum::Extension(ConnectInfo(peer)));
    let connection =
        builder.serve_connection_with_upgrades(TokioIo::new(stream), TowerToHyperService::new(router)).into_owned();
    let _ = watcher.watch(connection).await;
}

fn acceptor(certificate: &Arc<Certificate>) -> Result<TlsAcceptor, StartError> {
    let resolver: Arc<dyn ResolvesServerCert> = Arc::<Certificate>::clone(certificate);
    let mut config = rustls::ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(|error| certificate.wrong(error))?
        .with_no_client_auth()
        .with_cert_resolver(resolver);
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Ok(TlsAcceptor::from(Arc::new(config)))
}

/// The certificate as it lies on the disk; another that is put there is served from the next handshake on.
#[derive(Debug)]
struct Certificate {
    chain: PathBuf,
    key: PathBuf,
    held: RwLock<(Arc<CertifiedKey>, Option<SystemTime>)>,
}

impl Certificate {
    fn open(chain: &Path, key: &Path) -> Result<Self, StartError> {
        let made = modified(chain);
        let read = read(chain, key).map_err(|why| StartError::Certificate { chain: chain.to_owned(), why })?;
        Ok(Self { chain: chain.to_owned(), key: key.to_owned(), held: RwLock::new((Arc::new(read), made)) })
    }

    /// Reads it again when it is another one. One that can't be read leaves the old one in place.
    fn look(&self) {
        let made = modified(&self.chain);
        if made == self.held.read().unwrap_or_else(PoisonError::into_inner).1 {
            return;
        }
        match read(&self.chain, &self.key) {
            Ok(read) => *self.held.write().unwrap_or_else(PoisonError::into_inner) = (Arc::new(read), made),
            Err(why) => {
                tracing::error!(chain = %self.chain.display(), why, "the panel's new certificate cannot be read")
            }
        }
    }

    fn wrong(&self, error: impl std::fmt::Display) -> StartError {
        StartError::Certificate { chain: self.chain.clone(), why: error.to_string() }
    }
}

impl ResolvesServerCert for Certificate {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(Arc::clone(&self.held.read().unwrap_or_else(PoisonError::into_inner).0))
    }
}

fn modified(path: &Path) -> Option<SystemTime> {
    std::fs::metadata(path).and_then(|data| data.modified()).ok()
}

fn read(chain: &Path, key: &Path) -> Result<CertifiedKey, String> {
    let said = |error: &dyn std::fmt::Display| error.to_string();
    let chain: Vec<CertificateDer<'static>> =
        CertificateDer::pem_file_iter(chain).map_err(|e| said(&e))?.collect::<Result<_, _>>().map_err(|e| said(&e))?;
    let key = PrivateKeyDer::from_pem_file(key).map_err(|e| said(&e))?;
    CertifiedKey::from_der(chain, key, &ring::default_provider()).map_err(|e| said(&e))
}
