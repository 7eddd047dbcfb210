//! A file on its way out, in pieces, read from the page cache where it is there and on a thread that may wait where not.

use bytes::Bytes;
use rustix::fd::{AsFd, OwnedFd};
use rustix::io::{Errno, ReadWriteFlags, pread, preadv2};
use std::cell::RefCell;
use std::future::Future;
use std::io::{self, IoSliceMut};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use tokio::task::JoinHandle;

/// Bytes read at once.
const PIECE_BYTES: usize = 64 << 10;
/// Buffers a worker keeps for the next file.
const SPARE_MAX: usize = 32;

thread_local! {
    static SPARE: RefCell<Vec<Vec<u8>>> = const { RefCell::new(Vec::new()) };
}

/// A buffer that goes back to its thread's spares when the last view of it is dropped: a piece then costs neither an
/// allocation nor fresh pages.
struct Piece {
    buffer: Vec<u8>,
    length: usize,
}

impl Piece {
    fn new() -> Self {
        let buffer = SPARE.with_borrow_mut(Vec::pop).unwrap_or_else(|| vec![0; PIECE_BYTES]);
        Self { buffer, length: 0 }
    }
}

impl AsRef<[u8]> for Piece {
    fn as_ref(&self) -> &[u8] {
        &self.buffer[..self.length]
    }
}

impl Drop for Piece {
    fn drop(&mut self) {
        let buffer = std::mem::take(&mut self.buffer);
        // A thread that ends has no spares any more; then the buffer is simply freed.
        let _ = SPARE.try_with(|spare| {
            if let Ok(mut spare) = spare.try_borrow_mut()
                && spare.len() < SPARE_MAX
            {
                spare.push(buffer);
            }
        });
    }
}

/// See the module.
#[derive(Debug)]
pub(crate) struct FileStream {
    file: Arc<OwnedFd>,
    at: u64,
    end: u64,
    waiting: Option<JoinHandle<io::Result<Vec<u8>>>>,
}

impl FileStream {
    /// The bytes from `start` up to but without `end`.
    pub(crate) fn new(file: OwnedFd, start: u64, end: u64) -> Self {
        Self { file: Arc::new(file), at: start, end, waiting: None }
    }

    pub(crate) fn left(&self) -> u64 {
        self.end - self.at
    }

    pub(crate) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Option<io::Result<Bytes>>> {
        if self.at == self.end {
            return Poll::Ready(None);
        }
        if self.waiting.is_none() {
            let mut piece = Piece::new();
            let length = usize::try_from(self.left()).unwrap_or(usize::MAX).min(PIECE_BYTES);
            match read_now(&*self.file, &mut piece.buffer[..length], self.at) {
                Ok(count) => {
                    piece.length = count;
                    return self.handed(Ok(Bytes::from_owner(piece)));
                }
                Err(Errno::AGAIN | Errno::OPNOTSUPP) => {
                    let (file, at) = (Arc::clone(&self.file), self.at);
                    self.waiting = Some(tokio::task::spawn_blocking(move || {
                        let mut buffer = vec![0; length];
                        let count = pread(&*file, &mut buffer[..], at)?;
                        buffer.truncate(count);
                        Ok(buffer)
                    }));
                }
                Err(error) => return Poll::Ready(Some(Err(error.into()))),
            }
        }
        let Some(waiting) = &mut self.waiting else { return Poll::Pending };
        let Poll::Ready(read) = Pin::new(waiting).poll(cx) else { return Poll::Pending };
        self.waiting = None;
        let read = read.map_err(io::Error::other).flatten();
        self.handed(read.map(Bytes::from))
    }

    fn handed(&mut self, read: io::Result<Bytes>) -> Poll<Option<io::Result<Bytes>>> {
        Poll::Ready(Some(match read {
            // The file was cut short while it was sent; so is the answer, visibly.
            Ok(bytes) if bytes.is_empty() => Err(io::ErrorKind::UnexpectedEof.into()),
            Ok(bytes) => {
                self.at += bytes.len() as u64;
                Ok(bytes)
            }
            Err(error) => Err(error),
        }))
    }
}

/// Reads what is in the page cache; `EAGAIN` where nothing is.
fn read_now(file: impl AsFd, buffer: &mut [u8], at: u64) -> Result<usize, Errno> {
    loop {
        match preadv2(file.as_fd(), &mut [IoSliceMut::new(buffer)], at, ReadWriteFlags::NOWAIT) {
            Err(Errno::INTR) => {}
            result => return result,
        }
    }
}

/// A whole file, if all of it is in the page cache and it is as long as stated.
pub(crate) fn read_whole_now(file: &OwnedFd, length: u64) -> Option<Vec<u8>> {
    let mut buffer = vec![0; usize::try_from(length).ok()?];
    let mut at = 0;
    while at < buffer.len() {
        match read_now(file, &mut buffer[at..], at as u64) {
            Ok(0) | Err(_) => return None,
            Ok(count) => at += count,
        }
    }
    Some(buffer)
}

/// A whole file of the stated length; waits for the disk.
pub(crate) fn read_whole(file: &OwnedFd, length: u64) -> io::Result<Vec<u8>> {
    let mut buffer = vec![0; usize::try_from(length).map_err(io::Error::other)?];
    let mut at = 0;
    while at < buffer.len() {
        match pread(file, &mut buffer[at..], at as u64)? {
            0 => return Err(io::ErrorKind::UnexpectedEof.into()),
            count => at += count,
        }
    }
    Ok(buffer)
}
