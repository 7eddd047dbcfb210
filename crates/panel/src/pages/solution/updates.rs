//! What a solution runs on, what newer there is, when it may be updated by itself, and how its updates ended.

use super::shapes::{frame, kind, may_change, path, read};
use crate::api::{Nothing, segment};
use crate::ask::{Ask, Reply};
use crate::form::Form;
use crate::own_path::OwnPath;
use crate::say::Say;
use crate::ui::icon::Icon;
use crate::ui::places::settings;
use crate::ui::spec::{ROOT, SpecForm, fill, patch, read as read_spec};
use crate::ui::{self, Tone, Wrong, form};
use husorden_base::Refusal;
use husorden_kinds::window::{FIELD, PLACE};
use husorden_wire::api;
use maud::{Markup, html};
use serde_json::{Value, json};
use std::collections::BTreeMap;

pub(super) async fn show(ask: &Ask) -> Result<Reply, Refusal> {
    let one = read(ask).await?;
    let mut typed = Form::default();
    fill(&mut typed, &settings(&kind(ask, &one)?.schema(), PLACE), &one.spec, ROOT);
    typed.set("_generation", one.generation.to_string());
    page(ask, &one, &typed, &Wrong::none(ask)).await
}

async fn page(ask: &Ask, one: &api::Solution, typed: &Form, wrong: &Wrong) -> Result<Reply, Refusal> {
    let at = format!("/v1/solutions/{}", segment(&one.id));
    let updates: api::Updates = ask.api.get(&format!("{at}/updates")).await?;
    let l = ask.l;
    let schema = settings(&kind(ask, one)?.schema(), PLACE);
    let spec = SpecForm { ask, schema: &schema, held: &one.spec, first: &Value::Null, typed, wrong };
    Ok(frame(
        ask,
        one,
        html! {
            div id="updates" data-live class="stack" {
                (runs(ask, one, &updates))
            }
            (wrong.summary(ask))
            form method="post" action={ (path(one)) "/updates/window" } {
                (form::token(ask))
                input type="hidden" name="_generation" value=(typed.text("_generation"));
                section class="card" {
                    div class="title" {
                        h2 { (l.t("Servicevindue", "Maintenance window")) }
                        p { (next(ask, &updates.window)) }
                    }
                    div class="body fields" { (spec.inner(&schema, ROOT)) }
                    @if may_change(ask) {
                        div class="end" { button class="button primary" { (l.t("Gem ændringer", "Save changes")) } }
                    }
                }
            }
            (past(ask, &updates.past))
        },
    ))
}

/// What it runs on, with what newer there is.
fn runs(ask: &Ask, one: &api::Solution, updates: &api::Updates) -> Markup {
    let l = ask.l;
    let refused = |runs: &api::RunsOn, build: &str| runs.refused.as_ref().is_some_and(|refused| refused.build == build);
    let open = |runs: &api::RunsOn| runs.newer.as_ref().is_some_and(|newer| !refused(runs, &newer.build));
    let due = updates.runs.iter().any(open) && updates.under_way.is_none() && one.aim == "run";
    html! {
        section class="card" {
            div class="title" {
                h2 { (l.t("Det, den kører på", "What it runs on")) }
                @if due && may_change(ask) {
                    (ui::act(ask, &format!("{}/updates", path(one)), "primary small", Some(Icon::Play), l.t("Opdatér nu", "Update now")))
                }
                p { (l.t(
                    "En opdatering begynder med et øjebliksbillede og ender med en prøve. Holder den ikke, tages den gamle udgave i brug igen. Forbindelser venter imens nogle sekunder.",
                    "An update begins with a snapshot and ends with a probe. If that fails, the old build serves again. Connections wait some seconds meanwhile.",
                )) }
            }
            @if updates.runs.is_empty() {
                (ui::empty(Icon::Layers, l.t("Intet endnu", "Nothing yet"), l.t("Det står her, når løsningen er lavet.", "It stands here when the solution is made."), html! {}))
            } @else {
                div class="table" { table class="stacks" {
                    thead { tr {
                        th scope="col" { (l.t("Miljø", "Runtime")) }
                        th scope="col" { (l.t("Udgave", "Build")) }
                        th scope="col" { (l.t("Siden", "Since")) }
                        th scope="col" { (l.t("Nyere", "Newer")) }
                    } }
                    tbody {
                        @for each in &updates.runs {
                            tr {
                                td { code class="main" { (each.runtime) } }
                                td data-label=(l.t("Udgave", "Build")) { (versions(ask, &each.build, &each.packages)) }
                                td data-label=(l.t("Siden", "Since")) { (ask.reader.at(each.since)) }
                                td data-label=(l.t("Nyere", "Newer")) {
                                    @match &each.newer {
                                        None => span class="soft" { (l.t("Det nyeste", "The newest")) },
                                        Some(newer) => {
                                            (versions(ask, &newer.build, &newer.packages))
                                            @if refused(each, &newer.build) { " " (ui::badge(Tone::Warn, l.t("holdt ikke", "did not hold"))) }
                                        },
                                    }
                                }
                            }
                        }
                    }
                } }
            }
        }
    }
}

/// A build with the versions of what matters in it, folded away where they are many.
fn versions(ask: &Ask, build: &str, packages: &BTreeMap<String, String>) -> Markup {
    let l = ask.l;
    html! {
        code { (build) }
        @if !packages.is_empty() {
            details {
                summary class="small" { (packages.len()) " " (if packages.len() == 1 { l.t("pakke", "package") } else { l.t("pakker", "packages") }) }
                ul class="small" { @for (name, version) in packages { li { (name) " " span class="num" { (version) } } } }
            }
        }
    }
}

/// When it opens next.
fn next(ask: &Ask, window: &api::UpdateWindow) -> Markup {
    let l = ask.l;
    html! {
        @match (window.open, window.opens, window.closes) {
            (true, _, Some(closes)) => { (l.t("Åbent nu, til ", "Open now, until ")) (ask.reader.at(closes)) "." },
            (false, Some(opens), Some(closes)) => {
                (l.t("Næste gang: ", "Next: ")) (ask.reader.at(opens)) (l.t(" til ", " to ")) (ask.reader.at(closes)) "."
            },
            _ => { (window.start) " " (window.zone) },
        }
    }
}

fn past(ask: &Ask, past: &[api::UpdateEnded]) -> Markup {
    let l = ask.l;
    html! {
        @if !past.is_empty() {
            section class="card" id="past" data-live {
                div class="title" { h2 { (l.t("Opdateringer", "Updates")) } p { (l.t("De nyeste øverst.", "The newest first.")) } }
                div class="table" { table class="stacks" {
                    thead { tr {
                        th scope="col" { (l.t("Hvornår", "When")) }
                        th scope="col" { (l.t("Miljø", "Runtime")) }
                        th scope="col" { (l.t("Fra og til", "From and to")) }
                        th scope="col" { (l.t("Hvordan", "How")) }
                    } }
                    tbody {
                        @for each in past {
                            tr {
                                td { (ask.reader.at(each.at)) }
                                td data-label=(l.t("Miljø", "Runtime")) { code { (each.runtime) } }
                                td data-label=(l.t("Fra og til", "From and to")) { code { (each.from) } " → " code { (each.to) } }
                                td data-label=(l.t("Hvordan", "How")) { (how(ask, each)) }
                            }
                        }
                    }
                } }
            }
        }
    }
}

fn how(ask: &Ask, ended: &api::UpdateEnded) -> Markup {
    let l = ask.l;
    html! {
        @if ended.held { (ui::badge(Tone::Good, l.t("Holdt", "Held"))) }
        @else {
            (ui::badge(Tone::Warn, l.t("Rullet tilbage", "Rolled back")))
            @if ended.restored { " " (ui::badge(Tone::Plain, l.t("data hentet tilbage", "data brought back"))) }
            @if let Some(reason) = &ended.reason { p class="soft small" { (reason) } }
        }
    }
}

/// Update now.
pub(super) async fn now(ask: &Ask) -> Result<Reply, Refusal> {
    let one = read(ask).await?;
    let _order: api::Order = ask.api.post(&format!("/v1/solutions/{}/updates", segment(&one.id)), &json!({})).await?;
    let there = OwnPath::of(format!("{}/updates", path(&one)));
    Ok(Reply::see(there).saying(ask.l.t("Løsningen opdateres nu.", "The solution is being updated now.")))
}

/// Saves the window; what is empty is as it is by itself.
pub(super) async fn window(ask: &Ask) -> Result<Reply, Refusal> {
    let one = read(ask).await?;
    let schema = settings(&kind(ask, &one)?.schema(), PLACE);
    let wished = read_spec(&ask.form, &schema, ROOT);
    let there = || OwnPath::of(format!("{}/updates", path(&one)));
    let Some(change) = patch(&json!({ FIELD: one.spec[FIELD] }), &wished) else {
        return Ok(Reply::see(there()).saying(ask.l.t("Intet var ændret.", "Nothing was changed.")));
    };
    let at = format!("/v1/solutions/{}", segment(&one.id));
    match ask.api.patch::<Nothing>(&at, &json!({ "spec": change }), Some(ask.form.text("_generation"))).await {
        Ok(_) => Ok(Reply::see(there()).saying(ask.l.t("Gemt.", "Saved."))),
        Err(refusal) => page(ask, &one, &ask.form, &Wrong::of(ask, refusal)).await,
    }
}
