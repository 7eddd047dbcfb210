//! The staff's pages. A page is an `async fn(&Ask) -> Result<Reply, Refusal>` and a line in the table here.

mod case;
mod cases;
mod nodes;

use crate::pages::{mail_links, security, session};
use crate::routes::Page;
use crate::routes::Reach::Session;
use crate::routes::{get, post};
use crate::ui::icon::Icon;
use crate::ui::shell::{Entry, Group};

/// Every page of the staff's origin.
pub(crate) fn table() -> Vec<Page> {
    let own = vec![
        get("/", Session, nodes::show),
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
    [session::table(), mail_links::table(), security::table(), own].into_iter().flatten().collect()
}

/// What the navigation of the staff's origin holds.
pub(crate) fn navigation() -> Vec<Group> {
    vec![
        ("Husorden", "House rules", vec![Entry { icon: Icon::Scale, path: "/cases", da: "Sager", en: "Cases" }]),
        ("Drift", "Operations", vec![Entry { icon: Icon::Server, path: "/", da: "Noder", en: "Nodes" }]),
    ]
}
