//! Control on a real PostgreSQL: doors, API, node link, jobs.

#![allow(clippy::unwrap_used, missing_docs, unreachable_pub, reason = "tests")]

mod access;
mod api;
mod attachments;
mod backups;
mod breach;
mod browsing;
mod cases;
mod cluster;
mod copy;
mod doors;
mod erasures;
mod evidence;
mod filling;
mod gated;
mod house;
mod identity;
mod jobs;
mod limits;
mod link;
mod mailbox;
mod mailboxes;
mod mails;
mod members;
mod money;
mod names;
mod node;
mod notify;
mod people;
mod private;
mod proposals;
mod proving;
mod rescues;
mod rules;
mod schema;
mod seen;
mod sessions;
mod tamper;
mod target_side;
mod tenancy;
mod tiny;
mod vault;
mod waiting;
mod walk;
mod wire;
