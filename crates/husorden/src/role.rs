//! How a role starts: it reads its file, takes its place (one of its name, its network, its user), and runs.
//!
//! The file holds two tables: `process` says as whom and where the role runs, and the other, named after the role, is the
//! role's own configuration. Control's may hold a third, `panel`. Everything here happens before a thread is started, for a network namespace and a user are
//! then those of the whole process.

use crate::process::Single;
use crate::users;
use anyhow::{Context, Result, bail};
use nix::sched::{CloneFlags, setns};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use std::fs::{self, File};
use std::path::{Path, PathBuf};

/// Exit status of a role that is running already.
pub(crate) const TAKEN: u8 = 75;

/// As whom and where a role runs. Everything may be left out under a supervisor that sees to it, such as systemd.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Process {
    /// The user it steps down to.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) user: Option<String>,
    /// The network namespace it enters.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) netns: Option<String>,
    /// The file it locks as long as it lives.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) lock: Option<PathBuf>,
}

/// What a role's file says.
#[derive(Debug)]
pub(crate) struct RoleFile<T, B = Alone> {
    /// As whom and where.
    pub(crate) process: Process,
    /// The role's own configuration.
    pub(crate) config: T,
    /// The configuration of what is served beside it.
    pub(crate) beside: Option<B>,
}

/// What is served beside a role: its table's name.
pub(crate) trait Beside: DeserializeOwned {
    /// The table's name.
    const TABLE: &str;
}

/// Nothing is served beside the role.
#[derive(Debug, Deserialize)]
pub(crate) enum Alone {}

impl Beside for Alone {
    const TABLE: &str = "";
}

impl Beside for husorden_panel::Config {
    const TABLE: &str = "panel";
}

impl<T: DeserializeOwned, B: Beside> RoleFile<T, B> {
    /// Reads a role's file.
    pub(crate) fn read(role: &str, path: &Path) -> Result<Self> {
        let text = fs::read_to_string(path).with_context(|| format!("reading {}'s file {}", role, path.display()))?;
        Self::parse(role, &text).with_context(|| format!("{}'s file {} does not hold", role, path.display()))
    }

    fn parse(role: &str, text: &str) -> Result<Self> {
        let mut tables: toml::Table = text.parse()?;
        let process = match tables.remove("process") {
            Some(table) => table.try_into().context("in [process]")?,
            None => Process::default(),
        };
        let config = tables
            .remove(role)
            .with_context(|| format!("the table [{role}] is missing"))?
            .try_into()
            .with_context(|| format!("in [{role}]"))?;
        let beside = match tables.remove(B::TABLE) {
            Some(table) => Some(table.try_into().with_context(|| format!("in [{}]", B::TABLE))?),
            None => None,
        };
        if let Some(other) = tables.keys().next() {
            bail!("[{other}] is not known here: [process] and [{role}] are");
        }
        Ok(Self { process, config, beside })
    }
}

/// The text of a role's file.
pub(crate) fn write<T: Serialize>(role: &str, process: &Process, config: &T) -> Result<String> {
    let tables = tables(role, process, config)?;
    toml::to_string(&tables).with_context(|| format!("writing down {role}'s settings"))
}

/// The text of the file of a role with something served beside it.
pub(crate) fn write_with<T: Serialize, B: Serialize>(
    role: &str,
    process: &Process,
    config: &T,
    (name, beside): (&str, B),
) -> Result<String> {
    let mut tables = tables(role, process, config)?;
    tables.insert(name.to_owned(), toml::Value::try_from(beside)?);
    toml::to_string(&tables).with_context(|| format!("writing down {role}'s settings"))
}

fn tables<T: Serialize>(role: &str, process: &Process, config: &T) -> Result<toml::Table> {
    Ok(toml::Table::from_iter([
        ("process".to_owned(), toml::Value::try_from(process)?),
        (role.to_owned(), toml::Value::try_from(config)?),
    ]))
}

impl Process {
    /// Becomes the one process of its name, and enters its network. `None` says that another is it already.
    pub(crate) fn take_place(&self) -> Result<Option<Option<Single>>> {
        let single = match &self.lock {
            Some(path) => {
                match Single::become_one(path).with_context(|| format!("taking the lock {}", path.display()))? {
                    Ok(single) => Some(single),
                    Err(_) => return Ok(None),
                }
            }
            None => None,
        };
        if let Some(name) = &self.netns {
            let path = husorden_node::network::namespace(name);
            let handle =
                File::open(&path).with_context(|| format!("opening the network namespace {}", path.display()))?;
            setns(handle, CloneFlags::CLONE_NEWNET)
                .with_context(|| format!("entering the network namespace {name}"))?;
        }
        Ok(Some(single))
    }

    /// Steps down from root, where a user is named.
    pub(crate) fn step_down(&self) -> Result<()> {
        match &self.user {
            Some(user) => users::step_down(user),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeMap;

    #[test]
    fn a_role_file_is_read_back() {
        let process = Process {
            user: Some("husorden-edge".to_owned()),
            netns: None,
            lock: Some(PathBuf::from("/run/husorden/demo/roles/edge")),
        };
        let config = BTreeMap::from([("state_dir".to_owned(), "/var/lib/x".to_owned())]);
        let text = write("edge", &process, &config).expect("it is written");
        let back: RoleFile<BTreeMap<String, String>> = RoleFile::parse("edge", &text).expect("it is read");
        assert_eq!((back.process, back.config), (process, config));
        for wrong in ["", "[edge]\n[other]\n", "[edge]\n[process]\nusr = 1\n"] {
            let read = RoleFile::<BTreeMap<String, String>>::parse("edge", wrong);
            assert!(read.is_err(), "{wrong:?}");
        }
    }
}
