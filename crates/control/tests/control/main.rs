//! Control on a real PostgreSQL: doors, API, node link, jobs.

#![allow(clippy::unwrap_used, missing_docs, unreachable_pub, reason = "tests")]

mod api;
mod cluster;
mod house;
mod tiny;
