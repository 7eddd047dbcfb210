//! SSH into a guest, as who holds a key does it; nothing is remembered of a guest's own key, for a guest that is made anew has another.

use husorden_world::{PATIENCE, text};
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

/// A way to a guest.
pub(super) struct Way<'a> {
    /// The network namespace that it begins in, if it is another than this one.
    pub(super) from: Option<&'a str>,
    pub(super) host: &'a str,
    pub(super) port: u64,
    pub(super) key: &'a Path,
}

/// How a client begins to say that it never got as far as a log-in, so that nothing was carried out.
const NEVER_IN: [&str; 6] = [
    "ssh: connect to host",
    "kex_exchange_identification",
    "banner exchange",
    "Connection timed out during banner exchange",
    "Connection closed by",
    "Connection reset by",
];

impl Way<'_> {
    /// Carries a command out in a guest that is reached sooner or later: what it wrote, or that and why it failed.
    pub(super) fn run(&self, command: &str) -> Result<String, String> {
        let end = Instant::now() + PATIENCE;
        loop {
            match self.once(command, PATIENCE, Duration::from_secs(30)) {
                Err(said)
                    if Instant::now() < end
                        && said.lines().any(|line| NEVER_IN.iter().any(|words| line.starts_with(words))) =>
                {
                    std::thread::sleep(Duration::from_millis(300));
                }
                done => return done,
            }
        }
    }

    /// The same with one try that is cut short: where nobody may be let in, and where what is reached may stand still.
    pub(super) fn tried(&self, command: &str) -> Result<String, String> {
        self.once(command, Duration::from_secs(30), Duration::from_secs(10))
    }

    fn once(&self, command: &str, whole: Duration, connected: Duration) -> Result<String, String> {
        let mut ssh = match self.from {
            Some(network) => {
                let mut ssh = Command::new("nsenter");
                ssh.args([&format!("--net={network}"), "timeout"]);
                ssh
            }
            None => Command::new("timeout"),
        };
        ssh.args([&whole.as_secs().to_string(), "ssh", "-F", "none", "-o", "BatchMode=yes", "-o", "LogLevel=ERROR"]);
        ssh.args(["-o", &format!("ConnectTimeout={}", connected.as_secs()), "-o", "IdentitiesOnly=yes"]);
        ssh.args(["-o", "StrictHostKeyChecking=no", "-o", "UserKnownHostsFile=/dev/null", "-i"]).arg(self.key);
        // A guest that was started anew in the middle says so when it is spoken to, and only then.
        ssh.args(["-o", "ServerAliveInterval=10", "-o", "ServerAliveCountMax=12"]);
        let done = ssh.args(["-p", &self.port.to_string(), &format!("root@{}", self.host), command]).output();
        let done = done.expect("ssh runs");
        let said = text(&done.stdout).trim().to_owned();
        if done.status.success() { Ok(said) } else { Err(format!("{said}\n{}", text(&done.stderr))) }
    }
}
