//! What stops, deletes or locks out: each says first what will happen and what can be undone.

use super::entry::password_field;
use super::shapes::{kind, may_change, path, read};
use super::{connect, power};
use crate::api::segment;
use crate::ask::{Ask, Reply};
use crate::own_path::OwnPath;
use crate::pages::create::shown_once;
use crate::say::Say;
use crate::ui::icon::Icon;
use crate::ui::places::of_logins;
use crate::ui::{self, Confirm, Tone, Wrong};
use husorden_base::Refusal;
use husorden_wire::api;
use husorden_wire::api::Capability;
use maud::{Markup, html};
use serde_json::json;

/// Something that can be done, with what it does.
pub(super) fn line(title: &str, text: &str, action: Markup) -> Markup {
    html! { div class="row apart" { div { h3 { (title) } p class="soft small" { (text) } } (action) } }
}

/// The zone at the end of the settings.
pub(super) fn zone(ask: &Ask, one: &api::Solution) -> Markup {
    let l = ask.l;
    let base = path(one);
    if !may_change(ask) || one.aim == "gone" {
        return html! {};
    }
    html! {
        section class="card danger" {
            div class="title" { h2 { (l.t("Farlig zone", "Danger zone")) } }
            div class="body" {
                @if one.aim == "run" {
                    (line(l.t("Stop løsningen", "Stop the solution"), l.t("Den svarer ingen, til du starter den igen. Data bliver.", "It answers nobody until you start it again. The data stays."),
                        ui::asks(&format!("{base}/stop"), "", Some(Icon::Stop), l.t("Stop", "Stop"))))
                } @else {
                    (line(l.t("Start løsningen", "Start the solution"), l.t("Den er stoppet; data er her.", "It is stopped; the data is here."),
                        ui::act(ask, &format!("{base}/start"), "", Some(Icon::Play), l.t("Start", "Start"))))
                }
                (power::lines(ask, one))
                hr;
                @if one.protected {
                    (line(l.t("Slettebeskyttelse er slået til", "Deletion protection is on"), l.t("Løsningen kan ikke slettes, før beskyttelsen tages af.", "The solution cannot be deleted before the protection is taken off."),
                        ui::act(ask, &format!("{base}/protect"), "", Some(Icon::Shield), l.t("Tag beskyttelsen af", "Take the protection off"))))
                } @else if ask.may(Capability::SolutionDelete) {
                    (line(l.t("Slettebeskyttelse", "Deletion protection"), l.t("Så kan ingen slette løsningen ved en fejl.", "So that nobody deletes the solution by mistake."),
                        ui::act(ask, &format!("{base}/protect"), "", Some(Icon::Shield), l.t("Beskyt", "Protect"))))
                    hr;
                    (line(l.t("Slet løsningen", "Delete the solution"), l.t("Den kan hentes tilbage i nogle dage.", "It can be brought back for some days."),
                        ui::asks(&format!("{base}/delete"), "danger", Some(Icon::Trash), l.t("Slet", "Delete"))))
                }
            }
        }
    }
}

fn to(one: &api::Solution, tail: &str) -> OwnPath {
    OwnPath::of(format!("{}{tail}", path(one)))
}

pub(super) async fn stop_page(ask: &Ask) -> Result<Reply, Refusal> {
    let one = read(ask).await?;
    let l = ask.l;
    let title = l.f(|| format!("Stop {}?", one.name), || format!("Stop {}?", one.name));
    let confirm = Confirm {
        title: &title,
        lead: "",
        consequences: vec![
            (
                Tone::Bad,
                l.t(
                    "Besøgende får at vide, at den er stoppet. Planlagt arbejde kører ikke.",
                    "Visitors are told that it is stopped. Scheduled work does not run.",
                )
                .to_owned(),
            ),
            (
                Tone::Good,
                l.t(
                    "Alle data bliver, og du kan starte den igen, når du vil.",
                    "All data stays, and you can start it again whenever you want.",
                )
                .to_owned(),
            ),
        ],
        action: ask.path.as_str(),
        verb: l.t("Stop", "Stop"),
        danger: false,
        back: &format!("{}/settings", path(&one)),
        fields: html! {},
    };
    Ok(ask.sheet(&title).narrow().show(confirm.show(ask)))
}

pub(super) async fn stop(ask: &Ask) -> Result<Reply, Refusal> {
    let one: api::Solution = ask.api.act(&format!("/v1/solutions/{}/stop", segment(ask.param("solution")))).await?;
    Ok(Reply::see(to(&one, "")).saying(ask.l.t("Løsningen stoppes.", "The solution is being stopped.")))
}

pub(super) async fn start(ask: &Ask) -> Result<Reply, Refusal> {
    let one: api::Solution = ask.api.act(&format!("/v1/solutions/{}/start", segment(ask.param("solution")))).await?;
    Ok(Reply::see(to(&one, "")).saying(ask.l.t("Løsningen startes.", "The solution is being started.")))
}

pub(super) async fn delete_page(ask: &Ask) -> Result<Reply, Refusal> {
    let one = read(ask).await?;
    let l = ask.l;
    let title = l.f(|| format!("Slet {}?", one.name), || format!("Delete {}?", one.name));
    let confirm = Confirm {
        title: &title,
        lead: "",
        consequences: vec![
            (Tone::Bad, l.t("Løsningen holder op med at svare med det samme. Dens domæner forbliver dine, så længe sletningen kan fortrydes.", "The solution stops answering at once. Its domains stay yours as long as the deletion can be undone.").to_owned()),
            (Tone::Good, l.t("Du kan fortryde i nogle dage; så er alt tilbage, som det var. Datoen står på løsningens side.", "You can undo it for some days; everything is then back as it was. The date stands on the solution's page.").to_owned()),
            (Tone::Bad, l.t("Derefter er alt væk for altid, også øjebliksbillederne.", "After that everything is gone for good, the snapshots too.").to_owned()),
        ],
        action: ask.path.as_str(),
        verb: l.t("Slet løsningen", "Delete the solution"),
        danger: true,
        back: &format!("{}/settings", path(&one)),
        fields: html! {},
    };
    Ok(ask.sheet(&title).narrow().show(confirm.show(ask)))
}

pub(super) async fn delete(ask: &Ask) -> Result<Reply, Refusal> {
    let one: api::Solution = ask.api.delete(&format!("/v1/solutions/{}", segment(ask.param("solution")))).await?;
    Ok(Reply::see(to(&one, ""))
        .saying(ask.l.t("Løsningen er slettet. Du kan fortryde.", "The solution is deleted. You can undo it.")))
}

pub(super) async fn protect(ask: &Ask) -> Result<Reply, Refusal> {
    let one = read(ask).await?;
    let body = json!({ "protected": !one.protected });
    let one: api::Solution = ask.api.patch(&format!("/v1/solutions/{}", segment(&one.id)), &body, None).await?;
    let said = if one.protected {
        ask.l.t("Løsningen er beskyttet mod sletning.", "The solution is protected from deletion.")
    } else {
        ask.l.t("Beskyttelsen er taget af.", "The protection is taken off.")
    };
    Ok(Reply::see(to(&one, "/settings")).saying(said))
}

pub(super) async fn credential_page(ask: &Ask) -> Result<Reply, Refusal> {
    Ok(credential_form(ask, &read(ask).await?, &Wrong::none(ask)))
}

/// Where the passwords of a solution are asked for.
fn logins(ask: &Ask, one: &api::Solution) -> String {
    let place = kind(ask, one).ok().and_then(|kind| of_logins(&kind.schema()));
    place.map_or_else(|| path(one), |place| format!("{}/places/{}", path(one), segment(&place.name)))
}

fn credential_form(ask: &Ask, one: &api::Solution, wrong: &Wrong) -> Reply {
    let l = ask.l;
    let name = ask.param("credential");
    let title = l.f(|| format!("Ny adgangskode til {name}"), || format!("A new password for {name}"));
    let confirm = Confirm {
        title: &title,
        lead: &one.name,
        consequences: vec![
            (Tone::Bad, l.t("Den gamle holder op med at virke.", "The old one stops working.").to_owned()),
            (
                Tone::Plain,
                l.t(
                    "Laver vi den, vises den én gang, på næste side.",
                    "If we make it, it is shown once, on the next page.",
                )
                .to_owned(),
            ),
        ],
        action: ask.path.as_str(),
        verb: l.t("Sæt en ny", "Set a new one"),
        danger: false,
        back: &logins(ask, one),
        fields: html! { (wrong.summary(ask)) (password_field(ask, wrong)) },
    };
    ask.sheet(&title).narrow().show(confirm.show(ask))
}

pub(super) async fn credential(ask: &Ask) -> Result<Reply, Refusal> {
    let one = read(ask).await?;
    let at = format!("/v1/solutions/{}/credentials/{}", segment(&one.id), segment(ask.param("credential")));
    let password = ask.form.get("/password").filter(|text| !text.is_empty()).map(str::to_owned);
    match ask.api.post::<api::CredentialShown>(&at, &api::CredentialForm { password }).await {
        Ok(made) if made.password.is_some() => shown(ask, made).await,
        Ok(_) => Ok(Reply::see(OwnPath::of(logins(ask, &one)))
            .saying(ask.l.t("Den nye adgangskode er sat.", "The new password is set."))),
        Err(refusal) if refusal.fields.is_empty() => Err(refusal),
        Err(refusal) => Ok(credential_form(ask, &one, &Wrong::of(ask, refusal))),
    }
}

/// A password that was just made, with how its login connects.
pub(super) async fn shown(ask: &Ask, made: api::CredentialShown) -> Result<Reply, Refusal> {
    let one = read(ask).await?;
    Ok(shown_of(ask, &one, made))
}

/// The same, of a solution that was read.
pub(super) fn shown_of(ask: &Ask, one: &api::Solution, made: api::CredentialShown) -> Reply {
    let l = ask.l;
    let title = l.t("Ny adgangskode", "New password");
    let (back, login) = (logins(ask, one), made.name.clone());
    ask.sheet(title).narrow().show(html! {
        (ui::head(Some((&back, &one.name)), title, "", html! {}))
        (shown_once(ask, &[made]))
        div class="row" { (ui::button(&back, "primary", None, l.t("Jeg har gemt den", "I have kept it"))) }
        (connect::of(ask, one, &login))
    })
}
