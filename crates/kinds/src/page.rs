//! What a kind says of itself on people's pages: the starts it offers, and the card of one solution. Data, no markup.

use husorden_base::{Number, Text};
use serde_json::Value;

/// A ready-made start, as the page of new solutions offers it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Offer {
    /// Its name in addresses.
    pub name: &'static str,
    /// What people call it.
    pub title: Text,
    /// One or two sentences: what one gets.
    pub about: Text,
    /// Its picture.
    pub glyph: Glyph,
    /// The fields of the spec that it fills in. Those are asked about first; the rest is folded away with its defaults.
    pub spec: Value,
}

/// A picture, from a closed list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Glyph {
    /// Something on the web.
    Globe,
    /// Something of files.
    File,
    /// Something that runs programs.
    Server,
    /// Something that keeps tables.
    Database,
    /// Something that can be filled with anything.
    Box,
}

/// Where a solution is met, for its card.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Whereabouts {
    /// Its number on the installation.
    pub number: Number,
    /// Its own name, where it is reached by a port.
    pub host: String,
    /// What people call the image that it was made from, where that is its account's own.
    pub image: Option<String>,
}

/// Where a solution keeps what its services say: a file of a folder of its volume, and what is older in a file beside it with `.1` after
/// its name. Each line begins with its time, as RFC 3339 in UTC, and a space.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Log {
    /// The folder.
    pub folder: &'static str,
    /// The file.
    pub file: &'static str,
}

/// A line of a solution's card.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CardRow {
    /// What it is.
    pub label: Text,
    /// What it says.
    pub value: String,
    /// Where it leads, for what has an address; always `https:`.
    pub link: Option<String>,
    /// Whether people copy it.
    pub copy: bool,
}

/// A line to paste where somebody connects from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Snippet {
    /// What it is pasted into.
    pub name: &'static str,
    /// The line. `PASSWORD` stands where the password goes, and `ca.pem` for the file of the authority's certificate.
    pub code: String,
}
