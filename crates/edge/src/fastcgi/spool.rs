//! Spooling a request body before the script is asked. Done for a small one, so that no script waits for a slow client, and
//! for one whose length is not stated (HTTP/1.1 chunked, HTTP/2 without a length), for a script must be told it. A small one
//! is held in memory, a larger one in a file that has no name and is gone with its last handle.

use super::exchange::Source;
use crate::config::ms;
use crate::connection::Edge;
use crate::pages::Page;
use crate::request::Refused;
use bytes::{Bytes, BytesMut};
use http_body_util::BodyExt as _;
use hyper::body::Incoming;
use rustix::fs::{CWD, Mode, OFlags, openat};
use std::fs::File;
use std::io::{self, Write as _};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

/// Bytes that are written to the file together.
const PIECE_BYTES: usize = 256 << 10;

/// Takes the whole body.
pub(super) async fn spool(
    edge: &Arc<Edge>,
    bytes_max: u64,
    mut body: Incoming,
    received: &AtomicU64,
) -> Result<Source, Refused> {
    let limits = &edge.limits;
    let mut held = BytesMut::new();
    let mut file: Option<File> = None;
    let mut length = 0;
    loop {
        let next = tokio::time::timeout(ms(limits.body_idle_ms_max), body.frame()).await;
        let frame = match next.map_err(|_| Page::ClientSlow)? {
            None => break,
            Some(frame) => frame.map_err(|_| Page::BadRequest)?,
        };
        let Ok(data) = frame.into_data() else { continue };
        length += data.len() as u64;
        received.fetch_add(data.len() as u64, Relaxed);
        if length > bytes_max {
            return Err(Page::BodyTooLarge.into());
        }
        held.extend_from_slice(&data);
        let full = if file.is_some() { PIECE_BYTES } else { limits.spool_memory_bytes_max };
        if held.len() > full {
            file = Some(write(edge, file, held.split().freeze()).await?);
        }
    }
    match file {
        None => Ok(Source::Memory(held.freeze())),
        Some(file) => {
            let file = write(edge, Some(file), held.freeze()).await?;
            Ok(Source::File { file, at: 0, end: length })
        }
    }
}

async fn write(edge: &Arc<Edge>, file: Option<File>, bytes: Bytes) -> Result<File, Refused> {
    let edge = Arc::clone(edge);
    let written = tokio::task::spawn_blocking(move || -> io::Result<File> {
        let mut file = match file {
            Some(file) => file,
            None => unnamed(&edge.spool_dir)?,
        };
        file.write_all(&bytes)?;
        Ok(file)
    })
    .await;
    match written {
        Ok(Ok(file)) => Ok(file),
        Ok(Err(error)) => {
            tracing::error!(%error, "cannot spool a request body");
            Err(Page::Failed.into())
        }
        Err(_) => Err(Page::Failed.into()),
    }
}

fn unnamed(directory: &Path) -> io::Result<File> {
    let flags = OFlags::TMPFILE | OFlags::RDWR | OFlags::CLOEXEC;
    Ok(File::from(openat(CWD, directory, flags, Mode::RUSR | Mode::WUSR)?))
}
