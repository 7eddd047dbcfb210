//! An SFTP account as target, through OpenSSH's own client.
//!
//! What the account needs there is little: to open, read, write, list, look, make folders and give a file a second name. Everything else
//! can be denied (`internal-sftp -p open,close,read,write,stat,lstat,fstat,opendir,readdir,realpath,mkdir,hardlink,fsync,limits`), and then
//! who holds the account can neither remove nor rename. Files are made with mode 0400, and rights can't be changed without `setstat`: so
//! nobody writes to one that is there, either. An object is written under a name of chance and gets its own by a second name, which the
//! system never gives twice. The name of chance stays until the target's side tidies.

use super::sftp_wire::{Said, Wire};
use super::{Folder, Listed, OBJECT_BYTES_MAX, Pace, Place, Target, already};
use crate::crypt::random;
use crate::fault::Fault;
use std::fs::File;
use std::ops::Range;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex, PoisonError};

/// Where objects lie until they have their name.
const INCOMING: &str = "incoming";
/// Seconds that connecting may take.
const CONNECT_SECONDS: u32 = 15;

/// How the account is reached. The host's key must be known beforehand.
#[derive(Clone, Debug)]
pub struct SftpAccount {
    /// Name or address.
    pub host: String,
    /// TCP port.
    pub port: u16,
    /// Name of the account there.
    pub user: String,
    /// File of the account's private key; it lies in memory (`/run`), readable for this process alone.
    pub identity: PathBuf,
    /// File with the host's public key.
    pub known_hosts: PathBuf,
    /// Folder of the repository, from where the account begins.
    pub folder: String,
    /// OpenSSH's client.
    pub client: PathBuf,
}

/// How a session begins.
#[derive(Clone, Debug)]
enum Door {
    /// By OpenSSH's client.
    Client(SftpAccount),
    /// By a connection to this socket, behind which somebody else has begun it.
    Socket(PathBuf),
}

/// A repository on an SFTP account.
pub struct Sftp {
    door: Door,
    /// Folder of the repository, from where the account begins.
    folder: String,
    pace: Arc<Pace>,
    /// One session, made when it is first needed and again when it was lost.
    session: Mutex<Option<Session>>,
}

struct Session {
    wire: Wire,
    _client: Option<Client>,
}

struct Client(Child);

impl Drop for Client {
    fn drop(&mut self) {
        // The client has nothing to end in order: what was acknowledged is on the other side's disk.
        drop(self.0.kill());
        drop(self.0.wait());
    }
}

impl Sftp {
    /// The repository there; it need not be there yet.
    #[must_use]
    pub fn new(account: SftpAccount, pace: Arc<Pace>) -> Self {
        let folder = account.folder.clone();
        Self { door: Door::Client(account), folder, pace, session: Mutex::new(None) }
    }

    /// The repository in this folder, by sessions that somebody else has begun: each connection to the socket is one. So who speaks SFTP needs neither
    /// the network nor the account's key.
    #[must_use]
    pub fn behind(socket: impl Into<PathBuf>, folder: impl Into<String>, pace: Arc<Pace>) -> Self {
        Self { door: Door::Socket(socket.into()), folder: folder.into(), pace, session: Mutex::new(None) }
    }

    fn begin(&self) -> Result<Session, Said> {
        let (to, from, client) = match &self.door {
            Door::Client(account) => Self::client(account)?,
            Door::Socket(path) => {
                let stream = UnixStream::connect(path)?;
                (File::from(OwnedFd::from(stream.try_clone()?)), File::from(OwnedFd::from(stream)), None)
            }
        };
        let wire = Wire::begin(to, from)?;
        if wire.hardlink {
            Ok(Session { wire, _client: client })
        } else {
            Err(Said::Failure("the server gives no second names (hardlink@openssh.com), which are needed".to_owned()))
        }
    }

    fn client(account: &SftpAccount) -> Result<(File, File, Option<Client>), Said> {
        if account.host.starts_with('-') || account.user.starts_with('-') {
            return Err(Said::Denied);
        }
        let mut command = session(account);
        command.stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = command.spawn()?;
        let pipes = (child.stdin.take(), child.stdout.take());
        let client = Client(child);
        let (Some(to), Some(from)) = pipes else {
            return Err(Said::Lost("its client has no pipes".to_owned()));
        };
        Ok((File::from(OwnedFd::from(to)), File::from(OwnedFd::from(from)), Some(client)))
    }

    /// What a connection goes to.
    fn whereto(&self) -> &str {
        match &self.door {
            Door::Client(account) => &account.host,
            Door::Socket(_) => "the backup target",
        }
    }

    /// Does it in the session; one that was lost is not used again.
    fn with<R>(&self, doing: impl Fn() -> String, what: impl FnOnce(&mut Wire) -> Result<R, Said>) -> Result<R, Fault> {
        let mut session = self.session.lock().unwrap_or_else(PoisonError::into_inner);
        if session.is_none() {
            *session = Some(self.begin().map_err(|said| said.fault(format!("connecting to {}", self.whereto())))?);
        }
        let open = session.as_mut().expect("there is one now");
        let done = what(&mut open.wire);
        if matches!(done, Err(Said::Lost(_))) {
            *session = None;
        }
        done.map_err(|said| said.fault(doing()))
    }

    fn path(&self, inner: &str) -> String {
        if self.folder.is_empty() { inner.to_owned() } else { format!("{}/{inner}", self.folder.trim_end_matches('/')) }
    }
}

/// OpenSSH's client, to begin a session of SFTP on its standard input and output: with nothing of the machine's own configuration, no agent, no questions and
/// no unknown host.
#[must_use]
pub fn session(account: &SftpAccount) -> Command {
    let mut command = Command::new(&account.client);
    // Nothing of the machine's own configuration, no agent, no questions, no unknown host.
    command.args(["-F", "none", "-T", "-x", "-a"]);
    for option in [
        "BatchMode=yes".to_owned(),
        "StrictHostKeyChecking=yes".to_owned(),
        "IdentitiesOnly=yes".to_owned(),
        "GlobalKnownHostsFile=none".to_owned(),
        "UpdateHostKeys=no".to_owned(),
        "ServerAliveInterval=15".to_owned(),
        "ServerAliveCountMax=4".to_owned(),
        format!("ConnectTimeout={CONNECT_SECONDS}"),
        format!("UserKnownHostsFile={}", account.known_hosts.display()),
        format!("IdentityFile={}", account.identity.display()),
    ] {
        command.args(["-o", &option]);
    }
    command.args(["-p", &account.port.to_string(), "-l", &account.user, "-s", "--", &account.host, "sftp"]);
    command.env_clear().stderr(Stdio::null());
    command
}

impl Target for Sftp {
    fn prepare(&self) -> Result<(), Fault> {
        let mut folders = vec![self.folder.trim_end_matches('/').to_owned()];
        folders.extend(Folder::ALL.map(|folder| self.path(folder.name())));
        folders.extend(["locks", INCOMING].map(|name| self.path(name)));
        folders.extend((0..=255).map(|byte| self.path(&format!("data/{byte:02x}"))));
        self.with(
            || "making folders".to_owned(),
            |wire| folders.iter().filter(|folder| !folder.is_empty()).try_for_each(|folder| wire.folder(folder)),
        )
    }

    fn put(&self, place: Place, body: &[u8]) -> Result<(), Fault> {
        let chance: String = random::<16>().iter().map(|byte| format!("{byte:02x}")).collect();
        let (incoming, path) = (self.path(&format!("{INCOMING}/{chance}")), self.path(&place.path()));
        let written = self.with(
            || format!("writing {place}"),
            |wire| {
                wire.write_new(&incoming, body, &self.pace)?;
                match wire.link(&incoming, &path) {
                    Ok(()) => Ok(None),
                    Err(Said::Failure(why)) => match wire.size(&path)? {
                        Some(found) => Ok(Some(found)),
                        None => Err(Said::Failure(why)),
                    },
                    Err(said) => Err(said),
                }
            },
        );
        match written {
            Ok(None) => Ok(()),
            Ok(Some(found)) => already(place, found, body),
            Err(fault) => Err(fault),
        }
    }

    fn get(&self, place: Place, part: Option<Range<u64>>) -> Result<Vec<u8>, Fault> {
        let path = self.path(&place.path());
        self.with(
            || place.to_string(),
            |wire| {
                let part = match part {
                    Some(part) => part,
                    None => 0..wire.size(&path)?.ok_or(Said::Missing)?,
                };
                wire.read(&path, part.start, part.end.saturating_sub(part.start).min(OBJECT_BYTES_MAX), &self.pace)
            },
        )
    }

    fn list(&self, folder: Folder) -> Result<Vec<Listed>, Fault> {
        let within: Vec<String> = match folder {
            Folder::Data => (0..=255).map(|byte| self.path(&format!("data/{byte:02x}"))).collect(),
            _ => vec![self.path(folder.name())],
        };
        self.with(
            || format!("listing {}", folder.name()),
            |wire| {
                let mut listed = Vec::new();
                for path in &within {
                    let found = wire.list(path)?;
                    listed.extend(
                        found.into_iter().filter_map(|f| Some(Listed { id: f.name.parse().ok()?, bytes: f.bytes })),
                    );
                }
                Ok(listed)
            },
        )
    }

    fn size(&self, place: Place) -> Result<Option<u64>, Fault> {
        let path = self.path(&place.path());
        self.with(|| format!("looking at {place}"), |wire| wire.size(&path))
    }
}
