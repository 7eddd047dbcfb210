//! The customers' pages. A page is an `async fn(&Ask) -> Result<Reply, Refusal>` and a line in the table here.

mod create;
mod overview;
pub(crate) mod session;
mod solution;

use crate::routes::Reach::Session;
use crate::routes::{Page, get, post};

/// Every page of the customers' origin.
pub(crate) fn table() -> Vec<Page> {
    let mut table = session::table();
    table.extend([
        get("/", Session, overview::show),
        get("/create", Session, create::offers),
        get("/create/{kind}", Session, create::page),
        post("/create/{kind}", Session, create::create),
    ]);
    table.extend(solution::table());
    table
}
