//! Builds the file from sorted hashes, one shard at a time: what is in memory is one shard.

use super::format::{self, Hash, Header, RECORDS_AT, SHARD_KEYS_MAX, SHARDS, Shard, filters_at, key_of, shard_of};
use super::{LeakedError, io_error};
use sha2::{Digest, Sha256};
use std::fs::File;
use std::io::{self, BufWriter, Read, Seek, SeekFrom, Write};
use std::os::unix::fs::FileExt;
use std::path::Path;
use xorf::{BinaryFuse16, DmaSerializable};

/// Bytes written at once.
const BUFFER_BYTES: usize = 1 << 20;

/// What became of a hash.
pub(super) enum Added {
    /// It is in.
    New,
    /// The one before was the same.
    Again,
}

/// A list being built. Until [`Builder::finish`] the file has no head, and can't be mistaken for a list.
pub(super) struct Builder<'a> {
    path: &'a Path,
    records: BufWriter<File>,
    filters: BufWriter<File>,
    filters_bytes: u64,
    digest: Sha256,
    shards: Vec<Shard>,
    /// Keys of the shard that is being filled.
    keys: Vec<u64>,
    /// Index of that shard's first hash.
    first: u64,
    count: u64,
    last: Option<Hash>,
}

impl<'a> Builder<'a> {
    /// Builds into this file, with another, nameless one for the filters, which can only be placed when all is known.
    pub(super) fn new(path: &'a Path, file: File, filters: File) -> Result<Self, LeakedError> {
        let mut records = BufWriter::with_capacity(BUFFER_BYTES, file);
        records.seek(SeekFrom::Start(RECORDS_AT)).map_err(io_error("writing", path))?;
        Ok(Self {
            path,
            records,
            filters: BufWriter::with_capacity(BUFFER_BYTES, filters),
            filters_bytes: 0,
            digest: Sha256::new(),
            shards: Vec::with_capacity(SHARDS),
            keys: Vec::new(),
            first: 0,
            count: 0,
            last: None,
        })
    }

    /// Adds the next hash; `number` is its line, for whoever must mend it.
    pub(super) fn add(&mut self, hash: &Hash, number: u64) -> Result<Added, LeakedError> {
        match self.last {
            Some(last) if last == *hash => return Ok(Added::Again),
            Some(last) if last > *hash => {
                let what = "the hash is smaller than the one before: the list must be the one that is ordered by hash";
                return Err(LeakedError::Line { number, what });
            }
            _ => {}
        }
        // Shards before this one are full; `shards.len()` is the one being filled.
        while self.shards.len() < shard_of(hash) {
            self.close_shard()?;
        }
        // Two hashes may begin with the same 64 bits; the filter wants each key once.
        let key = key_of(hash);
        if self.keys.last() != Some(&key) {
            if self.keys.len() as u64 == SHARD_KEYS_MAX {
                return Err(LeakedError::Crowded { number });
            }
            self.keys.push(key);
        }
        self.records.write_all(hash).map_err(io_error("writing", self.path))?;
        self.digest.update(hash);
        self.last = Some(*hash);
        self.count += 1;
        Ok(Added::New)
    }

    fn close_shard(&mut self) -> Result<(), LeakedError> {
        let filter = if self.keys.is_empty() {
            None
        } else {
            Some(BinaryFuse16::try_from(&self.keys).map_err(|what| LeakedError::Filter { what })?)
        };
        let shard = Shard::new(self.first, self.filters_bytes, filter.as_ref());
        if let Some(filter) = &filter {
            self.filters.write_all(filter.dma_fingerprints()).map_err(io_error("writing filters beside", self.path))?;
        }
        self.filters_bytes += shard.filter_bytes();
        self.shards.push(shard);
        self.first = self.count;
        self.keys.clear();
        Ok(())
    }

    /// Places the filters behind the hashes, writes the head, and puts all on the disk.
    pub(super) fn finish(mut self, imported_s: i64) -> Result<u64, LeakedError> {
        if self.count == 0 {
            return Err(LeakedError::Empty);
        }
        while self.shards.len() < SHARDS {
            self.close_shard()?;
        }
        let failed = |error| io_error("writing", self.path)(error);
        let mut file = self.records.into_inner().map_err(|error| failed(error.into_error()))?;
        let mut filters = self.filters.into_inner().map_err(|error| failed(error.into_error()))?;
        let at = filters_at(self.count);
        file.seek(SeekFrom::Start(at)).map_err(failed)?;
        filters.rewind().map_err(failed)?;
        let mut buffer = vec![0; BUFFER_BYTES];
        loop {
            let read = match filters.read(&mut buffer) {
                Ok(0) => break,
                Ok(read) => read,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => return Err(failed(error)),
            };
            self.digest.update(&buffer[..read]);
            file.write_all(&buffer[..read]).map_err(failed)?;
        }
        let header = Header {
            imported_s,
            count: self.count,
            filters_at: at,
            filters_bytes: self.filters_bytes,
            contents: self.digest.finalize().into(),
        };
        // The contents reach the disk before the head that vouches for them.
        file.sync_data().map_err(failed)?;
        file.write_all_at(&format::write_head(&header, &self.shards), 0).map_err(failed)?;
        file.sync_all().map_err(failed)?;
        Ok(self.count)
    }
}
