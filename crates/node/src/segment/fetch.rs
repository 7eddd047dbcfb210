//! Pieces for an engine that carries its log out again, in a sandbox: one by its name, and whether the second that is wanted lies in them.

use super::{Header, copy, list, open};
use jiff::Timestamp;
use std::fs;
use std::io;
use std::path::Path;

/// Writes the piece of this name; false where there is none.
///
/// # Errors
/// When it is there and not whole.
pub fn fetch(store: &Path, file: &str, to: &Path) -> io::Result<bool> {
    let found = list(store)?.into_iter().rfind(|name| name.file == file);
    let Some(name) = found else { return Ok(false) };
    let fresh = to.with_extension("fetched");
    copy(&store.join(name.to_string()), &mut fs::File::create(&fresh)?)?;
    fs::rename(fresh, to)?;
    Ok(true)
}

/// Whether something was committed after this time: then it is stopped there, else everything is carried out.
///
/// # Errors
/// When a piece is missing between the first and the last, or one is not the one that the next names.
pub fn target(store: &Path, at: Timestamp) -> io::Result<bool> {
    let (mut before, mut beyond) = (None::<Header>, false);
    for name in list(store)? {
        let (header, _) = open(&store.join(name.to_string()))?;
        if let Some(before) = &before
            && (header.seq, &header.previous) != (before.seq + 1, &before.hash())
        {
            let said = format!("after piece {} comes {}, which does not follow it", before.seq, header.seq);
            return Err(io::Error::new(io::ErrorKind::InvalidData, said));
        }
        beyond |= header.content.times.is_some_and(|(_, last)| last > at);
        before = Some(header);
    }
    Ok(beyond)
}
