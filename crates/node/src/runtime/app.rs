//! Building an app: its files from Debian packages or from an archive, unpacked and not installed, with the catalogue's own files beside
//! them.

use super::catalogue::{AppRecipe, Archive, DebianSource, UrlSource};
use super::mirror::Mirror;
use super::tools::{Tools, contained};
use super::{BuildError, copy};
use std::collections::BTreeMap;
use std::fs::{self, File};
use std::path::Path;

/// The folder of an app's own files.
pub(super) const OWN: &str = "husorden";
/// The folder in which the tools find an image's own files.
pub(super) const OWN_OF_IMAGE: &str = "own";

/// Fills `target`, an empty folder; `work` is thrown away afterwards. Returns what it was made from, with versions.
pub(super) fn build(
    recipe: &AppRecipe,
    mirror: impl FnOnce() -> Result<Mirror, BuildError>,
    target: &Path,
    work: &Path,
    tools: Tools<'_>,
) -> Result<BTreeMap<String, String>, BuildError> {
    let root = work.join("root");
    fs::create_dir(&root).map_err(BuildError::io("making a folder to unpack in"))?;
    let (made_from, from) = match (&recipe.debian, &recipe.url) {
        (Some(debian), _) => (packages(debian, &mirror()?, &root, work, tools)?, &debian.copy),
        (None, Some(url)) => (archive(url, &root, work, tools)?, &url.copy),
        (None, None) => return Err(BuildError::Machine("the recipe names no source".to_owned())),
    };
    let wanted = |path: &str| {
        let fits = |patterns: &[String]| patterns.iter().any(|pattern| copy::fits(pattern, path));
        !fits(&recipe.leave) || fits(&recipe.keep)
    };
    let opened = File::open(&root).map_err(BuildError::io("opening what was unpacked"))?;
    copy::copy(&opened, from, &target.join(&recipe.folder), &wanted)
        .map_err(BuildError::io(format!("copying {from} out of what was unpacked")))?;
    let own = target.join(OWN);
    fs::create_dir(&own)
        .and_then(|()| copy_own(&recipe.own, &own))
        .map_err(BuildError::io("copying the app's own files"))?;
    Ok(made_from)
}

/// Copies the files that the catalogue adds to an entry, if there are any.
pub(super) fn copy_own(from: &Path, own: &Path) -> std::io::Result<()> {
    if from.is_dir() {
        for entry in fs::read_dir(from)? {
            let entry = entry?;
            let to = own.join(entry.file_name());
            fs::write(&to, fs::read(entry.path())?)?;
            fs::set_permissions(&to, std::os::unix::fs::PermissionsExt::from_mode(0o644))?;
        }
    }
    Ok(())
}

/// Downloads packages with signatures checked, in apt's folders of our own, so that the machine's apt is not touched.
fn packages(
    source: &DebianSource,
    mirror: &Mirror,
    root: &Path,
    work: &Path,
    tools: Tools<'_>,
) -> Result<BTreeMap<String, String>, BuildError> {
    let debs = work.join("debs");
    for folder in ["lists/partial", "cache/archives/partial", "debs"] {
        fs::create_dir_all(work.join(folder)).map_err(BuildError::io("making apt's folders"))?;
    }
    let sources = work.join("sources.list");
    fs::write(&sources, mirror.lines(source.suite).join("\n") + "\n")
        .map_err(BuildError::io("writing apt's sources"))?;
    let apt = |verb: &[&str]| {
        let mut command = contained("apt-get");
        for (option, value) in [
            ("Dir::State", work.to_owned()),
            ("Dir::State::lists", work.join("lists")),
            ("Dir::State::status", "/dev/null".into()),
            ("Dir::Cache", work.join("cache")),
            ("Dir::Etc::sourcelist", sources.clone()),
            ("Dir::Etc::sourceparts", "/dev/null".into()),
        ] {
            command.arg("-o").arg(format!("{option}={}", value.display()));
        }
        // The folders are root's own, which apt's usual user cannot enter.
        command
            .args(["-o", "APT::Sandbox::User=root", "-o", "Acquire::Retries=3", "--quiet"])
            .args(verb)
            .current_dir(&debs);
        command
    };
    tools.run("apt-get update", &mut apt(&["update"]))?;
    let mut download = apt(&["download"]);
    download.args(&source.packages);
    tools.run("apt-get download", &mut download)?;
    let mut versions = BTreeMap::new();
    for entry in fs::read_dir(&debs).map_err(BuildError::io("listing packages"))? {
        let deb = entry.map_err(BuildError::io("listing packages"))?.path();
        let mut show = contained("dpkg-deb");
        show.args(["--show", "--showformat=${Package} ${Version}\\n"]).arg(&deb);
        let text = tools.read("dpkg-deb", &mut show)?;
        if let Some((name, version)) = text.trim().split_once(' ') {
            versions.insert(name.to_owned(), version.to_owned());
        }
        let mut unpack = contained("dpkg-deb");
        unpack.arg("--extract").arg(&deb).arg(root);
        tools.run("dpkg-deb", &mut unpack)?;
    }
    if versions.len() != source.packages.len() {
        return Err(BuildError::Machine(format!(
            "{} packages were asked for, {} came",
            source.packages.len(),
            versions.len()
        )));
    }
    Ok(versions)
}

/// Downloads an archive, checks it and unpacks it.
fn archive(
    source: &UrlSource,
    root: &Path,
    work: &Path,
    tools: Tools<'_>,
) -> Result<BTreeMap<String, String>, BuildError> {
    let file = work.join("archive");
    let mut download = contained("/usr/lib/apt/apt-helper");
    download.args(["-o", "APT::Sandbox::User=root", "-o", "Acquire::Retries=3", "download-file", &source.address]);
    download.arg(&file).arg(format!("SHA256:{}", source.sha256));
    tools.run("the download", &mut download)?;
    match source.archive {
        Archive::Tar => {
            let mut unpack = contained("tar");
            unpack.args(["--extract", "--no-same-owner", "--file"]).arg(&file).arg("--directory").arg(root);
            tools.run("tar", &mut unpack)?;
        }
        Archive::Zip => {
            let opened = File::open(&file).map_err(BuildError::io("opening the archive"))?;
            zip::ZipArchive::new(opened).and_then(|mut archive| archive.extract(root)).map_err(|error| {
                BuildError::Tool { tool: "unpacking the archive".to_owned(), said: error.to_string() }
            })?;
        }
    }
    Ok(BTreeMap::from([(source.address.clone(), source.sha256.clone())]))
}
