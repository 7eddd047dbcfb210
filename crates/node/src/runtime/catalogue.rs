//! The catalogue: what can be built, one TOML file an entry, read strictly when the node starts.

use super::Part;
use super::image::{self, ImageRecipe};
use super::import::ImportRecipe;
use husorden_base::{RuntimeName, Text};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

/// Grows when the way of building changes, so that nothing built the old way is taken for the new.
const METHOD: u32 = 1;
const PACKAGES_MAX: usize = 200;
/// Files of an app's own, together.
const OWN_BYTES_MAX: u64 = 4 << 20;

/// A Debian release that entries are built from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Suite {
    /// Debian 12.
    Bookworm,
    /// Debian 13.
    Trixie,
}

impl Suite {
    /// Its name in the archive.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Bookworm => "bookworm",
            Self::Trixie => "trixie",
        }
    }
}

/// One entry, whichever folder it came from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Recipe {
    /// Its name.
    pub name: RuntimeName,
    /// What people call it.
    pub title: Text,
    /// What it is.
    pub what: What,
    /// Digest of everything that the result depends on, apart from the versions in the archive.
    pub digest: String,
}

/// What an entry is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum What {
    /// A root to run in.
    Runtime(RuntimeRecipe),
    /// Files to install into a solution.
    App(AppRecipe),
    /// A disk that a server starts from.
    Image(ImageRecipe),
    /// Another, which was imported.
    Import(ImportRecipe),
}

impl What {
    /// The part of a build that makes it this.
    pub(super) const fn main(&self) -> Part {
        match self {
            Self::Runtime(_) => Part::Runtime,
            Self::App(_) => Part::App,
            Self::Image(_) | Self::Import(_) => Part::Image,
        }
    }
}

/// A file of `runtimes/`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RuntimeRecipe {
    name: RuntimeName,
    title: Text,
    /// Where its packages come from.
    pub suite: Suite,
    /// What is installed, with what it depends on.
    pub packages: Vec<String>,
    /// A script for `/bin/sh` of the machine, run when the essential packages stand and before the others are installed; `$1` is
    /// the root. For settings that keep a package from doing at its installation what a runtime has no use for.
    #[serde(default)]
    pub prepare: Option<String>,
    /// Another, run when everything is installed; it may ask the archive by `APT_CONFIG="$MMDEBSTRAP_APT_CONFIG"`. For single files
    /// of packages that bring far more than is needed.
    #[serde(default)]
    pub finish: Option<String>,
    /// What is prepared once for all solutions to copy.
    #[serde(default)]
    pub template: Option<TemplateRecipe>,
}

/// How a runtime's template is made.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TemplateRecipe {
    /// A script for `/bin/sh`, run once in the built runtime by an unprivileged uid without network; what it leaves in `/srv` is the template.
    pub script: String,
}

/// A file of `apps/`. Exactly one source is named.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AppRecipe {
    name: RuntimeName,
    title: Text,
    /// The app's folder in the result. Its own files, those of `apps/<name>/`, lie beside it in `husorden/`.
    pub folder: String,
    /// Files of the source that are left out: paths below the folder, `*` for any characters.
    #[serde(default)]
    pub leave: Vec<String>,
    /// Of those, files that are kept after all.
    #[serde(default)]
    pub keep: Vec<String>,
    /// Debian packages, unpacked and not installed.
    #[serde(default)]
    pub debian: Option<DebianSource>,
    /// An archive somewhere.
    #[serde(default)]
    pub url: Option<UrlSource>,
    /// Where its own files are.
    #[serde(skip)]
    pub own: PathBuf,
}

/// Debian packages as a source.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DebianSource {
    /// Where they come from.
    pub suite: Suite,
    /// Every package that is unpacked; dependencies are not followed.
    pub packages: Vec<String>,
    /// The folder that is copied, with links replaced by what they point to.
    pub copy: String,
}

/// An archive as a source.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct UrlSource {
    /// Its address.
    pub address: String,
    /// SHA-256 of it in lower-case hexadecimal.
    pub sha256: String,
    /// How it is packed.
    pub archive: Archive,
    /// The folder inside that is copied.
    pub copy: String,
}

/// How an archive is packed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Archive {
    /// A tar file, compressed in any way that tar knows by itself.
    #[serde(rename = "tar")]
    Tar,
    /// A zip file.
    #[serde(rename = "zip")]
    Zip,
}

/// A catalogue that does not hold. Names the file, and the line where there is one.
#[derive(Debug, thiserror::Error)]
pub enum CatalogueError {
    /// It cannot be read.
    #[error("reading {path}")]
    Io {
        /// Which file or folder.
        path: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// It is not what an entry looks like.
    #[error("{path}: {said}")]
    Wrong {
        /// Which file.
        path: PathBuf,
        /// What is wrong, with line and column where the text itself is.
        said: String,
    },
}

/// Reads `runtimes/`, `apps/` and `images/` of a catalogue.
///
/// # Errors
/// The first file that is wrong.
pub fn read(catalogue: &Path) -> Result<BTreeMap<RuntimeName, Recipe>, CatalogueError> {
    let mut found = BTreeMap::new();
    let folders = [("runtimes", parse_runtime as fn(&Path, &str) -> _), ("apps", parse_app), ("images", parse_image)];
    for (folder, parse) in folders {
        for path in toml_files(&catalogue.join(folder))? {
            let text = fs::read_to_string(&path).map_err(|source| CatalogueError::Io { path: path.clone(), source })?;
            let recipe: Recipe = parse(&path, &text)?;
            let stem = path.file_stem().map(|stem| stem.to_string_lossy().into_owned()).unwrap_or_default();
            if stem != recipe.name.as_str() {
                return Err(wrong(
                    &path,
                    format!("it says name = {:?}, and the file is called {stem:?}", recipe.name.as_str()),
                ));
            }
            if let Some(twin) = found.insert(recipe.name.clone(), recipe) {
                return Err(wrong(&path, format!("{} is in the catalogue twice", twin.name)));
            }
        }
    }
    let without_tools = found.values().find_map(|recipe| match &recipe.what {
        What::Image(image) => {
            let there = matches!(found.get(&image.tools).map(|tools| &tools.what), Some(What::Runtime(_)));
            (!there).then(|| (recipe.name.clone(), image.tools.clone()))
        }
        What::Runtime(_) | What::App(_) | What::Import(_) => None,
    });
    match without_tools {
        Some((name, tools)) => Err(wrong(
            &catalogue.join("images").join(format!("{name}.toml")),
            format!("tools = {:?} is no runtime of this catalogue", tools.as_str()),
        )),
        None => Ok(found),
    }
}

fn toml_files(folder: &Path) -> Result<Vec<PathBuf>, CatalogueError> {
    let failed = |source| CatalogueError::Io { path: folder.to_owned(), source };
    let entries = match fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(failed(error)),
    };
    let mut files = Vec::new();
    for entry in entries {
        let path = entry.map_err(failed)?.path();
        if path.extension().is_some_and(|extension| extension == "toml") {
            files.push(path);
        }
    }
    files.sort();
    Ok(files)
}

fn wrong(path: &Path, said: impl Into<String>) -> CatalogueError {
    CatalogueError::Wrong { path: path.to_owned(), said: said.into() }
}

fn parse_runtime(path: &Path, text: &str) -> Result<Recipe, CatalogueError> {
    let recipe: RuntimeRecipe = toml::from_str(text).map_err(|error| wrong(path, error.to_string()))?;
    check_packages(path, &recipe.packages)?;
    let digest = digest(&recipe, &[]);
    Ok(Recipe { name: recipe.name.clone(), title: recipe.title.clone(), what: What::Runtime(recipe), digest })
}

fn parse_app(path: &Path, text: &str) -> Result<Recipe, CatalogueError> {
    let mut recipe: AppRecipe = toml::from_str(text).map_err(|error| wrong(path, error.to_string()))?;
    let copy = match (&recipe.debian, &recipe.url) {
        (Some(debian), None) => {
            check_packages(path, &debian.packages)?;
            &debian.copy
        }
        (None, Some(url)) => {
            if url.sha256.len() != 64 || !url.sha256.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b)) {
                return Err(wrong(path, "sha256 is 64 characters of 0-9 and a-f"));
            }
            &url.copy
        }
        _ => return Err(wrong(path, "exactly one of [debian] and [url] says where the app comes from")),
    };
    if Path::new(copy).components().any(|part| !matches!(part, std::path::Component::Normal(_))) {
        return Err(wrong(path, format!("copy = {copy:?} is no path inside the source such as \"usr/share/app\"")));
    }
    if recipe.folder.parse::<RuntimeName>().is_err() || recipe.folder == super::app::OWN {
        return Err(wrong(path, format!("folder = {:?} is no name for the app's folder", recipe.folder)));
    }
    recipe.own = path.with_extension("");
    let own = own_files(&recipe.own)?;
    let digest = digest(&recipe, &own);
    Ok(Recipe { name: recipe.name.clone(), title: recipe.title.clone(), what: What::App(recipe), digest })
}

fn parse_image(path: &Path, text: &str) -> Result<Recipe, CatalogueError> {
    let mut recipe: ImageRecipe = toml::from_str(text).map_err(|error| wrong(path, error.to_string()))?;
    check_packages(path, &recipe.packages)?;
    if !image::DISK_MIB.contains(&recipe.disk_mib) {
        let (least, most) = (image::DISK_MIB.start(), image::DISK_MIB.end());
        return Err(wrong(path, format!("disk_mib is a number from {least} to {most}")));
    }
    recipe.own = path.with_extension("");
    let own = own_files(&recipe.own)?;
    let digest = digest(&(&recipe, image::METHOD), &own);
    Ok(Recipe { name: recipe.name.clone(), title: recipe.title.clone(), what: What::Image(recipe), digest })
}

fn check_packages(path: &Path, packages: &[String]) -> Result<(), CatalogueError> {
    if packages.is_empty() || packages.len() > PACKAGES_MAX {
        return Err(wrong(path, format!("packages names 1 to {PACKAGES_MAX} packages")));
    }
    let fine = |name: &String| {
        name.bytes().next().is_some_and(|b| b.is_ascii_alphanumeric())
            && name.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || matches!(b, b'+' | b'-' | b'.'))
    };
    match packages.iter().find(|name| !fine(name)) {
        Some(bad) => Err(wrong(path, format!("{bad:?} is no name of a Debian package"))),
        None => Ok(()),
    }
}

/// The files that the catalogue adds to an app: name and content.
fn own_files(folder: &Path) -> Result<Vec<(String, Vec<u8>)>, CatalogueError> {
    let failed = |source| CatalogueError::Io { path: folder.to_owned(), source };
    let entries = match fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(failed(error)),
    };
    let mut files = Vec::new();
    let mut bytes = 0;
    for entry in entries {
        let entry = entry.map_err(failed)?;
        let meta = entry.metadata().map_err(failed)?;
        bytes += meta.len();
        if !meta.is_file() || bytes > OWN_BYTES_MAX {
            return Err(wrong(&entry.path(), "an entry's own files are plain files of at most 4 MiB together"));
        }
        files.push((entry.file_name().to_string_lossy().into_owned(), fs::read(entry.path()).map_err(failed)?));
    }
    files.sort();
    Ok(files)
}

pub(super) fn digest(recipe: &impl Serialize, own: &[(String, Vec<u8>)]) -> String {
    let mut hash = Sha256::new();
    hash.update(METHOD.to_le_bytes());
    hash.update(serde_json::to_vec(recipe).expect("plain data has a JSON form"));
    for (name, content) in own {
        hash.update((name.len() as u64).to_le_bytes());
        hash.update(name);
        hash.update((content.len() as u64).to_le_bytes());
        hash.update(content);
    }
    short(&hash.finalize())
}

/// The first 12 hexadecimal digits of a hash: enough to tell builds of one name apart.
pub(super) fn short(hash: &[u8]) -> String {
    hash.iter().take(6).map(|byte| format!("{byte:02x}")).collect()
}
