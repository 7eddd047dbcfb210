//! What the tests stand on: a whole edge on loopback with a directory of its own, a scripted node at the other end of its
//! link, and clients that speak real TLS.

use bytes::Bytes;
use http_body_util::{BodyExt as _, Full};
use husorden_base::site::{Certificate, FromEdge, Handler, Site, Standing, ToEdge};
use husorden_base::{Number, SolutionId};
use husorden_edge::{Config, Error};
use hyper_util::rt::{TokioExecutor, TokioIo};
use rustls_pki_types::{CertificateDer, ServerName};
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::{TcpStream, UnixListener, UnixStream};
use tokio::sync::{mpsc, oneshot};
use tokio_rustls::client::TlsStream;

/// Long enough for a machine that is busy with other things; nothing waits this long when all is well.
pub(crate) const PATIENCE: Duration = Duration::from_secs(300);

pub(crate) async fn soon<T>(what: &str, future: impl Future<Output = T>) -> T {
    tokio::time::timeout(PATIENCE, future).await.unwrap_or_else(|_| panic!("{what}: not within {PATIENCE:?}"))
}

pub(crate) struct House {
    pub(crate) directory: tempfile::TempDir,
    pub(crate) https: SocketAddr,
    pub(crate) http: SocketAddr,
    pub(crate) node: Node,
    /// Dropping it tells the edge to stop.
    stop: Option<oneshot::Sender<()>>,
    thread: Option<std::thread::JoinHandle<Result<(), Error>>>,
}

impl House {
    pub(crate) async fn start() -> Self {
        Self::start_with(|_| ()).await
    }

    pub(crate) async fn start_with(change: impl FnOnce(&mut Config)) -> Self {
        let directory = tempfile::tempdir().expect("a directory");
        let node = Node::listen(&directory.path().join("node.sock"));
        Self::start_in(directory, node, change).await
    }

    /// Starts an edge on the state that an earlier one left in the directory.
    pub(crate) async fn start_in(directory: tempfile::TempDir, node: Node, change: impl FnOnce(&mut Config)) -> Self {
        let at = |name: &str| directory.path().join(name);
        if !at("default.pem").exists() {
            make_certificate(directory.path(), "default", "default.example");
        }
        let listen = || TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port");
        let (https, http) = (listen(), listen());
        let address = |listener: &TcpListener| listener.local_addr().expect("an address");
        let addresses = (address(&https), address(&http));
        let mut config = Config {
            node_socket: at("node.sock"),
            state_dir: at("state"),
            log_dir: at("logs"),
            default_chain: at("default.pem"),
            default_key: at("default.key"),
            workers: 1,
            ..Config::default()
        };
        config.bound.https.push(https);
        config.bound.http.push(http);
        change(&mut config);
        let (stop, stopped) = oneshot::channel::<()>();
        let thread = std::thread::spawn(move || {
            husorden_edge::run_blocking(config, async {
                let _ = stopped.await;
            })
        });
        Self { directory, https: addresses.0, http: addresses.1, node, stop: Some(stop), thread: Some(thread) }
    }

    /// Tells the edge to stop, without waiting for it.
    pub(crate) fn ask_to_stop(&mut self) {
        self.stop = None;
    }

    /// Stops the edge and gives back what it leaves.
    pub(crate) async fn stop(mut self) -> tempfile::TempDir {
        self.stop = None;
        let thread = self.thread.take().expect("it runs");
        let ended = soon("the edge ends", tokio::task::spawn_blocking(move || thread.join())).await;
        ended.expect("joined").expect("no panic").expect("a clean end");
        std::mem::replace(&mut self.directory, tempfile::tempdir().expect("a directory"))
    }

    /// A site of files, with its root made.
    pub(crate) fn site(&self, number: u32, domain: &str) -> Site {
        let root = self.directory.path().join(format!("site-{number}"));
        std::fs::create_dir_all(&root).expect("a root");
        Site {
            solution: SolutionId::new(),
            number: Number::new(number).expect("a number"),
            domains: vec![domain.parse().expect("a domain")],
            root,
            handler: Handler::Static,
            standing: Standing::Open,
            certificate: None,
            https_only: true,
            body_bytes_max: 1 << 20,
        }
    }

    pub(crate) fn php_site(&self, number: u32, domain: &str, socket: &Path) -> Site {
        let mut site = self.site(number, domain);
        site.handler = Handler::Php {
            socket: socket.to_owned(),
            inner_root: "/srv/www".to_owned(),
            front_controller: Some("index.php".to_owned()),
        };
        std::fs::write(site.root.join("index.php"), "<?php secret();").expect("written");
        site
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    pub(crate) async fn tls(&self, name: &str, alpn: &str) -> TlsStream<TcpStream> {
        connect_tls(self.https, name, alpn).await
    }

    /// An HTTP/1.1 client for one site.
    pub(crate) async fn client(&self, host: &str) -> Client {
        Client::over(self.tls(host, "http/1.1").await, host, false).await
    }

    /// An HTTP/2 client whose hello names `name`, or nobody where that is an address.
    pub(crate) async fn client_h2(&self, name: &str) -> Client {
        Client::over(self.tls(name, "h2").await, name, true).await
    }

    pub(crate) async fn client_plain(&self, host: &str) -> Client {
        let tcp = TcpStream::connect(self.http).await.expect("connected");
        Client::over(tcp, host, false).await
    }

    pub(crate) fn certificate(&self, name: &str, domain: &str, fingerprint: &str) -> Certificate {
        make_certificate(self.directory.path(), name, domain);
        Certificate {
            chain: self.path(&format!("{name}.pem")),
            key: self.path(&format!("{name}.key")),
            fingerprint: fingerprint.to_owned(),
        }
    }

    /// A site's log once it holds what is looked for; logs are handed over about once a second.
    pub(crate) async fn log_with(&self, name: &str, needle: &str) -> String {
        soon("the log line", async {
            loop {
                let text = std::fs::read_to_string(self.path("logs").join(name)).unwrap_or_default();
                if text.contains(needle) {
                    return text;
                }
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        })
        .await
    }
}

fn make_certificate(directory: &Path, name: &str, domain: &str) {
    let made = rcgen::generate_simple_self_signed([domain.to_owned()]).expect("a certificate");
    std::fs::write(directory.join(format!("{name}.pem")), made.cert.pem()).expect("written");
    std::fs::write(directory.join(format!("{name}.key")), made.signing_key.serialize_pem()).expect("written");
}

pub(crate) async fn connect_tls(address: SocketAddr, name: &str, alpn: &str) -> TlsStream<TcpStream> {
    let mut config = rustls::ClientConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .with_safe_default_protocol_versions()
        .expect("versions")
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(AnyCertificate))
        .with_no_client_auth();
    config.alpn_protocols = vec![alpn.as_bytes().to_vec()];
    let tcp = TcpStream::connect(address).await.expect("connected");
    let name = ServerName::try_from(name.to_owned()).expect("a name");
    let connector = tokio_rustls::TlsConnector::from(Arc::new(config));
    soon("the handshake", connector.connect(name, tcp)).await.expect("a handshake")
}

/// The tests look at certificates themselves.
#[derive(Debug)]
struct AnyCertificate;

impl rustls::client::danger::ServerCertVerifier for AnyCertificate {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: rustls_pki_types::UnixTime,
    ) -> Result<rustls::client::danger::ServerCertVerified, rustls::Error> {
        Ok(rustls::client::danger::ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &rustls::DigitallySignedStruct,
    ) -> Result<rustls::client::danger::HandshakeSignatureValid, rustls::Error> {
        Ok(rustls::client::danger::HandshakeSignatureValid::assertion())
    }

    fn verify_tls13_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &rustls::DigitallySignedStruct,
    ) -> Result<rustls::client::danger::HandshakeSignatureValid, rustls::Error> {
        Ok(rustls::client::danger::HandshakeSignatureValid::assertion())
    }

    fn supported_verify_schemes(&self) -> Vec<rustls::SignatureScheme> {
        rustls::crypto::ring::default_provider().signature_verification_algorithms.supported_schemes()
    }
}

pub(crate) type Outgoing = http_body_util::combinators::BoxBody<Bytes, std::io::Error>;

pub(crate) fn nothing() -> Outgoing {
    whole(Bytes::new())
}

pub(crate) fn whole(bytes: impl Into<Bytes>) -> Outgoing {
    Full::new(bytes.into()).map_err(|never| match never {}).boxed()
}

enum Sender {
    H1(hyper::client::conn::http1::SendRequest<Outgoing>),
    H2(hyper::client::conn::http2::SendRequest<Outgoing>),
}

/// A client on one connection.
pub(crate) struct Client {
    sender: Sender,
    host: String,
}

/// A whole answer.
#[derive(Debug)]
pub(crate) struct Got {
    pub(crate) status: u16,
    pub(crate) headers: http::HeaderMap,
    pub(crate) body: Bytes,
}

impl Got {
    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().expect("text"))
    }
}

impl Client {
    async fn over<S>(stream: S, host: &str, h2: bool) -> Self
    where
        S: tokio::io::AsyncRead + tokio::io::AsyncWrite + Unpin + Send + 'static,
    {
        let io = TokioIo::new(stream);
        let sender = if h2 {
            // Small windows, so that a stream that is not read blocks soon.
            let (sender, connection) = hyper::client::conn::http2::Builder::new(TokioExecutor::new())
                .initial_stream_window_size(32 << 10)
                .initial_connection_window_size(1 << 20)
                .handshake(io)
                .await
                .expect("a handshake");
            tokio::spawn(connection);
            Sender::H2(sender)
        } else {
            let (sender, connection) = hyper::client::conn::http1::handshake(io).await.expect("a handshake");
            tokio::spawn(connection);
            Sender::H1(sender)
        };
        Self { sender, host: host.to_owned() }
    }

    /// Sends a request and returns the answer's head, with its body still to come.
    pub(crate) async fn open(
        &mut self,
        mut request: http::Request<Outgoing>,
    ) -> Result<http::Response<hyper::body::Incoming>, hyper::Error> {
        match &mut self.sender {
            Sender::H1(sender) => {
                if !request.headers().contains_key("host") {
                    request.headers_mut().insert("host", self.host.parse().expect("a host"));
                }
                soon("ready", sender.ready()).await?;
                soon("the answer", sender.send_request(request)).await
            }
            Sender::H2(sender) => {
                if request.uri().authority().is_none() {
                    let uri = format!("https://{}{}", self.host, request.uri());
                    *request.uri_mut() = uri.parse().expect("a URI");
                }
                soon("ready", sender.ready()).await?;
                soon("the answer", sender.send_request(request)).await
            }
        }
    }

    pub(crate) async fn send(&mut self, request: http::Request<Outgoing>) -> Got {
        let answer = self.open(request).await.expect("an answer");
        let (parts, body) = answer.into_parts();
        let body = soon("the body", body.collect()).await.expect("a whole body").to_bytes();
        Got { status: parts.status.as_u16(), headers: parts.headers, body }
    }

    pub(crate) async fn get(&mut self, path: &str) -> Got {
        self.get_with(path, &[]).await
    }

    pub(crate) async fn get_with(&mut self, path: &str, headers: &[(&str, &str)]) -> Got {
        self.send(request("GET", path, headers, nothing())).await
    }
}

pub(crate) fn request(method: &str, uri: &str, headers: &[(&str, &str)], body: Outgoing) -> http::Request<Outgoing> {
    let mut request = http::Request::builder().method(method).uri(uri);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    request.body(body).expect("a request")
}

/// Reads a body until it ends or breaks; returns how much came, and whether it ended well.
pub(crate) async fn read_to_end(mut body: hyper::body::Incoming) -> (usize, bool) {
    let mut bytes = 0;
    loop {
        match soon("the next frame", body.frame()).await {
            None => return (bytes, true),
            Some(Err(_)) => return (bytes, false),
            Some(Ok(frame)) => bytes += frame.data_ref().map_or(0, Bytes::len),
        }
    }
}

/// Sends bytes over TLS and reads until the edge closes; what came, in text.
pub(crate) async fn talk(mut stream: TlsStream<TcpStream>, bytes: &[u8]) -> String {
    stream.write_all(bytes).await.expect("written");
    let mut answer = Vec::new();
    // A reset after the answer counts as its end.
    let _ = soon("the end", stream.read_to_end(&mut answer)).await;
    String::from_utf8_lossy(&answer).into_owned()
}

/// The node's side of the link, as a script.
pub(crate) struct Node {
    listener: Option<UnixListener>,
    writer: Option<tokio::net::unix::OwnedWriteHalf>,
    heard: Option<mpsc::UnboundedReceiver<FromEdge>>,
    pub(crate) generation: u64,
}

impl Node {
    pub(crate) fn listen(path: &Path) -> Self {
        let _ = std::fs::remove_file(path);
        Self { listener: Some(UnixListener::bind(path).expect("a socket")), writer: None, heard: None, generation: 0 }
    }

    /// A node that is not there.
    pub(crate) fn dead() -> Self {
        Self { listener: None, writer: None, heard: None, generation: 0 }
    }

    /// Takes the edge's next connection; returns the generation it says it holds.
    pub(crate) async fn hello(&mut self) -> u64 {
        let listener = self.listener.as_ref().expect("alive");
        let (stream, _) = soon("the edge connects", listener.accept()).await.expect("accepted");
        let (reader, writer) = UnixStream::into_split(stream);
        let (tell, heard) = mpsc::unbounded_channel();
        tokio::spawn(async move {
            let mut lines = BufReader::new(reader).lines();
            while let Ok(Some(line)) = lines.next_line().await {
                let message = serde_json::from_str(&line).expect("a message of the protocol");
                if tell.send(message).is_err() {
                    return;
                }
            }
        });
        (self.writer, self.heard) = (Some(writer), Some(heard));
        match self.next().await {
            FromEdge::Hello { generation } => generation,
            other => panic!("the first line is no hello: {other:?}"),
        }
    }

    pub(crate) async fn next(&mut self) -> FromEdge {
        let heard = self.heard.as_mut().expect("connected");
        soon("a line from the edge", heard.recv()).await.expect("the link stands")
    }

    pub(crate) async fn say(&mut self, message: &ToEdge) {
        let mut line = serde_json::to_vec(message).expect("serialises");
        line.push(b'\n');
        self.writer.as_mut().expect("connected").write_all(&line).await.expect("written");
    }

    /// Waits until a generation is in force, passing over counts.
    pub(crate) async fn applied(&mut self, expected: u64) {
        loop {
            match self.next().await {
                FromEdge::Applied { generation } if generation == expected => return,
                FromEdge::Counts { .. } => {}
                other => panic!("expected Applied {expected}, got {other:?}"),
            }
        }
    }

    pub(crate) async fn table(&mut self, sites: &[Site]) {
        if self.writer.is_none() {
            self.hello().await;
        }
        self.generation += 1;
        let (generation, sites) = (self.generation, sites.to_vec());
        self.say(&ToEdge::Table { generation, sites }).await;
        self.applied(generation).await;
    }

    pub(crate) async fn set(&mut self, site: &Site) {
        self.generation += 1;
        let (generation, site) = (self.generation, Box::new(site.clone()));
        self.say(&ToEdge::Set { generation, site }).await;
        self.applied(generation).await;
    }
}
