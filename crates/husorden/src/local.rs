//! Verbs for the node of this machine, over its own socket: they work with control dead.

use crate::place::{Place, Which};
use anyhow::{Context, Result, bail};
use husorden_base::Refusal;
use serde_json::{Value, json};
use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::net::UnixStream;
use std::process::ExitCode;
use std::time::Duration;

/// How long the node may take to answer.
const ANSWER_WAIT: Duration = Duration::from_secs(90);
/// Longest answer that is read, in bytes.
const ANSWER_BYTES_MAX: u64 = 16 << 20;

/// Verbs that work on this machine, also with control dead. Root only.
#[derive(Debug, clap::Subcommand)]
pub(crate) enum Verb {
    /// Close a solution at once; control hears of it later
    Suspend {
        #[command(flatten)]
        which: Which,
        /// The solution's number, name or id
        solution: String,
        /// The clause of the house rules it breaks
        #[arg(long)]
        clause: String,
        /// Why, for the account holder to read
        #[arg(long)]
        reasons: String,
    },
    /// Open a solution that was closed on this node
    Lift {
        #[command(flatten)]
        which: Which,
        /// The solution's number, name or id
        solution: String,
    },
    /// What the node says of itself
    Status {
        #[command(flatten)]
        which: Which,
    },
    /// Read the pool against its checksums, in the background; says how far the reading is, also when one runs already
    Scrub {
        #[command(flatten)]
        which: Which,
    },
    /// What lies on this machine and belongs to nobody, and what is wished and missing
    Sweep {
        #[command(flatten)]
        which: Which,
    },
    /// Have a node build a runtime anew, from today's packages; solutions move to it in their windows
    Build {
        /// The node
        node: String,
        /// The runtime or app
        runtime: String,
    },
    /// What nodes hold and control does not know of, after a rebuild from a backup that is older
    Strays,
    /// Take over what a node holds, into the account that it is of
    Take {
        /// The solution's id, as `strays` says it
        stray: String,
        /// Another name, where the account has given its own away meanwhile
        #[arg(long)]
        name: Option<String>,
    },
    /// The nodes, as control knows them
    #[command(visible_alias = "ls")]
    List,
}

impl Verb {
    pub(crate) fn run(self) -> Result<ExitCode> {
        let (which, request) = match self {
            Self::Suspend { which, solution, clause, reasons } => {
                (which, json!({ "do": "suspend", "solution": solution, "clause": clause, "reasons": reasons }))
            }
            Self::Lift { which, solution } => (which, json!({ "do": "lift", "solution": solution })),
            Self::Status { which } => (which, json!({ "do": "status" })),
            Self::Scrub { which } => (which, json!({ "do": "scrub" })),
            Self::Sweep { which } => (which, json!({ "do": "sweep" })),
            Self::List | Self::Build { .. } | Self::Strays | Self::Take { .. } => bail!("that is asked of control"),
        };
        let answer = ask(&which.place()?, &request)?;
        match answer.get("refusal") {
            Some(refusal) => Ok(refused(refusal)),
            None => {
                crate::progress::line(&serde_json::to_string_pretty(answer.get("ok").unwrap_or(&answer))?);
                Ok(ExitCode::SUCCESS)
            }
        }
    }
}

/// Says what the node refused, in the reader's language, with what exit status that ends.
pub(crate) fn refused(refusal: &Value) -> ExitCode {
    let text = match serde_json::from_value::<Refusal>(refusal.clone()) {
        Ok(refusal) => {
            let language = husorden_cli::language();
            let fields = refusal.fields.iter().map(|field| {
                format!("\n  --{}: {}", field.pointer.trim_start_matches('/'), field.detail.get(language))
            });
            format!("{}\n  {}{}", refusal.title.get(language), refusal.detail.get(language), fields.collect::<String>())
        }
        Err(_) => refusal.as_str().map_or_else(|| refusal.to_string(), str::to_owned),
    };
    #[allow(clippy::print_stderr, reason = "the command line says what was refused")]
    {
        eprintln!("error: {text}");
    }
    ExitCode::from(3)
}

/// Asks the node of this installation.
pub(crate) fn ask(place: &Place, request: &Value) -> Result<Value> {
    let socket = place.run.join("node").join("local.sock");
    let mut stream =
        UnixStream::connect(&socket).with_context(|| format!("the node does not answer on {}", socket.display()))?;
    stream.set_read_timeout(Some(ANSWER_WAIT)).context("setting the time to wait")?;
    writeln!(stream, "{request}").context("asking the node")?;
    let mut line = String::new();
    BufReader::new(stream.take(ANSWER_BYTES_MAX)).read_line(&mut line).context("hearing the node")?;
    serde_json::from_str(&line).with_context(|| format!("the node answered {line:?}"))
}
