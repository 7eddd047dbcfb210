//! Tests of the server: forms, what is generated, and the plan from every small state.

mod forms;
mod generated;
mod states;

use super::Server;
use crate::harness;
use crate::{Kind, Membership, NetworkNumber, Order};
use serde_json::Value;

/// A public key of a pair that is nobody's.
const KEY: &str = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAswVXqfxOkOM1h9osfsETZbgKXK7xQ5XoOozfIXPGGG anna@shop.example";

/// A spec from a form that holds.
fn spec(form: &Value) -> Value {
    Server.parse(form, None).expect("the form holds")
}

fn order(form: &Value) -> Order {
    harness::order(spec(form))
}

/// What a server has in a network of this number.
fn membership(number: u32, range: &str, address: &str) -> Membership {
    Membership {
        number: NetworkNumber::new(number).expect("a number"),
        range: range.parse().expect("a range"),
        prefix: format!("fd00:0:0:{number}::/64").parse().expect("a prefix"),
        address: address.parse().expect("an address"),
    }
}
