//! A sandbox's folder on the machine: its OCI configuration, its generated files, and the record that adoption reads.

use super::disk::Means;
use super::spec::{self, Input, Resolved, ResolvedBind, SpecError, There};
use husorden_base::Number;
use husorden_kinds::{LIVE, Live, Sandbox, Service};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::fs;
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

/// Why a bundle could not be made.
#[derive(Debug, thiserror::Error)]
pub enum BundleError {
    /// The sandbox asks for what cannot be.
    #[error(transparent)]
    Spec(#[from] SpecError),
    /// The folder could not be written.
    #[error("writing {path}")]
    Write {
        /// Where.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
}

/// What a configuration needs to know of the machine.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Machine {
    /// Largest number of open files.
    pub(crate) open_files_max: u64,
    /// Whether the kernel counts swap.
    pub(crate) swap: bool,
    /// What the kernel can do about reading and writing.
    pub(crate) io: Means,
}

/// One sandbox's folder.
#[derive(Clone, Debug)]
pub(crate) struct Bundle {
    folder: PathBuf,
}

/// A service that runs, as the next node finds it.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Record {
    /// Whose.
    pub(crate) number: Number,
    /// Its role.
    pub(crate) role: String,
    /// What runs.
    pub(crate) service: Service,
    /// The first process; zero while it is being started.
    pub(crate) pid: u32,
    /// When that process started, in clock ticks since boot: a pid that was given out again differs here. Zero with the pid.
    pub(crate) start_ticks: u64,
    /// The boot it belongs to.
    pub(crate) boot: String,
    /// Inodes of the listening sockets it holds.
    pub(crate) sockets: Vec<u64>,
}

impl Bundle {
    pub(crate) fn new(folder: PathBuf) -> Self {
        Self { folder }
    }

    pub(crate) fn folder(&self) -> &Path {
        &self.folder
    }

    pub(crate) fn pid_file(&self) -> PathBuf {
        self.folder.join("pid")
    }

    pub(crate) fn log(&self) -> PathBuf {
        self.folder.join("crun.log")
    }

    /// The named pipe a service's output goes to.
    pub(crate) fn words(&self) -> PathBuf {
        self.folder.join("words")
    }

    /// Writes the configuration and the generated files; what was there before goes.
    pub(crate) fn write(
        &self,
        sandbox: &Sandbox,
        live: &Live,
        number: Number,
        resolved: &Resolved,
        cgroup: &str,
        machine: Machine,
    ) -> Result<(), BundleError> {
        let mut resolved = resolved.clone();
        if !live.files.is_empty() {
            resolved.binds.push(ResolvedBind { from: self.live(), to: LIVE.to_owned(), write: false });
        }
        let resolved = &resolved;
        let look = |path: &str| look(&resolved.root, path);
        let files = self.folder.join("files");
        let config = spec::config(&Input {
            sandbox,
            number,
            resolved,
            files: &files,
            cgroup,
            open_files_max: machine.open_files_max,
            swap: machine.swap,
            io: machine.io,
            look: &look,
        })?;
        self.remove().map_err(|source| BundleError::Write { path: self.folder.clone(), source })?;
        // Nobody but root passes through this folder; inside, the files are seen only by their binds.
        let make = |path: &Path| {
            fs::create_dir_all(path)
                .and_then(|()| fs::set_permissions(path, fs::Permissions::from_mode(0o700)))
                .map_err(|source| BundleError::Write { path: path.to_owned(), source })
        };
        make(&self.folder)?;
        make(&files)?;
        for (index, (_, text)) in spec::generated(sandbox, number, resolved).iter().enumerate() {
            let path = files.join(spec::stored_name(index));
            fs::write(&path, text)
                .and_then(|()| fs::set_permissions(&path, fs::Permissions::from_mode(0o444)))
                .map_err(|source| BundleError::Write { path, source })?;
        }
        self.write_live(live)?;
        self.put("config.json", &config)
    }

    /// The folder of files that may change under what runs.
    fn live(&self) -> PathBuf {
        self.folder.join("live")
    }

    /// Writes the live files, each by rename: whoever reads one meets the old or the new, and never a part.
    pub(crate) fn write_live(&self, live: &Live) -> Result<(), BundleError> {
        if live.files.is_empty() {
            return Ok(());
        }
        let folder = self.live();
        let failed = |source| BundleError::Write { path: folder.clone(), source };
        fs::create_dir_all(&folder).map_err(failed)?;
        fs::set_permissions(&folder, fs::Permissions::from_mode(0o755)).map_err(failed)?;
        for (name, text) in &live.files {
            let (path, fresh) = (folder.join(name), self.folder.join("live.new"));
            fs::write(&fresh, text)
                .and_then(|()| fs::set_permissions(&fresh, fs::Permissions::from_mode(0o444)))
                .and_then(|()| fs::rename(&fresh, &path))
                .map_err(|source| BundleError::Write { path, source })?;
        }
        Ok(())
    }

    /// Writes into the record of what runs as what it runs now.
    pub(crate) fn renew_record(&self, service: &Service) -> Result<(), BundleError> {
        match self.record() {
            Some(record) => self.write_record(&Record { service: service.clone(), ..record }),
            // It is being started, and the record is written when it stands.
            None => Ok(()),
        }
    }

    /// Writes what a command run inside is given; the path of it.
    pub(crate) fn write_process(&self, name: &str, process: &Value) -> Result<PathBuf, BundleError> {
        self.put(name, process)?;
        Ok(self.folder.join(name))
    }

    /// Writes the record by rename, so that it is whole or absent.
    pub(crate) fn write_record(&self, record: &Record) -> Result<(), BundleError> {
        self.put("record.new", record)?;
        let path = self.folder.join("record.json");
        fs::rename(self.folder.join("record.new"), &path).map_err(|source| BundleError::Write { path, source })
    }

    /// The record, if there is one that can be read.
    pub(crate) fn record(&self) -> Option<Record> {
        serde_json::from_slice(&fs::read(self.folder.join("record.json")).ok()?).ok()
    }

    /// The first process, as the tool wrote it down.
    pub(crate) fn pid(&self) -> Option<u32> {
        fs::read_to_string(self.pid_file()).ok()?.trim().parse().ok()
    }

    /// The root that it stands on, as its configuration says.
    pub(crate) fn root(&self) -> Option<PathBuf> {
        let config: Value = serde_json::from_slice(&fs::read(self.folder.join("config.json")).ok()?).ok()?;
        config["root"]["path"].as_str().map(PathBuf::from)
    }

    pub(crate) fn remove(&self) -> io::Result<()> {
        match fs::remove_dir_all(&self.folder) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            _ => Ok(()),
        }
    }

    fn put(&self, name: &str, value: &impl Serialize) -> Result<(), BundleError> {
        let path = self.folder.join(name);
        let text = serde_json::to_vec(value).map_err(io::Error::from);
        text.and_then(|text| fs::write(&path, text)).map_err(|source| BundleError::Write { path, source })
    }
}

/// The build of a root, by the name of its folder: the part after the last `@`.
pub(crate) fn build(root: &Path) -> String {
    let name = root.file_name().unwrap_or_default().to_string_lossy();
    name.rsplit_once('@').map(|(_, build)| build.to_owned()).unwrap_or_default()
}

/// The roots and bound places of every sandbox that has a folder here.
pub(crate) fn places(folder: &Path) -> io::Result<Vec<PathBuf>> {
    let entries = match fs::read_dir(folder) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        other => other?,
    };
    let mut places = Vec::new();
    for entry in entries {
        let text = match fs::read(entry?.path().join("config.json")) {
            // It ended at this moment, or is being made.
            Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
            other => other?,
        };
        let config: Value = serde_json::from_slice(&text)?;
        let mounts = config["mounts"].as_array().into_iter().flatten().map(|mount| &mount["source"]);
        let named = mounts.chain([&config["root"]["path"]]).filter_map(Value::as_str);
        places.extend(named.map(PathBuf::from));
    }
    Ok(places)
}

/// What the runtime in `root` has at `path`. Links count as something: crun resolves them beneath the root.
fn look(root: &Path, path: &str) -> There {
    let path = root.join(path.trim_start_matches('/'));
    match fs::symlink_metadata(&path) {
        Err(_) => There::Nothing,
        Ok(meta) if meta.is_dir() => match fs::read_dir(&path).map(|mut entries| entries.next().is_none()) {
            Ok(true) => There::EmptyFolder,
            _ => There::Something,
        },
        Ok(_) => There::Something,
    }
}
