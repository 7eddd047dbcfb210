//! `husorden doctor`: what this machine can do and lacks, with the remedy. The node knows; here it is asked and shown.

use crate::place::{LOCAL_TARGET, Network, Place, Settings, Which};
use crate::prepare;
use crate::progress::line;
use crate::users::{self, Ids};
use anyhow::Result;
use husorden_base::{Bytes, Text};
use husorden_cli::Format;
use husorden_node::doctor::{Finding, Setting, State, examine, render, worst};
use nix::unistd::Gid;
use std::process::ExitCode;

/// Room that the pool leaves on its disk for control's database, logs and what is being built.
const BESIDE_POOL: Bytes = Bytes::gib(2);

/// What this machine can do and lacks, with the remedy.
#[derive(Clone, Debug, clap::Args)]
pub(crate) struct Doctor {
    #[command(flatten)]
    which: Which,
    /// Judge as for customers' data; so it is too when the settings give the node the machine's own network
    #[arg(long)]
    production: bool,
}

impl Doctor {
    /// Looks, and says what was seen. Fails only when the platform does not run without what is missing.
    pub(crate) fn run(self, format: Format) -> Result<ExitCode> {
        let place = self.which.place()?;
        let settings = self.which.settings(&place)?;
        let production = self.production || settings.node.network == Network::Host;
        let findings = look(&place, &settings, if production { Setting::Production } else { Setting::FirstLook })?;
        match format {
            Format::Json => line(&serde_json::to_string_pretty(&findings)?),
            Format::Name => findings.iter().for_each(|finding| line(finding.what)),
            Format::Table => line(render(&findings, husorden_cli::language()).trim_end()),
        }
        Ok(if worst(&findings) == State::Missing { ExitCode::FAILURE } else { ExitCode::SUCCESS })
    }
}

/// What the platform would not run without on this machine, in words with the remedy; none when everything is there.
///
/// What only customers' data asks for, such as encryption at rest, is the doctor's to say: a platform that stood once must
/// come up again after a boot, or its customers lose more than they are protected from.
pub(crate) fn missing(place: &Place, settings: &Settings) -> Result<Option<String>> {
    let mut findings = look(place, settings, Setting::FirstLook)?;
    findings.retain(|finding| finding.state == State::Missing);
    Ok((!findings.is_empty()).then(|| render(&findings, husorden_cli::language()).trim_end().to_owned()))
}

/// That the pool which is to be made does not fit on its disk, with some room for everything else.
fn room(place: &Place, settings: &Settings) -> Option<Finding> {
    if settings.node.device.is_some() || place.pool().exists() {
        return None;
    }
    let nearest = place.home.ancestors().find(|folder| folder.exists())?;
    let disk = nix::sys::statvfs::statvfs(nearest).ok()?;
    let free = Bytes(disk.blocks_available() * disk.fragment_size());
    let pool = settings.node.pool;
    (free < Bytes(pool.0 + BESIDE_POOL.0)).then(|| Finding {
        what: "pool",
        state: State::Missing,
        text: Text::new(
            format!("puljen på {pool} får ikke plads: {free} fri, og {BESIDE_POOL} skal være til resten"),
            format!("the pool of {pool} does not fit: {free} free, and {BESIDE_POOL} are for the rest"),
        ),
        remedy: Some(Text::new(
            format!(
                "sæt en mindre node.pool i {}, eller læg den på en disk for sig med node.device",
                place.own_settings().display()
            ),
            format!(
                "set a smaller node.pool in {}, or give it a disk of its own with node.device",
                place.own_settings().display()
            ),
        )),
    })
}

/// Where backups go that no plan sends elsewhere. A folder of the machine is enough to see how they work, and for nothing else.
fn backups(place: &Place, settings: &Settings, setting: Setting) -> Finding {
    let target = &settings.backup.target;
    if target != LOCAL_TARGET {
        return Finding {
            what: "backups",
            state: State::Fine,
            text: Text::new(format!("backupper går til målet {target}"), format!("backups go to the target {target}")),
            remedy: None,
        };
    }
    let folder = place.backups();
    let text = Text::new(
        format!("backupper lægges i {} og går tabt med maskinen", folder.display()),
        format!("backups go to {}, and are lost with the machine", folder.display()),
    );
    let (state, remedy) = match setting {
        Setting::FirstLook => (State::Fine, None),
        Setting::Production => {
            let own = place.own_settings().display().to_string();
            let remedy = Text::new(
                format!(
                    "lav et mål et andet sted med husorden target create, og nævn det under [backup] target i {own}"
                ),
                format!(
                    "make a target elsewhere with husorden target create, and name it under [backup] target in {own}"
                ),
            );
            (State::Degraded, Some(remedy))
        }
    };
    Finding { what: "backups", state, text, remedy }
}

/// Who proves backups: a role with a pool of its own, or the node that made them.
fn proofs(place: &Place, settings: &Settings) -> Finding {
    let (text, remedy) = match settings.proof.pool {
        Some(pool) => (
            Text::new(
                format!("backupper prøves af rollen proof på en pulje for sig på {pool}"),
                format!("backups are proven by the role proof on a pool of its own of {pool}"),
            ),
            None,
        ),
        None => (
            Text::new(
                format!(
                    "backupper prøves af noden {}, eller på løsningens egen node, hvor den ikke er",
                    settings.proof.node
                ),
                format!(
                    "backups are proven by the node {}, or on the solution's own where that is not there",
                    settings.proof.node
                ),
            ),
            Some(Text::new(
                format!(
                    "sæt [proof] pool i {}, så starter up en rolle til det med en pulje for sig",
                    place.own_settings().display()
                ),
                format!(
                    "set [proof] pool in {}, and up starts a role for it with a pool of its own",
                    place.own_settings().display()
                ),
            )),
        ),
    };
    Finding { what: "proofs", state: State::Fine, text, remedy }
}

fn look(place: &Place, settings: &Settings, setting: Setting) -> Result<Vec<Finding>> {
    // Before the first start the edge's user is not there yet; the judgement does not rest on it.
    let edge = users::find(users::EDGE)?.map_or(Gid::from_raw(0), |Ids { gid, .. }| gid);
    let ground = prepare::ground(place, settings, edge)?;
    let mut findings = examine(&ground, setting);
    if settings.database.socket_dir.is_some() {
        // The operator's own PostgreSQL is used, and may lie anywhere.
        findings.retain(|finding| finding.what != "postgresql");
    }
    findings.extend(room(place, settings));
    findings.push(backups(place, settings, setting));
    findings.push(proofs(place, settings));
    Ok(findings)
}
