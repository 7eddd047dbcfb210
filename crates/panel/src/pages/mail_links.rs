//! What links in mails lead to: a new password, and an invitation that is taken up.

use super::session::realm;
use crate::api::Nothing;
use crate::ask::{Ask, Reply};
use crate::cookie::{self, Stay};
use crate::form::Form;
use crate::own_path::OwnPath;
use crate::routes::Reach::Anybody;
use crate::routes::{Page, get, post};
use crate::say::Say;
use crate::ui::icon::Icon;
use crate::ui::{self, Field, Tone, Wrong, form};
use husorden_base::{Refusal, Secret};
use husorden_wire::api;
use maud::html;

/// The lines of both tables.
pub(crate) fn table() -> Vec<Page> {
    vec![
        get("/reset", Anybody, wish_page),
        post("/reset", Anybody, wish),
        get("/reset/{secret}", Anybody, reset_page),
        post("/reset/{secret}", Anybody, reset),
        get("/invitation/{secret}", Anybody, invitation_page),
        post("/invitation/{secret}", Anybody, accept),
    ]
}

/// What is asked of a new password.
pub(crate) fn password_help(ask: &Ask) -> &'static str {
    ask.l.t(
        "Mindst 15 tegn, gerne en sætning. Uden krav om tal og tegn, men den må ikke kunne gættes eller være lækket før.",
        "At least 15 characters, a sentence is good. No digits or signs are demanded, but it must not be guessable or leaked before.",
    )
}

async fn wish_page(ask: &Ask) -> Result<Reply, Refusal> {
    Ok(wish_door(ask, &Wrong::none(ask)))
}

fn wish_door(ask: &Ask, wrong: &Wrong) -> Reply {
    let l = ask.l;
    let title = l.t("Ny adgangskode", "New password");
    ask.sheet(title).narrow().show(html! {
        (ui::head(Some(("/log-in", l.t("Log ind", "Log in"))), title, l.t("Skriv din e-mail, så sender vi et link.", "Type your e-mail and we send a link."), html! {}))
        (wrong.summary(ask))
        form method="post" action="/reset" class="fields" {
            (form::token(ask))
            (Field { name: "/email", label: "E-mail", kind: "email", value: ask.form.text("/email"), autocomplete: "username", required: true, max: Some(254), ..Field::default() }.show(ask, wrong))
            button class="button primary large full" { (l.t("Send linket", "Send the link")) }
        }
    })
}

async fn wish(ask: &Ask) -> Result<Reply, Refusal> {
    let body = api::PasswordReset { email: ask.form.text("/email").to_owned(), realm: realm(ask) };
    if let Err(refusal) = ask.api.post::<Nothing>("/v1/password-resets", &body).await {
        return Ok(wish_door(ask, &Wrong::of(ask, refusal)));
    }
    let l = ask.l;
    let title = l.t("Se i din indbakke", "Look in your inbox");
    Ok(ask.sheet(title).narrow().show(ui::empty(
        Icon::Check,
        title,
        l.t(
            "Hører adressen til nogen her, er der et link på vej. Det virker i kort tid.",
            "If the address is somebody's here, a link is on its way. It works for a short time.",
        ),
        ui::button("/log-in", "", None, l.t("Til log-in", "To log-in")),
    )))
}

async fn reset_page(ask: &Ask) -> Result<Reply, Refusal> {
    Ok(reset_door(ask, &Wrong::none(ask)))
}

fn reset_door(ask: &Ask, wrong: &Wrong) -> Reply {
    let l = ask.l;
    let title = l.t("Vælg en ny adgangskode", "Choose a new password");
    ask.sheet(title).narrow().show(html! {
        (ui::head(None, title, l.t("Alle steder, hvor du er logget ind, bliver logget ud.", "Everywhere you are logged in is logged out."), html! {}))
        (wrong.summary(ask))
        form method="post" action=(ask.path) class="fields" {
            (form::token(ask))
            (Field { name: "/password", label: l.t("Ny adgangskode", "New password"), help: password_help(ask), kind: "password", autocomplete: "new-password", required: true, ..Field::default() }.show(ask, wrong))
            button class="button primary large full" { (l.t("Gem adgangskoden", "Save the password")) }
        }
    })
}

async fn reset(ask: &Ask) -> Result<Reply, Refusal> {
    let body = api::PasswordResetUse {
        secret: Secret::new(ask.param("secret")),
        password: Secret::new(ask.form.get("/password").unwrap_or_default()),
    };
    match ask.api.post::<api::PasswordResetUsed>("/v1/password-resets/use", &body).await {
        Ok(used) => Ok(Reply::see(OwnPath::of("/log-in"))
            .cookie(cookie::set(cookie::DEVICE, used.device.reveal(), Stay::Browser))
            .saying(
                ask.l
                    .t("Adgangskoden er gemt. Log ind med den nye.", "The password is saved. Log in with the new one."),
            )),
        Err(refusal) => Ok(reset_door(ask, &Wrong::of(ask, refusal))),
    }
}

async fn invitation_page(ask: &Ask) -> Result<Reply, Refusal> {
    invitation_door(ask, &ask.form, &Wrong::none(ask)).await
}

async fn invitation_door(ask: &Ask, typed: &Form, wrong: &Wrong) -> Result<Reply, Refusal> {
    let secret = api::InvitationSecret { secret: Secret::new(ask.param("secret")) };
    let seen: api::InvitationSeen = ask.api.post("/v1/invitations/look", &secret).await?;
    let l = ask.l;
    let to = seen.account.clone().unwrap_or_else(|| l.t("personalet", "staff").to_owned());
    let title = l.f(|| format!("Du er inviteret til {to}"), || format!("You are invited to {to}"));
    Ok(ask.sheet(&title).narrow().show(html! {
        (ui::head(None, &title, "", html! {}))
        (ui::note(Tone::Plain, "", html! {
            p { (l.t("Sendt til ", "Sent to ")) strong { (seen.email) } "." }
            @if let Some(role) = seen.role { p { (l.t("Din rolle: ", "Your role: ")) strong { (super::members::role_name(ask, role)) } } }
        }))
        (wrong.summary(ask))
        form method="post" action=(ask.path) class="fields" {
            (form::token(ask))
            @if !seen.known {
                (Field { name: "/name", label: l.t("Dit navn", "Your name"), value: typed.text("/name"), autocomplete: "name", required: true, max: Some(100), ..Field::default() }.show(ask, wrong))
                (Field { name: "/password", label: l.t("Vælg en adgangskode", "Choose a password"), help: password_help(ask), kind: "password", autocomplete: "new-password", required: true, ..Field::default() }.show(ask, wrong))
            }
            button class="button primary large full" { (l.t("Tag imod invitationen", "Accept the invitation")) }
        }
    }))
}

async fn accept(ask: &Ask) -> Result<Reply, Refusal> {
    let given = |name: &str| ask.form.get(name).filter(|text| !text.is_empty()).map(str::to_owned);
    let body = api::InvitationAccept {
        secret: Secret::new(ask.param("secret")),
        name: given("/name"),
        password: given("/password").map(Secret::new),
        language: given("/name").is_some().then_some(ask.l),
    };
    match ask.api.post::<api::InvitationAccepted>("/v1/invitations/accept", &body).await {
        Ok(_) => Ok(Reply::see(OwnPath::of("/log-in"))
            .saying(ask.l.t("Velkommen. Log ind for at gå i gang.", "Welcome. Log in to begin."))),
        Err(refusal) => invitation_door(ask, &ask.form, &Wrong::of(ask, refusal)).await,
    }
}
