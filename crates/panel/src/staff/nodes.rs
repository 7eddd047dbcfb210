//! The nodes: which are there, whether they are heard, how full their pools are, and what is built on each.

use super::strays;
use crate::ask::{Ask, Reply};
use crate::own_path::OwnPath;
use crate::say::Say;
use crate::ui::icon::Icon;
use crate::ui::{self, Tone, form};
use husorden_base::Refusal;
use husorden_wire::api;
use husorden_wire::api::Capability;
use husorden_wire::node::{Health, PoolHealth, RuntimeHealth};
use maud::{Markup, html};

pub(crate) async fn show(ask: &Ask) -> Result<Reply, Refusal> {
    let l = ask.l;
    let page: api::Page<api::Node> = ask.api.get("/v1/nodes").await?;
    let strays: api::Page<api::Stray> = ask.api.get("/v1/strays").await?;
    let title = l.t("Noder", "Nodes");
    let lead = l.t(
        "De maskiner, som kundernes løsninger ligger på: hvad de har plads til, og hvad der er bygget på dem.",
        "The machines that customers' solutions lie on: what they have room for, and what is built on them.",
    );
    Ok(ask.sheet(title).live("/live").show(html! {
        (ui::head(None, title, lead, html! {}))
        div class="stack" id="nodes" data-live {
            @if page.items.is_empty() {
                section class="card" {
                    (ui::empty(Icon::Server, l.t("Ingen noder", "No nodes"), l.t("En node melder sig, når den startes.", "A node reports when it is started."), html! {}))
                }
            }
            @for node in &page.items { (card(ask, node, &strays.items)) }
        }
    }))
}

fn card(ask: &Ask, node: &api::Node, strays: &[api::Stray]) -> Markup {
    let l = ask.l;
    // A node that was expected and has never reported says nothing of itself.
    let health = serde_json::from_value::<Health>(node.health.clone()).ok();
    let badge = if node.connected {
        ui::badge(Tone::Good, l.t("Forbundet", "Connected"))
    } else {
        ui::badge(Tone::Bad, l.t("Ikke forbundet", "Not connected"))
    };
    let heard = html! {
        span class="faint small" {
            @if let Some(heard) = node.heard { (l.t("Hørt ", "Heard ")) (ask.reader.ago(heard)) } @else { (l.t("Aldrig hørt", "Never heard")) }
        }
    };
    html! {
        section class="card" {
            div class="title" { h2 { (node.name) } div class="row" { (heard) (badge) } }
            @if let Some(health) = &health {
                div class="body split even" { (pool(ask, &health.pool)) (ui::facts(&facts(ask, health))) }
                (strays::of_node(ask, &node.name, strays))
                (held_back(ask, &node.held_back))
                (runtimes(ask, &node.name, &health.runtimes))
            } @else {
                div class="body" { p class="soft small" { (l.t("Noden har ikke sagt noget om sig selv endnu.", "The node has said nothing of itself yet.")) } }
            }
        }
    }
}

fn pool(ask: &Ask, pool: &PoolHealth) -> Markup {
    let l = ask.l;
    html! {
        div class="stack tight" {
            (ui::level(&ask.reader, l.t("Data i puljen", "Data in the pool"), pool.data_used, pool.data_total))
            (ui::level(&ask.reader, l.t("Metadata", "Metadata"), pool.meta_used, pool.meta_total))
            @if pool.errors > 0 {
                (ui::note(Tone::Bad, l.t("Disken har vist fejl", "The disk has shown errors"), html! { p { (l.f(|| format!("{} fejl siden den blev taget i brug.", pool.errors), || format!("{} errors since it was taken into use.", pool.errors))) } }))
            }
        }
    }
}

fn facts<'a>(ask: &Ask, health: &Health) -> Vec<(&'a str, Markup)> {
    let l = ask.l;
    let mut rows = vec![
        (l.t("Sandkasser, der kører", "Sandboxes that run"), html! { span class="num" { (health.sandboxes) } }),
        (
            l.t("Kanten", "The edge"),
            html! { @if health.edge_generation.is_some() { (ui::badge(Tone::Good, l.t("Forbundet", "Connected"))) } @else { (ui::badge(Tone::Bad, l.t("Ikke forbundet", "Not connected"))) } },
        ),
    ];
    if let Some(ends) = health.certificate_ends {
        rows.push((l.t("Første certifikat udløber", "First certificate ends"), ask.reader.at(ends)));
    }
    rows
}

/// Builds that did not hold, and for whom.
fn held_back(ask: &Ask, all: &[api::HeldBack]) -> Markup {
    let l = ask.l;
    html! {
        @for held in all {
            div class="body" {
                (ui::note(Tone::Warn, &l.f(
                    || format!("{} {} holdt ikke for {} {}", held.runtime, held.build, held.solutions, if held.solutions == 1 { "løsning" } else { "løsninger" }),
                    || format!("{} {} did not hold for {} {}", held.runtime, held.build, held.solutions, if held.solutions == 1 { "solution" } else { "solutions" }),
                ), html! {
                    p {
                        (l.t("Senest ", "Last ")) (ask.reader.ago(held.last)) ". "
                        (l.t("De kører videre på den forrige. Hvorfor, står ved hver løsning, med kontoens adgang: ", "They run on the one before. Why stands with each solution, under a grant of its account: "))
                        @for id in &held.newest { a href={ "/solutions?q=" (id) } { code { (id.get(..8).unwrap_or(id)) } } " " }
                    }
                }))
            }
        }
    }
}

/// Has a runtime built anew.
pub(crate) async fn build(ask: &Ask) -> Result<Reply, Refusal> {
    let wanted = api::BuildAsk { node: ask.form.text("node").to_owned(), runtime: ask.form.text("runtime").to_owned() };
    let _: api::Node = ask.api.post("/v1/builds", &wanted).await?;
    Ok(Reply::see(OwnPath::home()).saying(ask.l.t("Der bygges på ny.", "It is being built anew.")))
}

fn runtimes(ask: &Ask, node: &str, runtimes: &[RuntimeHealth]) -> Markup {
    let may = ask.may(Capability::NodeOperate);
    let l = ask.l;
    html! {
        @if !runtimes.is_empty() {
            div class="table" { table class="stacks" {
                thead { tr {
                    th scope="col" { (l.t("Motor eller program", "Runtime or app")) }
                    th scope="col" { (l.t("Tilstand", "State")) }
                    th scope="col" { (l.t("Bygget af", "Built from")) }
                    th scope="col" class="end" { (l.t("Udgave", "Build")) }
                    @if may { th scope="col" { span class="unseen" { (l.t("Handlinger", "Actions")) } } }
                } }
                tbody { @for runtime in runtimes { tr {
                    td class="nowrap" { span class="main" { (runtime.name) } }
                    td data-label=(l.t("Tilstand", "State")) { span { (state(ask, &runtime.state)) @if !runtime.text.is_empty() { span class="sub" { (runtime.text) } } } }
                    td class="whole soft small" data-label=(l.t("Bygget af", "Built from")) { (packages(runtime)) }
                    td data-label=(l.t("Udgave", "Build")) class="end nowrap" { @if let Some(build) = &runtime.build { code { (build) } } @else { span class="faint" { "–" } } }
                    @if may { td class="end" {
                        @if runtime.state != "building" && !runtime.image.as_ref().is_some_and(|image| image.imported) {
                            form method="post" action="/builds" class="inline" {
                                (form::token(ask))
                                input type="hidden" name="node" value=(node);
                                input type="hidden" name="runtime" value=(runtime.name);
                                button class="button small" { (l.t("Byg på ny", "Build anew")) span class="unseen" { " " (runtime.name) } }
                            }
                        }
                    } }
                } } }
            } }
        }
    }
}

/// Packages with their versions, in one line.
fn packages(runtime: &RuntimeHealth) -> String {
    let packages: Vec<String> = runtime.packages.iter().map(|(name, version)| format!("{name} {version}")).collect();
    if packages.is_empty() { "–".to_owned() } else { packages.join(" · ") }
}

fn state(ask: &Ask, word: &str) -> Markup {
    let l = ask.l;
    match word {
        "ready" => ui::badge(Tone::Good, l.t("Klar", "Ready")),
        "building" => ui::badge(Tone::Busy, l.t("Bygges", "Being built")),
        "failed" => ui::badge(Tone::Bad, l.t("Mislykkedes", "Failed")),
        _ => ui::badge(Tone::Plain, l.t("Ikke bygget", "Not built")),
    }
}
