//! Bringing the file of a disk into a bounded copy of our own, with its checksum: what is judged is what the disk is made of, and nobody
//! changes it in between.

use super::{ImportError, disk, words};
use husorden_base::{Bytes, Text};
use sha2::{Digest, Sha256};
use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::os::unix::fs::{FileExt, FileTypeExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// The largest file that is taken in.
pub(super) const SOURCE_MAX: Bytes = Bytes::gib(200);
/// What is kept free on the filesystem that the copy lies on.
const KEPT_FREE: Bytes = Bytes::gib(1);
/// Longest time that a download may take, and that nothing may come, in seconds.
const DOWNLOAD_S_MAX: u64 = 6 * 3600;
const STALL_S_MAX: u64 = 60;
/// How often a download is asked whether it has ended.
const ASK: Duration = Duration::from_millis(50);
/// What is read at once, and what of it becomes a hole where all of it is zero.
const CHUNK_BYTES: usize = 1 << 20;
const HOLE_BYTES: usize = 64 << 10;

/// Opens a file of the machine.
pub(super) fn open(path: &Path) -> io::Result<File> {
    if !path.is_absolute() {
        return Err(io::Error::other("the path does not begin with a slash"));
    }
    let flags = rustix::fs::OFlags::NONBLOCK.bits();
    let file = File::options().read(true).custom_flags(i32::try_from(flags).unwrap_or_default()).open(path)?;
    let kind = file.metadata()?.file_type();
    match () {
        () if kind.is_file() => Ok(file),
        () if kind.is_dir() => Err(io::Error::other(format!("{} is a folder", path.display()))),
        () if kind.is_block_device() => Err(io::Error::other(format!("{} is a device and no file", path.display()))),
        () => Err(io::Error::other(format!("{} is no file", path.display()))),
    }
}

/// What a file begins with, and its length.
pub(super) fn head(file: &File) -> io::Result<(Vec<u8>, u64)> {
    let length = file.metadata()?.len();
    let bytes = usize::try_from(length).unwrap_or(usize::MAX).min(disk::HEAD_BYTES_MAX);
    let mut head = vec![0; bytes];
    file.read_exact_at(&mut head, 0)?;
    Ok((head, length))
}

/// Copies what comes and answers with its SHA-256 in hexadecimal. `each` hears how many bytes there are, and may call it off.
pub(super) fn copy(
    mut from: impl Read,
    to: &mut File,
    folder: &Path,
    mut each: impl FnMut(u64) -> Result<(), ImportError>,
) -> Result<String, ImportError> {
    let writing = |error: io::Error| ImportError::ours("writing the copy", error);
    let (mut hash, mut done, mut chunk) = (Sha256::new(), 0_u64, vec![0; CHUNK_BYTES]);
    loop {
        let mut full = 0;
        while full < chunk.len() {
            match from.read(&mut chunk[full..]) {
                Ok(0) => break,
                Ok(bytes) => full += bytes,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(words::no_source(&error.to_string()).into()),
            }
            each(done + full as u64)?;
        }
        if full == 0 {
            break;
        }
        done += full as u64;
        if done > SOURCE_MAX.0 {
            return Err(words::too_large(SOURCE_MAX).into());
        }
        if free(folder)? < KEPT_FREE.0 + full as u64 {
            return Err(words::no_room(&words::folder(folder), KEPT_FREE).into());
        }
        hash.update(&chunk[..full]);
        for part in chunk[..full].chunks(HOLE_BYTES) {
            if part.iter().all(|byte| *byte == 0) {
                to.seek(SeekFrom::Current(part.len() as i64)).map_err(writing)?;
            } else {
                to.write_all(part).map_err(writing)?;
            }
        }
    }
    to.set_len(done).map_err(writing)?;
    Ok(hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect())
}

/// Bytes that are free where a folder lies.
pub(super) fn free(folder: &Path) -> Result<u64, ImportError> {
    let seen = rustix::fs::statvfs(folder).map_err(|error| ImportError::ours("looking for room", error.into()))?;
    Ok(seen.f_bavail.saturating_mul(seen.f_frsize))
}

/// What a download's own thread shares with who waits for it.
#[derive(Debug, Default)]
struct Shared {
    done: AtomicU64,
    /// Of how many, where the server said; else nothing.
    of: AtomicU64,
    called_off: AtomicBool,
}

/// Downloads into `to`. Who reads from the server is a thread of its own: one that sends nothing more holds up neither the import nor the
/// node's end. `tell` hears how far it is, and may call it off.
pub(super) fn download(
    address: &str,
    mut to: File,
    folder: PathBuf,
    mut tell: impl FnMut(Text) -> Result<(), ImportError>,
) -> Result<String, ImportError> {
    let shared = Arc::new(Shared::default());
    let (address, share) = (address.to_owned(), Arc::clone(&shared));
    let reader = std::thread::Builder::new().name("download".to_owned()).spawn(move || {
        let body = ask(&address, &share)?;
        copy(body, &mut to, &folder, |done| {
            share.done.store(done, Ordering::Relaxed);
            if share.called_off.load(Ordering::Relaxed) { Err(ImportError::Stopped) } else { Ok(()) }
        })
    });
    let reader = reader.map_err(|error| ImportError::ours("starting the thread that downloads", error))?;
    let (began, mut last, mut seen) = (Instant::now(), Instant::now(), 0);
    let call_off = |why: ImportError| {
        shared.called_off.store(true, Ordering::Relaxed);
        Err(why)
    };
    while !reader.is_finished() {
        let (done, of) = (shared.done.load(Ordering::Relaxed), shared.of.load(Ordering::Relaxed));
        if let Err(why) = tell(words::downloading(Bytes(done), Some(Bytes(of)).filter(|of| of.0 > 0))) {
            return call_off(why);
        }
        if done != seen {
            (last, seen) = (Instant::now(), done);
        }
        if last.elapsed().as_secs() >= STALL_S_MAX {
            return call_off(words::stalled(STALL_S_MAX).into());
        }
        if began.elapsed().as_secs() >= DOWNLOAD_S_MAX {
            return call_off(words::too_slow(&words::download(), DOWNLOAD_S_MAX).into());
        }
        std::thread::sleep(ASK);
    }
    reader.join().map_err(|_| ImportError::Refused(Box::new(words::ours("the download's thread died"))))?
}

/// Asks a server for the file.
fn ask(address: &str, shared: &Shared) -> Result<impl Read + use<>, ImportError> {
    let config = ureq::Agent::config_builder()
        .timeout_global(Some(Duration::from_secs(DOWNLOAD_S_MAX)))
        .timeout_connect(Some(Duration::from_secs(STALL_S_MAX)))
        .build();
    let answer = config.new_agent().get(address).call().map_err(|error| words::no_source(&error.to_string()))?;
    let body = answer.into_body();
    let length = body.content_length();
    if length.is_some_and(|length| length > SOURCE_MAX.0) {
        return Err(words::too_large(SOURCE_MAX).into());
    }
    shared.of.store(length.unwrap_or_default(), Ordering::Relaxed);
    Ok(body.into_with_config().limit(SOURCE_MAX.0 + 1).reader())
}
