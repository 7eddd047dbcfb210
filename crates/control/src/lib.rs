//! The API, the house rules' register and the assignment of solutions to nodes.
//!
//! Control is unprivileged and holds no state of its own: everything is in PostgreSQL, behind three doors ([`doors`]). It
//! never names a kind: the list of kinds is a parameter. [`routes`] is the one table of the API; [`nodes`] speaks with the
//! nodes; [`jobs`] does what was promised in a transaction; [`events`] wakes whoever waits for a change.

pub mod bootstrap;
pub mod config;
mod console;
mod copy;
pub mod doors;
pub mod embedded;
pub mod fault;
pub mod platform;
pub mod routes;

mod account;
mod agreement;
mod alarm;
mod answer;
mod app;
mod attachment;
mod backup;
mod bucket;
mod caller;
mod case;
mod credential;
mod events;
mod evidence;
mod figure;
mod firewall;
mod form;
mod gate;
mod gives;
mod grant;
mod health;
mod http;
mod identity;
mod jobs;
mod journal;
mod licence;
mod login;
mod merge;
mod metrics;
mod money;
mod network;
mod nodes;
mod notify;
mod openapi;
mod order;
mod outside;
mod own_image;
mod passphrase;
mod proposal;
mod public;
mod rebuild;
mod rights;
mod rules;
mod server;
mod snapshot_schedule;
mod solution;
mod spool;
mod state;
mod store;
mod stray;
mod stream;
mod texts;
mod token;
mod undo;
mod update;
mod vault;
mod visitor;

pub use app::{App, Kinds};
pub use config::{Config, Database, Identity, Limits, MailTls, MailWay, Notify, Vault};
pub use evidence::{BadTarget, SignError};
pub use gate::without_credential;
pub use server::{Running, StartError, start};
pub use visitor::Visitor;
