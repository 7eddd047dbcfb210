//! The probe itself: a short-lived child without privileges, in a network of its own, that asks for pages as a stranger does.
//!
//! What it is to ask comes on standard input, what it was told goes to standard output. It enters the network and steps down
//! before it reads a byte; what it reads from the edge, nobody with privileges parses.

use husorden_base::Text;
use nix::sched::{CloneFlags, setns};
use nix::unistd::{Gid, Uid, setgid, setgroups, setuid};
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, ServerName};
use serde::{Deserialize, Serialize};
use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

/// Longest question, in bytes.
const QUESTION_BYTES_MAX: u64 = 16 << 20;
/// How much of a page is looked through, in bytes; a closed page is far smaller.
const PAGE_BYTES_MAX: usize = 64 << 10;
/// How long a connection may take.
const CONNECT_WAIT: Duration = Duration::from_secs(2);
/// How long one page may take; a site that sleeps is woken by it.
const PAGE_WAIT: Duration = Duration::from_secs(10);
/// Pages asked for at a time.
const VISITORS: usize = 8;
/// After so long the child is ended by the kernel, whatever it hangs on.
const LIFE_S: u32 = 300;
/// The user that owns nothing.
const NOBODY: u32 = 65_534;

/// What is asked.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Question {
    /// Certificates of the authority that the sites are certified by, in PEM.
    pub(super) authority: String,
    /// The pages.
    pub(super) visits: Vec<Visit>,
}

/// One page.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Visit {
    /// Where the edge is reached.
    pub(super) at: SocketAddr,
    /// The site's name.
    pub(super) domain: String,
    /// Over TLS, with a certificate of the authority.
    pub(super) tls: bool,
    /// What to look for in a page that is refused.
    pub(super) needle: String,
}

/// What the answer was.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Met {
    /// A page.
    Page {
        /// Its status.
        status: u16,
        /// What was looked for is in it.
        found: bool,
    },
    /// None.
    Nothing {
        /// Why.
        why: Text,
    },
}

/// The child's life: enters the network with this name, steps down, and asks what standard input says.
///
/// # Errors
/// What went wrong, for the node's log.
pub fn inside(network: &str) -> Result<(), String> {
    let said = |doing: &str, error: &dyn std::fmt::Display| format!("{doing}: {error}");
    let path = crate::network::namespace(network);
    let file = std::fs::File::open(&path).map_err(|error| said("opening the probe's network", &error))?;
    setns(file, CloneFlags::CLONE_NEWNET).map_err(|error| said("entering the probe's network", &error))?;
    nix::unistd::alarm::set(LIFE_S);
    let nobody = (Uid::from_raw(NOBODY), Gid::from_raw(NOBODY));
    setgroups(&[])
        .and_then(|()| setgid(nobody.1))
        .and_then(|()| setuid(nobody.0))
        .and_then(|()| nix::sys::prctl::set_no_new_privs())
        .map_err(|error| said("stepping down", &error))?;
    let mut text = String::new();
    io::stdin().take(QUESTION_BYTES_MAX).read_to_string(&mut text).map_err(|error| said("reading", &error))?;
    let question: Question = serde_json::from_str(&text).map_err(|error| said("reading what to ask", &error))?;
    let answers = ask(&question)?;
    serde_json::to_writer(io::stdout(), &answers).map_err(|error| said("answering", &error))
}

/// Asks for every page, some at a time; the answers stand in the order of the questions.
pub(super) fn ask(question: &Question) -> Result<Vec<Met>, String> {
    let mut roots = RootCertStore::empty();
    for certificate in CertificateDer::pem_slice_iter(question.authority.as_bytes()) {
        let certificate = certificate.map_err(|error| format!("reading the authority: {error}"))?;
        roots.add(certificate).map_err(|error| format!("trusting the authority: {error}"))?;
    }
    let config = ClientConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(|error| format!("preparing TLS: {error}"))?
        .with_root_certificates(roots)
        .with_no_client_auth();
    let config = Arc::new(config);
    let next = AtomicUsize::new(0);
    let answers = Mutex::new(vec![None; question.visits.len()]);
    std::thread::scope(|scope| {
        for _ in 0..VISITORS.min(question.visits.len()) {
            scope.spawn(|| {
                while let Some((index, visit)) = {
                    let index = next.fetch_add(1, Ordering::Relaxed);
                    question.visits.get(index).map(|visit| (index, visit))
                } {
                    let met = one(visit, &config).unwrap_or_else(|why| Met::Nothing { why });
                    answers.lock().unwrap_or_else(PoisonError::into_inner)[index] = Some(met);
                }
            });
        }
    });
    let answers = answers.into_inner().unwrap_or_else(PoisonError::into_inner);
    answers.into_iter().collect::<Option<Vec<Met>>>().ok_or_else(|| "a visitor gave no answer".to_owned())
}

fn one(visit: &Visit, config: &Arc<ClientConfig>) -> Result<Met, Text> {
    let deadline = Instant::now() + PAGE_WAIT;
    let stream = TcpStream::connect_timeout(&visit.at, CONNECT_WAIT)
        .and_then(|stream| {
            stream.set_read_timeout(Some(PAGE_WAIT))?;
            stream.set_write_timeout(Some(PAGE_WAIT))?;
            stream.set_nodelay(true)?;
            Ok(stream)
        })
        .map_err(|error| {
            Text::new(
                format!("Ingen forbindelse til {}: {error}", visit.at),
                format!("No connection to {}: {error}", visit.at),
            )
        })?;
    let lost = |error: io::Error| {
        Text::new(
            format!("{} gav intet helt svar: {error}", visit.domain),
            format!("{} gave no whole answer: {error}", visit.domain),
        )
    };
    if visit.tls {
        let wrong = |error: &dyn std::fmt::Display| lost(io::Error::other(error.to_string()));
        let name = ServerName::try_from(visit.domain.clone()).map_err(|error| wrong(&error))?;
        let session = ClientConnection::new(Arc::clone(config), name).map_err(|error| wrong(&error))?;
        page(StreamOwned::new(session, stream), visit, deadline).map_err(lost)
    } else {
        page(stream, visit, deadline).map_err(lost)
    }
}

/// One request, and as much of the answer as tells whether it is closed.
fn page(mut stream: impl Read + Write, visit: &Visit, deadline: Instant) -> io::Result<Met> {
    let request = format!(
        "GET / HTTP/1.1\r\nHost: {}\r\nUser-Agent: husorden-probe\r\nAccept-Language: en\r\nConnection: close\r\n\r\n",
        visit.domain
    );
    stream.write_all(request.as_bytes())?;
    stream.flush()?;
    let mut text = Vec::new();
    let mut piece = [0_u8; 8 << 10];
    let ended = loop {
        if Instant::now() > deadline {
            return Err(io::ErrorKind::TimedOut.into());
        }
        match stream.read(&mut piece) {
            Ok(0) => break true,
            Ok(count) => text.extend_from_slice(&piece[..count]),
            // An edge that closes without a word of TLS has ended the page all the same; whether it is whole shows below.
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => break true,
            Err(error) => return Err(error),
        }
        if let Some(met) = judge(&text, &visit.needle, text.len() >= PAGE_BYTES_MAX) {
            return Ok(met);
        }
    };
    judge(&text, &visit.needle, ended).ok_or_else(|| io::ErrorKind::InvalidData.into())
}

/// What the page says as far as it has come; none while that is not yet told.
fn judge(text: &[u8], needle: &str, ended: bool) -> Option<Met> {
    let text = String::from_utf8_lossy(text);
    let (head, body) = text.split_once("\r\n\r\n")?;
    let status = head.strip_prefix("HTTP/1.")?.split(' ').nth(1)?.parse().ok()?;
    let found = body.contains(needle);
    (status != 403 || found || ended).then_some(Met::Page { status, found })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::TcpListener;

    /// Answers each connection with these bytes and closes.
    fn server(pages: &'static [&'static str]) -> SocketAddr {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let at = listener.local_addr().expect("its address");
        std::thread::spawn(move || {
            for (stream, page) in listener.incoming().flatten().zip(pages) {
                let mut stream = stream;
                let _ = stream.read(&mut [0; 4096]);
                stream.write_all(page.as_bytes()).expect("it is written");
            }
        });
        at
    }

    fn visit(at: SocketAddr) -> Met {
        let visit = Visit { at, domain: "shop.example".to_owned(), tls: false, needle: "S-7".to_owned() };
        let question = Question { authority: String::new(), visits: vec![visit] };
        ask(&question).expect("it asks").remove(0)
    }

    #[test]
    fn only_a_refusal_that_names_the_case_is_the_closed_page() {
        let at = server(&[
            "HTTP/1.1 403 Forbidden\r\n\r\n<p>Case S-7</p>",
            "HTTP/1.1 403 Forbidden\r\n\r\n<p>The site's own no</p>",
            "HTTP/1.1 200 OK\r\n\r\n<p>S-7 was here</p>",
            "HTTP/1.1 403 Forbidden\r\nX-Case: S-7\r\n\r\n",
            "hello",
        ]);
        assert_eq!(visit(at), Met::Page { status: 403, found: true });
        assert_eq!(visit(at), Met::Page { status: 403, found: false });
        assert_eq!(visit(at), Met::Page { status: 200, found: true });
        assert_eq!(visit(at), Met::Page { status: 403, found: false }, "a field of the head is no page");
        assert!(matches!(visit(at), Met::Nothing { .. }));
    }

    #[test]
    fn nobody_there_is_told_and_is_no_page() {
        let at = TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr()).expect("a free port");
        let Met::Nothing { why } = visit(at) else { panic!("nobody listens") };
        assert!(why.en.contains(&at.to_string()) && why.da.contains("Ingen forbindelse"), "{why:?}");
    }
}
