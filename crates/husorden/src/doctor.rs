//! `husorden doctor`: what this machine can do and lacks, with the remedy. The node knows; here it is asked and shown.

use crate::place::{Network, Which};
use crate::prepare;
use crate::progress::line;
use crate::users::{self, Ids};
use anyhow::Result;
use husorden_cli::Format;
use husorden_node::doctor::{Setting, State, examine, render, worst};
use nix::unistd::Gid;
use std::process::ExitCode;

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
        // Before the first start the edge's user is not there yet; the judgement does not rest on it.
        let edge = users::find(users::EDGE)?.map_or(Gid::from_raw(0), |Ids { gid, .. }| gid);
        let ground = prepare::ground(&place, &settings, edge)?;
        let production = self.production || settings.node.network == Network::Host;
        let findings = examine(&ground, if production { Setting::Production } else { Setting::FirstLook });
        match format {
            Format::Json => line(&serde_json::to_string_pretty(&findings)?),
            Format::Name => findings.iter().for_each(|finding| line(finding.what)),
            Format::Table => line(render(&findings, husorden_cli::language()).trim_end()),
        }
        Ok(if worst(&findings) == State::Missing { ExitCode::FAILURE } else { ExitCode::SUCCESS })
    }
}
