//! The roles alone: `husorden vault`, `control`, `node`, `edge` and `proof`, each with its file. Under `up` they are started just like this.

use crate::platform;
use crate::role::{RoleFile, TAKEN};
use crate::users;
use anyhow::{Context, Result};
use husorden_base::Secret;
use husorden_kinds::sandbox::LEAKED;
use husorden_passwords::Judge;
use nix::sched::CloneFlags;
use nix::sys::signal::SigSet;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

/// A role's file.
#[derive(Clone, Debug, clap::Args)]
pub(crate) struct FileArg {
    /// The role's file: [process] says as whom and where, the table named after the role is its own
    #[arg(long, value_name = "FILE")]
    pub(crate) config: PathBuf,
}

/// The API and the panel, with the database behind them. The panel listens before it steps down, for its port may be
/// root's.
pub(crate) fn control(path: &Path) -> Result<ExitCode> {
    let file = RoleFile::<husorden_control::Config, husorden_panel::Config>::read("control", path)?;
    let Some(_single) = file.process.take_place()? else { return Ok(taken("control")) };
    let mut panel = file.beside;
    let listeners = panel.as_mut().map(|panel| bind(&mut panel.listen)).transpose()?.unwrap_or_default();
    file.process.step_down()?;
    let runtime = tokio::runtime::Runtime::new().context("starting the runtime")?;
    runtime.block_on(serve(file.config, panel, listeners))?;
    Ok(ExitCode::SUCCESS)
}

/// Control with the panel on it, until an end is asked for or a part of them has ended.
async fn serve(
    config: husorden_control::Config,
    panel: Option<husorden_panel::Config>,
    listeners: Vec<TcpListener>,
) -> Result<()> {
    let mut control = husorden_control::start(config, &husorden_kinds::KINDS).await?;
    tracing::info!(address = %control.address, "control serves");
    let mut panel = match panel {
        Some(panel) => Some(husorden_panel::start(control.app(), panel, listeners)?),
        None => None,
    };
    let panel_ended = async {
        match panel.as_mut() {
            Some(panel) => panel.ended().await,
            None => std::future::pending().await,
        }
    };
    let whole = tokio::select! {
        () = asked_to_end() => true,
        () = control.ended() => false,
        () = panel_ended => false,
    };
    if let Some(panel) = panel {
        panel.stop().await;
    }
    control.stop().await;
    anyhow::ensure!(whole, "a part of control ended by itself; the log says why");
    Ok(())
}

/// The walls and the passes. It ends by its local socket when everything is to be closed; a signal ends it at once and
/// leaves what runs running.
pub(crate) fn node(path: &Path) -> Result<ExitCode> {
    let file = RoleFile::<husorden_node::Config>::read("node", path)?;
    // Before the node enters a network of its own: packages for runtimes come by the machine's.
    let machine_net = husorden_node::network::current()?;
    let Some(_single) = file.process.take_place()? else { return Ok(taken("node")) };
    husorden_node::run(file.config, machine_net)?;
    Ok(ExitCode::SUCCESS)
}

/// Proofs of backups: a node without customers, with a pool of its own, in a network with nothing in it. Targets are reached by the machine's.
pub(crate) fn proof(path: &Path) -> Result<ExitCode> {
    let file = RoleFile::<husorden_node::Config>::read("proof", path)?;
    let machine_net = husorden_node::network::current()?;
    let Some(_single) = file.process.take_place()? else { return Ok(taken("proof")) };
    nix::sched::unshare(CloneFlags::CLONE_NEWNET).context("leaving the machine's network")?;
    husorden_node::run(file.config, machine_net)?;
    Ok(ExitCode::SUCCESS)
}

/// TLS, HTTP and the way to each site. It listens before it steps down, for its ports are root's.
pub(crate) fn edge(path: &Path) -> Result<ExitCode> {
    let file = RoleFile::<husorden_edge::Config>::read("edge", path)?;
    let Some(_single) = file.process.take_place()? else { return Ok(taken("edge")) };
    let mut config = file.config;
    if file.process.user.is_some() {
        config.https_port = config.https_port.or_else(|| config.https.first().map(SocketAddr::port));
        config.bound.https = bind(&mut config.https)?;
        config.bound.http = bind(&mut config.http)?;
    }
    file.process.step_down()?;
    husorden_edge::run_blocking(config, asked_to_end())?;
    Ok(ExitCode::SUCCESS)
}

/// What opens backups. It listens once it has stepped down, in a folder of its own.
pub(crate) fn vault(path: &Path) -> Result<ExitCode> {
    let file = RoleFile::<husorden_vault::Config>::read("vault", path)?;
    let Some(_single) = file.process.take_place()? else { return Ok(taken("vault")) };
    let config = file.config;
    let control = users::find(&config.control)?.with_context(|| format!("there is no user {}", config.control))?;
    if nix::unistd::geteuid().is_root() {
        // A network of its own, with nothing in it: what the vault keeps leaves by its socket alone.
        nix::sched::unshare(CloneFlags::CLONE_NEWNET).context("leaving the machine's network")?;
    }
    file.process.step_down()?;
    husorden_vault::serve::keep_memory_private().context("keeping the vault's memory private")?;
    let store = husorden_vault::Store::open(&config.folder, config.copies_days)
        .with_context(|| format!("opening the vault {}", config.folder.display()))?;
    let listener = husorden_vault::serve::bind(&config.socket)
        .with_context(|| format!("listening on {}", config.socket.display()))?;
    tracing::info!("the vault answers");
    husorden_vault::serve::serve(store, &listener, control.uid.as_raw());
    Ok(ExitCode::SUCCESS)
}

/// The platform's own backups. It is root, for what it gathers is closed to everybody else.
pub(crate) fn platform(path: &Path) -> Result<ExitCode> {
    let file = RoleFile::<platform::Config>::read("platform", path)?;
    let Some(_single) = file.process.take_place()? else { return Ok(taken("platform")) };
    platform::run(file.config)?;
    Ok(ExitCode::SUCCESS)
}

/// What is unpacked, and where to; the archive comes on standard input.
#[derive(Clone, Debug, clap::Args)]
pub(crate) struct Unpack {
    #[arg(long)]
    format: String,
    /// Size of the archive.
    #[arg(long)]
    bytes: u64,
    #[arg(long, default_value = "")]
    into: String,
}

impl Unpack {
    /// Unpacks. A refusal is the last thing it says, as JSON, for the node to pass on.
    pub(crate) fn run(&self) -> ExitCode {
        match husorden_node::unpack::inside(&self.format, self.bytes, &self.into) {
            Ok(done) => {
                crate::progress::line(&format!("{} files, {} bytes", done.files, done.bytes));
                ExitCode::SUCCESS
            }
            Err(refusal) => {
                let text = serde_json::to_string(&refusal).unwrap_or_else(|error| error.to_string());
                #[allow(clippy::print_stderr, reason = "these are the last words that the node reads")]
                {
                    eprintln!("{text}");
                }
                ExitCode::FAILURE
            }
        }
    }
}

/// Judges a password: user and password on standard input, a zero between them; on standard output why it is refused, and 1 as the exit
/// code then. Beside the small list of leaked passwords that the program carries there is the imported one, where the sandbox is given it.
pub(crate) fn judge() -> ExitCode {
    let mut asked = Vec::new();
    if std::io::stdin().take(JUDGED_BYTES_MAX).read_to_end(&mut asked).is_err() {
        return ExitCode::from(2);
    }
    let (user, password) = match asked.iter().position(|byte| *byte == 0) {
        Some(at) => (&asked[..at], &asked[at + 1..]),
        None => return ExitCode::from(2),
    };
    let (user, password) = (String::from_utf8_lossy(user), Secret::new(String::from_utf8_lossy(password).into_owned()));
    let Err(refusal) = Judge::new(Some(LEAKED.into())).check(password.reveal(), &[&user], false) else {
        return ExitCode::SUCCESS;
    };
    let told = format!("{}. {}", refusal.title.en, refusal.detail.en);
    match std::io::stdout().write_all(told.as_bytes()) {
        Ok(()) => ExitCode::from(1),
        Err(_) => ExitCode::from(2),
    }
}

/// The most that is read of what is to be judged.
const JUDGED_BYTES_MAX: u64 = 8 << 10;

/// The network that is looked from; what to ask comes on standard input.
#[derive(Clone, Debug, clap::Args)]
pub(crate) struct Probe {
    #[arg(long)]
    network: String,
}

impl Probe {
    /// Asks, and says on standard output what it met.
    pub(crate) fn run(&self) -> Result<ExitCode> {
        husorden_node::outside::inside(&self.network).map_err(anyhow::Error::msg)?;
        Ok(ExitCode::SUCCESS)
    }
}

fn bind(addresses: &mut Vec<SocketAddr>) -> Result<Vec<TcpListener>> {
    addresses
        .drain(..)
        .map(|address| {
            let listener = TcpListener::bind(address).with_context(|| format!("listening on {address}"))?;
            listener.set_nonblocking(true).context("preparing a listener")?;
            Ok(listener)
        })
        .collect()
}

fn taken(role: &str) -> ExitCode {
    tracing::warn!(role, "runs already");
    ExitCode::from(TAKEN)
}

/// Resolves when SIGTERM or SIGINT asks for an end.
async fn asked_to_end() {
    use tokio::signal::unix::{SignalKind, signal};
    let (Ok(mut term), Ok(mut int)) = (signal(SignalKind::terminate()), signal(SignalKind::interrupt())) else {
        tracing::error!("signals cannot be heard; the role ends by force only");
        return std::future::pending().await;
    };
    tokio::select! {
        _ = term.recv() => {}
        _ = int.recv() => {}
    }
}

/// A role hears every signal, whatever its starter had blocked for itself: a process inherits what is blocked.
pub(crate) fn hear_all() {
    let _ = SigSet::all().thread_unblock();
}
