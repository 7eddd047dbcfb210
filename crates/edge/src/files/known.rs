//! Scripts that were there a moment ago. That a script is there only decides who is asked to run it, and the site's program
//! looks for itself, in its sandbox; so what was seen since the last sweep need not be looked up again. Nothing that is sent
//! as a file is taken from here, and nothing that was missing.

use super::{Script, split_script};
use crate::route::SitePath;
use husorden_base::Number;
use std::cell::RefCell;
use std::collections::HashSet;

const SCRIPTS_MAX: usize = 1_024;

thread_local! {
    static SEEN: RefCell<HashSet<(Number, String)>> = RefCell::default();
}

/// The script that a path names, if it was seen.
pub(super) fn script(site: Number, path: &SitePath) -> Option<Script> {
    let (name, path_info) = match split_script(path.as_str()) {
        Some((name, path_info)) => (name.to_owned(), path_info),
        None if path.is_directory() => (format!("{}index.php", path.as_str()), ""),
        None => return None,
    };
    let key = (site, name);
    if !SEEN.with_borrow(|seen| seen.contains(&key)) {
        return None;
    }
    Some(Script { name: key.1, path_info: path_info.to_owned() })
}

/// Remembers a script until the next sweep.
pub(super) fn add(site: Number, name: &str) {
    SEEN.with_borrow_mut(|seen| {
        if seen.len() < SCRIPTS_MAX {
            seen.insert((site, name.to_owned()));
        }
    });
}

pub(super) fn forget() {
    SEEN.with_borrow_mut(HashSet::clear);
}
