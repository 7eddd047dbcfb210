//! A machine in memory, for the tests of the kinds: each step does to a [`Sight`] what the real walls do, and long work
//! ends when the test says so. It can be told to crash before any step.

use crate::{
    Host, RuntimeSight, ServiceSight, ServiceState, Sight, Step, TaskSight, Trouble, VolumeSight,
};

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
    running: Vec<crate::Task>,
}

impl Fake {
    /// A machine on which this stands.
    #[must_use]
    pub fn with(sight: Sight) -> Self {
        Self {
            sight,
            ..Self::default()
        }
    }

    /// Long work ends: builds are ready, tasks leave their marks or fail.
    pub fn time_passes(&mut self) {
        for runtime in self.sight.runtimes.values_mut() {
            if *runtime == RuntimeSight::Building {
                *runtime = RuntimeSight::Ready;
            }
        }
        for task in std::mem::take(&mut self.running) {
            if self.failing.contains(&task.name) {
                self.sight.tasks.insert(
                    task.name.clone(),
                    TaskSight {
                        digest: task.digest(),
                        failed: Some("it failed".to_owned()),
                    },
                );
            } else {
                self.sight.tasks.remove(&task.name);
                self.sight
                    .marks
                    .insert(task.mark.0.clone(), task.mark.1.clone());
            }
        }
        for service in self.sight.services.values_mut() {
            if service.state == ServiceState::Stopping {
                service.state = ServiceState::Sleeping;
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
        let sight = &mut self.sight;
        match step {
            Step::Runtime { name } => {
                sight.runtimes.insert(name.clone(), RuntimeSight::Building);
            }
            Step::VolumeCreate { limit, .. } => sight.volume = VolumeSight::Live { limit: *limit },
            Step::VolumeLimit { limit } => sight.volume = VolumeSight::Live { limit: *limit },
            Step::VolumeRetain => {
                sight.volume = VolumeSight::Retained;
                sight.marks.clear();
            }
            Step::VolumeRevive => {
                sight.volume = VolumeSight::Live {
                    limit: husorden_base::Bytes(0),
                };
                sight.marks.insert("app".to_owned(), "revived".to_owned());
            }
            Step::VolumeDestroy => {
                sight.volume = VolumeSight::Absent;
                sight.marks.clear();
            }
            Step::Task { task } => {
                if sight.volume == VolumeSight::Absent || sight.volume == VolumeSight::Retained {
                    return Err(Trouble::ours("a task without a volume"));
                }
                sight.tasks.insert(
                    task.name.clone(),
                    TaskSight {
                        digest: task.digest(),
                        failed: None,
                    },
                );
                self.running.push((**task).clone());
            }
            Step::TaskForget { name } => {
                sight.tasks.remove(name);
                self.running.retain(|task| task.name != *name);
            }
            Step::Service { role, service } => {
                let state = match sight.services.get(role).map(|old| &old.state) {
                    Some(ServiceState::Running | ServiceState::Stopping) => ServiceState::Stopping,
                    Some(ServiceState::Sleeping | ServiceState::Failing { .. }) | None => {
                        ServiceState::Sleeping
                    }
                };
                sight.services.insert(
                    role.clone(),
                    ServiceSight {
                        digest: service.digest(),
                        state,
                    },
                );
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
