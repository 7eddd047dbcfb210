//! The panel on a real control: its frame, its doors, and pages as a client without scripts uses them.

#![allow(clippy::unwrap_used, dead_code, missing_docs, unreachable_pub, reason = "tests")]

#[path = "../../../control/tests/control/cluster.rs"]
mod cluster;
#[path = "../../../control/tests/control/gated.rs"]
mod gated;
#[path = "../../../control/tests/control/house.rs"]
mod house;
#[path = "../../../control/tests/control/mailbox.rs"]
mod mailbox;
#[path = "../../../control/tests/control/tiny.rs"]
mod tiny;
#[path = "../../../control/tests/control/people.rs"]
mod visitors;
#[path = "../../../control/tests/control/waiting.rs"]
mod waiting;

mod access;
mod agreements;
mod attachment;
mod client;
mod dumps;
mod firewall;
mod frame;
mod letters;
mod networks;
mod pages;
mod people;
mod places;
mod schedule;
mod staff;
