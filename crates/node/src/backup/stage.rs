//! The root that a child stands on: an empty tree with the machine's own libraries in it, read-only. It needs no runtime, so that a node on which nothing has
//! been built yet can restore.

use super::job::TOOL;
use crate::Node;
use crate::sandbox::ResolvedBind;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

/// Folders of the machine that libraries and the loader lie in.
const LIBRARIES: [&str; 2] = ["/usr/lib", "/usr/lib64"];
const FOLDERS: [&str; 9] = ["dev", "etc", "proc", "run", "srv", "tmp", "sys", "usr/lib", "usr/lib64"];
const LINKS: [(&str, &str); 2] = [("lib", "usr/lib"), ("lib64", "usr/lib64")];
/// Files that every sandbox has over these.
const FILES: [&str; 4] = ["passwd", "group", "hosts", "resolv.conf"];

/// The root, made when it is not there, and what is bound into it.
pub(super) fn ready(node: &Node) -> io::Result<(PathBuf, Vec<ResolvedBind>)> {
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
