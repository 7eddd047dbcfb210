//! `husorden event`: what happened, as a list or as it happens.

use crate::api::Ask;
use crate::context::Context;
use crate::failure::Failure;
use crate::output::{self, Format, Row};
use crate::solution;
use husorden_wire::api::{Event, Page};
use std::io::{BufRead, BufReader, Read};

/// Longest line of a stream that is read, in bytes.
const LINE_BYTES_MAX: u64 = 1 << 20;

/// What can be done with events.
#[derive(Debug, clap::Subcommand)]
pub enum Verb {
    /// List events, oldest first
    #[command(visible_alias = "ls")]
    List(Which),
    /// Show events as they happen, until interrupted
    Follow(Which),
}

/// Which events.
#[derive(Debug, clap::Args)]
pub struct Which {
    /// Only of this solution
    solution: Option<String>,
    /// Only after the event with this number
    #[arg(long)]
    after: Option<u64>,
}

impl Which {
    fn path(&self) -> String {
        let base = self.solution.as_deref().map_or_else(|| "/v1".to_owned(), solution::path);
        let after = self.after.map_or_else(String::new, |after| format!("?after={after}"));
        format!("{base}/events{after}")
    }
}

impl Verb {
    pub(crate) fn run(self, context: &Context) -> Result<(), Failure> {
        match self {
            Self::List(which) => {
                let page: Page<Event> = context.api.get(&which.path())?;
                output::list(context.format, &page.items)
            }
            Self::Follow(mut which) => loop {
                // A stream may end whenever the API is upgraded; what was missed comes with the next.
                let path = which.path();
                let stream = context.api.stream(&Ask::get(&path), "text/event-stream")?;
                follow(stream, |event| {
                    which.after = Some(event.id);
                    show(context, event)
                })?;
                std::thread::sleep(std::time::Duration::from_secs(1));
            },
        }
    }
}

fn show(context: &Context, event: &Event) -> Result<(), Failure> {
    match context.format {
        // One document a line, so that a reader need not wait for the end.
        Format::Json => output::put(&crate::api::to_value(event)?.to_string()),
        Format::Name => output::put(&event.name()),
        Format::Table => output::put(&output::plain(&event.cells().join("  "))),
    }
}

/// Reads server-sent events (HTML, 9.2) until the stream ends.
fn follow(stream: impl Read, mut each: impl FnMut(&Event) -> Result<(), Failure>) -> Result<(), Failure> {
    let mut reader = BufReader::new(stream);
    let mut data = String::new();
    loop {
        let mut line = String::new();
        match reader.by_ref().take(LINE_BYTES_MAX).read_line(&mut line) {
            Ok(0) | Err(_) => return Ok(()),
            Ok(_) => {}
        }
        let line = line.trim_end_matches(['\r', '\n']);
        if line.is_empty() {
            // What is no event of ours, such as a greeting, is passed over.
            if let Ok(event) = serde_json::from_str::<Event>(&data) {
                each(&event)?;
            }
            data.clear();
        } else if let Some(more) = line.strip_prefix("data:") {
            if !data.is_empty() {
                data.push('\n');
            }
            data.push_str(more.strip_prefix(' ').unwrap_or(more));
        }
    }
}

impl Row for Event {
    const COLUMNS: &'static [&'static str] = &["at", "what", "by", "message"];

    fn cells(&self) -> Vec<String> {
        vec![output::moment(self.at), self.kind.clone(), self.by.clone(), self.message.clone()]
    }

    fn name(&self) -> String {
        self.id.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stream_is_read_event_by_event() {
        let event = |id: u64| {
            format!(
                r#"{{"id":{id},"at":"2026-01-02T03:04:05Z","kind":"solution.settled","by":"node","message":"It answers."}}"#
            )
        };
        let text = format!(
            ": hello\n\nid: 1\nevent: x\ndata: {}\n\n: still here\n\ndata: nonsense\n\ndata:{}\r\n\r\ndata: {}",
            event(1),
            event(2),
            event(3)
        );
        let mut seen = Vec::new();
        follow(text.as_bytes(), |event| {
            seen.push(event.id);
            Ok(())
        })
        .expect("the stream ends in peace");
        assert_eq!(seen, [1, 2], "an event that was cut off is not shown");
    }
}
