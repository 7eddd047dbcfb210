//! Another e-mail address: asked for inside, confirmed and taken back by the links in the mails.

use crate::api::Nothing;
use crate::ask::{Ask, Reply};
use crate::own_path::OwnPath;
use crate::routes::Reach::{Anybody, Session};
use crate::routes::{Page, get, post};
use crate::say::Say;
use crate::ui::icon::Icon;
use crate::ui::{self, Field, Wrong, form};
use husorden_base::{Refusal, Secret};
use husorden_wire::api;
use maud::html;

/// The lines of both tables.
pub(crate) fn table() -> Vec<Page> {
    vec![
        get("/security/email", Session, wish_page),
        post("/security/email", Session, wish),
        get("/mailbox/{secret}", Anybody, confirm_page),
        post("/mailbox/{secret}", Anybody, confirm),
        get("/mailbox/undo/{secret}", Anybody, undo_page),
        post("/mailbox/undo/{secret}", Anybody, undo),
    ]
}

async fn wish_page(ask: &Ask) -> Result<Reply, Refusal> {
    Ok(wish_door(ask, &Wrong::none(ask)))
}

fn wish_door(ask: &Ask, wrong: &Wrong) -> Reply {
    let l = ask.l;
    let title = l.t("Skift e-mailadresse", "Change your e-mail address");
    ask.sheet(title).narrow().show(html! {
        (ui::head(Some(("/security", l.t("Sikkerhed", "Security"))), title, l.t(
            "Den nye adresse gælder, når du har bekræftet den. Den gamle får besked og kan tage det tilbage i 7 dage.",
            "The new address counts when you have confirmed it. The old one is told, and can take it back for 7 days.",
        ), html! {}))
        (wrong.summary(ask))
        section class="card" { div class="body" {
            form method="post" action="/security/email" class="fields" {
                (form::token(ask))
                (Field { name: "/email", label: l.t("Ny adresse", "New address"), kind: "email", value: ask.form.text("/email"), autocomplete: "email", required: true, max: Some(254), ..Field::default() }.show(ask, wrong))
                (form::actions(l.t("Send bekræftelsen", "Send the confirmation"), Some(("/security", l.t("Fortryd", "Cancel")))))
            }
        } }
    })
}

async fn wish(ask: &Ask) -> Result<Reply, Refusal> {
    let body = api::EmailChange { email: ask.form.text("/email").to_owned() };
    match ask.api.post::<Nothing>("/v1/person/email", &body).await {
        Ok(_) => {
            let l = ask.l;
            let title = l.t("Se i den nye indbakke", "Look in the new inbox");
            Ok(ask.sheet(title).narrow().show(ui::empty(
                Icon::Check,
                title,
                l.t(
                    "Kan adressen bruges, er der et link på vej til den. Indtil da er alt, som det var.",
                    "If the address can be used, a link is on its way to it. Until then everything is as it was.",
                ),
                ui::button("/security", "", None, l.t("Til Sikkerhed", "To Security")),
            )))
        }
        Err(refusal) if refusal.code == "step-up-needed" => Err(refusal),
        Err(refusal) => Ok(wish_door(ask, &Wrong::of(ask, refusal))),
    }
}

/// A mailbox's own scanner follows links; what changes something is therefore a button.
fn door(ask: &Ask, title: &str, lead: &str, verb: &str, wrong: &Wrong) -> Reply {
    ask.sheet(title).narrow().show(html! {
        (ui::head(None, title, lead, html! {}))
        (wrong.summary(ask))
        form method="post" action=(ask.path) class="fields" {
            (form::token(ask))
            button class="button primary large full" { (verb) }
        }
    })
}

fn confirm_door(ask: &Ask, wrong: &Wrong) -> Reply {
    let l = ask.l;
    let lead = l.t("Fra nu af logger du ind med den.", "From now on you log in with it.");
    door(ask, l.t("Bekræft din nye adresse", "Confirm your new address"), lead, l.t("Bekræft", "Confirm"), wrong)
}

async fn confirm_page(ask: &Ask) -> Result<Reply, Refusal> {
    Ok(confirm_door(ask, &Wrong::none(ask)))
}

fn secret(ask: &Ask) -> api::EmailSecret {
    api::EmailSecret { secret: Secret::new(ask.param("secret")) }
}

async fn confirm(ask: &Ask) -> Result<Reply, Refusal> {
    match ask.api.post::<api::EmailChanged>("/v1/person/email/confirm", &secret(ask)).await {
        Ok(changed) => Ok(Reply::see(OwnPath::home()).saying(&ask.l.f(
            || format!("Din adresse er nu {}.", changed.email),
            || format!("Your address is {} now.", changed.email),
        ))),
        Err(refusal) => Ok(confirm_door(ask, &Wrong::of(ask, refusal))),
    }
}

fn undo_door(ask: &Ask, wrong: &Wrong) -> Reply {
    let l = ask.l;
    let lead = l.t(
        "Din adresse bliver den gamle igen, og alle logges ud. Skift derefter din adgangskode.",
        "Your address is the old one again, and everybody is logged out. Then change your password.",
    );
    door(
        ask,
        l.t("Tag den nye adresse tilbage?", "Take the new address back?"),
        lead,
        l.t("Tag det tilbage", "Take it back"),
        wrong,
    )
}

async fn undo_page(ask: &Ask) -> Result<Reply, Refusal> {
    Ok(undo_door(ask, &Wrong::none(ask)))
}

async fn undo(ask: &Ask) -> Result<Reply, Refusal> {
    match ask.api.post::<api::EmailChanged>("/v1/person/email/undo", &secret(ask)).await {
        Ok(_) => Ok(Reply::see(OwnPath::of("/reset")).saying(ask.l.t(
            "Adressen er den gamle igen. Vælg nu en ny adgangskode.",
            "The address is the old one again. Now choose a new password.",
        ))),
        Err(refusal) => Ok(undo_door(ask, &Wrong::of(ask, refusal))),
    }
}
