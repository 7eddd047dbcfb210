//! What there is of images: the catalogue's, what was imported, what is being imported, and what could not be.

use super::catalogue::{Recipe, What};
use super::image::{Architecture, Licence, System};
use super::import::{Firmware, ImportRecipe};
use super::worker::{Entry, Runtimes};
use husorden_base::{Bytes, Refusal, RuntimeName, Text};
use husorden_kinds::RuntimeSight;
use std::collections::BTreeMap;

/// An image, as it stands on this node.
#[derive(Clone, Debug, PartialEq)]
pub struct Image {
    /// How it stands.
    pub entry: Entry,
    /// What system runs on it.
    pub system: System,
    /// For which processor.
    pub architecture: Architecture,
    /// Who licenses the operating system.
    pub licence: Licence,
    /// Size of its disk; none while that is not known.
    pub disk: Option<Bytes>,
    /// The one firmware that it starts by; none where either starts it, or nobody said.
    pub firmware: Option<Firmware>,
    /// Where it came from and what its bytes were, if it was imported.
    pub imported: Option<(String, String)>,
    /// How far the import is.
    pub progress: Option<Text>,
    /// Why it could not be imported.
    pub refusal: Option<Refusal>,
}

impl Runtimes {
    /// Every image.
    #[must_use]
    pub fn images(&self) -> Vec<Image> {
        let under_way = self.inner.importing().map(|recipe| {
            let progress = self.inner.import_progress();
            Image { progress, ..of_import(&recipe, nothing_of(&recipe, RuntimeSight::Building)) }
        });
        let failed = self.inner.imports_failed().into_iter().map(|(recipe, refusal)| {
            let sight = RuntimeSight::Failed { reason: refusal.detail.en.clone() };
            Image { refusal: Some(refusal), ..of_import(&recipe, nothing_of(&recipe, sight)) }
        });
        let state = self.inner.state();
        let there = self.inner.recipes.all();
        let there = there.iter().filter_map(|recipe| self.image_of(recipe, self.entry(recipe, &state)));
        there.chain(under_way).chain(failed).collect()
    }

    fn image_of(&self, recipe: &Recipe, entry: Entry) -> Option<Image> {
        match &recipe.what {
            What::Image(image) => Some(Image {
                entry,
                system: image.system,
                architecture: image.architecture,
                licence: image.licence.clone(),
                disk: Some(Bytes::mib(image.disk_mib.into())),
                firmware: None,
                imported: None,
                progress: None,
                refusal: None,
            }),
            What::Import(import) => Some(of_import(import, entry)),
            What::Runtime(_) | What::App(_) => None,
        }
    }

    /// The images that a server can be made from now, with the size of each one's disk. Touches no disk.
    #[must_use]
    pub fn disks(&self) -> BTreeMap<RuntimeName, Bytes> {
        let state = self.inner.state();
        let disks = self.inner.recipes.all().into_iter().filter_map(|recipe| {
            state.newest(&recipe)?;
            let disk = match &recipe.what {
                What::Image(image) => Bytes::mib(image.disk_mib.into()),
                What::Import(import) => import.disk,
                What::Runtime(_) | What::App(_) => return None,
            };
            Some((recipe.name.clone(), disk))
        });
        disks.collect()
    }
}

fn of_import(import: &ImportRecipe, entry: Entry) -> Image {
    Image {
        entry,
        system: import.system,
        architecture: import.architecture,
        licence: import.licence.clone(),
        disk: Some(import.disk).filter(|disk| disk.0 > 0),
        firmware: import.firmware,
        imported: Some((import.source.clone(), import.sha256.clone())),
        progress: None,
        refusal: None,
    }
}

/// The entry of what is not there.
fn nothing_of(import: &ImportRecipe, sight: RuntimeSight) -> Entry {
    Entry {
        name: import.name.clone(),
        title: import.title.clone(),
        sight,
        progress: None,
        build: None,
        built_at: None,
        size: None,
        seconds: None,
        packages: BTreeMap::new(),
        builds: Vec::new(),
    }
}
