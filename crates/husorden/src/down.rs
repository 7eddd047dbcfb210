//! `husorden down`: everything ends, whoever was killed before, and the machine is as it was. Data stays.

use crate::base;
use crate::place::{PROOF, ROLES, SUPERVISOR, Which};
use crate::process::Single;
use crate::progress::{Progress, line};
use crate::supervise::Role;
use crate::sweep::{self, Left};
use crate::up;
use anyhow::{Result, bail};
use std::process::ExitCode;
use std::time::{Duration, Instant};

/// How long the supervisor gets: it stops every role in order.
const SUPERVISOR_PATIENCE: Duration = Duration::from_secs(180);
/// How long a device may be held by somebody whose mounts are their own, such as another installation of the machine that began to build a
/// runtime while the pool was mounted.
const HELD_PATIENCE: Duration = Duration::from_secs(300);
/// After which it is said that it is waited for.
const HELD_TOLD: Duration = Duration::from_secs(5);

/// Stop the platform and leave nothing but its data.
#[derive(Clone, Debug, clap::Args)]
pub(crate) struct Down {
    #[command(flatten)]
    which: Which,
}

impl Down {
    pub(crate) fn run(self) -> Result<ExitCode> {
        if !nix::unistd::geteuid().is_root() {
            bail!("`husorden down` ends processes and unmounts, and must be started by root");
        }
        let place = self.which.place()?;
        let mut progress = Progress::new();
        if let Some(supervisor) = Single::holder(&place.role_lock(SUPERVISOR)) {
            let forced = supervisor.end(SUPERVISOR_PATIENCE);
            progress.done(if forced { "supervisor killed" } else { "supervisor and what it watched stopped" });
        }
        // Roles outlive a supervisor that was killed.
        let names = ROLES.into_iter().chain([PROOF]);
        let mut roles: Vec<Role> = names.map(|name| Role::new(&place, name)).collect();
        up::stop_roles(&place, &mut roles, &mut progress);
        base::stop_orphans(&place);
        sweep::clean(&place);
        husorden_backup::target::SshFiles::sweep();
        let mut left = sweep::look(&place);
        let began = Instant::now();
        let end = began + HELD_PATIENCE;
        let mut told = false;
        while !left.is_empty() && left.iter().all(|one| matches!(one, Left::Loop(..))) && Instant::now() < end {
            if !told && began.elapsed() >= HELD_TOLD {
                told = true;
                left.iter()
                    .for_each(|one| line(&format!("  waits for {one}, which somebody else of this machine has open")));
            }
            std::thread::sleep(Duration::from_millis(200));
            sweep::clean(&place);
            left = sweep::look(&place);
        }
        progress.done("looked for what is left");
        if left.is_empty() {
            // Sockets, locks and settings of what ran; nothing here outlives a boot anyway.
            let _ = std::fs::remove_dir_all(&place.run);
            let _ = std::fs::remove_dir("/run/husorden");
            line(&format!("{} is down; its data stays in {}", place.instance, place.home.display()));
            return Ok(ExitCode::SUCCESS);
        }
        line(&format!("{} is down, but this is left:", place.instance));
        for one in &left {
            line(&format!("  {one}"));
        }
        Ok(ExitCode::FAILURE)
    }
}
