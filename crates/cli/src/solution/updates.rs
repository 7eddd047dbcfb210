//! `husorden solution updates`.

use super::path;
use crate::context::Context;
use crate::failure::Failure;
use crate::output::{self, Format, Row};
use husorden_wire::api::{RunsOn, Updates};
use std::collections::BTreeMap;

/// Shows what a solution runs on, and for people when it may be updated by itself.
pub(super) fn show(context: &Context, solution: &str) -> Result<(), Failure> {
    let updates: Updates = context.api.get(&format!("{}/updates", path(solution)))?;
    match context.format {
        Format::Json => output::json(&updates),
        Format::Name => output::list(context.format, &updates.runs),
        Format::Table => {
            output::list(context.format, &updates.runs)?;
            let window = &updates.window;
            let next = window.opens.map_or_else(|| "-".to_owned(), output::moment);
            output::put(&format!(
                "{} {next} ({} {})",
                context.word("Næste servicevindue:", "Next maintenance window:"),
                window.start,
                window.zone
            ))?;
            updates.past.iter().try_for_each(|past| {
                let how = if past.held {
                    context.word("holdt", "held")
                } else {
                    context.word("rullet tilbage", "rolled back")
                };
                let why = past.reason.as_deref().map(|why| format!(": {}", output::plain(why))).unwrap_or_default();
                output::put(&format!(
                    "{} {} {} → {}: {how}{why}",
                    output::moment(past.at),
                    past.runtime,
                    past.from,
                    past.to
                ))
            })
        }
    }
}

impl Row for RunsOn {
    const COLUMNS: &'static [&'static str] = &["runtime", "build", "since", "packages", "newer"];

    fn cells(&self) -> Vec<String> {
        let refused = |build: &str| self.refused.as_ref().is_some_and(|refused| refused.build == build);
        let newer = self.newer.as_ref().map(|newer| {
            let state = if refused(&newer.build) { " (rolled back)" } else { "" };
            format!("{}{state}\n{}", newer.build, versions(&newer.packages)).trim_end().to_owned()
        });
        vec![
            self.runtime.clone(),
            self.build.clone(),
            output::moment(self.since),
            versions(&self.packages),
            output::dash(newer.as_deref()),
        ]
    }

    fn name(&self) -> String {
        format!("{}@{}", self.runtime, self.build)
    }
}

/// One a line: PHP alone is eleven packages.
fn versions(packages: &BTreeMap<String, String>) -> String {
    packages.iter().map(|(name, version)| format!("{name} {version}")).collect::<Vec<_>>().join("\n")
}
