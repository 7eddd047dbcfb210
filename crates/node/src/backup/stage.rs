//! The root that a child stands on: an empty tree with the machine's own libraries in it, read-only. It needs no runtime, so that a node on which nothing has
//! been built yet can restore.

use super::job::TOOL;
use crate::Node;
use crate::sandbox::{Resolved, ResolvedBind};
use husorden_backup::ALLOCATOR;
use husorden_base::Bytes;
use husorden_kinds::{Io, Limits, Network, Sandbox};
use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

/// Folders of the machine that libraries and the loader lie in.
const LIBRARIES: [&str; 2] = ["/usr/lib", "/usr/lib64"];
const FOLDERS: [&str; 9] = ["dev", "etc", "proc", "run", "srv", "tmp", "sys", "usr/lib", "usr/lib64"];
const LINKS: [(&str, &str); 2] = [("lib", "usr/lib"), ("lib64", "usr/lib64")];
/// Files that every sandbox has over these.
const FILES: [&str; 4] = ["passwd", "group", "hosts", "resolv.conf"];

/// What a child may use. A repository's index is held in memory: some 60 bytes for each piece.
const MEMORY: Bytes = Bytes::mib(768);
const PIDS: u32 = 32;
/// One core at most; the kernel gives way to others by weight.
const CPU_PERCENT: u32 = 100;
/// Behind everything else that wants the disk.
const IO: Io = Io { weight: 10, ..Io::BACKGROUND };

/// The sandbox of a child that runs the platform's own program with these words.
pub(crate) fn sandbox(words: &[&str]) -> Sandbox {
    Sandbox {
        // Nothing of a runtime is in it: it stands on the machine's own libraries, as the platform's program does.
        runtime: "husorden-1".parse().expect("a name of a runtime"),
        argv: [TOOL].iter().chain(words).map(|word| (*word).to_owned()).collect(),
        env: BTreeMap::from([(ALLOCATOR.0.to_owned(), ALLOCATOR.1.to_owned())]),
        cwd: "/".to_owned(),
        binds: Vec::new(),
        files: BTreeMap::new(),
        limits: Limits { memory: MEMORY, cpu_percent: CPU_PERCENT, pids: PIDS, io: IO },
        network: Network::Nothing,
    }
}

/// Where it stands, with this bound into it.
pub(crate) fn resolved(node: &Node, mut binds: Vec<ResolvedBind>) -> io::Result<Resolved> {
    let (root, own) = ready(node)?;
    binds.extend(own);
    Ok(Resolved {
        root,
        binds,
        netns: None,
        hostname: "backup".to_owned(),
        resolv_conf: String::new(),
        disk: node.pool.disk(),
    })
}

/// The root, made when it is not there, and what is bound into it.
fn ready(node: &Node) -> io::Result<(PathBuf, Vec<ResolvedBind>)> {
    let root = node.config.ground.run.join("stage");
    for folder in FOLDERS {
        fs::create_dir_all(root.join(folder))?;
    }
    for (link, to) in LINKS {
        match std::os::unix::fs::symlink(to, root.join(link)) {
            Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(error),
            _ => {}
        }
    }
    for file in FILES {
        let path = root.join("etc").join(file);
        if !path.exists() {
            fs::write(path, "")?;
        }
    }
    let libraries = LIBRARIES.iter().filter(|path| Path::new(path).is_dir());
    let mut binds: Vec<ResolvedBind> =
        libraries.map(|path| ResolvedBind { from: path.into(), to: (*path).to_owned(), write: false }).collect();
    binds.push(ResolvedBind { from: node.program.clone(), to: TOOL.to_owned(), write: false });
    Ok((root, binds))
}
