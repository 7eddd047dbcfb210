//! `husorden solution delete`.

use crate::api::Ask;
use crate::context::Context;
use crate::failure::Failure;
use crate::output;
use husorden_base::Bytes;
use husorden_wire::api::Solution;
use serde_json::Value;
use ureq::http::Method;

/// What to delete.
#[derive(Debug, clap::Args)]
pub struct Delete {
    /// Its name or id
    solution: String,
}

impl Delete {
    pub(crate) fn run(&self, context: &Context) -> Result<(), Failure> {
        let solution = super::get(context, &self.solution)?;
        let live = solution.usage.as_ref().and_then(|usage| usage.get("live")).copied();
        let size = live.map_or_else(String::new, |bytes| format!(", {}", Bytes(bytes)));
        context.confirm(&format!(
            "{} ({}{size}) {}",
            solution.name,
            solution.kind,
            context.word(
                "slettes: den svarer ikke mere med det samme. Indtil opbevaringstiden udløber, bringer `husorden solution undo` den tilbage; derefter er den væk.",
                "will be deleted: it stops answering at once. Until its retention time is over `husorden solution undo` brings it back; after that it is gone.",
            )
        ))?;
        let path = super::path(&solution.id);
        let answer: Value = context.api.ask(&Ask::new(Method::DELETE, &path).if_match(solution.generation))?;
        let deleted: Solution = match answer {
            Value::Null => super::get(context, &solution.id)?,
            answer => serde_json::from_value(answer)
                .map_err(|error| Failure::Odd(format!("the API answered something else than agreed: {error}")))?,
        };
        let until = deleted.retain_until.map_or_else(String::new, |at| {
            format!(
                "; {} {} {}",
                context.word("kan fortrydes indtil", "can be undone until"),
                output::moment(at),
                context.word("med", "by")
            ) + &format!(" `husorden solution undo {}`", deleted.name)
        });
        let what = format!("{}: {}{until}", deleted.name, context.word("slettes", "deleting"));
        output::done(context.format, &deleted.name, &deleted, &what)
    }
}
