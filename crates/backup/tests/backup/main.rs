//! Repositories beside stock restic, on real targets, under faults.

#![allow(
    clippy::expect_used,
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a test may panic, and says what it found"
)]

mod append;
mod child;
mod corrupt;
mod faults;
mod hand;
mod rest;
mod restic;
mod s3;
mod s3_server;
mod sftp;
