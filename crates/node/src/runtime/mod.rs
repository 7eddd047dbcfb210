//! The runtime wall: immutable subvolumes built from the catalogue, apps that are installed from, and images that servers start from.
//!
//! ```text
//! <pool>/runtimes/<name>@<build>     a root to run in            with <name>@<build>.json beside it
//! <pool>/templates/<name>@<build>    what solutions copy
//! <pool>/apps/<name>@<build>         files to install            with <name>@<build>.json beside it
//! <pool>/images/<name>@<build>       a disk to start from        with <name>@<build>.json beside it
//! <cache>/<name>@<recipe>.…          the same as streams, for the next pool
//! ```
//!
//! States of an entry, and who moves it:
//!
//! ```text
//! absent --ensure--> building --the worker--> ready
//!                     ^    |
//!          a pause ---'    '--the worker--> failed
//! ```
//!
//! One build runs at a time, on a thread of its own, and beside it one import ([`import`]). A node that dies takes them along; what it left is swept when the shelf is next opened.
//! A build is never changed: a patch is a new one beside it.

mod app;
mod build;
mod catalogue;
mod copy;
mod image;
mod images;
mod import;
mod mirror;
mod recipes;
mod shelf;
mod template;
mod tools;
mod worker;

#[cfg(test)]
mod tests;

pub use catalogue::{
    AppRecipe, Archive, CatalogueError, DebianSource, Recipe, RuntimeRecipe, Suite, TemplateRecipe, UrlSource, What,
    read,
};
pub use image::{Architecture, ImageRecipe, Install, Licence, System};
pub use images::Image;
pub use import::{Firmware, Format, ImportAsk, ImportRecipe};
pub use shelf::Build;
pub use worker::{Entry, Runtimes};

use crate::volume::VolumeError;
use std::io;

/// The parts that a build can have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Part {
    Runtime,
    Template,
    App,
    Image,
}

impl Part {
    const ALL: [Self; 4] = [Self::Runtime, Self::Template, Self::App, Self::Image];

    const fn folder(self) -> &'static str {
        match self {
            Self::Runtime => "runtimes",
            Self::Template => "templates",
            Self::App => "apps",
            Self::Image => "images",
        }
    }
}

/// A build that did not work, or a shelf that could not be opened.
#[derive(Debug, thiserror::Error)]
pub enum BuildError {
    /// The kernel said no.
    #[error("{doing}")]
    Io {
        /// What was being done.
        doing: String,
        /// What the kernel said.
        #[source]
        source: io::Error,
    },
    /// A tool failed.
    #[error("{tool} failed: {said}")]
    Tool {
        /// Which.
        tool: String,
        /// The end of what it said.
        said: String,
    },
    /// The machine or the recipe lacks something.
    #[error("{0}")]
    Machine(String),
    /// The node is on its way out.
    #[error("the build was called off")]
    Stopped,
    /// There is no such entry.
    #[error("{0} is not in the catalogue")]
    Unknown(husorden_base::RuntimeName),
    /// The catalogue does not hold.
    #[error(transparent)]
    Catalogue(#[from] CatalogueError),
    /// The pool said no.
    #[error(transparent)]
    Volume(#[from] VolumeError),
}

impl BuildError {
    fn io(doing: impl Into<String>) -> impl FnOnce(io::Error) -> Self {
        move |source| Self::Io { doing: doing.into(), source }
    }

    /// The whole chain on one line, for people.
    fn told(&self) -> String {
        crate::causes::causes(self)
    }
}
