//! `husorden image`: images that servers start from, on this machine. The node knows and builds them; here it is asked.

use crate::local::{ask, refused};
use crate::place::{Place, Which};
use crate::progress::line;
use anyhow::{Result, bail};
use husorden_base::{Bytes, Text};
use husorden_cli::Format;
use serde_json::{Value, json};
use std::process::ExitCode;
use std::time::Duration;

/// How often the node is asked how far a build is.
const ASK: Duration = Duration::from_millis(500);

/// Images that servers start from. Root only.
#[derive(Debug, clap::Subcommand)]
pub(crate) enum Verb {
    /// What the catalogue has, who licenses it, and what is built
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
            line(&format!("{:<12} {:<9} {:<14} {:<10} {}", "NAME", "STATE", "BUILD", "SIZE", "LICENCE"));
            let language = husorden_cli::language();
            for image in images {
                let size = image["size"].as_u64().map_or_else(|| "-".to_owned(), |size| Bytes(size).to_string());
                let terms: Option<Text> = serde_json::from_value(image["licence"]["terms"].clone()).ok();
                let terms = terms.map(|terms| terms.get(language).to_owned()).unwrap_or_default();
                let licence = format!("{}: {terms}", text(&image["licence"]["by"]));
                let (name, state, build) = (text(&image["name"]), text(&image["state"]), text(&image["build"]));
                line(format!("{name:<12} {state:<9} {build:<14} {size:<10} {licence}").trim_end());
            }
        }
    }
    Ok(())
}
