//! The frame of every page: head, bar, navigation, content, foot.

use super::icon::Icon;
use super::parts::post;
use crate::ask::{Ask, Origin, Sheet, Theme};
use crate::assets;
use crate::say::Say;
use crate::standing::Standing;
use husorden_wire::api::Capability;
use maud::{DOCTYPE, Markup, html};

/// One entry of the navigation.
pub(crate) struct Entry {
    pub(crate) icon: Icon,
    pub(crate) path: &'static str,
    pub(crate) da: &'static str,
    pub(crate) en: &'static str,
}

/// One group of the navigation, with its heading.
pub(crate) type Group = (&'static str, &'static str, Vec<Entry>);

const fn entry(icon: Icon, path: &'static str, da: &'static str, en: &'static str) -> Entry {
    Entry { icon, path, da, en }
}

/// The navigation of the origin that is asked.
fn navigation(ask: &Ask) -> Vec<Group> {
    match ask.origin {
        Origin::Customers => vec![
            (
                "Drift",
                "Operations",
                vec![
                    entry(Icon::Home, "/", "Overblik", "Overview"),
                    entry(Icon::Globe, "/firewalls", "Firewalls", "Firewalls"),
                    entry(Icon::Scale, "/decisions", "Afgørelser", "Decisions"),
                    entry(Icon::File, "/evidence", "Log", "Log"),
                    entry(Icon::Rules, "/rules", "Husorden", "House rules"),
                    entry(Icon::Link, "/networks", "Netværk", "Networks"),
                    entry(Icon::Shield, "/proofs", "Prøvede backupper", "Proven backups"),
                ],
            ),
            (
                "Konto",
                "Account",
                vec![
                    entry(Icon::People, "/members", "Medlemmer", "Members"),
                    entry(Icon::Receipt, "/billing", "Abonnement", "Plan"),
                    entry(Icon::Key, "/tokens", "API-tokens", "API tokens"),
                    entry(Icon::Shield, "/security", "Sikkerhed", "Security"),
                    entry(Icon::Bell, "/notifications", "Mails", "Mails"),
                    entry(Icon::Settings, "/account", "Kontoen", "The account"),
                ],
            ),
        ],
        Origin::Staff => crate::staff::navigation(),
    }
}

/// The whole page.
pub(crate) fn page(sheet: &Sheet<'_>, content: &Markup) -> Markup {
    let ask = sheet.ask;
    let l = ask.l;
    let theme = match ask.theme {
        Theme::Auto => None,
        Theme::Light | Theme::Dark => Some(ask.theme.word()),
    };
    let column = match (sheet.narrow, sheet.full) {
        (true, _) => "page narrow",
        (_, true) => "page full",
        _ => "page",
    };
    html! {
        (DOCTYPE)
        html lang=(l.tag()) data-theme=[theme] {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1, viewport-fit=cover";
                title { (sheet.title) " · Husorden" }
                link rel="icon" href=(assets::address("mark.svg")) type="image/svg+xml";
                link rel="stylesheet" href=(assets::address("panel.css"));
                script src=(assets::address("panel.js")) defer {}
                @if let Some(module) = sheet.module { script type="module" src=(assets::address(module)) {} }
                @if let Some(seconds) = sheet.refresh_s {
                    noscript { meta http-equiv="refresh" content=(seconds); }
                }
            }
            body data-stream=[sheet.live.as_deref()] data-source=[sheet.source.as_deref()] {
                a class="skip" href="#content" { (l.t("Gå til indholdet", "Skip to content")) }
                (bar(ask))
                @if let Some(who) = ask.who.as_ref().filter(|who| who.needs.is_empty()) {
                    @let groups = navigation(ask);
                    div class="frame" {
                        (side(ask, who, &groups))
                        div {
                            main id="content" tabindex="-1" { div class=(column) { (content) } }
                            (foot(ask))
                        }
                    }
                    (tab_bar(ask, &groups))
                } @else {
                    main id="content" class="door" tabindex="-1" {
                        div class=(if sheet.narrow { "page" } else { "page wide" }) { (content) }
                    }
                    (foot(ask))
                }
                @if let Some(sentence) = &ask.flash {
                    div class="toast" role="status" { (Icon::Check.show()) span { (sentence) } }
                }
            }
        }
    }
}

fn bar(ask: &Ask) -> Markup {
    let l = ask.l;
    html! {
        header class="bar" {
            a class="brand" href="/" {
                img src=(assets::address("mark.svg")) alt="" width="28" height="28";
                span { "Husorden" }
                @if ask.origin == Origin::Staff { span class="where" { (l.t("Personale", "Staff")) } }
            }
            @if let Some(who) = &ask.who {
                @if let Some(account) = &who.account {
                    span class="slash" {}
                    (accounts(ask, who, &account.name))
                }
            }
            span class="push" {}
            (choices(ask))
            @if let Some(who) = &ask.who { (person(ask, who)) }
            @else if ask.section() != "log-in" {
                a class="button small" href="/log-in" { (l.t("Log ind", "Log in")) }
            }
        }
    }
}

fn accounts(ask: &Ask, who: &Standing, name: &str) -> Markup {
    let l = ask.l;
    html! {
        @if who.accounts.len() > 1 {
            details class="menu start" name="bar" {
                summary { (name) (Icon::chevron()) span class="unseen" { (l.t("Skift konto", "Switch account")) } }
                div class="card-like" {
                    form method="post" action="/session/account" {
                        (super::form::token(ask))
                        @for account in &who.accounts {
                            button name="account" value=(account.id) aria-pressed=(if account.name == name { "true" } else { "false" }) {
                                (account.name)
                            }
                        }
                    }
                }
            }
        } @else {
            span class="wide-only soft" { (name) }
        }
    }
}

/// Language and light or dark: they work before log-in too.
fn choices(ask: &Ask) -> Markup {
    let l = ask.l;
    let themes = [
        (Theme::Auto, Icon::Settings, l.t("Som enheden", "As the device")),
        (Theme::Light, Icon::Sun, l.t("Lyst", "Light")),
        (Theme::Dark, Icon::Moon, l.t("Mørkt", "Dark")),
    ];
    html! {
        details class="menu" name="bar" {
            summary {
                (Icon::Language.show())
                span class="wide-only" { (l.t("Dansk", "English")) }
                span class="unseen" { (l.t("Sprog og udseende", "Language and appearance")) }
            }
            div class="card-like" {
                form method="post" action="/choices" {
                    (super::form::token(ask))
                    input type="hidden" name="then" value=(ask.path);
                    @for (tag, name) in [("da", "Dansk"), ("en", "English")] {
                        button name="language" value=(tag) lang=(tag) aria-pressed=(if tag == l.tag() { "true" } else { "false" }) { (name) }
                    }
                    hr;
                    @for (theme, icon, name) in themes {
                        button name="theme" value=(theme.word()) aria-pressed=(if theme == ask.theme { "true" } else { "false" }) {
                            (icon.show()) (name)
                        }
                    }
                }
            }
        }
    }
}

fn person(ask: &Ask, who: &Standing) -> Markup {
    let l = ask.l;
    let initials: String = who.person.name.split_whitespace().filter_map(|word| word.chars().next()).take(2).collect();
    html! {
        details class="menu" name="bar" {
            summary {
                span class="avatar" aria-hidden="true" { (initials.to_uppercase()) }
                span class="name" { (who.person.name) }
                (Icon::chevron())
                span class="unseen" { (l.t("Din menu", "Your menu")) }
            }
            div class="card-like" {
                div class="head" {
                    strong { (who.person.name) }
                    div class="soft small" { (who.person.email) }
                }
                @if who.needs.is_empty() {
                    a href="/security" { (Icon::Shield.show()) (l.t("Dig og din sikkerhed", "You and your security")) }
                }
                (post(ask, "/log-out", html! {
                    button { (Icon::LogOut.show()) (l.t("Log ud", "Log out")) }
                }))
            }
        }
    }
}

fn current(ask: &Ask, path: &str) -> Option<&'static str> {
    let section = path.trim_start_matches('/');
    let here = match ask.section() {
        // A solution's pages belong to the overview, on the customers' origin.
        "solutions" | "create" if ask.origin == Origin::Customers => "",
        section => section,
    };
    (here == section).then_some("page")
}

fn link(ask: &Ask, entry: &Entry) -> Markup {
    html! {
        a href=(entry.path) aria-current=[current(ask, entry.path)] { (entry.icon.show()) (ask.l.t(entry.da, entry.en)) }
    }
}

fn side(ask: &Ask, who: &Standing, groups: &[Group]) -> Markup {
    let l = ask.l;
    html! {
        nav class="side" aria-label=(l.t("Sider", "Pages")) {
            @if ask.origin == Origin::Customers && who.may(Capability::SolutionCreate) {
                a class="button primary" href="/create" { (Icon::Add.show()) (l.t("Ny løsning", "New solution")) }
            }
            @for (da, en, entries) in groups {
                div {
                    h2 { (l.t(da, en)) }
                    ul { @for entry in entries { li { (link(ask, entry)) } } }
                }
            }
        }
    }
}

/// On a phone: the first pages at the thumb, the rest behind a menu.
fn tab_bar(ask: &Ask, groups: &[Group]) -> Markup {
    const FIRST: usize = 4;
    let l = ask.l;
    let entries: Vec<&Entry> = groups.iter().flat_map(|(_, _, entries)| entries).collect();
    let (first, rest) = entries.split_at(FIRST.min(entries.len()));
    html! {
        nav class="tabbar" aria-label=(l.t("Sider", "Pages")) {
            @for entry in first { (link(ask, entry)) }
            @if !rest.is_empty() {
                details class="menu" {
                    summary { (Icon::Dots.show()) (l.t("Mere", "More")) }
                    div class="sheet" { ul { @for entry in rest { li { (link(ask, entry)) } } } }
                }
            }
        }
    }
}

fn foot(ask: &Ask) -> Markup {
    let l = ask.l;
    html! {
        footer class="foot" {
            div class="row" {
                span { "Husorden" }
                @if ask.origin == Origin::Customers { a href="/rules" { (l.t("Læs husordenen", "Read the house rules")) } }
            }
        }
    }
}
