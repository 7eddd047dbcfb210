//! `husorden measure lift`: what a decision closed is opened again, with reasons.

use super::decide::{in_force, measure_of};
use crate::api::segment;
use crate::context::Context;
use crate::failure::Failure;
use crate::output;
use husorden_wire::api::MeasureLift;
use serde_json::Value;

/// Which measure, and why.
#[derive(Debug, clap::Args)]
pub struct Lift {
    /// The measure's id
    measure: String,
    /// Why, for the account holder to read
    #[arg(long)]
    reasons: String,
}

impl Lift {
    pub(crate) fn run(&self, context: &Context) -> Result<(), Failure> {
        let path = format!("/v1/measures/{}/lift", segment(&self.measure));
        let answer: Value = context.api.post(&path, &MeasureLift { reasons: self.reasons.clone() })?;
        let measure = measure_of(answer)?;
        let case = measure.case.clone();
        let measure = in_force(context, &case, measure, "lifted")?;
        let what = format!(
            "{} {}: {}",
            context.word("foranstaltning", "measure"),
            measure.id,
            output::state(&measure.state, context.language)
        );
        output::done(context.format, &measure.id, &measure, &what)
    }
}
