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
use maud::html;

/// Lines of a page.
const LINES: &str = "50";

pub(crate) async fn show(ask: &Ask) -> Result<Reply, Refusal> {
    super::staff_only(ask).await?;
    let mut query = Form::default();
    for name in ["q", "after", "account", "solution"] {
        query.add(name, ask.query.text(name));
    }
    query.add("order", "newest");
    query.add("limit", LINES);
    let page: api::Page<api::Evidence> = ask.api.get(&format!("/v1/evidence?{}", query.query())).await?;
    let first = ask.query.text("after").is_empty();
    let l = ask.l;
    let title = l.t("Log", "Log");
    let lead = l.t(
        "Alt, hvad nogen har gjort i huset, også dig. Ingen linje kan ændres eller fjernes.",
        "Everything that anybody has done in the house, you too. No line can be changed or taken away.",
    );
    Ok(ask.sheet(title).show(html! {
        (ui::head(None, title, lead, html! {}))
        (ui::search(ask, l.t("Søg i loggen", "Search the log"), html! {}))
        section class="card" {
            @if page.items.is_empty() {
                (ui::empty(Icon::File, l.t("Intet passer", "Nothing fits"), l.t("Prøv et andet ord.", "Try another word."), html! {}))
            } @else {
                div class="table" { table class="stacks" {
                    thead { tr { th scope="col" { (l.t("Hvad", "What")) } th scope="col" { (l.t("Hvem", "Who")) } th scope="col" { (l.t("Konto", "Account")) } th scope="col" { (l.t("Detaljer", "Details")) } th scope="col" class="end" { (l.t("Hvornår", "When")) } } }
                    tbody { @for line in &page.items { tr {
                        td { code { (line.act) } }
                        td data-label=(l.t("Hvem", "Who")) { span { (who(ask, &line.who)) span class="sub" { (line.who) } } }
                        td data-label=(l.t("Konto", "Account")) { @if let Some(account) = &line.account { a href={ "/accounts/" (segment(account)) } { (l.t("Se kontoen", "See the account")) } } @else { span class="faint" { "–" } } }
                        td class="whole soft" { (details(&line.before)) }
                        td data-label=(l.t("Hvornår", "When")) class="end soft nowrap" { (ask.reader.at(line.begun)) }
                    } } }
                } }
                (ui::pager(ask, "after", first, page.next.as_deref()))
            }
        }
    }))
}
