//! Configuration of control: where it listens, where its database and spool lie, and its limits.

use crate::identity::session::Realm;
pub use crate::identity::{HashCost, Timeout};
use husorden_base::size::setting;
use husorden_wire::api::Role;
use ipnet::IpNet;
use serde::{Deserialize, Serialize};
use std::net::SocketAddr;
use std::path::PathBuf;

/// Configuration of control.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// Where the API listens. Loopback, unless `behind_tls_proxy` says that somebody else does TLS.
    pub listen: SocketAddr,
    /// The API listens on an address that others reach, because a proxy that does TLS stands before it.
    #[serde(default)]
    pub behind_tls_proxy: bool,
    /// The unix socket that nodes of this machine connect to.
    pub node_socket: PathBuf,
    /// The database.
    pub database: Database,
    /// Folder for uploads on their way to a node.
    pub spool: PathBuf,
    /// The node that new solutions are put on.
    #[serde(default = "default_node")]
    pub default_node: String,
    /// For how many days a deletion can be undone.
    #[serde(default = "retention_days")]
    pub retention_days: u16,
    /// For how many days a public address that was given up rests before it is another's.
    #[serde(default = "address_rest_days")]
    pub address_rest_days: u16,
    /// The domain under which solutions that are reached by a port have their names; the nodes have the same.
    #[serde(default = "husorden_base::zone")]
    pub zone: husorden_base::Domain,
    /// The certificate of the installation's own authority, PEM, which anybody may fetch to verify names by.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub authority: Option<PathBuf>,
    /// Folder of the imported list of leaked passwords; without one, the small list of the program is what there is.
    #[serde(default)]
    pub passwords: Option<PathBuf>,
    /// Folder of the operator's own house rules; left out, those of the product hold.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rules: Option<PathBuf>,
    /// The evidence log: control's own key, and where checkpoints go.
    pub evidence: Evidence,
    /// Mails and webhooks.
    pub notify: Notify,
    /// Where metrics are served: an address of this machine. Without one they are not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub metrics: Option<SocketAddr>,
    /// Log-in.
    pub identity: Identity,
    /// The vault; without one nothing can be backed up.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub vault: Option<Vault>,
    /// The file in which the role that backs the platform up says how that stands; without one nobody does it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub platform: Option<PathBuf>,
    /// Customers are told the names of staff; else they are told their roles and a number.
    #[serde(default)]
    pub staff_named: bool,
    /// Backups and proofs.
    #[serde(default)]
    pub backup: Backup,
    /// Limits.
    #[serde(default)]
    pub limits: Limits,
}

/// Where backups go when a plan names no target, and who proves them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Backup {
    /// Name of the target.
    pub target: String,
    /// Name of the node for proofs; where no such node was ever heard, a solution's own proves.
    pub proof_node: String,
}

impl Default for Backup {
    fn default() -> Self {
        Self { target: "local".to_owned(), proof_node: "proof".to_owned() }
    }
}

/// Mails and webhooks: how they leave, and where their links lead.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Notify {
    /// Whom mails are from: an address, or `Name <address>`.
    #[serde(default = "from")]
    pub from: String,
    /// Address of the customers' panel, without a slash at its end.
    #[serde(default = "panel")]
    pub panel: String,
    /// Address of the staff's panel.
    #[serde(default = "desk")]
    pub desk: String,
    /// Ranges that webhooks may go to although they are not of the public Internet.
    #[serde(default)]
    pub allow: Vec<IpNet>,
    /// File of the key that the secrets of webhooks are made of; made at the first start. Controls on one database share it.
    pub key: PathBuf,
    /// The way of mails.
    pub mail: MailWay,
}

/// The way of mails.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "by", rename_all = "kebab-case", deny_unknown_fields)]
pub enum MailWay {
    /// Mails wait in the database until there is another way.
    Hold,
    /// No mail leaves: each is a file.
    Folder {
        /// Where.
        folder: PathBuf,
    },
    /// By a mail server.
    Smtp {
        /// Its name, which its certificate must bear.
        host: String,
        /// Its port.
        port: u16,
        /// How the connection is kept from others.
        #[serde(default)]
        tls: MailTls,
        /// The user to log in as.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        user: Option<String>,
        /// File with the user's password; nothing else stands in it.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        password_file: Option<PathBuf>,
    },
}

/// How a connection to a mail server is kept from others.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum MailTls {
    /// TLS from the first byte (port 465).
    Implicit,
    /// TLS before anything is said (port 587); without it nothing is sent.
    #[default]
    Starttls,
    /// None: for a server on the same machine.
    None,
}

impl Notify {
    /// Mails as files in this folder, the key in this file, and the usual addresses.
    #[must_use]
    pub fn at(folder: impl Into<PathBuf>, key: impl Into<PathBuf>) -> Self {
        let mail = MailWay::Folder { folder: folder.into() };
        Self { from: from(), panel: panel(), desk: desk(), allow: Vec::new(), key: key.into(), mail }
    }
}

fn from() -> String {
    "Husorden <husorden@panel.localhost>".to_owned()
}

fn panel() -> String {
    "https://panel.localhost:8443".to_owned()
}

fn desk() -> String {
    "https://staff.localhost:8443".to_owned()
}

/// Log-in: where its key lies, what a password's hash costs, and how long sessions last.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Identity {
    /// The file of the key that second factors are sealed with; made at the first start. Controls on one database share it.
    pub key: PathBuf,
    /// What a password's hash costs.
    #[serde(default)]
    pub hash: HashCost,
    /// Sessions of technical, billing and read-only members.
    #[serde(default = "member_timeout")]
    pub member: Timeout,
    /// Sessions of owners and admins.
    #[serde(default = "manager_timeout")]
    pub manager: Timeout,
    /// Sessions of staff.
    #[serde(default = "staff_timeout")]
    pub staff: Timeout,
    /// After somebody of staff made sure who lost a second factor: the time, in seconds, in which the member can stop it.
    #[serde(default = "rescue_wait_s")]
    pub rescue_wait_s: u32,
}

impl Identity {
    /// The defaults, with the key in this file.
    #[must_use]
    pub fn at(key: impl Into<PathBuf>) -> Self {
        Self {
            key: key.into(),
            hash: HashCost::default(),
            member: member_timeout(),
            manager: manager_timeout(),
            staff: staff_timeout(),
            rescue_wait_s: rescue_wait_s(),
        }
    }

    /// How long a session lasts.
    pub(crate) const fn timeout(&self, realm: Realm, role: Option<Role>) -> Timeout {
        match (realm, role) {
            (Realm::Staff, _) => self.staff,
            (Realm::Account, Some(Role::Owner | Role::Admin)) => self.manager,
            (Realm::Account, _) => self.member,
        }
    }
}

const fn member_timeout() -> Timeout {
    Timeout { idle_s: 2 * 3600, absolute_s: 12 * 3600 }
}

const fn manager_timeout() -> Timeout {
    Timeout { idle_s: 3600, absolute_s: 12 * 3600 }
}

const fn staff_timeout() -> Timeout {
    Timeout { idle_s: 15 * 60, absolute_s: 8 * 3600 }
}

const fn rescue_wait_s() -> u32 {
    24 * 3600
}

/// The vault, which keeps what opens backups.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Vault {
    /// Its unix socket.
    pub socket: PathBuf,
    /// Longest time for an answer, in seconds.
    #[serde(default = "vault_wait_s")]
    pub wait_s: u64,
}

impl Vault {
    /// The vault behind this socket.
    #[must_use]
    pub fn at(socket: impl Into<PathBuf>) -> Self {
        Self { socket: socket.into(), wait_s: vault_wait_s() }
    }
}

const fn vault_wait_s() -> u64 {
    5
}

/// Where the database is.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Database {
    /// Folder of PostgreSQL's unix socket.
    pub socket_dir: PathBuf,
    /// Name of the database.
    #[serde(default = "database_name")]
    pub name: String,
}

/// What the evidence log is signed with, and where its checkpoints go.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Evidence {
    /// Folder of this control alone: its key, and what it signed last.
    pub folder: PathBuf,
    /// Folders that checkpoints are appended to, a file a day; best on a mount of another machine.
    #[serde(default)]
    pub folders: Vec<PathBuf>,
    /// URLs that each checkpoint is sent to with POST. Without secrets: this file is everybody's to read.
    #[serde(default)]
    pub urls: Vec<String>,
    /// A checkpoint is signed after so many seconds.
    #[serde(default = "every_s")]
    pub every_s: u64,
}

impl Evidence {
    /// A log with its key in this folder, whose checkpoints go nowhere yet.
    #[must_use]
    pub fn at(folder: impl Into<PathBuf>) -> Self {
        Self { folder: folder.into(), folders: Vec::new(), urls: Vec::new(), every_s: every_s() }
    }
}

const fn every_s() -> u64 {
    60
}

/// What one caller, one message or one account may take. Sizes may be written as `2 GiB`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Limits {
    /// Largest JSON body of a request, in bytes.
    #[serde(deserialize_with = "setting")]
    pub body_bytes_max: usize,
    /// Largest head of a request, in bytes.
    #[serde(deserialize_with = "setting")]
    pub header_bytes_max: usize,
    /// Largest archive, in bytes.
    #[serde(deserialize_with = "setting")]
    pub archive_bytes_max: u64,
    /// Longest time for the head of a request, in seconds.
    pub header_wait_s_max: u64,
    /// Requests per second a token may make in the long run.
    pub requests_per_second_max: u32,
    /// Requests a token may make at once.
    pub requests_burst_max: u32,
    /// Connections to the API.
    pub connections_max: usize,
    /// Streams of events that are open at once.
    pub streams_max: usize,
    /// Solutions of one account, also those whose deletion can still be undone.
    pub solutions_per_account_max: u32,
    /// Members of one account, with open invitations.
    pub members_per_account_max: u32,
    /// Tokens of one account that are not revoked.
    pub tokens_per_account_max: u32,
    /// Webhooks of one account.
    pub webhooks_per_account_max: u32,
    /// Private networks of one account.
    pub networks_per_account_max: u32,
    /// Snapshots of one solution, beside those the platform takes before a change.
    pub snapshots_per_solution_max: u32,
}

/// A limit that nobody could live with.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{name} is {is}; it must be {min} to {max}")]
pub struct BadLimit {
    /// Which.
    pub name: &'static str,
    /// As it was set.
    pub is: u64,
    /// The least that works.
    pub min: u64,
    /// The most that is sensible.
    pub max: u64,
}

impl Limits {
    /// Whether every limit is one that control can be used with.
    ///
    /// # Errors
    /// The first that is not.
    pub fn check(&self) -> Result<(), BadLimit> {
        let size = |size: usize| size as u64;
        // The upper bounds keep one request's or one page's memory within what a small machine has.
        for (name, is, min, max) in [
            ("body_bytes_max", size(self.body_bytes_max), 64 << 10, 64 << 20),
            ("header_bytes_max", size(self.header_bytes_max), 8 << 10, 1 << 20),
            ("archive_bytes_max", self.archive_bytes_max, 1 << 20, 1 << 40),
            ("header_wait_s_max", self.header_wait_s_max, 1, 300),
            ("requests_per_second_max", self.requests_per_second_max.into(), 1, 1_000_000),
            ("requests_burst_max", self.requests_burst_max.into(), 1, 1_000_000),
            ("connections_max", size(self.connections_max), 16, 1_000_000),
            ("streams_max", size(self.streams_max), 1, 100_000),
            ("solutions_per_account_max", self.solutions_per_account_max.into(), 0, 4_194_302),
            ("members_per_account_max", self.members_per_account_max.into(), 1, 10_000),
            ("tokens_per_account_max", self.tokens_per_account_max.into(), 1, 10_000),
            ("webhooks_per_account_max", self.webhooks_per_account_max.into(), 0, 1_000),
            ("networks_per_account_max", self.networks_per_account_max.into(), 0, 1_000),
            ("snapshots_per_solution_max", self.snapshots_per_solution_max.into(), 0, 1_000),
        ] {
            if is < min || is > max {
                return Err(BadLimit { name, is, min, max });
            }
        }
        Ok(())
    }
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            body_bytes_max: 1 << 20,
            header_bytes_max: 32 << 10,
            archive_bytes_max: 2 << 30,
            header_wait_s_max: 15,
            requests_per_second_max: 50,
            requests_burst_max: 200,
            connections_max: 2_000,
            streams_max: 256,
            solutions_per_account_max: 1_000,
            members_per_account_max: 100,
            tokens_per_account_max: 100,
            webhooks_per_account_max: 20,
            networks_per_account_max: 20,
            snapshots_per_solution_max: 64,
        }
    }
}

impl Database {
    /// A database behind the socket in this folder, with the usual name.
    #[must_use]
    pub fn at(socket_dir: impl Into<PathBuf>) -> Self {
        Self { socket_dir: socket_dir.into(), name: database_name() }
    }
}

fn default_node() -> String {
    "local".to_owned()
}

fn database_name() -> String {
    "husorden".to_owned()
}

/// Days for which a public address rests when nothing is said.
#[must_use]
pub const fn address_rest_days() -> u16 {
    7
}

const fn retention_days() -> u16 {
    7
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn limits_are_read_with_sizes_and_judged() {
        let read = |text: &str| serde_json::from_str::<Limits>(text).expect("limits");
        assert_eq!(Limits::default().check(), Ok(()));
        let set = read(r#"{"archive_bytes_max": "8 GiB", "body_bytes_max": 131072, "webhooks_per_account_max": 0}"#);
        assert_eq!((set.archive_bytes_max, set.body_bytes_max, set.tokens_per_account_max), (8 << 30, 128 << 10, 100));
        assert_eq!(set.check(), Ok(()));
        for (text, name) in [
            (r#"{"requests_per_second_max": 0}"#, "requests_per_second_max"),
            (r#"{"body_bytes_max": "1 KiB"}"#, "body_bytes_max"),
            (r#"{"body_bytes_max": "1 GiB"}"#, "body_bytes_max"),
            (r#"{"connections_max": 0}"#, "connections_max"),
        ] {
            let bad = read(text).check().expect_err(text);
            assert_eq!(bad.name, name, "{bad}");
        }
        assert!(serde_json::from_str::<Limits>(r#"{"requests_max": 1}"#).is_err(), "unknown");
    }
}
