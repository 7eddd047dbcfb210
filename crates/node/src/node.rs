//! The node itself: what it holds, and the few things its parts need from the whole.

use crate::attachments::{self, Attachments};
use crate::certificates::{self, Certificates, Reader};
use crate::config::Config;
use crate::control::Voice;
use crate::keeper::{self, Keeper};
use crate::outside::{self, Outside};
use crate::port::Ports;
use crate::register::Register;
use crate::report::Reports;
use crate::routes::Routes;
use crate::runtime::Runtimes;
use crate::sandbox::Sandboxes;
use crate::verbs::Verbs;
use crate::volume::{Pool, Volume, VolumeError, Why};
use crate::{control, measures};
use husorden_base::{MeasureId, Number, RuntimeName, SolutionId};
use husorden_kinds::step::Answer;
use husorden_kinds::{Aim, Fill, Order, Outcome, RuntimeSight, ServiceState, Sight, VolumeSight, Waiting, Window};
use husorden_rules::Measure;
use husorden_rules::measure::{Fate, Held};
use husorden_wire::node::{
    BuildHealth, FromNode, Health, ImageHealth, PoolHealth, RuntimeHealth, Seen, SeenState, SnapshotSeen, Stray,
    VolumeUsage, Wish,
};
use jiff::Timestamp;
use serde_json::json;
use std::collections::{BTreeMap, HashSet};
use std::os::fd::OwnedFd;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tracing::{info, warn};

/// Seconds between two tries at a measure that is kept and not in force.
const RETRY_S: u64 = 5;

/// Everything a node holds. The walls know nothing of each other; they meet here.
pub(crate) struct Node {
    pub(crate) config: Config,
    pub(crate) register: Arc<Register>,
    pub(crate) routes: Arc<Routes>,
    pub(crate) certificates: Arc<Certificates>,
    pub(crate) attachments: Attachments,
    /// What [`husorden_kinds::Place::Listen`] is on this machine.
    pub(crate) listen_library: PathBuf,
    pub(crate) judges: crate::judge::Judges,
    /// What [`husorden_kinds::Place::Tool`] is on this machine.
    pub(crate) program: PathBuf,
    pub(crate) pool: Arc<Pool>,
    pub(crate) runtimes: Arc<Runtimes>,
    pub(crate) ports: Arc<Ports>,
    pub(crate) sandboxes: Arc<Sandboxes>,
    pub(crate) keeper: Keeper,
    pub(crate) verbs: Verbs,
    pub(crate) reports: Reports,
    pub(crate) voice: Voice,
    /// Solutions that control did not name since its last hello: reported, never removed.
    pub(crate) unwished: Mutex<Vec<SolutionId>>,
    pub(crate) ending: AtomicBool,
    pub(crate) closed: AtomicBool,
    /// Control has said all that it wishes on the connection that stands.
    pub(crate) confirmed: AtomicBool,
    pub(crate) bailiff: measures::Bailiff,
    pub(crate) outside: Outside,
    pub(crate) consoles: crate::console::Consoles,
    pub(crate) keeping: crate::keeping::Keeping,
    pub(crate) away: crate::away::Away,
    /// What the vault seals to; it lives as long as the node does.
    pub(crate) key: crate::backup::NodeKey,
    pub(crate) slots: crate::backup::Slots,
    /// Snapshots that are being read for a backup.
    pub(crate) reading: crate::backup::Reading,
    pub(crate) makings: crate::backup::Makings,
    /// Files that somebody came in by, and that are as they were then.
    pub(crate) holes: crate::hole::Holes,
    pub(crate) proofs: crate::proof::Proofs,
    pub(crate) trial: crate::trial::Trial,
    /// The network by which targets are reached, where that is not the node's own.
    pub(crate) ways: Option<OwnedFd>,
    /// Held while it is decided by the measures register whether a solution may start and be reached, and while that is done.
    pub(crate) gate: Mutex<()>,
}

impl Node {
    /// Whether the node is on its way out.
    pub(crate) fn ending(&self) -> bool {
        self.ending.load(Ordering::Relaxed)
    }

    /// Asks the node to close everything and end.
    pub(crate) fn end(&self) {
        self.ending.store(true, Ordering::Relaxed);
        self.keeper.rouse();
    }

    /// Whoever opens or closes a solution by the measures register does it behind this gate.
    pub(crate) fn gate(&self) -> MutexGuard<'_, ()> {
        self.gate.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The folder with the certificate of a solution's own name on this installation; only its sandboxes see it.
    ///
    /// # Errors
    /// When it can't be made: the zone may be one that the installation's authority does not certify.
    pub(crate) fn certificate(&self, wish: &Wish) -> Result<PathBuf, certificates::Error> {
        let host = husorden_base::host(&wish.kind, wish.number, &self.config.zone);
        let host = host.unwrap_or_else(|| self.config.zone.clone());
        let name = certificates::own_name(wish.number);
        let held = self.certificates.ensure(&name, &[host], Reader::Owner(wish.number.uid()))?;
        Ok(held.folder)
    }

    /// A solution's volume.
    pub(crate) fn volume(&self, number: Number) -> Volume {
        self.pool.volume(number)
    }

    /// What a kind plans from: the wish, under the measures in force at this moment.
    pub(crate) fn order(&self, wish: &Wish) -> Order {
        let now = Timestamp::now();
        let held = self.register.held(wish.solution, wish.account, now);
        let sealed = held.as_ref().is_some_and(|held| held.sealed);
        Order {
            solution: wish.solution,
            number: wish.number,
            aim: wish.aim,
            spec: wish.spec.clone(),
            credentials: wish.credentials.clone(),
            networks: wish.networks.clone(),
            public: wish.public,
            rules: wish.rules.clone(),
            mail_out: wish.mail_out,
            uses: attachments::uses(self, wish),
            guests: attachments::guests(self, wish),
            still: held.as_ref().is_some_and(|held| stands_still(wish, held)),
            closed: held.map(|held| held.case_number),
            window: Window::of(&wish.spec).is_open(wish.number, now),
            log_s: self.config.care.log_s,
            // A sealed solution does not expire: legal hold beats deletion.
            // Nor is anything destroyed on an old word: control must have said just now that it is still wished so, and
            // a moment is left for an undo that is on its way.
            expired: !sealed
                && wish.aim == Aim::Gone
                && self.confirmed.load(Ordering::Relaxed)
                && wish.retain_until.is_some_and(|until| until + self.grace() <= now),
        }
    }

    /// Second line behind the plan: what is held starts nothing and reaches nothing, whatever was planned.
    pub(crate) fn enforce(&self, wish: &Wish) {
        let _gate = self.gate();
        let held = self.register.held(wish.solution, wish.account, Timestamp::now()).is_some();
        self.sandboxes.hold(wish.number, held);
        let result = if held { self.ports.close(wish.number) } else { self.ports.open_again(wish.number) };
        if let Err(error) = result {
            warn!(number = %wish.number, %error, "a port is not as the measures want it");
        }
    }

    /// How long after its retention a solution is destroyed at the earliest.
    fn grace(&self) -> jiff::SignedDuration {
        jiff::SignedDuration::from_secs(self.config.care.grace_s.into())
    }

    /// How long until the wish changes by itself: its retention ends.
    pub(crate) fn until_due(&self, wish: &Wish) -> Option<Duration> {
        let until = wish.retain_until.filter(|_| wish.aim == Aim::Gone)?;
        let left = (until + self.grace()).duration_since(Timestamp::now()).max(jiff::SignedDuration::from_secs(1));
        Duration::try_from(left).ok()
    }

    /// Whether nothing is left of a solution whose time is over.
    pub(crate) fn is_over(&self, order: &Order, sight: &Sight) -> bool {
        order.aim == Aim::Gone && order.expired && sight.volume == VolumeSight::Absent && sight.services.is_empty()
    }

    /// Runs something while the solution's services are stopped and stay so; connections wait meanwhile.
    pub(crate) fn quiet<T>(
        &self,
        number: Number,
        work: impl FnOnce() -> Result<T, VolumeError>,
    ) -> Result<T, husorden_base::Refusal> {
        let _quiet = self.sandboxes.quiet(number).map_err(|error| crate::verbs::ours(&error))?;
        work().map_err(|error| crate::host::refused(&error))
    }

    /// Keeps and says what a pass has shown, and whether a measure held the solution when it began.
    pub(crate) fn report(&self, wish: &Wish, closed: bool, outcome: &Outcome) {
        let (sight, state, waiting) = match outcome {
            Outcome::Settled(sight) => (Some(sight), SeenState::Settled, None),
            Outcome::Waits(sight, waiting) => {
                let state = match waiting {
                    Waiting::Work { .. } => SeenState::Working,
                    Waiting::Trouble { .. } => SeenState::Trouble,
                };
                (Some(sight), state, Some(waiting.clone()))
            }
            Outcome::Unfinished(sight) => (Some(sight), SeenState::Working, None),
            Outcome::Blind(trouble) | Outcome::Failed(trouble) => {
                (None, SeenState::Trouble, Some(Waiting::Trouble { text: trouble.text.clone() }))
            }
        };
        let mut looked = sight.is_some();
        let has_volume = sight.is_some_and(|sight| sight.volume != VolumeSight::Absent);
        let volume = self.volume(wish.number);
        let (usage, snapshots) = if has_volume {
            let usage = volume.usage().ok().map(|usage| VolumeUsage {
                live: usage.live.0,
                snapshots: usage.snapshots.0,
                limit: usage.limit.0,
                full: self.sandboxes.fill(wish.number) != Fill::Room,
            });
            let listed = volume.snapshots();
            looked &= usage.is_some() && listed.is_ok();
            let snapshots = listed.unwrap_or_default();
            let snapshots = snapshots
                .into_iter()
                .filter_map(|snapshot| {
                    let before = match snapshot.why {
                        Why::Customer => None,
                        Why::Before { what } => Some(what),
                        Why::Base => Some("log".to_owned()),
                        // They are none to choose: undoing the deletion brings the one back, and of the other there is a backup.
                        Why::Retained | Why::Backup => return None,
                    };
                    Some(SnapshotSeen {
                        id: snapshot.id,
                        taken: snapshot.taken_at,
                        label: snapshot.label.unwrap_or_default(),
                        before,
                        spec: snapshot.spec,
                        consistent: snapshot.consistent,
                    })
                })
                .collect();
            (usage, snapshots)
        } else {
            (None, Vec::new())
        };
        if let Some(sight) = sight {
            self.holes.heard(wish.solution, sight.marks.get(husorden_kinds::hole::MARK));
        }
        let turn = self.logs_turn();
        let seen = Seen {
            solution: wish.solution,
            report: 0,
            epoch: wish.epoch,
            generation: wish.generation,
            looked,
            state,
            closed,
            waiting,
            usage,
            snapshots,
            marks: sight.map(|sight| sight.marks.clone()).unwrap_or_default(),
            services: sight.map(services).unwrap_or_default(),
            builds: self.register.builds(wish.solution),
            log: has_volume.then(|| self.log_seen(wish)).flatten(),
            virtualisation: sight.map(|sight| sight.virtualisation.clone()).unwrap_or_default(),
            away: has_volume.then(|| self.away.seen(wish.solution)).flatten(),
            at: Timestamp::now(),
        };
        if let Some(seen) = self.reports.news(seen) {
            self.voice.say(&FromNode::Seen(Box::new(seen)));
        }
        self.logs_told_of(wish.solution, turn);
    }

    /// What the edge has open with a site's service. The edge counts by site, and one service of a site is the edge's.
    pub(crate) fn note_activity(&self, counts: &husorden_base::site::Counts) {
        let Some(number) = Number::new(counts.number) else { return };
        if let Some(Answer::Php { role, .. }) = self.register.route(number).map(|route| route.answer) {
            self.sandboxes.note_activity(number, &role, counts.in_flight);
        }
    }

    /// After a hello: what control may have missed, or never knew.
    pub(crate) fn say_everything(self: &Arc<Self>, named: &HashSet<MeasureId>) {
        for seen in self.reports.all() {
            self.voice.say(&FromNode::Seen(Box::new(seen)));
        }
        // Those that stand here and that control did not name: it was brought back from before they were decided.
        let ahead = |measure: &Measure| measure.lifted.is_none() && !named.contains(&measure.id);
        let all = self.register.measures();
        for measure in all.into_iter().filter(|measure| measure.case.is_none() || ahead(measure)) {
            let reasons = if measure.case.is_none() {
                "taken on the node while control was away"
            } else {
                "held by the node, and unknown to a control that was brought back from an older backup"
            };
            let reasons = reasons.to_owned();
            self.voice.say(&FromNode::MeasureTaken { measure: Box::new(measure), reasons });
        }
        for seen in self.outside.said() {
            self.voice.say(&FromNode::MeasureSeen(Box::new(seen)));
        }
        control::say_evidence(self);
        self.voice.say(&FromNode::Health(Box::new(self.health())));
        keeper::sweep(self);
    }

    /// What control does not know of, in words that say more than its id.
    fn stray(&self, solution: SolutionId) -> String {
        match self.register.wish(solution) {
            Some(wish) => format!("{} {} ({}) {solution}", wish.number, wish.name, wish.kind),
            None => solution.to_string(),
        }
    }

    /// Notes what control did not name.
    pub(crate) fn note_unwished(&self, solutions: Vec<SolutionId>) {
        if !solutions.is_empty() {
            warn!(count = solutions.len(), "solutions lie here that control did not name; they are kept and served");
        }
        *self.unwished.lock().unwrap_or_else(PoisonError::into_inner) = solutions;
    }

    /// The wish for a solution that control did not name.
    pub(crate) fn unwished(&self, solution: SolutionId) -> Option<Wish> {
        let unwished = self.unwished.lock().unwrap_or_else(PoisonError::into_inner).contains(&solution);
        unwished.then(|| self.register.wish(solution)).flatten()
    }

    /// How the node is.
    pub(crate) fn health(&self) -> Health {
        let pool = self.pool.health().map_or_else(
            |error| {
                warn!(%error, "the pool's health could not be read");
                PoolHealth::default()
            },
            |health| PoolHealth {
                data_used: health.data_used.0,
                data_total: health.data_total.0,
                meta_used: health.meta_used.0,
                meta_total: health.meta_total.0,
                errors: health.device_errors,
            },
        );
        let images = self.runtimes.images();
        let image = |name: &RuntimeName| {
            let image = images.iter().find(|image| image.entry.name == *name && image.entry.build.is_some())?;
            Some(ImageHealth {
                title: image.entry.title.clone(),
                disk: image.disk?,
                firmware: image.firmware.map(|firmware| firmware.word().to_owned()),
                imported: image.imported.is_some(),
                licence_pool: image.licence.pool.clone(),
            })
        };
        let runtimes = self
            .runtimes
            .list()
            .into_iter()
            .map(|entry| {
                let (state, text) = match entry.sight {
                    RuntimeSight::Absent => ("absent", String::new()),
                    RuntimeSight::Building => ("building", entry.progress.unwrap_or_default()),
                    RuntimeSight::Ready => ("ready", String::new()),
                    RuntimeSight::Failed { reason } => ("failed", reason),
                };
                RuntimeHealth {
                    image: image(&entry.name),
                    name: entry.name.to_string(),
                    state: state.to_owned(),
                    text,
                    build: entry.build,
                    packages: entry.packages,
                    builds: entry
                        .builds
                        .into_iter()
                        .map(|(build, built_at, packages)| BuildHealth { build, built_at, packages })
                        .collect(),
                }
            })
            .collect();
        let unwished = self.unwished.lock().unwrap_or_else(PoisonError::into_inner);
        Health {
            runtimes,
            pool,
            sandboxes: u32::try_from(self.sandboxes.occupied().len()).unwrap_or(u32::MAX),
            strays: unwished.iter().map(|solution| self.stray(*solution)).collect(),
            unwished: unwished
                .iter()
                .filter_map(|solution| self.register.wish(*solution))
                .map(|wish| Stray {
                    solution: wish.solution,
                    number: wish.number,
                    account: wish.account,
                    name: wish.name.to_string(),
                    kind: wish.kind,
                })
                .collect(),
            edge_generation: self.routes.applied(),
            certificate_ends: self.routes.first_end(),
            pools: self.config.pools.clone(),
            logs: self.logs_told(),
        }
    }

    /// Takes everything off the machine: sandboxes in an orderly way, then ports, then the pool. Data stays.
    pub(crate) fn close(&self) -> Result<(), crate::Error> {
        self.sandboxes.close();
        outside::close(self).map_err(crate::failed("closing the probe's network"))?;
        self.ports.shut().map_err(crate::failed("closing the ports"))?;
        self.runtimes.close();
        self.pool.release().map_err(crate::failed("closing the pool"))
    }

    /// What comes round by itself; what fails is tried again when it comes round the next time.
    fn housekeeping(&self, round: u64) {
        let care = &self.config.care;
        if round.is_multiple_of(care.tidy_s.max(1)) {
            self.tidy();
        }
        if round.is_multiple_of(care.renew_s.max(1)) {
            self.routes.renew();
        }
        if round.is_multiple_of(care.scrub_s.max(1))
            && let Err(error) = self.pool.scrub()
        {
            warn!(%error, "the pool was not read against its checksums");
        }
    }

    /// Takes away what nothing uses: quota groups of what is destroyed, and builds that a newer one replaced long ago.
    pub(crate) fn tidy(&self) {
        if let Err(error) = self.pool.sweep_groups() {
            warn!(%error, "quota groups of destroyed solutions stay");
        }
        let kept = jiff::SignedDuration::from_secs(i64::try_from(self.config.care.build_kept_s).unwrap_or(i64::MAX));
        let removed = self.sandboxes.places().map_err(|error| error.to_string()).and_then(|used| {
            let before = Timestamp::now().checked_sub(kept).unwrap_or(Timestamp::MIN);
            self.runtimes
                .tidy(&used, &self.register.pinned_builds(), before)
                .map_err(|error| crate::causes::causes(&error))
        });
        match removed {
            Ok(removed) if removed.is_empty() => {}
            Ok(removed) => {
                info!(?removed, "builds that nothing used any more are gone");
                if let Err(error) = self.register.witness("runtime.tidied", None, json!({ "builds": removed })) {
                    warn!(%error, "no line of evidence of builds that were tidied away");
                }
            }
            Err(error) => warn!(error, "builds that nothing uses stay"),
        }
    }

    /// The clock of the node: measures that turn, health, evidence, and the sweep.
    pub(crate) fn tick(self: &Arc<Self>) {
        let mut since = Timestamp::now();
        let mut round = 0_u64;
        while !self.ending() {
            std::thread::sleep(Duration::from_secs(1));
            round += 1;
            since = measures::look_after(self, since, round.is_multiple_of(RETRY_S));
            if round.is_multiple_of(10) {
                self.voice.say(&FromNode::Health(Box::new(self.health())));
                control::say_evidence(self);
            }
            if round.is_multiple_of(self.config.care.sweep_s.max(1)) {
                keeper::sweep(self);
            }
            self.housekeeping(round);
            crate::trial::consider(self);
        }
    }
}

/// Whether what runs of a solution stays as it is while a measure holds it.
pub(crate) fn stands_still(wish: &Wish, held: &Held) -> bool {
    held.work != Fate::Cut && husorden_kinds::kind(&wish.kind).is_some_and(|kind| kind.stands_still())
}

fn services(sight: &Sight) -> BTreeMap<String, String> {
    sight
        .services
        .iter()
        .map(|(role, service)| {
            let state = match &service.state {
                ServiceState::Sleeping => "sleeping",
                ServiceState::Running => "running",
                ServiceState::Stopping | ServiceState::Renewing => "stopping",
                ServiceState::Failing { .. } => "failing",
            };
            (role.clone(), state.to_owned())
        })
        .collect()
}
