//! `husorden doctor`: what this machine can do and lacks, with the remedy.

use crate::progress::line;
use anyhow::Result;
use husorden_cli::Format;
use serde::Serialize;
use std::path::Path;
use std::process::ExitCode;

/// What this machine can do and lacks, with the remedy.
#[derive(Clone, Debug, clap::Args)]
pub(crate) struct Doctor {}

/// Programs that the platform starts: where they are looked for, what for, and the package they come from.
const PROGRAMS: [(&str, &str, &str); 8] = [
    ("crun", "sandboxes", "crun"),
    ("mkfs.btrfs", "the pool", "btrfs-progs"),
    ("btrfs", "the pool", "btrfs-progs"),
    ("nft", "ports", "nftables"),
    ("ip", "taking networks away", "iproute2"),
    ("losetup", "taking pools away", "mount"),
    ("mmdebstrap", "building runtimes", "mmdebstrap"),
    ("/usr/lib/postgresql/15/bin/postgres", "the private PostgreSQL", "postgresql-15"),
];

/// One thing that was looked at.
#[derive(Clone, Debug, Serialize)]
struct Finding {
    what: String,
    fine: bool,
    /// What was seen.
    seen: String,
    /// What to do about it.
    remedy: Option<String>,
}

impl Doctor {
    pub(crate) fn run(self, format: Format) -> Result<ExitCode> {
        let mut findings: Vec<Finding> = PROGRAMS.into_iter().map(program).collect();
        findings.push(root());
        let fine = findings.iter().all(|finding| finding.fine);
        if format == Format::Json {
            line(&serde_json::to_string_pretty(&findings)?);
        } else {
            for finding in &findings {
                line(&format!("{}  {}: {}", if finding.fine { "ok  " } else { "LACK" }, finding.what, finding.seen));
                if let Some(remedy) = &finding.remedy {
                    line(&format!("      → {remedy}"));
                }
            }
        }
        Ok(if fine { ExitCode::SUCCESS } else { ExitCode::FAILURE })
    }
}

fn program((name, what, package): (&str, &str, &str)) -> Finding {
    let folders = ["/usr/local/sbin", "/usr/local/bin", "/usr/sbin", "/usr/bin", "/sbin", "/bin"];
    let found = folders.iter().map(|folder| Path::new(folder).join(name)).find(|path| path.exists());
    Finding {
        what: format!("{name} for {what}"),
        fine: found.is_some(),
        seen: found.as_ref().map_or_else(|| "not installed".to_owned(), |path| path.display().to_string()),
        remedy: found.is_none().then(|| format!("apt-get -o DPkg::Lock::Timeout=120 install {package}")),
    }
}

fn root() -> Finding {
    let fine = nix::unistd::geteuid().is_root();
    Finding {
        what: "root".to_owned(),
        fine,
        seen: if fine { "yes" } else { "no" }.to_owned(),
        remedy: (!fine).then(|| "`husorden up` makes users, namespaces and mounts: start it as root".to_owned()),
    }
}
