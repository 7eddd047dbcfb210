//! The customers' pages. A page is an `async fn(&Ask) -> Result<Reply, Refusal>` and a line in the table here.

mod overview;
pub(crate) mod session;

use crate::routes::Reach::Session;
use crate::routes::{Page, get};

/// Every page of the customers' origin.
pub(crate) fn table() -> Vec<Page> {
    let mut table = session::table();
    table.extend([get("/", Session, overview::show)]);
    table
}
