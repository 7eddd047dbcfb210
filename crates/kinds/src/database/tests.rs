//! Tests of the database: forms, the SQL and settings that are generated, and the plan from every small state.

mod forms;
mod generated;
mod openings;
mod states;

use super::Database;
use crate::harness;
use crate::{Credential, Kind, Order};
use husorden_base::SolutionId;
use serde_json::Value;

/// A spec from a form that holds.
fn spec(form: &Value) -> Value {
    Database.parse(form, None).expect("the form holds")
}

fn order(form: &Value) -> Order {
    let spec = spec(form);
    let credentials = Database.credentials(&spec).into_iter().map(|login| {
        let hash = "SCRAM-SHA-256$4096:c2FsdA==$a:b".to_owned();
        (login.name, Credential { username: login.username, hash, generation: 3 })
    });
    let solution = SolutionId(uuid::Uuid::from_u128(77));
    Order { solution, credentials: credentials.collect(), ..harness::order(spec) }
}
