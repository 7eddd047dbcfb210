//! What reads the file, inside the solution's sandbox.

use husorden_kinds::hole::FILE_BYTES_MAX;
use rustix::fs::{FileType, Mode, OFlags, ResolveFlags, fstat, openat2};
use rustix::io::Errno;
use sha2::{Digest, Sha256};
use std::fs::File;
use std::io::{self, BufRead, BufReader, Read, Write};

/// Reads the path that stands on standard input, and says the file's SHA-256; nothing where there is no such file, or it is too large.
///
/// # Errors
/// When it can't be read.
pub fn inside() -> io::Result<()> {
    let mut path = String::new();
    io::stdin().lock().read_to_string(&mut path)?;
    let text = of(&File::open(super::VOLUME)?, &path)?;
    io::stdout().lock().write_all(text.unwrap_or_default().as_bytes())
}

pub(super) fn of(volume: &File, path: &str) -> io::Result<Option<String>> {
    let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
    let resolve = ResolveFlags::BENEATH | ResolveFlags::NO_SYMLINKS | ResolveFlags::NO_MAGICLINKS;
    let file = match openat2(volume, path, flags, Mode::empty(), resolve) {
        Err(Errno::NOENT | Errno::NOTDIR | Errno::LOOP | Errno::NXIO | Errno::XDEV | Errno::INVAL) => return Ok(None),
        file => File::from(file?),
    };
    let about = fstat(&file)?;
    if FileType::from_raw_mode(about.st_mode) != FileType::RegularFile {
        return Ok(None);
    }
    let (mut hash, mut read) = (Sha256::new(), 0);
    let mut reader = BufReader::with_capacity(64 << 10, file.take(FILE_BYTES_MAX + 1));
    loop {
        let piece = reader.fill_buf()?;
        let count = piece.len();
        if count == 0 {
            break;
        }
        hash.update(piece);
        read += count as u64;
        reader.consume(count);
    }
    if read > FILE_BYTES_MAX {
        return Ok(None);
    }
    Ok(Some(crate::segment::hex(&hash.finalize())))
}
