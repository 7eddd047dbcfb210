//! `husorden solution figures`.

use super::path;
use crate::context::Context;
use crate::failure::Failure;
use crate::output::{self, Row};
use husorden_base::Bytes;
use husorden_wire::api::Figure;

/// What was measured of a solution.
#[derive(Debug, clap::Args)]
pub struct Figures {
    /// Its name or id
    solution: String,
    /// Of how many hours back, 1 to 168
    #[arg(long, default_value_t = 24)]
    hours: u32,
}

impl Figures {
    pub(super) fn run(self, context: &Context) -> Result<(), Failure> {
        let at = format!("{}/figures?hours={}", path(&self.solution), self.hours);
        let figures: Vec<Figure> = context.api.all(&at)?;
        output::list(context.format, &figures)
    }
}

impl Row for Figure {
    const COLUMNS: &'static [&'static str] = &["figure", "lowest", "mean", "highest", "newest"];

    fn cells(&self) -> Vec<String> {
        let values = || self.points.iter().map(|point| point.value);
        let said = |value: Option<f64>| output::dash(value.map(|value| shown(&self.unit, value)).as_deref());
        let mean = values().sum::<f64>() / self.points.len().max(1) as f64;
        let mean = (!self.points.is_empty()).then_some(mean);
        vec![
            self.title.clone(),
            said(values().reduce(f64::min)),
            said(mean),
            said(values().reduce(f64::max)),
            said(values().next_back()),
        ]
    }

    fn name(&self) -> String {
        self.name.clone()
    }
}

/// A value with its unit, as people read it.
fn shown(unit: &str, value: f64) -> String {
    match unit {
        "bytes" => Bytes(value as u64).to_string(),
        "percent" => format!("{value:.1} %"),
        "per-second" => format!("{value:.1}/s"),
        "seconds" => format!("{value:.0} s"),
        _ => format!("{value:.1}"),
    }
}
