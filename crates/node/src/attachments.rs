//! What solutions of this node use of each other: worked out, each time it is asked, from the wishes alone.
//!
//! A password between two solutions is derived from a key of the node and the names of both, so it is stored nowhere: not in a wish,
//! not in the register, not on the side that is used. Whoever is no longer attached is no longer among the guests, and their user and
//! way go in the next pass; so nothing has to be taken back when a node dies in between.
//!
//! What is attached lies on the same node: control offers nothing else.

use crate::Node;
use husorden_base::{Secret, SolutionId};
use husorden_kinds::attach::username;
use husorden_kinds::scheme::{mysql_native, scram};
use husorden_kinds::{Aim, Attach, Credential, Guest, Scheme, Served, Used, kind};
use husorden_wire::node::Wish;
use jiff::Timestamp;
use ring::{digest, hmac};
use std::fs;
use std::io::{self, ErrorKind, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

/// Bytes of the key.
const KEY_BYTES: usize = 32;
/// Letters of a password: 32 of 32 kinds are 160 bits.
const LETTERS: &[u8; 32] = b"abcdefghijkmnpqrstuvwxyz23456789";

/// The key that passwords of attachments are derived from.
pub(crate) struct Attachments {
    key: hmac::Key,
}

impl Attachments {
    /// Reads the key, making it when there is none.
    ///
    /// # Errors
    /// When it can't be read or written.
    pub(crate) fn open(path: &Path) -> io::Result<Self> {
        let bytes = match fs::read(path) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == ErrorKind::NotFound => make(path)?,
            Err(error) => return Err(error),
        };
        if bytes.len() != KEY_BYTES {
            return Err(io::Error::new(ErrorKind::InvalidData, format!("{} is no key", path.display())));
        }
        Ok(Self { key: hmac::Key::new(hmac::HMAC_SHA256, &bytes) })
    }

    fn derive(&self, what: &str, by: SolutionId, used: SolutionId) -> hmac::Tag {
        hmac::sign(&self.key, format!("{what} {by} {used}").as_bytes())
    }

    /// The password that one solution has with another.
    pub(crate) fn password(&self, by: SolutionId, used: SolutionId) -> Secret {
        let tag = self.derive("password", by, used);
        Secret::new(tag.as_ref().iter().map(|byte| char::from(LETTERS[usize::from(byte % 32)])).collect::<String>())
    }

    /// That password as the server keeps it. Its generation differs where the password does.
    fn credential(&self, by: &Wish, used: SolutionId, scheme: Scheme) -> Option<Credential> {
        let password = self.password(by.solution, used);
        let hash = match scheme {
            Scheme::MysqlNative => mysql_native(password.reveal()),
            Scheme::ScramSha256 => {
                let salt = self.derive("salt", by.solution, used);
                scram(password.reveal(), salt.as_ref().first_chunk::<16>()?)
            }
            // What is asked by a browser is no server for others.
            Scheme::Bcrypt | Scheme::Sha512Crypt => return None,
        };
        let print = digest::digest(&digest::SHA256, hash.as_bytes());
        let generation = print.as_ref().iter().take(6).fold(1, |sum, byte| (sum << 8) | u64::from(*byte));
        Some(Credential { username: username(by.number), hash, generation })
    }
}

fn make(path: &Path) -> io::Result<Vec<u8>> {
    let mut bytes = vec![0; KEY_BYTES];
    ring::rand::SecureRandom::fill(&ring::rand::SystemRandom::new(), &mut bytes)
        .map_err(|_| io::Error::other("the kernel gives no random numbers"))?;
    let fresh = path.with_extension("new");
    let _ = fs::remove_file(&fresh);
    let mut file = fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(&fresh)?;
    file.write_all(&bytes)?;
    file.sync_all()?;
    fs::rename(&fresh, path)?;
    if let Some(folder) = path.parent() {
        fs::File::open(folder)?.sync_all()?;
    }
    Ok(bytes)
}

/// What a wish offers to who is attached to it, if it is there to be used by them.
fn served(used: &Wish, by: &Wish) -> Option<Served> {
    let offered = kind(&used.kind)?.serves(&used.spec)?;
    let speaks = kind(&by.kind)?.accepts().contains(&offered.protocol);
    (speaks && used.account == by.account && used.aim != Aim::Gone && by.aim != Aim::Gone).then_some(offered)
}

/// Where a solution finds what it uses.
pub(crate) fn uses(node: &Node, wish: &Wish) -> Option<Used> {
    let attach = Attach::of(&wish.spec)?;
    let used = node.register.wish(attach.solution)?;
    let served = served(&used, wish)?;
    let held = node.register.held(used.solution, used.account, Timestamp::now()).is_some();
    served.databases.contains(&attach.database).then(|| Used {
        solution: used.solution,
        number: used.number,
        open: used.aim == Aim::Run && !held,
        protocol: served.protocol,
        address: used.number.ipv4(),
        port: served.port,
        database: attach.database,
        username: username(wish.number),
        password: node.attachments.password(wish.solution, used.solution),
    })
}

/// Who uses a solution.
pub(crate) fn guests(node: &Node, wish: &Wish) -> Vec<Guest> {
    let all = node.register.attached_to(wish.solution);
    let guest = |by: Wish| {
        let served = served(wish, &by)?;
        let database = Attach::of(&by.spec)?.database;
        let credential = node.attachments.credential(&by, wish.solution, served.scheme)?;
        served.databases.contains(&database).then_some(Guest { number: by.number, database, credential })
    };
    all.into_iter().filter_map(guest).collect()
}

/// Whom a solution uses, and who uses it.
pub(crate) fn around(node: &Node, solution: SolutionId) -> Vec<SolutionId> {
    let used = node.register.wish(solution).and_then(|wish| Attach::of(&wish.spec)).map(|attach| attach.solution);
    let by = node.register.attached_to(solution).into_iter().map(|wish| wish.solution);
    used.into_iter().chain(by).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_made_once_and_passwords_follow_from_it() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("key");
        let (one, two) = (SolutionId::new(), SolutionId::new());
        let made = Attachments::open(&path).expect("it is made").password(one, two);
        let again = Attachments::open(&path).expect("it is read");
        assert_eq!(again.password(one, two), made);
        assert_ne!(again.password(two, one), made);
        assert_eq!(made.reveal().len(), 32);
        let other = Attachments::open(&folder.path().join("other")).expect("another");
        assert_ne!(other.password(one, two), made);
        fs::write(&path, b"short").expect("it is written");
        assert!(Attachments::open(&path).is_err());
    }
}
