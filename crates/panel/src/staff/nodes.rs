//! The nodes: which are there, and whether they are heard.

use crate::ask::{Ask, Reply};
use crate::say::Say;
use crate::ui::icon::Icon;
use crate::ui::{self, Tone};
use husorden_base::Refusal;
use husorden_wire::api;
use maud::html;

pub(crate) async fn show(ask: &Ask) -> Result<Reply, Refusal> {
    let l = ask.l;
    let page: api::Page<api::Node> = ask.api.get("/v1/nodes").await?;
    let title = l.t("Noder", "Nodes");
    Ok(ask.sheet(title).live("/live").show(html! {
        (ui::head(None, title, "", html! {}))
        section class="card" id="nodes" data-live {
            @if page.items.is_empty() {
                (ui::empty(Icon::Server, l.t("Ingen noder", "No nodes"), l.t("En node melder sig, når den startes.", "A node reports when it is started."), html! {}))
            } @else {
                div class="table" { table class="stacks" {
                    thead { tr { th scope="col" { (l.t("Navn", "Name")) } th scope="col" { (l.t("Tilstand", "State")) } th scope="col" class="end" { (l.t("Hørt", "Heard")) } } }
                    tbody { @for node in &page.items { tr {
                        td { span class="main" { (node.name) } }
                        td data-label=(l.t("Tilstand", "State")) {
                            @if node.connected { (ui::badge(Tone::Good, l.t("Forbundet", "Connected"))) } @else { (ui::badge(Tone::Bad, l.t("Ikke forbundet", "Not connected"))) }
                        }
                        td data-label=(l.t("Hørt", "Heard")) class="end soft" { @if let Some(heard) = node.heard { (ask.reader.ago(heard)) } @else { "–" } }
                    } } }
                } }
            }
        }
    }))
}
