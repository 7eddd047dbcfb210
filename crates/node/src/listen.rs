//! The library that hands listening sockets to servers which can't be told of them; see `listen/library.rs`. It is built with
//! this crate, carried in the program, and written where sandboxes can be given it.

use std::fs;
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

static LIBRARY: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/liblisten.so"));

/// Writes the library below `run`; where it lies.
pub(crate) fn put(run: &Path) -> io::Result<PathBuf> {
    put_as(run, "listen.so", LIBRARY)
}

/// Writes a library for sandboxes below `run`; where it lies. One of an older make is replaced by rename, so that whoever has it loaded
/// keeps it.
pub(crate) fn put_as(run: &Path, name: &str, library: &[u8]) -> io::Result<PathBuf> {
    let folder = run.join("lib");
    fs::create_dir_all(&folder)?;
    let (path, fresh) = (folder.join(name), folder.join(format!("{name}.new")));
    if fs::read(&path).is_ok_and(|there| there == library) {
        return Ok(path);
    }
    fs::write(&fresh, library)?;
    fs::set_permissions(&fresh, fs::Permissions::from_mode(0o444))?;
    fs::rename(&fresh, &path)?;
    Ok(path)
}
