//! The vault's socket: who asks is what the kernel says; one line is read, one is written, and the connection ends.

use crate::Store;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use husorden_wire::vault::{Answer, Ask, LINE_BYTES_MAX, Refused};
use rustix::net::sockopt::socket_peercred;
use rustix::process::{DumpableBehavior, Resource, Rlimit, set_dumpable_behavior, setrlimit};
use rustix::thread::set_no_new_privs;
use std::fs;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::Duration;
use zeroize::Zeroizing;

/// Connections at once.
const CONNECTIONS_MAX: usize = 32;
/// Longest wait for bytes either way.
const WAIT: Duration = Duration::from_secs(5);
const ROOT: u32 = 0;

/// Listens; a socket file that nobody answers on is left from before and is replaced. Anybody may knock: who is answered is told by the
/// kernel, so the file needs no owner of its own.
///
/// # Errors
/// When another vault listens there, or the folder can't be written.
pub fn bind(path: &Path) -> io::Result<UnixListener> {
    if UnixStream::connect(path).is_ok() {
        return Err(io::Error::new(io::ErrorKind::AddrInUse, "another vault listens there"));
    }
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let listener = UnixListener::bind(path)?;
    fs::set_permissions(path, fs::Permissions::from_mode(0o666))?;
    Ok(listener)
}

/// Keeps what this process holds in memory out of core files and out of the reach of others with its uid, and gives up every way to rights
/// that it does not have.
///
/// # Errors
/// When the kernel will not.
pub fn keep_memory_private() -> io::Result<()> {
    setrlimit(Resource::Core, Rlimit { current: Some(0), maximum: Some(0) })?;
    set_no_new_privs(true)?;
    Ok(set_dumpable_behavior(DumpableBehavior::NotDumpable)?)
}

/// Answers for ever: `control` is the uid that may ask.
pub fn serve(store: Store, listener: &UnixListener, control: u32) {
    let store = Arc::new(Mutex::new(store));
    let open = Arc::new(AtomicUsize::new(0));
    loop {
        let stream = match listener.accept() {
            Ok((stream, _)) => stream,
            Err(error) => {
                tracing::warn!(%error, "a connection could not be taken");
                thread::sleep(Duration::from_millis(100));
                continue;
            }
        };
        let Ok(peer) = socket_peercred(&stream) else { continue };
        let uid = peer.uid.as_raw();
        if uid != control && uid != ROOT {
            tracing::warn!(uid, "somebody who may not ask was turned away");
            continue;
        }
        if open.fetch_add(1, Ordering::AcqRel) >= CONNECTIONS_MAX {
            open.fetch_sub(1, Ordering::AcqRel);
            tracing::warn!(CONNECTIONS_MAX, "a connection was turned away: too many");
            continue;
        }
        let (store, open) = (Arc::clone(&store), Arc::clone(&open));
        thread::spawn(move || {
            if let Err(error) = one(&store, stream, uid) {
                tracing::debug!(%error, "a connection ended before its answer");
            }
            open.fetch_sub(1, Ordering::AcqRel);
        });
    }
}

fn one(store: &Mutex<Store>, mut stream: UnixStream, uid: u32) -> io::Result<()> {
    stream.set_read_timeout(Some(WAIT))?;
    stream.set_write_timeout(Some(WAIT))?;
    let mut line = Zeroizing::new(Vec::with_capacity(LINE_BYTES_MAX));
    BufReader::new((&stream).take(LINE_BYTES_MAX as u64)).read_until(b'\n', &mut line)?;
    if line.last() != Some(&b'\n') {
        return Err(io::Error::other("the line is too long, or has no end"));
    }
    let answer = match serde_json::from_slice(&line) {
        // What is wrong with the line is not said: it may hold a secret.
        Err(_) => Err(Refused::BadAsk),
        Ok(ask) => answer(&mut store.lock().unwrap_or_else(PoisonError::into_inner), ask, uid),
    };
    let answer = answer.unwrap_or_else(|why| {
        tracing::warn!(%why, uid, "refused");
        Answer::Refused { why }
    });
    let mut text = serde_json::to_vec(&answer)?;
    text.push(b'\n');
    stream.write_all(&text)
}

fn answer(store: &mut Store, ask: Ask, uid: u32) -> Result<Answer, Refused> {
    Ok(match ask {
        Ask::Status => Answer::Status { status: store.status()? },
        Ask::SetRecovery { recipient, replace } => {
            // Whoever has captured control must not name the paper that everything is written for.
            if uid != ROOT {
                return Err(Refused::Forbidden);
            }
            store.set_recovery(&recipient, replace)?;
            tracing::info!(recipient, "everything is written for this recovery key");
            Answer::Done
        }
        Ask::SetPlatform { key, recipient, replace } => {
            if uid != ROOT {
                return Err(Refused::Forbidden);
            }
            store.set_platform(&key, &recipient, replace)?;
            tracing::info!("keeps a key of the platform's own backups");
            Answer::Done
        }
        Ask::Platform { target, recipient } => {
            // Control may have any solution's key, each with a line; what the whole platform is rebuilt from it may not.
            if uid != ROOT {
                return Err(Refused::Forbidden);
            }
            let sealed = store.platform(target, &recipient)?;
            tracing::info!(recipient, "released the key of the platform's own backups");
            Answer::Released { sealed: STANDARD.encode(sealed) }
        }
        Ask::Release { solution, number, make, log, target, recipient } => {
            let release = if log { Store::release_log } else { Store::release };
            let sealed = release(store, (solution, number), make, target, &recipient)?;
            tracing::info!(%solution, %number, log, recipient, "released a key");
            Answer::Released { sealed: STANDARD.encode(sealed) }
        }
        Ask::Keep { target, secret } => {
            store.keep(target, &secret)?;
            tracing::info!(kept = %target, "keeps a target's secret");
            Answer::Done
        }
        Ask::Forget { target } => {
            store.forget(target)?;
            tracing::info!(forgotten = %target, "forgot a target's secret");
            Answer::Done
        }
        Ask::Destroy { solution, number } => {
            let receipt = store.destroy(solution, number)?;
            tracing::info!(%solution, %number, gone_by = %receipt.gone_by, "destroyed a key");
            Answer::Destroyed { receipt }
        }
        Ask::Recovery { solution, number } => {
            Answer::Recovery { file: STANDARD.encode(store.recovery(solution, number)?) }
        }
    })
}

/// Asks a vault of this machine.
///
/// # Errors
/// When nobody answers, or what is answered is no line of the vault's.
pub fn ask(socket: &Path, ask: &Ask) -> io::Result<Answer> {
    let mut stream = UnixStream::connect(socket)?;
    stream.set_read_timeout(Some(WAIT))?;
    stream.set_write_timeout(Some(WAIT))?;
    let mut text = Zeroizing::new(serde_json::to_vec(ask)?);
    text.push(b'\n');
    stream.write_all(&text)?;
    let mut line = String::new();
    BufReader::new((&stream).take(2 * LINE_BYTES_MAX as u64)).read_line(&mut line)?;
    Ok(serde_json::from_str(&line)?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use husorden_backup::vault::RecoveryKey;
    use husorden_base::{Number, Secret, SolutionId, TargetId};

    fn running(home: &Path, control: u32) -> std::path::PathBuf {
        let socket = home.join(format!("vault-{control}.sock"));
        let store = Store::open(&home.join(format!("vault-{control}")), 35).expect("made");
        let listener = bind(&socket).expect("bound");
        thread::spawn(move || serve(store, &listener, control));
        socket
    }

    #[test]
    fn each_ask_has_its_answer_and_what_is_none_has_none() {
        let home = tempfile::tempdir().expect("a folder");
        let own = rustix::process::geteuid().as_raw();
        let socket = running(home.path(), own);
        let node = RecoveryKey::generate();
        let (solution, number, target) = (SolutionId::new(), Number::new(7).expect("a number"), TargetId::new());
        let said = |one: &Ask| ask(&socket, one).expect("an answer");
        assert_eq!(said(&Ask::Keep { target, secret: Secret::new("of the target") }), Answer::Done);
        let recipient = node.recipient().to_string();
        let release = Ask::Release { solution, number, make: true, log: false, target: Some(target), recipient };
        let Answer::Released { sealed } = said(&release) else { panic!("released") };
        let clear = node.unseal(&STANDARD.decode(sealed).expect("base64")).expect("the node's");
        let secrets: husorden_wire::node::Secrets = serde_json::from_slice(&clear).expect("secrets");
        assert_eq!(secrets.target, Some(Secret::new("of the target")));
        let Answer::Status { status } = said(&Ask::Status) else { panic!("a status") };
        assert_eq!((status.keys, status.targets, status.recovery), (1, 1, None));
        assert!(matches!(said(&Ask::Destroy { solution, number }), Answer::Destroyed { .. }));
        assert!(matches!(said(&release), Answer::Refused { why: Refused::Destroyed { .. } }));
        assert_eq!(said(&Ask::Forget { target }), Answer::Done);
        assert!(UnixListener::bind(&socket).is_err() && bind(&socket).is_err(), "it is taken");

        // What is no ask is refused without a word of what stood in it; what has no end is not waited for for ever.
        let raw = |line: &[u8]| {
            let mut stream = UnixStream::connect(&socket).expect("connected");
            stream.write_all(line).expect("written");
            stream.shutdown(std::net::Shutdown::Write).expect("ended");
            let mut text = String::new();
            let _ = stream.read_to_string(&mut text);
            text
        };
        for line in [&b"{}\n"[..], b"\n", b"{\"ask\":\"keep\",\"secret\":\"hush\"}\n"] {
            assert_eq!(raw(line), "{\"is\":\"refused\",\"why\":{\"of\":\"bad-ask\"}}\n");
        }
        assert_eq!(raw(b"{\"ask\":\"status\"}"), "");
        assert_eq!(raw(&vec![b'x'; LINE_BYTES_MAX]), "");
    }

    #[test]
    fn the_paper_is_roots_to_name_and_others_are_not_answered() {
        let paper = RecoveryKey::generate().recipient().to_string();
        let set = |uid| {
            let home = tempfile::tempdir().expect("a folder");
            let mut store = Store::open(&home.path().join("vault"), 35).expect("made");
            answer(&mut store, Ask::SetRecovery { recipient: paper.clone(), replace: false }, uid)
        };
        assert_eq!(set(ROOT), Ok(Answer::Done));
        assert_eq!(set(1000), Err(Refused::Forbidden));

        // The same of what the platform is rebuilt from.
        let home = tempfile::tempdir().expect("a folder");
        let mut store = Store::open(&home.path().join("vault"), 35).expect("made");
        for ask in [
            || Ask::Platform { target: None, recipient: String::new() },
            || Ask::SetPlatform { key: Secret::new("x"), recipient: String::new(), replace: true },
        ] {
            assert_eq!(answer(&mut store, ask(), 1000), Err(Refused::Forbidden));
            assert_ne!(answer(&mut store, ask(), ROOT), Err(Refused::Forbidden));
        }
    }
}
