//! The spool: uploads on their way to a node. A file is named after its order, is written whole before the order exists, and
//! goes when the order ends; a sweep takes what a crash left.

use crate::config::Config;
use crate::fault::Fault;
use axum::extract::Request;
use futures_util::StreamExt;
use husorden_base::{Bytes, Refusal, Text};
use std::collections::HashSet;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};
use tokio::io::AsyncWriteExt;

/// Longest silence while an upload goes on, in seconds.
const SILENCE_WAIT: Duration = Duration::from_secs(60);
/// Age from which a file that no order needs is left over.
const LEFT_AFTER: Duration = Duration::from_secs(6 * 3600);

/// A received file; gone again unless it is kept.
#[derive(Debug)]
pub(crate) struct Received {
    path: PathBuf,
    name: String,
    bytes: u64,
    kept: bool,
}

impl Received {
    pub(crate) const fn bytes(&self) -> u64 {
        self.bytes
    }

    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// The order was committed: the file stays until it ends.
    pub(crate) fn keep(mut self) {
        self.kept = true;
    }
}

impl Drop for Received {
    fn drop(&mut self) {
        if !self.kept {
            let _ = std::fs::remove_file(&self.path);
        }
    }
}

/// Streams the body of a request to a file.
pub(crate) async fn receive(config: &Config, name: &str, request: Request) -> Result<Received, Fault> {
    let limit = config.limits.archive_bytes_max;
    let said = request
        .headers()
        .get(http::header::CONTENT_LENGTH)
        .and_then(|value| value.to_str().ok())
        .and_then(|text| text.parse::<u64>().ok());
    if let Some(said) = said.filter(|said| *said > limit) {
        return Err(too_large(said, limit).into());
    }
    let broken = |e: std::io::Error| Fault::broken("writing an upload to the spool")(Box::new(e));
    let path = config.spool.join(name);
    let mut received = Received { path, name: name.to_owned(), bytes: 0, kept: false };
    let mut file = tokio::fs::OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(&received.path)
        .await
        .map_err(broken)?;
    let mut body = request.into_body().into_data_stream();
    loop {
        let next = tokio::time::timeout(SILENCE_WAIT, body.next()).await.map_err(|_| cut_short())?;
        let Some(chunk) = next else { break };
        let chunk = chunk.map_err(|_| cut_short())?;
        received.bytes += chunk.len() as u64;
        if received.bytes > limit {
            return Err(too_large(received.bytes, limit).into());
        }
        file.write_all(&chunk).await.map_err(broken)?;
    }
    if received.bytes == 0 {
        let text = Text::new("Arkivet er tomt", "The archive is empty");
        return Err(Refusal::field("", text).into());
    }
    file.sync_all().await.map_err(broken)?;
    Ok(received)
}

/// Takes away what an ended order left.
pub(crate) async fn remove(spool: &Path, name: &str) {
    if let Err(error) = tokio::fs::remove_file(spool.join(name)).await
        && error.kind() != std::io::ErrorKind::NotFound
    {
        tracing::warn!(%error, name, "a spool file could not be removed; the sweep will try again");
    }
}

/// Takes away old files that no open order needs.
pub(crate) async fn sweep(spool: &Path, needed: &HashSet<String>) -> std::io::Result<u64> {
    let mut removed = 0;
    let mut entries = tokio::fs::read_dir(spool).await?;
    while let Some(entry) = entries.next_entry().await? {
        let name = entry.file_name().to_string_lossy().into_owned();
        let old = entry
            .metadata()
            .await?
            .modified()
            .ok()
            .and_then(|at| SystemTime::now().duration_since(at).ok())
            .is_some_and(|age| age > LEFT_AFTER);
        if old && !needed.contains(&name) {
            tokio::fs::remove_file(entry.path()).await?;
            removed += 1;
        }
    }
    Ok(removed)
}

fn too_large(bytes: u64, limit: u64) -> Refusal {
    Refusal::new(
        "archive-too-large",
        413,
        Text::new("Arkivet er for stort", "The archive is too large"),
        Text::new("Del det i flere.", "Split it into several."),
    )
    .with_limit(Bytes(bytes).to_string(), Bytes(limit).to_string())
}

fn cut_short() -> Refusal {
    Refusal::new(
        "upload-cut-short",
        400,
        Text::new("Overførslen blev afbrudt", "The upload was cut short"),
        Text::new("Intet er ændret; send det igen.", "Nothing was changed; send it again."),
    )
}
