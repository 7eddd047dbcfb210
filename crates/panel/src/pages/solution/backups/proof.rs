//! Proofs of a solution's backups: measured times of recovery over time, and each proof with its steps and what was compared.

use super::super::shapes::{frame, read};
use super::{at, home, with, words};
use crate::api::segment;
use crate::ask::{Ask, Reply, no_page};
use crate::say::Say;
use crate::ui::chart::Chart;
use crate::ui::icon::Icon;
use crate::ui::{self, Tone};
use husorden_base::Refusal;
use husorden_wire::api;
use husorden_wire::node::{Counted, Opened};
use jiff::{SignedDuration, Timestamp};
use maud::{Markup, html};
use std::collections::BTreeSet;

/// Proofs of one page; the graph shows them.
const PROOFS: usize = 100;
/// Proofs that one is looked for among: half a year of days.
const PROOFS_MAX: usize = 200;
/// The least that a graph spans, in hours: of one proof alone there is no line.
const SPAN_HOURS: i64 = 7 * 24;
/// Comparisons that are shown without being asked for.
const COMPARED_FEW: usize = 12;

/// Where a proof is in the panel.
pub(crate) fn place(one: &api::Solution, proof: &str) -> String {
    format!("{}/proofs/{}", home(one), segment(proof))
}

pub(super) async fn list(ask: &Ask) -> Result<Reply, Refusal> {
    let one = read(ask).await?;
    let limit = PROOFS.to_string();
    let path = with(&format!("{}/proofs", at(&one)), &[("limit", &limit), ("after", ask.query.text("after"))]);
    let proofs: api::Page<api::Proof> = ask.api.get(&path).await?;
    let l = ask.l;
    Ok(frame(
        ask,
        &one,
        html! {
            div class="stack tight" {
                nav class="crumb" { a href=(home(&one)) { (Icon::Back.show()) (l.t("Alle backupper", "All backups")) } }
                h2 { (l.t("Prøver", "Proofs")) }
            }
            p class="soft" { (l.t(
                "En backup er først noget værd, når den er hentet tilbage. Hver dag hentes den nyeste, åbnes et andet sted uden netværk og sammenlignes med det, der blev noteret, da den blev taget. Tiden er målt.",
                "A backup is worth something when it has been brought back. Each day the newest is fetched, opened elsewhere without a network, and compared with what was noted when it was made. The time is measured.",
            )) }
            section class="card" id="proofs" data-live {
                @if proofs.items.is_empty() {
                    (ui::empty(Icon::Shield, l.t("Ingen prøver endnu", "No proofs yet"), l.t("Den første kommer inden for et døgn efter den første backup.", "The first comes within a day of the first backup."), html! {}))
                } @else {
                    (graph(ask, &proofs.items))
                    (table(ask, &one, &proofs.items))
                    (ui::pager(ask, "after", ask.query.text("after").is_empty(), proofs.next.as_deref()))
                }
            }
        },
    ))
}

/// The time that each proof took, marked with how it came out.
fn graph(ask: &Ask, proofs: &[api::Proof]) -> Markup {
    let (l, reader) = (ask.l, &ask.reader);
    let mut points = Vec::new();
    let mut marks = Vec::new();
    for proof in proofs.iter().rev() {
        let (Some(took), Some(ended)) = (proof.took_ms, proof.ended) else { continue };
        let (tone, word) = words::outcome(ask, &proof.state);
        points.push((ended, took as f64));
        marks.push((tone, format!("{}: {word}, {}", reader.at_text(ended), reader.took(took))));
    }
    let now = Timestamp::now();
    let from = points.first().map_or(now, |(at, _)| *at).min(now - SignedDuration::from_hours(SPAN_HOURS));
    let chart = Chart {
        title: l.t("Målt tid for gendannelse", "Measured time of recovery"),
        points: &points,
        span: (from, now),
        ceiling: None,
        marks: &marks,
    };
    html! {
        div class="title" {
            h3 { (l.t("Målt tid for gendannelse", "Measured time of recovery")) }
            div class="legend-of" {
                span class="good" { (l.t("bestået", "passed")) }
                span class="bad" { (l.t("ikke bestået", "not passed")) }
            }
        }
        @if !points.is_empty() { div class="body" { (chart.show(reader, |ms| reader.took(ms.max(0.0) as u64))) } }
    }
}

fn table(ask: &Ask, one: &api::Solution, proofs: &[api::Proof]) -> Markup {
    let (l, reader) = (ask.l, &ask.reader);
    html! {
        div class="table" { table class="stacks" {
            thead { tr {
                th scope="col" { (l.t("Prøvet", "Proven")) }
                th scope="col" { (l.t("Resultat", "Result")) }
                th scope="col" { (l.t("Niveau", "Level")) }
                th scope="col" class="end" { (l.t("Hentet", "Fetched")) }
                th scope="col" class="end" { (l.t("Tid", "Time")) }
            } }
            tbody { @for proof in proofs {
                @let (tone, word) = words::outcome(ask, &proof.state);
                tr {
                    td {
                        a class="main" href=(place(one, &proof.id)) { (reader.at(proof.ended.unwrap_or(proof.made))) }
                        span class="sub" { (l.t("Backup fra ", "Backup of ")) (reader.at_text(proof.taken)) }
                        @if let Some(why) = words::why(ask, proof) { span class="sub" { (why) } }
                    }
                    td data-label=(l.t("Resultat", "Result")) { (ui::badge(tone, word)) }
                    td data-label=(l.t("Niveau", "Level")) { (level(ask, proof)) }
                    td data-label=(l.t("Hentet", "Fetched")) class="end num nowrap" { (reader.size(proof.bytes)) }
                    td data-label=(l.t("Tid", "Time")) class="end num nowrap" { @if let Some(took) = proof.took_ms { (reader.took(took)) } @else { span class="faint" { "–" } } }
                }
            } }
        } }
    }
}

/// How far a proof came, by name and sign.
pub(crate) fn level(ask: &Ask, proof: &api::Proof) -> Markup {
    html! {
        @if let Some(level) = proof.level { span class="nowrap" { (words::level_name(ask, level)) " " span class="faint" { (words::level_sign(level)) } } }
        @else { span class="faint" { "–" } }
    }
}

pub(super) async fn show(ask: &Ask) -> Result<Reply, Refusal> {
    let one = read(ask).await?;
    let all: api::Page<api::Proof> = ask.api.get(&format!("{}/proofs?limit={PROOFS_MAX}", at(&one))).await?;
    let proof = all.items.into_iter().find(|proof| proof.id == ask.param("proof")).ok_or_else(no_page)?;
    let (l, reader) = (ask.l, &ask.reader);
    let (tone, word) = words::outcome(ask, &proof.state);
    let mut rows = vec![
        (l.t("Backup", "Backup"), html! { a href=(super::place(&one, &proof.backup)) { (reader.at(proof.taken)) } }),
        (l.t("Prøvet", "Proven"), reader.at(proof.ended.unwrap_or(proof.made))),
        (l.t("Hentet", "Fetched"), html! { span class="num" { (reader.size(proof.bytes)) } }),
    ];
    if let Some(took) = proof.took_ms {
        rows.push((
            if proof.state == "passed" {
                l.t("At få den tilbage tog", "To get it back took")
            } else {
                l.t("Tog", "Took")
            },
            html! { strong class="num" { (reader.took(took)) } },
        ));
    }
    if let Some(node) = &proof.node {
        rows.push((l.t("Prøvet af", "Proven by"), html! { (node) }));
    }
    rows.push((l.t("I loggen", "In the log"), html! { a href=(with("/evidence", &[("q", &proof.id)])) { (l.t("Se linjerne om den", "See the lines about it")) } }));
    Ok(frame(
        ask,
        &one,
        html! {
            div class="stack tight" {
                nav class="crumb" { a href={ (home(&one)) "/proofs" } { (Icon::Back.show()) (l.t("Alle prøver", "All proofs")) } }
                h2 { (l.t("Prøve fra ", "Proof of ")) (reader.at_text(proof.ended.unwrap_or(proof.made))) }
            }
            div id="proof" data-live class="stack" {
                @if let Some(why) = words::why(ask, &proof) {
                    (ui::note(tone, word, html! {
                        p { (why) }
                        @if proof.state == "failed" { p { (l.t("Den sidste backup, der bestod, slettes ikke, før en ny består. Driften har fået besked.", "The last backup that passed is not deleted before a new one passes. Operations has been told.")) } }
                    }))
                }
                div class="split even" {
                    (ui::card(l.t("Resultat", "Result"), ui::badge(tone, word), ui::facts(&rows)))
                    (ui::card(l.t("Så langt nåede den", "How far it came"), html! {}, words::ladder(ask, proof.level, matches!(proof.state.as_str(), "passed" | "failed"))))
                }
                (steps(ask, &proof))
                (compared(ask, &proof))
            }
        },
    ))
}

fn steps(ask: &Ask, proof: &api::Proof) -> Markup {
    let (l, reader) = (ask.l, &ask.reader);
    html! {
        @if !proof.steps.is_empty() {
            (ui::card_flush(l.t("Trin for trin", "Step by step"), html! {}, html! {
                div class="table" { table class="stacks" {
                    thead { tr { th scope="col" { (l.t("Hvad der blev gjort", "What was done")) } th scope="col" { (l.t("Holdt det?", "Did it hold?")) } th scope="col" class="end" { (l.t("Tid", "Time")) } } }
                    tbody { @for step in &proof.steps { tr {
                        td class="whole" { (step.what.get(l)) @if let Some(failed) = &step.failed { span class="sub" { (failed.get(l)) } } }
                        td data-label=(l.t("Holdt det?", "Did it hold?")) { (held(ask, step.failed.is_none())) }
                        td data-label=(l.t("Tid", "Time")) class="end num nowrap" { (reader.took(step.took_ms)) }
                    } } }
                } }
            }))
        }
    }
}

fn held(ask: &Ask, held: bool) -> Markup {
    if held { ui::badge(Tone::Good, ask.l.t("Ja", "Yes")) } else { ui::badge(Tone::Bad, ask.l.t("Nej", "No")) }
}

fn range(ask: &Ask, counted: Option<&Counted>) -> String {
    match counted {
        None => "–".to_owned(),
        Some(Counted { least, most }) if least == most => ask.reader.count(*least),
        Some(Counted { least, most }) => format!("{}–{}", ask.reader.count(*least), ask.reader.count(*most)),
    }
}

/// Whether what was found lies within what was noted.
fn within(noted: Option<&Counted>, found: Option<&Counted>) -> bool {
    match (noted, found) {
        (Some(noted), Some(found)) => noted.least <= found.least && found.most <= noted.most,
        (None, None) => true,
        // What was not there when it was noted is no fault; what is missing is one.
        (None, Some(_)) => true,
        (Some(_), None) => false,
    }
}

/// One thing that was compared: its name, as it was noted, as it was found, and whether they agree.
type Line = (String, String, String, bool);

/// What was noted beside what was found; what does not agree comes first.
fn lines(ask: &Ask, noted: &Opened, found: &Opened) -> Vec<Line> {
    let names: BTreeSet<&String> = noted.counts.keys().chain(found.counts.keys()).collect();
    let counts = names.into_iter().map(|name| {
        let (was, is) = (noted.counts.get(name), found.counts.get(name));
        (name.clone(), range(ask, was), range(ask, is), within(was, is))
    });
    let names: BTreeSet<&String> = noted.words.keys().chain(found.words.keys()).collect();
    let words = names.into_iter().map(|name| {
        let (was, is) = (noted.words.get(name), found.words.get(name));
        let said = |text: Option<&String>| text.map_or_else(|| "–".to_owned(), Clone::clone);
        (name.clone(), said(was), said(is), was.is_none() || was == is)
    });
    let mut lines: Vec<Line> = words.chain(counts).collect();
    lines.sort_by_key(|line| line.3);
    lines
}

fn compared(ask: &Ask, proof: &api::Proof) -> Markup {
    let l = ask.l;
    let lines = lines(ask, &proof.noted, &proof.found);
    let opened = proof.found != Opened::default();
    let rows = |lines: &[Line]| {
        html! {
            div class="table" { table class="stacks" {
                thead { tr { th scope="col" { (l.t("Hvad", "What")) } th scope="col" class="end" { (l.t("Noteret, da den blev taget", "Noted when it was made")) } th scope="col" class="end" { (l.t("Fundet", "Found")) } th scope="col" { (l.t("Enig?", "Agrees?")) } } }
                tbody { @for (name, noted, found, agrees) in lines { tr {
                    td class="whole" { code { (name) } }
                    td data-label=(l.t("Noteret", "Noted")) class="end num" { (noted) }
                    td data-label=(l.t("Fundet", "Found")) class="end num" { (found) }
                    td data-label=(l.t("Enig?", "Agrees?")) { (held(ask, *agrees)) }
                } } }
            } }
        }
    };
    let (few, rest) = lines.split_at(COMPARED_FEW.min(lines.len()));
    html! {
        @if !lines.is_empty() && opened {
            section class="card" {
                div class="title" { h2 { (l.t("Hvad der blev sammenlignet", "What was compared")) } p { (l.t("Der blev arbejdet, mens der blev noteret; en tælling ligger mellem to tal. Det, der ikke passer, står øverst.", "People worked while it was noted; a count lies between two numbers. What does not agree stands first.")) } }
                (rows(few))
                @if !rest.is_empty() {
                    div class="tail" { details { summary { (l.f(|| format!("{} til", rest.len()), || format!("{} more", rest.len()))) } (rows(rest)) } }
                }
            }
        }
    }
}

/// What was noted of a backup when it was made.
pub(super) fn noted(ask: &Ask, noted: &Opened) -> Markup {
    let l = ask.l;
    let lines = lines(ask, noted, &Opened::default());
    let rows = |lines: &[Line]| {
        html! { dl class="facts" { @for (name, said, ..) in lines { div { dt { code { (name) } } dd class="num" { (said) } } } } }
    };
    let (few, rest) = lines.split_at(COMPARED_FEW.min(lines.len()));
    html! {
        @if !lines.is_empty() {
            (ui::card(l.t("Noteret, da den blev taget", "Noted when it was made"), html! {}, html! {
                p class="soft small" { (l.t("Det er det, en prøve skal finde igen.", "This is what a proof must find again.")) }
                (rows(few))
                @if !rest.is_empty() { details { summary class="small" { (l.f(|| format!("{} til", rest.len()), || format!("{} more", rest.len()))) } (rows(rest)) } }
            }))
        }
    }
}
