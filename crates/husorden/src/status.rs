//! `husorden status`: which roles run, and where everything is.

use crate::demo::Credentials;
use crate::place::{PROOF, Place, ROLES, SUPERVISOR, Which};
use crate::prepare;
use crate::process::Single;
use crate::progress::line;
use crate::users::Ids;
use crate::vault;
use anyhow::{Context, Result};
use nix::unistd::{Gid, Uid};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use std::fs;
use std::path::PathBuf;
use std::process::ExitCode;

/// Which roles run, and where everything is.
#[derive(Clone, Debug, clap::Args)]
pub(crate) struct Status {
    #[command(flatten)]
    which: Which,
}

/// Where everything is, as the supervisor wrote it down.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct State {
    /// The API's address.
    pub(crate) api: String,
    /// The customers' pages.
    pub(crate) panel: String,
    /// The staff's pages.
    pub(crate) staff: String,
    /// The edge's address, as the machine reaches it.
    pub(crate) edge: String,
    /// The edge's port for TLS.
    pub(crate) https: u16,
    /// The edge's port for plain HTTP.
    pub(crate) http: u16,
    /// The node's network namespace, if it has one of its own.
    pub(crate) netns: Option<String>,
    /// The certificate of the local authority.
    pub(crate) ca: PathBuf,
}

impl State {
    /// Writes it down.
    pub(crate) fn write(&self, place: &Place) -> Result<()> {
        let root = Ids { uid: Uid::from_raw(0), gid: Gid::from_raw(0) };
        prepare::put(&place.state_file(), &serde_json::to_string(self)?, 0o444, root)
    }

    /// Reads it.
    pub(crate) fn read(place: &Place) -> Result<Self> {
        let path = place.state_file();
        let text = fs::read_to_string(&path).with_context(|| format!("reading {}", path.display()))?;
        serde_json::from_str(&text).with_context(|| format!("reading {}", path.display()))
    }
}

impl Status {
    pub(crate) fn run(self, format: husorden_cli::Format) -> Result<ExitCode> {
        let place = self.which.place()?;
        let mut roles: Vec<(&str, Option<u32>)> = [SUPERVISOR]
            .into_iter()
            .chain(ROLES)
            .map(|name| (name, Single::holder(&place.role_lock(name)).map(|identity| identity.pid)))
            .collect();
        let settings = self.which.settings(&place)?;
        if settings.proof.pool.is_some() {
            roles.push((PROOF, Single::holder(&place.role_lock(PROOF)).map(|identity| identity.pid)));
        }
        // The operator's own PostgreSQL is the operator's to look after.
        if settings.database.socket_dir.is_none() {
            roles.push(("database", crate::base::database_pid(&place.home)));
        }
        let up = roles.iter().all(|(name, pid)| pid.is_some() || *name == "database");
        if format == husorden_cli::Format::Json {
            line(&serde_json::to_string_pretty(&document(&place, &roles))?);
        } else {
            for (name, pid) in &roles {
                line(&match pid {
                    Some(pid) => format!("{name:<12} running   pid {pid}"),
                    None => format!("{name:<12} stopped"),
                });
            }
            if up {
                line(&summary(&place, Credentials::read(&place).ok().as_ref()));
            }
        }
        Ok(if up { ExitCode::SUCCESS } else { ExitCode::FAILURE })
    }
}

fn document(place: &Place, roles: &[(&str, Option<u32>)]) -> Value {
    let roles: Vec<Value> = roles
        .iter()
        .map(|(name, pid)| {
            json!({ "name": name, "pid": pid, "state": if pid.is_some() { "running" } else { "stopped" } })
        })
        .collect();
    let mut document = json!({
        "instance": place.instance,
        "home": place.home,
        "run": place.run,
        "logs": place.logs(),
        "roles": roles,
        "ca": place.ca().join("root.pem"),
    });
    if let (Ok(state), Some(fields)) = (State::read(place), document.as_object_mut()) {
        fields.insert(
            "addresses".to_owned(),
            json!({
                "api": state.api,
                "panel": state.panel,
                "staff": state.staff,
                "edge": state.edge,
                "https": format!("https://{}:{}", bracket(&state.edge), state.https),
                "http": format!("http://{}:{}", bracket(&state.edge), state.http),
                "netns": state.netns,
            }),
        );
    }
    let credentials = Credentials::path(place);
    if let (true, Some(fields)) = (credentials.exists(), document.as_object_mut()) {
        fields.insert(
            "demo".to_owned(),
            json!({
                "credentials": credentials,
                "staff_token": place.demo().join("staff.token"),
                "account_token": place.demo().join("account.token"),
            }),
        );
    }
    document
}

fn bracket(address: &str) -> String {
    if address.contains(':') { format!("[{address}]") } else { address.to_owned() }
}

/// Where everything is, for people.
pub(crate) fn summary(place: &Place, demo: Option<&Credentials>) -> String {
    let Ok(state) = State::read(place) else { return String::new() };
    let mut text = format!("\n  panel         {}\n  staff         {}\n", state.panel, state.staff);
    text += &format!("  API           {}\n  edge          {}\n", state.api, state.edge);
    text += &format!(
        "  trust it      {}   (the installation's own authority; a browser asks without it)\n",
        state.ca.display()
    );
    text += &format!("  logs          {}\n", place.logs().display());
    if let Some(demo) = demo {
        text +=
            &format!("  credentials   {}   (tokens, log-ins, admin password)\n", Credentials::path(place).display());
        for (who, log_in) in [("owner", &demo.owner), ("staff", &demo.staff_person)] {
            if let Some(log_in) = log_in {
                text += &format!("  log-in        {:<24} as {who}; its password stands there too\n", log_in.email);
            }
        }
        if let Some(site) = &demo.site {
            text += &format!("  site          https://{}/\n", site.domain);
            text += &format!("  admin         {}   user {}\n", site.admin_url, site.admin_user);
            text += &format!(
                "\n  see it:       curl --resolve {0}:{1}:{2} --cacert {3} https://{0}{4}/\n",
                site.domain,
                state.https,
                state.edge,
                state.ca.display(),
                if state.https == 443 { String::new() } else { format!(":{}", state.https) },
            );
        }
        text += &format!(
            "  command line: export HUSORDEN_API={} HUSORDEN_TOKEN_FILE={}; husorden solution list\n",
            state.api,
            place.demo().join("account.token").display()
        );
    }
    let flags = place.flags();
    if vault::status(place).is_ok_and(|vault| vault.recovery.is_none()) {
        text += &format!(
            "  on paper      nothing yet: `husorden vault recovery{flags}` makes the key that opens backups when this machine is lost\n"
        );
    }
    if vault::status(place).is_ok_and(|vault| vault.recovery.is_some() && !vault.platform) {
        text += &format!(
            "  on paper      one of two: `husorden vault platform{flags}` makes the other, with which the platform itself is rebuilt\n"
        );
    }
    let make = if flags.is_empty() { "or `make down`; " } else { "" };
    text + &format!("  stop it:      husorden down{flags}   ({make}data stays)\n")
}
