//! Where one installation stands on a machine, and the settings it is started with.

use anyhow::{Context, Result, bail};
use husorden_base::{Bytes, Domain};
use serde::{Deserialize, Serialize};
use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

/// Which installation, as the command line says it.
#[derive(Clone, Debug, Default, clap::Args)]
pub(crate) struct Which {
    /// Name of the installation: 1 to 8 of a-z and 0-9
    #[arg(long, value_name = "NAME", default_value = "demo")]
    pub(crate) instance: String,
    /// Folder of what stays [default: /var/lib/husorden/<instance>]
    #[arg(long, value_name = "DIR")]
    pub(crate) home: Option<PathBuf>,
    /// Settings [default: <home>/husorden.toml, if it is there]
    #[arg(long, value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,
}

/// The folders of one installation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Place {
    /// Its name.
    pub(crate) instance: String,
    /// What stays.
    pub(crate) home: PathBuf,
    /// What goes with the machine's next boot.
    pub(crate) run: PathBuf,
}

/// The settings of one installation, as `husorden.toml` says them. What is left out has its default.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Settings {
    /// Built runtimes and apps, shared by all installations of a machine.
    pub(crate) cache: PathBuf,
    /// The folder that holds `runtimes/`, `apps/` and `images/`; looked for beside the binary when left out.
    pub(crate) catalogue: Option<PathBuf>,
    /// For how many days a deletion can be undone.
    pub(crate) retention_days: u16,
    /// Days for which a public address that was given up rests before it is another's.
    pub(crate) address_rest_days: u16,
    /// The domain under which solutions that are reached by a port have their names.
    pub(crate) zone: Domain,
    /// Customers are told the names of staff; left out, they are told their roles and a number.
    pub(crate) staff_named: bool,
    /// Folder of the operator's own house rules; those of the product when left out.
    pub(crate) rules: Option<PathBuf>,
    /// The evidence log.
    pub(crate) evidence: Evidence,
    /// The API.
    pub(crate) api: Api,
    /// The panel.
    pub(crate) panel: Panel,
    /// Mails, webhooks and metrics.
    pub(crate) notify: Notify,
    /// The node.
    pub(crate) node: Node,
    /// The edge.
    pub(crate) edge: Edge,
    /// The database.
    pub(crate) database: Database,
    /// Backups.
    pub(crate) backup: Backup,
    /// Proofs of backups.
    pub(crate) proof: Proof,
    /// The vault.
    pub(crate) vault: Vault,
    /// Who starts roles again.
    pub(crate) supervisor: Supervisor,
}

/// How roles that died are started again.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Supervisor {
    /// Seconds of the longest pause before a role, or the private PostgreSQL, that dies again and again is started once more.
    pub(crate) pause_max_s: u32,
}

impl Default for Supervisor {
    fn default() -> Self {
        Self { pause_max_s: 30 }
    }
}

/// Where backups go when a solution's plan names no target.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Backup {
    /// Name of the target. The one called `local` is a folder of the home, made where there is none.
    pub(crate) target: String,
    /// Name of the target that the platform itself goes to; left out, the same.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) platform: Option<String>,
}

impl Default for Backup {
    fn default() -> Self {
        Self { target: LOCAL_TARGET.to_owned(), platform: None }
    }
}

/// Name of the target that is a folder of the home.
pub(crate) const LOCAL_TARGET: &str = "local";

/// Who proves backups.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Proof {
    /// Name of the node for proofs; where there is none, a solution's own proves.
    pub(crate) node: String,
    /// Size of the pool of that node, such as `40 GiB`; `up` starts it on this machine then, and none where this is left out.
    #[serde(deserialize_with = "set")]
    pub(crate) pool: Option<Bytes>,
}

/// A size that was set.
fn set<'de, D: serde::Deserializer<'de>>(value: D) -> Result<Option<Bytes>, D::Error> {
    husorden_base::size::setting(value).map(Some)
}

impl Default for Proof {
    fn default() -> Self {
        Self { node: PROOF.to_owned(), pool: None }
    }
}

/// The role that starts the others.
pub(crate) const SUPERVISOR: &str = "supervisor";
/// The roles of every installation, in the order in which they are started; [`PROOF`] comes after them where it is set.
pub(crate) const ROLES: [&str; 5] = ["vault", "control", "node", "edge", "platform"];
/// Name of the role that proves backups, and of its node.
pub(crate) const PROOF: &str = "proof";

/// Where checkpoints of the evidence log go.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Evidence {
    /// Folders they are appended to; a mount of another machine protects against whoever has this one. Left out, a folder of
    /// the home.
    pub(crate) folders: Option<Vec<PathBuf>>,
    /// URLs that each is sent to with POST. Roles' files are everybody's to read, so no secrets in them.
    pub(crate) urls: Vec<String>,
}

/// Settings of the API.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Api {
    /// Where it listens. Plain HTTP, so on the machine itself only; a proxy with TLS stands before it where it is reached
    /// from outside.
    pub(crate) listen: SocketAddr,
    /// What one caller, one message or one account may take.
    pub(crate) limits: husorden_control::Limits,
}

/// Settings of the panel.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Panel {
    /// Where it listens, with TLS; left out: on the machine itself, at the port after the API's.
    pub(crate) listen: Option<SocketAddr>,
    /// Host name of the customers' pages.
    pub(crate) customers: Option<String>,
    /// Host name of the staff's pages, which must be another.
    pub(crate) staff: Option<String>,
    /// The certificate's chain for both names, PEM; left out, the installation's own authority makes one.
    pub(crate) chain: Option<PathBuf>,
    /// The certificate's key, PEM; control's user must be able to read it.
    pub(crate) key: Option<PathBuf>,
}

/// Settings of mails, webhooks and metrics.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Notify {
    /// Whom mails are from.
    pub(crate) from: Option<String>,
    /// The way of mails; left out, they are files in the home's folder `mail`.
    pub(crate) mail: Option<husorden_control::MailWay>,
    /// Ranges that webhooks may go to although they are not of the public Internet.
    pub(crate) allow: Vec<ipnet::IpNet>,
    /// Where metrics are served, on this machine; left out, they are not.
    pub(crate) metrics: Option<SocketAddr>,
}

/// Settings of the node.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Node {
    /// Its name, as control knows it.
    pub(crate) name: String,
    /// `own`: a network namespace with one link to the host, so that a first look changes nothing of the machine's network.
    /// `host`: the machine's own network, for production.
    pub(crate) network: Network,
    /// Size of the pool file when it is made, such as `20 GiB`.
    #[serde(deserialize_with = "husorden_base::size::setting")]
    pub(crate) pool: Bytes,
    /// A block device of its own for the pool, in place of the pool file; it must be blank or the pool already.
    pub(crate) device: Option<PathBuf>,
    /// With the machine's own network: the interface towards the world; found by the default route when left out.
    pub(crate) uplink: Option<String>,
    /// Name servers that guests with addresses of their own are told of; they are reached like anything outside.
    pub(crate) name_servers: Vec<std::net::IpAddr>,
    /// Public addresses of IPv4 that are handed out: addresses, prefixes, and ranges such as `192.0.2.10-192.0.2.20`.
    pub(crate) public_ipv4: Vec<String>,
    /// Prefixes of IPv6 of which each solution that asks gets a /64; they are routed to this machine.
    pub(crate) public_ipv6: Vec<String>,
    /// When what comes round by itself comes round.
    pub(crate) care: husorden_node::Care,
}

/// In which network the node and the edge live.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Network {
    /// One of its own, with a link to the host.
    Own,
    /// The machine's.
    Host,
}

/// Settings of the edge.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Edge {
    /// Where it speaks TLS.
    pub(crate) https: Vec<SocketAddr>,
    /// Where it speaks plain HTTP.
    pub(crate) http: Vec<SocketAddr>,
}

/// Settings of the database.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Database {
    /// Folder of the unix socket of the operator's own PostgreSQL; left out, a private one is started.
    pub(crate) socket_dir: Option<PathBuf>,
}

/// Settings of the vault.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Vault {
    /// Days for which copies of the vault's folder are kept; the receipt of a destroyed key names the day by which none remains.
    pub(crate) copies_days: u16,
}

impl Default for Vault {
    fn default() -> Self {
        Self { copies_days: husorden_vault::copies_days() }
    }
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            cache: PathBuf::from("/var/cache/husorden"),
            catalogue: None,
            retention_days: 7,
            address_rest_days: husorden_control::config::address_rest_days(),
            zone: husorden_base::zone(),
            staff_named: false,
            rules: None,
            evidence: Evidence::default(),
            api: Api::default(),
            panel: Panel::default(),
            notify: Notify::default(),
            node: Node::default(),
            edge: Edge::default(),
            database: Database::default(),
            backup: Backup::default(),
            proof: Proof::default(),
            vault: Vault::default(),
            supervisor: Supervisor::default(),
        }
    }
}

impl Default for Api {
    fn default() -> Self {
        Self {
            listen: SocketAddr::from(([127, 0, 0, 1], husorden_cli::API_PORT)),
            limits: husorden_control::Limits::default(),
        }
    }
}

impl Default for Node {
    fn default() -> Self {
        Self {
            name: "local".to_owned(),
            network: Network::Own,
            pool: Bytes::gib(20),
            device: None,
            uplink: None,
            name_servers: Vec::new(),
            public_ipv4: Vec::new(),
            public_ipv6: Vec::new(),
            care: husorden_node::Care::default(),
        }
    }
}

impl Default for Edge {
    fn default() -> Self {
        let any = std::net::Ipv6Addr::UNSPECIFIED;
        Self { https: vec![SocketAddr::from((any, 443))], http: vec![SocketAddr::from((any, 80))] }
    }
}

impl Which {
    /// The folders that are meant.
    pub(crate) fn place(&self) -> Result<Place> {
        let name = &self.instance;
        let fine = (1..=8).contains(&name.len())
            && name.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit());
        if !fine {
            bail!("{name:?} is no name of an installation: 1 to 8 of a-z and 0-9");
        }
        let home = match &self.home {
            Some(home) => std::path::absolute(home).with_context(|| format!("making {} absolute", home.display()))?,
            None => usual_home(name),
        };
        Ok(Place { instance: name.clone(), home, run: Path::new("/run/husorden").join(name) })
    }

    /// The settings that hold for it.
    pub(crate) fn settings(&self, place: &Place) -> Result<Settings> {
        let own = place.own_settings();
        let path = match &self.config {
            Some(path) => path,
            None if own.exists() => &own,
            None => return Ok(Settings::default()),
        };
        let text = fs::read_to_string(path).with_context(|| format!("reading the settings {}", path.display()))?;
        let settings: Settings =
            toml::from_str(&text).with_context(|| format!("the settings {} do not hold", path.display()))?;
        if !settings.api.listen.ip().is_loopback() {
            bail!(
                "api.listen is {}: the API speaks plain HTTP and listens on the machine itself only (127.0.0.1 or [::1]); put a proxy with TLS before it",
                settings.api.listen
            );
        }
        settings.api.limits.check().with_context(|| format!("[api.limits] in {} does not hold", path.display()))?;
        Ok(settings)
    }
}

impl Settings {
    /// Where the panel listens.
    pub(crate) fn panel_listen(&self) -> SocketAddr {
        let beside = SocketAddr::from(([127, 0, 0, 1], self.api.listen.port().saturating_add(1)));
        self.panel.listen.unwrap_or(beside)
    }

    /// The panel's own configuration.
    pub(crate) fn panel(&self, place: &Place) -> husorden_panel::Config {
        let set = &self.panel;
        let chain = set.chain.clone().unwrap_or_else(|| place.home.join("control/panel.pem"));
        let key = set.key.clone().unwrap_or_else(|| place.home.join("control/panel.key"));
        let mut config = husorden_panel::Config::new(vec![self.panel_listen()], chain, key);
        if let Some(name) = &set.customers {
            config.customers.clone_from(name);
        }
        if let Some(name) = &set.staff {
            config.staff.clone_from(name);
        }
        config
    }

    /// What control is told of mails and webhooks.
    pub(crate) fn notify(&self, place: &Place) -> husorden_control::Notify {
        let panel = self.panel(place);
        let port = self.panel_listen().port();
        let mut notify = husorden_control::Notify::at(place.home.join("mail"), place.home.join("control/webhook.key"));
        notify.panel = format!("https://{}:{port}", panel.customers);
        notify.desk = format!("https://{}:{port}", panel.staff);
        notify.allow.clone_from(&self.notify.allow);
        if let Some(from) = &self.notify.from {
            notify.from.clone_from(from);
        }
        if let Some(way) = &self.notify.mail {
            notify.mail = way.clone();
        }
        notify
    }

    /// The folder with the catalogues: as set, or beside the binary (a checkout's `target/release` too), or where a package
    /// puts it.
    pub(crate) fn catalogue(&self) -> Result<PathBuf> {
        if let Some(set) = &self.catalogue {
            return Ok(set.clone());
        }
        let binary = std::env::current_exe().context("finding the binary")?;
        binary
            .ancestors()
            .skip(1)
            .take(4)
            .chain([Path::new("/usr/share/husorden")])
            .chain(checkout())
            .find(|folder| ["runtimes", "apps", "images"].iter().all(|part| folder.join(part).is_dir()))
            .map(Path::to_owned)
            .with_context(|| {
                format!(
                    "no folder with runtimes/, apps/ and images/ beside {} nor in /usr/share/husorden; name it as `catalogue` in the settings",
                    binary.display()
                )
            })
    }
}

/// The checkout this was built from: in a build for development, whose binary may lie anywhere.
fn checkout() -> Option<&'static Path> {
    if cfg!(debug_assertions) { Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().nth(2) } else { None }
}

/// Where an installation lies when nothing else is said.
fn usual_home(instance: &str) -> PathBuf {
    Path::new("/var/lib/husorden").join(instance)
}

impl Place {
    /// The flags by which this installation is meant, with a blank before each; none for the usual one.
    pub(crate) fn flags(&self) -> String {
        let mut flags = String::new();
        if self.instance != "demo" {
            flags += &format!(" --instance {}", self.instance);
        }
        if self.home != usual_home(&self.instance) {
            flags += &format!(" --home {}", self.home.display());
        }
        flags
    }

    /// The same installation as its role for proofs sees it: with folders of its own, and a name of its own in the kernel, which no
    /// installation can have.
    pub(crate) fn of_proofs(&self) -> Self {
        Self { instance: format!("{}-{PROOF}", self.instance), home: self.home.join(PROOF), run: self.run.join(PROOF) }
    }

    /// The pool, where it is a file.
    pub(crate) fn pool(&self) -> PathBuf {
        self.home.join("pool.img")
    }

    /// Where the settings are looked for.
    pub(crate) fn own_settings(&self) -> PathBuf {
        self.home.join("husorden.toml")
    }

    /// The imported list of leaked passwords.
    pub(crate) fn leaked(&self) -> PathBuf {
        self.home.join("control/passwords")
    }

    /// Logs of the roles.
    pub(crate) fn logs(&self) -> PathBuf {
        self.home.join("log")
    }

    /// The certificate authority.
    pub(crate) fn ca(&self) -> PathBuf {
        self.home.join("ca")
    }

    /// Checkpoints of the evidence log, when no other folder is named.
    pub(crate) fn checkpoints(&self) -> PathBuf {
        self.home.join("checkpoints")
    }

    /// Backups of a first look: on the machine, and gone with it.
    pub(crate) fn backups(&self) -> PathBuf {
        self.home.join("backups")
    }

    /// What the platform's own backups are made of.
    pub(crate) fn platform(&self) -> PathBuf {
        self.home.join("platform")
    }

    /// How the platform's own backups stand.
    pub(crate) fn platform_state(&self) -> PathBuf {
        self.home.join("platform.json")
    }

    /// The socket of the role that makes them; root's alone.
    pub(crate) fn platform_socket(&self) -> PathBuf {
        self.run.join("platform.sock")
    }

    /// Where a rebuild works until it is confirmed.
    pub(crate) fn rebuild(&self) -> PathBuf {
        self.home.join("rebuild")
    }

    /// Tokens of the platform itself.
    pub(crate) fn secrets(&self) -> PathBuf {
        self.home.join("secrets")
    }

    /// What the demo made.
    pub(crate) fn demo(&self) -> PathBuf {
        self.home.join("demo")
    }

    /// Who runs: a file a role, locked as long as it lives.
    pub(crate) fn role_lock(&self, role: &str) -> PathBuf {
        self.run.join("roles").join(role)
    }

    /// What a role is started with.
    pub(crate) fn role_file(&self, role: &str) -> PathBuf {
        self.run.join("config").join(format!("{role}.toml"))
    }

    /// What the running supervisor says of itself.
    pub(crate) fn state_file(&self) -> PathBuf {
        self.run.join("state.json")
    }

    /// Control's unix socket for nodes.
    pub(crate) fn control_socket(&self) -> PathBuf {
        self.run.join("control").join("node.sock")
    }

    /// The vault's unix socket.
    pub(crate) fn vault_socket(&self) -> PathBuf {
        self.run.join("vault").join("vault.sock")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_have_defaults_and_refuse_what_they_do_not_know() {
        let text = "[node]\nnetwork = \"host\"\n[api.limits]\narchive_bytes_max = \"8 GiB\"\n[edge]\nhttps = [\"192.0.2.1:443\"]\n";
        let settings: Settings = toml::from_str(text).expect("settings");
        assert_eq!(settings.node.network, Network::Host);
        assert_eq!(settings.node.pool, Bytes::gib(20));
        assert_eq!(settings.api.limits.archive_bytes_max, 8 << 30);
        assert_eq!(settings.api.limits.streams_max, 256, "what is left out has its default");
        for (text, size) in [("\"1500 MiB\"", Bytes::mib(1500)), ("1048576", Bytes::mib(1))] {
            let settings: Settings = toml::from_str(&format!("[node]\npool = {text}\n")).expect("settings");
            assert_eq!(settings.node.pool, size);
        }
        assert_eq!(settings.edge.http.len(), 1);
        assert_eq!(settings.proof.pool, None);
        let proving: Settings = toml::from_str("[proof]\npool = \"4 GiB\"\n").expect("settings");
        assert_eq!(proving.proof.pool, Some(Bytes::gib(4)));
        for wrong in [
            "[node]\nnetwrk = 1\n",
            "port = 1\n",
            "[node]\nnetwork = \"vpn\"\n",
            "[node]\npool = \"much\"\n",
            "[api.limits]\nbody_max = 1\n",
        ] {
            assert!(toml::from_str::<Settings>(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn an_installation_has_a_short_name() {
        for (name, fine) in
            [("demo", true), ("t1", true), ("", false), ("Demo", false), ("../demo", false), ("ninechars", false)]
        {
            let which = Which { instance: name.to_owned(), ..Which::default() };
            assert_eq!(which.place().is_ok(), fine, "{name:?}");
        }
    }

    #[test]
    fn an_installation_is_found_again_by_its_flags() {
        for (instance, home, flags) in [
            ("demo", None, ""),
            ("demo", Some("/var/lib/husorden/demo"), ""),
            ("t1", None, " --instance t1"),
            ("t1", Some("/srv/t1"), " --instance t1 --home /srv/t1"),
        ] {
            let which = Which { instance: instance.to_owned(), home: home.map(PathBuf::from), config: None };
            assert_eq!(which.place().expect("a place").flags(), flags);
        }
    }
}
