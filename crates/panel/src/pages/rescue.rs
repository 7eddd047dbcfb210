//! Help for who lost both phone and recovery codes: asking for it, stopping it, and taking the lost second factor away.

use super::session::realm;
use crate::api::Nothing;
use crate::ask::{Ask, Reply};
use crate::own_path::OwnPath;
use crate::routes::Reach::Anybody;
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
        get("/rescue", Anybody, wish_page),
        post("/rescue", Anybody, wish),
        get("/rescue/stop/{secret}", Anybody, stop_page),
        post("/rescue/stop/{secret}", Anybody, stop),
        get("/rescue/use/{secret}", Anybody, use_page),
        post("/rescue/use/{secret}", Anybody, spend),
    ]
}

async fn wish_page(ask: &Ask) -> Result<Reply, Refusal> {
    Ok(wish_door(ask, &Wrong::none(ask)))
}

fn wish_door(ask: &Ask, wrong: &Wrong) -> Reply {
    let l = ask.l;
    let title = l.t("Mistet både app og koder?", "Lost both app and codes?");
    ask.sheet(title).narrow().show(html! {
        (ui::head(Some(("/log-in", l.t("Log ind", "Log in"))), title, l.t(
            "Så hjælper et menneske dig. Det tager mindst et døgn, så ingen anden kan gøre det for dig.",
            "Then a human being helps you. It takes a day at least, so that nobody else can do it for you.",
        ), html! {}))
        (ui::steps(&[
            (ui::Step::Now, l.t("Du beder om hjælp", "You ask for help"), l.t("Vi skriver til din adresse, hvis den hører til et log-in.", "We write to your address, if it belongs to a log-in.").to_owned()),
            (ui::Step::Later, l.t("Vores personale sikrer sig, hvem du er", "Our staff make sure who you are"), String::new()),
            (ui::Step::Later, l.t("Ventetiden går", "The delay passes"), l.t("I den kan du stoppe det med et link eller en kode.", "In it you can stop it with a link or a code.").to_owned()),
            (ui::Step::Later, l.t("Du får et link og sætter en ny op", "You get a link and set up a new one"), String::new()),
        ]))
        (wrong.summary(ask))
        form method="post" action="/rescue" class="fields" {
            (form::token(ask))
            (Field { name: "/email", label: "E-mail", kind: "email", value: ask.form.text("/email"), autocomplete: "username", required: true, max: Some(254), ..Field::default() }.show(ask, wrong))
            button class="button primary large full" { (l.t("Bed om hjælp", "Ask for help")) }
        }
    })
}

async fn wish(ask: &Ask) -> Result<Reply, Refusal> {
    let body = api::RescueAsk { email: ask.form.text("/email").to_owned(), realm: realm(ask) };
    if let Err(refusal) = ask.api.post::<Nothing>("/v1/rescues", &body).await {
        return Ok(wish_door(ask, &Wrong::of(ask, refusal)));
    }
    let l = ask.l;
    let title = l.t("Se i din indbakke", "Look in your inbox");
    Ok(ask.sheet(title).narrow().show(ui::empty(
        Icon::Check,
        title,
        l.t(
            "Hører adressen til et log-in med totrinsbekræftelse, har vi skrevet til den. Ring så til os.",
            "If the address belongs to a log-in with a second factor, we have written to it. Then call us.",
        ),
        ui::button("/log-in", "", None, l.t("Til log-in", "To log-in")),
    )))
}

/// A mailbox's own scanner follows links; what changes something is therefore a button.
async fn stop_page(ask: &Ask) -> Result<Reply, Refusal> {
    Ok(stop_door(ask, &Wrong::none(ask)))
}

fn stop_door(ask: &Ask, wrong: &Wrong) -> Reply {
    let l = ask.l;
    let title = l.t("Stop hjælpen?", "Stop the help?");
    ask.sheet(title).narrow().show(html! {
        (ui::head(None, title, l.t("Din totrinsbekræftelse bliver, som den er.", "Your second factor stays as it is."), html! {}))
        (wrong.summary(ask))
        form method="post" action=(ask.path) class="fields" {
            (form::token(ask))
            button class="button primary large full" { (l.t("Stop det", "Stop it")) }
        }
    })
}

fn secret(ask: &Ask) -> api::RescueSecret {
    api::RescueSecret { secret: Secret::new(ask.param("secret")) }
}

async fn stop(ask: &Ask) -> Result<Reply, Refusal> {
    match ask.api.post::<Nothing>("/v1/rescues/stop", &secret(ask)).await {
        Ok(_) => Ok(Reply::see(OwnPath::of("/log-in")).saying(ask.l.t(
            "Det er stoppet. Bad du ikke selv om det, så skift din adgangskode.",
            "It is stopped. If it was not you who asked, change your password.",
        ))),
        Err(refusal) => Ok(stop_door(ask, &Wrong::of(ask, refusal))),
    }
}

async fn use_page(ask: &Ask) -> Result<Reply, Refusal> {
    Ok(use_door(ask, &Wrong::none(ask)))
}

fn use_door(ask: &Ask, wrong: &Wrong) -> Reply {
    let l = ask.l;
    let title = l.t("Fjern din tabte totrinsbekræftelse", "Take your lost second factor away");
    ask.sheet(title).narrow().show(html! {
        (ui::head(None, title, l.t(
            "Du logges ud overalt. Derefter logger du ind med din adgangskode og sætter en ny op.",
            "You are logged out everywhere. Then you log in with your password and set up a new one.",
        ), html! {}))
        (wrong.summary(ask))
        form method="post" action=(ask.path) class="fields" {
            (form::token(ask))
            button class="button primary large full" { (l.t("Fjern den", "Take it away")) }
        }
    })
}

async fn spend(ask: &Ask) -> Result<Reply, Refusal> {
    match ask.api.post::<api::RescueUsed>("/v1/rescues/use", &secret(ask)).await {
        Ok(_) => Ok(Reply::see(OwnPath::of("/log-in"))
            .saying(ask.l.t("Log ind, og sæt en ny op.", "Log in, and set up a new one."))),
        Err(refusal) => Ok(use_door(ask, &Wrong::of(ask, refusal))),
    }
}
