//! One visit to a site as a browser makes it: by name, over TLS, trusting the installation's authority and nobody else.

use anyhow::{Context, Result};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};
use std::io::{BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

/// How long each step of a visit may take; a sleeping site wakes within it.
const WAIT: Duration = Duration::from_secs(60);

/// The status a site answers with.
pub(crate) fn page(edge: SocketAddr, name: &str, path: &str, ca: &Path) -> Result<u16> {
    let mut roots = RootCertStore::empty();
    let root =
        CertificateDer::from_pem_file(ca).map_err(|error| anyhow::anyhow!("reading {}: {error}", ca.display()))?;
    roots.add(root).context("trusting the local authority")?;
    let config = ClientConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .with_safe_default_protocol_versions()
        .context("choosing TLS versions")?
        .with_root_certificates(roots)
        .with_no_client_auth();
    let server = ServerName::try_from(name.to_owned()).context("the name is none for TLS")?;
    let session = ClientConnection::new(Arc::new(config), server).context("beginning TLS")?;
    let socket = TcpStream::connect_timeout(&edge, WAIT).with_context(|| format!("connecting to {edge}"))?;
    socket.set_read_timeout(Some(WAIT)).and_then(|()| socket.set_write_timeout(Some(WAIT))).context("setting times")?;
    let mut stream = StreamOwned::new(session, socket);
    write!(stream, "GET {path} HTTP/1.1\r\nHost: {name}\r\nConnection: close\r\nUser-Agent: husorden-up\r\n\r\n")
        .context("asking")?;
    let mut first = String::new();
    BufReader::new(stream).read_line(&mut first).context("hearing the answer")?;
    first.split(' ').nth(1).and_then(|code| code.parse().ok()).with_context(|| format!("answered {first:?}"))
}
