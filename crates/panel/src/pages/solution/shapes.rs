//! What the pages of a solution have in common: how it is read, and the frame with its state and tabs.

use super::{access, standing, title_state};
use crate::api::segment;
use crate::ask::{Ask, Reply};
use crate::pages::overview::kind_title;
use crate::say::Say;
use crate::ui;
use crate::ui::icon::Icon;
use husorden_base::{Number, Refusal};
use husorden_kinds::{CardRow, Whereabouts};
use husorden_wire::api;
use husorden_wire::api::Capability;
use maud::{Markup, html};

/// The solution that the path names.
pub(crate) async fn read(ask: &Ask) -> Result<api::Solution, Refusal> {
    ask.api.get(&format!("/v1/solutions/{}", segment(ask.param("solution")))).await
}

/// Its address in the panel.
pub(super) fn path(one: &api::Solution) -> String {
    format!("/solutions/{}", segment(&one.name))
}

/// What its kind says of it.
pub(crate) fn card_rows(ask: &Ask, one: &api::Solution) -> Vec<CardRow> {
    let Some(number) = Number::new(one.number) else { return Vec::new() };
    let at = Whereabouts { number, host: one.host.clone().unwrap_or_default() };
    ask.kinds.iter().find(|kind| kind.name() == one.kind).map(|kind| kind.card(&at, &one.spec)).unwrap_or_default()
}

/// Its kind, as a label.
pub(super) fn tag(ask: &Ask, one: &api::Solution) -> Markup {
    ui::tag(&kind_title(ask, &one.kind))
}

/// Whether the visitor may change it.
pub(super) fn may_change(ask: &Ask) -> bool {
    ask.may(Capability::SolutionChange)
}

/// Whether its kind has a list of who may connect.
pub(super) fn has_list(ask: &Ask, one: &api::Solution) -> bool {
    ask.kinds.iter().any(|kind| kind.name() == one.kind && husorden_kinds::allow::stands_in(&kind.schema()))
}

/// A page of a solution: its head, how it stands, its tabs, and the content.
pub(super) fn frame(ask: &Ask, one: &api::Solution, content: Markup) -> Reply {
    let l = ask.l;
    let base = path(one);
    let here = ask.path.as_str().split('?').next().unwrap_or_default().trim_start_matches(&base).to_owned();
    let access = has_list(ask, one).then(|| ("/access", l.t("Adgang", "Access")));
    let tabs = [("", l.t("Overblik", "Overview"))].into_iter().chain(access).chain([
        ("/snapshots", l.t("Øjebliksbilleder", "Snapshots")),
        ("/events", l.t("Hændelser", "Events")),
        ("/settings", l.t("Indstillinger", "Settings")),
    ]);
    let site = card_rows(ask, one).into_iter().find_map(|row| row.link);
    let busy = one.state == "working";
    ask.sheet(&one.name).live(format!("/live?solution={}", segment(&one.name))).refresh(busy.then_some(5)).show(html! {
        div class="head" {
            nav class="crumb" { a href="/" { (Icon::Back.show()) (l.t("Overblik", "Overview")) } }
            div class="row apart" {
                div class="row" { h1 { (one.name) } span id="state" data-live class="row" { (title_state(ask, one)) } }
                div class="row" {
                    @if let (Some(site), true) = (&site, one.aim == "run") {
                        a class="button" href=(site) target="_blank" rel="noopener noreferrer" { (l.t("Besøg", "Visit")) (Icon::External.show()) }
                    }
                    @if one.aim == "stop" && may_change(ask) {
                        (ui::act(ask, &format!("{base}/start"), "primary", Some(Icon::Play), l.t("Start", "Start")))
                    }
                }
            }
        }
        div id="standing" data-live aria-live="polite" class="stack tight" { (standing(ask, one)) (access::findings(ask, one)) }
        nav class="tabs" aria-label=(l.t("Løsningens sider", "The solution's pages")) {
            @for (tail, title) in tabs {
                @let current = if tail.is_empty() { here.is_empty() } else { here.starts_with(tail) };
                a href={ (base) (tail) } aria-current=[current.then_some("page")] { (title) }
            }
        }
        (content)
    })
}
