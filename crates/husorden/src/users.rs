//! The system users that unprivileged roles run as.

use anyhow::{Context, Result, bail};
use nix::unistd::{Gid, Group, Uid, User, setgid, setgroups, setuid};
use std::process::Command;

/// Owner of the private PostgreSQL.
pub(crate) const DATABASE: &str = "husorden-db";
/// The control role.
pub(crate) const CONTROL: &str = "husorden-control";
/// The vault role.
pub(crate) const VAULT: &str = "husorden-vault";
/// The edge role.
pub(crate) const EDGE: &str = "husorden-edge";

/// Who speaks with the target of the platform's own backups.
pub(crate) const PLATFORM: &str = "husorden-platform";

/// A user by number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Ids {
    /// Its uid.
    pub(crate) uid: Uid,
    /// Its own group.
    pub(crate) gid: Gid,
}

/// The user with this name, made when it is missing. True when it was made.
pub(crate) fn ensure(name: &str) -> Result<(Ids, bool)> {
    if let Some(ids) = find(name)? {
        return Ok((ids, false));
    }
    let output = Command::new("useradd")
        .args(["--system", "--user-group", "--no-create-home"])
        .args(["--home-dir", "/nonexistent"])
        .args(["--shell", "/usr/sbin/nologin", name])
        .output()
        .context("starting useradd")?;
    // Somebody else may have made it between the look and the attempt; only the second look counts.
    match find(name)? {
        Some(ids) => Ok((ids, true)),
        None => bail!("making the system user {name}: {}", String::from_utf8_lossy(&output.stderr).trim()),
    }
}

/// The user with this name.
pub(crate) fn find(name: &str) -> Result<Option<Ids>> {
    let user = User::from_name(name).with_context(|| format!("looking up the user {name}"))?;
    let Some(user) = user else { return Ok(None) };
    let group = Group::from_name(name)
        .with_context(|| format!("looking up the group {name}"))?
        .map_or(user.gid, |group| group.gid);
    Ok(Some(Ids { uid: user.uid, gid: group }))
}

/// Gives up root for good: groups first, for afterwards it is too late. Called before any thread is started.
pub(crate) fn step_down(name: &str) -> Result<()> {
    let ids = find(name)?.with_context(|| format!("there is no user {name}"))?;
    setgroups(&[ids.gid]).context("giving up root's groups")?;
    setgid(ids.gid).context("taking on the role's group")?;
    setuid(ids.uid).with_context(|| format!("becoming {name}"))?;
    if setuid(Uid::from_raw(0)).is_ok() {
        bail!("root could be taken back after becoming {name}");
    }
    Ok(())
}
