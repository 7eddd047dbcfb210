//! How to connect: lines to paste for each login, and the certificate that names are verified by.

use super::shapes::{kind, path, snippets};
use crate::api::segment;
use crate::ask::{Ask, Reply};
use crate::pages::AUTHORITY;
use crate::say::Say;
use crate::ui;
use crate::ui::icon::Icon;
use husorden_base::Refusal;
use husorden_wire::api;
use maud::{Markup, html};

/// The authority's certificate as a file, for everybody.
pub(crate) async fn authority(ask: &Ask) -> Result<Reply, Refusal> {
    Ok(Reply::raw(ask.api.file("/v1/authority.pem").await?))
}

/// On the first page: for the login that is asked for, else for the first.
pub(super) fn card(ask: &Ask, one: &api::Solution) -> Markup {
    let logins = kind(ask, one).map(|kind| kind.credentials(&one.spec)).unwrap_or_default();
    let asked = logins.iter().find(|login| login.name == ask.query.text("login")).or_else(|| logins.first());
    let Some(login) = asked else { return html! {} };
    let l = ask.l;
    let lines = of(ask, one, &login.name);
    if lines.0.is_empty() {
        return lines;
    }
    html! {
        (lines)
        @if logins.len() > 1 {
            p class="soft small" {
                (l.t("For en anden bruger: ", "For another user: "))
                @for (index, other) in logins.iter().filter(|other| other.name != login.name).enumerate() {
                    @if index > 0 { ", " }
                    a href={ (path(one)) "?login=" (segment(&other.name)) "#connect" } { (other.name) }
                }
            }
        }
    }
}

/// The lines of one login.
pub(super) fn of(ask: &Ask, one: &api::Solution, login: &str) -> Markup {
    let l = ask.l;
    let lines = snippets(ask, one, login);
    if lines.is_empty() {
        return html! {};
    }
    html! {
        section class="card" id="connect" {
            div class="title" {
                h2 { (l.t("Forbind som ", "Connect as ")) code { (login) } }
                a class="button small" href=(AUTHORITY) download="ca.pem" { (Icon::File.show()) (l.t("Hent ca.pem", "Get ca.pem")) }
                p { (l.t(
                    "ca.pem er certifikatet, som serverens navn efterprøves med. Sæt adgangskoden ind, hvor der står PASSWORD.",
                    "ca.pem is the certificate that the server's name is verified with. Put the password where it says PASSWORD.",
                )) }
            }
            dl class="snippets" {
                @for line in &lines { div { dt { (line.name) } dd { (ui::copy(ask, &line.code)) } } }
            }
        }
    }
}
