//! The staff's pages. A page is an `async fn(&Ask) -> Result<Reply, Refusal>` and a line in the table here.

mod nodes;

use crate::pages::{mail_links, security, session};
use crate::routes::Page;
use crate::routes::Reach::Session;
use crate::routes::get;
use crate::ui::icon::Icon;
use crate::ui::shell::{Entry, Group};

/// Every page of the staff's origin.
pub(crate) fn table() -> Vec<Page> {
    let own = vec![get("/", Session, nodes::show)];
    [session::table(), mail_links::table(), security::table(), own].into_iter().flatten().collect()
}

/// What the navigation of the staff's origin holds.
pub(crate) fn navigation() -> Vec<Group> {
    vec![("Drift", "Operations", vec![Entry { icon: Icon::Server, path: "/", da: "Noder", en: "Nodes" }])]
}
