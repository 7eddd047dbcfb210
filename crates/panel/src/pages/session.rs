//! What both origins have: log-in, log-out, the choice of language and theme, and the stream of events.

use crate::ask::{Ask, Reply, Theme};
use crate::cookie::{self, Stay};
use crate::desk::CHOICE_S;
use crate::form::Form;
use crate::own_path::OwnPath;
use crate::routes::Reach::{Anybody, Session};
use crate::routes::{Page, get, post};
use crate::say::Say;
use crate::ui::{Field, Wrong, form};
use http::Method;
use husorden_base::Refusal;
use maud::html;
use serde::Deserialize;
use serde_json::json;

/// The lines of both tables.
pub(crate) fn table() -> Vec<Page> {
    vec![
        get("/log-in", Anybody, log_in_page),
        post("/log-in", Anybody, log_in),
        post("/log-out", Anybody, log_out),
        post("/choices", Anybody, choices),
        get("/live", Session, events),
    ]
}

/// Where a form leads when it is done: a path of our own, or the first page.
pub(crate) fn then(form: &Form) -> OwnPath {
    OwnPath::parse(form.text("then")).unwrap_or_else(OwnPath::home)
}

#[derive(Debug, Deserialize)]
struct Opened {
    session: String,
}

async fn log_in_page(ask: &Ask) -> Result<Reply, Refusal> {
    if ask.who.is_some() {
        return Ok(Reply::see(then(&ask.query)));
    }
    Ok(door(ask, &ask.query, &Wrong::none(ask)))
}

fn door(ask: &Ask, typed: &Form, wrong: &Wrong) -> Reply {
    let l = ask.l;
    ask.sheet(l.t("Log ind", "Log in")).narrow().show(html! {
        div class="head" { h1 { (l.t("Log ind", "Log in")) } }
        (wrong.summary(ask))
        form method="post" action="/log-in" class="fields" {
            (form::token(ask))
            input type="hidden" name="then" value=(then(typed));
            (Field { name: "/email", label: l.t("E-mail", "E-mail"), kind: "email", value: typed.text("/email"), autocomplete: "username", required: true, max: Some(254), ..Field::default() }.show(ask, wrong))
            (Field { name: "/password", label: l.t("Adgangskode", "Password"), kind: "password", autocomplete: "current-password", required: true, ..Field::default() }.show(ask, wrong))
            button class="button primary large full" { (l.t("Log ind", "Log in")) }
        }
    })
}

async fn log_in(ask: &Ask) -> Result<Reply, Refusal> {
    let realm = match ask.origin {
        crate::ask::Origin::Customers => "account",
        crate::ask::Origin::Staff => "staff",
    };
    // A password is taken as it was typed: a blank at its end is part of it.
    let body = json!({
        "email": ask.form.text("/email"),
        "password": ask.form.get("/password").unwrap_or_default(),
        "realm": realm,
    });
    match ask.api.post::<Opened>("/v1/sessions", &body).await {
        Ok(opened) => {
            Ok(Reply::see(then(&ask.form)).cookie(cookie::set(cookie::SESSION, &opened.session, Stay::Browser)))
        }
        Err(refusal) => Ok(door(ask, &ask.form, &Wrong::of(ask, refusal))),
    }
}

/// Ends the session everywhere, and makes the browser forget every page it holds.
async fn log_out(ask: &Ask) -> Result<Reply, Refusal> {
    if ask.api.has_session()
        && let Err(refusal) = ask.api.delete::<crate::api::Nothing>("/v1/session").await
        // A session that has ended is what was asked for.
        && refusal.status >= 500
    {
        return Err(refusal);
    }
    let path = OwnPath::of("/log-in");
    Ok(Reply::see(path)
        .cookie(cookie::clear(cookie::SESSION))
        .clear()
        .saying(ask.l.t("Du er logget ud.", "You are logged out.")))
}

/// Language and theme, for a year.
async fn choices(ask: &Ask) -> Result<Reply, Refusal> {
    let mut reply = Reply::see(then(&ask.form));
    if let Some(language) = ask.form.get("language").filter(|tag| ["da", "en"].contains(tag)) {
        reply = reply.cookie(cookie::set(cookie::LANGUAGE, language, Stay::Seconds(CHOICE_S)));
    }
    if let Some(theme) = ask.form.get("theme") {
        let theme = Theme::parse(theme).word();
        reply = reply.cookie(cookie::set(cookie::THEME, theme, Stay::Seconds(CHOICE_S)));
    }
    Ok(reply)
}

/// The stream of events of everything the visitor may see, or of one solution.
pub(crate) async fn events(ask: &Ask) -> Result<Reply, Refusal> {
    let path = match ask.query.get("solution") {
        Some(solution) => format!("/v1/solutions/{}/events", crate::api::segment(solution)),
        None => "/v1/events".to_owned(),
    };
    let response = ask.api.raw(Method::GET, &path, None, &[("accept", "text/event-stream")]).await?;
    Ok(Reply::raw(response))
}
