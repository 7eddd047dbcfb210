//! What clients are told whose solution a measure holds: the refusal's text, in their own protocol.
//!
//! The port wall leads here who is on the solution's list and comes by its door; nothing of them reaches the solution, which does not
//! run. A client is read only as far as its protocol must be spoken before it can be told, and what it says is not looked at. How many
//! are answered, for how long and how much of each is read is bounded.

use crate::Node;
use crate::port::door_of;
use husorden_kinds::{Protocol, kind};
use husorden_wire::node::Wish;
use jiff::Timestamp;
use rustls::{ServerConfig, ServerConnection, StreamOwned};
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};
use std::io::{self, Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};
use tracing::{debug, warn};

/// Clients that are answered at a time; the others are turned away without a word.
const CLIENTS_MAX: usize = 64;
/// Time that a client has from its first byte to its last, however it is spread.
const PATIENCE: Duration = Duration::from_secs(3);
/// Bytes that are read of one client.
const READ_BYTES_MAX: u64 = 16 << 10;
/// Pause after the kernel gave no connection.
const PAUSE: Duration = Duration::from_millis(100);

/// Starts it, a thread a listening socket; they end with the process.
///
/// # Errors
/// When a thread can't be made.
pub(crate) fn start(node: &Arc<Node>) -> io::Result<()> {
    let clients = Arc::new(AtomicUsize::new(0));
    for ear in node.ports.answers() {
        let (ear, node, clients) = (ear.try_clone()?, Arc::clone(node), Arc::clone(&clients));
        std::thread::Builder::new().name("closed".to_owned()).spawn(move || listen(&node, &ear, &clients))?;
    }
    Ok(())
}

fn listen(node: &Arc<Node>, ear: &TcpListener, clients: &Arc<AtomicUsize>) {
    while !node.ending() {
        let stream = match ear.accept() {
            Ok((stream, _)) => stream,
            Err(error) => {
                debug!(%error, "nobody came");
                std::thread::sleep(PAUSE);
                continue;
            }
        };
        if clients.fetch_add(1, Ordering::Relaxed) >= CLIENTS_MAX {
            clients.fetch_sub(1, Ordering::Relaxed);
            continue;
        }
        let (node, counted) = (Arc::clone(node), Arc::clone(clients));
        let spawned = std::thread::Builder::new().name("closed-one".to_owned()).spawn(move || {
            if let Err(error) = answer(&node, stream) {
                debug!(%error, "a client of a closed solution went before it was told");
            }
            counted.fetch_sub(1, Ordering::Relaxed);
        });
        if let Err(error) = spawned {
            warn!(%error, "no thread for a client of a closed solution");
            clients.fetch_sub(1, Ordering::Relaxed);
        }
    }
}

/// Tells one client, if what it asked for is held.
fn answer(node: &Node, stream: TcpStream) -> io::Result<()> {
    let wish = node.ports.behind(door_of(&stream)?).and_then(|number| node.register.owner(number));
    let Some(wish) = wish.and_then(|solution| node.register.wish(solution)) else { return Ok(()) };
    let Some(held) = node.register.held(wish.solution, wish.account, Timestamp::now()) else { return Ok(()) };
    let Some(served) = kind(&wish.kind).and_then(|kind| kind.serves(&wish.spec)) else { return Ok(()) };
    let mut client = Client { stream, until: Instant::now() + PATIENCE };
    let text = words(&held.case_number);
    match served.protocol {
        Protocol::Mysql => {
            client.write_all(&mysql(&text))?;
            client.over()
        }
        Protocol::Postgresql => postgres(node, &wish, client, &text),
    }
}

/// A client and when it must be gone: one that sends a byte now and then holds its place no longer than others.
struct Client {
    stream: TcpStream,
    until: Instant,
}

impl Client {
    fn left(&self) -> io::Result<Option<Duration>> {
        let left = self.until.saturating_duration_since(Instant::now());
        if left.is_zero() { Err(io::ErrorKind::TimedOut.into()) } else { Ok(Some(left)) }
    }

    /// Waits for the client to go: what it still sends is thrown away, so that the kernel does not throw away what it was told.
    fn over(&mut self) -> io::Result<()> {
        self.stream.shutdown(Shutdown::Write)?;
        io::copy(&mut self.take(READ_BYTES_MAX), &mut io::sink()).map(drop)
    }
}

impl Read for Client {
    fn read(&mut self, bytes: &mut [u8]) -> io::Result<usize> {
        self.stream.set_read_timeout(self.left()?)?;
        self.stream.read(bytes)
    }
}

impl Write for Client {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.stream.set_write_timeout(self.left()?)?;
        self.stream.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.stream.flush()
    }
}

/// What every client is told; why it is so, the owner reads in the decision.
fn words(case: &str) -> String {
    format!("closed by a decision, case {case} / lukket af en afgørelse, sag {case}")
}

/// A packet that a client takes in the place of the greeting: the protocol has no place for the reason later.
fn mysql(text: &str) -> Vec<u8> {
    /// `ER_HOST_NOT_PRIVILEGED`: the host may not connect.
    const CODE: u16 = 1130;
    let mut body = vec![0xff];
    body.extend_from_slice(&CODE.to_le_bytes());
    body.extend_from_slice(text.as_bytes());
    let length = u32::try_from(body.len()).unwrap_or(0).to_le_bytes();
    [&[length[0], length[1], length[2], 0], body.as_slice()].concat()
}

/// An `ErrorResponse` of severity `FATAL`.
fn fatal(text: &str) -> Vec<u8> {
    // `cannot_connect_now`.
    let fields = format!("SFATAL\0VFATAL\0C57P03\0M{text}\0\0");
    let length = u32::try_from(fields.len() + 4).unwrap_or(4).to_be_bytes();
    [b"E".as_slice(), &length, fields.as_bytes()].concat()
}

/// A client that asks for encryption gets it, with the solution's own certificate, for it would not believe the answer else.
fn postgres(node: &Node, wish: &Wish, mut client: Client, text: &str) -> io::Result<()> {
    const ENCRYPTED: u32 = 80_877_103;
    const GSSAPI: u32 = 80_877_104;
    for _ in 0..3 {
        let mut head = [0; 8];
        client.read_exact(&mut head)?;
        let asked = u32::from_be_bytes([head[4], head[5], head[6], head[7]]);
        match asked {
            GSSAPI => client.write_all(b"N")?,
            ENCRYPTED => {
                let Some(config) = config(node, wish) else { return Ok(()) };
                client.write_all(b"S")?;
                let connection = ServerConnection::new(config).map_err(io::Error::other)?;
                let mut tls = StreamOwned::new(connection, client);
                // The client's first words end the handshake; what they are does not matter.
                tls.read_exact(&mut head)?;
                tls.write_all(&fatal(text))?;
                tls.conn.send_close_notify();
                tls.flush()?;
                return tls.sock.over();
            }
            _ => {
                client.write_all(&fatal(text))?;
                return client.over();
            }
        }
    }
    Ok(())
}

fn config(node: &Node, wish: &Wish) -> Option<Arc<ServerConfig>> {
    let folder = node.certificate(wish).ok()?;
    let chain = CertificateDer::pem_file_iter(folder.join("chain.pem")).ok()?.collect::<Result<Vec<_>, _>>().ok()?;
    let key = PrivateKeyDer::from_pem_file(folder.join("key.pem")).ok()?;
    let config = ServerConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .with_safe_default_protocol_versions()
        .ok()?
        .with_no_client_auth()
        .with_single_cert(chain, key)
        .ok()?;
    Some(Arc::new(config))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_sends_a_byte_now_and_then_is_gone_in_time() {
        let ear = TcpListener::bind("127.0.0.1:0").expect("a port");
        let mut slow = TcpStream::connect(ear.local_addr().expect("its address")).expect("it connects");
        let (stream, _) = ear.accept().expect("it came");
        let dripping = std::thread::spawn(move || {
            while slow.write_all(b".").is_ok() {
                std::thread::sleep(Duration::from_millis(20));
            }
        });
        let mut client = Client { stream, until: Instant::now() + Duration::from_millis(300) };
        client.over().expect_err("it is not waited for");
        drop(client);
        dripping.join().expect("it notices");
    }

    #[test]
    fn answers_are_packets_of_their_protocols() {
        let text = words("2026-17");
        let packet = mysql(&text);
        assert_eq!(packet[..4], [u8::try_from(packet.len() - 4).expect("short"), 0, 0, 0]);
        assert_eq!(packet[4..7], [0xff, 0x6a, 0x04]);
        assert!(packet.ends_with(text.as_bytes()) && text.contains("case 2026-17"));
        let message = fatal(&text);
        assert_eq!(message[0], b'E');
        assert_eq!(message[1..5], u32::try_from(message.len() - 1).expect("short").to_be_bytes());
        assert!(message.ends_with(b"\0\0"));
    }
}
