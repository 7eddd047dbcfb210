//! Control on a real PostgreSQL: doors, API, node link, jobs.

#![allow(clippy::unwrap_used, missing_docs, unreachable_pub, reason = "tests")]

mod api;
mod doors;
mod jobs;
mod link;
mod node;
mod private;
mod walk;
mod wire;
mod cluster;
mod house;
mod tiny;
