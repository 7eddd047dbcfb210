//! Building an image: a system installed from Debian's archive, and a disk made of it that starts by its own loader. What was installed
//! never runs here, and the disk is made by an unprivileged uid without network, on files: no mount, no loop device.

use super::catalogue::Suite;
use super::mirror::Mirror;
use super::template::{self, Input};
use super::tools::{Tools, contained};
use super::{BuildError, app};
use husorden_base::{RuntimeName, Text};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fs::{self, Permissions};
use std::ops::RangeInclusive;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

/// Makes the disk, in the runtime with the tools.
const SCRIPT: &str = include_str!("image/disk.sh");
/// How packages are installed, whichever they are. As an archive, which needs no device to hold one.
const INSTALLER: [&str; 2] = ["--mode=root", "--format=tar"];
/// What an image's build is known by, beside its recipe.
pub(super) const METHOD: (&str, &str, [&str; 2]) = (SCRIPT, BLANK, INSTALLER);
/// The file of an image that is its disk.
pub(super) const DISK: &str = "disk.raw";
/// Sizes that a disk may have as it is built; whoever has a copy makes it larger.
pub(super) const DISK_MIB: RangeInclusive<u32> = 48..=16_384;

/// Where the installer notes what it installed.
const NOTED: &str = "HUSORDEN_NOTED";
/// Notes packages that were installed.
const NOTE_INSTALLED: &str =
    r#"dpkg-query --admindir="$1/var/lib/dpkg" --show --showformat='${Package} ${Version}\n' > "$HUSORDEN_NOTED""#;
/// Notes packages that were unpacked only.
const NOTE_UNPACKED: &str = r#"for deb in "$1"/var/cache/apt/archives/*.deb; do dpkg-deb --show --showformat='${Package} ${Version}\n' "$deb"; done > "$HUSORDEN_NOTED""#;
/// Takes the building machine out again; who starts from the image gets names and keys of its own.
const BLANK: &str = r#"rm -f "$1/etc/resolv.conf" "$1/etc/hostname" "$1/etc/machine-id" "$1"/var/lib/dbus/machine-id && echo localhost > "$1/etc/hostname" && : > "$1/etc/resolv.conf" && : > "$1/etc/machine-id""#;

/// A file of `images/`: a disk that a server starts from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ImageRecipe {
    pub(super) name: RuntimeName,
    pub(super) title: Text,
    /// What system runs on it.
    pub system: System,
    /// For which processor.
    pub architecture: Architecture,
    /// Who licenses the operating system.
    pub licence: Licence,
    /// Size of the disk as it is built.
    pub disk_mib: u32,
    /// Where its packages come from.
    pub suite: Suite,
    /// How they come onto it.
    pub install: Install,
    /// What is installed, with what it depends on.
    pub packages: Vec<String>,
    /// A script for `/bin/sh` of the machine, run when everything is installed; `$1` is the root. For settings of the system.
    #[serde(default)]
    pub finish: Option<String>,
    /// The runtime that has the tools to make a disk.
    pub tools: RuntimeName,
    /// Where its own files are. With `fill.sh` among them, that fills the root filesystem; else all that was installed does.
    #[serde(skip)]
    pub(super) own: PathBuf,
}

/// What system an image holds, as far as a server must know.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum System {
    /// Linux.
    Linux,
    /// Another one.
    Other,
}

/// A processor.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Architecture {
    /// x86-64.
    Amd64,
}

/// Who licenses an operating system.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Licence {
    /// Who gives it.
    pub by: String,
    /// On what terms, in a sentence.
    pub terms: Text,
    /// The pool that its licences come from, one for each server; none where none is needed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pool: Option<RuntimeName>,
}

/// How packages come onto an image.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Install {
    /// Unpacked alone; the entry's own files make a system of them.
    Extract,
    /// Installed, with the smallest system around them.
    Minbase,
}

/// Fills `target`, an empty folder; `work` is thrown away afterwards. Returns what is in it with versions.
pub(super) fn build(
    recipe: &ImageRecipe,
    mirror: &Mirror,
    tools_root: &Path,
    target: &Path,
    work: &Path,
    tools: Tools<'_>,
) -> Result<BTreeMap<String, String>, BuildError> {
    let input = work.join("input");
    let own = input.join(app::OWN_OF_IMAGE);
    fs::create_dir_all(&own).map_err(BuildError::io("making a folder for what is installed"))?;
    let archive = input.join("root.tar");
    let noted = work.join("packages");
    let note = match recipe.install {
        Install::Extract => format!("--extract-hook={NOTE_UNPACKED}"),
        Install::Minbase => format!("--customize-hook={NOTE_INSTALLED}"),
    };
    let variant = match recipe.install {
        Install::Extract => "--variant=extract",
        Install::Minbase => "--variant=minbase",
    };
    let mut command = contained("mmdebstrap");
    command.args(INSTALLER).arg(variant);
    command.arg(format!("--include={}", recipe.packages.join(","))).arg(note);
    if recipe.install == Install::Minbase {
        command.args(recipe.finish.iter().map(|script| format!("--customize-hook={script}")));
        command.arg(format!("--customize-hook={BLANK}"));
    }
    command.arg(recipe.suite.name()).arg(&archive).args(mirror.lines(recipe.suite));
    command.env("TMPDIR", work).env(NOTED, &noted);
    tools.run("mmdebstrap", &mut command)?;
    let versions = fs::read_to_string(&noted).map_err(BuildError::io("reading what was installed"))?;

    app::copy_own(&recipe.own, &own).map_err(BuildError::io("copying the image's own files"))?;
    fs::set_permissions(&archive, Permissions::from_mode(0o644))
        .map_err(BuildError::io("opening what was installed to the tools"))?;
    let input = Input { folder: &input, words: &[&recipe.disk_mib.to_string()] };
    template::make(tools_root, target, SCRIPT, Some(input), tools)?;
    if !target.join(DISK).is_file() {
        return Err(BuildError::Machine(format!("the tools left no {DISK}")));
    }
    Ok(versions
        .lines()
        .filter_map(|line| line.split_once(' '))
        .map(|(name, version)| (name.to_owned(), version.to_owned()))
        .collect())
}
