//! `husorden archive upload`: files into a solution, unpacked by the node in a sandbox.

use crate::api::{Ask, Payload, segment};
use crate::context::Context;
use crate::failure::Failure;
use husorden_base::Bytes;
use serde_json::Value;
use std::fs::File;
use std::path::PathBuf;
use ureq::http::Method;

/// What can be done with archives.
#[derive(Debug, clap::Subcommand)]
pub enum Verb {
    /// Upload a zip, tar or tar.gz and unpack it; a snapshot is taken first
    Upload {
        /// The solution's name or id
        solution: String,
        /// The archive
        file: PathBuf,
        /// How it is packed [default: by the file's name]
        #[arg(long, value_parser = ["zip", "tar", "tar.gz"])]
        format: Option<String>,
        /// Folder within the solution's files
        #[arg(long, default_value = "")]
        into: String,
    },
}

impl Verb {
    pub(crate) fn run(self, context: &Context) -> Result<(), Failure> {
        let Self::Upload { solution, file, format, into } = self;
        let wrong = |why: &str| Failure::Usage(format!("{}: {why}", file.display()));
        let name = file.file_name().unwrap_or_default().to_string_lossy().to_lowercase();
        let guessed = [("zip", ".zip"), ("tar.gz", ".tar.gz"), ("tar.gz", ".tgz"), ("tar", ".tar")]
            .into_iter()
            .find(|(_, end)| name.ends_with(end))
            .map(|(format, _)| format.to_owned());
        let format = format
            .or(guessed)
            .ok_or_else(|| wrong("the name does not say how it is packed: give --format zip, tar or tar.gz"))?;
        let handle = File::open(&file).map_err(|error| wrong(&error.to_string()))?;
        let data = handle.metadata().map_err(|error| wrong(&error.to_string()))?;
        if !data.is_file() {
            return Err(wrong("is no file"));
        }
        context.confirm(&format!(
            "{} ({}) {} {solution}{}",
            file.display(),
            Bytes(data.len()),
            context.word(
                "pakkes ud og erstatter filer med samme navn i",
                "will be unpacked and replace files of the same name in"
            ),
            context.word(
                ". Der tages først et øjebliksbillede; `husorden solution undo` fortryder.",
                ". A snapshot is taken first; `husorden solution undo` undoes it."
            )
        ))?;
        let path = format!("{}/archive?format={}&into={}", super::path(&solution), segment(&format), segment(&into));
        let answer: Value = context.api.ask(&Ask {
            payload: Payload::File(&handle, data.len()),
            once: Some(uuid::Uuid::new_v4().to_string()),
            ..Ask::new(Method::POST, &path)
        })?;
        super::run::show(context, answer)
    }
}
