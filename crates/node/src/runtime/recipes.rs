//! What can be had by name: the catalogue, which is read once, and what was imported, which comes and goes. A name has one meaning: the
//! catalogue's goes first.

use super::catalogue::Recipe;
use husorden_base::RuntimeName;
use std::collections::BTreeMap;
use std::sync::{Arc, PoisonError, RwLock};

#[derive(Debug)]
pub(super) struct Recipes {
    catalogue: BTreeMap<RuntimeName, Arc<Recipe>>,
    imported: RwLock<BTreeMap<RuntimeName, Arc<Recipe>>>,
}

impl Recipes {
    pub(super) fn new(catalogue: BTreeMap<RuntimeName, Recipe>) -> Self {
        let catalogue = catalogue.into_iter().map(|(name, recipe)| (name, Arc::new(recipe))).collect();
        Self { catalogue, imported: RwLock::default() }
    }

    pub(super) fn get(&self, name: &RuntimeName) -> Option<Arc<Recipe>> {
        let imported = || self.imported.read().unwrap_or_else(PoisonError::into_inner).get(name).cloned();
        self.catalogue.get(name).cloned().or_else(imported)
    }

    /// The catalogue's.
    pub(super) fn catalogued(&self) -> impl Iterator<Item = &Arc<Recipe>> {
        self.catalogue.values()
    }

    /// Everything: the catalogue's in the order of their names, and then what was imported.
    pub(super) fn all(&self) -> Vec<Arc<Recipe>> {
        let imported = self.imported.read().unwrap_or_else(PoisonError::into_inner);
        self.catalogue.values().chain(imported.values()).cloned().collect()
    }

    /// Adds what was imported. Whether the name was free.
    pub(super) fn add(&self, recipe: Recipe) -> bool {
        let mut imported = self.imported.write().unwrap_or_else(PoisonError::into_inner);
        if self.catalogue.contains_key(&recipe.name) || imported.contains_key(&recipe.name) {
            return false;
        }
        imported.insert(recipe.name.clone(), Arc::new(recipe));
        true
    }

    /// Takes out what was imported, if that has the name.
    pub(super) fn remove(&self, name: &RuntimeName) -> bool {
        self.imported.write().unwrap_or_else(PoisonError::into_inner).remove(name).is_some()
    }
}
