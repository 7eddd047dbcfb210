//! What every handler and task of control shares. Few fields: domain verbs are free functions that take what they need.

use crate::bucket::Buckets;
use crate::config::Config;
use crate::doors::Doors;
use crate::evidence::Log;
use crate::gives::Gives;
use crate::identity::password::Hasher;
use crate::identity::seal::Seal;
use crate::metrics::Metrics;
use crate::notify::sign::WebhookKey;
use crate::outside::Outside;
use husorden_base::certificate;
use husorden_kinds::Kind;
use husorden_passwords::Judge;
use jiff::Timestamp;
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use tokio::sync::{Semaphore, watch};

/// The kinds there are.
pub type Kinds = &'static [&'static dyn Kind];

/// What every handler and task shares.
#[derive(Clone)]
pub struct App {
    inner: Arc<Inner>,
}

struct Inner {
    config: Config,
    kinds: Kinds,
    doors: Doors,
    changes: watch::Sender<u64>,
    buckets: Buckets,
    streams: Arc<Semaphore>,
    seal: Seal,
    hasher: Hasher,
    document: std::sync::OnceLock<String>,
    judge: Judge,
    log: Log,
    metrics: Metrics,
    outside: Outside,
    webhook_key: WebhookKey,
    gives: Gives,
    /// Chains of certificates that are served from this process, by what people call them.
    certificates: Mutex<BTreeMap<&'static str, PathBuf>>,
}

/// What is secret and made at the start.
pub(crate) struct Keys {
    pub(crate) webhook_key: WebhookKey,
    pub(crate) seal: Seal,
    pub(crate) hasher: Hasher,
}

impl std::fmt::Debug for App {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("App").field("config", &self.inner.config).finish_non_exhaustive()
    }
}

impl App {
    /// Puts the parts together; nothing runs yet.
    #[must_use]
    pub(crate) fn new(config: Config, kinds: Kinds, doors: Doors, keys: Keys) -> Self {
        let Keys { webhook_key, seal, hasher } = keys;
        let limits = &config.limits;
        let buckets = Buckets::new(limits.requests_per_second_max, limits.requests_burst_max);
        let streams = Arc::new(Semaphore::new(limits.streams_max));
        let outside = Outside::new(&config.notify.allow);
        let judge = Judge::new(config.passwords.clone());
        Self {
            inner: Arc::new(Inner {
                config,
                kinds,
                doors,
                changes: watch::Sender::new(0),
                buckets,
                streams,
                seal,
                hasher,
                document: std::sync::OnceLock::new(),
                judge,
                log: Log::default(),
                metrics: Metrics::default(),
                outside,
                webhook_key,
                gives: Gives::default(),
                certificates: Mutex::default(),
            }),
        }
    }

    /// The configuration.
    #[must_use]
    pub fn config(&self) -> &Config {
        &self.inner.config
    }

    /// The doors to the database.
    #[must_use]
    pub fn doors(&self) -> &Doors {
        &self.inner.doors
    }

    /// Has the health page say when the certificate in this file ends.
    pub fn watch_certificate(&self, name: &'static str, chain: PathBuf) {
        self.inner.certificates.lock().unwrap_or_else(PoisonError::into_inner).insert(name, chain);
    }

    /// Each certificate that is watched, and when it ends; none when it cannot be read.
    pub(crate) fn certificates(&self) -> Vec<(String, Option<Timestamp>)> {
        let watched = self.inner.certificates.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let ends = |chain: PathBuf| certificate::ends(&std::fs::read_to_string(chain).ok()?);
        watched.into_iter().map(|(name, chain)| (name.to_owned(), ends(chain))).collect()
    }

    /// The judge of every secret that a person chooses.
    #[must_use]
    pub fn judge(&self) -> &Judge {
        &self.inner.judge
    }

    pub(crate) fn outside(&self) -> &Outside {
        &self.inner.outside
    }

    pub(crate) fn webhook_key(&self) -> &WebhookKey {
        &self.inner.webhook_key
    }

    /// Who waits for what nodes hand out.
    pub(crate) fn gives(&self) -> &Gives {
        &self.inner.gives
    }

    pub(crate) fn metrics(&self) -> &Metrics {
        &self.inner.metrics
    }

    /// The kinds there are.
    #[must_use]
    pub fn kinds(&self) -> Kinds {
        self.inner.kinds
    }

    pub(crate) fn kind(&self, name: &str) -> Option<&'static dyn Kind> {
        self.inner.kinds.iter().copied().find(|kind| kind.name() == name)
    }

    pub(crate) fn buckets(&self) -> &Buckets {
        &self.inner.buckets
    }

    /// What secrets at rest are sealed with.
    pub(crate) fn seal(&self) -> &Seal {
        &self.inner.seal
    }

    pub(crate) fn hasher(&self) -> &Hasher {
        &self.inner.hasher
    }

    /// The secret that the link in a mail holds, for whoever sends it: the subject of a job of kind `mail` has it sealed.
    #[must_use]
    pub fn mail_secret(&self, subject: &serde_json::Value) -> Option<husorden_base::Secret> {
        crate::identity::mail::secret(subject, self.seal())
    }

    pub(crate) fn streams(&self) -> Arc<Semaphore> {
        Arc::clone(&self.inner.streams)
    }

    /// Something was committed. Carries no data: whoever waits reads the database again.
    pub(crate) fn wake(&self) {
        self.inner.changes.send_modify(|count| *count = count.wrapping_add(1));
    }

    pub(crate) fn changes(&self) -> watch::Receiver<u64> {
        self.inner.changes.subscribe()
    }

    /// The evidence log.
    pub(crate) fn log(&self) -> &Log {
        &self.inner.log
    }

    /// The OpenAPI text, made once.
    pub(crate) fn document(&self, make: impl FnOnce() -> String) -> &str {
        self.inner.document.get_or_init(make)
    }
}
