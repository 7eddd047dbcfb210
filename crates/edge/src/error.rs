//! Why the edge could not start or go on.

use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use thiserror::Error as ThisError;

/// Why the edge could not start.
#[derive(Debug, ThisError)]
pub enum Error {
    /// An address could not be listened on.
    #[error("cannot listen on {address}")]
    Listen {
        /// The address.
        address: SocketAddr,
        /// What the kernel said.
        source: io::Error,
    },
    /// A listener that the caller bound could not be used.
    #[error("cannot use a listener that was bound before")]
    Bound(#[source] io::Error),
    /// There is nothing to listen on.
    #[error("no address to listen on is configured")]
    NoListener,
    /// The default certificate could not be used.
    #[error("cannot load the default certificate")]
    Certificate(#[from] CertificateError),
    /// TLS could not be set up.
    #[error("cannot set up TLS")]
    Tls(#[from] rustls::Error),
    /// A file or directory of the edge's own state could not be used.
    #[error("cannot use {}", path.display())]
    State {
        /// The file.
        path: PathBuf,
        /// What the kernel said.
        source: io::Error,
    },
    /// A thread could not be started.
    #[error("cannot start a thread")]
    Thread(#[source] io::Error),
}

/// Why a certificate could not be used.
#[derive(Debug, ThisError)]
pub enum CertificateError {
    /// A PEM file could not be read.
    #[error("cannot read {}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// What was wrong with it.
        source: rustls_pki_types::pem::Error,
    },
    /// The chain and the key do not make a certificate that can be served.
    #[error("the chain {} and its key cannot be served", path.display())]
    Unfit {
        /// The chain.
        path: PathBuf,
        /// What was wrong.
        source: rustls::Error,
    },
}
