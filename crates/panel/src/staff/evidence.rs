//! Evidence of the whole house, as staff search it.

use crate::api::segment;
use crate::ask::{Ask, Reply};
use crate::form::Form;
use crate::pages::evidence::{details, who};
use crate::say::Say;
use crate::ui;
use crate::ui::icon::Icon;
use husorden_base::Refusal;
use husorden_wire::api;
use maud::{Markup, html};

/// Lines of a page.
const LINES: &str = "50";

pub(crate) async fn show(ask: &Ask) -> Result<Reply, Refusal> {
    super::staff_only(ask).await?;
    let mut query = Form::default();
    for name in ["q", "act", "who", "from", "to", "after", "account", "solution"] {
        query.add(name, ask.query.text(name));
    }
    query.add("order", "newest");
    query.add("limit", LINES);
    let page: api::Page<api::Evidence> = ask.api.get(&format!("/v1/evidence?{}", query.query())).await?;
    let first = ask.query.text("after").is_empty();
    let l = ask.l;
    let title = l.t("Log", "Log");
    let narrowed = ["act", "who", "from", "to"].iter().any(|name| !ask.query.text(name).is_empty());
    let export = html! {
        a class="button" href=(export_path(ask, "csv")) { (l.t("Hent som tabel", "Get as a table")) }
        a class="button" href=(export_path(ask, "jsonl")) { (l.t("Hent med beviser", "Get with proofs")) }
    };
    let lead = l.t(
        "Alt, hvad nogen har gjort i huset, også dig. Ingen linje kan ændres eller fjernes.",
        "Everything that anybody has done in the house, you too. No line can be changed or taken away.",
    );
    Ok(ask.sheet(title).show(html! {
        (ui::head(None, title, lead, export))
        (ui::search(ask, l.t("Søg i loggen", "Search the log"), narrow(ask, narrowed)))
        section class="card" {
            @if page.items.is_empty() {
                (ui::empty(Icon::File, l.t("Intet passer", "Nothing fits"), l.t("Prøv et andet ord.", "Try another word."), html! {}))
            } @else {
                div class="table" { table class="stacks" {
                    thead { tr { th scope="col" { (l.t("Hvad", "What")) } th scope="col" { (l.t("Hvem", "Who")) } th scope="col" { (l.t("Konto", "Account")) } th scope="col" { (l.t("Detaljer", "Details")) } th scope="col" class="end" { (l.t("Hvornår", "When")) } } }
                    tbody { @for line in &page.items { tr {
                        td { code { (line.act) } }
                        td data-label=(l.t("Hvem", "Who")) { span { (who(ask, &line.who)) span class="sub" { (line.who_is.as_ref().map_or_else(|| line.who.clone(), |whom| whom.words(l))) } } }
                        td data-label=(l.t("Konto", "Account")) class="nowrap" { @if let Some(account) = &line.account { a href={ "/accounts/" (segment(account)) } { (l.t("Se kontoen", "See the account")) } } @else { span class="faint" { "–" } } }
                        td class="whole soft" { (details(&line.before)) }
                        td data-label=(l.t("Hvornår", "When")) class="end soft nowrap" { (ask.reader.at(line.begun)) }
                    } } }
                } }
                (ui::pager(ask, "after", first, page.next.as_deref()))
            }
        }
    }))
}

/// The fields that narrow the search.
fn narrow(ask: &Ask, open: bool) -> Markup {
    let l = ask.l;
    let field = |name: &'static str, label: &'static str, kind: &'static str, hint: &'static str| {
        html! {
            label class="small" { span { (label) } input type=(kind) name=(name) value=(ask.query.text(name)) placeholder=(hint) maxlength="100"; }
        }
    };
    html! {
        details class="narrow" open[open] {
            summary { (l.t("Afgræns", "Narrow")) }
            div class="narrowing" {
                (field("act", l.t("Handling", "Act"), "text", "measure"))
                (field("who", l.t("Hvem", "Who"), "text", "staff"))
                (field("from", l.t("Fra", "From"), "date", ""))
                (field("to", l.t("Til", "To"), "date", ""))
            }
        }
        @for name in ["account", "solution"] { @if !ask.query.text(name).is_empty() { input type="hidden" name=(name) value=(ask.query.text(name)); } }
    }
}

/// Where the file is had: everything, or one account's when the page is about one.
fn export_path(ask: &Ask, format: &str) -> String {
    let mut query = Form::default();
    query.add("format", format);
    query.add("account", ask.query.text("account"));
    format!("/evidence/export?{}", query.query())
}

/// The log as a file: a table for people, or lines with proofs for `husorden evidence verify`.
pub(crate) async fn export(ask: &Ask) -> Result<Reply, Refusal> {
    super::staff_only(ask).await?;
    let mut query = Form::default();
    for name in ["format", "account"] {
        query.add(name, ask.query.text(name));
    }
    Ok(Reply::raw(ask.api.file(&format!("/v1/evidence/export?{}", query.query())).await?))
}
