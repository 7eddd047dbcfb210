//! A machine in memory, for the tests of the kinds: each step does to a [`Sight`] what the real walls do, and long work
//! ends when the test says so. It can be told to crash before any step, and it refuses what no wall could do: a sandbox on
//! a runtime that is not built, work on a volume that is not there, a volume taken away under what runs on it.

use crate::builds::Move;
use crate::{
    Halt, Host, ON_TRIAL, Place, RuntimeSight, Sandbox, ServiceSight, ServiceState, Sight, Step, TRIAL_OF, TaskSight,
    Trouble, Virtualisation, VolumeSight,
};
use husorden_base::{RuntimeName, SnapshotId};
use jiff::Timestamp;
use std::collections::{BTreeMap, BTreeSet};

/// The one build of a runtime of which nothing is said.
pub const ONLY_BUILD: &str = "0123456789ab";

/// The machine in memory.
#[derive(Clone, Debug, Default)]
pub struct Fake {
    /// What stands.
    pub sight: Sight,
    /// Every step carried out.
    pub done: Vec<Step>,
    /// Steps that may still be carried out before the machine crashes; none means it never does.
    pub fuse: Option<usize>,
    /// Task names that fail when they end.
    pub failing: Vec<String>,
    /// Marks of what is retained; they come back with it.
    pub kept: BTreeMap<String, String>,
    /// Builds on which nothing starts.
    pub broken: BTreeSet<String>,
    /// Builds that change the data so that only they can open it again.
    pub spoiling: BTreeSet<String>,
    /// The build that has changed the data so.
    pub spoilt: Option<String>,
    /// Marks of snapshots.
    pub snapshots: BTreeMap<SnapshotId, BTreeMap<String, String>>,
    running: Vec<crate::Task>,
}

impl Fake {
    /// A machine on which this stands.
    #[must_use]
    pub fn with(sight: Sight) -> Self {
        Self { sight, ..Self::default() }
    }

    /// Long work ends: builds are ready and failed ones begin anew, tasks leave their marks or fail, services that failed
    /// are tried again.
    pub fn time_passes(&mut self) {
        // It is tried when what that needs is there, and nothing that was seen to work is left untried.
        let built =
            !self.sight.runtimes.is_empty() && self.sight.runtimes.values().all(|seen| *seen == RuntimeSight::Ready);
        if built && self.sight.virtualisation == Virtualisation::Untried {
            self.sight.virtualisation = Virtualisation::Boots;
        }
        for runtime in self.sight.runtimes.values_mut() {
            *runtime = match runtime {
                RuntimeSight::Building | RuntimeSight::Ready => RuntimeSight::Ready,
                RuntimeSight::Failed { .. } => RuntimeSight::Building,
                RuntimeSight::Absent => RuntimeSight::Absent,
            };
        }
        for task in std::mem::take(&mut self.running) {
            // A task that asks the services ends as they do.
            let answered = task.name != crate::update::PROOF || !self.sight.services.values().any(is_failing);
            if self.failing.contains(&task.name) || !answered {
                self.sight.tasks.insert(
                    task.name.clone(),
                    TaskSight { digest: task.digest(), failed: Some("it failed".to_owned()) },
                );
            } else {
                self.sight.tasks.remove(&task.name);
                for (key, value) in task.marks {
                    let on_trial = self.sight.trial.as_mut().filter(|_| key.starts_with(ON_TRIAL));
                    on_trial.unwrap_or(&mut self.sight.marks).insert(key, value);
                }
            }
        }
        self.sight.services.retain(|_, service| !service.leaves());
        for service in self.sight.services.values_mut() {
            match service.state {
                ServiceState::Stopping | ServiceState::Renewing | ServiceState::Failing { .. } => {
                    service.state = ServiceState::Sleeping;
                    service.build = None;
                }
                ServiceState::Sleeping | ServiceState::Running => {}
            }
        }
    }

    /// The node died and came back: what it held in memory alone is forgotten, what stands on the machine stays.
    pub fn restart(&mut self) {
        self.fuse = None;
        self.sight.quiet = false;
        for task in std::mem::take(&mut self.running) {
            self.sight.tasks.remove(&task.name);
        }
        self.sight.tasks.retain(|_, task| task.failed.is_some());
    }

    /// The build that something on this runtime starts on.
    fn build(&self, runtime: &RuntimeName) -> String {
        let newest = self.sight.shelf.get(runtime).and_then(|builds| builds.first());
        self.sight.builds.pinned(runtime).or(newest.map(String::as_str)).unwrap_or(ONLY_BUILD).to_owned()
    }

    /// Starts what sleeps, as a connection would.
    fn wake(&mut self) {
        let roles: Vec<String> = self.sight.services.keys().cloned().collect();
        for role in roles {
            let Some(seen) = self.sight.services.get(&role).filter(|seen| seen.state == ServiceState::Sleeping) else {
                continue;
            };
            let build = self.build(&seen.runtime.clone());
            let opens = self.spoilt.as_ref().is_none_or(|by| *by == build);
            let works = opens && !self.broken.contains(&build);
            if self.spoiling.contains(&build) {
                self.spoilt = Some(build.clone());
            }
            if let Some(seen) = self.sight.services.get_mut(&role) {
                (seen.state, seen.build) = if works {
                    (ServiceState::Running, Some(build))
                } else {
                    (ServiceState::Failing { reason: "it does not start".to_owned() }, None)
                };
            }
        }
    }

    /// Whether everything a sandbox stands on is there.
    fn stands(&self, sandbox: &Sandbox) -> Result<(), Trouble> {
        let mut names = vec![sandbox.runtime.to_string()];
        for bind in &sandbox.binds {
            match &bind.from {
                Place::App(name) => names.push(name.clone()),
                Place::Template(name) | Place::Image(name) => names.push(name.to_string()),
                Place::Trial(_) if self.sight.trial.is_none() => {
                    return Err(Trouble::ours("there is no copy to try it on"));
                }
                Place::Trial(_)
                | Place::Folder(_)
                | Place::Snapshot(_)
                | Place::Store(_)
                | Place::Sockets
                | Place::Tool
                | Place::Certificate
                | Place::Listen
                | Place::Judge(_)
                | Place::Leaked => {}
                Place::Virtualisation if self.sight.virtualisation != Virtualisation::Boots => {
                    return Err(Trouble::ours("a guest on virtualisation that was not seen to work"));
                }
                Place::Virtualisation => {}
            }
        }
        for name in names {
            let built =
                self.sight.runtimes.iter().any(|(known, seen)| known.as_str() == name && *seen == RuntimeSight::Ready);
            if !built {
                return Err(Trouble::ours(format!("{name} is not built")));
            }
        }
        if !matches!(self.sight.volume, VolumeSight::Live { .. }) {
            return Err(Trouble::ours("there is no live volume to work on"));
        }
        Ok(())
    }
}

impl Host for Fake {
    fn look(&mut self) -> Result<Sight, Trouble> {
        for (name, seen) in &self.sight.runtimes {
            if *seen == RuntimeSight::Ready {
                self.sight.shelf.entry(name.clone()).or_insert_with(|| vec![ONLY_BUILD.to_owned()]);
            }
        }
        Ok(self.sight.clone())
    }

    fn apply(&mut self, step: &Step) -> Result<(), Halt> {
        if let Some(left) = &mut self.fuse {
            if *left == 0 {
                return Err(Trouble::ours("the machine crashed").into());
            }
            *left -= 1;
        }
        match step {
            Step::Task { task } => self.stands(&task.sandbox)?,
            Step::Service { service, .. } => {
                self.stands(&service.sandbox)?;
                if self.sight.builds.pinned(&service.sandbox.runtime).is_none() {
                    return Err(Trouble::ours("a service on a runtime without a build").into());
                }
            }
            Step::Builds { step: Move::Switch | Move::SwitchBack | Move::Restored } | Step::Restore { .. } => {
                let rests = |seen: &ServiceSight| seen.state != ServiceState::Running && !seen.state.is_ending();
                if !self.sight.quiet || !self.sight.services.values().all(rests) {
                    return Err(Trouble::ours("a build or data taken from under what runs on it").into());
                }
            }
            Step::Wake => self.wake(),
            _ => {}
        }
        let sight = &mut self.sight;
        match step {
            Step::Runtime { name } => {
                sight.runtimes.insert(name.clone(), RuntimeSight::Building);
            }
            Step::VolumeCreate { limit, reserve, .. } => match sight.volume {
                VolumeSight::Retained => {
                    return Err(Trouble::ours("a volume beside one that is retained").into());
                }
                VolumeSight::Absent | VolumeSight::Live { .. } => {
                    sight.volume = VolumeSight::Live { limit: *limit };
                    sight.reserve = *reserve;
                }
            },
            Step::VolumeLimit { limit, reserve } => match sight.volume {
                VolumeSight::Live { .. } => {
                    sight.volume = VolumeSight::Live { limit: *limit };
                    sight.reserve = *reserve;
                }
                VolumeSight::Absent | VolumeSight::Retained => {
                    return Err(Trouble::ours("a limit for a volume that is not live").into());
                }
            },
            Step::VolumeRetain => {
                let at_work = !sight.services.is_empty() || !self.running.is_empty();
                match sight.volume {
                    VolumeSight::Live { .. } if at_work => {
                        return Err(Trouble::ours("a volume taken away under what runs on it").into());
                    }
                    VolumeSight::Live { .. } if sight.trial.is_some() => {
                        return Err(Trouble::ours("a copy left behind").into());
                    }
                    VolumeSight::Live { .. } => {
                        sight.volume = VolumeSight::Retained;
                        self.kept = std::mem::take(&mut sight.marks);
                    }
                    VolumeSight::Retained => {}
                    VolumeSight::Absent => {
                        return Err(Trouble::ours("there is no volume to retain").into());
                    }
                }
            }
            Step::VolumeRevive => match sight.volume {
                VolumeSight::Retained => {
                    sight.volume = VolumeSight::Live { limit: husorden_base::Bytes(0) };
                    sight.marks = std::mem::take(&mut self.kept);
                }
                VolumeSight::Live { .. } => {}
                VolumeSight::Absent => return Err(Trouble::ours("nothing is retained").into()),
            },
            Step::VolumeDestroy => {
                sight.volume = VolumeSight::Absent;
                sight.marks.clear();
                self.kept.clear();
            }
            Step::Task { task } => {
                sight.tasks.insert(task.name.clone(), TaskSight { digest: task.digest(), failed: None });
                self.running.push((**task).clone());
            }
            Step::TaskForget { name } => {
                sight.tasks.remove(name);
                self.running.retain(|task| task.name != *name);
            }
            Step::Service { role, service } => {
                let (state, build) = match sight.services.get(role) {
                    Some(ServiceSight { state, build, .. }) if *state == ServiceState::Running || state.is_ending() => {
                        (ServiceState::Renewing, build.clone())
                    }
                    _ => (ServiceState::Sleeping, None),
                };
                let runtime = service.sandbox.runtime.clone();
                sight.services.insert(role.clone(), ServiceSight { digest: service.digest(), state, runtime, build });
            }
            Step::ServiceDrop { role } => {
                sight.services.remove(role);
            }
            Step::Port { port } => sight.port = Some(port.digest()),
            Step::PortDrop => sight.port = None,
            Step::Route { route } => sight.route = Some(route.digest()),
            Step::RouteDrop => sight.route = None,
            Step::Snapshot { id, .. } => {
                let id = id.unwrap_or_else(|| numbered(0));
                self.snapshots.entry(id).or_insert_with(|| sight.marks.clone());
            }
            Step::TrialMake { of } => {
                let mut marks = sight.marks.clone();
                marks.insert(TRIAL_OF.to_owned(), of.clone());
                sight.trial = Some(marks);
            }
            Step::TrialDrop => {
                let on_it = |place: &Place| matches!(place, Place::Trial(_));
                if self.running.iter().any(|task| task.sandbox.binds.iter().any(|bind| on_it(&bind.from))) {
                    return Err(Trouble::ours("a copy taken away under what runs on it").into());
                }
                sight.trial = None;
            }
            Step::Restore { id } => {
                sight.marks = self.snapshots.get(id).cloned().ok_or_else(|| Trouble::ours("no such snapshot"))?;
                self.spoilt = None;
            }
            Step::Builds { step } => {
                // One update after the other has an id of its own.
                let id = numbered(sight.builds.past.len() + 1);
                sight.builds.make(step, Timestamp::UNIX_EPOCH, id);
            }
            Step::Quiet => {
                sight.quiet = true;
                for seen in sight.services.values_mut().filter(|seen| seen.state == ServiceState::Running) {
                    seen.state = ServiceState::Stopping;
                }
                self.running.clear();
                sight.tasks.retain(|_, task| task.failed.is_some());
            }
            Step::QuietEnd => {
                sight.quiet = false;
                for seen in sight.services.values_mut().filter(|seen| is_failing(seen)) {
                    seen.state = ServiceState::Sleeping;
                }
            }
            Step::Wake => {}
        }
        self.done.push(step.clone());
        Ok(())
    }
}

fn numbered(number: usize) -> SnapshotId {
    format!("00000000-0000-0000-0000-{number:012}").parse().expect("an id")
}

fn is_failing(seen: &ServiceSight) -> bool {
    matches!(seen.state, ServiceState::Failing { .. })
}
