//! What must stand before any role starts: users, folders, the authority and its first certificate, and each role's file.

use crate::place::{PROOF, Place, Settings};
use crate::platform;
use crate::role::{self, Process};
use crate::users::{self, Ids};
use anyhow::{Context, Result, bail};
use husorden_node::Ground;
use husorden_node::ca::{Ca, LEAF_RENEW_DAYS};
use husorden_node::network::NodeNet;
use husorden_node::port::Uplink;
use husorden_node::volume::Source;
use nix::unistd::{Gid, Uid, chown};
use std::fs;
use std::io::Write;
use std::net::IpAddr;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// The name on the certificate for visitors who name no site. Another registrable domain than any customer's.
const OWN_NAME: &str = "edge.husorden.test";

/// Who owns what.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Users {
    /// Owner of the private PostgreSQL.
    pub(crate) database: Ids,
    /// The control role.
    pub(crate) control: Ids,
    /// The edge role.
    pub(crate) edge: Ids,
    /// The vault role.
    pub(crate) vault: Ids,
    /// Who speaks with the target of the platform's own backups.
    pub(crate) platform: Ids,
}

/// The users of the roles. The text says which were made, if any.
pub(crate) fn users() -> Result<(Users, String)> {
    let mut made = Vec::new();
    let mut one = |name: &'static str| -> Result<Ids> {
        let (ids, fresh) = users::ensure(name)?;
        if fresh {
            made.push(name);
        }
        Ok(ids)
    };
    let users = Users {
        database: one(users::DATABASE)?,
        control: one(users::CONTROL)?,
        edge: one(users::EDGE)?,
        vault: one(users::VAULT)?,
        platform: one(users::PLATFORM)?,
    };
    let text = if made.is_empty() { "users are there".to_owned() } else { format!("users made: {}", made.join(", ")) };
    Ok((users, text))
}

/// Makes the folders, each with its owner and mode, also when it was there with others.
pub(crate) fn folders(place: &Place, settings: &Settings, users: &Users) -> Result<()> {
    let root = Ids { uid: Uid::from_raw(0), gid: Gid::from_raw(0) };
    for base in ["/run/husorden", "/var/lib/husorden"] {
        fs::create_dir_all(base).with_context(|| format!("making {base}"))?;
    }
    for (path, owner, mode) in [
        (place.home.clone(), root, 0o755),
        (place.run.clone(), root, 0o755),
        (settings.cache.clone(), root, 0o755),
        (place.logs(), root, 0o755),
        (place.ca(), root, 0o755),
        (place.secrets(), root, 0o700),
        (place.run.join("roles"), root, 0o755),
        (place.run.join("config"), root, 0o755),
        (place.run.join("control"), users.control, 0o750),
        (place.run.join("vault"), users.vault, 0o755),
        (place.home.join("vault"), users.vault, 0o700),
        (place.home.join("control"), users.control, 0o700),
        (place.home.join("control/spool"), users.control, 0o700),
        // Sandboxes of databases are given it: a list that anybody may have, of secrets that nobody should.
        (place.leaked(), users.control, 0o755),
        (place.home.join("mail"), users.control, 0o700),
        (place.home.join("edge"), users.edge, 0o700),
        (place.platform(), users.platform, 0o700),
        (place.logs().join("sites"), users.edge, 0o755),
    ] {
        folder(&path, owner, mode)?;
    }
    for path in evidence(place, settings).folders {
        folder(&path, users.control, 0o755)?;
    }
    reachable(&place.home)
}

/// Makes a folder with this owner and mode.
pub(crate) fn folder(path: &Path, owner: Ids, mode: u32) -> Result<()> {
    fs::create_dir_all(path).with_context(|| format!("making {}", path.display()))?;
    let data = fs::symlink_metadata(path).with_context(|| format!("looking at {}", path.display()))?;
    if !data.is_dir() {
        bail!("{} is no folder", path.display());
    }
    if (data.uid(), data.gid()) != (owner.uid.as_raw(), owner.gid.as_raw()) {
        chown(path, Some(owner.uid), Some(owner.gid)).with_context(|| format!("giving away {}", path.display()))?;
    }
    if data.mode() & 0o7777 != mode {
        fs::set_permissions(path, fs::Permissions::from_mode(mode))
            .with_context(|| format!("setting the mode of {}", path.display()))?;
    }
    Ok(())
}

/// The roles without root pass through every folder above the home.
fn reachable(home: &Path) -> Result<()> {
    for folder in home.ancestors() {
        let data = fs::metadata(folder).with_context(|| format!("looking at {}", folder.display()))?;
        if data.mode() & 0o001 == 0 {
            bail!(
                "the home {} lies within {}, through which the roles without root may not pass: choose another with --home, or allow it with `chmod o+x {}`",
                home.display(),
                folder.display(),
                folder.display()
            );
        }
    }
    Ok(())
}

/// The authority, and the certificates of the edge and the panel while they are young enough.
pub(crate) fn certificates(place: &Place, settings: &Settings, users: &Users) -> Result<PathBuf> {
    let ca = Ca::open_or_make(&place.ca()).context("opening the local certificate authority")?;
    let edge = (place.home.join("edge/default.pem"), place.home.join("edge/default.key"));
    issue(&ca, &[OWN_NAME], edge, users.edge).context("making the edge's default certificate")?;
    if settings.panel.chain.is_none() {
        let panel = settings.panel(place);
        issue(&ca, &[&panel.customers, &panel.staff], (panel.chain, panel.key), users.control)
            .context("making the panel's certificate")?;
    }
    Ok(ca.root_path().to_owned())
}

/// A certificate for these names, unless there is one that is young enough.
fn issue(ca: &Ca, names: &[&str], (chain, key): (PathBuf, PathBuf), owner: Ids) -> Result<()> {
    let old = Duration::from_secs(LEAF_RENEW_DAYS * 24 * 3600);
    let young = |path: &Path| {
        fs::metadata(path).and_then(|data| data.modified()).is_ok_and(|made| made.elapsed().is_ok_and(|age| age < old))
    };
    if !(young(&chain) && young(&key)) {
        let names = names.iter().map(|name| name.parse().map_err(anyhow::Error::msg)).collect::<Result<Vec<_>>>()?;
        let (chain_pem, key_pem) = ca.issue(&names)?;
        put(&key, &key_pem, 0o400, owner)?;
        put(&chain, &chain_pem, 0o444, owner)?;
    }
    Ok(())
}

/// Writes a file whole or not at all, with its owner and mode from the first byte on.
pub(crate) fn put(path: &Path, text: &str, mode: u32, owner: Ids) -> Result<()> {
    let mut fresh = path.as_os_str().to_owned();
    fresh.push(".new");
    let fresh = PathBuf::from(fresh);
    let _ = fs::remove_file(&fresh);
    let mut file = fs::OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(mode)
        .open(&fresh)
        .with_context(|| format!("making {}", fresh.display()))?;
    file.write_all(text.as_bytes()).with_context(|| format!("writing {}", fresh.display()))?;
    chown(&fresh, Some(owner.uid), Some(owner.gid)).with_context(|| format!("giving away {}", fresh.display()))?;
    fs::rename(&fresh, path).with_context(|| format!("putting {} in place", path.display()))
}

/// Writes what each role is started with. All of it is root's to write and, holding no secret, everybody's to read.
pub(crate) fn role_files(place: &Place, settings: &Settings, users: &Users, net: Option<&NodeNet>) -> Result<()> {
    let netns = net.map(|net| net.namespace.as_str());
    let root = Ids { uid: Uid::from_raw(0), gid: Gid::from_raw(0) };
    let process = |name: &str, user: Option<&str>, netns: Option<&str>| Process {
        user: user.map(str::to_owned),
        netns: netns.map(str::to_owned),
        lock: Some(place.role_lock(name)),
    };
    let write = |name: &str, text: String| put(&place.role_file(name), &text, 0o444, root);

    let control = husorden_control::Config {
        listen: settings.api.listen,
        behind_tls_proxy: false,
        node_socket: place.control_socket(),
        database: husorden_control::Database::at(database_folder(place, settings)),
        spool: place.home.join("control/spool"),
        default_node: settings.node.name.clone(),
        retention_days: settings.retention_days,
        address_rest_days: settings.address_rest_days,
        zone: settings.zone.clone(),
        staff_named: settings.staff_named,
        authority: Some(place.ca().join("root.pem")),
        notify: settings.notify(place),
        metrics: settings.notify.metrics,
        passwords: Some(place.leaked()),
        rules: settings.rules.clone(),
        evidence: evidence(place, settings),
        identity: husorden_control::Identity::at(identity_key(place)),
        vault: Some(husorden_control::Vault::at(place.vault_socket())),
        platform: Some(place.platform_state()),
        limits: settings.api.limits.clone(),
        backup: husorden_control::config::Backup {
            target: settings.backup.target.clone(),
            proof_node: settings.proof.node.clone(),
        },
    };
    let beside = ("panel", settings.panel(place));
    write("control", role::write_with("control", &process("control", Some(users::CONTROL), None), &control, beside)?)?;

    let vault = husorden_vault::Config {
        folder: place.home.join("vault"),
        socket: place.vault_socket(),
        control: users::CONTROL.to_owned(),
        copies_days: settings.vault.copies_days,
    };
    write("vault", role::write("vault", &process("vault", Some(users::VAULT), None), &vault)?)?;

    let platform = platform::Config::at(place, settings);
    write("platform", role::write("platform", &process("platform", None, None), &platform)?)?;

    let node = husorden_node::Config {
        name: settings.node.name.clone(),
        ground: ground(place, settings, users.edge.gid)?,
        control_socket: place.control_socket(),
        pool: match &settings.node.device {
            Some(device) => Source::Device { path: device.clone() },
            None => Source::File { path: place.pool(), size: settings.node.pool },
        },
        ca: place.ca(),
        uplink: uplink(settings, net)?,
        pools: crate::pools::read(&settings.node.public_ipv4, &settings.node.public_ipv6)?,
        edge: husorden_node::Edge { https: settings.edge.https.clone(), http: settings.edge.http.clone() },
        site_logs: Some(place.logs().join("sites")),
        leaked: Some(place.leaked()),
        care: settings.node.care,
        zone: settings.zone.clone(),
        apart: netns.is_some(),
    };
    let edge_socket = node.edge_socket();
    write("node", role::write("node", &process("node", None, netns), &node)?)?;
    if let Some(pool) = settings.proof.pool {
        let own = place.of_proofs();
        for path in [&own.home, &own.run] {
            folder(path, root, 0o755)?;
        }
        let proof = husorden_node::Config {
            name: settings.proof.node.clone(),
            ground: ground(&own, settings, users.edge.gid)?,
            pool: Source::File { path: own.pool(), size: pool },
            ca: own.ca(),
            uplink: Uplink::of("lo".parse().map_err(anyhow::Error::msg)?),
            pools: husorden_kinds::public::Pools::default(),
            edge: husorden_node::Edge::default(),
            site_logs: None,
            apart: true,
            ..node
        };
        write(PROOF, role::write(PROOF, &process(PROOF, None, None), &proof)?)?;
    }

    let mut edge = toml::Table::new();
    let text = |path: PathBuf| toml::Value::String(path.display().to_string());
    let addresses = |list: &[std::net::SocketAddr]| {
        toml::Value::Array(list.iter().map(|address| toml::Value::String(address.to_string())).collect())
    };
    for (name, value) in [
        ("https", addresses(&settings.edge.https)),
        ("http", addresses(&settings.edge.http)),
        ("node_socket", text(edge_socket)),
        ("state_dir", text(place.home.join("edge"))),
        ("log_dir", text(place.logs().join("sites"))),
        ("default_chain", text(place.home.join("edge/default.pem"))),
        ("default_key", text(place.home.join("edge/default.key"))),
    ] {
        edge.insert(name.to_owned(), value);
    }
    write("edge", role::write("edge", &process("edge", Some(users::EDGE), netns), &edge)?)
}

/// What the evidence log is signed with, and where its checkpoints go.
fn evidence(place: &Place, settings: &Settings) -> husorden_control::config::Evidence {
    husorden_control::config::Evidence {
        folders: settings.evidence.folders.clone().unwrap_or_else(|| vec![place.checkpoints()]),
        urls: settings.evidence.urls.clone(),
        ..husorden_control::config::Evidence::at(place.home.join("control/evidence"))
    }
}

/// Where the installation stands, as the node sees it.
pub(crate) fn ground(place: &Place, settings: &Settings, edge: Gid) -> Result<Ground> {
    Ok(Ground {
        instance: place.instance.clone(),
        home: place.home.clone(),
        run: place.run.clone(),
        cache: settings.cache.clone(),
        catalogue: settings.catalogue()?,
        edge_gid: edge.as_raw(),
    })
}

/// The node's way to the world. What belongs to the platform itself is refused to every port.
fn uplink(settings: &Settings, net: Option<&NodeNet>) -> Result<Uplink> {
    if let Some(net) = net {
        return Ok(Uplink {
            refuse: vec![IpAddr::from(net.host4).into(), IpAddr::from(net.host6).into()],
            name_servers: settings.node.name_servers.clone(),
            ..Uplink::of(net.inner.clone())
        });
    }
    let interface = match &settings.node.uplink {
        Some(name) => name.clone(),
        None => {
            default_route().context("no default route is there: name the interface as node.uplink in the settings")?
        }
    };
    let interface = interface.parse().map_err(|error| anyhow::anyhow!("{interface:?} is no interface: {error}"))?;
    Ok(Uplink { name_servers: settings.node.name_servers.clone(), ..Uplink::of(interface) })
}

/// The interface that the default route goes by.
fn default_route() -> Option<String> {
    let table = fs::read_to_string("/proc/net/route").ok()?;
    table.lines().skip(1).find_map(|line| {
        let mut fields = line.split_whitespace();
        let name = fields.next()?;
        (fields.next()? == "00000000").then(|| name.to_owned())
    })
}

/// The key that control seals second factors with; control makes it at its first start.
pub(crate) fn identity_key(place: &Place) -> PathBuf {
    place.home.join("control/identity.key")
}

/// Folder of the database's socket: the private one's, or the operator's.
pub(crate) fn database_folder(place: &Place, settings: &Settings) -> PathBuf {
    settings.database.socket_dir.clone().unwrap_or_else(|| place.run.join("db"))
}
