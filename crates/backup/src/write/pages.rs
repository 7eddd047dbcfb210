//! Large files: those that are written page by page are cut at fixed places, all others where their content says.
//!
//! A disk image or a database's file changes in place, and its size is a whole number of pages; a dump or an archive grows and shifts, and
//! its size hardly ever is. The first kind is cut into equal pieces, so that what lies where it lay need not be read again, and a page that
//! changed costs little more than itself. Restic reads pieces of any length.

use super::Job;
use super::extents::changed;
use super::pending::Pending;
use super::walk::{Walk, doing};
use crate::fault::Fault;
use crate::format::{BlobType, Node};
use crate::id::Id;
use fastcdc::v2020::FastCDC;
use rustix::fs::{Advice, SeekFrom, fadvise, seek};
use rustix::io::Errno;
use std::fs::File;
use std::io::Read;
use std::ops::Range;
use std::os::fd::OwnedFd;
use std::os::unix::fs::FileExt;
use std::sync::Arc;
use std::sync::atomic::Ordering;

/// Files up to this are one piece, read by those who seal.
pub(super) const WHOLE_BYTES_MAX: usize = CUT_MIN;
/// Files from this size may be cut at fixed places.
pub(super) const PAGES_BYTES_MIN: u64 = 32 << 20;
/// The shortest fixed piece: small enough that scattered pages of 4 KiB cost four times themselves, large enough that a gigabyte has no
/// more than 65,536 names.
const PAGE_PIECE_MIN: u64 = 16 << 10;
/// Pieces of one file; larger files have longer pieces.
const PIECES_MAX: u64 = 128 << 10;
/// Bytes that are read at once.
const READ_BYTES: usize = 1 << 20;
/// Where content decides, pieces are this long.
const CUT_MIN: usize = 512 << 10;
const CUT_AVERAGE: usize = 1 << 20;
const CUT_MAX: usize = 4 << 20;

/// Length of the pieces of a file of this size.
fn piece_bytes(size: u64) -> u64 {
    PAGE_PIECE_MIN.max(size.div_ceil(PIECES_MAX).next_power_of_two())
}

/// What the former backup has of a file, and where it may differ.
struct Reuse<'a> {
    content: &'a [Id],
    size: u64,
    changed: Vec<Range<u64>>,
}

impl Walk<'_, '_> {
    /// Cuts a file at fixed places and gives its size.
    pub(super) fn pages(
        &mut self,
        file: &OwnedFd,
        node: &Node,
        pending: &Arc<Pending>,
        old: Option<(OwnedFd, &Node)>,
    ) -> Result<u64, Fault> {
        let size = node.size;
        let piece = piece_bytes(size);
        let reuse = old.and_then(|(old, former)| self.reuse(&old, file, former, piece));
        // What is read here and there must not draw in what lies around it.
        let advice = if reuse.is_some() { Advice::Random } else { Advice::Sequential };
        fadvise(file, 0, None, advice).unwrap_or(());
        let file = File::from(file.try_clone().map_err(Fault::files(doing("opening", &node.name)))?);
        let mut data = 0..0;
        let mut zero = None;
        let mut next = 0;
        let mut cursor = 0;
        while next < size {
            let end = (next + piece).min(size);
            if let Some(id) = reuse.as_ref().and_then(|reuse| reuse.piece(&mut cursor, next..end, piece)) {
                pending.push(id);
                next = end;
            } else if end - next == piece && self.hole(&file, &mut data, next..end, size)? {
                let id = match zero {
                    Some(id) => id,
                    None => self.shared.packer.add(
                        BlobType::Data,
                        &vec![0; end as usize - next as usize],
                        &mut self.press,
                    )?,
                };
                zero = Some(id);
                pending.push(id);
                next = end;
            } else {
                next = self.read_pages(&file, node, pending, next, piece, &reuse, cursor)?;
            }
        }
        Ok(size)
    }

    /// Reads on from here to where something can be taken over, a hole begins or enough is read.
    #[allow(clippy::too_many_arguments, reason = "what one loop knows of a file")]
    fn read_pages(
        &self,
        file: &File,
        node: &Node,
        pending: &Arc<Pending>,
        start: u64,
        piece: u64,
        reuse: &Option<Reuse<'_>>,
        mut cursor: usize,
    ) -> Result<u64, Fault> {
        let mut end = (start + piece).min(node.size);
        while end < node.size && end - start + piece <= READ_BYTES as u64 {
            let further = end..(end + piece).min(node.size);
            if reuse.as_ref().is_some_and(|reuse| reuse.piece(&mut cursor, further.clone(), piece).is_some()) {
                break;
            }
            end = further.end;
        }
        let mut bytes = vec![0; usize::try_from(end - start).expect("a read is short")];
        file.read_exact_at(&mut bytes, start).map_err(Fault::files(doing("reading", &node.name)))?;
        self.shared.bytes_read.fetch_add(bytes.len() as u64, Ordering::Relaxed);
        let piece = usize::try_from(piece).expect("a piece is short");
        let first = pending.expect(bytes.len().div_ceil(piece));
        let weight = bytes.len();
        self.job(Job::Pieces { bytes, piece, pending: Arc::clone(pending), first }, weight)?;
        Ok(end)
    }

    /// Whether this range lies in a hole; `data` remembers the next range that holds data.
    fn hole(&self, file: &File, data: &mut Range<u64>, range: Range<u64>, size: u64) -> Result<bool, Fault> {
        if data.end <= range.start {
            *data = match seek(file, SeekFrom::Data(range.start)) {
                Ok(start) => {
                    let end = seek(file, SeekFrom::Hole(start)).map_err(Fault::files("looking for holes"))?;
                    start..end
                }
                // Nothing but a hole to the end.
                Err(Errno::NXIO) => size..u64::MAX,
                Err(error) => return Err(Fault::files("looking for holes")(error)),
            };
        }
        Ok(range.end <= data.start)
    }

    /// What of the former backup may be taken over. Its pieces must lie where ours do, which their lengths tell.
    fn reuse<'a>(&self, old: &OwnedFd, new: &OwnedFd, former: &'a Node, piece: u64) -> Option<Reuse<'a>> {
        let content = former.content.as_deref()?;
        if content.len() as u64 != former.size.div_ceil(piece) {
            return None;
        }
        let known = self.shared.packer.repository.known();
        for (at, id) in content.iter().enumerate() {
            let due = piece.min(former.size - at as u64 * piece);
            if known.find(BlobType::Data, id)?.plain_bytes() != due {
                return None;
            }
        }
        drop(known);
        Some(Reuse { content, size: former.size, changed: changed(old, new)? })
    }

    /// Cuts a file where its content says, and gives its size.
    pub(super) fn stream(&self, file: OwnedFd, name: &[u8], pending: &Arc<Pending>) -> Result<u64, Fault> {
        fadvise(&file, 0, None, Advice::Sequential).unwrap_or(());
        let mut file = File::from(file);
        let mut buffer = vec![0; CUT_MAX * 2];
        let (mut start, mut end, mut over, mut size) = (0, 0, false, 0_u64);
        loop {
            if !over && end - start < CUT_MAX {
                buffer.copy_within(start..end, 0);
                (start, end) = (0, end - start);
                while end < buffer.len() {
                    match file.read(&mut buffer[end..]).map_err(Fault::files(doing("reading", name)))? {
                        0 => {
                            over = true;
                            break;
                        }
                        count => end += count,
                    }
                }
            }
            if start == end {
                self.shared.bytes_read.fetch_add(size, Ordering::Relaxed);
                return Ok(size);
            }
            let cutter = FastCDC::new(&buffer[..end], CUT_MIN, CUT_AVERAGE, CUT_MAX);
            let (_, cut) = cutter.cut(start, end - start);
            let bytes = buffer[start..cut].to_vec();
            size += bytes.len() as u64;
            start = cut;
            let (first, weight) = (pending.expect(1), bytes.len());
            let piece = bytes.len();
            self.job(Job::Pieces { bytes, piece, pending: Arc::clone(pending), first }, weight)?;
        }
    }
}

impl Reuse<'_> {
    /// The former piece of this range, when nothing in it may differ. Ranges are asked for in order; `cursor` remembers where.
    fn piece(&self, cursor: &mut usize, range: Range<u64>, piece: u64) -> Option<Id> {
        while self.changed.get(*cursor).is_some_and(|changed| changed.end <= range.start) {
            *cursor += 1;
        }
        let touched = self.changed.get(*cursor).is_some_and(|changed| changed.start < range.end);
        let then = range.start..(range.start + piece).min(self.size);
        let id = self.content.get(usize::try_from(range.start / piece).ok()?)?;
        (!touched && then == range).then_some(*id)
    }
}
