//! The TLS phase: hello, the certificate for the name it asks for, handshake.
//!
//! Certificates are loaded when first asked for and kept by fingerprint, so a new one is served from the next handshake on
//! and ten thousand sites cost nothing at start. A site whose certificate cannot be loaded is served under the default one.

use crate::error::{CertificateError, Error};
use crate::socket::Socket;
use crate::table::Table;
use husorden_base::site::Certificate;
use rustls::crypto::{CryptoProvider, ring};
use rustls::server::{Acceptor, ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use rustls::{CipherSuite, ServerConfig};
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};
use std::collections::HashMap;
use std::io;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};
use tokio_rustls::LazyConfigAcceptor;
use tokio_rustls::server::TlsStream;

/// How long a certificate that could not be loaded is not tried again.
const RETRY_AFTER: Duration = Duration::from_secs(10);
/// Plain bytes that may wait to be encrypted and sent on one connection.
const SESSION_BUFFER_BYTES_MAX: usize = 128 << 10;
const SESSIONS_MAX: usize = 4_096;

/// See the module.
#[derive(Debug)]
pub(crate) struct Tls {
    config: Arc<ServerConfig>,
    certificates: Arc<Certificates>,
}

impl Tls {
    pub(crate) fn new(
        table: Arc<Table>,
        default_chain: &Path,
        default_key: &Path,
        certificates_max: usize,
    ) -> Result<Self, Error> {
        let default = Arc::new(load(default_chain, default_key)?);
        let certificates = Arc::new(Certificates {
            table,
            default,
            held: Mutex::default(),
            generation_max: (certificates_max / 2).max(1),
        });
        let resolver: Arc<dyn ResolvesServerCert> = Arc::<Certificates>::clone(&certificates);
        let mut config = ServerConfig::builder_with_provider(Arc::new(provider()))
            .with_safe_default_protocol_versions()?
            .with_no_client_auth()
            .with_cert_resolver(resolver);
        config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
        config.ignore_client_order = true;
        config.ticketer = ring::Ticketer::new()?;
        config.session_storage = rustls::server::ServerSessionMemoryCache::new(SESSIONS_MAX);
        config.send_tls13_tickets = 1;
        Ok(Self { config: Arc::new(config), certificates })
    }

    /// Speaks TLS with a client.
    pub(crate) async fn accept(&self, socket: Socket) -> io::Result<TlsStream<Socket>> {
        let start = LazyConfigAcceptor::new(Acceptor::default(), socket).await?;
        let name = start.client_hello().server_name().map(str::to_ascii_lowercase);
        if let Some(name) = name {
            self.certificates.have(&name).await;
        }
        start
            .into_stream_with(Arc::clone(&self.config), |session| {
                session.set_buffer_limit(Some(SESSION_BUFFER_BYTES_MAX));
            })
            .await
    }
}

/// The crypto of ring, with AES-128 first: every processor that serves or browses today has it in hardware.
fn provider() -> CryptoProvider {
    let mut provider = ring::default_provider();
    provider.cipher_suites.sort_by_key(|suite| match suite.suite() {
        CipherSuite::TLS13_AES_128_GCM_SHA256
        | CipherSuite::TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256
        | CipherSuite::TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256 => 0,
        _ => 1,
    });
    provider
}

fn load(chain: &Path, key: &Path) -> Result<CertifiedKey, CertificateError> {
    let read = |path: &Path, source| CertificateError::Read { path: path.to_owned(), source };
    let certificates = CertificateDer::pem_file_iter(chain)
        .and_then(Iterator::collect::<Result<Vec<_>, _>>)
        .map_err(|source| read(chain, source))?;
    let key = PrivateKeyDer::from_pem_file(key).map_err(|source| read(key, source))?;
    CertifiedKey::from_der(certificates, key, &ring::default_provider())
        .map_err(|source| CertificateError::Unfit { path: chain.to_owned(), source })
}

#[derive(Debug)]
struct Certificates {
    table: Arc<Table>,
    default: Arc<CertifiedKey>,
    held: Mutex<Held>,
    generation_max: usize,
}

/// Two generations by fingerprint: what is used moves to the young one; when that is full it becomes the old one, and what
/// the old one held is forgotten.
#[derive(Debug, Default)]
struct Held {
    young: HashMap<String, Entry>,
    old: HashMap<String, Entry>,
}

#[derive(Clone, Debug)]
enum Entry {
    Good(Arc<CertifiedKey>),
    Bad(Instant),
}

impl Certificates {
    fn lock(&self) -> MutexGuard<'_, Held> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn get(&self, fingerprint: &str) -> Option<Entry> {
        let mut held = self.lock();
        if let Some(entry) = held.young.get(fingerprint) {
            return Some(entry.clone());
        }
        let (fingerprint, entry) = held.old.remove_entry(fingerprint)?;
        self.put(&mut held, fingerprint, entry.clone());
        Some(entry)
    }

    fn put(&self, held: &mut Held, fingerprint: String, entry: Entry) {
        if held.young.len() >= self.generation_max {
            held.old = std::mem::take(&mut held.young);
        }
        held.young.insert(fingerprint, entry);
    }

    /// Has the certificate of a name in memory, if it has one that can be loaded.
    async fn have(&self, name: &str) {
        let Some(state) = self.table.find(name) else { return };
        let Some(certificate) = &state.site.certificate else { return };
        match self.get(&certificate.fingerprint) {
            Some(Entry::Good(_)) => return,
            Some(Entry::Bad(since)) if since.elapsed() < RETRY_AFTER => return,
            Some(Entry::Bad(_)) | None => {}
        }
        let Certificate { chain, key, fingerprint } = certificate.clone();
        let loaded = tokio::task::spawn_blocking(move || load(&chain, &key)).await;
        let entry = match loaded {
            Ok(Ok(key)) => Entry::Good(Arc::new(key)),
            Ok(Err(error)) => {
                let cause = std::error::Error::source(&error).map(ToString::to_string);
                tracing::warn!(name, %error, cause, "a site is served under the default certificate");
                Entry::Bad(Instant::now())
            }
            Err(_) => return,
        };
        self.put(&mut self.lock(), fingerprint, entry);
    }
}

impl ResolvesServerCert for Certificates {
    fn resolve(&self, hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        let own = hello.server_name().and_then(|name| self.table.find(&name.to_ascii_lowercase())).and_then(|state| {
            let certificate = state.site.certificate.as_ref()?;
            match self.get(&certificate.fingerprint)? {
                Entry::Good(key) => Some(key),
                Entry::Bad(_) => None,
            }
        });
        Some(own.unwrap_or_else(|| Arc::clone(&self.default)))
    }
}
