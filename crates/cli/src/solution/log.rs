//! `husorden solution log`.

use super::path;
use crate::context::Context;
use crate::failure::Failure;
use crate::output::{self, Row};
use husorden_wire::api::{LogAsk, LogLine, Page};
use jiff::Timestamp;

/// What a solution's services said.
#[derive(Debug, clap::Args)]
pub struct Log {
    /// Its name or id
    solution: String,
    /// Only lines in which this stands, letters large or small
    #[arg(long)]
    search: Option<String>,
    /// Only lines since then, such as 2030-01-31T16:00:00Z
    #[arg(long)]
    since: Option<Timestamp>,
    /// How many at most, the newest; 1 to 1,000
    #[arg(long)]
    lines: Option<usize>,
}

impl Log {
    pub(super) fn run(self, context: &Context) -> Result<(), Failure> {
        let ask = LogAsk { search: self.search, since: self.since, lines: self.lines };
        let page: Page<LogLine> = context.api.post(&format!("{}/log", path(&self.solution)), &ask)?;
        output::list(context.format, &page.items)
    }
}

impl Row for LogLine {
    const COLUMNS: &'static [&'static str] = &["at", "text"];

    fn cells(&self) -> Vec<String> {
        vec![self.at.to_string(), self.text.clone()]
    }

    fn name(&self) -> String {
        self.text.clone()
    }
}
