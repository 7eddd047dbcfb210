//! What the pages of a solution have in common: how it is read, and the frame with its state and tabs.

use super::{access, attachment, console, dumps, standing, title_state};
use crate::api::segment;
use crate::ask::{Ask, Reply, Sheet, no_page};
use crate::pages::overview::kind_title;
use crate::say::Say;
use crate::ui::icon::Icon;
use crate::ui::places::{Place, places};
use crate::ui::{self, Tab};
use husorden_base::{Number, Refusal};
use husorden_kinds::{CardRow, Kind, Snippet, Whereabouts};
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

/// Its kind.
pub(super) fn kind(ask: &Ask, one: &api::Solution) -> Result<&'static dyn Kind, Refusal> {
    ask.kinds.iter().copied().find(|kind| kind.name() == one.kind).ok_or_else(no_page)
}

/// Its kind, and where it is met.
fn met(ask: &Ask, one: &api::Solution) -> Option<(&'static dyn Kind, Whereabouts)> {
    let at = Whereabouts {
        number: Number::new(one.number)?,
        host: one.host.clone().unwrap_or_default(),
        image: one.image.clone(),
    };
    Some((kind(ask, one).ok()?, at))
}

/// What its kind says of it.
pub(crate) fn card_rows(ask: &Ask, one: &api::Solution) -> Vec<CardRow> {
    met(ask, one).map(|(kind, at)| kind.card(&at, &one.spec)).unwrap_or_default()
}

/// How one of its logins connects.
pub(super) fn snippets(ask: &Ask, one: &api::Solution, login: &str) -> Vec<Snippet> {
    met(ask, one).map(|(kind, at)| kind.snippets(&at, &one.spec, login)).unwrap_or_default()
}

/// Its pages beside those that every solution has.
fn own_places(ask: &Ask, one: &api::Solution) -> Vec<Place> {
    kind(ask, one).map(|kind| places(&kind.schema())).unwrap_or_default()
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

/// Whether its kind keeps what its services say.
fn has_log(ask: &Ask, one: &api::Solution) -> bool {
    ask.kinds.iter().any(|kind| kind.name() == one.kind && kind.log().is_some())
}

/// A page of a solution: its head, how it stands, its tabs, and the content.
pub(super) fn frame(ask: &Ask, one: &api::Solution, content: Markup) -> Reply {
    frame_on(ask.sheet(&one.name), one, content)
}

/// The same on a sheet of its own.
pub(super) fn frame_on(sheet: Sheet<'_>, one: &api::Solution, content: Markup) -> Reply {
    let ask = sheet.ask;
    let l = ask.l;
    let base = path(one);
    let here = ask.path.as_str().split('?').next().unwrap_or_default().trim_start_matches(&base).to_owned();
    let tab = |tail: &str, title: &str| Tab {
        path: format!("{base}{tail}"),
        title: title.to_owned(),
        current: if tail.is_empty() { here.is_empty() } else { here.starts_with(tail) },
    };
    let console = console::has_page(ask, one).then(|| tab("/console", l.t("Konsol", "Console")));
    let access = has_list(ask, one).then(|| tab("/access", l.t("Adgang", "Access")));
    let attachment = attachment::has_page(ask, one).then(|| tab("/attachment", l.t("Tilknytning", "Attachment")));
    let dumps = dumps::has_page(ask, one).then(|| tab("/dumps", l.t("Udtræk", "Dumps")));
    let own = own_places(ask, one);
    let own = own.iter().map(|place| tab(&format!("/places/{}", segment(&place.name)), place.title.get(l)));
    let tabs = [tab("", l.t("Overblik", "Overview"))]
        .into_iter()
        .chain(console)
        .chain(access)
        .chain(own)
        .chain(attachment)
        .chain(dumps)
        .chain([
            tab("/backups", l.t("Backupper", "Backups")),
            tab("/snapshots", l.t("Øjebliksbilleder", "Snapshots")),
            tab("/updates", l.t("Opdateringer", "Updates")),
            tab("/figures", l.t("Kurver", "Curves")),
        ]);
    let log = has_log(ask, one).then(|| tab("/log", l.t("Log", "Log")));
    let tabs = tabs
        .chain(log)
        .chain([tab("/events", l.t("Hændelser", "Events")), tab("/settings", l.t("Indstillinger", "Settings"))]);
    let tabs: Vec<Tab> = tabs.collect();
    let site = card_rows(ask, one).into_iter().find_map(|row| row.link);
    let busy = one.state == "working";
    sheet.live(format!("/live?solution={}", segment(&one.name))).refresh(busy.then_some(5)).show(html! {
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
        (ui::tabs(l.t("Løsningens sider", "The solution's pages"), &tabs))
        (content)
    })
}
