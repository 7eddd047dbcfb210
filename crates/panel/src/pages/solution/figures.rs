//! What was measured of a solution while it ran, as curves.

use super::shapes::{frame, path, read};
use crate::api::segment;
use crate::ask::{Ask, Reply};
use crate::say::{Reader, Say};
use crate::ui;
use crate::ui::chart::Chart;
use crate::ui::icon::Icon;
use husorden_base::{Language, Refusal};
use husorden_wire::api;
use jiff::{SignedDuration, Timestamp};
use maud::{Markup, html};

/// Hours that can be looked back.
const SPANS: [u32; 3] = [1, 24, 168];

pub(super) async fn show(ask: &Ask) -> Result<Reply, Refusal> {
    let one = read(ask).await?;
    let wanted: u32 = ask.query.text("hours").parse().unwrap_or_default();
    let hours = SPANS.into_iter().find(|span| *span == wanted).unwrap_or(24);
    let figures: api::Page<api::Figure> =
        ask.api.get(&format!("/v1/solutions/{}/figures?hours={hours}", segment(&one.id))).await?;
    let l = ask.l;
    let measured: Vec<&api::Figure> = figures.items.iter().filter(|figure| !figure.points.is_empty()).collect();
    let now = Timestamp::now();
    let span = (now - SignedDuration::from_hours(hours.into()), now);
    Ok(frame(
        ask,
        &one,
        html! {
            nav class="row" aria-label=(l.t("Hvor langt tilbage", "How far back")) {
                @for each in SPANS {
                    a class="button small" href={ (path(&one)) "/figures?hours=" (each) } aria-current=[(each == hours).then_some("true")] { (said(l, each)) }
                }
                span class="soft small" { (l.t("Måles hvert minut, mens løsningen kører. Når den sover, måles intet.", "Measured each minute while the solution runs. While it sleeps nothing is.")) }
            }
            div id="figures" data-live class="charts" {
                @for figure in &measured { (curve(ask, figure, span)) }
            }
            @if measured.is_empty() {
                section class="card" {
                    (ui::empty(Icon::Clock, l.t("Intet målt endnu", "Nothing measured yet"), l.t(
                        "Kurverne begynder, når løsningen har kørt i et par minutter.",
                        "The curves begin when the solution has run for a few minutes.",
                    ), html! {}))
                }
            }
        },
    ))
}

fn said(l: Language, hours: u32) -> &'static str {
    match hours {
        1 => l.t("1 time", "1 hour"),
        24 => l.t("1 døgn", "24 hours"),
        _ => l.t("7 dage", "7 days"),
    }
}

fn curve(ask: &Ask, figure: &api::Figure, span: (Timestamp, Timestamp)) -> Markup {
    let points: Vec<(Timestamp, f64)> = figure.points.iter().map(|point| (point.at, point.value)).collect();
    let newest = points.last().map(|(_, value)| value_text(&ask.reader, &figure.unit, *value)).unwrap_or_default();
    // Of a share there is no more than all; a solution may use more than one processor.
    let ceiling = (figure.unit == "percent" && figure.name != "cpu").then_some(100.0);
    let chart = Chart { title: &figure.title, points: &points, span, ceiling, marks: &[] };
    html! {
        section class="card" {
            div class="title" { h2 { (figure.title) } span class="soft num" { (newest) } }
            div class="body" { (chart.show(&ask.reader, |value| value_text(&ask.reader, &figure.unit, value))) }
        }
    }
}

/// A value with its unit.
fn value_text(reader: &Reader, unit: &str, value: f64) -> String {
    let number = |value: f64| {
        let text =
            if value >= 100.0 || value.fract().abs() < 0.05 { format!("{value:.0}") } else { format!("{value:.1}") };
        if reader.language == Language::Da { text.replace('.', ",") } else { text }
    };
    match unit {
        "bytes" => reader.size(value as u64),
        "percent" => format!("{} %", number(value)),
        "per-second" => format!("{}/s", number(value)),
        "seconds" if value >= 7200.0 => format!("{} {}", number(value / 3600.0), reader.language.t("t", "h")),
        "seconds" if value >= 120.0 => format!("{} min", number(value / 60.0)),
        "seconds" => format!("{} s", number(value)),
        _ => number(value),
    }
}
