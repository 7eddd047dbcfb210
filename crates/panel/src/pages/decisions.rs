//! Decisions about the account: the list, the statement of reasons of each, and complaints.

use crate::api::segment;
use crate::ask::{Ask, Reply};
use crate::own_path::OwnPath;
use crate::say::Say;
use crate::ui::icon::Icon;
use crate::ui::{self, Tone, Wrong, form};
use husorden_base::Refusal;
use husorden_wire::api;
use husorden_wire::api::Capability;
use maud::{Markup, html};
use serde_json::json;

/// Every decision, the newest first.
pub(crate) async fn list(ask: &Ask) -> Result<Reply, Refusal> {
    let page: api::Page<api::Measure> = ask.api.get("/v1/measures?limit=200").await?;
    let l = ask.l;
    let title = l.t("Afgørelser", "Decisions");
    let lead = l.t(
        "Når husordenen bliver brudt, træffer et menneske hos os en afgørelse. Her står hver af dem, hvorfor, og hvordan du klager.",
        "When the house rules are broken, a person with us decides. Here stands each decision, why, and how to complain.",
    );
    Ok(ask.sheet(title).live("/live").show(html! {
        (ui::head(None, title, lead, html! {}))
        section class="card" id="decisions" data-live {
            @if page.items.is_empty() {
                (ui::empty(Icon::Scale, l.t("Ingen afgørelser", "No decisions"), l.t("Der er ikke truffet nogen afgørelse om kontoen. Sådan skal det gerne blive ved med at være.", "Nothing has been decided about the account. May it stay that way."), html! { a class="button" href="/rules" { (l.t("Læs husordenen", "Read the house rules")) } }))
            } @else {
                div class="table" { table class="stacks" {
                    thead { tr { th scope="col" { (l.t("Sag", "Case")) } th scope="col" { (l.t("Punkt", "Clause")) } th scope="col" { (l.t("Tilstand", "State")) } th scope="col" class="end" { (l.t("Siden", "Since")) } } }
                    tbody { @for measure in page.items.iter().rev() { tr {
                        td { a class="main" href={ "/decisions/" (measure.id) } { (measure.case_number) } }
                        td data-label=(l.t("Punkt", "Clause")) { code { (measure.clause) } }
                        td data-label=(l.t("Tilstand", "State")) { (state(ask, measure)) }
                        td data-label=(l.t("Siden", "Since")) class="end soft" { (ask.reader.at(measure.starts)) }
                    } } }
                } }
            }
        }
    }))
}

/// How a measure stands, as the account sees it.
fn state(ask: &Ask, measure: &api::Measure) -> Markup {
    let l = ask.l;
    match measure.state.as_str() {
        "in-force" => ui::badge(Tone::Bad, l.t("I kraft", "In force")),
        "lifted" => ui::badge(Tone::Good, l.t("Ophævet", "Lifted")),
        "lifting" => ui::badge(Tone::Busy, l.t("Ophæves", "Being lifted")),
        _ => ui::badge(Tone::Warn, l.t("Besluttet, føres ud", "Decided, being carried out")),
    }
}

pub(crate) async fn show(ask: &Ask) -> Result<Reply, Refusal> {
    page(ask, &Wrong::none(ask)).await
}

async fn page(ask: &Ask, wrong: &Wrong) -> Result<Reply, Refusal> {
    let statement: api::Statement = ask.api.get(&format!("/v1/measures/{}", segment(ask.param("measure")))).await?;
    let measure = &statement.measure;
    let (l, reader) = (ask.l, &ask.reader);
    let title = l.f(
        || format!("Afgørelse i sag {}", measure.case_number),
        || format!("Decision in case {}", measure.case_number),
    );
    let about = statement.solution_name.clone().unwrap_or_else(|| l.t("Hele kontoen", "The whole account").to_owned());
    let rows = [
        (l.t("Gælder", "Is about"), html! { strong { (about) } }),
        (
            l.t("Punkt i husordenen", "Clause of the house rules"),
            html! {
                a href={ "/rules#" (measure.clause) } { code { (measure.clause) } }
                @if let Some(version) = &measure.rules_version { span class="faint" { (l.f(|| format!("udgave {version}"), || format!("version {version}"))) } }
            },
        ),
        (l.t("Siden", "Since"), reader.at(measure.starts)),
        (
            l.t("Indtil", "Until"),
            html! { @match measure.ends { Some(at) => { (reader.at(at)) }, None => { (l.t("Den ophæves", "It is lifted")) } } },
        ),
        (l.t("Ophævet", "Lifted"), ui::when(reader, measure.lifted)),
        (
            l.t("Truffet af", "Decided by"),
            html! {
                (if statement.automated { l.t("Et menneske med hjælp af en maskine", "A person helped by a machine") } else { l.t("Et menneske", "A person") })
                @if let Some(whom) = &measure.decided_by_whom { span class="sub" { (whom.words(l)) } }
            },
        ),
    ];
    Ok(ask.sheet(&title).live("/live").show(html! {
        (ui::head(Some(("/decisions", l.t("Afgørelser", "Decisions"))), &title, "", html! { span id="state" data-live { (state(ask, measure)) } }))
        div class="split" {
            div class="stack" {
                (ui::card(l.t("Det er sket", "What happened"), html! {}, html! { p { (measure.facts) } }))
                (ui::card(l.t("Hvorfor", "Why"), html! {}, html! { p { (measure.reasons) } }))
                @if !statement.restricted.is_empty() {
                    (ui::card(l.t("Det betyder", "What it means"), html! {}, html! { ul { @for line in &statement.restricted { li { (line) } } } }))
                }
                @if !measure.forfeits.is_empty() { (ui::card(l.t("Det fortabte", "What is forfeited"), html! {}, ui::forfeits(ask, &measure.forfeits))) }
                @if let Some(reasons) = &measure.lift_reasons { (ui::card(l.t("Hvorfor den blev ophævet", "Why it was lifted"), html! {}, html! { p { (reasons) } })) }
            }
            div class="stack" {
                (ui::card(l.t("Kort fortalt", "In short"), html! {}, ui::facts(&rows)))
                (complaints(ask, &statement, wrong))
            }
        }
    }))
}

fn complaints(ask: &Ask, statement: &api::Statement, wrong: &Wrong) -> Markup {
    let (l, reader) = (ask.l, &ask.reader);
    ui::card(
        l.t("Klage", "Complaint"),
        html! {},
        html! {
            @for complaint in &statement.complaints {
                div class="stack tight" {
                    div class="row apart" {
                        @match complaint.outcome.as_deref() {
                            Some("upheld") => { (ui::badge(Tone::Good, l.t("Du fik medhold", "Upheld"))) },
                            Some(_) => { (ui::badge(Tone::Plain, l.t("Afvist", "Rejected"))) },
                            None => { (ui::badge(Tone::Busy, l.t("Venter på svar", "Waits for an answer"))) },
                        }
                        span class="faint small" { (reader.at(complaint.made)) }
                    }
                    p class="small" { (complaint.text) }
                    @if let Some(answer) = &complaint.answer { (ui::note(Tone::Plain, l.t("Vores svar", "Our answer"), html! {
                        p { (answer) }
                        @if let Some(whom) = &complaint.answered_by_whom { p class="faint small" { (whom.words(l)) } }
                    })) }
                }
            }
            @if statement.can_complain && ask.may(Capability::Complain) {
                (wrong.summary(ask))
                form method="post" action={ "/decisions/" (segment(&statement.measure.id)) "/complaints" } class="fields" {
                    (form::token(ask))
                    (form::area(ask, wrong, ("/text", l.t("Hvorfor er afgørelsen forkert?", "Why is the decision wrong?"), l.t("Et menneske læser din klage og svarer med en begrundelse.", "A person reads your complaint and answers with reasons.")), ask.form.get("/text").unwrap_or_default(), true))
                    button class="button primary" { (l.t("Send klagen", "Send the complaint")) }
                }
            } @else if statement.complaints.is_empty() {
                p class="soft small" { (l.t("Der kan ikke klages nu.", "No complaint can be made now.")) }
            }
        },
    )
}

pub(crate) async fn complain(ask: &Ask) -> Result<Reply, Refusal> {
    let measure = segment(ask.param("measure"));
    let body = json!({ "text": ask.form.get("/text").unwrap_or_default() });
    match ask.api.post::<api::Complaint>(&format!("/v1/measures/{measure}/complaints"), &body).await {
        Ok(_) => Ok(Reply::see(OwnPath::of(format!("/decisions/{measure}")))
            .saying(ask.l.t("Klagen er sendt. Svaret kommer her.", "The complaint is sent. The answer comes here."))),
        Err(refusal) => page(ask, &Wrong::of(ask, refusal)).await,
    }
}
