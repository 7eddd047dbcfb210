//! `husorden solution list`.

use crate::api::segment;
use crate::context::Context;
use crate::failure::Failure;
use crate::output;
use husorden_wire::api::Solution;

/// Which solutions to list.
#[derive(Debug, Default, clap::Args)]
pub struct List {
    /// Only of this kind
    #[arg(long)]
    pub(crate) kind: Option<String>,
    /// Only in this state
    #[arg(long)]
    pub(crate) state: Option<String>,
    /// Only with this label
    #[arg(short, long, value_name = "KEY[=VALUE]")]
    pub(crate) label: Option<String>,
    /// Only of this account (staff)
    #[arg(long)]
    pub(crate) account: Option<String>,
}

impl List {
    pub(crate) fn run(&self, context: &Context) -> Result<(), Failure> {
        let mut path = "/v1/solutions".to_owned();
        if let Some(account) = &self.account {
            path += &format!("?account={}", segment(account));
        }
        let mut all: Vec<Solution> = context.api.all(&path)?;
        all.retain(|solution| self.wants(solution));
        output::list(context.format, &all)
    }

    fn wants(&self, solution: &Solution) -> bool {
        let label = self.label.as_deref().is_none_or(|label| match label.split_once('=') {
            Some((key, value)) => solution.labels.get(key).is_some_and(|held| held == value),
            None => solution.labels.contains_key(label),
        });
        label
            && self.kind.as_ref().is_none_or(|kind| *kind == solution.kind)
            && self.state.as_ref().is_none_or(|state| *state == solution.state)
    }
}
