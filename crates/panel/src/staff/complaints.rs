//! Complaints: those that wait first, the oldest at the top; then those that were answered.

use super::case::outcome;
use crate::api::segment;
use crate::ask::{Ask, Reply};
use crate::form::Form;
use crate::say::Say;
use crate::ui;
use crate::ui::icon::Icon;
use husorden_base::Refusal;
use husorden_wire::api;
use maud::{Markup, html};

pub(crate) async fn list(ask: &Ask) -> Result<Reply, Refusal> {
    super::staff_only(ask).await?;
    let waiting: api::Page<api::Complaint> = ask.api.get("/v1/complaints?state=waiting&limit=200").await?;
    let mut query = Form::default();
    query.add("after", ask.query.text("after"));
    query.add("limit", "100");
    let page: api::Page<api::Complaint> = ask.api.get(&format!("/v1/complaints?{}", query.query())).await?;
    let waits: Vec<&api::Complaint> = waiting.items.iter().collect();
    let answered: Vec<&api::Complaint> = page.items.iter().filter(|complaint| complaint.outcome.is_some()).collect();
    let first = ask.query.text("after").is_empty();
    let l = ask.l;
    let title = l.t("Klager", "Complaints");
    Ok(ask.sheet(title).live("/live").show(html! {
        (ui::head(None, title, "", html! {}))
        div id="waiting" data-live {
            (ui::card_flush(l.t("Venter på svar", "Wait for an answer"), html! {}, html! {
                @if waits.is_empty() { (ui::empty(Icon::Check, l.t("Ingen klager venter", "No complaints wait"), l.t("Alle, der har klaget, har fået svar.", "Everybody who complained has an answer."), html! {})) }
                @else { (table(ask, &waits)) }
            }))
        }
        @if !answered.is_empty() || page.next.is_some() || !first {
            (ui::card_flush(l.t("Besvarede", "Answered"), html! {}, html! {
                @if !answered.is_empty() { (table(ask, &answered)) }
                (ui::pager(ask, "after", first, page.next.as_deref()))
            }))
        }
    }))
}

fn table(ask: &Ask, complaints: &[&api::Complaint]) -> Markup {
    let l = ask.l;
    html! {
        div class="table" { table class="stacks" {
            thead { tr { th scope="col" { (l.t("Sag", "Case")) } th scope="col" { (l.t("Klage", "Complaint")) } th scope="col" { (l.t("Tilstand", "State")) } th scope="col" class="end" { (l.t("Sendt", "Sent")) } } }
            tbody { @for complaint in complaints { tr {
                td class="nowrap" { a class="main" href={ "/cases/" (segment(&complaint.case_number)) } { (complaint.case_number) } }
                td class="whole" { (complaint.text) }
                td data-label=(l.t("Tilstand", "State")) { (outcome(ask, complaint)) }
                td data-label=(l.t("Sendt", "Sent")) class="end soft nowrap" { (ask.reader.ago(complaint.made)) }
            } } }
        } }
    }
}
