//! Control's life: it opens the doors, binds, serves, and stops in order.

use crate::app::Keys;
use crate::app::{App, Kinds};
use crate::config::Config;
use crate::doors::{DoorError, Doors};
use crate::identity::password::Hasher;
use crate::identity::seal::Seal;
use crate::notify::sign::WebhookKey;
use crate::visitor::Visitor;
use crate::{events, evidence, jobs, metrics, nodes, notify, routes, rules, store};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto::Builder;
use hyper_util::server::graceful::GracefulShutdown;
use hyper_util::service::TowerToHyperService;
use std::io;
use std::net::SocketAddr;
use std::os::unix::fs::DirBuilderExt;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::sync::{Semaphore, oneshot};
use tokio::task::{JoinHandle, JoinSet};
use tower::ServiceExt;

/// How long open requests may take to end when control stops.
const DRAIN_WAIT: Duration = Duration::from_secs(5);

/// Why control did not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The API would be reachable without TLS.
    #[error(
        "the API would listen on {0}, which others can reach, without TLS; listen on a loopback address, or set behind_tls_proxy = true when a proxy that does TLS stands before it"
    )]
    Open(SocketAddr),
    /// The metrics would be reachable from other machines.
    #[error(
        "metrics would be served on {0}, which others can reach; they are for this machine: name a loopback address"
    )]
    OpenMetrics(SocketAddr),
    /// The database.
    #[error(transparent)]
    Doors(#[from] DoorError),
    /// A statement at the start failed.
    #[error("preparing the database: {0}")]
    Database(#[from] sqlx::Error),
    /// The house rules in the operator's folder.
    #[error(transparent)]
    Rules(#[from] husorden_rules::folder::FolderError),
    /// The evidence log's key or memory.
    #[error("opening the evidence log: {0}")]
    Evidence(#[from] evidence::SignError),
    /// Where checkpoints are to go.
    #[error(transparent)]
    Target(#[from] evidence::BadTarget),
    /// The cost of a password's hash.
    #[error("identity.hash asks for a cost that Argon2 does not take: at least 8 KiB of memory and 1 pass")]
    HashCost,
    /// A limit.
    #[error("limits: {0}")]
    Limit(#[from] crate::config::BadLimit),
    /// A socket or folder.
    #[error("{doing}: {source}")]
    Io {
        /// What was done.
        doing: String,
        /// Why it failed.
        source: io::Error,
    },
}

/// A control that serves.
#[derive(Debug)]
pub struct Running {
    /// Where the API listens.
    pub address: SocketAddr,
    app: App,
    stop: oneshot::Sender<()>,
    api: JoinHandle<()>,
    background: JoinSet<()>,
}

/// Starts control; it serves when this returns.
///
/// # Errors
/// When it does not start; see [`StartError`].
pub async fn start(config: Config, kinds: Kinds) -> Result<Running, StartError> {
    if !config.listen.ip().is_loopback() && !config.behind_tls_proxy {
        return Err(StartError::Open(config.listen));
    }
    config.limits.check()?;
    let io = |doing: String| move |source| StartError::Io { doing, source };
    std::fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(&config.spool)
        .map_err(io(format!("making the spool {}", config.spool.display())))?;
    let house_rules = husorden_rules::folder::read(config.rules.as_deref())?;
    let doors = Doors::open(&config.database, config.staff_named).await?;
    store::node::expect(doors.system(), &config.default_node).await?;
    let signer = evidence::open(&config.evidence, &doors).await?;
    let links =
        nodes::bind(&config.node_socket).map_err(io(format!("listening on {}", config.node_socket.display())))?;
    let listener = TcpListener::bind(config.listen).await.map_err(io(format!("listening on {}", config.listen)))?;
    let address = listener.local_addr().map_err(io("reading the API's address".to_owned()))?;
    let metrics = match config.metrics {
        Some(address) if !address.ip().is_loopback() => return Err(StartError::OpenMetrics(address)),
        Some(address) => {
            Some(TcpListener::bind(address).await.map_err(io(format!("listening on {address} for metrics")))?)
        }
        None => None,
    };
    let key = &config.notify.key;
    let webhook_key =
        WebhookKey::open_or_make(key).map_err(io(format!("reading the key of webhooks {}", key.display())))?;
    let seal = Seal::open_or_make(&config.identity.key)
        .map_err(io(format!("opening the key {}", config.identity.key.display())))?;
    let hasher = Hasher::new(config.identity.hash).ok_or(StartError::HashCost)?;
    let app = App::new(config, kinds, doors, Keys { webhook_key, seal, hasher });
    rules::publish(&app, &house_rules).await?;

    let mut background = JoinSet::new();
    background.spawn(nodes::serve(app.clone(), links));
    background.spawn(events::listen(app.clone()));
    background.spawn(jobs::work(app.clone()));
    evidence::begin(&app, signer, &mut background).await?;
    background.spawn(notify::lane::work(app.clone()));
    if let Some(listener) = metrics {
        background.spawn(metrics::serve(app.clone(), listener));
    }
    let (stop, stopped) = oneshot::channel();
    let api = tokio::spawn(serve(app.clone(), listener, stopped));
    Ok(Running { address, app, stop, api, background })
}

impl Running {
    /// Ends when a part of it has ended. None does so by itself; one that did has panicked, and control is better started
    /// anew than half there.
    pub async fn ended(&mut self) {
        self.background.join_next().await;
    }

    /// Stops: no new requests, open ones may end, nodes are left to themselves.
    pub async fn stop(mut self) {
        let _ = self.stop.send(());
        if self.api.await.is_err() {
            tracing::error!("the API's task ended badly");
        }
        evidence::close(&self.app).await;
        self.background.shutdown().await;
        let _ = std::fs::remove_file(&self.app.config().node_socket);
        self.app.doors().close().await;
    }

    /// What it shares with its handlers.
    #[must_use]
    pub fn app(&self) -> &App {
        &self.app
    }
}

/// Accepts connections until told to stop, each with limits on its head and its number.
async fn serve(app: App, listener: TcpListener, mut stopped: oneshot::Receiver<()>) {
    let (limits, behind_tls_proxy) = (app.config().limits.clone(), app.config().behind_tls_proxy);
    let router = routes::router(app);
    let places = Arc::new(Semaphore::new(limits.connections_max));
    let graceful = GracefulShutdown::new();
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            _ = &mut stopped => break,
        };
        let (stream, peer) = match accepted {
            Ok(accepted) => accepted,
            Err(error) => {
                tracing::warn!(%error, "a connection could not be taken");
                tokio::time::sleep(Duration::from_millis(50)).await;
                continue;
            }
        };
        // With no place left the connection is closed at once: waiting ones would hold descriptors too.
        let Ok(place) = Arc::clone(&places).try_acquire_owned() else { continue };
        let _ = stream.set_nodelay(true);
        let mut builder = Builder::new(TokioExecutor::new());
        builder
            .http1()
            .timer(TokioTimer::new())
            .header_read_timeout(Duration::from_secs(limits.header_wait_s_max))
            .max_buf_size(limits.header_bytes_max.max(8192));
        let service = TowerToHyperService::new(router.clone().map_request(move |mut request: http::Request<_>| {
            let visitor = Visitor::of(peer.ip(), behind_tls_proxy, request.headers());
            request.extensions_mut().insert(visitor);
            request
        }));
        let connection = builder.serve_connection_with_upgrades(TokioIo::new(stream), service).into_owned();
        let watched = graceful.watch(connection);
        tokio::spawn(async move {
            let _place = place;
            // A connection that ends badly is the peer's doing.
            let _ = watched.await;
        });
    }
    drop(listener);
    let _ = tokio::time::timeout(DRAIN_WAIT, graceful.shutdown()).await;
}
