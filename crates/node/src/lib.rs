//! The only role that is root: it holds wishes and measures, drives the engines through the walls, and reports.
//!
//! The walls stand in [`volume`], [`sandbox`], [`port`] and [`runtime`]; `host` puts them behind the one seam that kinds see.
//! Customers are served when control is gone and across a restart of this role: sandboxes are adopted, never restarted.
//! There is no async here: a node has few connections and many system calls, and threads say plainly who waits for what.

pub mod ca;
mod config;
pub mod doctor;
pub mod ground;
mod lines;
pub mod port;
mod register;
mod report;
mod routes;
pub mod runtime;
pub mod sandbox;
pub mod unpack;
pub mod volume;

pub use config::{Config, PoolSize};
pub use ground::Ground;
