//! The staff's pages. A page is an `async fn(&Ask) -> Result<Reply, Refusal>` and a line in the table here.

mod accounts;
mod agreements;
mod case;
mod cases;
mod complaints;
mod evidence;
mod health;
mod nodes;
mod proofs;
mod rescues;
mod solutions;
mod strays;
mod targets;

use crate::ask::Ask;
use crate::pages::{mail_links, mailbox, rescue, security, session};
use crate::routes::Page;
use crate::routes::Reach::Session;
use crate::routes::{get, post};
use crate::ui::icon::Icon;
use crate::ui::shell::{Entry, Group};
use husorden_base::Refusal;
use husorden_wire::api;

/// What only staff may read, asked before pages whose own reading an account may do too: its session is refused here.
async fn staff_only(ask: &Ask) -> Result<(), Refusal> {
    let _: api::Page<api::Node> = ask.api.get("/v1/nodes").await?;
    Ok(())
}

/// Every page of the staff's origin.
pub(crate) fn table() -> Vec<Page> {
    let own = vec![
        get("/", Session, nodes::show),
        post("/builds", Session, nodes::build),
        get("/strays/{stray}/take", Session, strays::take_page),
        post("/strays/{stray}/take", Session, strays::take),
        get("/accounts", Session, accounts::list),
        get("/accounts/{account}", Session, accounts::show),
        get("/solutions", Session, solutions::list),
        get("/evidence", Session, evidence::show),
        get("/evidence/export", Session, evidence::export),
        get("/health", Session, health::show),
        get("/proofs", Session, proofs::show),
        get("/targets", Session, targets::list),
        get("/targets/new", Session, targets::new_page),
        post("/targets/new", Session, targets::create),
        get("/targets/{target}", Session, targets::change_page),
        post("/targets/{target}", Session, targets::change),
        get("/targets/{target}/retire", Session, targets::retire_page),
        post("/targets/{target}/retire", Session, targets::retire),
        get("/rescues", Session, rescues::list),
        get("/rescues/{rescue}", Session, rescues::show),
        post("/rescues/{rescue}", Session, rescues::check),
        get("/complaints", Session, complaints::list),
        get("/agreements", Session, agreements::list),
        get("/agreements/{agreement}", Session, agreements::show),
        post("/agreements/{agreement}/decide", Session, agreements::decide),
        post("/agreements/{agreement}/end", Session, agreements::end),
        get("/cases", Session, cases::list),
        get("/cases/open", Session, cases::open_page),
        post("/cases/open", Session, cases::open),
        get("/cases/{case}", Session, case::show),
        post("/cases/{case}/notes", Session, case::note),
        get("/cases/{case}/decide", Session, case::decide::page),
        post("/cases/{case}/decide", Session, case::decide::send),
        get("/cases/{case}/lift/{measure}", Session, case::act::lift_page),
        post("/cases/{case}/lift/{measure}", Session, case::act::lift),
        get("/cases/{case}/answer/{complaint}", Session, case::act::answer_page),
        post("/cases/{case}/answer/{complaint}", Session, case::act::answer),
        get("/cases/{case}/close", Session, case::act::close_page),
        post("/cases/{case}/close", Session, case::act::close),
    ];
    [session::table(), mail_links::table(), rescue::table(), mailbox::table(), security::table(), own]
        .into_iter()
        .flatten()
        .collect()
}

/// What the navigation of the staff's origin holds.
pub(crate) fn navigation() -> Vec<Group> {
    let entry = |icon, path, da, en| Entry { icon, path, da, en };
    vec![
        (
            "Husorden",
            "House rules",
            vec![
                entry(Icon::Scale, "/cases", "Sager", "Cases"),
                entry(Icon::Bell, "/complaints", "Klager", "Complaints"),
                entry(Icon::Receipt, "/agreements", "Aftaler", "Agreements"),
            ],
        ),
        (
            "Kunder",
            "Customers",
            vec![
                entry(Icon::People, "/accounts", "Konti", "Accounts"),
                entry(Icon::Layers, "/solutions", "Løsninger", "Solutions"),
                entry(Icon::Key, "/rescues", "Tabte totrin", "Lost factors"),
            ],
        ),
        (
            "Drift",
            "Operations",
            vec![
                entry(Icon::Server, "/", "Noder", "Nodes"),
                entry(Icon::Shield, "/proofs", "Prøvede backupper", "Proven backups"),
                entry(Icon::Box, "/targets", "Backupmål", "Backup targets"),
                entry(Icon::Heart, "/health", "Tilstand", "Health"),
                entry(Icon::File, "/evidence", "Log", "Log"),
            ],
        ),
    ]
}
