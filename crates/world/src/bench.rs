//! Benches: ours and the peer on the same work in one run, the ratio printed, and a line appended to
//! `target/bench/results.jsonl`.
#![allow(clippy::print_stdout, reason = "a bench prints its figures")]

use anyhow::{Context, Result};
use serde_json::json;
use std::fs;
use std::io::Write;
use std::path::PathBuf;
use std::time::Duration;

/// Which way is better.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Better {
    /// Less is: times, memory.
    Less,
    /// More is: rates.
    More,
}

/// One figure, beside its peer's if there is one.
#[derive(Clone, Debug)]
pub struct Figure<'a> {
    /// Its name, such as `site.create`.
    pub name: &'a str,
    /// Ours.
    pub ours: f64,
    /// The peer's, and what the peer is.
    pub peer: Option<(f64, &'a str)>,
    /// Unit of both.
    pub unit: &'a str,
    /// Which way is better.
    pub better: Better,
    /// Count of runs, what was measured.
    pub note: String,
}

impl Figure<'_> {
    /// How many times better than the peer; above 1 is better.
    #[must_use]
    pub fn ratio(&self) -> Option<f64> {
        let (peer, _) = self.peer?;
        Some(match self.better {
            Better::Less => peer / self.ours,
            Better::More => self.ours / peer,
        })
    }

    /// Prints the figure and appends it to the results.
    ///
    /// # Errors
    /// When the results can't be written.
    pub fn report(&self) -> Result<()> {
        let beside = match (self.peer, self.ratio()) {
            (Some((peer, name)), Some(ratio)) => format!("{name} {peer:.2} {}, ratio {ratio:.2}", self.unit),
            _ => "no peer".to_owned(),
        };
        println!("{:<22} {:.2} {}, {beside} ({})", self.name, self.ours, self.unit, self.note);
        let line = json!({
            "name": self.name,
            "ours": self.ours,
            "peer": self.peer.map(|(peer, _)| peer),
            "peer_name": self.peer.map(|(_, name)| name),
            "unit": self.unit,
            "ratio": self.ratio(),
            "note": self.note,
        });
        let path = results()?;
        let mut file = fs::OpenOptions::new().create(true).append(true).open(&path).context("opening the results")?;
        writeln!(file, "{line}").context("writing the results")
    }
}

fn results() -> Result<PathBuf> {
    // The binary lies in target/<profile>; the results in target/bench.
    let target = std::env::current_exe()?.ancestors().nth(2).context("the target folder")?.to_owned();
    let folder = target.join("bench");
    fs::create_dir_all(&folder)?;
    Ok(folder.join("results.jsonl"))
}

/// The value below which this share of the samples lies; the samples are sorted by it.
///
/// # Panics
/// When there are no samples.
#[must_use]
pub fn quantile(samples: &mut [f64], share: f64) -> f64 {
    assert!(!samples.is_empty(), "a quantile needs samples");
    samples.sort_by(f64::total_cmp);
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, clippy::cast_precision_loss, reason = "an index")]
    let index = ((samples.len() as f64 - 1.0) * share).round() as usize;
    samples[index]
}

/// A duration in milliseconds.
#[must_use]
pub fn ms(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1e3
}
