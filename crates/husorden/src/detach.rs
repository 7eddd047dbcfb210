//! Going on in the background: a child in a session of its own, whose progress is shown until it is ready.

use crate::logs;
use crate::place::{Place, SUPERVISOR};
use crate::progress::line;
use anyhow::{Context, Result};
use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};

/// The line by which the child says that it is ready. Nobody else begins a line like this.
const READY: &str = "\u{2}ready";

/// Starts this very command again in the background and shows what it says until it is ready. The child's exit status when
/// it ended instead; 0 when it goes on.
pub(crate) fn start(place: &Place) -> Result<u8> {
    std::fs::create_dir_all(place.logs()).with_context(|| format!("making {}", place.logs().display()))?;
    let log = logs::open(&logs::path(&place.logs(), SUPERVISOR))?;
    let mut child = Command::new("/proc/self/exe")
        .args(std::env::args_os().skip(1))
        .arg("--background")
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(log)
        .spawn()
        .context("starting the supervisor")?;
    let out = child.stdout.take().context("the supervisor's output is not there")?;
    for said in BufReader::new(out).lines() {
        let said = said.context("reading what the supervisor says")?;
        if said == READY {
            return Ok(0);
        }
        line(&said);
    }
    let status = child.wait().context("waiting for the supervisor")?;
    Ok(status.code().and_then(|code| u8::try_from(code).ok()).filter(|code| *code != 0).unwrap_or(1))
}

/// In the child: becomes the head of a session of its own, out of reach of the terminal.
pub(crate) fn own_session() {
    // Fails only for the head of a group, which a child that was just started is not.
    let _ = nix::unistd::setsid();
}

/// In the child: says that it is ready, and speaks to its log from here on.
pub(crate) fn let_go(place: &Place) -> Result<()> {
    line(READY);
    let log = logs::open(&logs::path(&place.logs(), SUPERVISOR))?;
    rustix::stdio::dup2_stdout(&log).context("turning to the log")?;
    Ok(())
}
