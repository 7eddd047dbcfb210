//! Who lost the second factor and asks for help: the list, and one with the form on which staff write how they made sure.

use crate::api::segment;
use crate::ask::{Ask, Reply};
use crate::own_path::OwnPath;
use crate::say::Say;
use crate::ui::icon::Icon;
use crate::ui::{self, Tone, Wrong, form};
use husorden_base::Refusal;
use husorden_wire::api::{self, RescueHow, RescueState};
use maud::{Markup, html};

pub(crate) async fn list(ask: &Ask) -> Result<Reply, Refusal> {
    let all = ask.query.text("show") == "all";
    let page: api::Page<api::Rescue> = ask.api.get(&format!("/v1/rescues?limit=200&all={all}")).await?;
    let l = ask.l;
    let title = l.t("Tabt totrinsbekræftelse", "Lost second factors");
    let lead = l.t(
        "Sikr dig, hvem det er, ad en vej, der var kendt før: aldrig ad den, der bad om hjælpen.",
        "Make sure who it is in a way that was known before: never in the one that asked for help.",
    );
    let other = if all {
        ("/rescues", l.t("Kun de åbne", "The open ones only"))
    } else {
        ("/rescues?show=all", l.t("Også de afsluttede", "Those that are over too"))
    };
    Ok(ask.sheet(title).show(html! {
        (ui::head(None, title, lead, ui::button(other.0, "", None, other.1)))
        section class="card" {
            @if page.items.is_empty() {
                (ui::empty(Icon::Key, l.t("Ingen har brug for hjælp", "Nobody needs help"), "", html! {}))
            } @else {
                div class="table" { table class="stacks" {
                    thead { tr { th scope="col" { (l.t("Hvem", "Who")) } th scope="col" { (l.t("Tilstand", "State")) } th scope="col" { (l.t("Sikret af", "Made sure by")) } th scope="col" class="end" { (l.t("Bedt om", "Asked")) } } }
                    tbody { @for one in &page.items { tr {
                        td { a class="main" href={ "/rescues/" (segment(&one.id)) } { (one.name) } span class="sub" { (one.email) } }
                        td data-label=(l.t("Tilstand", "State")) { (state(ask, one.state)) }
                        td data-label=(l.t("Sikret af", "Made sure by")) { (one.checks.len()) }
                        td data-label=(l.t("Bedt om", "Asked")) class="end soft" { (ask.reader.at(one.asked)) }
                    } } }
                } }
            }
        }
    }))
}

fn state(ask: &Ask, state: RescueState) -> Markup {
    let l = ask.l;
    let (tone, text) = match state {
        RescueState::Asked => (Tone::Warn, l.t("Venter på os", "Waits for us")),
        RescueState::Waiting => (Tone::Plain, l.t("Ventetiden går", "The delay runs")),
        RescueState::Open => (Tone::Plain, l.t("Linket er sendt", "The link was sent")),
        RescueState::Used => (Tone::Good, l.t("Brugt", "Used")),
        RescueState::Stopped => (Tone::Bad, l.t("Stoppet af medlemmet", "Stopped by the member")),
        RescueState::Expired => (Tone::Plain, l.t("Forældet", "Too old")),
    };
    ui::badge(tone, text)
}

fn how(ask: &Ask, how: RescueHow) -> &'static str {
    let l = ask.l;
    match how {
        RescueHow::InPerson => l.t("Mødte op med legitimation", "Came with an identity document"),
        RescueHow::Video => l.t("Videoopkald med legitimation", "Video call with an identity document"),
        RescueHow::CallBack => l.t("Opkald til det nummer, vi havde før", "Call to the number we had before"),
        RescueHow::Letter => l.t("Brev til indehaverens adresse, besvaret", "Letter to the holder's address, answered"),
    }
}

pub(crate) async fn show(ask: &Ask) -> Result<Reply, Refusal> {
    page(ask, &Wrong::none(ask)).await
}

async fn page(ask: &Ask, wrong: &Wrong) -> Result<Reply, Refusal> {
    let one: api::Rescue = ask.api.get(&format!("/v1/rescues/{}", segment(ask.param("rescue")))).await?;
    let l = ask.l;
    let title = l.t("Tabt totrinsbekræftelse", "Lost second factors");
    let rows = [
        (l.t("Tilstand", "State"), state(ask, one.state)),
        ("E-mail", html! { (one.email) }),
        (l.t("Bedt om", "Asked"), ask.reader.at(one.asked)),
        (l.t("Fra netværket", "From the network"), html! { code { (one.network) } }),
        (l.t("Linket sendes", "The link is sent"), ui::when(&ask.reader, one.opens)),
        (
            l.t("Konti", "Accounts"),
            html! { @for account in &one.accounts { div { a href={ "/accounts/" (segment(&account.account)) } { (account.name) } " " span class="soft" { (account.role.word()) } } } },
        ),
    ];
    let open = matches!(one.state, RescueState::Asked | RescueState::Waiting);
    Ok(ask.sheet(&one.name).show(html! {
        (ui::head(Some(("/rescues", title)), &one.name, "", html! {}))
        div class="split" {
            div class="stack" {
                @for check in &one.checks {
                    (ui::card(check.name.as_deref().unwrap_or(&check.by), ask.reader.at(check.at), html! { p { strong { (how(ask, check.how)) } } p { (check.note) } }))
                }
                @if open { (check_card(ask, &one, wrong)) }
            }
            (ui::card(l.t("Kort fortalt", "In short"), html! {}, ui::facts(&rows)))
        }
    }))
}

fn check_card(ask: &Ask, one: &api::Rescue, wrong: &Wrong) -> Markup {
    let l = ask.l;
    let chosen = ask.form.text("/how");
    let says = if one.checks.is_empty() {
        l.t(
            "Medlemmet får besked med det samme, og ventetiden begynder. En anden fra personalet kan gøre den kortere.",
            "The member is told at once, and the delay begins. Another one of staff can shorten it.",
        )
    } else {
        l.t("Du er nummer to: linket sendes med det samme.", "You are the second: the link is sent at once.")
    };
    ui::card(
        l.t("Jeg har sikret mig, hvem det er", "I made sure who it is"),
        html! {},
        html! {
            p class="soft small" { (says) }
            (wrong.summary(ask))
            form method="post" action=(format!("/rescues/{}", segment(&one.id))) class="fields" {
                (form::token(ask))
                fieldset class="radios" {
                    legend { (l.t("Hvordan", "How")) }
                    @for way in RescueHow::ALL {
                        label class="radio" { input type="radio" name="/how" value=(way.word()) checked[way.word() == chosen] required; span class="name" { (how(ask, way)) } }
                    }
                }
                (form::area(ask, wrong, ("/note", l.t("Hvad du så eller hørte", "What you saw or heard"), l.t("Det bliver bevis, og kontoen kan læse det.", "It becomes evidence, and the account can read it.")), ask.form.get("/note").unwrap_or_default(), true))
                button class="button primary" { (l.t("Skriv det ned", "Write it down")) }
            }
        },
    )
}

pub(crate) async fn check(ask: &Ask) -> Result<Reply, Refusal> {
    let how = RescueHow::ALL.into_iter().find(|way| way.word() == ask.form.text("/how")).unwrap_or(RescueHow::CallBack);
    let body = api::RescueCheckCreate { how, note: ask.form.text("/note").to_owned() };
    let id = segment(ask.param("rescue"));
    match ask.api.post::<api::Rescue>(&format!("/v1/rescues/{id}/checks"), &body).await {
        Ok(_) => Ok(Reply::see(OwnPath::of(format!("/rescues/{id}")))
            .saying(ask.l.t("Skrevet ned. Medlemmet har fået besked.", "Written down. The member was told."))),
        Err(refusal) if refusal.code == "step-up-needed" => Err(refusal),
        Err(refusal) => page(ask, &Wrong::of(ask, refusal)).await,
    }
}
