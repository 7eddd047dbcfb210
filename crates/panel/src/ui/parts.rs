//! Small parts: heads, cards, badges, notes, empty states, tables' cells, copy buttons, steps, timelines, gauges.

use super::form;
use super::icon::Icon;
use crate::ask::Ask;
use crate::say::{Reader, Say};
use husorden_wire::api;
use jiff::Timestamp;
use maud::{Markup, Render, html};

/// How something stands, as a colour says it; words always say it too.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Tone {
    Plain,
    Good,
    Busy,
    Warn,
    Bad,
}

impl Tone {
    pub(crate) const fn class(self) -> &'static str {
        match self {
            Self::Plain => "",
            Self::Good => "good",
            Self::Busy => "busy",
            Self::Warn => "warn",
            Self::Bad => "bad",
        }
    }

    const fn icon(self) -> Icon {
        match self {
            Self::Plain => Icon::Info,
            Self::Good => Icon::Check,
            Self::Busy => Icon::Clock,
            Self::Warn | Self::Bad => Icon::Alert,
        }
    }
}

/// A word with a dot in its colour.
pub(crate) fn badge(tone: Tone, text: &str) -> Markup {
    html! { span class={ "badge " (tone.class()) } { (text) } }
}

/// A label without a state.
pub(crate) fn tag(text: &str) -> Markup {
    html! { span class="badge plain" { (text) } }
}

/// The head of a page: where it stands, its title, a sentence, and what can be done.
pub(crate) fn head(back: Option<(&str, &str)>, title: impl Render, lead: &str, actions: impl Render) -> Markup {
    html! {
        div class="head" {
            @if let Some((path, text)) = back {
                nav class="crumb" { a href=(path) { (Icon::Back.show()) (text) } }
            }
            div class="row apart" {
                h1 { (title) }
                div class="row" { (actions) }
            }
            @if !lead.is_empty() { p class="lead" { (lead) } }
        }
    }
}

/// One of the pages of a thing.
pub(crate) struct Tab {
    pub(crate) path: String,
    pub(crate) title: String,
    pub(crate) current: bool,
}

/// The pages of a thing: in rows where there is room for them, and on a phone as a menu that says which one it is.
pub(crate) fn tabs(label: &str, tabs: &[Tab]) -> Markup {
    let links = html! {
        @for tab in tabs { a href=(tab.path) aria-current=[tab.current.then_some("page")] { (tab.title) } }
    };
    let here = tabs.iter().find(|tab| tab.current).map_or(label, |tab| tab.title.as_str());
    html! {
        nav class="tabs" aria-label=(label) {
            div class="all" { (links) }
            details class="menu start phone-only" {
                summary { span class="unseen" { (label) ": " } (here) (Icon::chevron()) }
                div class="card-like" { (links) }
            }
        }
    }
}

/// A card with a title.
pub(crate) fn card(title: &str, actions: impl Render, body: impl Render) -> Markup {
    html! {
        section class="card" {
            div class="title" { h2 { (title) } (actions) }
            div class="body" { (body) }
        }
    }
}

/// A card whose content goes to its edges: a table or a list.
pub(crate) fn card_flush(title: &str, actions: impl Render, body: impl Render) -> Markup {
    html! {
        section class="card" {
            div class="title" { h2 { (title) } (actions) }
            (body)
        }
    }
}

/// A note beside what it is about.
pub(crate) fn note(tone: Tone, title: &str, body: impl Render) -> Markup {
    html! {
        div class={ "note " (tone.class()) } {
            (tone.icon().show())
            div { @if !title.is_empty() { p class="title" { (title) } } (body) }
        }
    }
}

/// Nothing is there yet, and what to do next.
pub(crate) fn empty(icon: Icon, title: &str, text: &str, action: impl Render) -> Markup {
    html! {
        div class="empty" {
            span class="glyph" { (icon.show()) }
            h2 { (title) }
            p { (text) }
            div class="row" { (action) }
        }
    }
}

/// A link that looks like a button.
pub(crate) fn button(path: &str, class: &str, icon: Option<Icon>, text: &str) -> Markup {
    html! { a class={ "button " (class) } href=(path) { @if let Some(icon) = icon { (icon.show()) } (text) } }
}

/// A link to a page that asks before something is done; with script it opens as a dialog.
pub(crate) fn asks(path: &str, class: &str, icon: Option<Icon>, text: &str) -> Markup {
    html! {
        a class={ "button " (class) } href=(path) data-dialog { @if let Some(icon) = icon { (icon.show()) } (text) }
    }
}

/// A form of buttons alone.
pub(crate) fn post(ask: &Ask, path: &str, content: impl Render) -> Markup {
    html! { form class="inline" method="post" action=(path) { (form::token(ask)) (content) } }
}

/// A button that does something at once.
pub(crate) fn act(ask: &Ask, path: &str, class: &str, icon: Option<Icon>, text: &str) -> Markup {
    post(ask, path, html! { button class={ "button " (class) } { @if let Some(icon) = icon { (icon.show()) } (text) } })
}

/// Something to be copied.
pub(crate) fn copy(ask: &Ask, text: &str) -> Markup {
    let l = ask.l;
    html! {
        span class="copy" {
            code { (text) }
            button type="button" aria-label=(l.f(|| format!("Kopiér {text}"), || format!("Copy {text}"))) data-done=(l.t("Kopieret", "Copied")) {
                (Icon::Copy.show())
            }
        }
    }
}

/// The same for a secret, which no label repeats.
pub(crate) fn copy_secret(ask: &Ask, what: &str, text: &str) -> Markup {
    let l = ask.l;
    html! {
        span class="copy" {
            code { (text) }
            button type="button" aria-label=(l.f(|| format!("Kopiér: {what}"), || format!("Copy: {what}"))) data-done=(l.t("Kopieret", "Copied")) {
                (Icon::Copy.show())
            }
        }
    }
}

/// Names and values.
pub(crate) fn facts(rows: &[(&str, Markup)]) -> Markup {
    html! {
        dl class="facts" {
            @for (name, value) in rows { div { dt { (name) } dd { (value) } } }
        }
    }
}

/// A step of long work.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Step {
    Done,
    Now,
    Later,
}

/// The steps of long work, each with a sentence under it.
pub(crate) fn steps(list: &[(Step, &str, String)]) -> Markup {
    html! {
        ol class="steps" {
            @for (step, title, sub) in list {
                @let class = match step { Step::Done => "done", Step::Now => "now", Step::Later => "" };
                li class=(class) aria-current=[(*step == Step::Now).then_some("step")] {
                    span class="dot" { @if *step == Step::Done { (Icon::Check.show()) } }
                    div { (title) @if !sub.is_empty() { span class="sub" { (sub) } } }
                }
            }
        }
    }
}

/// How a kind of event is coloured.
fn event_tone(kind: &str) -> Tone {
    match kind.rsplit('.').next().unwrap_or_default() {
        // A proof that only ended was not carried out.
        "ended" if kind == "proof.ended" => Tone::Bad,
        // An answer may be a yes or a no, and an end is neither good nor bad.
        "decided" | "ended" if kind.starts_with("agreement.") => Tone::Plain,
        "settled" | "done" | "passed" | "lifted" | "ended" | "undone" => Tone::Good,
        "trouble" | "failed" | "refused" | "in-force" | "decided" | "taken" | "buried" | "broken" => Tone::Bad,
        "queued" | "created" | "changed" | "started" => Tone::Busy,
        _ => Tone::Plain,
    }
}

/// Who did it, for people.
fn event_by(ask: &Ask, by: &str) -> &'static str {
    match by {
        "staff" => ask.l.t("Personale", "Staff"),
        "account" => ask.l.t("Kontoen", "The account"),
        "node" | "platform" => ask.l.t("Platformen", "The platform"),
        _ => "",
    }
}

/// What happened, newest first.
pub(crate) fn timeline(ask: &Ask, events: &[api::Event]) -> Markup {
    html! {
        ol class="line" {
            @for event in events.iter().rev() {
                li class=(event_tone(&event.kind).class()) {
                    span { (event.message) " " span class="who" { "· " (event_by(ask, &event.by)) } }
                    (ask.reader.ago(event.at))
                }
            }
        }
    }
}

/// How full a volume is: what is live, what snapshots hold, and the limit.
pub(crate) fn gauge(reader: &Reader, live: u64, snapshots: u64, limit: u64) -> Markup {
    let l = reader.language;
    let share = |bytes: u64| if limit == 0 { 0.0 } else { (bytes as f64 / limit as f64 * 100.0).min(100.0) };
    // What is there at all is seen, however little it is.
    let seen = |bytes: u64| if bytes == 0 { 0.0 } else { share(bytes).max(0.8) };
    let used = live.saturating_add(snapshots);
    let class = if share(used) >= 90.0 { "gauge full" } else { "gauge" };
    let label = l.f(
        || format!("{} af {} brugt", reader.size(used), reader.size(limit)),
        || format!("{} of {} used", reader.size(used), reader.size(limit)),
    );
    html! {
        div class=(class) {
            div class="legend" { strong class="num" { (label) } span class="soft num" { (if used > 0 && share(used) < 1.0 { "< 1 %".to_owned() } else { format!("{:.0} %", share(used)) }) } }
            svg role="img" aria-label=(label) preserveAspectRatio="none" viewBox="0 0 100 8" {
                rect class="one" x="0" y="0" width=(seen(live)) height="8" {}
                rect class="two" x=(seen(live)) y="0" width=(seen(snapshots)) height="8" {}
            }
            div class="legend" {
                span class="key num" { (l.t("Filer og data", "Files and data")) " " (reader.size(live)) }
                span class="key second num" { (l.t("Øjebliksbilleder", "Snapshots")) " " (reader.size(snapshots)) }
            }
        }
    }
}

/// How much of something is used, as a bar with its numbers.
pub(crate) fn level(reader: &Reader, title: &str, used: u64, total: u64) -> Markup {
    let l = reader.language;
    let share = if total == 0 { 0.0 } else { (used as f64 / total as f64 * 100.0).min(100.0) };
    let label = l.f(
        || format!("{} af {}", reader.size(used), reader.size(total)),
        || format!("{} of {}", reader.size(used), reader.size(total)),
    );
    html! {
        div class=(if share >= 90.0 { "gauge full" } else { "gauge" }) {
            div class="legend" { strong { (title) } span class="soft num" { (label) } }
            svg role="img" aria-label={ (title) ": " (label) } preserveAspectRatio="none" viewBox="0 0 100 8" {
                rect class="one" x="0" y="0" width=(if used == 0 { 0.0 } else { share.max(0.8) }) height="8" {}
            }
        }
    }
}

/// Before and after in a long list; `cursor` is the parameter that says where a page begins.
pub(crate) fn pager(ask: &Ask, cursor: &str, first: bool, next: Option<&str>) -> Markup {
    let l = ask.l;
    let path = ask.path.as_str().split('?').next().unwrap_or("/");
    let mut query = ask.query.clone();
    html! {
        @if !first || next.is_some() {
            nav class="pager" aria-label=(l.t("Sider i listen", "Pages of the list")) {
                @if first { span {} } @else { a href=(path) { (l.t("Til begyndelsen", "To the beginning")) } }
                @if let Some(next) = next {
                    @let query = { query.set(cursor, next); query.query() };
                    a rel="next" href={ (path) "?" (query) } { (l.t("Næste side", "Next page")) }
                }
            }
        }
    }
}

/// A box to search by.
pub(crate) fn search(ask: &Ask, placeholder: &str, more: impl Render) -> Markup {
    let l = ask.l;
    html! {
        form class="search" role="search" method="get" {
            div class="box" {
                (Icon::Search.show())
                input type="search" name="q" value=(ask.query.text("q")) placeholder=(placeholder) aria-label=(placeholder) maxlength="200";
            }
            (more)
            button class="button" { (l.t("Søg", "Search")) }
        }
    }
}

/// A page that asks before something is done: what will happen, what can be undone, and the two ways on.
pub(crate) struct Confirm<'a> {
    pub(crate) title: &'a str,
    pub(crate) lead: &'a str,
    /// Each with whether it is reassuring (`Good`), a loss (`Bad`) or neither.
    pub(crate) consequences: Vec<(Tone, String)>,
    pub(crate) action: &'a str,
    pub(crate) verb: &'a str,
    pub(crate) danger: bool,
    /// Where "no" leads.
    pub(crate) back: &'a str,
    /// Fields to fill in, if any.
    pub(crate) fields: Markup,
}

impl Confirm<'_> {
    pub(crate) fn show(&self, ask: &Ask) -> Markup {
        let l = ask.l;
        html! {
            section class="card" {
                div class="body" data-dialog-content {
                    h1 { (self.title) }
                    @if !self.lead.is_empty() { p class="soft" { (self.lead) } }
                    ul class="consequences" {
                        @for (tone, text) in &self.consequences {
                            li class=(tone.class()) {
                                (match tone { Tone::Good => Icon::Check, Tone::Bad | Tone::Warn => Icon::Alert, Tone::Plain | Tone::Busy => Icon::Info }.show())
                                span { (text) }
                            }
                        }
                    }
                    form method="post" action=(self.action) class="stack" {
                        (form::token(ask))
                        (self.fields)
                        div class="actions" {
                            button class=(if self.danger { "button danger fill" } else { "button primary" }) { (self.verb) }
                            a class="button quiet" href=(self.back) data-close { (l.t("Fortryd", "Cancel")) }
                        }
                    }
                }
            }
        }
    }
}

/// Who signed something: as the reader may know them, else which side of the house it was.
pub(crate) fn whom(ask: &Ask, whom: Option<&api::Signed>, signature: &str) -> Markup {
    let side = signature.split(':').next().unwrap_or_default();
    let words = whom.map_or_else(|| event_by(ask, side).to_owned(), |whom| whom.words(ask.l));
    html! { span title=(signature) { (words) } }
}

/// What a decision has forfeited: each subscription with its amounts, and whether they were given back.
pub(crate) fn forfeits(ask: &Ask, forfeits: &[api::Forfeit]) -> Markup {
    let (l, reader) = (ask.l, &ask.reader);
    html! {
        ul class="plain" {
            @for one in forfeits {
                li {
                    strong { (one.name.get(l)) ": " span class="num nowrap" { (one.lost.in_words(l)) } }
                    p class="soft small" { (one.statement.get(l)) }
                    @if let Some(at) = one.returned { p class="small" { (badge(Tone::Good, l.t("Givet tilbage", "Given back"))) " " (reader.at(at)) } }
                }
            }
        }
    }
}

/// When, or a dash.
pub(crate) fn when(reader: &Reader, at: Option<Timestamp>) -> Markup {
    html! { @if let Some(at) = at { (reader.at(at)) } @else { span class="faint" { "–" } } }
}
