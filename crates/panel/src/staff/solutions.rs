//! Every solution of the house, with whose it is and how it stands.

use crate::api::segment;
use crate::ask::{Ask, Reply};
use crate::form::Form;
use crate::pages::overview::{kind_title, state};
use crate::say::Say;
use crate::ui;
use crate::ui::icon::Icon;
use husorden_base::Refusal;
use husorden_wire::api;
use husorden_wire::api::Capability;
use maud::{Markup, html};

/// Lines of a page.
const LINES: &str = "50";

pub(crate) async fn list(ask: &Ask) -> Result<Reply, Refusal> {
    super::staff_only(ask).await?;
    let mut query = Form::default();
    for name in ["q", "after", "state"] {
        query.add(name, ask.query.text(name));
    }
    query.add("limit", LINES);
    let page: api::Page<api::Solution> = ask.api.get(&format!("/v1/solutions?{}", query.query())).await?;
    let first = ask.query.text("after").is_empty();
    let l = ask.l;
    let title = l.t("Løsninger", "Solutions");
    let states = [
        ("", l.t("Alle", "All")),
        ("running", l.t("I drift", "Running")),
        ("working", l.t("Arbejder", "Working")),
        ("trouble", l.t("Problem", "Trouble")),
        ("closed", l.t("Lukket", "Closed")),
        ("stopped", l.t("Stoppet", "Stopped")),
        ("deleting", l.t("Slettet, kan fortrydes", "Deleted, can be undone")),
        ("unknown", l.t("Ukendt", "Unknown")),
    ];
    let filter = html! {
        select name="state" aria-label=(l.t("Tilstand", "State")) {
            @for (value, text) in states { option value=(value) selected[value == ask.query.text("state")] { (text) } }
        }
    };
    Ok(ask.sheet(title).live("/live").show(html! {
        (ui::head(None, title, "", html! {}))
        (ui::search(ask, l.t("Søg efter navn", "Search by name"), filter))
        section class="card" id="solutions" data-live {
            @if page.items.is_empty() {
                (ui::empty(Icon::Layers, l.t("Ingen løsninger", "No solutions"), l.t("Ingen løsning passer.", "No solution fits."), html! {}))
            } @else {
                (table(ask, &page.items, true))
                (ui::pager(ask, "after", first, page.next.as_deref()))
            }
        }
    }))
}

/// Solutions in a table, with or without the column of whose they are.
pub(super) fn table(ask: &Ask, solutions: &[api::Solution], whose: bool) -> Markup {
    let l = ask.l;
    html! {
        div class="table" { table class="stacks" {
            thead { tr {
                th scope="col" { (l.t("Navn", "Name")) }
                @if whose { th scope="col" { (l.t("Konto", "Account")) } }
                th scope="col" { (l.t("Slags", "Kind")) }
                th scope="col" { (l.t("Tilstand", "State")) }
                th scope="col" class="end" { (l.t("Sag", "Case")) }
            } }
            tbody { @for one in solutions { tr {
                td { span class="main" { (one.name) } @if let Some(message) = &one.message { span class="sub" { (message) } } }
                @if whose {
                    td data-label=(l.t("Konto", "Account")) { a href={ "/accounts/" (segment(&one.account)) } { (one.account_name) } }
                }
                td data-label=(l.t("Slags", "Kind")) { (kind_title(ask, &one.kind)) }
                td data-label=(l.t("Tilstand", "State")) { (state(ask, &one.state)) }
                td data-label=(l.t("Sag", "Case")) class="end" {
                    @if let Some(case) = &one.case { a href={ "/cases/" (segment(case)) } { (case) } }
                    @else if ask.may(Capability::CaseHandle) { a href={ "/cases/open?solution=" (segment(&one.id)) } { (l.t("Åbn en sag", "Open a case")) } }
                    @else { span class="faint" { "–" } }
                }
            } } }
        } }
    }
}
