//! The platform's own program as sandboxes see it, for the node's own tests: what they are run from is none that could be started so. It is the child
//! of a backup (`copy`), reads a file of a solution (`digest`), and keeps and hands out pieces of logs (`log`).

use husorden_node::segment::keep::{self, By};
use husorden_node::segment::{fetch, target};
use std::collections::HashMap;
use std::io;
use std::path::Path;
use std::process::ExitCode;

fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let done = match words.split_first() {
        Some((first, [verb, rest @ ..])) if first == "log" => log(verb, rest),
        Some((first, [])) if first == "digest" => husorden_node::hole::inside().map(|()| true),
        _ => Ok(husorden_node::backup::inside()),
    };
    match done {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            #[allow(clippy::print_stderr, reason = "whoever started this hears what is wrong")]
            {
                eprintln!("error: {error}");
            }
            ExitCode::from(126)
        }
    }
}

fn log(verb: &str, rest: &[String]) -> io::Result<bool> {
    let flags: HashMap<&str, &str> =
        rest.chunks_exact(2).map(|pair| (pair[0].trim_start_matches('-'), pair[1].as_str())).collect();
    let flag = |name: &str| flags.get(name).copied().unwrap_or_default();
    let path = |name: &str| Path::new(flag(name));
    match verb {
        "keep-wal" => keep::wal(path("store"), path("from"), flag("name"), path("times"))?,
        "keep-binlogs" => {
            keep::binlogs(path("store"), path("data"), flag("prefix"), flags.get("client").copied())?;
        }
        "note" => {
            let by = if flag("by") == "size" { By::Size } else { By::Time };
            keep::note(path("store"), path("data"), flag("prefix"), by)?;
        }
        "extract" => {
            let done = husorden_node::segment::extract::extract(Path::new(&rest[0]), Path::new(&rest[2]))?;
            return Ok(done.faults.is_empty());
        }
        "fetch" => return fetch(path("store"), flag("name"), path("to")),
        "target" => {
            let at = flag("at").parse().map_err(io::Error::other)?;
            #[allow(clippy::print_stdout, reason = "it is what was asked")]
            {
                println!("{}", if target(path("store"), at)? { "time" } else { "end" });
            }
        }
        other => return Err(io::Error::other(format!("{other:?} is nothing that this does"))),
    }
    Ok(true)
}
