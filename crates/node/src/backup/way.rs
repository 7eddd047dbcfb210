//! The one way from a child's sandbox to the target, and nothing else. A folder is bound in; its repositories belong to their solutions' uids. To a target
//! elsewhere the child has a socket: each connection to it is one session with the target, which the node has begun.
//!
//! For SFTP that is OpenSSH's own client, without privileges and outside the sandbox, with the account's key in memory: so the sandbox has neither a
//! network nor the key, and what comes from the target is read in the sandbox. For REST and S3 the node passes bytes on to the one address, unread.

use super::fault::refusal;
use super::job::{FaultOf, TARGET, WAY, Way as Inside};
use crate::Node;
use crate::sandbox::ResolvedBind;
use husorden_backup::target::{SftpAccount, SshFiles, session};
use husorden_base::{Number, Refusal, Secret};
use husorden_wire::node::{Address, Repository, Secrets};
use nix::sched::{CloneFlags, setns};
use std::fs::{self, DirBuilder, Permissions};
use std::io;
use std::net::{SocketAddr, TcpStream, ToSocketAddrs};
use std::os::fd::OwnedFd;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, PermissionsExt, chown};
use std::os::unix::net::{UnixListener, UnixStream};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;
use tracing::warn;

/// The user that owns nothing.
const NOBODY: u32 = 65_534;
const CLIENT: &str = "/usr/bin/ssh";
/// Longest wait for a connection to a target.
const CONNECT: Duration = Duration::from_secs(15);
/// Sessions that one child may have at the same time.
const SESSIONS_MAX: usize = 8;
/// Pause between two looks for a new connection.
const LOOK: Duration = Duration::from_millis(50);

/// Sockets get a name each.
static COUNT: AtomicU32 = AtomicU32::new(0);

/// A way that is open.
pub(super) enum Way {
    /// A folder of this machine.
    Folder(PathBuf),
    /// A socket, and what the child is told of what lies behind it.
    Door(Door, Inside),
}

/// Opens the way to a repository. A target's folder is made only before its first backup: later, one that is not there is a disk that is away.
///
/// # Errors
/// When the target is not there, or its folder is not what the platform makes.
pub(super) fn open(
    node: &Node,
    number: Number,
    repository: &Repository,
    secrets: &Secrets,
    first: bool,
) -> Result<Way, Refusal> {
    if super::whose_folder(repository).is_none() {
        return Err(refusal(FaultOf::Limit, &format!("{:?} is no folder of a repository", repository.folder)));
    }
    let failed = |error: io::Error| refusal(FaultOf::Away, &format!("opening the way to the target: {error}"));
    match &repository.address {
        Address::Folder { path } => folder(Path::new(path), &repository.folder, number, first).map(Way::Folder),
        Address::Sftp { host, port, user, host_key, path } => {
            let account = Account { host, port: *port, user, host_key };
            let key = secrets
                .target
                .as_ref()
                .ok_or_else(|| refusal(FaultOf::Refused, "the target has no key for its account; give it one"))?;
            let begin = account.sessions(key)?;
            let folder = format!("{}/{}", path.trim_end_matches('/'), repository.folder);
            let inside = Inside::Sftp { folder: folder.trim_start_matches("./").to_owned() };
            Ok(Way::Door(Door::open(node, number, begin).map_err(failed)?, inside))
        }
        Address::Rest { url, user } => {
            let addresses = by_machine(node, || addresses(url))?;
            let url = format!("{}/{}", url.trim_end_matches('/'), repository.folder);
            let begin = Box::new(move |near: UnixStream| relay(near, &addresses));
            Ok(Way::Door(Door::open(node, number, begin).map_err(failed)?, Inside::Rest { url, user: user.clone() }))
        }
        Address::S3 { url, bucket, region, access_key, path } => {
            let addresses = by_machine(node, || addresses(url))?;
            let folder = path.as_deref().map_or_else(
                || repository.folder.clone(),
                |path| format!("{}/{}", path.trim_matches('/'), repository.folder),
            );
            let inside = Inside::S3 {
                url: url.clone(),
                bucket: bucket.clone(),
                region: region.clone(),
                access_key: access_key.clone(),
                folder,
            };
            let begin = Box::new(move |near: UnixStream| relay(near, &addresses));
            Ok(Way::Door(Door::open(node, number, begin).map_err(failed)?, inside))
        }
    }
}

fn folder(path: &Path, name: &str, number: Number, first: bool) -> Result<PathBuf, Refusal> {
    let away = |doing: &str, error: &io::Error| refusal(FaultOf::Away, &format!("{doing} {}: {error}", path.display()));
    if !path.is_absolute() {
        return Err(refusal(FaultOf::Refused, &format!("{} is no absolute path", path.display())));
    }
    if first {
        DirBuilder::new().recursive(true).mode(0o711).create(path).map_err(|error| away("making", &error))?;
    }
    let own = path.join(name);
    match DirBuilder::new().mode(0o700).create(&own) {
        Ok(()) => chown(&own, Some(number.uid()), Some(number.uid())).map_err(|error| away("making", &error))?,
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
        Err(error) => return Err(away("opening", &error)),
    }
    let about = fs::symlink_metadata(&own).map_err(|error| away("opening", &error))?;
    if !about.is_dir() || about.uid() != number.uid() {
        let said = format!("{} is no folder of solution {number}; it was put there by somebody else", own.display());
        return Err(refusal(FaultOf::Refused, &said));
    }
    Ok(own)
}

impl Way {
    /// What is bound for it.
    pub(super) fn binds(&self) -> Vec<ResolvedBind> {
        match self {
            Self::Folder(path) => vec![ResolvedBind { from: path.clone(), to: TARGET.to_owned(), write: true }],
            Self::Door(door, _) => {
                vec![ResolvedBind { from: door.socket.clone(), to: WAY.to_owned(), write: false }]
            }
        }
    }

    /// What the child is told of it.
    pub(super) fn inside(&self) -> Inside {
        match self {
            Self::Folder(_) => Inside::Folder,
            Self::Door(_, inside) => inside.clone(),
        }
    }

    /// What of the target's account the child is given: it logs in to a REST server and signs for an S3 server itself, and has nothing to do with an SSH key.
    pub(super) fn account(&self, secrets: &Secrets) -> Option<Secret> {
        match self {
            Self::Door(_, Inside::Rest { .. } | Inside::S3 { .. }) => secrets.target.clone(),
            Self::Folder(_) | Self::Door(..) => None,
        }
    }
}

/// Begins one session on a connection that the child has made.
type Begin = Box<dyn Fn(UnixStream) -> io::Result<Session> + Send + Sync>;

/// A session, which ends when it is dropped.
enum Session {
    Client(Child),
    Relay { near: UnixStream, far: TcpStream, passing: [JoinHandle<()>; 2] },
}

impl Session {
    fn over(&mut self) -> bool {
        match self {
            Self::Client(child) => !matches!(child.try_wait(), Ok(None)),
            Self::Relay { passing, .. } => passing.iter().all(JoinHandle::is_finished),
        }
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        match self {
            Self::Client(child) => {
                // One that has ended by itself needs none of it.
                drop(child.kill());
                drop(child.wait());
            }
            Self::Relay { near, far, .. } => {
                drop(near.shutdown(std::net::Shutdown::Both));
                drop(far.shutdown(std::net::Shutdown::Both));
            }
        }
    }
}

/// The socket, and who answers at it while it lives.
pub(super) struct Door {
    socket: PathBuf,
    over: Arc<AtomicBool>,
    answering: Option<JoinHandle<()>>,
}

impl Door {
    fn open(node: &Node, number: Number, begin: Begin) -> io::Result<Self> {
        let folder = node.config.ground.run.join("ways");
        fs::create_dir_all(&folder)?;
        fs::set_permissions(&folder, Permissions::from_mode(0o700))?;
        // The kernel bounds the length of such paths. What a node that was killed left under the name goes.
        let socket = folder.join(format!("{number}-{}", COUNT.fetch_add(1, Ordering::Relaxed)));
        drop(fs::remove_file(&socket));
        let listener = UnixListener::bind(&socket)?;
        chown(&socket, Some(number.uid()), Some(number.uid()))?;
        fs::set_permissions(&socket, Permissions::from_mode(0o600))?;
        listener.set_nonblocking(true)?;
        let over = Arc::new(AtomicBool::new(false));
        let seen = Arc::clone(&over);
        let net = node.ways.as_ref().map(OwnedFd::try_clone).transpose()?;
        let answering = std::thread::Builder::new().name("way".to_owned()).spawn(move || {
            // What is begun by this thread is where it is.
            if let Err(error) = net.map_or(Ok(()), |net| setns(net, CloneFlags::CLONE_NEWNET)) {
                return warn!(%number, %error, "the machine's network could not be entered");
            }
            let mut sessions: Vec<Session> = Vec::new();
            while !seen.load(Ordering::Relaxed) {
                sessions.retain_mut(|session| !session.over());
                match listener.accept() {
                    Ok((near, _)) if sessions.len() < SESSIONS_MAX => {
                        let begun = near.set_nonblocking(false).and_then(|()| begin(near));
                        match begun {
                            Ok(session) => sessions.push(session),
                            // The child sees that its connection is closed, and tries again.
                            Err(error) => warn!(%number, %error, "a session with a backup target did not begin"),
                        }
                    }
                    Ok(_) => {}
                    Err(_) => std::thread::sleep(LOOK),
                }
            }
        })?;
        Ok(Self { socket, over, answering: Some(answering) })
    }
}

impl Drop for Door {
    fn drop(&mut self) {
        self.over.store(true, Ordering::Relaxed);
        if let Some(answering) = self.answering.take() {
            drop(answering.join());
        }
        drop(fs::remove_file(&self.socket));
    }
}

/// An account on an SSH server.
struct Account<'a> {
    host: &'a str,
    port: u16,
    user: &'a str,
    host_key: &'a str,
}

impl Account<'_> {
    fn sessions(&self, key: &Secret) -> Result<Begin, Refusal> {
        let fine = |text: &str, more: &str| {
            !text.is_empty()
                && !text.starts_with('-')
                && text.chars().all(|letter| letter.is_ascii_alphanumeric() || more.contains(letter))
        };
        if !fine(self.host, ".-:_") || !fine(self.user, ".-_") || self.host_key.contains(['\n', '\r']) {
            return Err(refusal(FaultOf::Refused, "the target's host, user or host key is none for SSH"));
        }
        let files = SshFiles::lay((self.host, self.port), self.host_key, key, Some(NOBODY));
        let files = files.map_err(|error| crate::verbs::ours(&error))?;
        let account = SftpAccount {
            host: self.host.to_owned(),
            port: self.port,
            user: self.user.to_owned(),
            identity: files.identity(),
            known_hosts: files.known_hosts(),
            folder: String::new(),
            client: CLIENT.into(),
        };
        Ok(Box::new(move |near: UnixStream| {
            // They are there as long as this is.
            let _files = &files;
            let mut client = session(&account);
            client.stdin(Stdio::from(OwnedFd::from(near.try_clone()?))).stdout(Stdio::from(OwnedFd::from(near)));
            client.current_dir("/").uid(NOBODY).gid(NOBODY);
            client.spawn().map(Session::Client)
        }))
    }
}

/// Does something in the network by which targets are reached.
fn by_machine<T: Send>(node: &Node, work: impl FnOnce() -> Result<T, Refusal> + Send) -> Result<T, Refusal> {
    let Some(net) = &node.ways else { return work() };
    let ours = |error: io::Error| crate::verbs::ours(&error);
    std::thread::scope(|scope| {
        let working = scope.spawn(|| {
            setns(net, CloneFlags::CLONE_NEWNET).map_err(|error| ours(error.into()))?;
            work()
        });
        working.join().unwrap_or_else(|_| Err(ours(io::Error::other("a thread died"))))
    })
}

/// Where a REST or S3 server is: without TLS on this machine alone.
fn addresses(url: &str) -> Result<Vec<SocketAddr>, Refusal> {
    let wrong = |why: &str| refusal(FaultOf::Refused, &format!("the target's address {url:?}: {why}"));
    let (rest, port, tls) = match (url.strip_prefix("https://"), url.strip_prefix("http://")) {
        (Some(rest), _) => (rest, 443, true),
        (_, Some(rest)) => (rest, 80, false),
        _ => return Err(wrong("it begins with https://")),
    };
    let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
    if authority.contains('@') {
        return Err(wrong("name and password stand in fields of their own"));
    }
    let whole = match authority.rsplit_once(':') {
        Some((_, last)) if !last.is_empty() && last.bytes().all(|byte| byte.is_ascii_digit()) => authority.to_owned(),
        _ => format!("{authority}:{port}"),
    };
    let found = whole.to_socket_addrs();
    let found: Vec<SocketAddr> = found
        .map_err(|error| refusal(FaultOf::Away, &format!("finding {authority}: {error}")))?
        .filter(|address| tls || address.ip().is_loopback())
        .collect();
    if found.is_empty() {
        return Err(wrong("without TLS it may be this machine's own alone"));
    }
    Ok(found)
}

/// Passes a connection on, unread.
fn relay(near: UnixStream, addresses: &[SocketAddr]) -> io::Result<Session> {
    let mut last = io::Error::from(io::ErrorKind::NotFound);
    for address in addresses {
        match TcpStream::connect_timeout(address, CONNECT) {
            Ok(far) => {
                let (mut from, mut to) = (near.try_clone()?, far.try_clone()?);
                let out = std::thread::spawn(move || {
                    drop(io::copy(&mut from, &mut to));
                    drop(to.shutdown(std::net::Shutdown::Write));
                });
                let (mut from, mut to) = (far.try_clone()?, near.try_clone()?);
                let back = std::thread::spawn(move || {
                    drop(io::copy(&mut from, &mut to));
                    drop(to.shutdown(std::net::Shutdown::Both));
                });
                return Ok(Session::Relay { near, far, passing: [out, back] });
            }
            Err(error) => last = error,
        }
    }
    Err(last)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_without_tls_is_this_machines_own() {
        let check = |url: &str, expected: Option<u16>| {
            assert_eq!(addresses(url).ok().map(|found| found[0].port()), expected, "{url}");
        };
        check("http://127.0.0.1:8000/backups/", Some(8000));
        check("http://[::1]:8000", Some(8000));
        check("http://127.0.0.1", Some(80));
        check("https://192.0.2.7/x", Some(443));
        check("http://192.0.2.7/x", None);
        check("https://name:word@192.0.2.7/", None);
        check("ftp://127.0.0.1/", None);
        check("http://", None);
    }
}
