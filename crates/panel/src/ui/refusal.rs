//! The refusal as a card: the one shape of every "no".

use super::parts::{Tone, button, facts, note};
use crate::ask::Ask;
use crate::say::Say;
use husorden_base::Refusal;
use maud::{Markup, html};

/// The card.
pub(crate) fn card(ask: &Ask, refusal: &Refusal) -> Markup {
    let (l, reader) = (ask.l, &ask.reader);
    let mut rows: Vec<(&str, Markup)> = Vec::new();
    if let Some(clause) = &refusal.clause {
        rows.push((
            l.t("Punkt i husordenen", "Clause of the house rules"),
            html! { a href={ "/rules#" (clause) } { (clause) } },
        ));
    }
    if let Some(measured) = &refusal.measured {
        rows.push((l.t("Målt", "Measured"), html! { (measured) }));
    }
    if let Some(limit) = &refusal.limit {
        rows.push((l.t("Grænse", "Limit"), html! { (limit) }));
    }
    if let Some(since) = refusal.since {
        rows.push((l.t("Siden", "Since"), reader.at(since)));
    }
    if let Some(until) = refusal.until {
        rows.push((l.t("Indtil", "Until"), reader.at(until)));
    }
    if let Some(case) = &refusal.case {
        rows.push((l.t("Sag", "Case"), html! { code { (case) } }));
    }
    let fields: Vec<&str> = refusal.fields.iter().map(|field| field.detail.get(l)).collect();
    let tone = if refusal.status >= 500 { Tone::Bad } else { Tone::Warn };
    note(
        tone,
        refusal.title.get(l),
        html! {
            p { (refusal.detail.get(l)) }
            @if !fields.is_empty() { ul { @for field in fields { li { (field) } } } }
            @if !rows.is_empty() { (facts(&rows)) }
            @if refusal.complain.is_some() {
                p { a href="/decisions" { (l.t("Se afgørelsen, og hvordan du klager", "See the decision, and how to complain")) } }
            }
        },
    )
}

/// The refusal as a page of its own, with the way back.
pub(crate) fn page(ask: &Ask, refusal: &Refusal) -> Markup {
    let l = ask.l;
    let back = ask.from.as_ref().map_or("/", |path| path.as_str());
    html! {
        h1 class="unseen" { (refusal.title.get(l)) }
        (card(ask, refusal))
        div class="row" {
            (button(back, "", None, l.t("Tilbage", "Back")))
            @if back != "/" { (button("/", "quiet", None, l.t("Til forsiden", "To the front page"))) }
        }
    }
}
