//! The customers' pages. A page is an `async fn(&Ask) -> Result<Reply, Refusal>` and a line in a table here or beside it.

mod account;
mod billing;
mod create;
mod decisions;
pub(crate) mod evidence;
mod firewall;
mod left;
pub(crate) mod mail_links;
pub(crate) mod mailbox;
mod members;
mod networks;
mod notifications;
pub(crate) mod overview;
pub(crate) mod proofs;
pub(crate) mod rescue;
mod rules;
pub(crate) mod security;
pub(crate) mod session;
pub(crate) mod solution;
mod tokens;

use crate::routes::Page;
use crate::routes::Reach::{Anybody, Begun, Session};
use crate::routes::{get, post};

/// Where the certificate of the installation's own authority is had.
pub(crate) const AUTHORITY: &str = "/ca.pem";

/// Every page of the customers' origin.
pub(crate) fn table() -> Vec<Page> {
    let own = vec![
        get("/", Session, overview::show),
        get("/create", Session, create::offers),
        get("/create/{kind}", Session, create::page),
        post("/create/{kind}", Session, create::create),
        get("/decisions", Session, decisions::list),
        get("/decisions/{measure}", Session, decisions::show),
        post("/decisions/{measure}/complaints", Session, decisions::complain),
        get("/evidence", Session, evidence::show),
        get("/evidence/export", Session, evidence::export),
        get(AUTHORITY, Anybody, solution::connect::authority),
        get("/networks", Session, networks::list),
        post("/networks", Session, networks::create),
        get("/networks/{network}", Session, networks::show),
        post("/networks/{network}/rename", Session, networks::rename),
        post("/networks/{network}/join", Session, networks::join),
        get("/networks/{network}/leave/{solution}", Session, networks::leave_page),
        post("/networks/{network}/leave/{solution}", Session, networks::leave),
        get("/networks/{network}/delete", Session, networks::delete_page),
        post("/networks/{network}/delete", Session, networks::delete),
        get("/proofs", Session, proofs::show),
        get("/rules", Anybody, rules::show),
        get("/rules/versions", Anybody, rules::versions),
        get("/rules/versions/{version}", Anybody, rules::version),
        get("/rules/accept", Begun, rules::accept_page),
        post("/rules/accept", Begun, rules::accept),
        get("/tokens", Session, tokens::list),
        post("/tokens", Session, tokens::create),
        get("/tokens/{token}/revoke", Session, tokens::revoke_page),
        post("/tokens/{token}/revoke", Session, tokens::revoke),
        get("/notifications", Session, notifications::show),
        post("/notifications", Session, notifications::choose),
        get("/account", Session, account::show),
        post("/account", Session, account::change),
    ];
    [
        session::table(),
        mail_links::table(),
        rescue::table(),
        mailbox::table(),
        security::table(),
        members::table(),
        billing::table(),
        solution::table(),
        firewall::table(),
        own,
    ]
    .into_iter()
    .flatten()
    .collect()
}
