//! Holes that stand open ([`husorden_kinds::hole`]): who came in by a file that a restore brought back can come again until that file is another.
//!
//! Whether it may have changed is seen by what the filesystem says of it; only then is it read, by a child in a sandbox as the solution's uid.

mod inside;
#[cfg(test)]
mod tests;

pub use inside::inside;

use crate::Node;
use crate::backup::{folders, refusal, stage};
use husorden_base::{Number, Refusal, SolutionId};
use husorden_kinds::Task;
use husorden_kinds::hole::{Hole, MARK};
use husorden_wire::node::Wish;
use jiff::Timestamp;
use rustix::fs::{Mode, OFlags, ResolveFlags, fstat, openat2};
use serde_json::json;
use std::collections::HashMap;
use std::fs::File;
use std::io::{self, Read};
use std::os::fd::OwnedFd;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};
use tracing::{info, warn};

/// Time between two looks at all of them.
const LOOK: Duration = Duration::from_secs(2);
/// Time until one that could not be read is tried again.
const AGAIN: Duration = Duration::from_secs(60);
/// Longest time that one file is read.
const LIMIT_S: u32 = 60;
/// Where the volume's folders are inside.
const VOLUME: &str = crate::backup::job::VOLUME;

/// What the filesystem says of a file that has not changed since: number, time of the last change to anything of it, size. None where it is not there.
type Print = Option<(u64, i64, i64, u64)>;

/// One that stands open.
#[derive(Clone)]
struct Watched {
    hole: Hole,
    /// What its file looked like when it was read last.
    read: Option<Print>,
    /// When one that could not be read is tried again.
    again: Option<Instant>,
}

/// Those that stand open.
#[derive(Default)]
pub(crate) struct Holes(Mutex<HashMap<SolutionId, Watched>>);

impl Holes {
    fn lock(&self) -> MutexGuard<'_, HashMap<SolutionId, Watched>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Hears which mark a volume has.
    pub(crate) fn heard(&self, solution: SolutionId, mark: Option<&String>) {
        let open = mark.and_then(|mark| Hole::open(mark));
        let mut all = self.lock();
        match open {
            None => drop(all.remove(&solution)),
            Some(hole) if all.get(&solution).is_some_and(|watched| watched.hole == hole) => {}
            Some(hole) => drop(all.insert(solution, Watched { hole, read: None, again: None })),
        }
    }
}

/// Starts who looks at them.
///
/// # Errors
/// When a thread can't be made.
pub(crate) fn start(node: &Arc<Node>) -> io::Result<()> {
    let node = Arc::clone(node);
    std::thread::Builder::new().name("holes".to_owned()).spawn(move || {
        while !node.ending() {
            look(&node);
            std::thread::sleep(LOOK);
        }
    })?;
    Ok(())
}

/// Looks at all of them.
pub(crate) fn look(node: &Arc<Node>) {
    let all: Vec<_> = node.holes.lock().iter().map(|(solution, watched)| (*solution, watched.clone())).collect();
    for (solution, watched) in all {
        let Some(wish) = node.register.wish(solution) else {
            node.holes.lock().remove(&solution);
            continue;
        };
        // What stands still under a measure changes nothing, and nothing is started in it.
        let held = crate::verbs::closed(node, &wish).is_some();
        if held || watched.again.is_some_and(|again| Instant::now() < again) {
            continue;
        }
        let (read, again) = match look_at(node, &wish, &watched.hole, watched.read) {
            Ok(read) => (read, None),
            Err(why) => {
                warn!(number = %wish.number, %why, "whether a hole is open could not be seen");
                (watched.read, Some(Instant::now() + AGAIN))
            }
        };
        if let Some(kept) = node.holes.lock().get_mut(&solution).filter(|kept| kept.hole == watched.hole) {
            (kept.read, kept.again) = (read, again);
        }
    }
}

/// Looks at one whose file looked so before; what it looks like by now, when it is as it was and was read.
fn look_at(node: &Arc<Node>, wish: &Wish, hole: &Hole, before: Option<Print>) -> Result<Option<Print>, Refusal> {
    let live = node.volume(wish.number).folder("");
    let print = print(&live, &hole.path).map_err(|error| crate::verbs::ours(&error))?;
    if before == Some(print) {
        return Ok(before);
    }
    // Whoever works on the volume may have it in pieces; the next look is soon.
    let Some(_claim) = node.verbs.claim(wish.solution) else { return Ok(before) };
    let volume = node.volume(wish.number);
    let marks = volume.marks().map_err(|error| crate::host::refused(&error))?;
    if marks.get(MARK).and_then(|mark| Hole::open(mark)).as_ref() != Some(hole) {
        return Ok(None);
    }
    if digest(node, wish.number, &live, &hole.path)?.as_ref() == Some(&hole.sha256) {
        return Ok(Some(print));
    }
    let closed = Hole { closed: Some(Timestamp::now()), ..hole.clone() };
    let ours = |error: &dyn std::error::Error| crate::verbs::ours(error);
    node.register
        .witness("hole.closed", Some(wish.solution), json!({ "path": hole.path }))
        .map_err(|error| ours(&error))?;
    volume.set_mark(MARK, &closed.mark()).map_err(|error| crate::host::refused(&error))?;
    info!(number = %wish.number, "a hole is closed");
    node.holes.lock().remove(&wish.solution);
    node.keeper.wake(wish.solution);
    Ok(None)
}

/// What the filesystem says of a file, without opening what it holds.
fn print(live: &Path, path: &str) -> io::Result<Print> {
    let flags = OFlags::PATH | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let resolve = ResolveFlags::BENEATH | ResolveFlags::NO_SYMLINKS | ResolveFlags::NO_MAGICLINKS;
    match openat2(File::open(live)?, path, flags, Mode::empty(), resolve) {
        Ok(file) => {
            let about = fstat(&file)?;
            let size = u64::try_from(about.st_size).unwrap_or(0);
            #[allow(clippy::useless_conversion, reason = "the field has other types on other machines")]
            Ok(Some((about.st_ino, about.st_ctime.into(), i64::try_from(about.st_ctime_nsec).unwrap_or(0), size)))
        }
        // Something else stands in its place or on the way: reading it says so.
        Err(_) => Ok(None),
    }
}

/// SHA-256 of a file beneath a volume's folders, in hexadecimal; none where there is no such file, or one that is too large to be one.
///
/// # Errors
/// When it could not be read.
pub(crate) fn digest(node: &Node, number: Number, live: &Path, path: &str) -> Result<Option<String>, Refusal> {
    let ours = |error: &dyn std::error::Error| crate::verbs::ours(error);
    let top = path.split('/').next().unwrap_or_default().to_owned();
    if !live.join(&top).is_dir() {
        return Ok(None);
    }
    let resolved = stage::resolved(node, folders(live, &[top], VOLUME, false)).map_err(|error| ours(&error))?;
    let task = Task {
        name: "digest".parse().expect("a name of a task"),
        sandbox: stage::sandbox(&["digest"]),
        stdin: path.to_owned(),
        marks: Vec::new(),
        limit_s: LIMIT_S,
    };
    let (mut said, mouth) = io::pipe().map_err(|error| ours(&error))?;
    let failed = node
        .sandboxes
        .task_aside(number, &task, &resolved, OwnedFd::from(mouth), &|| node.ending())
        .map_err(|error| ours(&error))?;
    if let Some(why) = failed {
        return Err(refusal(crate::backup::job::FaultOf::Files, &why));
    }
    let mut text = String::new();
    Read::by_ref(&mut said).take(100).read_to_string(&mut text).map_err(|error| ours(&error))?;
    Ok(Some(text.trim().to_owned()).filter(|text| !text.is_empty()))
}
