//! A small FastCGI program, written from the specification apart from the edge's own side: it answers by the path asked for
//! and shows what it was given.

use std::collections::BTreeMap;
use std::io;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::watch;

#[derive(Debug, Default)]
pub(crate) struct Program {
    /// Connections taken.
    pub(crate) taken: AtomicUsize,
    /// Connections that the edge closed while an answer was still open.
    pub(crate) cut: watch::Sender<u32>,
}

impl Program {
    pub(crate) fn start(socket: &Path) -> Arc<Self> {
        let program = Arc::new(Self::default());
        let listener = UnixListener::bind(socket).expect("a socket");
        tokio::spawn({
            let program = Arc::clone(&program);
            async move {
                while let Ok((stream, _)) = listener.accept().await {
                    let count = program.taken.fetch_add(1, SeqCst);
                    let program = Arc::clone(&program);
                    tokio::spawn(async move {
                        let _ = program.answer(stream, count).await;
                    });
                }
            }
        });
        program
    }

    async fn answer(&self, mut stream: UnixStream, count: usize) -> io::Result<()> {
        let mut params = Vec::new();
        loop {
            let (kind, content) = record(&mut stream).await?;
            match (kind, content.is_empty()) {
                (1, _) => {}
                (4, true) => break,
                (4, false) => params.extend(content),
                other => panic!("{other:?} before the parameters end"),
            }
        }
        let params = pairs(&params);
        let uri = params["REQUEST_URI"].clone();
        match uri.split('?').next().unwrap_or_default() {
            // What comes in goes out at once.
            "/echo" => {
                write(&mut stream, 6, b"Content-Type: application/octet-stream\r\n\r\n").await?;
                loop {
                    let (_, content) = record(&mut stream).await?;
                    if content.is_empty() {
                        break;
                    }
                    write(&mut stream, 6, &content).await?;
                }
            }
            "/hang" => {
                write(&mut stream, 6, b"Content-Type: application/octet-stream\r\n\r\nbegun").await?;
                let mut buffer = [0; 4096];
                while stream.read(&mut buffer).await.is_ok_and(|count| count > 0) {}
                self.cut.send_modify(|cut| *cut += 1);
                return Ok(());
            }
            "/silent" => {
                let mut buffer = [0; 4096];
                while stream.read(&mut buffer).await.is_ok_and(|count| count > 0) {}
                return Ok(());
            }
            "/die-once" if count == 0 => return Ok(()),
            "/die" => return Ok(()),
            "/die-late" => {
                return write(&mut stream, 6, b"Content-Type: text/plain\r\nContent-Length: 9\r\n\r\npart").await;
            }
            "/nonsense" => return stream.write_all(b"HTTP/1.1 200 OK\r\n\r\n").await,
            "/redirect" => write(&mut stream, 6, b"Location: https://elsewhere.example/\r\n\r\n").await?,
            "/teapot" => {
                write(&mut stream, 6, b"Status: 418 I'm a teapot\r\nX-Kind: round\r\nConnection: close\r\n\r\nshort")
                    .await?
            }
            "/complain" => {
                write(&mut stream, 7, b"PHP Warning: something \"odd\"\nand more").await?;
                write(&mut stream, 6, b"Content-Type: text/plain\r\n\r\nfine").await?;
            }
            "/page" => {
                let page = format!(
                    "Content-Type: text/html; charset=UTF-8\r\nETag: \"v1\"\r\n\r\n{}",
                    "<p>words</p>".repeat(1000)
                );
                for piece in page.as_bytes().chunks(1000) {
                    write(&mut stream, 6, piece).await?;
                }
            }
            // Everything else shows what the program was given.
            _ => {
                let mut bytes = 0;
                loop {
                    let (_, content) = record(&mut stream).await?;
                    if content.is_empty() {
                        break;
                    }
                    bytes += content.len();
                }
                let mut text = format!("Content-Type: text/plain\r\n\r\nSTDIN_BYTES={bytes}\n");
                for (name, value) in &params {
                    text.push_str(&format!("{name}={value}\n"));
                }
                write(&mut stream, 6, text.as_bytes()).await?;
            }
        }
        write(&mut stream, 3, &[0; 8]).await
    }
}

async fn record(stream: &mut UnixStream) -> io::Result<(u8, Vec<u8>)> {
    let mut header = [0; 8];
    stream.read_exact(&mut header).await?;
    assert_eq!((header[0], &header[2..4]), (1, &[0, 1][..]), "version and request id");
    let mut content = vec![0; usize::from(u16::from_be_bytes([header[4], header[5]]))];
    stream.read_exact(&mut content).await?;
    let mut padding = vec![0; usize::from(header[6])];
    stream.read_exact(&mut padding).await?;
    Ok((header[1], content))
}

async fn write(stream: &mut UnixStream, kind: u8, content: &[u8]) -> io::Result<()> {
    for piece in content.chunks(60_000) {
        let length = u16::try_from(piece.len()).expect("short").to_be_bytes();
        // Padding, as the specification recommends it and PHP-FPM does it.
        let padding = (8 - piece.len() % 8) % 8;
        let mut record = vec![1, kind, 0, 1, length[0], length[1], padding as u8, 0];
        record.extend_from_slice(piece);
        record.resize(record.len() + padding, 0);
        stream.write_all(&record).await?;
    }
    Ok(())
}

fn pairs(mut bytes: &[u8]) -> BTreeMap<String, String> {
    fn length(bytes: &mut &[u8]) -> usize {
        if bytes[0] < 128 {
            let length = usize::from(bytes[0]);
            *bytes = &bytes[1..];
            length
        } else {
            let length = u32::from_be_bytes(bytes[..4].try_into().expect("four")) & 0x7fff_ffff;
            *bytes = &bytes[4..];
            length as usize
        }
    }
    let mut pairs = BTreeMap::new();
    while !bytes.is_empty() {
        let (name, value) = (length(&mut bytes), length(&mut bytes));
        let (pair, rest) = bytes.split_at(name + value);
        let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).expect("UTF-8");
        let before = pairs.insert(text(&pair[..name]), text(&pair[name..]));
        assert!(before.is_none(), "{:?} is given twice", text(&pair[..name]));
        bytes = rest;
    }
    pairs
}
