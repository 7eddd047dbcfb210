//! `husorden platform`: how the platform's own backups stand, and doing one or a proof now. By a socket of root's.

use crate::place::{Place, Which};
use crate::progress::{line, told};
use anyhow::{Context, Result, bail};
use husorden_base::{Bytes, Language};
use husorden_control::platform::Standing;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::fs;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::Path;
use std::process::ExitCode;
use std::sync::mpsc::{Receiver, channel};
use std::thread;
use std::time::Duration;

/// Longest line either way, in bytes.
const LINE_BYTES_MAX: u64 = 256 << 10;
/// Longest wait for a line.
const LINE_WAIT: Duration = Duration::from_secs(5);
/// Longest wait for what was asked for: a proof restores everything.
const DONE_WAIT: Duration = Duration::from_secs(4 * 3600);

/// What is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum What {
    Status,
    Backup,
    Prove,
}

/// What was asked, and who waits for the answer.
pub(super) struct Ask {
    pub(super) what: What,
    stream: UnixStream,
}

impl Ask {
    /// Says what came of it.
    pub(super) fn answer(self, done: Result<&Standing>) {
        let text = match done {
            Ok(standing) => serde_json::json!({ "ok": standing }),
            Err(error) => serde_json::json!({ "error": told(&error) }),
        };
        // Whoever asked may have gone.
        let mut stream = self.stream;
        drop(writeln!(stream, "{text}"));
    }
}

/// Listens for verbs of root's.
pub(super) fn listen(path: &Path) -> Result<Receiver<Ask>> {
    drop(fs::remove_file(path));
    let listener = UnixListener::bind(path).with_context(|| format!("listening on {}", path.display()))?;
    fs::set_permissions(path, fs::Permissions::from_mode(0o600)).context("closing the socket to others")?;
    let (sender, asks) = channel();
    thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let sender = sender.clone();
            thread::spawn(move || {
                if let Ok(what) = read(&stream) {
                    drop(sender.send(Ask { what, stream }));
                }
            });
        }
    });
    Ok(asks)
}

fn read(stream: &UnixStream) -> io::Result<What> {
    stream.set_read_timeout(Some(LINE_WAIT))?;
    let mut text = String::new();
    BufReader::new(stream.take(LINE_BYTES_MAX)).read_line(&mut text)?;
    Ok(serde_json::from_str(&text)?)
}

/// What root says to the role.
#[derive(Debug, clap::Subcommand)]
pub(crate) enum Verb {
    /// How the platform's own backups stand: the newest, the last proof
    Status {
        #[command(flatten)]
        which: Which,
    },
    /// Write one now
    Backup {
        #[command(flatten)]
        which: Which,
    },
    /// Write one now, and prove it: restored from the target, brought up, compared
    Prove {
        #[command(flatten)]
        which: Which,
    },
}

impl Verb {
    pub(crate) fn run(self, format: husorden_cli::Format) -> Result<ExitCode> {
        let (which, what) = match self {
            Self::Status { which } => (which, What::Status),
            Self::Backup { which } => (which, What::Backup),
            Self::Prove { which } => (which, What::Prove),
        };
        let place = which.place()?;
        let standing = ask(&place, what)?;
        let failed = standing.proof.as_ref().is_some_and(|proof| !proof.wrong.is_empty());
        if format == husorden_cli::Format::Json {
            line(&serde_json::to_string_pretty(&standing)?);
        } else {
            show(&standing);
        }
        Ok(if what == What::Prove && failed { ExitCode::FAILURE } else { ExitCode::SUCCESS })
    }
}

fn ask(place: &Place, what: What) -> Result<Standing> {
    let socket = place.platform_socket();
    let stream = UnixStream::connect(&socket)
        .with_context(|| format!("the role platform does not answer on {}; is it up?", socket.display()))?;
    stream.set_read_timeout(Some(DONE_WAIT)).context("setting the time to wait")?;
    writeln!(&stream, "{}", serde_json::to_string(&what)?).context("asking the role")?;
    let mut text = String::new();
    BufReader::new((&stream).take(LINE_BYTES_MAX)).read_line(&mut text).context("hearing the role")?;
    let said: Value = serde_json::from_str(&text).with_context(|| format!("the role answered {text:?}"))?;
    match (said.get("ok"), said.get("error").and_then(Value::as_str)) {
        (Some(standing), _) => Ok(serde_json::from_value(standing.clone())?),
        (_, Some(why)) => bail!("{why}"),
        _ => bail!("the role answered something else"),
    }
}

fn show(standing: &Standing) {
    let danish = husorden_cli::language() == Language::Da;
    let word = |da: &'static str, en: &'static str| if danish { da } else { en };
    let never = word("aldrig", "never").to_owned();
    let at = |at: Option<jiff::Timestamp>| at.map_or_else(|| never.clone(), |at| at.strftime("%F %T UTC").to_string());
    line(&format!("{:<16} {} ({})", word("mål", "target"), standing.target, standing.folder));
    if let Some(address) = standing.address.as_ref().and_then(|address| serde_json::to_string(address).ok()) {
        line(&format!("{:<16} husorden rebuild --target '{address}'", word("genopbyg med", "rebuild with")));
    }
    let sent = Bytes(standing.bytes_sent);
    let took = standing.took_ms;
    line(&format!(
        "{:<16} {}, {sent} {} {took} ms",
        word("nyeste", "newest"),
        at(standing.newest),
        word("sendt på", "sent in")
    ));
    line(&format!("{:<16} {}", word("grundlag", "base"), at(standing.base)));
    if let Some((since, why)) = &standing.trouble {
        line(&format!("{:<16} {} {}: {why}", word("problem", "trouble"), word("siden", "since"), at(Some(*since))));
    }
    let Some(proof) = &standing.proof else {
        line(&format!("{:<16} {never}", word("prøvet", "proven")));
        return;
    };
    let result = if proof.wrong.is_empty() { word("bestod", "passed") } else { word("bestod IKKE", "did NOT pass") };
    line(&format!("{:<16} {}, {result}", word("prøvet", "proven"), at(Some(proof.at))));
    proof.wrong.iter().for_each(|wrong| line(&format!("{:<16} {wrong}", "")));
    for (what, took_ms) in &proof.steps {
        line(&format!("{:<16} {took_ms:>7} ms  {what}", ""));
    }
}
