//! Tests of the website: forms, generated settings, and the plan from every small state.

mod attached;
mod forms;
mod moves;
mod openings;
mod settings;
mod states;

use super::Website;
use crate::harness;
use crate::{Credential, Kind, Order};
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// A spec from a form that holds.
fn spec(form: &Value) -> Value {
    Website.parse(form, None).expect("the form holds")
}

fn order(form: &Value) -> Order {
    let spec = spec(form);
    let credentials: BTreeMap<String, Credential> = Website
        .credentials(&spec)
        .into_iter()
        .map(|login| {
            let credential = Credential {
                username: login.username,
                hash: "$2y$10$abcdefghijklmnopqrstuuWXYZ0123456789abcdefghijklmnopqrs".to_owned(),
                generation: 3,
            };
            (login.name, credential)
        })
        .collect();
    Order { credentials, ..harness::order(spec) }
}

fn wordpress() -> Value {
    json!({
        "domains": ["www.shop.example", "shop.example"],
        "app": {"name": "wordpress", "title": "Shop", "admin_email": "anna@shop.example"},
    })
}
