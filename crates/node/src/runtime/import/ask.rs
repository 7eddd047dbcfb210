//! What is asked of an import, read once at the door.

use super::super::image::{Architecture, Licence, System};
use super::disk::Format;
use super::{ImportRecipe, disk, fetch, words};
use husorden_base::{Bytes, Refusal, RuntimeName, Text};
use husorden_kinds::own_image;
use serde::{Deserialize, Serialize};
use std::fs::File;
use std::path::Path;

/// Longest address, and longest text that people are shown, in bytes.
const ADDRESS_BYTES_MAX: usize = 2048;
const TEXT_BYTES_MAX: usize = 300;

/// The one firmware that a disk starts by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Firmware {
    /// BIOS.
    Bios,
    /// UEFI.
    Uefi,
}

impl Firmware {
    /// Its word, as servers' specs have it.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Bios => "bios",
            Self::Uefi => "uefi",
        }
    }
}

/// What somebody asks for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ImportAsk {
    /// What it is to be called.
    pub name: String,
    /// An absolute path on the node, or an address of http or https.
    pub source: String,
    /// SHA-256 of the file, in hexadecimal. An address needs one.
    pub sha256: Option<String>,
    /// What people call it.
    pub title: Text,
    /// Who licenses the operating system.
    pub licence: Licence,
    /// What system runs on it.
    pub system: System,
    /// The one firmware that it starts by, if it is only one.
    pub firmware: Option<Firmware>,
}

/// Where the bytes come from.
#[derive(Debug)]
pub(super) enum From {
    /// A file of the machine, opened.
    File(File),
    /// An address.
    Url(String),
}

/// What was asked for, and is as it must be. The recipe's digest of the file is the one expected, or empty; its size is not known yet.
#[derive(Debug)]
pub(super) struct Import {
    pub(super) recipe: ImportRecipe,
    pub(super) from: From,
}

/// Reads what is asked.
///
/// # Errors
/// What is wrong with it.
pub(super) fn read(ask: ImportAsk) -> Result<Import, Refusal> {
    let name = name(&ask.name)?;
    let sha256 = ask.sha256.as_deref().map(checksum).transpose()?;
    for (field, text) in [
        ("title-da", &ask.title.da),
        ("title-en", &ask.title.en),
        ("licence-by", &ask.licence.by),
        ("licence-terms-da", &ask.licence.terms.da),
        ("licence-terms-en", &ask.licence.terms.en),
    ] {
        if text.trim().is_empty() || text.len() > TEXT_BYTES_MAX || text.chars().any(char::is_control) {
            let (da, en) = ("synlige tegn på en linje", "visible characters on one line");
            return Err(words::field(
                field,
                Text::new(format!("1 til {TEXT_BYTES_MAX} {da}"), format!("1 to {TEXT_BYTES_MAX} {en}")),
            ));
        }
    }
    let (from, source) = if ask.source.contains("://") {
        let told = address(&ask.source)?;
        if sha256.is_none() {
            return Err(words::field(
                "sha256",
                Text::new(
                    "En adresse skal have filens SHA-256 med: ellers ved ingen, hvad der hentes.",
                    "An address needs the file's SHA-256: nobody knows else what is fetched.",
                ),
            ));
        }
        (From::Url(ask.source), told)
    } else {
        let file = fetch::open(Path::new(&ask.source)).map_err(|error| words::no_source(&error.to_string()))?;
        // The same is read again of the copy, which is what the disk is made of; whoever asks need not wait for that.
        let (head, length) = fetch::head(&file).map_err(|error| words::no_source(&error.to_string()))?;
        disk::read(&head, length).map_err(words::no_image)?;
        let told = Path::new(&ask.source).file_name().map(|name| name.to_string_lossy().into_owned());
        (From::File(file), told.unwrap_or_default())
    };
    let recipe = ImportRecipe {
        name,
        title: ask.title,
        system: ask.system,
        architecture: Architecture::Amd64,
        licence: ask.licence,
        firmware: ask.firmware,
        source,
        sha256: sha256.unwrap_or_default(),
        format: Format::Raw,
        disk: Bytes(0),
    };
    Ok(Import { recipe, from })
}

fn name(text: &str) -> Result<RuntimeName, Refusal> {
    if !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(words::field(
            "name",
            Text::new(
                "Et aftryk kan ikke hedde cifre alene; programmer tager det for et nummer.",
                "An image cannot be called digits alone; programs take that for a number.",
            ),
        ));
    }
    let name: RuntimeName = text.parse().map_err(|_| {
        words::field(
            "name",
            Text::new(
                "1 til 63 tegn af a-z, 0-9, bindestreg og punktum, og først et bogstav, såsom alpine-3.22",
                "1 to 63 characters of a-z, 0-9, hyphens and dots, a letter first, such as alpine-3.22",
            ),
        )
    })?;
    if own_image::is_reserved(&name) {
        let text = Text::new(
            "Sådan hedder kundernes egne diskaftryk. Vælg et andet navn.",
            "Disk images of customers are called so. Choose another name.",
        );
        return Err(words::field("name", text));
    }
    Ok(name)
}

fn checksum(text: &str) -> Result<String, Refusal> {
    let text = text.to_ascii_lowercase();
    if text.len() == 64 && text.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        Ok(text)
    } else {
        Err(words::field(
            "sha256",
            Text::new(
                "64 tegn af 0-9 og a-f, som sha256sum skriver dem",
                "64 characters of 0-9 and a-f, as sha256sum writes them",
            ),
        ))
    }
}

/// The address as it is told: without what may be a secret.
fn address(text: &str) -> Result<String, Refusal> {
    let wrong = |da: &str, en: &str| words::field("source", Text::new(da, en));
    let uri = text.parse::<ureq::http::Uri>().ok().filter(|_| text.len() <= ADDRESS_BYTES_MAX);
    let parts = uri.as_ref().and_then(|uri| Some((uri.scheme_str()?, uri.authority()?.as_str(), uri.path())));
    let Some((scheme, authority, path)) = parts.filter(|(scheme, ..)| matches!(*scheme, "http" | "https")) else {
        return Err(wrong(
            "Her ventes en fil på maskinen, eller en adresse, der begynder med https:// eller http://.",
            "A file of the machine is expected here, or an address that begins with https:// or http://.",
        ));
    };
    if authority.contains('@') {
        return Err(wrong(
            "Adressen må ikke have navn og adgangskode i sig; den skrives ned.",
            "The address must have no name and password in it; it is written down.",
        ));
    }
    Ok(format!("{scheme}://{authority}{path}"))
}
