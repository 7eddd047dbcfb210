//! Unix sockets of this role: bound anew at start, with the mode and group they should have from the first moment.

use std::os::unix::fs::{PermissionsExt, chown};
use std::os::unix::net::UnixListener;
use std::path::Path;

/// Binds a listening socket, replacing one that a killed process left. It gets its mode and group under another name and is
/// renamed into place, so that nobody meets it half-made.
///
/// # Errors
/// When the folder or socket can't be made.
pub(crate) fn bind(path: &Path, mode: u32, gid: Option<u32>) -> std::io::Result<UnixListener> {
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder)?;
    }
    let fresh = path.with_extension("new");
    let _ = std::fs::remove_file(&fresh);
    let listener = UnixListener::bind(&fresh)?;
    if gid.is_some() {
        chown(&fresh, None, gid)?;
    }
    std::fs::set_permissions(&fresh, PermissionsExt::from_mode(mode))?;
    std::fs::rename(&fresh, path)?;
    Ok(listener)
}
