//! The walls behind the one seam that kinds see: a look, and a step.

use crate::Node;
use crate::causes::causes;
use crate::own_image;
use crate::port::Error as PortError;
use crate::quiesce::{self, Note};
use crate::sandbox::{Resolved, ResolvedBind, SandboxError};
use crate::volume::{Bound, Volume, VolumeError, Why};
use husorden_base::{Refusal, RuntimeName, SnapshotId, Text};
use husorden_kinds::builds::Pin;
use husorden_kinds::opening::LOOK;
use husorden_kinds::update::UPDATE;
use husorden_kinds::{
    Aim, Builds, Halt, Host, Move, Network, Place, RuntimeSight, Sandbox, Sight, Step, Trouble, VolumeSight, Waiting,
    Window, kind,
};
use husorden_wire::node::{Origin, Wish};
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::Arc;
use tracing::{debug, warn};

/// One solution's place on this node.
pub(crate) struct Walls<'a> {
    node: &'a Arc<Node>,
    wish: &'a Wish,
    volume: Volume,
    /// Its maintenance window is open, so that it matters who tries a build first.
    window: bool,
}

impl<'a> Walls<'a> {
    pub(crate) fn new(node: &'a Arc<Node>, wish: &'a Wish) -> Self {
        let window = Window::of(&wish.spec).is_open(wish.number, jiff::Timestamp::now());
        Self { node, wish, volume: node.volume(wish.number), window }
    }

    /// Runtimes of which another solution tries the newest build first.
    fn waits(&self, builds: &Builds, shelf: &BTreeMap<RuntimeName, Vec<String>>) -> BTreeSet<RuntimeName> {
        let waits = |runtime: &RuntimeName, pin: &Pin| {
            let newest = shelf.get(runtime).and_then(|builds| builds.first()).filter(|newest| **newest != pin.build);
            newest.is_some_and(|newest| self.node.register.waits_with(self.wish.solution, runtime, newest))
        };
        let pins = builds.pins.iter().filter(|_| self.window);
        pins.filter(|(runtime, pin)| waits(runtime, pin)).map(|(runtime, _)| runtime.clone()).collect()
    }

    /// Writes the line of evidence, acts, and completes it. What can't be witnessed is not done.
    fn witnessed(&self, act: &str, detail: Value, work: impl FnOnce() -> Result<(), Trouble>) -> Result<(), Trouble> {
        let register = &self.node.register;
        let solution = Some(self.wish.solution);
        register
            .witness(&format!("{act}.begin"), solution, detail.clone())
            .map_err(|error| ours("writing evidence", &error))?;
        let result = work();
        let told = json!({ "of": detail, "error": result.as_ref().err().map(|trouble| trouble.detail.clone()) });
        register.witness(&format!("{act}.end"), solution, told).map_err(|error| ours("writing evidence", &error))?;
        result
    }
}

impl Host for Walls<'_> {
    fn look(&mut self) -> Result<Sight, Trouble> {
        let number = self.wish.number;
        let volume = self.volume.look().map_err(|error| ours("looking at the volume", &error))?;
        let mut reserve = husorden_base::Bytes(0);
        if let VolumeSight::Live { .. } = volume {
            reserve = self.volume.bound().map_err(|error| ours("looking at the volume", &error))?.reserve;
            self.node.look_at_filling(number);
        }
        let marks = match volume {
            VolumeSight::Live { .. } => {
                self.volume.marks().map_err(|error| ours("reading the volume's marks", &error))?
            }
            VolumeSight::Absent | VolumeSight::Retained => std::collections::BTreeMap::default(),
        };
        let trial = match volume {
            VolumeSight::Live { .. } => self.volume.trial().map_err(|error| ours("looking at a copy", &error))?,
            VolumeSight::Absent | VolumeSight::Retained => None,
        };
        let mut sandboxes = self.node.sandboxes.sight(number);
        // What looks beside the passes is none of theirs.
        sandboxes.tasks.retain(|name, _| !name.starts_with(LOOK));
        let (mut runtimes, mut images) = (self.node.runtimes.sights(), self.node.runtimes.disks());
        if let Some(name) = kind(&self.wish.kind).and_then(|kind| kind.image(&self.wish.spec))
            && let Some((_, disk)) = own_image::of(self.node, self.wish, &name)
        {
            runtimes.insert(name.clone(), RuntimeSight::Ready);
            images.insert(name, disk);
        }
        let (builds, shelf) = (self.node.register.builds(self.wish.solution), self.node.runtimes.shelf());
        Ok(Sight {
            volume,
            reserve,
            marks,
            trial,
            services: sandboxes.services,
            tasks: sandboxes.tasks,
            port: self.node.ports.look(number).map_err(|error| ours("looking at the port", &error))?,
            route: self.node.routes.digest(number),
            runtimes,
            images,
            waits: self.waits(&builds, &shelf),
            quiet: self.node.sandboxes.is_quiet(number),
            virtualisation: crate::trial::virtualisation(self.node),
            shelf,
            builds,
        })
    }

    fn busy(&mut self) -> Option<Waiting> {
        let making = self.wish.from_backup.as_ref().and_then(|_| self.node.makings.waiting(self.wish.solution));
        // What ends something goes on, whatever the spec.
        let serves = || self.wish.aim == Aim::Run && !self.is_held();
        making.or_else(|| (self.node.register.awaits_release(self.wish) && serves()).then(awaiting))
    }

    fn apply(&mut self, step: &Step) -> Result<(), Halt> {
        debug!(number = %self.wish.number, step = %name(step), "step");
        let (node, number) = (self.node, self.wish.number);
        let done = match step {
            Step::Runtime { name } => node.runtimes.ensure(name).map_err(|error| ours("starting a build", &error)),
            Step::VolumeCreate { limit, reserve, folders } => {
                let bound = Bound { limit: *limit, reserve: *reserve };
                node.pool.admit().map_err(|error| trouble("making the volume", &error))?;
                if let Some(from) = &self.wish.from {
                    return Ok(self.copy(from, bound)?);
                }
                if let Some(from) = &self.wish.from_backup {
                    crate::backup::begin(node, self.wish, from, bound);
                    return Ok(());
                }
                self.witnessed("volume.create", json!({ "limit": limit }), || {
                    self.volume.create(bound, folders).map_err(|error| trouble("making the volume", &error))
                })
            }
            Step::VolumeLimit { limit, reserve } => {
                let bound = Bound { limit: *limit, reserve: *reserve };
                self.volume.set_limit(bound).map_err(|error| trouble("changing the volume's limit", &error))?;
                // With room again nobody waits for the next look.
                node.look_at_filling(number);
                Ok(())
            }
            Step::VolumeRetain => self.witnessed("volume.retain", json!({ "until": self.wish.retain_until }), || {
                let mix = self.wish.solution.0.as_u128() ^ u128::from(self.wish.generation);
                // The same deletion has the same id, so that a crash half-way leaves one snapshot and not two.
                let id = SnapshotId(uuid::Uuid::from_u128(mix));
                self.volume.retain(&id).map_err(|error| trouble("retaining the volume", &error))
            }),
            Step::VolumeRevive => self.witnessed("volume.revive", json!({}), || {
                self.volume.revive().map_err(|error| trouble("bringing the volume back", &error))
            }),
            Step::VolumeDestroy => {
                // Read again behind the gate, so that neither an undo nor a seal comes in between.
                let _gate = node.gate();
                let now = node.order(self.wish);
                if node.register.wish(self.wish.solution).as_ref() != Some(self.wish)
                    || now.aim != Aim::Gone
                    || !now.expired
                {
                    return Err(Trouble::ours("a plan would destroy what is not gone and expired").into());
                }
                self.witnessed("volume.destroy", json!({}), || {
                    self.volume.destroy().map_err(|error| trouble("destroying the volume", &error))
                })
            }
            Step::Task { task } => {
                self.must_be_free("a task")?;
                return node.sandboxes.task_start(number, task).map_err(|error| halted("starting a task", &error));
            }
            Step::TaskForget { name } => {
                return node.sandboxes.task_forget(number, name).map_err(|error| halted("forgetting a task", &error));
            }
            Step::Service { role, service } => {
                self.must_be_free("a service")?;
                return node
                    .sandboxes
                    .service_set(number, role, service)
                    .map_err(|error| halted("setting a service", &error));
            }
            Step::ServiceDrop { role } => {
                return node.sandboxes.service_drop(number, role).map_err(|error| halted("dropping a service", &error));
            }
            Step::Port { port } => node.ports.set(number, port).map_err(|error| no_port(&error)),
            Step::PortDrop => node.ports.remove(number).map_err(|error| ours("dropping the port", &error)),
            Step::Route { route } => node
                .routes
                .set(self.wish.solution, number, route)
                .map(drop)
                .map_err(|error| ours("routing at the edge", &error)),
            Step::RouteDrop => node
                .routes
                .drop_route(self.wish.solution, number)
                .map(drop)
                .map_err(|error| ours("routing at the edge", &error)),
            Step::Snapshot { id, before, spec } => {
                let id = id.unwrap_or_else(|| self.snapshot_of_wish(before));
                self.witnessed("snapshot", json!({ "snapshot": id, "before": before }), || {
                    self.snapshot(&id, before, spec.clone()).map_err(|error| trouble("taking a snapshot", &error))
                })
            }
            Step::TrialMake { of } => {
                self.must_be_free("a trial")?;
                self.witnessed("trial.make", json!({ "of": of }), || {
                    self.volume.trial_make(of).map_err(|error| trouble("copying the volume to try something", &error))
                })
            }
            Step::TrialDrop => self.witnessed("trial.drop", json!({}), || {
                self.volume.trial_drop().map_err(|error| trouble("taking a copy away", &error))
            }),
            Step::Restore { id } => self.witnessed("volume.restore", json!({ "snapshot": id }), || {
                // What is replaced is kept, under an id that follows from the snapshot's, so that there is one of it.
                let before = SnapshotId(uuid::Uuid::from_u128(id.0.as_u128() ^ 1));
                quiesce::snapshot(self.node, self.wish, &before, Why::Before { what: "roll-back".to_owned() })
                    .and_then(|_| self.volume.restore(id, &before))
                    .map_err(|error| trouble("bringing a snapshot back", &error))
            }),
            Step::Builds { step: step @ (Move::Pin { .. } | Move::Leave { .. } | Move::Answered) } => {
                node.register.make_move(self.wish.solution, step).map_err(|error| ours("noting builds", &error))
            }
            Step::Builds { step } => {
                self.must_be_free("an update")?;
                self.witnessed("update", json!({ "move": step }), || {
                    node.register.make_move(self.wish.solution, step).map_err(|error| ours("noting an update", &error))
                })
            }
            Step::Quiet => {
                node.sandboxes.hush(number);
                Ok(())
            }
            Step::QuietEnd => {
                node.sandboxes.unhush(number);
                Ok(())
            }
            Step::Wake => {
                self.must_be_free("a start")?;
                node.sandboxes.wake(number).map_err(|error| ours("starting services", &error))
            }
        };
        Ok(done?)
    }
}

impl Walls<'_> {
    /// Makes the volume from another solution's snapshot, as soon as that is there. What is sealed is not copied.
    fn copy(&self, from: &Origin, bound: Bound) -> Result<(), Trouble> {
        let register = &self.node.register;
        let source = register.wish(from.solution);
        let sealed = source.and_then(|source| register.held(source.solution, source.account, jiff::Timestamp::now()));
        if sealed.is_some_and(|held| held.sealed) {
            return Err(Trouble::ours("what is to be copied is sealed"));
        }
        let pieces = match from.at {
            Some(at) => Some((at, self.node.replay(from, at)?)),
            None => None,
        };
        self.witnessed("volume.copy", json!({ "limit": bound.limit, "from": from }), || {
            let replay = pieces.as_ref().map(|(at, names)| (*at, names.as_slice()));
            let made = self.volume.clone_from(&self.node.volume(from.number), &from.snapshot, bound, replay);
            made.map_err(|error| match error {
                VolumeError::NoSnapshot(..) => Trouble {
                    text: Text::new(
                        "Øjebliksbilledet, der skal kopieres, er her ikke endnu",
                        "The snapshot that is to be copied is not here yet",
                    ),
                    detail: format!("making the volume: {error}"),
                },
                other => trouble("making the volume", &other),
            })
        })
    }

    /// The id of a snapshot that this wish has taken once.
    fn snapshot_of_wish(&self, before: &str) -> SnapshotId {
        let word = before.bytes().fold(0_u128, |sum, byte| sum.rotate_left(8) ^ u128::from(byte));
        SnapshotId(uuid::Uuid::from_u128(
            self.wish.solution.0.as_u128() ^ u128::from(self.wish.generation) ^ (word << 64),
        ))
    }

    /// Takes a snapshot. Of those from before an update the newest is kept: what it was for has held since.
    fn snapshot(&self, id: &SnapshotId, before: &str, spec: Option<Value>) -> Result<(), VolumeError> {
        let why = Why::Before { what: before.to_owned() };
        let note = Note { why: why.clone(), label: None, spec };
        quiesce::snapshot(self.node, self.wish, id, note)?;
        if before == UPDATE {
            for old in self.volume.snapshots()?.into_iter().filter(|old| old.why == why && old.id != *id) {
                self.volume.snapshot_delete(&old.id)?;
            }
        }
        Ok(())
    }

    fn is_held(&self) -> bool {
        self.node.register.held(self.wish.solution, self.wish.account, jiff::Timestamp::now()).is_some()
    }

    /// Second line behind the plan: nothing starts on what a measure holds.
    fn must_be_free(&self, what: &str) -> Result<(), Trouble> {
        if self.is_held() {
            return Err(Trouble::ours(format!("{what} was planned on a solution that a measure holds")));
        }
        Ok(())
    }
}

/// The data was brought back, and the spec that belongs to it is on its way.
fn awaiting() -> Waiting {
    let text = Text::new(
        "Data er bragt tilbage; de indstillinger, der hører til, er på vej.",
        "The data was brought back; the settings that belong to it are on their way.",
    );
    Waiting::Work { text }
}

/// A step's name for the log.
fn name(step: &Step) -> String {
    serde_json::to_value(step).ok().and_then(|value| value["do"].as_str().map(str::to_owned)).unwrap_or_default()
}

/// Where a sandbox's places are on this machine, now.
pub(crate) fn resolve(node: &Arc<Node>, wish: &Wish, sandbox: &Sandbox) -> Result<Resolved, Trouble> {
    let number = wish.number;
    let volume = node.volume(number);
    let absent = |what: &str| Trouble::ours(format!("{what} is not on this node"));
    let pinned = |name: &RuntimeName| node.register.pinned(wish.solution, name);
    let root = node.runtimes.path(&sandbox.runtime, pinned(&sandbox.runtime).as_deref());
    let root = root.ok_or_else(|| absent(sandbox.runtime.as_str()))?;
    let mut binds = Vec::with_capacity(sandbox.binds.len());
    for bind in &sandbox.binds {
        let from: PathBuf = match &bind.from {
            Place::Folder(name) => volume.folder(name),
            Place::Trial(name) => volume.trial_folder(name),
            Place::Snapshot(name) => {
                let noting = node.proofs.noting(number).ok_or_else(|| absent("a snapshot that is noted"))?;
                volume.snapshot_folder(&noting, name)
            }
            Place::App(name) => node.runtimes.app(name).ok_or_else(|| absent(name))?,
            Place::Template(name) => {
                let template = node.runtimes.template(name, pinned(name).as_deref());
                template.ok_or_else(|| absent(name.as_str()))?
            }
            Place::Image(name) => {
                let own = own_image::of(node, wish, name).map(|(folder, _)| folder);
                own.or_else(|| node.runtimes.image(name)).ok_or_else(|| absent(name.as_str()))?
            }
            Place::Tool => node.program.clone(),
            Place::Store(name) => {
                let engine = name.parse().map_err(|_| absent(name))?;
                let line = volume.line_for(&engine, &wish.solution.to_string());
                line.map_err(|error| ours("finding the log store", &error))?
            }
            Place::Sockets => node.config.ground.sockets(number),
            Place::Certificate => node.certificate(wish).map_err(|error| ours("certifying the solution", &error))?,
            Place::Listen => node.listen_library.clone(),
            Place::Judge(protocol) => node.judges.of(*protocol),
            // The wall makes the device itself.
            Place::Virtualisation => continue,
            Place::Leaked => match node.config.leaked.as_ref().filter(|folder| folder.is_dir()) {
                Some(folder) => folder.clone(),
                None => continue,
            },
        };
        binds.push(ResolvedBind { from, to: bind.to.clone(), write: bind.write });
    }
    let netns = match sandbox.network {
        Network::Nothing => None,
        Network::Port | Network::Tap => {
            Some(node.ports.ensure(number).map_err(|error| ours("making the port", &error))?)
        }
    };
    Ok(Resolved {
        root,
        binds,
        netns,
        hostname: wish.name.to_string(),
        resolv_conf: String::new(),
        disk: node.pool.disk(),
    })
}

/// Why a step on sandboxes was not carried out.
fn halted(doing: &str, error: &SandboxError) -> Halt {
    match error {
        SandboxError::Ending(_) => Halt::Ending(Text::new(
            "Det, der kørte før, er ved at slutte; derefter går det videre.",
            "What ran before is still ending; then it goes on.",
        )),
        _ => Halt::Failed(ours(doing, error)),
    }
}

/// Trouble that the platform must mend, with the error's causes for the log.
pub(crate) fn ours(doing: &str, error: &dyn std::error::Error) -> Trouble {
    Trouble::ours(format!("{doing}: {}", causes(error)))
}

/// As [`ours`], unless a door is another's, which is for people to know.
fn no_port(error: &PortError) -> Trouble {
    let trouble = ours("setting the port", error);
    match error {
        PortError::DoorHeld(outer) | PortError::DoorKept(outer) => Trouble {
            text: Text::new(
                format!("TCP-port {outer} på serveren er optaget"),
                format!("TCP port {outer} of the server is taken"),
            ),
            ..trouble
        },
        _ => trouble,
    }
}

/// As [`ours`], unless the wall refused for a reason the customer may know.
fn trouble(doing: &str, error: &VolumeError) -> Trouble {
    match error {
        VolumeError::Refused(refusal) => {
            Trouble { text: refusal.detail.clone(), detail: format!("{doing}: {refusal}") }
        }
        other => ours(doing, other),
    }
}

/// A volume's error as a refusal to whoever asked for a verb.
pub(crate) fn refused(error: &VolumeError) -> Refusal {
    match error {
        VolumeError::Refused(refusal) => (**refusal).clone(),
        VolumeError::NoSnapshot(_, snapshot) => Refusal::not_found(&format!("snapshot {snapshot}")),
        full if full.is_full() => Refusal::new(
            "volume-full",
            507,
            Text::new("Løsningens plads er brugt op", "The solution's space is used up"),
            Text::new(
                "Slet noget, eller gør løsningen større. Intet er gået tabt.",
                "Delete something, or make the solution larger. Nothing was lost.",
            ),
        ),
        other => {
            warn!(error = causes(other), "a verb failed on the volume");
            crate::verbs::ours(other)
        }
    }
}
