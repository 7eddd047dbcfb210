//! `husorden image`: images that servers start from, on this machine. The node knows, builds and imports them; here it is asked.

use crate::local::{ask, refused};
use crate::place::{Place, Which};
use crate::progress::line;
use anyhow::{Context, Result, bail};
use husorden_base::{Bytes, RuntimeName, Text};
use husorden_cli::Format;
use serde_json::{Value, json};
use std::process::ExitCode;
use std::time::{Duration, Instant};

/// How often the node is asked how far a build is.
const ASK: Duration = Duration::from_millis(500);
/// How often that is told at most.
const TELL: Duration = Duration::from_secs(2);
/// Characters of a name that a column is at most made for.
const NAME_CHARS: usize = 24;

/// Images that servers start from. Root only.
#[derive(Debug, clap::Subcommand)]
pub(crate) enum Verb {
    /// What the catalogue has and what was imported, who licenses it, and what is there
    #[command(visible_alias = "ls")]
    List {
        #[command(flatten)]
        which: Which,
    },
    /// Build one from Debian's archive, and wait until it is there
    Build {
        #[command(flatten)]
        which: Which,
        /// Its name in the catalogue
        name: String,
        /// Anew, from today's packages, though it is there
        #[arg(long)]
        anew: bool,
        /// Do not wait
        #[arg(long)]
        no_wait: bool,
    },
    /// Import a disk from a file or an address, qcow2 or raw, and wait until it is there
    Import(Box<Import>),
    /// Take an imported image away, which no server may be made from
    #[command(visible_alias = "rm")]
    Remove {
        #[command(flatten)]
        which: Which,
        /// Its name
        name: String,
    },
}

/// What an import is told.
#[derive(Debug, clap::Args)]
pub(crate) struct Import {
    #[command(flatten)]
    which: Which,
    /// What it is to be called, such as alpine-3.22
    name: String,
    /// A file of this machine, or an address that begins with https:// or http://
    source: String,
    /// SHA-256 of the file; an address needs it
    #[arg(long, value_name = "HEX")]
    sha256: Option<String>,
    /// What people call it, in Danish
    #[arg(long, value_name = "TEXT")]
    title_da: Option<String>,
    /// What people call it, in English
    #[arg(long, value_name = "TEXT")]
    title_en: Option<String>,
    /// Who licenses the operating system
    #[arg(long, value_name = "WHO")]
    licence_by: String,
    /// On what terms
    #[arg(long, value_name = "TEXT")]
    licence_terms: Option<String>,
    /// On what terms, in Danish where that is another text
    #[arg(long, value_name = "TEXT", requires = "licence_terms")]
    licence_terms_da: Option<String>,
    /// The pool that its licences come from, one for each server (`husorden licence`); without it none are counted
    #[arg(long, value_name = "POOL")]
    licence_pool: Option<RuntimeName>,
    /// What system runs on it
    #[arg(long, value_parser = ["linux", "other"], default_value = "linux")]
    system: String,
    /// The firmware that it starts by, where it is only one
    #[arg(long, value_parser = ["bios", "uefi"])]
    firmware: Option<String>,
    /// Do not wait
    #[arg(long)]
    no_wait: bool,
}

impl Verb {
    pub(crate) fn run(self, format: Format) -> Result<ExitCode> {
        match self {
            Self::List { which } => {
                let answer = ask(&which.place()?, &json!({ "do": "images" }))?;
                show(format, answer["ok"].as_array().map_or(&[][..], Vec::as_slice))?;
                Ok(ExitCode::SUCCESS)
            }
            Self::Build { which, name, anew, no_wait } => build(&which.place()?, &name, anew, no_wait, format),
            Self::Import(import) => import.run(format),
            Self::Remove { which, name } => {
                let asked = ask(&which.place()?, &json!({ "do": "image-remove", "name": name }))?;
                if let Some(refusal) = asked.get("refusal") {
                    return Ok(refused(refusal));
                }
                if format == Format::Json {
                    line(&serde_json::to_string_pretty(&asked["ok"])?);
                }
                Ok(ExitCode::SUCCESS)
            }
        }
    }
}

fn build(place: &Place, name: &str, anew: bool, no_wait: bool, format: Format) -> Result<ExitCode> {
    let before = found(place, name)?;
    let asked = ask(place, &json!({ "do": "image-build", "name": name, "anew": anew }))?;
    if let Some(refusal) = asked.get("refusal") {
        return Ok(refused(refusal));
    }
    // One that is built anew is ready all the time, on the old build.
    let passed = |image: &Value| match image["state"].as_str() {
        Some("building") => false,
        Some("ready") => !anew || image["built_at"] != before["built_at"],
        _ => true,
    };
    let mut image = asked["ok"].clone();
    while !no_wait && !passed(&image) {
        std::thread::sleep(ASK);
        image = found(place, name)?;
    }
    if image["state"] == "failed" {
        bail!("{name} could not be built: {}", image["text"].as_str().unwrap_or_default());
    }
    show(format, &[image])?;
    Ok(ExitCode::SUCCESS)
}

impl Import {
    fn run(self, format: Format) -> Result<ExitCode> {
        let place = self.which.place()?;
        let asked = ask(&place, &json!({ "do": "image-import", "ask": self.ask()? }))?;
        if let Some(refusal) = asked.get("refusal") {
            return Ok(refused(refusal));
        }
        let mut image = asked["ok"].clone();
        let (mut told, mut told_at) = (String::new(), Instant::now());
        while !self.no_wait && image["state"] == "importing" {
            let progress: Option<Text> = serde_json::from_value(image["imported"]["progress"].clone()).ok();
            let progress = progress.map(|text| text.get(husorden_cli::language()).to_owned()).unwrap_or_default();
            if format == Format::Table && progress != told && (told.is_empty() || told_at.elapsed() >= TELL) {
                line(&format!("  … {progress}"));
                (told, told_at) = (progress, Instant::now());
            }
            std::thread::sleep(ASK);
            image = found(&place, &self.name)?;
        }
        match image["imported"].get("refusal").filter(|refusal| !refusal.is_null()) {
            Some(refusal) => return Ok(refused(refusal)),
            None if image.is_null() => bail!("{} came to nothing: the node was started anew", self.name),
            None => show(format, &[image])?,
        }
        Ok(ExitCode::SUCCESS)
    }

    /// What the node is told. A text in one language stands for both.
    fn ask(&self) -> Result<Value> {
        let source = if self.source.contains("://") {
            self.source.clone()
        } else {
            let path = std::path::absolute(&self.source).with_context(|| format!("finding {}", self.source))?;
            path.into_os_string().into_string().map_err(|path| anyhow::anyhow!("{path:?} is no text"))?
        };
        let title = |one: &Option<String>, other: &Option<String>| {
            one.as_ref().or(other.as_ref()).unwrap_or(&self.name).clone()
        };
        let title = Text::new(title(&self.title_da, &self.title_en), title(&self.title_en, &self.title_da));
        let terms = match (&self.licence_terms, &self.licence_terms_da) {
            (Some(en), da) => Text::new(da.as_ref().unwrap_or(en).clone(), en.clone()),
            (None, _) => Text::new("Vilkårene er ikke oplyst.", "The terms are not stated."),
        };
        Ok(json!({
            "name": self.name, "source": source, "sha256": self.sha256, "title": title, "system": self.system,
            "licence": { "by": self.licence_by, "terms": terms, "pool": self.licence_pool }, "firmware": self.firmware,
        }))
    }
}

/// One image as it stands; null where there is none of the name.
fn found(place: &Place, name: &str) -> Result<Value> {
    let answer = ask(place, &json!({ "do": "images" }))?;
    let all = answer["ok"].as_array().map_or(&[][..], Vec::as_slice);
    Ok(all.iter().find(|image| image["name"] == name).cloned().unwrap_or_default())
}

fn show(format: Format, images: &[Value]) -> Result<()> {
    let text = |value: &Value| value.as_str().unwrap_or("-").to_owned();
    match format {
        Format::Json => line(&serde_json::to_string_pretty(images)?),
        Format::Name => images.iter().for_each(|image| line(&text(&image["name"]))),
        Format::Table => {
            let longest = images.iter().filter_map(|image| image["name"].as_str()).map(str::len).max();
            let width = longest.unwrap_or(0).clamp(12, NAME_CHARS);
            line(&format!("{:<width$} {:<9} {:<14} {:<10} {}", "NAME", "STATE", "BUILD", "SIZE", "LICENCE"));
            let language = husorden_cli::language();
            for image in images {
                let size = image["size"].as_u64().map_or_else(|| "-".to_owned(), |size| Bytes(size).to_string());
                let terms: Option<Text> = serde_json::from_value(image["licence"]["terms"].clone()).ok();
                let terms = terms.map(|terms| terms.get(language).to_owned()).unwrap_or_default();
                let pool = image["licence"]["pool"].as_str().map(|pool| format!(" [{pool}]")).unwrap_or_default();
                let licence = format!("{}: {terms}{pool}", text(&image["licence"]["by"]));
                let (name, state, build) = (text(&image["name"]), text(&image["state"]), text(&image["build"]));
                line(format!("{name:<width$} {state:<9} {build:<14} {size:<10} {licence}").trim_end());
            }
        }
    }
    Ok(())
}
