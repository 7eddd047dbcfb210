//! The binary: `up` runs everything on one machine, each role runs alone, and the rest is the command line.

mod base;
mod demo;
mod detach;
mod doctor;
mod down;
mod image;
mod local;
mod logs;
mod place;
mod platform;
mod pools;
mod prepare;
mod process;
mod progress;
mod rebuild;
mod repository;
mod role;
mod roles;
mod segments;
mod signals;
mod status;
mod supervise;
mod sweep;
mod up;
mod users;
mod vault;
mod visit;

use clap::{Parser, Subcommand};
use husorden_cli::{Command, Proofs};
use std::process::ExitCode;

/// Hosting that keeps its own house rules.
#[derive(Debug, Parser)]
#[command(name = "husorden", version, subcommand_required = true, arg_required_else_help = true)]
struct Husorden {
    #[command(flatten)]
    globals: husorden_cli::Globals,
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// Start the platform on this machine
    Up(up::Up),
    /// Stop it, and leave nothing but its data
    Down(down::Down),
    /// Which roles run, and where everything is
    Status(status::Status),
    /// What this machine can do and lacks, with the remedy
    Doctor(doctor::Doctor),
    /// Run the control role alone
    Control(roles::FileArg),
    /// Run the node role alone, or speak with this machine's node
    #[command(args_conflicts_with_subcommands = true, arg_required_else_help = true)]
    Node {
        #[command(flatten)]
        file: Option<roles::FileArg>,
        #[command(subcommand)]
        verb: Option<local::Verb>,
    },
    /// Images that servers start from, on this machine: list them, build one
    #[command(subcommand)]
    Image(image::Verb),
    /// Run the edge role alone
    Edge(roles::FileArg),
    /// Run the vault role alone, or speak with this machine's vault: the recovery key, what it keeps
    #[command(args_conflicts_with_subcommands = true, arg_required_else_help = true)]
    Vault {
        #[command(flatten)]
        file: Option<roles::FileArg>,
        #[command(subcommand)]
        verb: Option<vault::Verb>,
    },
    /// Run the role that backs the platform itself up, or speak with it: how it stands, back up now, prove now
    #[command(args_conflicts_with_subcommands = true, arg_required_else_help = true)]
    Platform {
        #[command(flatten)]
        file: Option<roles::FileArg>,
        #[command(subcommand)]
        verb: Option<platform::Verb>,
    },
    /// Bring the platform back on an empty machine, from a target and the two papers
    Rebuild(Box<rebuild::Rebuild>),
    /// Segments of an engine's log, without the platform
    Log {
        #[command(subcommand)]
        verb: segments::Verb,
    },
    /// Where backups lie, the target's own side: note, expire, check, hold, purge
    #[command(subcommand)]
    Repository(repository::Verb),
    /// The part of an upload that runs inside the solution's sandbox
    #[command(hide = true)]
    Unpack(roles::Unpack),
    /// The part of a backup that runs in a sandbox as the solution's uid
    #[command(hide = true)]
    Copy,
    /// What reads a file of a solution's own, in its sandbox, and says its SHA-256
    #[command(hide = true)]
    Digest,
    /// The child of the platform's own backups that speaks with the target
    #[command(hide = true)]
    PlatformChild,
    /// What a server asks, in its sandbox, of a password that is set in SQL
    #[command(hide = true)]
    Judge,
    /// The child of a node that looks from outside at what a measure has closed
    #[command(hide = true)]
    Probe(roles::Probe),
    #[command(flatten)]
    Api(husorden_cli::Command),
    /// A kind of solution (`husorden kinds`), with create, change, list and schema
    #[command(external_subcommand)]
    Kind(Vec<String>),
}

fn main() -> ExitCode {
    let husorden = Husorden::parse();
    let result = match husorden.verb {
        Verb::Up(up) => {
            up.prepare_log();
            up.run()
        }
        Verb::Down(down) => down.run(),
        Verb::Status(status) => status.run(husorden.globals.output()),
        Verb::Doctor(doctor) => doctor.run(husorden.globals.output()),
        Verb::Control(file) => role(|| roles::control(&file.config)),
        Verb::Node { file: Some(file), .. } => role(|| roles::node(&file.config)),
        Verb::Node { verb: Some(local::Verb::List), .. } => return husorden_cli::nodes(&husorden.globals),
        Verb::Node { verb: Some(local::Verb::Build { node, runtime }), .. } => {
            return husorden_cli::build(&husorden.globals, node, runtime);
        }
        Verb::Node { verb: Some(local::Verb::Strays), .. } => return husorden_cli::strays(&husorden.globals),
        Verb::Node { verb: Some(local::Verb::Take { stray, name }), .. } => {
            return husorden_cli::take(&husorden.globals, &stray, name);
        }
        Verb::Node { verb: Some(verb), .. } => verb.run(),
        Verb::Node { .. } => Err(anyhow::anyhow!("`husorden node` needs --config or a verb")),
        Verb::Image(verb) => verb.run(husorden.globals.output()),
        Verb::Edge(file) => role(|| roles::edge(&file.config)),
        Verb::Vault { file: Some(file), .. } => role(|| roles::vault(&file.config)),
        Verb::Vault { verb: Some(verb), .. } => verb.run(husorden.globals.output()),
        Verb::Vault { .. } => Err(anyhow::anyhow!("`husorden vault` needs --config or a verb")),
        Verb::Platform { file: Some(file), .. } => role(|| roles::platform(&file.config)),
        Verb::Platform { verb: Some(verb), .. } => verb.run(husorden.globals.output()),
        Verb::Platform { .. } => Err(anyhow::anyhow!("`husorden platform` needs --config or a verb")),
        Verb::PlatformChild => role(platform::child::inside),
        Verb::Rebuild(rebuild) => rebuild.run(),
        Verb::Log { verb } => verb.run(),
        Verb::Repository(verb @ repository::Verb::Watch { .. }) => role(|| verb.run(&husorden.globals)),
        Verb::Repository(verb) => verb.run(&husorden.globals),
        Verb::Unpack(unpack) => return unpack.run(),
        Verb::Copy => return if husorden_node::backup::inside() { ExitCode::SUCCESS } else { ExitCode::FAILURE },
        Verb::Digest => husorden_node::hole::inside().map(|()| ExitCode::SUCCESS).map_err(anyhow::Error::from),
        Verb::Judge => return roles::judge(),
        Verb::Probe(probe) => probe.run(),
        Verb::Api(Command::Proof(Proofs { config: Some(file), .. })) => role(|| roles::proof(&file)),
        Verb::Api(command) => return husorden_cli::run(&husorden.globals, command),
        Verb::Kind(words) => return husorden_cli::run_kind(&husorden.globals, words),
    };
    result.unwrap_or_else(|error| {
        let text = progress::told(&error);
        tracing::error!("{text}");
        #[allow(clippy::print_stderr, reason = "whoever started this hears why it ended")]
        {
            eprintln!("error: {text}");
        }
        ExitCode::FAILURE
    })
}

/// A role speaks to its log, which is its standard error.
fn role(run: impl FnOnce() -> anyhow::Result<ExitCode>) -> anyhow::Result<ExitCode> {
    roles::hear_all();
    log();
    run()
}

/// Log lines on standard error; `HUSORDEN_LOG` says what is worth a line.
pub(crate) fn log() {
    use tracing_subscriber::EnvFilter;
    let filter = EnvFilter::try_from_env("HUSORDEN_LOG").unwrap_or_else(|_| EnvFilter::new("info"));
    tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).with_ansi(false).init();
}
