//! Logs of engines are kept: who has written is seen, what is ended is kept within a minute, and a snapshot is there to begin from. What can be
//! had again is told with each report.
//!
//! The node looks at names, sizes and times; what stands in a log is read in the solution's own sandbox alone. Who is at rest and kept is not
//! looked at again until something of it runs.

mod told;

use crate::Node;
use crate::away;
use crate::sandbox::{Command, Streamed};
use crate::segment::keep::{By, NOTED, has_ended, sign};
use crate::segment::window::{self, Base};
use crate::segment::{self, Name};
use crate::volume::{Line, SnapshotInfo, Volume, Why, open_folder};
use husorden_base::{SnapshotId, SolutionId, Text};
use husorden_kinds::{Fill, Keeping as Who, Segments, Sign, Trouble, kind};
use husorden_wire::node::{LogSeen, LogsTold, Origin, Wish};
use jiff::{SignedDuration, Timestamp};
use rustix::fs::{Dir, Mode, OFlags, ResolveFlags, openat2};
use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::io::{self, Read};
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};
use told::Told;
use tracing::{debug, info, warn};

/// Looks at a log in the time between two times that its server is asked to end what is open.
const LOOKS: u32 = 8;
/// Longest time between two looks.
const LOOK_MAX: Duration = Duration::from_secs(4);
/// Longest time that this may take.
const LIMIT: Duration = Duration::from_secs(120);
/// Logs at which somebody works at the same time.
const AT_ONCE_MAX: usize = 4;
/// Snapshots that are kept to begin from.
const BASES_KEPT: usize = 3;
/// Bytes read of what a store says of itself at most.
const NOTED_BYTES_MAX: u64 = 256;

/// What is known of one log.
#[derive(Clone, Debug)]
struct Known {
    /// Its state, as the names say, and since when it is so.
    sign: String,
    since: Instant,
    /// Everything up to here is kept.
    to: Timestamp,
    /// Everything is: nothing was written since.
    all: bool,
    /// The newest piece, when the log was looked at, if nothing waited to be kept then.
    newest: u64,
    looked: Timestamp,
    /// When its server was last asked to end what is open.
    asked: Option<Instant>,
    /// The state in which the rest of it was looked for.
    rested: Option<String>,
    /// When that was last tried in vain.
    vain: Option<Instant>,
    /// Nothing of it runs, and everything is kept.
    settled: bool,
    seen: Option<LogSeen>,
}

impl Known {
    /// It could not be looked at: of what was written since the last look nobody knows.
    fn unseen(&mut self) {
        self.all = false;
        if let Some(seen) = &mut self.seen {
            seen.to.get_or_insert(self.to);
        }
    }
}

/// What is known of all logs.
#[derive(Default)]
pub(crate) struct Keeping {
    known: Mutex<BTreeMap<SolutionId, Known>>,
    told: Mutex<Told>,
    at_work: Mutex<BTreeSet<SolutionId>>,
    count: AtomicUsize,
}

impl Keeping {
    fn known(&self) -> MutexGuard<'_, BTreeMap<SolutionId, Known>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn told(&self) -> MutexGuard<'_, Told> {
        self.told.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn at_work(&self) -> MutexGuard<'_, BTreeSet<SolutionId>> {
        self.at_work.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Starts it.
///
/// # Errors
/// When a thread can't be made.
pub(crate) fn start(node: &Arc<Node>) -> io::Result<()> {
    let node = Arc::clone(node);
    std::thread::Builder::new().name("keeping".to_owned()).spawn(move || {
        let mut next = Instant::now();
        // What is at rest and was kept by a node before this one may wait to be sent away.
        let mut at_rest: Vec<SolutionId> = node.register.solutions().into_iter().map(|one| one.0).collect();
        while !node.ending() {
            std::thread::sleep(Duration::from_millis(200));
            if next <= Instant::now() {
                round(&node, std::mem::take(&mut at_rest));
                next = Instant::now() + (keep(&node) / LOOKS).min(LOOK_MAX);
            }
        }
    })?;
    Ok(())
}

/// Time between two times that a server is asked to end what is open.
fn keep(node: &Node) -> Duration {
    Duration::from_secs(node.config.care.log_s.max(1).into())
}

/// Looks at all that runs, and at what has ended and is not kept.
fn round(node: &Arc<Node>, more: Vec<SolutionId>) {
    let began = Timestamp::now();
    let running = node.sandboxes.occupied().into_iter().filter_map(|number| node.register.owner(number));
    let unsettled: Vec<SolutionId> =
        node.keeping.known().iter().filter(|(_, known)| !known.settled).map(|(solution, _)| *solution).collect();
    let all: BTreeSet<SolutionId> = running.chain(unsettled).chain(more).collect();
    for solution in all {
        let Some(wish) = node.register.wish(solution).filter(|_| !node.ending()) else {
            node.keeping.known().remove(&solution);
            continue;
        };
        let Some(log) = Log::look(node, &wish) else { continue };
        away::begin(node, &wish, &log.line, &log.pieces);
        if let Some(work) = log.due(node, &wish) {
            begin(node, wish, log, work);
        }
    }
    if !node.ending() {
        node.keeping.told().looked(began);
    }
}

/// What there is to do about a log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Work {
    /// Its server is asked to end what is open.
    Ask,
    /// Its server is at rest: the rest of the log is kept.
    Rest,
    /// A snapshot is taken to begin from.
    Base,
    /// There is no room for our own snapshots.
    GiveUp,
}

/// One log, as it is seen now.
struct Log {
    segments: Segments,
    line: Line,
    pieces: Vec<Name>,
    known: Known,
    running: bool,
    seen: Option<LogSeen>,
    /// Among the snapshots are some of our own.
    ours: bool,
}

impl Log {
    /// Looks, keeps what was seen, and has a pass tell it where that is something else than before. None where no log is kept, or it
    /// cannot be seen.
    fn look(node: &Node, wish: &Wish) -> Option<Self> {
        let solution = wish.solution;
        let seen =
            || (node.keeping.known().get(&solution).and_then(|known| known.seen.clone()), node.away.seen(solution));
        let before = seen();
        let log = Self::try_look(node, wish).unwrap_or_else(|error| {
            debug!(number = %wish.number, %error, "a log could not be looked at");
            if let Some(known) = node.keeping.known().get_mut(&solution) {
                known.unseen();
            }
            None
        });
        if seen() != before {
            node.keeping.told().changed(solution);
            node.keeper.wake(solution);
        }
        log
    }

    fn try_look(node: &Node, wish: &Wish) -> io::Result<Option<Self>> {
        let volume = node.volume(wish.number);
        let marks = volume.marks().map_err(|error| io::Error::other(crate::causes::causes(&error)))?;
        match kind(&wish.kind).and_then(|kind| kind.segments(&node.order(wish), &marks)) {
            Some(segments) => Self::read(node, wish, &volume, segments),
            None => Ok(None),
        }
    }

    fn read(node: &Node, wish: &Wish, volume: &Volume, segments: Segments) -> io::Result<Option<Self>> {
        let other = |error: &dyn std::error::Error| io::Error::other(crate::causes::causes(error));
        let Some(line) = volume.line().map_err(|error| other(&error))? else { return Ok(None) };
        let running = node.sandboxes.pid(wish.number, &segments.role).is_some();
        // First the time, then the log, then what is kept of it: what is written in between is found the next time.
        let now = Timestamp::now();
        let sign = state(volume, &segments)?;
        let waits = waits(volume, &segments)?;
        let noted = noted(&line.folder).unwrap_or_default();
        let pieces = segment::list(&line.folder)?;

        let last = pieces.iter().rev().find_map(|piece| Some(piece.times?.1));
        let last = last.and_then(segment::reaches).unwrap_or(Timestamp::UNIX_EPOCH).min(now);
        let newest = segment::keep::newest(&pieces);
        let mut all_known = node.keeping.known();
        let known = all_known.entry(wish.solution).or_insert_with(|| Known {
            sign: sign.clone(),
            since: Instant::now(),
            to: last,
            all: false,
            newest,
            looked: last,
            asked: None,
            rested: None,
            vain: None,
            settled: false,
            seen: None,
        });
        if known.sign != sign {
            known.sign.clone_from(&sign);
            known.since = Instant::now();
        }
        known.all = match &segments.keeping {
            Who::Engine { after_s, .. } if running => {
                let old = known.since.elapsed() >= Duration::from_secs((*after_s).into());
                !waits && (noted == sign || old)
            }
            Who::Engine { .. } => !waits && noted == sign,
            // What a command has kept of a server at rest is let go when that runs again.
            Who::Command(_) => noted == sign,
        };
        if known.all {
            known.to = now;
        } else if known.newest < newest {
            // A piece that was not there at the last look, when none waited, was ended after it: all that was written then is in it.
            known.to = known.to.max(last).max(known.looked);
        }
        if !waits {
            (known.newest, known.looked) = (newest, now);
        }
        let to = (!known.all).then_some(known.to);
        let unsent = node.away.look(wish.solution, volume, (line.number, newest), (now, to));
        known.settled = known.all && !running && !unsent;
        let bases = bases(volume)?;
        let ours = bases.iter().any(|base| base.ours);
        let mut seen = window::window(line.number, &pieces, &bases, to);
        if let Some(seen) = &mut seen {
            seen.bytes = volume.store_used().map_or(0, |bytes| bytes.0);
            seen.room = volume.store_room().map_or(0, |bytes| bytes.0);
        }
        known.seen.clone_from(&seen);
        let known = known.clone();
        drop(all_known);
        Ok(Some(Self { segments, line, pieces, known, running, seen, ours }))
    }

    fn due(&self, node: &Node, wish: &Wish) -> Option<Work> {
        let held = node.register.held(wish.solution, wish.account, Timestamp::now()).is_some();
        let asked = |pause| self.known.asked.is_none_or(|at| at.elapsed() >= pause);
        if held {
            return None;
        }
        match &self.segments.keeping {
            Who::Command(_) if self.running && !self.known.all && asked(keep(node)) => return Some(Work::Ask),
            _ if !self.running
                && !self.known.all
                && self.known.rested.as_ref() != Some(&self.known.sign)
                && self.known.vain.is_none_or(|at| at.elapsed() >= keep(node)) =>
            {
                return Some(Work::Rest);
            }
            Who::Command(_) | Who::Engine { .. } => {}
        }
        if node.sandboxes.fill(wish.number) == Fill::Room {
            return self.wants_base(node).then_some(Work::Base);
        }
        self.ours.then_some(Work::GiveUp)
    }

    /// Whether a snapshot is to be taken from which the log can be carried out: there is none, or the newest is old, or far behind.
    fn wants_base(&self, node: &Node) -> bool {
        let Some(seen) = &self.seen else { return !self.pieces.is_empty() };
        let Some(newest) = seen.bases.last() else { return true };
        let age = Timestamp::now().duration_since(newest.from);
        let old = age >= SignedDuration::from_secs(i64::try_from(node.config.care.base_s).unwrap_or(i64::MAX));
        // A clock that went back makes what follows unclear until it has caught up, or there is a snapshot to begin from.
        let unclear = seen.holes.iter().any(|(from, to)| *from <= Timestamp::now() && Timestamp::now() <= *to)
            && age >= SignedDuration::from_secs(60);
        let written = self
            .pieces
            .last()
            .is_some_and(|last| last.times.is_some_and(|(_, last)| last > newest.from.as_millisecond()));
        written && (old || unclear)
    }
}

/// The state of a log.
fn state(volume: &Volume, segments: &Segments) -> io::Result<String> {
    let by = match segments.by {
        Sign::Size => By::Size,
        Sign::Time => By::Time,
    };
    sign(&beneath(volume, &segments.folder)?, &segments.prefix, by)
}

/// Whether a piece is ended and may not be kept yet.
fn waits(volume: &Volume, segments: &Segments) -> io::Result<bool> {
    let Who::Engine { waiting: (folder, ending), .. } = &segments.keeping else {
        return has_ended(&beneath(volume, &segments.folder)?, &segments.prefix);
    };
    for entry in Dir::read_from(beneath(volume, folder)?)? {
        if entry?.file_name().to_bytes().ends_with(ending.as_bytes()) {
            return Ok(true);
        }
    }
    Ok(false)
}

/// A folder of the live part, whatever the solution has put in its place.
fn beneath(volume: &Volume, path: &str) -> io::Result<File> {
    let resolve = ResolveFlags::BENEATH | ResolveFlags::NO_SYMLINKS | ResolveFlags::NO_XDEV;
    let flags = OFlags::RDONLY | OFlags::CLOEXEC | OFlags::DIRECTORY | OFlags::NOFOLLOW;
    Ok(File::from(openat2(open_folder(&volume.folder(""))?, path, flags, Mode::empty(), resolve)?))
}

/// Up to which state of its log a store says that everything is kept.
fn noted(line: &Path) -> io::Result<String> {
    let resolve = ResolveFlags::BENEATH | ResolveFlags::NO_SYMLINKS | ResolveFlags::NO_XDEV;
    let flags = OFlags::RDONLY | OFlags::CLOEXEC | OFlags::NONBLOCK | OFlags::NOFOLLOW;
    let file = File::from(openat2(open_folder(line)?, NOTED, flags, Mode::empty(), resolve)?);
    let mut text = String::new();
    file.take(NOTED_BYTES_MAX).read_to_string(&mut text)?;
    Ok(text)
}

/// Snapshots that the log can be carried out from.
fn bases(volume: &Volume) -> io::Result<Vec<Base>> {
    let all = volume.snapshots().map_err(|error| io::Error::other(crate::causes::causes(&error)))?;
    // Those of backups come and go with backups.
    let bases = all.into_iter().filter(|info| !matches!(info.why, Why::Retained | Why::Backup));
    let base = |info: SnapshotInfo| {
        Some(Base { id: info.id, taken: info.taken_at, ours: info.why == Why::Base, point: info.point? })
    };
    Ok(bases.filter_map(base).collect())
}

/// Does it, on a thread of its own, one at a time for each solution.
fn begin(node: &Arc<Node>, wish: Wish, log: Log, work: Work) {
    let keeping = &node.keeping;
    if keeping.count.load(Ordering::Relaxed) >= AT_ONCE_MAX || !keeping.at_work().insert(wish.solution) {
        return;
    }
    keeping.count.fetch_add(1, Ordering::Relaxed);
    let worker = Arc::clone(node);
    let solution = wish.solution;
    let spawned = std::thread::Builder::new().name("keep".to_owned()).spawn(move || {
        match work {
            Work::Ask => ask(&worker, &wish, &log),
            Work::Rest => rest(&worker, &wish, &log),
            Work::Base => base(&worker, &wish, &log),
            Work::GiveUp => give_up(&worker, &wish),
        }
        worker.keeping.at_work().remove(&wish.solution);
        worker.keeping.count.fetch_sub(1, Ordering::Relaxed);
    });
    if let Err(error) = spawned {
        warn!(%solution, %error, "no thread to keep a log");
        keeping.at_work().remove(&solution);
        keeping.count.fetch_sub(1, Ordering::Relaxed);
    }
}

/// Asks a server that runs.
fn ask(node: &Node, wish: &Wish, log: &Log) {
    let Who::Command(argv) = &log.segments.keeping else { return };
    if let Some(known) = node.keeping.known().get_mut(&wish.solution) {
        known.asked = Some(Instant::now());
    }
    let command = Command { argv: argv.clone(), stdin: String::new(), limit: LIMIT, output_bytes_max: 4 << 10 };
    match node.sandboxes.ask(wish.number, &log.segments.role, &command) {
        Ok(done) if done.code == Some(0) => {}
        Ok(done) => {
            let words = String::from_utf8_lossy(&done.stderr).into_owned();
            warn!(number = %wish.number, words, timed_out = done.timed_out, "a log was not kept");
        }
        // It has ended meanwhile, or is ending: then the rest is kept.
        Err(error) => debug!(number = %wish.number, error = crate::causes::causes(&error), "a log was not kept"),
    }
}

/// Keeps what a server at rest has left, unless somebody else works on the solution; then the next look finds it again.
fn rest(node: &Arc<Node>, wish: &Wish, log: &Log) {
    let Some(_claim) = node.verbs.claim(wish.solution) else { return };
    if node.sandboxes.pid(wish.number, &log.segments.role).is_some() {
        return;
    }
    let outcome = crate::intake::run(node, wish, &log.segments.rest, Streamed::default());
    let mut all_known = node.keeping.known();
    let Some(known) = all_known.get_mut(&wish.solution) else { return };
    match outcome {
        Ok(None) => known.rested = Some(known.sign.clone()),
        Ok(Some(reason)) => {
            info!(number = %wish.number, reason, "the rest of a log is kept when its server runs again");
            known.rested = Some(known.sign.clone());
        }
        // Nothing was said about the log: it is tried again.
        Err(error) => {
            debug!(number = %wish.number, %error, "the rest of a log was not kept");
            known.vain = Some(Instant::now());
        }
    }
}

/// Takes a snapshot to begin from, and lets older ones go that are no more of use.
fn base(node: &Node, wish: &Wish, log: &Log) {
    let Some(_claim) = node.verbs.claim(wish.solution) else { return };
    let volume = node.volume(wish.number);
    let tried = crate::quiesce::snapshot(node, wish, &SnapshotId::new(), Why::Base).and_then(|_| {
        let mut ours: Vec<_> = volume.snapshots()?.into_iter().filter(|info| info.why == Why::Base).collect();
        ours.sort_by_key(|info| {
            let point = info.point.filter(|point| point.line == log.line.number);
            point.map(|point| (point.next, info.taken_at))
        });
        let (past, of_line): (Vec<_>, Vec<_>) =
            ours.into_iter().partition(|info| info.point.is_none_or(|point| point.line != log.line.number));
        let too_many = of_line.len().saturating_sub(BASES_KEPT);
        for info in past.iter().chain(&of_line[..too_many]) {
            volume.snapshot_delete(&info.id)?;
        }
        Ok(())
    });
    match tried {
        Ok(()) => node.keeper.wake(wish.solution),
        Err(error) => {
            warn!(number = %wish.number, error = crate::causes::causes(&error), "no snapshot for a log to begin from")
        }
    }
}

/// Lets our own snapshots go where the disk is used up: what they hold is held against its owner, who clears up in vain as long as they
/// are there. The next is taken when there is room.
fn give_up(node: &Node, wish: &Wish) {
    let Some(_claim) = node.verbs.claim(wish.solution) else { return };
    let volume = node.volume(wish.number);
    let given = volume.snapshots().and_then(|all| {
        all.iter().filter(|info| info.why == Why::Base).try_for_each(|info| volume.snapshot_delete(&info.id))
    });
    match given {
        Ok(()) => node.keeper.wake(wish.solution),
        Err(error) => {
            warn!(number = %wish.number, error = crate::causes::causes(&error), "a full disk keeps our snapshots")
        }
    }
}

impl Node {
    /// What can be had again of a solution, for a report.
    pub(crate) fn log_seen(&self, wish: &Wish) -> Option<LogSeen> {
        if let Some(known) = self.keeping.known().get(&wish.solution) {
            return known.seen.clone();
        }
        Log::look(self, wish)?.seen
    }

    /// The last of what is seen so far of logs, for [`Self::logs_told_of`].
    pub(crate) fn logs_turn(&self) -> u64 {
        self.keeping.told().turn()
    }

    /// What was seen of a solution's log up to a turn is told, or is no news.
    pub(crate) fn logs_told_of(&self, solution: SolutionId, turn: u64) {
        self.keeping.told().told(solution, turn);
    }

    /// Up to when what is told of logs holds.
    pub(crate) fn logs_told(&self) -> Option<LogsTold> {
        self.keeping.told().said()
    }

    /// Forgets what was known of a solution's log: another line begins, or it goes.
    pub(crate) fn forget_log(&self, solution: SolutionId) {
        self.keeping.known().remove(&solution);
        self.keeping.told().changed(solution);
    }

    /// Looks at a log now: something else is to be told of it.
    pub(crate) fn look_at_log(&self, solution: SolutionId) {
        if let Some(wish) = self.register.wish(solution) {
            Log::look(self, &wish);
        }
        self.keeper.wake(solution);
    }

    /// The pieces that bring a snapshot of another solution to a time.
    ///
    /// # Errors
    /// When it cannot be had, or not yet: then what is missing is being kept.
    pub(crate) fn replay(&self, from: &Origin, at: Timestamp) -> Result<Vec<Name>, Trouble> {
        let gone = |why: &str| Trouble {
            text: Text::new(
                "Det tidspunkt kan ikke længere fås; slet denne, og vælg et andet",
                "That time can no longer be had; delete this one and choose another",
            ),
            detail: format!("carrying the log of {} out to {at}: {why}", from.solution),
        };
        let wish = self.register.wish(from.solution).ok_or_else(|| gone("it is not here"))?;
        let log = Log::look(self, &wish).ok_or_else(|| gone("no log is kept of it"))?;
        let volume = self.volume(from.number);
        let listed = volume.snapshots().map_err(|error| crate::host::ours("listing snapshots", &error))?;
        let point = listed.into_iter().find(|info| info.id == from.snapshot).and_then(|info| info.point);
        let point =
            point.filter(|point| point.line == log.line.number).ok_or_else(|| gone("its snapshot is of no use"))?;
        if log.known.to < at {
            return Err(Trouble {
                text: Text::new(
                    "Venter på, at loggen er gemt så langt; det tager under et minut",
                    "Waits until the log is kept that far; it takes less than a minute",
                ),
                detail: format!("the log of {} is kept to {}, and {at} is wished", from.solution, log.known.to),
            });
        }
        window::replay(&log.pieces, point.next, at).ok_or_else(|| gone("a piece is missing"))
    }
}
