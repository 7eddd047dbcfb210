//! The client's socket: tells its connection's [`Life`] what it hears and where it is blocked, and closes as the verdict says.

use crate::life::{Life, Verdict};
use std::io::{self, IoSlice};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;

/// How long, and how much, is read and thrown away of a request body that was refused, so that the client reads the
/// refusal before the kernel resets the connection.
const LINGER_MS_MAX: u64 = 1_000;
const LINGER_BYTES_MAX: usize = 1 << 20;

/// See the module.
#[derive(Debug)]
pub(crate) struct Socket {
    /// `None` only while it is dropped.
    tcp: Option<TcpStream>,
    life: Arc<Life>,
}

impl Socket {
    pub(crate) fn new(tcp: TcpStream, life: Arc<Life>) -> Self {
        Self { tcp: Some(tcp), life }
    }

    fn tcp(self: Pin<&mut Self>) -> Pin<&mut TcpStream> {
        Pin::new(self.get_mut().tcp.as_mut().expect("there until it is dropped"))
    }

    fn wrote(&self, result: Poll<io::Result<usize>>) -> Poll<io::Result<usize>> {
        self.life.write_blocked(result.is_pending());
        result
    }
}

impl AsyncRead for Socket {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        let result = self.as_mut().tcp().poll_read(cx, buffer);
        if result.is_ready() && buffer.filled().len() > before {
            self.life.heard();
        }
        result
    }
}

impl AsyncWrite for Socket {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let result = self.as_mut().tcp().poll_write(cx, bytes);
        self.wrote(result)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let result = self.as_mut().tcp().poll_write_vectored(cx, slices);
        self.wrote(result)
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.tcp().poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.tcp().poll_shutdown(cx)
    }
}

impl Drop for Socket {
    fn drop(&mut self) {
        let Some(tcp) = self.tcp.take() else { return };
        if self.life.verdict() >= Verdict::End {
            // With no linger the kernel throws away what it has not sent, and resets: nothing of a closed site trickles
            // out of a send buffer, and a client that reads nothing holds no memory.
            let _ = tcp.set_zero_linger();
        } else if self.life.unread.load(Relaxed) && tokio::runtime::Handle::try_current().is_ok() {
            tokio::spawn(linger(tcp));
        }
    }
}

async fn linger(mut tcp: TcpStream) {
    use tokio::io::AsyncWriteExt;
    let _ = tcp.shutdown().await;
    let reading = async {
        let mut buffer = [0_u8; 8 << 10];
        let mut left = LINGER_BYTES_MAX;
        while left > 0 {
            match tcp.read(&mut buffer).await {
                Ok(0) | Err(_) => return,
                Ok(count) => left = left.saturating_sub(count),
            }
        }
    };
    let _ = tokio::time::timeout(Duration::from_millis(LINGER_MS_MAX), reading).await;
}
