//! What both origins have: log-in, log-out, the choice of language and theme, and the stream of events.

use crate::api::Nothing;
use crate::ask::{Ask, Origin, Reply, Theme};
use crate::cookie::{self, Stay};
use crate::desk::{CHOICE_S, need_path};
use crate::form::Form;
use crate::own_path::OwnPath;
use crate::routes::Reach::{Anybody, Begun, Session};
use crate::routes::{Page, get, post};
use crate::say::Say;
use crate::ui::icon::Icon;
use crate::ui::{self, Field, Wrong, form};
use http::Method;
use husorden_base::{Refusal, Secret};
use husorden_wire::api;
use maud::html;

/// The lines of both tables.
pub(crate) fn table() -> Vec<Page> {
    vec![
        get("/log-in", Anybody, log_in_page),
        post("/log-in", Anybody, log_in),
        get("/log-in/code", Begun, code_page),
        post("/log-in/code", Begun, code),
        get("/step-up", Begun, step_up_page),
        post("/step-up", Begun, step_up),
        post("/session/account", Session, move_to),
        post("/log-out", Anybody, log_out),
        post("/choices", Anybody, choices),
        get("/live", Session, events),
    ]
}

/// Where a form leads when it is done: a path of our own, or the first page.
pub(crate) fn then(form: &Form) -> OwnPath {
    OwnPath::parse(form.text("then")).unwrap_or_else(OwnPath::home)
}

/// For how long a browser is known as one that has logged in before, in seconds.
const DEVICE_S: u32 = 365 * 24 * 3600;

/// On which side of the house the origin stands.
pub(crate) const fn realm(ask: &Ask) -> api::Realm {
    match ask.origin {
        Origin::Customers => api::Realm::Account,
        Origin::Staff => api::Realm::Staff,
    }
}

/// Onwards with the session's new secret: to what it needs first, or to where it was going.
pub(crate) fn onwards(opened: &api::SessionOpened, to: &OwnPath) -> Reply {
    let path = match opened.needs.first() {
        Some(need) => need_path(*need, to),
        None => to.clone(),
    };
    let mut reply = Reply::see(path).cookie(cookie::set(cookie::SESSION, opened.session.reveal(), Stay::Browser));
    if let Some(device) = &opened.device {
        reply = reply.cookie(cookie::set(cookie::DEVICE, device.reveal(), Stay::Seconds(DEVICE_S)));
    }
    reply
}

async fn log_in_page(ask: &Ask) -> Result<Reply, Refusal> {
    if let Some(who) = &ask.who {
        let to = then(&ask.query);
        return Ok(Reply::see(who.needs.first().map_or(to.clone(), |need| need_path(*need, &to))));
    }
    Ok(door(ask, &ask.query, &Wrong::none(ask)))
}

fn door(ask: &Ask, typed: &Form, wrong: &Wrong) -> Reply {
    let l = ask.l;
    ask.sheet(l.t("Log ind", "Log in")).narrow().show(html! {
        div class="head" {
            h1 { (l.t("Log ind", "Log in")) }
            p class="lead" { @if ask.origin == Origin::Staff { (l.t("Kun for personale.", "For staff only.")) } @else { (l.t("Til dine løsninger og din konto.", "To your solutions and your account.")) } }
        }
        (wrong.summary(ask))
        form method="post" action="/log-in" class="fields" {
            (form::token(ask))
            input type="hidden" name="then" value=(then(typed));
            (Field { name: "/email", label: "E-mail", kind: "email", value: typed.text("/email"), autocomplete: "username", required: true, max: Some(254), ..Field::default() }.show(ask, wrong))
            (Field { name: "/password", label: l.t("Adgangskode", "Password"), kind: "password", autocomplete: "current-password", required: true, ..Field::default() }.show(ask, wrong))
            button class="button primary large full" { (l.t("Log ind", "Log in")) }
            p class="small" { a href="/reset" { (l.t("Jeg har glemt min adgangskode", "I forgot my password")) } }
        }
    })
}

async fn log_in(ask: &Ask) -> Result<Reply, Refusal> {
    // A password is taken as it was typed: a blank at its end is part of it.
    let body = api::LogIn {
        email: ask.form.text("/email").to_owned(),
        password: Secret::new(ask.form.get("/password").unwrap_or_default()),
        realm: realm(ask),
        device: ask.device.clone().map(Secret::new),
    };
    match ask.api.post::<api::SessionOpened>("/v1/sessions", &body).await {
        Ok(opened) => Ok(onwards(&opened, &then(&ask.form))),
        Err(refusal) => Ok(door(ask, &ask.form, &Wrong::of(ask, refusal))),
    }
}

async fn code_page(ask: &Ask) -> Result<Reply, Refusal> {
    Ok(code_door(ask, &ask.query, &Wrong::none(ask)))
}

fn code_door(ask: &Ask, typed: &Form, wrong: &Wrong) -> Reply {
    let l = ask.l;
    ask.sheet(l.t("Din kode", "Your code")).narrow().show(html! {
        div class="head" {
            h1 { (l.t("Din kode", "Your code")) }
            p class="lead" { (l.t("Åbn appen med engangskoder, og skriv de seks cifre.", "Open your authenticator app and type the six digits.")) }
        }
        (wrong.summary(ask))
        form method="post" action="/log-in/code" class="fields" {
            (form::token(ask))
            input type="hidden" name="then" value=(then(typed));
            (Field { name: "/code", label: l.t("Kode", "Code"), autocomplete: "one-time-code", inputmode: Some("numeric"), class: "code", max: Some(8), ..Field::default() }.show(ask, wrong))
            button class="button primary large full" { (l.t("Fortsæt", "Continue")) }
            details class="more" {
                summary { span { (l.t("Jeg har ikke min app", "I do not have my app")) } (Icon::chevron()) }
                div class="inner" {
                    (Field { name: "/recovery_code", label: l.t("Gendannelseskode", "Recovery code"), help: l.t("En af de koder, du gemte. Den virker én gang.", "One of the codes you kept. It works once."), autocomplete: "off", optional: true, max: Some(64), ..Field::default() }.show(ask, wrong))
                    button class="button full" { (l.t("Brug gendannelseskoden", "Use the recovery code")) }
                    p class="small" { a href="/rescue" { (l.t("Jeg har heller ingen koder", "I have no codes either")) } }
                }
            }
        }
    })
}

async fn code(ask: &Ask) -> Result<Reply, Refusal> {
    let code: String = ask.form.text("/code").chars().filter(|c| !c.is_whitespace()).collect();
    let recovery = ask.form.text("/recovery_code");
    let body = if recovery.is_empty() {
        api::SecondFactor { code: Some(code), recovery_code: None }
    } else {
        api::SecondFactor { code: None, recovery_code: Some(Secret::new(recovery)) }
    };
    match ask.api.post::<api::SessionOpened>("/v1/session/second-factor", &body).await {
        Ok(opened) => Ok(onwards(&opened, &then(&ask.form))),
        // A session that was ended for too many tries begins anew.
        Err(refusal) if ask.api.get::<Nothing>("/v1/session").await.is_err_and(|gone| gone.status == 401) => {
            Ok(door(ask, &ask.form, &Wrong::of(ask, refusal)).cookie(cookie::clear(cookie::SESSION)))
        }
        Err(refusal) => Ok(code_door(ask, &ask.form, &Wrong::of(ask, refusal))),
    }
}

async fn step_up_page(ask: &Ask) -> Result<Reply, Refusal> {
    Ok(step_up_door(ask, &ask.query, &Wrong::none(ask)))
}

fn step_up_door(ask: &Ask, typed: &Form, wrong: &Wrong) -> Reply {
    let l = ask.l;
    let second = ask.who.as_ref().is_some_and(|who| who.person.second_factor);
    let title = l.t("Bekræft, at det er dig", "Confirm that it is you");
    let to = then(typed);
    ask.sheet(title).narrow().show(html! {
        (ui::head(Some((to.as_str(), l.t("Tilbage", "Back"))), title, l.t(
            "Det, du er i gang med, kræver, at vi ved, det er dig. Det gælder i 15 minutter; derefter sender du formularen igen.",
            "What you are about to do needs us to know that it is you. It holds for 15 minutes; then send the form again.",
        ), html! {}))
        (wrong.summary(ask))
        section class="card" { div class="body" {
            form method="post" action="/step-up" class="fields" {
                (form::token(ask))
                input type="hidden" name="then" value=(to);
                @if second {
                    (Field { name: "/code", label: l.t("Kode fra din app", "Code from your app"), autocomplete: "one-time-code", inputmode: Some("numeric"), class: "code", required: true, max: Some(8), ..Field::default() }.show(ask, wrong))
                } @else {
                    (Field { name: "/password", label: l.t("Din adgangskode", "Your password"), kind: "password", autocomplete: "current-password", required: true, ..Field::default() }.show(ask, wrong))
                }
                (form::actions(l.t("Bekræft", "Confirm"), Some((to.as_str(), l.t("Fortryd", "Cancel")))))
            }
        } }
    })
}

async fn step_up(ask: &Ask) -> Result<Reply, Refusal> {
    let body = api::StepUp {
        password: ask.form.get("/password").filter(|text| !text.is_empty()).map(Secret::new),
        code: ask.form.get("/code").map(|text| text.chars().filter(|c| !c.is_whitespace()).collect()),
    };
    match ask.api.post::<api::SessionOpened>("/v1/session/step-up", &body).await {
        Ok(opened) => Ok(onwards(&opened, &then(&ask.form))),
        Err(refusal) => Ok(step_up_door(ask, &ask.form, &Wrong::of(ask, refusal))),
    }
}

/// Another of the person's accounts.
async fn move_to(ask: &Ask) -> Result<Reply, Refusal> {
    let body = api::SessionMove { account: ask.form.text("account").to_owned() };
    let opened: api::SessionOpened = ask.api.put("/v1/session/account", &body).await?;
    Ok(onwards(&opened, &OwnPath::home()))
}

/// Ends the session everywhere, and makes the browser forget every page it holds.
async fn log_out(ask: &Ask) -> Result<Reply, Refusal> {
    if ask.api.has_session()
        && let Err(refusal) = ask.api.delete::<Nothing>("/v1/session").await
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
