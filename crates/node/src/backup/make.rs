//! A new solution's volume, made from a backup. It takes long, so a pass begins it and later passes see how far it is.

use super::job::{Came, FaultOf, VOLUME, Work};
use super::pieces::room;
use super::restore::{Found, look, restored};
use super::slots::Urgency;
use super::write::{forbidden, percent};
use super::{Errand, folders, refusal, run, unlock, whose_folder};
use crate::Node;
use crate::volume::{Bound, VolumeError};
use husorden_backup::Key;
use husorden_base::{Number, Refusal, SolutionId, Text};
use husorden_kinds::segments::REPLAY;
use husorden_kinds::{Aim, Waiting};
use husorden_wire::node::{BackupOrigin, LogOrigin, OF_LOG, Repository, Secrets, Wish};
use serde_json::json;
use std::collections::HashMap;
use std::io;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};
use tracing::warn;

/// Longest time that it may take.
const LIMIT: Duration = Duration::from_secs(47 * 3600);
/// Pause before one that failed is begun again.
const AGAIN: Duration = Duration::from_secs(30);

enum Making {
    Runs(Option<u8>),
    Failed(Instant, Box<Refusal>),
}

/// Volumes that are being made.
#[derive(Default)]
pub(crate) struct Makings(Mutex<HashMap<SolutionId, Making>>);

impl Makings {
    fn lock(&self) -> MutexGuard<'_, HashMap<SolutionId, Making>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What a pass waits for; none when there is nothing to wait for, or it is time to try again.
    pub(crate) fn waiting(&self, solution: SolutionId) -> Option<Waiting> {
        let mut all = self.lock();
        match all.get(&solution)? {
            Making::Runs(percent) => {
                let share = percent.map(|percent| format!(": {percent} %")).unwrap_or_default();
                let text =
                    Text::new(format!("Henter fra backuppen{share}"), format!("Fetching from the backup{share}"));
                Some(Waiting::Work { text })
            }
            Making::Failed(at, _) if at.elapsed() >= AGAIN => {
                all.remove(&solution);
                None
            }
            Making::Failed(_, why) => Some(Waiting::Trouble {
                text: Text::new(
                    format!("{}. {}", why.title.da, why.detail.da),
                    format!("{}. {}", why.title.en, why.detail.en),
                ),
            }),
        }
    }
}

/// Begins it, unless it is under way.
pub(crate) fn begin(node: &Arc<Node>, wish: &Wish, from: &BackupOrigin, bound: Bound) {
    let solution = wish.solution;
    let mut all = node.makings.lock();
    if matches!(all.get(&solution), Some(Making::Runs(_))) {
        return;
    }
    all.insert(solution, Making::Runs(None));
    drop(all);
    let (worker, wish, from) = (Arc::clone(node), wish.clone(), from.clone());
    let spawned = std::thread::Builder::new().name("from-backup".to_owned()).spawn(move || {
        let made = make(&worker, &wish, &from, bound);
        let mut all = worker.makings.lock();
        match made {
            Ok(()) => drop(all.remove(&wish.solution)),
            Err(why) => {
                warn!(number = %wish.number, %why, "a volume was not made from a backup");
                all.insert(wish.solution, Making::Failed(Instant::now(), Box::new(why)));
            }
        }
        drop(all);
        worker.keeper.wake(wish.solution);
    });
    if let Err(error) = spawned {
        node.makings.lock().insert(solution, Making::Failed(Instant::now(), Box::new(crate::verbs::ours(&error))));
    }
}

fn make(node: &Arc<Node>, wish: &Wish, from: &BackupOrigin, bound: Bound) -> Result<(), Refusal> {
    let stop = || {
        let now = node.register.wish(wish.solution);
        if now.is_none_or(|now| now.aim == Aim::Gone || now.from_backup.as_ref() != Some(from)) {
            return Some(refusal(FaultOf::Stopped, "it is not wished any more"));
        }
        // What is sealed is not copied, as far as this node knows whose it is.
        let source = node.register.wish(from.solution).filter(|source| source.aim != Aim::Gone)?;
        forbidden(node, &source)
    };
    let over = || node.ending() || stop().is_some();
    let Some(_slot) = node.slots.take(Urgency::WaitedFor, over) else {
        return Err(stop().unwrap_or_else(|| refusal(FaultOf::Stopped, "the node is ending")));
    };
    let number = whose_folder(&from.repository)
        .ok_or_else(|| refusal(FaultOf::Limit, "the repository's folder is no solution's number"))?;
    let secrets = unlock(node, None, wish.solution)?;
    let found = look(node, &from.repository, &secrets, (&from.copy, None), number, &stop)?;
    if found.about.kind != wish.kind {
        let said = format!("it is of the kind {}, and this is of the kind {}", found.about.kind, wish.kind);
        return Err(refusal(FaultOf::Limit, &said));
    }
    let witness = |act: &str, detail| {
        let written = node.register.witness(act, Some(wish.solution), detail);
        written.map(drop).map_err(|error| crate::verbs::ours(&error))
    };
    let detail = json!({ "limit": bound.limit, "from": from });
    witness("volume.from-backup.begin", detail.clone())?;
    let mut why = None;
    let mut fill = |live: &std::path::Path| -> io::Result<()> {
        let errand = Errand {
            number,
            name: "make",
            repository: &from.repository,
            secrets: &secrets,
            work: Work::Restore { copy: from.copy.clone(), folders: found.folders.clone() },
            binds: folders(live, &found.folders, VOLUME, true),
            into: None,
            limit: LIMIT,
            stop: &stop,
        };
        let so_far = &mut |done, of| {
            if let Some(Making::Runs(share)) = node.makings.lock().get_mut(&wish.solution) {
                *share = percent(done, of);
            }
        };
        let filled = run(node, errand, so_far).and_then(|came: Came| restored(wish, came));
        let filled = filled.and_then(|()| match &from.log {
            Some(log) => {
                let carried = carry(node, (wish, number), (from, log), (&secrets, &found), (live, &stop));
                carried.or_else(|refusal| match log.optional && stop().is_none() && !node.ending() {
                    true => without(live, number, &refusal),
                    false => Err(refusal),
                })
            }
            None => Ok(()),
        });
        filled.map_err(|refusal| {
            let said = refusal.to_string();
            why = Some(refusal);
            io::Error::other(said)
        })
    };
    let volume = node.volume(wish.number);
    let mut marks = found.about.marks.clone();
    if let Some(log) = &from.log {
        marks.insert(REPLAY.to_owned(), log.at.to_string());
    }
    let made = volume.create_filled(bound, &found.folders, number, &mut fill, &marks);
    let made = made.map_err(|error: VolumeError| why.take().unwrap_or_else(|| crate::host::refused(&error)));
    witness("volume.from-backup.end", json!({ "of": detail, "error": made.as_ref().err().map(ToString::to_string) }))?;
    made
}

/// Goes on without the pieces of a log that could not be fetched: none are carried out, and what comes back is as the backup has it.
fn without(live: &Path, owner: Number, why: &Refusal) -> Result<(), Refusal> {
    warn!(%owner, %why, "its log could not be fetched; it comes back as its backup has it");
    let ours = |error: io::Error| crate::verbs::ours(&error);
    let folder = live.join(REPLAY);
    let entries = match std::fs::read_dir(&folder) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return room(live, owner).map_err(ours),
        entries => entries.map_err(ours)?,
    };
    for entry in entries {
        std::fs::remove_file(entry.map_err(ours)?.path()).map_err(ours)?;
    }
    Ok(())
}

/// Fetches the pieces of the log that bring what came back to the wished time.
fn carry(
    node: &Node,
    (wish, number): (&Wish, Number),
    (from, log): (&BackupOrigin, &LogOrigin),
    (secrets, found): (&Secrets, &Found),
    (live, stop): (&Path, &dyn Fn() -> Option<Refusal>),
) -> Result<(), Refusal> {
    let damaged = |said: &str| refusal(FaultOf::Damaged, said);
    let point = found.about.point.ok_or_else(|| damaged("the backup does not say where its log stood"))?;
    let key = Key::from_password(&secrets.repository).map_err(|error| damaged(&error.to_string()))?;
    let secrets = Secrets { repository: key.of_log().password(), target: secrets.target.clone() };
    let repository = Repository { folder: format!("{}{OF_LOG}", from.repository.folder), ..from.repository.clone() };
    room(live, number).map_err(|error| crate::verbs::ours(&error))?;
    let work = Work::Pieces {
        copy: log.copy.clone(),
        line: point.line,
        next: point.next,
        taken: found.about.taken,
        at: log.at,
    };
    let errand = Errand {
        number,
        name: "pieces",
        repository: &repository,
        secrets: &secrets,
        work,
        binds: folders(live, &[REPLAY.to_owned()], VOLUME, true),
        into: None,
        limit: LIMIT,
        stop,
    };
    run(node, errand, &mut |_, _| ()).and_then(|came| restored(wish, came))
}
