//! `husorden plan`, `husorden subscription` and `husorden ledger`: what is sold, what was ordered, and the books.

mod ledger;
mod plan;
mod subscription;

pub(crate) use ledger::Verb as LedgerVerb;
pub(crate) use plan::Verb as PlanVerb;
pub(crate) use subscription::Verb as SubscriptionVerb;

use crate::api::Ask;
use crate::context::Context;
use crate::failure::Failure;

/// `?account=`, for staff.
fn of(path: &str, account: Option<&str>) -> String {
    account.map_or_else(|| path.to_owned(), |account| format!("{path}?account={}", crate::api::segment(account)))
}

/// An export as the API gives it, on standard output.
fn export(context: &Context, path: &str) -> Result<(), Failure> {
    let mut answer = context.api.stream(&Ask::get(path), "text/csv")?;
    crate::output::copy(&mut answer)
}
