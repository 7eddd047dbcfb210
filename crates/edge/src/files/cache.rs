//! The contents of small files in memory, by what the file is.
//!
//! Every request still opens its file beneath the site's root, so nothing here can be stale or reached around the checks:
//! content is used only for the same inode with the same length and times. Content that was written a moment ago is not
//! kept, for a second write within the clock's grain could not be told from the first.

use super::open::{FileId, Opened};
use super::stream;
use crate::config::Limits;
use crate::connection::Edge;
use crate::gzip;
use bytes::Bytes;
use http::HeaderValue;
use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

const SHARDS: usize = 16;
/// What an entry without content costs, about.
const ENTRY_BYTES: usize = 512;
/// Content younger than this is not kept.
const SETTLED_AFTER: Duration = Duration::from_secs(2);
/// Larger content is kept only from the second request on, so that a crawl does not push out what is asked for often.
const KEPT_AT_ONCE_BYTES: u64 = 64 << 10;

/// What is known of one file.
#[derive(Debug)]
pub(crate) struct Entry {
    pub(crate) etag: HeaderValue,
    pub(crate) weak_etag: HeaderValue,
    pub(crate) last_modified: HeaderValue,
    /// To the second, as HTTP dates are.
    pub(crate) modified: SystemTime,
    asked_for: AtomicBool,
    content: OnceLock<Bytes>,
    zipped: OnceLock<Option<Bytes>>,
}

impl Entry {
    fn new(id: &FileId) -> Self {
        let seconds = u64::try_from(id.modified_ns / 1_000_000_000).unwrap_or(0);
        let modified = UNIX_EPOCH + Duration::from_secs(seconds.min(MODIFIED_SECONDS_MAX));
        let tag = format!("\"{:x}-{:x}\"", id.modified_ns, id.length);
        let value = |text: &str| HeaderValue::from_str(text).unwrap_or_else(|_| HeaderValue::from_static("\"\""));
        Self {
            etag: value(&tag),
            weak_etag: value(&format!("W/{tag}")),
            last_modified: value(&httpdate::fmt_http_date(modified)),
            modified,
            asked_for: AtomicBool::new(false),
            content: OnceLock::new(),
            zipped: OnceLock::new(),
        }
    }

    /// The file compressed, if it shrinks; made once, on a thread that may be busy with it.
    pub(crate) async fn zipped(self: &Arc<Self>, edge: &Arc<Edge>, opened: &Opened) -> Option<Bytes> {
        if let Some(zipped) = self.zipped.get() {
            return zipped.clone();
        }
        let file = opened.file.try_clone().ok()?;
        let length = opened.id.length;
        let zipped = tokio::task::spawn_blocking(move || {
            let plain = stream::read_whole(&file, length).ok()?;
            let zipped = gzip::whole(&plain).ok()?;
            (zipped.len() < plain.len()).then(|| Bytes::from(zipped))
        })
        .await
        .ok()?;
        if is_settled(&opened.id) {
            let bytes = zipped.as_ref().map_or(0, Bytes::len);
            if self.zipped.set(zipped.clone()).is_ok() {
                edge.cache.grown(&opened.id, self, bytes);
            }
        }
        zipped
    }
}

/// The last second of the year 9999, the last that an HTTP date can tell.
const MODIFIED_SECONDS_MAX: u64 = 253_402_300_799;

/// See the module. Each shard holds two generations: what is used moves to the young one; when that is full it becomes the
/// old one, and what the old one held is forgotten.
#[derive(Debug)]
pub(crate) struct Cache {
    shards: [Mutex<Shard>; SHARDS],
    generation_bytes_max: usize,
}

#[derive(Debug, Default)]
struct Shard {
    young: HashMap<FileId, Arc<Entry>>,
    young_bytes: usize,
    old: HashMap<FileId, Arc<Entry>>,
}

impl Cache {
    pub(crate) fn new(limits: &Limits) -> Self {
        Self {
            shards: std::array::from_fn(|_| Mutex::default()),
            generation_bytes_max: (limits.cache_bytes_max / SHARDS / 2).max(ENTRY_BYTES),
        }
    }

    fn shard(&self, id: &FileId) -> MutexGuard<'_, Shard> {
        let index = usize::try_from(id.inode % SHARDS as u64).unwrap_or(0);
        self.shards[index].lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What is known of an open file.
    pub(crate) fn entry(&self, opened: &Opened, limits: &Limits) -> Arc<Entry> {
        let mut shard = self.shard(&opened.id);
        if let Some(entry) = shard.young.get(&opened.id) {
            return Arc::clone(entry);
        }
        let entry = shard.old.remove(&opened.id);
        let returned = entry.is_some();
        let entry = entry.unwrap_or_else(|| Arc::new(Entry::new(&opened.id)));
        let held = |bytes: Option<&Bytes>| bytes.map_or(0, Bytes::len);
        let bytes = ENTRY_BYTES + held(entry.content.get()) + held(entry.zipped.get().and_then(Option::as_ref));
        if returned || opened.id.length <= limits.cache_file_bytes_max as u64 {
            self.insert(&mut shard, opened.id, Arc::clone(&entry), bytes);
        }
        entry
    }

    fn insert(&self, shard: &mut Shard, id: FileId, entry: Arc<Entry>, bytes: usize) {
        if shard.young_bytes + bytes > self.generation_bytes_max {
            shard.old = std::mem::take(&mut shard.young);
            shard.young_bytes = 0;
        }
        shard.young_bytes += bytes;
        shard.young.insert(id, entry);
    }

    /// Counts what an entry now holds more. An entry that was forgotten meanwhile is not counted.
    fn grown(&self, id: &FileId, entry: &Arc<Entry>, bytes: usize) {
        let mut shard = self.shard(id);
        if !shard.young.get(id).is_some_and(|held| Arc::ptr_eq(held, entry)) {
            return;
        }
        if shard.young_bytes + bytes > self.generation_bytes_max {
            // It starts the next generation, with all that it holds.
            let entry = Arc::clone(entry);
            shard.young.remove(id);
            self.insert(&mut shard, *id, entry, ENTRY_BYTES + bytes);
        } else {
            shard.young_bytes += bytes;
        }
    }

    /// The whole content of a file, if it is small and can be had without waiting.
    pub(crate) fn content(&self, entry: &Arc<Entry>, opened: &Opened, limits: &Limits) -> Option<Bytes> {
        if let Some(content) = entry.content.get() {
            return Some(content.clone());
        }
        let length = opened.id.length;
        // Two entries of the largest kind must fit a generation, or keeping one would only push out the rest.
        let largest = (limits.cache_file_bytes_max).min(self.generation_bytes_max / 2) as u64;
        if length > largest {
            return None;
        }
        if length > KEPT_AT_ONCE_BYTES && !entry.asked_for.swap(true, Relaxed) {
            return None;
        }
        let content = Bytes::from(stream::read_whole_now(&opened.file, length)?);
        if is_settled(&opened.id) && entry.content.set(content.clone()).is_ok() {
            self.grown(&opened.id, entry, content.len());
        }
        Some(content)
    }
}

fn is_settled(id: &FileId) -> bool {
    let last = id.modified_ns.max(id.changed_ns);
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i128::try_from(now.as_nanos()).is_ok_and(|now| now - last > SETTLED_AFTER.as_nanos() as i128)
}
