//! `husorden attachment`: a solution uses a database of another one of the account.

use crate::context::Context;
use crate::failure::Failure;
use crate::output;
use crate::solution::{get, send};
use crate::wait;
use husorden_wire::api::{Solution, SolutionChange};
use serde_json::{Value, json};

/// What can be done with attachments.
#[derive(Debug, clap::Subcommand)]
pub enum Verb {
    /// Attach: user, password and way are made, and nobody sees the password
    Create {
        /// The solution that is to use another, by name or id
        solution: String,
        /// The other one, by name or id
        other: String,
        /// The database of it
        #[arg(long, default_value = "app")]
        database: String,
        /// Move the solution's own data there as well; a snapshot is taken first
        #[arg(long = "move")]
        moved: bool,
    },
    /// Move the solution's own data to what is attached; a snapshot is taken first
    Move {
        /// The solution's name or id
        solution: String,
    },
    /// Move the data back to the solution itself; a snapshot is taken first
    Return {
        /// The solution's name or id
        solution: String,
    },
    /// Take the attachment off: user, password and way go with it
    Delete {
        /// The solution's name or id
        solution: String,
    },
}

impl Verb {
    pub(crate) fn run(self, context: &Context) -> Result<(), Failure> {
        let (name, attach, said) = match self {
            Self::Create { solution, other, database, moved } => {
                let attach = json!({ "solution": other, "database": database, "holds": moved });
                (solution, attach, context.word("er tilknyttet", "is attached"))
            }
            Self::Move { solution } => {
                (solution, json!({ "holds": true }), context.word("data er flyttet dertil", "the data was moved there"))
            }
            Self::Return { solution } => {
                (solution, json!({ "holds": false }), context.word("data er flyttet hjem", "the data was moved back"))
            }
            Self::Delete { solution } => {
                (solution, Value::Null, context.word("ikke tilknyttet mere", "no longer attached"))
            }
        };
        let solution: Solution = get(context, &name)?;
        let change = SolutionChange { spec: Some(json!({ "attach": attach })), ..SolutionChange::default() };
        let seen = wait::solution(context, send(context, &solution, &change)?)?;
        output::done(context.format, &seen.name, &seen, &format!("{}: {said}", seen.name))
    }
}
