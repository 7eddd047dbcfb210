//! API tokens: what machines let themselves in with. Shown once, scoped, and revoked at once.

use crate::api::{Nothing, segment};
use crate::ask::{Ask, Reply, no_page};
use crate::form::Form;
use crate::own_path::OwnPath;
use crate::say::Say;
use crate::ui::icon::Icon;
use crate::ui::{self, Confirm, Field, Tone, Wrong, form};
use husorden_base::Refusal;
use husorden_wire::api;
use husorden_wire::api::{Capabilities, Capability};
use jiff::{SignedDuration, Timestamp};
use maud::{Markup, html};
use serde_json::json;

/// For how long a token may be chosen to hold, in days; empty is for good.
const DAYS: [&str; 5] = ["30", "90", "365", "7", ""];

pub(crate) async fn list(ask: &Ask) -> Result<Reply, Refusal> {
    let mut typed = Form::default();
    typed.set("read", "on");
    typed.set("days", "90");
    page(ask, &typed, &Wrong::none(ask)).await
}

async fn page(ask: &Ask, typed: &Form, wrong: &Wrong) -> Result<Reply, Refusal> {
    let page: api::Page<api::Token> = ask.api.get("/v1/tokens?limit=200").await?;
    let l = ask.l;
    let title = l.t("API-tokens", "API tokens");
    let lead = l.t(
        "Til programmer, der taler med API'et på kontoens vegne. Giv hvert sit eget, med så lidt adgang som muligt.",
        "For programs that speak to the API for the account. Give each its own, with as little access as will do.",
    );
    Ok(ask.sheet(title).show(html! {
        (ui::head(None, title, lead, html! {}))
        div class="split" {
            section class="card" {
                div class="title" { h2 { (l.t("Tokens", "Tokens")) } }
                @if page.items.is_empty() {
                    (ui::empty(Icon::Key, l.t("Ingen tokens", "No tokens"), l.t("Lav et, når et program skal ind.", "Make one when a program needs in."), html! {}))
                } @else { (table(ask, &page.items)) }
            }
            (ui::card(l.t("Lav et token", "Make a token"), html! {}, html! {
                (wrong.summary(ask))
                form method="post" action="/tokens" class="fields" {
                    (form::token(ask))
                    (Field { name: "/label", label: l.t("Hvad er det til?", "What is it for?"), value: typed.text("/label"), autocomplete: "off", required: true, max: Some(100), ..Field::default() }.show(ask, wrong))
                    fieldset class="stack tight" {
                        legend { (l.t("Det må", "It may")) }
                        @for capability in offered(ask) {
                            (form::tick(capability.word(), &sentence(capability.title().get(l)), "", typed.ticked(capability.word())))
                        }
                    }
                    (form::select(ask, wrong, ("days", l.t("Hvor længe gælder det?", "How long does it hold?"), ""), &DAYS.map(|days| (days, match days {
                        "7" => l.t("7 dage", "7 days"),
                        "30" => l.t("30 dage", "30 days"),
                        "90" => l.t("90 dage", "90 days"),
                        "365" => l.t("Et år", "A year"),
                        _ => l.t("Til det tilbagekaldes", "Until it is revoked"),
                    })), typed.text("days")))
                    button class="button primary" { (l.t("Lav token", "Make token")) }
                }
            }))
        }
    }))
}

fn sentence(text: &str) -> String {
    let mut letters = text.chars();
    letters.next().map_or_else(String::new, |first| first.to_uppercase().chain(letters).collect())
}

/// What the visitor may give a token: what the visitor may.
fn offered(ask: &Ask) -> impl Iterator<Item = Capability> {
    let own = ask.who.as_ref().map_or(Capabilities::NONE, |who| who.capabilities);
    Capability::ALL.into_iter().filter(move |one| *one != Capability::Own && own.has(*one))
}

fn table(ask: &Ask, tokens: &[api::Token]) -> Markup {
    let (l, reader) = (ask.l, &ask.reader);
    html! {
        div class="table" { table class="stacks" {
            thead { tr { th scope="col" { (l.t("Til", "For")) } th scope="col" { (l.t("Gælder til", "Holds until")) } th scope="col" class="end" { span class="unseen" { (l.t("Handlinger", "Actions")) } } } }
            tbody { @for token in tokens { tr {
                td {
                    span class="main" { (token.label) }
                    span class="sub" { (token.scope.capabilities.iter().filter(|one| *one != Capability::Own).map(|one| one.title().get(l).to_owned()).collect::<Vec<_>>().join(", ")) }
                }
                td data-label=(l.t("Gælder til", "Holds until")) {
                    @match token.expires {
                        Some(at) if at <= Timestamp::now() => { (ui::badge(Tone::Plain, l.t("Udløbet", "Expired"))) },
                        Some(at) => { (reader.at(at)) },
                        None => { span class="soft" { (l.t("Til det tilbagekaldes", "Until it is revoked")) } },
                    }
                }
                td class="end whole" { (ui::asks(&format!("/tokens/{}/revoke", segment(&token.id)), "danger small", None, l.t("Tilbagekald", "Revoke"))) }
            } } }
        } }
    }
}

pub(crate) async fn create(ask: &Ask) -> Result<Reply, Refusal> {
    let may: Capabilities = offered(ask).filter(|one| ask.form.ticked(one.word())).collect();
    let days: Option<i64> = ask.form.text("days").parse().ok().filter(|days| (1..=3650).contains(days));
    let expires = days.map(|days| Timestamp::now() + SignedDuration::from_hours(days * 24));
    let body = json!({ "label": ask.form.text("/label"), "scope": { "capabilities": may }, "expires": expires });
    match ask.api.post::<api::Token>("/v1/tokens", &body).await {
        Ok(token) => Ok(shown(ask, &token)),
        Err(refusal) if refusal.code == "step-up-needed" => Err(refusal),
        Err(refusal) => page(ask, &ask.form, &Wrong::of(ask, refusal)).await,
    }
}

fn shown(ask: &Ask, token: &api::Token) -> Reply {
    let l = ask.l;
    let title = l.t("Dit nye token", "Your new token");
    ask.sheet(title).narrow().show(html! {
        (ui::head(Some(("/tokens", l.t("API-tokens", "API tokens"))), title, "", html! {}))
        section class="secret" {
            div class="stack tight" {
                h2 { (l.t("Gem det nu", "Keep it now")) }
                p class="small" { (l.t("Det vises kun denne ene gang. Mister du det, så tilbagekald det og lav et nyt.", "It is shown this once only. If you lose it, revoke it and make a new one.")) }
            }
            (ui::copy_secret(ask, l.t("tokenet", "the token"), token.token.as_deref().unwrap_or_default()))
        }
        div class="row" { (ui::button("/tokens", "primary", None, l.t("Jeg har gemt det", "I have kept it"))) }
    })
}

pub(crate) async fn revoke_page(ask: &Ask) -> Result<Reply, Refusal> {
    let page: api::Page<api::Token> = ask.api.get("/v1/tokens?limit=200").await?;
    let token = page.items.into_iter().find(|token| token.id == ask.param("token")).ok_or_else(no_page)?;
    let l = ask.l;
    let title = l.t("Tilbagekald tokenet?", "Revoke the token?");
    let confirm = Confirm {
        title,
        lead: &token.label,
        consequences: vec![
            (
                Tone::Bad,
                l.t(
                    "Programmer, der bruger det, kommer ikke ind fra næste forespørgsel.",
                    "Programs that use it do not get in from the next request on.",
                )
                .to_owned(),
            ),
            (
                Tone::Plain,
                l.t("Det kan ikke fortrydes; lav et nyt i stedet.", "It cannot be undone; make a new one instead.")
                    .to_owned(),
            ),
        ],
        action: ask.path.as_str(),
        verb: l.t("Tilbagekald", "Revoke"),
        danger: true,
        back: "/tokens",
        fields: html! {},
    };
    Ok(ask.sheet(title).narrow().show(confirm.show(ask)))
}

pub(crate) async fn revoke(ask: &Ask) -> Result<Reply, Refusal> {
    let _: Nothing = ask.api.delete(&format!("/v1/tokens/{}", segment(ask.param("token")))).await?;
    Ok(Reply::see(OwnPath::of("/tokens")).saying(ask.l.t("Tokenet er tilbagekaldt.", "The token is revoked.")))
}
