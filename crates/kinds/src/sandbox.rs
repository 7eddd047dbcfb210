//! What runs: sandboxes, the services that start on demand in them, and tasks that run once.

use crate::attach::Protocol;
use husorden_base::{Bytes, RuntimeName};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;

/// A sandbox's role within its solution, such as `php`; also the name of its socket.
pub type Role = String;

/// A task's name within its solution, such as `install`.
pub type TaskName = String;

/// A container as the sandbox wall makes it. Whatever it says, the wall adds: the solution's own uid, no capabilities,
/// no-new-privileges, seccomp, own pid, mount, ipc and uts namespaces, tmpfs on `/tmp` and `/run` bounded in size, and an
/// `/etc/passwd` that names the uid `site`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sandbox {
    /// The read-only root.
    pub runtime: RuntimeName,
    /// Program and arguments, as paths inside the runtime. Never a secret.
    pub argv: Vec<String>,
    /// Environment; nothing else is in it.
    pub env: BTreeMap<String, String>,
    /// Working directory.
    pub cwd: String,
    /// What of the solution is visible inside.
    pub binds: Vec<Bind>,
    /// Generated files, bound read-only: path inside → text.
    pub files: BTreeMap<String, String>,
    /// What it may use.
    pub limits: Limits,
    /// What it may reach.
    pub network: Network,
}

impl Sandbox {
    /// Tells what runs in it of its listening sockets, by systemd's convention. A server is process 1 of its sandbox, and trusts the
    /// variables only when they name it.
    pub(crate) fn told_of_listeners(&mut self, count: u32) {
        self.env.insert("LISTEN_FDS".to_owned(), count.to_string());
        self.env.insert("LISTEN_PID".to_owned(), "1".to_owned());
    }
}

/// Something of the solution, or of the platform, made visible inside a sandbox.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Bind {
    /// What.
    pub from: Place,
    /// Where inside.
    pub to: String,
    /// Whether it may be written.
    pub write: bool,
}

/// What can be bound into a sandbox. There is no way to name a path of the machine.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Place {
    /// A folder of the solution's volume, one of those named at its creation.
    Folder(String),
    /// A folder of the copy of the volume on which something is tried.
    Trial(String),
    /// A folder of a snapshot that was taken for this: that a backup is made of, while it is being noted, or a package. Read-only.
    Snapshot(String),
    /// A catalogue application, read-only.
    App(String),
    /// What a runtime prepared once for its solutions to copy, read-only.
    Template(RuntimeName),
    /// A catalogue image, read-only.
    Image(RuntimeName),
    /// The platform's own program, read-only.
    Tool,
    /// The solution's sockets, read-only; a connection to a sleeping service wakes it.
    Sockets,
    /// The solution's own certificate, as `chain.pem` and `key.pem`, for its name on this installation; the key is readable by
    /// the solution's uid alone.
    Certificate,
    /// The solution's log store, the part for what this engine writes; made when a sandbox first has it. It is no part of what snapshots
    /// hold.
    Store(String),
    /// A library, to be preloaded, that hands a server its listening sockets where the server can't be told of them: in place
    /// of each socket that it binds it gets the one the node listens on, by the socket's family.
    Listen,
    /// A library, to be loaded by a server that speaks this, that puts each password set in it before the platform's judge: the
    /// [`Place::Tool`], which it finds at [`TOOL`].
    Judge(Protocol),
    /// The device of the machine's own virtualisation (KVM), as one that may be opened: a guest of its own is all that it leads to.
    Virtualisation,
    /// The imported list of leaked passwords, read-only, for the judge to look at; nothing where the node has none.
    Leaked,
}

/// Where libraries of the platform look for its program, inside.
pub const TOOL: &str = "/run/conf/husorden";
/// Where that program looks for the list of leaked passwords, inside.
pub const LEAKED: &str = "/run/leaked";

/// What a sandbox may use.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Limits {
    /// Memory, with no swap beyond it.
    pub memory: Bytes,
    /// CPU time, in percent of one core.
    pub cpu_percent: u32,
    /// Processes and threads.
    pub pids: u32,
    /// Reading and writing the disk.
    #[serde(default)]
    pub io: Io,
}

/// What a sandbox may do with the disk that its volume lies on. The bounds hold for reading and for writing, each by itself. They
/// are wide, so that a site may be as quick as the disk is when nobody else wants it, and there, so that none can take all of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Io {
    /// Bytes a second.
    pub bytes_s: Bytes,
    /// Operations a second.
    pub ops_s: u32,
    /// Its share beside others when the disk is wanted by several, 10 to 1000; [`Io::default`] has 100.
    pub weight: u16,
}

impl Io {
    /// For work that nobody waits for by the second: it gives way to whatever serves visitors.
    pub const BACKGROUND: Self = Self { bytes_s: Bytes::mib(100), ops_s: 2_000, weight: 25 };
}

/// What every solution has unless its kind says otherwise.
impl Default for Io {
    fn default() -> Self {
        Self { bytes_s: Bytes::mib(200), ops_s: 5_000, weight: 100 }
    }
}

/// What a sandbox may reach.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Network {
    /// Nothing but its own loopback.
    Nothing,
    /// The solution's port.
    Port,
    /// The solution's port, of which the inner end is a tap that it may open.
    Tap,
}

/// A service that starts on demand: the node listens on its socket, starts the sandbox at the first connection with the
/// listening socket as file descriptor 3, and stops it when it has been idle.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Service {
    /// What runs.
    pub sandbox: Sandbox,
    /// Who may connect.
    pub reach: Reach,
    /// Seconds without work after which it is stopped; [`Service::STAYS`] for one that is started when it is set, is never idle, and is
    /// started again when it has ended by itself.
    pub idle_stop_s: u32,
    /// Seconds it may take to stop after `stop_signal` before it is killed.
    pub stop_s: u32,
    /// Signal number that asks it to finish what it does and end.
    pub stop_signal: i32,
    /// Settings that it takes up while it runs.
    #[serde(default)]
    pub live: Live,
    /// What it is told as its volume fills, so that it refuses to write before the disk does. Empty: it is told nothing.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub fill: BTreeMap<Fill, Brake>,
}

/// How full a solution's volume is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Fill {
    /// There is room.
    #[default]
    Room,
    /// What it may hold is used up; the reserve is not.
    Full,
    /// Three quarters of the reserve are used up too: somebody goes on writing.
    Over,
}

/// What a service is told at a [`Fill`]. One that starts then finds the files; to one that runs they are written, its signal is sent,
/// and then the command is run.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Brake {
    /// Live files that take the place of those of the same name.
    #[serde(default)]
    pub files: BTreeMap<String, String>,
    /// A command that is run beside it, in its sandbox; none when empty.
    #[serde(default)]
    pub argv: Vec<String>,
    /// Handed to the command's standard input.
    #[serde(default)]
    pub stdin: String,
}

/// Generated files that may change under a service that runs: name → text, all in [`LIVE`], read-only. When nothing but they
/// has changed, the service is told by a signal and goes on.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Live {
    /// The files by name.
    pub files: BTreeMap<String, String>,
    /// Signal number that has it read them again; 0 where it reads them when it starts only.
    pub signal: i32,
}

/// The folder of a service's live files, inside its sandbox.
pub const LIVE: &str = "/run/live";

impl Service {
    /// The `idle_stop_s` of a service that runs whether anybody connects or not.
    pub const STAYS: u32 = 0;

    /// Whether it runs whether anybody connects or not.
    #[must_use]
    pub fn stays(&self) -> bool {
        self.idle_stop_s == Self::STAYS
    }

    /// What tells two services apart: a change of anything in them changes it. Two that differ in their live files only have the
    /// same part before the hyphen.
    #[must_use]
    pub fn digest(&self) -> String {
        let firm = Self { live: Live::default(), fill: BTreeMap::new(), ..self.clone() };
        format!("{}-{}", digest(&firm), digest(&(&self.live, &self.fill)))
    }

    /// Its live files on a volume that is so full.
    #[must_use]
    pub fn live_at(&self, fill: Fill) -> Live {
        let mut live = self.live.clone();
        live.files.extend(self.fill.get(&fill).map(|brake| brake.files.clone()).unwrap_or_default());
        live
    }
}

/// Whether two digests of services differ in live files at most.
#[must_use]
pub fn same_but_live(one: &str, other: &str) -> bool {
    let firm = |digest: &'_ str| digest.split_once('-').map(|(firm, _)| firm.to_owned());
    firm(one).is_some() && firm(one) == firm(other)
}

/// Who may connect to a service's socket.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Reach {
    /// The edge.
    Edge,
    /// The solution's own sandboxes.
    Own,
    /// The solution's own sandboxes, and by this TCP port whoever its port lets through. The server finds the listening
    /// sockets as descriptors 3 (unix), 4 (IPv4) and 5 (IPv6).
    Port(u16),
}

impl Reach {
    /// Whether it is ended at once where it must go: what the edge asks keeps nothing by itself. What holds data, which only the
    /// other ways lead to, is let end in order.
    #[must_use]
    pub fn ends_at_once(self) -> bool {
        self == Self::Edge
    }

    /// The TCP port that leads to it.
    #[must_use]
    pub fn port(self) -> Option<u16> {
        match self {
            Self::Port(port) => Some(port),
            Self::Edge | Self::Own => None,
        }
    }
}

/// Something that runs once in a sandbox and leaves a mark on the volume when it has succeeded (exit code 0). Tasks are
/// safe to run again: a node that died does not know how one ended, and runs it again.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Task {
    /// Its name; one at a time with the same name.
    pub name: TaskName,
    /// What runs. Its standard output and error, the last 16 KiB, are kept as the reason when it fails.
    pub sandbox: Sandbox,
    /// Handed to standard input; the one way for something confidential to get in.
    pub stdin: String,
    /// The marks it leaves, keys and values, one after the other: a node that dies in between leaves those before. A key that begins
    /// with [`ON_TRIAL`] is left on the copy on which something is tried.
    pub marks: Vec<(String, String)>,
    /// Seconds after which it is ended and counts as failed.
    pub limit_s: u32,
}

/// How marks begin that lie on the copy of a volume on which something is tried, and go with it.
pub const ON_TRIAL: &str = "trial.";
/// The mark that says what a copy was made for.
pub const TRIAL_OF: &str = "trial.of";

impl Task {
    /// What tells two tasks apart; a task that failed is not run again until this changes or its failure is forgotten.
    #[must_use]
    pub fn digest(&self) -> String {
        digest(self)
    }
}

pub(crate) fn digest(value: &impl Serialize) -> String {
    let text = serde_json::to_vec(value).expect("plain data has a JSON form");
    Sha256::digest(text).iter().take(12).map(|byte| format!("{byte:02x}")).collect()
}
