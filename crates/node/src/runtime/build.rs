//! Building a runtime: Debian's packages installed into an empty subvolume, and everything of the building machine taken out again.

use super::BuildError;
use super::catalogue::{RuntimeRecipe, short};
use super::mirror::Mirror;
use super::tools::{Tools, contained};
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;
use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

const SETUID_OR_SETGID: u32 = 0o6000;

/// Installs a runtime's packages into `root`, an empty folder, and returns what is in it with versions.
pub(super) fn runtime(
    recipe: &RuntimeRecipe,
    mirror: &Mirror,
    root: &Path,
    work: &Path,
    tools: Tools<'_>,
) -> Result<BTreeMap<String, String>, BuildError> {
    let mut command = contained("mmdebstrap");
    command
        .args(["--mode=root", "--variant=minbase", "--format=directory", "--skip=output/dev"])
        .arg(format!("--include={}", recipe.packages.join(",")))
        .args(["--dpkgopt=path-exclude=/usr/share/doc/*", "--dpkgopt=path-exclude=/usr/share/man/*"])
        .arg("--dpkgopt=path-exclude=/usr/share/info/*")
        .args(recipe.prepare.iter().map(|script| format!("--essential-hook={script}")))
        .args(recipe.finish.iter().map(|script| format!("--customize-hook={script}")))
        .arg(recipe.suite.name())
        .arg(root)
        .args(mirror.lines(recipe.suite))
        .env("TMPDIR", work);
    tools.run("mmdebstrap", &mut command)?;
    let versions = packages(root, tools)?;
    blank(root).map_err(BuildError::io("taking the building machine out of the runtime"))?;
    Ok(versions)
}

/// The packages that are installed in a root.
fn packages(root: &Path, tools: Tools<'_>) -> Result<BTreeMap<String, String>, BuildError> {
    let mut command = contained("dpkg-query");
    command.arg(format!("--admindir={}", root.join("var/lib/dpkg").display()));
    command.args(["--show", "--showformat=${Package} ${Version}\\n"]);
    let text = tools.read("dpkg-query", &mut command)?;
    Ok(text
        .lines()
        .filter_map(|line| line.split_once(' '))
        .map(|(name, version)| (name.to_owned(), version.to_owned()))
        .collect())
}

/// What tells builds of one recipe apart: the versions that went in.
pub(super) fn id(recipe: &str, packages: &BTreeMap<String, String>) -> String {
    let mut hash = Sha256::new();
    hash.update(recipe);
    for (name, version) in packages {
        hash.update(format!("\n{name} {version}"));
    }
    short(&hash.finalize())
}

/// The installer copies the machine's name and resolver and writes the mirror's address; setuid programs have no use where no process
/// can gain rights.
fn blank(root: &Path) -> std::io::Result<()> {
    for (path, text) in [
        ("etc/resolv.conf", ""),
        ("etc/hostname", "localhost\n"),
        ("etc/hosts", "127.0.0.1 localhost\n::1 localhost\n"),
        ("etc/machine-id", ""),
        ("etc/apt/sources.list", ""),
    ] {
        let path = root.join(path);
        if fs::symlink_metadata(&path).is_ok() {
            fs::remove_file(&path)?;
        }
        fs::write(&path, text)?;
        fs::set_permissions(&path, Permissions::from_mode(0o644))?;
    }
    strip(root)
}

fn strip(folder: &Path) -> std::io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let kind = entry.file_type()?;
        if kind.is_dir() {
            strip(&entry.path())?;
        } else if kind.is_file() {
            let mode = entry.metadata()?.permissions().mode();
            if mode & SETUID_OR_SETGID != 0 {
                fs::set_permissions(entry.path(), Permissions::from_mode(mode & 0o1777))?;
            }
        }
    }
    Ok(())
}
