//! Tests of the database: forms, the SQL and settings that are generated, and the plan from every small state.

mod forms;
mod generated;
mod openings;
mod states;

use super::Database;
use crate::{Credential, Kind, Order};
use husorden_base::{Number, SolutionId};
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
    Order {
        solution: SolutionId(uuid::Uuid::from_u128(77)),
        number: Number::new(7).expect("7 is a number"),
        aim: crate::Aim::Run,
        credentials: credentials.collect(),
        spec,
        networks: Vec::new(),
        public: crate::Public::default(),
        rules: Vec::new(),
        mail_out: None,
        uses: None,
        guests: Vec::new(),
        closed: None,
        still: false,
        expired: false,
        window: false,
        log_s: crate::segments::usual_s(),
    }
}
