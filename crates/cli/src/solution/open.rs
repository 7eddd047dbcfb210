//! `husorden solution open`: letting oneself in for a while.

use crate::context::Context;
use crate::failure::Failure;
use crate::proposal::end;
use crate::{output, wait};
use husorden_wire::api::{AccessOpen, Solution};
use jiff::Timestamp;

/// For whom, and how long.
#[derive(Debug, clap::Args)]
pub struct Open {
    /// Its name or id
    solution: String,
    /// How long, such as 30m or 2h: 5 minutes to 12 hours
    #[arg(long, default_value = "2h", value_parser = end)]
    r#for: Timestamp,
    /// From where; left out, the address that the platform sees this machine by
    #[arg(long)]
    net: Option<String>,
    /// What for, for people
    #[arg(long, default_value = "")]
    note: String,
}

impl Open {
    pub(crate) fn run(self, context: &Context) -> Result<(), Failure> {
        let seconds = self.r#for.duration_since(Timestamp::now()).as_secs();
        // Rounded, for a moment went by since the words were read; what is out of bounds is refused by the API.
        let minutes = u32::try_from((seconds + 30) / 60).unwrap_or(u32::MAX);
        let form = AccessOpen { minutes, net: self.net, note: self.note };
        let changed: Solution = context.api.post(&format!("{}/access", super::path(&self.solution)), &form)?;
        let seen = wait::solution(context, changed)?;
        let until = output::moment(self.r#for);
        let text = format!("{} {} {until}", seen.name, context.word("er åben for dig indtil", "is open for you until"));
        output::done(context.format, &seen.name, &seen, &text)
    }
}
