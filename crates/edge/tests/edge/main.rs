//! The whole edge, tested from outside: real sockets, real TLS, a scripted node and a scripted FastCGI program.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on should say where")]
#![allow(clippy::large_futures, reason = "a test has one of each")]

mod closing;
mod files;
mod house;
mod limits;
mod names;
mod php;
mod program;
mod table;
