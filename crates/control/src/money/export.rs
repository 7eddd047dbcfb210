//! Exports as CSV (RFC 4180), in UTF-8. A text that a spreadsheet would take for a formula is made plain by an apostrophe.

use crate::app::App;
use crate::caller::Caller;
use crate::fault::Fault;
use crate::store;
use axum::response::{IntoResponse, Response};
use csv::{Terminator, WriterBuilder};
use http::header;
use husorden_base::{AccountId, Refusal, Text};

/// Most rows of one export.
const ROWS_MAX: usize = 100_000;
/// Rows read at once.
const BATCH: i64 = 1_000;

/// A cell: what people or programs wrote, or a number of ours.
enum Cell {
    Text(String),
    Number(String),
}

impl Cell {
    fn safe(self) -> String {
        match self {
            Self::Number(number) => number,
            Self::Text(text) if text.starts_with(['=', '+', '-', '@', '\t', '\r', '\n']) => format!("'{text}"),
            Self::Text(text) => text,
        }
    }
}

/// The ledger, a row for each posting.
pub(crate) async fn ledger(app: &App, caller: &Caller, account: Option<AccountId>) -> Result<Response, Fault> {
    let mut rows = Vec::new();
    let mut after = 0;
    loop {
        let mut tx = caller.read(app).await?;
        let entries = store::money::ledger(tx.conn(), account, after, BATCH).await?;
        let Some(last) = entries.last() else { break };
        after = i64::try_from(last.id).unwrap_or(i64::MAX);
        for entry in entries {
            for posting in entry.postings {
                rows.push(vec![
                    Cell::Number(entry.id.to_string()),
                    Cell::Text(entry.at.to_string()),
                    Cell::Text(entry.kind.clone()),
                    Cell::Text(entry.account.clone()),
                    Cell::Text(entry.subscription.clone().unwrap_or_default()),
                    Cell::Number(entry.period.map(|number| number.to_string()).unwrap_or_default()),
                    Cell::Text(posting.ledger),
                    Cell::Number(posting.amount.decimal()),
                    Cell::Text(posting.amount.currency.to_string()),
                    Cell::Text(entry.text.clone()),
                    Cell::Text(entry.by.clone()),
                ]);
            }
        }
        refuse_long(rows.len())?;
    }
    let head =
        ["entry", "at", "kind", "account", "subscription", "period", "ledger", "amount", "currency", "text", "by"];
    answer("ledger.csv", &head, rows)
}

/// Subscriptions with their newest period.
pub(crate) async fn subscriptions(app: &App, caller: &Caller, account: Option<AccountId>) -> Result<Response, Fault> {
    let mut rows = Vec::new();
    let mut after = None;
    loop {
        let mut tx = caller.read(app).await?;
        let page = store::money::subscriptions(tx.conn(), account, after, BATCH).await?;
        let Some(last) = page.last() else { break };
        after = Some(last.id);
        for row in page {
            let one = super::subscription::shown(row);
            rows.push(vec![
                Cell::Text(one.id),
                Cell::Text(one.account),
                Cell::Text(one.plan),
                Cell::Number(one.quantity.to_string()),
                Cell::Text(one.state),
                Cell::Text(one.renews.to_string()),
                Cell::Text(one.started.to_string()),
                Cell::Text(one.ended.map(|at| at.to_string()).unwrap_or_default()),
                Cell::Text(one.ending.unwrap_or_default()),
                Cell::Number(one.period.number.to_string()),
                Cell::Text(one.period.starts.to_string()),
                Cell::Text(one.period.ends.to_string()),
                Cell::Number(one.period.net.decimal()),
                Cell::Number(one.period.vat.decimal()),
                Cell::Text(one.period.net.currency.to_string()),
            ]);
        }
        refuse_long(rows.len())?;
    }
    let head = [
        "subscription",
        "account",
        "plan",
        "quantity",
        "state",
        "renews",
        "started",
        "ended",
        "ending",
        "period",
        "starts",
        "ends",
        "net",
        "vat",
        "currency",
    ];
    answer("subscriptions.csv", &head, rows)
}

fn refuse_long(rows: usize) -> Result<(), Refusal> {
    if rows <= ROWS_MAX {
        return Ok(());
    }
    Err(Refusal::new(
        "export-too-long",
        422,
        Text::new("Udtrækket er for langt", "The export is too long"),
        Text::new("Tag en konto ad gangen med ?account=.", "Take one account at a time with ?account=."),
    )
    .with_limit(format!("{rows} rows"), format!("{ROWS_MAX} rows")))
}

fn answer(name: &'static str, head: &[&str], rows: Vec<Vec<Cell>>) -> Result<Response, Fault> {
    let text = written(head, rows).map_err(|error| Fault::broken("writing an export")(error))?;
    let headers = [
        (header::CONTENT_TYPE, "text/csv; charset=utf-8; header=present".to_owned()),
        (header::CONTENT_DISPOSITION, format!("attachment; filename=\"{name}\"")),
        (header::CACHE_CONTROL, "no-store".to_owned()),
    ];
    Ok((headers, text).into_response())
}

fn written(head: &[&str], rows: Vec<Vec<Cell>>) -> Result<Vec<u8>, Box<dyn std::error::Error + Send + Sync>> {
    let mut writer = WriterBuilder::new().terminator(Terminator::CRLF).from_writer(Vec::new());
    writer.write_record(head)?;
    for row in rows {
        writer.write_record(row.into_iter().map(Cell::safe))?;
    }
    Ok(writer.into_inner()?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_looks_like_a_formula_is_plain_and_quotes_are_doubled() {
        let text = |text: &str| Cell::Text(text.to_owned());
        let rows = vec![
            vec![text("=1+1"), Cell::Number("-12.50".to_owned())],
            vec![text("a \"b\", c"), text("two\r\nlines")],
            vec![text("@x"), text("-y")],
            vec![text("æøå"), text("")],
        ];
        let got = String::from_utf8(written(&["one", "two"], rows).expect("it is written")).expect("UTF-8");
        assert_eq!(got, "one,two\r\n'=1+1,-12.50\r\n\"a \"\"b\"\", c\",\"two\r\nlines\"\r\n'@x,'-y\r\næøå,\r\n");
    }
}
