//! `husorden up`: from an empty machine to a running platform, and the watch over it.

use crate::base::Base;
use crate::demo::{self, Credentials, Extent};
use crate::place::{PROOF, Place, ROLES, SUPERVISOR, Settings, Which};
use crate::process::{Identity, Single};
use crate::progress::{Progress, line, told};
use crate::signals::Signals;
use crate::status::{self, State};
use crate::supervise::{Found, Role};
use crate::{detach, doctor, local, logs, prepare, vault};
use anyhow::{Context, Result, bail};
use std::fs;
use std::net::{IpAddr, SocketAddr, TcpStream};
use std::process::ExitCode;
use std::time::{Duration, Instant};

/// How long a role may take to answer for the first time.
const READY_WAIT: Duration = Duration::from_secs(120);
/// How often a role may die before it has answered once.
const DEATHS_MAX: u32 = 3;
/// How often the supervisor looks when nothing wakes it.
const LOOK: Duration = Duration::from_secs(1);

/// Start the platform.
#[derive(Clone, Debug, clap::Args)]
pub(crate) struct Up {
    #[command(flatten)]
    which: Which,
    /// Also make a demo account and a demo site, and wait until it answers; `--demo=account` makes no site
    #[arg(long, value_enum, num_args = 0..=1, require_equals = true, default_missing_value = "site")]
    demo: Option<Extent>,
    /// Come back when it is ready; it goes on in the background
    #[arg(long)]
    detach: bool,
    /// This is the process in the background
    #[arg(long, hide = true)]
    background: bool,
}

impl Up {
    /// The supervisor speaks to its log; whoever waits at a terminal hears of trouble only.
    pub(crate) fn prepare_log(&self) {
        if self.background {
            detach::own_session();
        }
        if self.background || !self.detach {
            crate::log();
        }
    }

    /// Starts what does not run, and stays unless told otherwise.
    pub(crate) fn run(self) -> Result<ExitCode> {
        if !nix::unistd::geteuid().is_root() {
            bail!("`husorden up` makes users, namespaces and mounts, and must be started by root");
        }
        let place = self.which.place()?;
        let settings = self.which.settings(&place)?;
        let mut progress = Progress::new();
        if let Some(supervisor) = Single::holder(&place.role_lock(SUPERVISOR)) {
            line(&format!("{} runs already (supervisor {})", place.instance, supervisor.pid));
            return self.ready(&place, &settings, &mut progress);
        }
        if place.rebuild().exists() {
            bail!("a rebuild of {} was begun and not ended: run `husorden rebuild` again", place.instance);
        }
        if !self.background
            && let Some(missing) = doctor::missing(&place, &settings)?
        {
            bail!("{} does not run on this machine as it is:\n{missing}", place.instance);
        }
        if self.detach && !self.background {
            line(&format!("starting {} in {}", place.instance, place.home.display()));
            let code = detach::start(&place)?;
            return if code == 0 { self.ready(&place, &settings, &mut progress) } else { Ok(ExitCode::from(code)) };
        }
        let signals = Signals::take()?;
        fs::create_dir_all(place.run.join("roles")).with_context(|| format!("making {}", place.run.display()))?;
        let Ok(_single) = Single::become_one(&place.role_lock(SUPERVISOR)).context("taking the supervisor's lock")?
        else {
            bail!("another `husorden up` of {} is under way", place.instance);
        };
        let base = Base::new(&place)?;
        let mut house = House { roles: Vec::new(), base, signals, place, settings };
        match house.start(&mut progress) {
            Ok(()) => {}
            Err(error) => {
                line(&format!("error: {}", told(&error)));
                house.stop(&mut Progress::new());
                return Ok(ExitCode::FAILURE);
            }
        }
        let demo = if self.background {
            detach::let_go(&house.place)?;
            None
        } else {
            let (up, place, settings) = (self, house.place.clone(), house.settings.clone());
            // Beside the watch: a role that dies while the demo is made is started again meanwhile.
            Some(std::thread::spawn(move || up.ready(&place, &settings, &mut progress)))
        };
        house.watch();
        house.stop(&mut Progress::new());
        drop(demo);
        Ok(ExitCode::SUCCESS)
    }

    /// The platform runs: what is still wished of it, and where it is.
    fn ready(&self, place: &Place, settings: &Settings, progress: &mut Progress) -> Result<ExitCode> {
        // A demo that was made once is there still, also when it was not asked for now.
        let demo = match self.demo {
            Some(extent) => Some(demo::make(place, settings, extent, progress)?),
            None => Credentials::read(place).ok(),
        };
        line(&status::summary(place, demo.as_ref()));
        line(&format!("ready in {:.1} s", progress.seconds()));
        Ok(ExitCode::SUCCESS)
    }
}

/// The platform, as its supervisor holds it.
struct House {
    place: Place,
    settings: Settings,
    /// What is under the roles: database and network.
    base: Base,
    /// In the order in which they start.
    roles: Vec<Role>,
    signals: Signals,
}

impl House {
    /// Starts everything that does not run, in order, and waits for each to answer.
    fn start(&mut self, progress: &mut Progress) -> Result<()> {
        let (users, text) = prepare::users()?;
        progress.done(&text);
        prepare::folders(&self.place, &self.settings, &users)?;
        let ca = prepare::certificates(&self.place, &self.settings, &users)?;
        progress.done("folders and certificate authority");

        self.base.network(&self.place, &self.settings)?;
        progress.done(&self.base.network_text());
        self.base.database(&self.place, &self.settings, &users)?;
        progress.done(&self.base.database_text());
        prepare::role_files(&self.place, &self.settings, &users, self.base.net())?;

        let edge = self.base.edge_address();
        let api = self.settings.api.listen;
        let panel = self.settings.panel(&self.place);
        let page = |name: &str| match self.settings.panel_listen().port() {
            443 => format!("https://{name}"),
            port => format!("https://{name}:{port}"),
        };
        let state = State {
            api: format!("http://{api}"),
            panel: page(&panel.customers),
            staff: page(&panel.staff),
            edge: edge.to_string(),
            https: port(&self.settings.edge.https, 443),
            http: port(&self.settings.edge.http, 80),
            netns: self.base.net().map(|net| net.namespace.clone()),
            ca,
        };
        state.write(&self.place)?;

        let names = ROLES.into_iter().chain(self.settings.proof.pool.map(|_| PROOF));
        let pause_max = Duration::from_secs(self.settings.supervisor.pause_max_s.into());
        for name in names {
            self.roles.push(Role::new(&self.place, name).pausing(pause_max));
            let how = self.begin(name, edge, progress)?;
            progress.done(&how);
        }
        Ok(())
    }

    /// Starts or adopts the newest role and waits until it answers.
    fn begin(&mut self, name: &'static str, edge: IpAddr, progress: &Progress) -> Result<String> {
        let until = Instant::now() + READY_WAIT;
        let mut told = Instant::now();
        let mut how = "";
        loop {
            self.look(false);
            let role = self.roles.last_mut().context("a role was just added")?;
            match role.look_after()? {
                Found::Adopted(_) => how = "was running and is adopted",
                Found::Started(_) => how = "started",
                Found::Same | Found::Died(_) => {}
            }
            let answers = role.identity().is_some()
                && match name {
                    "vault" => vault::status(&self.place).is_ok(),
                    // It waits for the others itself.
                    "platform" => true,
                    "control" => TcpStream::connect_timeout(&self.settings.api.listen, LOOK).is_ok(),
                    "node" => local::ask(&self.place, &serde_json::json!({ "do": "status" })).is_ok(),
                    PROOF => local::ask(&self.place.of_proofs(), &serde_json::json!({ "do": "status" })).is_ok(),
                    _ => {
                        let address = SocketAddr::new(edge, port(&self.settings.edge.https, 443));
                        TcpStream::connect_timeout(&address, LOOK).is_ok()
                    }
                };
            if answers {
                let pid = role.identity().map_or(0, |identity| identity.pid);
                return Ok(format!("{name} {how} (pid {pid})"));
            }
            if role.deaths >= DEATHS_MAX || Instant::now() >= until {
                let words = role.last_words(12).join("\n    ");
                bail!("{name} does not answer. The end of its log:\n    {words}");
            }
            if told.elapsed() > Duration::from_secs(10) {
                progress.meanwhile(&format!("waiting for {name}"));
                told = Instant::now();
            }
            if self.signals.sleep(Duration::from_millis(50)) {
                bail!("asked to stop");
            }
        }
    }

    /// Looks after every role but, at the start, the newest.
    fn look(&mut self, all: bool) {
        let count = self.roles.len() - usize::from(!all && !self.roles.is_empty());
        for role in &mut self.roles[..count] {
            match role.look_after() {
                Ok(Found::Same) => {}
                Ok(Found::Adopted(identity)) => tracing::info!(role = role.name, pid = identity.pid, "adopted"),
                Ok(Found::Started(identity)) => tracing::info!(role = role.name, pid = identity.pid, "started"),
                Ok(Found::Died(pause)) => tracing::error!(
                    role = role.name,
                    deaths = role.deaths,
                    pause_ms = pause.as_millis(),
                    last_words = role.last_words(3).join(" | "),
                    "died and is started again after a pause"
                ),
                Err(error) => tracing::error!(role = role.name, "could not be looked after: {}", told(&error)),
            }
        }
    }

    /// Keeps everything running until an end is asked for.
    fn watch(&mut self) {
        tracing::info!(instance = self.place.instance, "everything runs");
        let mut bounded = Instant::now();
        while !self.signals.sleep(LOOK) {
            self.look(true);
            if let Err(error) = self.base.look_after() {
                tracing::error!("the database could not be looked after: {}", told(&error));
            }
            if bounded.elapsed() > Duration::from_secs(10) {
                let names: Vec<&str> = [SUPERVISOR].into_iter().chain(ROLES).chain([PROOF]).collect();
                logs::bound(&self.place.logs(), &names, None);
                bounded = Instant::now();
            }
        }
    }

    /// Ends everything in order: nothing new comes in, what runs is closed, then what lay under it.
    fn stop(&mut self, progress: &mut Progress) {
        stop_roles(&self.place, &mut self.roles, progress);
        self.base.stop();
        progress.done("database and network closed");
    }
}

/// Ends the roles from the edge inwards. The node closes what it opened before it ends.
pub(crate) fn stop_roles(place: &Place, roles: &mut [Role], progress: &mut Progress) {
    for role in roles.iter_mut().rev() {
        let running = Single::holder(&place.role_lock(role.name));
        match (role.name, running) {
            ("node", Some(identity)) => close_node(place, identity, progress),
            (PROOF, Some(identity)) => close_node(&place.of_proofs(), identity, progress),
            _ => {}
        }
        let forced = role.stop();
        if running.is_some() {
            progress.done(&format!("{} {}", role.name, if forced { "killed" } else { "stopped" }));
        }
    }
}

/// Asks the node to close its sandboxes, ports and pools, and waits for its end.
fn close_node(place: &Place, node: Identity, progress: &Progress) {
    match local::ask(place, &serde_json::json!({ "do": "close" })) {
        Ok(_) if node.gone_within(Duration::from_secs(60)) => {}
        Ok(_) => progress.note("the node did not close everything in 60 s"),
        Err(error) => progress.note(&format!("the node could not be asked to close: {}", told(&error))),
    }
}

fn port(list: &[SocketAddr], usual: u16) -> u16 {
    list.first().map_or(usual, SocketAddr::port)
}
