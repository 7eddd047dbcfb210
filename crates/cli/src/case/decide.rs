//! `husorden case decide`: a decision that orders a measure.

use crate::api::segment;
use crate::context::Context;
use crate::failure::Failure;
use crate::wait::{self, Far};
use crate::{output, solution};
use husorden_wire::api::{Case, Ending, Measure};
use jiff::Timestamp;
use serde_json::{Value, json};
use std::path::PathBuf;

/// A decision.
#[derive(Debug, clap::Args)]
pub struct Decide {
    /// The case's number or id
    case: String,
    /// The clause that is broken [default: the case's]
    #[arg(long)]
    clause: Option<String>,
    /// Why, for the account holder to read
    #[arg(long, required_unless_present = "reasons_file", conflicts_with = "reasons_file")]
    reasons: Option<String>,
    /// File with the reasons
    #[arg(long, value_name = "FILE")]
    reasons_file: Option<PathBuf>,
    /// The facts it rests on, for the account holder to read
    #[arg(long)]
    facts: Option<String>,
    /// What is held [default: what the case is on]: the whole account rather than one solution
    #[arg(long)]
    whole_account: bool,
    /// What the account may still do
    #[arg(long, value_parser = ["full", "decision", "data-out", "none"], default_value = "decision")]
    access: String,
    /// What becomes of what runs, where its kind can stand still: it is stopped, frozen to go on where it was, or left behind a closed port
    #[arg(long, value_parser = ["stop", "freeze", "leave"], default_value = "stop")]
    running: String,
    /// A subscription of the account that ends with it for breach, by id; what is left of its period is forfeited
    #[arg(long, value_name = "SUBSCRIPTION")]
    forfeit: Vec<String>,
    /// When it ends by itself, as 2027-01-31T12:00:00Z
    #[arg(long)]
    ends: Option<Timestamp>,
}

impl Decide {
    /// What the subscriptions that end with it lose, a sentence each, for who is asked whether it is to be.
    fn losses(&self, context: &Context) -> Result<String, Failure> {
        let mut said = String::new();
        for id in &self.forfeit {
            let ending: Ending = context.api.get(&format!("/v1/subscriptions/{}/ending?why=breach", segment(id)))?;
            said += &format!("\n{}: {}", ending.subscription, ending.statement.get(context.language));
        }
        Ok(said)
    }

    pub(crate) fn run(&self, context: &Context) -> Result<(), Failure> {
        let case: Case = super::get(context, &self.case)?;
        let reasons = match (&self.reasons, &self.reasons_file) {
            (Some(reasons), _) => reasons.clone(),
            (None, Some(path)) => {
                std::fs::read_to_string(path).map_err(|error| Failure::Usage(format!("{}: {error}", path.display())))?
            }
            (None, None) => String::new(),
        };
        let held = match (&case.solution, self.whole_account) {
            (Some(solution), false) => {
                let solution = solution::get(context, solution)?;
                (json!({ "of": "solution", "id": solution.id }), solution.name)
            }
            _ => (
                json!({ "of": "account", "id": case.account }),
                format!("{} {}", context.word("hele kontoen", "the whole account"), case.account),
            ),
        };
        let losses = self.losses(context)?;
        context.confirm(&format!(
            "{} {}: {} {}{losses}",
            context.word("Sag", "Case"),
            case.number,
            held.1,
            context.word(
                "lukkes: åbne forbindelser afbrydes, og besøgende ser kun, at der er lukket, og sagens nummer. Data beholdes. Ophæves med `husorden measure lift`.",
                "will be closed: open connections are cut, and visitors see only that it is closed and the case number. Data is kept. `husorden measure lift` opens it again.",
            )
        ))?;
        let mut form = json!({
            "clause": self.clause.as_ref().unwrap_or(&case.clause),
            "reasons": reasons,
            "scope": held.0,
            "access": self.access,
            "fates": { "work": match self.running.as_str() { "freeze" => "waits", "leave" => "goes", _ => "cut" } },
        });
        if let (Some(facts), Some(fields)) = (&self.facts, form.as_object_mut()) {
            fields.insert("facts".to_owned(), json!(facts));
        }
        if let (Some(ends), Some(fields)) = (self.ends, form.as_object_mut()) {
            fields.insert("ends".to_owned(), json!(ends.to_string()));
        }
        if let (false, Some(fields)) = (self.forfeit.is_empty(), form.as_object_mut()) {
            fields.insert("forfeits".to_owned(), json!(self.forfeit));
        }
        let path = format!("/v1/cases/{}/decisions", segment(&case.id));
        let answer: Value = context.api.post(&path, &form)?;
        let measure = measure_of(answer)?;
        let measure = in_force(context, &case.id, measure, "in-force")?;
        let mut what = format!(
            "{} {}: {}",
            context.word("foranstaltning", "measure"),
            measure.id,
            output::state(&measure.state, context.language)
        );
        for forfeit in &measure.forfeits {
            what += &format!("\n{}: {}", forfeit.plan, forfeit.statement.get(context.language));
        }
        output::done(context.format, &measure.id, &measure, &what)
    }
}

/// The measure in an answer: the answer itself, or the newest of the case that was answered.
pub(super) fn measure_of(answer: Value) -> Result<Measure, Failure> {
    let odd = |error: serde_json::Error| Failure::Odd(format!("the API answered something else than agreed: {error}"));
    if answer.get("measures").is_some() {
        let case: Case = serde_json::from_value(answer).map_err(odd)?;
        case.measures
            .into_iter()
            .max_by_key(|measure| measure.starts)
            .ok_or_else(|| Failure::Odd("the API answered a case without a measure".to_owned()))
    } else {
        serde_json::from_value(answer).map_err(odd)
    }
}

/// Waits until a measure was seen in a state on the node, for being decided is not being carried out.
pub(super) fn in_force(context: &Context, case: &str, measure: Measure, state: &str) -> Result<Measure, Failure> {
    if context.wait_s_max.is_none() {
        return Ok(measure);
    }
    let id = measure.id.clone();
    let look = || {
        let case: Case = super::get(context, case)?;
        case.measures
            .into_iter()
            .find(|measure| measure.id == id)
            .ok_or_else(|| Failure::Odd(format!("the case no longer has measure {id}")))
    };
    let far = |measure: &Measure| {
        if measure.state == state {
            Far::There
        } else {
            Far::Working(output::state(&measure.state, context.language).to_owned(), None)
        }
    };
    wait::until(context, context.word("foranstaltning", "measure"), look, far)
}
