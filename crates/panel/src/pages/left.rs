//! Who left the account and is named in its log still: shown on the members' page, erased on a page of its own.

use crate::api::segment;
use crate::ask::{Ask, Reply, no_page};
use crate::own_path::OwnPath;
use crate::say::Say;
use crate::ui::{self, Confirm, Tone};
use husorden_base::Refusal;
use husorden_wire::api;
use maud::{Markup, html};

/// Those who left.
pub(crate) async fn those(ask: &Ask) -> Result<Vec<api::PersonLeft>, Refusal> {
    let page: api::Page<api::PersonLeft> = ask.api.get("/v1/erasures").await?;
    Ok(page.items)
}

/// What somebody is called, as far as it is known.
fn called(ask: &Ask, one: &api::PersonLeft) -> String {
    one.name.clone().unwrap_or_else(|| ask.l.t("En tidligere bruger", "A former member").to_owned())
}

/// The card of the members' page.
pub(crate) fn card(ask: &Ask, left: &[api::PersonLeft]) -> Markup {
    let l = ask.l;
    html! {
        section class="card" {
            div class="title" { h2 { (l.t("Har forladt kontoen", "Have left the account")) } }
            div class="table" { table class="stacks" {
                thead { tr { th scope="col" { (l.t("Navn", "Name")) } th scope="col" { (l.t("Fjernet", "Removed")) } th scope="col" class="end" { span class="unseen" { (l.t("Handlinger", "Actions")) } } } }
                tbody { @for one in left { tr {
                    td { span class="main" { (called(ask, one)) } @if let Some(email) = &one.email { span class="sub" { (email) } } }
                    td data-label=(l.t("Fjernet", "Removed")) { (ui::when(&ask.reader, one.left)) }
                    td class="end whole" {
                        @if one.done.is_some() {
                            (ui::badge(Tone::Good, &l.f(|| format!("{} felter slettet i loggen", one.fields), || format!("{} fields erased in the log", one.fields))))
                        } @else if one.asked.is_some() {
                            (ui::badge(Tone::Plain, l.t("Slettes", "Being erased")))
                        } @else {
                            (ui::asks(&format!("/members/left/{}/erase", segment(&one.person)), "small", None, l.t("Slet fra loggen", "Erase from the log")))
                        }
                    }
                } } }
            } }
        }
    }
}

async fn named(ask: &Ask) -> Result<api::PersonLeft, Refusal> {
    those(ask).await?.into_iter().find(|one| one.person == ask.param("person")).ok_or_else(no_page)
}

pub(crate) async fn erase_page(ask: &Ask) -> Result<Reply, Refusal> {
    let one = named(ask).await?;
    let l = ask.l;
    let name = called(ask, &one);
    let title = l.f(|| format!("Slet {name} fra loggen?"), || format!("Erase {name} from the log?"));
    let confirm = Confirm {
        title: &title,
        lead: l.t(
            "Gør det, når personen beder om det, eller når I ikke længere har brug for at vide, hvem det var.",
            "Do this when the person asks for it, or when you need not know any more who it was.",
        ),
        consequences: vec![
            (
                Tone::Bad,
                l.t(
                    "Hvem der gjorde noget, og hvorfra, kan ikke hentes tilbage.",
                    "Who did something, and from where, cannot be brought back.",
                )
                .to_owned(),
            ),
            (
                Tone::Good,
                l.t(
                    "Linjerne selv bliver, og loggen kan stadig efterprøves.",
                    "The lines themselves stay, and the log can still be verified.",
                )
                .to_owned(),
            ),
            (
                Tone::Plain,
                l.t("At det skete, bliver selv en linje.", "That it was done becomes a line itself.").to_owned(),
            ),
        ],
        action: ask.path.as_str(),
        verb: l.t("Slet", "Erase"),
        danger: true,
        back: "/members",
        fields: html! {},
    };
    Ok(ask.sheet(&title).narrow().show(confirm.show(ask)))
}

pub(crate) async fn erase(ask: &Ask) -> Result<Reply, Refusal> {
    let body = api::ErasureCreate { person: ask.param("person").to_owned(), account: None };
    let _: api::Erasure = ask.api.post("/v1/erasures", &body).await?;
    Ok(Reply::see(OwnPath::of("/members")).saying(ask.l.t("Det slettes nu.", "It is being erased now.")))
}
