//! A machine in memory, for the tests of the kinds: each step does to a [`Sight`] what the real walls do, and long work
//! ends when the test says so. It can be told to crash before any step, and it refuses what no wall could do: a sandbox on
//! a runtime that is not built, work on a volume that is not there, a volume taken away under what runs on it.

use crate::{
    Host, Place, RuntimeSight, Sandbox, ServiceSight, ServiceState, Sight, Step, TaskSight, Trouble, VolumeSight,
};
use std::collections::BTreeMap;

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
        for runtime in self.sight.runtimes.values_mut() {
            *runtime = match runtime {
                RuntimeSight::Building | RuntimeSight::Ready => RuntimeSight::Ready,
                RuntimeSight::Failed { .. } => RuntimeSight::Building,
                RuntimeSight::Absent => RuntimeSight::Absent,
            };
        }
        for task in std::mem::take(&mut self.running) {
            if self.failing.contains(&task.name) {
                self.sight.tasks.insert(
                    task.name.clone(),
                    TaskSight { digest: task.digest(), failed: Some("it failed".to_owned()) },
                );
            } else {
                self.sight.tasks.remove(&task.name);
                self.sight.marks.extend(task.marks);
            }
        }
        for service in self.sight.services.values_mut() {
            match service.state {
                ServiceState::Stopping | ServiceState::Failing { .. } => {
                    service.state = ServiceState::Sleeping;
                }
                ServiceState::Sleeping | ServiceState::Running => {}
            }
        }
    }

    /// The node died and came back: what it held in memory alone is forgotten, what stands on the machine stays.
    pub fn restart(&mut self) {
        self.fuse = None;
        for task in std::mem::take(&mut self.running) {
            self.sight.tasks.remove(&task.name);
        }
        self.sight.tasks.retain(|_, task| task.failed.is_some());
    }

    /// Whether everything a sandbox stands on is there.
    fn stands(&self, sandbox: &Sandbox) -> Result<(), Trouble> {
        let mut names = vec![sandbox.runtime.to_string()];
        for bind in &sandbox.binds {
            match &bind.from {
                Place::App(name) => names.push(name.clone()),
                Place::Template(name) => names.push(name.to_string()),
                Place::Folder(_) | Place::Sockets | Place::Tool | Place::Certificate | Place::Listen => {}
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
        Ok(self.sight.clone())
    }

    fn apply(&mut self, step: &Step) -> Result<(), Trouble> {
        if let Some(left) = &mut self.fuse {
            if *left == 0 {
                return Err(Trouble::ours("the machine crashed"));
            }
            *left -= 1;
        }
        match step {
            Step::Task { task } => self.stands(&task.sandbox)?,
            Step::Service { service, .. } => self.stands(&service.sandbox)?,
            _ => {}
        }
        let sight = &mut self.sight;
        match step {
            Step::Runtime { name } => {
                sight.runtimes.insert(name.clone(), RuntimeSight::Building);
            }
            Step::VolumeCreate { limit, reserve, .. } => match sight.volume {
                VolumeSight::Retained => {
                    return Err(Trouble::ours("a volume beside one that is retained"));
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
                    return Err(Trouble::ours("a limit for a volume that is not live"));
                }
            },
            Step::VolumeRetain => {
                let at_work = !sight.services.is_empty() || !self.running.is_empty();
                match sight.volume {
                    VolumeSight::Live { .. } if at_work => {
                        return Err(Trouble::ours("a volume taken away under what runs on it"));
                    }
                    VolumeSight::Live { .. } => {
                        sight.volume = VolumeSight::Retained;
                        self.kept = std::mem::take(&mut sight.marks);
                    }
                    VolumeSight::Retained => {}
                    VolumeSight::Absent => {
                        return Err(Trouble::ours("there is no volume to retain"));
                    }
                }
            }
            Step::VolumeRevive => match sight.volume {
                VolumeSight::Retained => {
                    sight.volume = VolumeSight::Live { limit: husorden_base::Bytes(0) };
                    sight.marks = std::mem::take(&mut self.kept);
                }
                VolumeSight::Live { .. } => {}
                VolumeSight::Absent => return Err(Trouble::ours("nothing is retained")),
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
                let state = match sight.services.get(role).map(|old| &old.state) {
                    Some(ServiceState::Running | ServiceState::Stopping) => ServiceState::Stopping,
                    Some(ServiceState::Sleeping | ServiceState::Failing { .. }) | None => ServiceState::Sleeping,
                };
                sight.services.insert(role.clone(), ServiceSight { digest: service.digest(), state });
            }
            Step::ServiceDrop { role } => {
                sight.services.remove(role);
            }
            Step::Port { port } => sight.port = Some(port.digest()),
            Step::PortDrop => sight.port = None,
            Step::Route { route } => sight.route = Some(route.digest()),
            Step::RouteDrop => sight.route = None,
        }
        self.done.push(step.clone());
        Ok(())
    }
}
