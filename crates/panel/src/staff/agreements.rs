//! Agreements: those that wait for an answer first, then those in force, then the rest; and one with the form of the answer.

use crate::api::segment;
use crate::ask::{Ask, Reply};
use crate::form::Form;
use crate::own_path::OwnPath;
use crate::pages::solution::port_25::{facts, state};
use crate::say::Say;
use crate::ui::icon::Icon;
use crate::ui::{self, Field, Tone, Wrong, form};
use husorden_base::{Refusal, Text};
use husorden_wire::api::{self, Agreement, AgreementState, Capability};
use jiff::civil::DateTime;
use maud::{Markup, html};
use serde_json::json;

pub(crate) async fn list(ask: &Ask) -> Result<Reply, Refusal> {
    super::staff_only(ask).await?;
    let waiting: api::Page<Agreement> = ask.api.get("/v1/agreements?state=asked&limit=200").await?;
    let agreed: api::Page<Agreement> = ask.api.get("/v1/agreements?state=agreed&limit=200").await?;
    let mut query = Form::default();
    query.add("after", ask.query.text("after"));
    query.add("limit", "100");
    let page: api::Page<Agreement> = ask.api.get(&format!("/v1/agreements?{}", query.query())).await?;
    let over = |one: &&Agreement| matches!(one.state, AgreementState::Refused | AgreementState::Ended);
    let (waits, holds, over): (Vec<&Agreement>, Vec<&Agreement>, Vec<&Agreement>) =
        (waiting.items.iter().collect(), agreed.items.iter().collect(), page.items.iter().filter(over).collect());
    let first = ask.query.text("after").is_empty();
    let l = ask.l;
    let title = l.t("Aftaler", "Agreements");
    let lead = l.t(
        "Port 25 ud er lukket for alle. En aftale åbner den for én server.",
        "Port 25 out is closed to all. An agreement opens it to one server.",
    );
    Ok(ask.sheet(title).live("/live").show(html! {
        (ui::head(None, title, lead, html! {}))
        div id="waiting" data-live {
            (ui::card_flush(l.t("Venter på svar", "Wait for an answer"), html! {}, html! {
                @if waits.is_empty() { (ui::empty(Icon::Check, l.t("Ingen venter", "Nobody waits"), l.t("Alle, der har spurgt, har fået svar.", "Everybody who asked has an answer."), html! {})) }
                @else { (table(ask, &waits)) }
            }))
        }
        @if !holds.is_empty() { (ui::card_flush(l.t("Gælder", "In force"), html! {}, table(ask, &holds))) }
        @if !over.is_empty() || page.next.is_some() || !first {
            (ui::card_flush(l.t("Afslåede og sluttede", "Refused and over"), html! {}, html! {
                @if !over.is_empty() { (table(ask, &over)) }
                (ui::pager(ask, "after", first, page.next.as_deref()))
            }))
        }
    }))
}

fn table(ask: &Ask, agreements: &[&Agreement]) -> Markup {
    let l = ask.l;
    html! {
        div class="table" { table class="stacks" {
            thead { tr {
                th scope="col" { (l.t("Server", "Server")) }
                th scope="col" { (l.t("Formål", "Purpose")) }
                th scope="col" class="end" { (l.t("Om ugen", "A week")) }
                th scope="col" { (l.t("Tilstand", "State")) }
                th scope="col" class="end" { (l.t("Spurgt", "Asked")) }
            } }
            tbody { @for one in agreements { tr {
                td class="nowrap" { a class="main" href=(path(&one.id)) { (one.solution_name) } span class="sub" { (one.account_name) } }
                td class="whole" { (one.purpose.chars().take(160).collect::<String>()) @if one.purpose.chars().count() > 160 { "…" } }
                td data-label=(l.t("Om ugen", "A week")) class="end num" { (ask.reader.count(one.per_week.into())) }
                td data-label=(l.t("Tilstand", "State")) { (state(ask, one.state)) }
                td data-label=(l.t("Spurgt", "Asked")) class="end soft nowrap" { (ask.reader.ago(one.asked)) }
            } } }
        } }
    }
}

fn path(id: &str) -> String {
    format!("/agreements/{}", segment(id))
}

async fn read(ask: &Ask) -> Result<Agreement, Refusal> {
    ask.api.get(&format!("/v1/agreements/{}", segment(ask.param("agreement")))).await
}

pub(crate) async fn show(ask: &Ask) -> Result<Reply, Refusal> {
    super::staff_only(ask).await?;
    page(ask, &read(ask).await?, &Wrong::none(ask)).await
}

async fn page(ask: &Ask, one: &Agreement, wrong: &Wrong) -> Result<Reply, Refusal> {
    let l = ask.l;
    let title =
        l.f(|| format!("Port 25 ud af {}", one.solution_name), || format!("Port 25 out of {}", one.solution_name));
    let may = ask.may(Capability::CaseDecide);
    let why = one.end_reason.as_ref().or(one.reason.as_ref());
    Ok(ask.sheet(&title).show(html! {
        (ui::head(Some(("/agreements", l.t("Aftaler", "Agreements"))), &title, "", state(ask, one.state)))
        div class="split" {
            div class="stack" {
                @match one.state {
                    AgreementState::Asked if may => (deciding(ask, one, wrong)),
                    AgreementState::Agreed if may => (ending(ask, one, wrong)),
                    _ => {}
                }
                @if let Some(why) = why { (ui::card(l.t("Vi skrev", "We wrote"), html! {}, html! { p class="written" { (why) } })) }
            }
            (ui::card(l.t("Kort fortalt", "In short"), html! {}, html! {
                p { a href={ "/accounts/" (segment(&one.account)) } { (one.account_name) } }
                (facts(ask, one))
            }))
        }
    }))
}

fn deciding(ask: &Ask, one: &Agreement, wrong: &Wrong) -> Markup {
    let l = ask.l;
    let chosen = ask.form.text("/agree");
    let zone = ask.reader.zone.iana_name().unwrap_or("UTC");
    let until_help = l.f(
        || format!("Kun med et ja. I din tidszone, {zone}. Uden tidspunkt gælder aftalen, til nogen slutter den."),
        || format!("With a yes alone. In your time zone, {zone}. Without a moment the agreement holds until somebody ends it."),
    );
    let id = form::id("/agree");
    ui::card(
        l.t("Svar", "Answer"),
        html! {},
        html! {
            (wrong.summary(ask))
            form method="post" action={ (path(&one.id)) "/decide" } class="fields" {
                (form::token(ask))
                input type="hidden" name="_version" value=(one.version);
                fieldset class="radios" id=(id) {
                    legend { (l.t("Svaret er", "The answer is")) }
                    label class="radio" { input type="radio" name="/agree" value="yes" checked[chosen == "yes"] required; span class="name" { (l.t("Ja", "Yes")) } span class="help" { (l.t("Porten åbnes med det samme.", "The port is opened at once.")) } }
                    label class="radio" { input type="radio" name="/agree" value="no" checked[chosen == "no"] required; span class="name" { (l.t("Nej", "No")) } span class="help" { (l.t("Skriv hvorfor, og hvad de kan gøre i stedet.", "Say why, and what they can do instead.")) } }
                    (form::errors_of(&id, &wrong.exactly("/agree")))
                }
                (form::lines(ask, wrong, ("/reason", l.t("Hvorfor", "Why"), l.t("Kunden læser det. Skal med ved et nej.", "The customer reads it. Needed with a no.")), ask.form.get("/reason").unwrap_or_default(), false, 1_000))
                (Field { name: "/until", label: l.t("Udløber", "Ends by itself"), help: &until_help, kind: "datetime-local", value: ask.form.text("/until"), optional: true, ..Field::default() }.show(ask, wrong))
                button class="button primary" { (l.t("Send svaret", "Send the answer")) }
            }
        },
    )
}

fn ending(ask: &Ask, one: &Agreement, wrong: &Wrong) -> Markup {
    let l = ask.l;
    ui::card(
        l.t("Slut aftalen", "End the agreement"),
        html! {},
        html! {
            (ui::note(Tone::Warn, "", html! { p { (l.t(
                "Porten lukkes med det samme, åbne forbindelser til port 25 afbrydes, og kunden får din begrundelse.",
                "The port is closed at once, open connections to port 25 are cut, and the customer is told why.",
            )) } }))
            (wrong.summary(ask))
            form method="post" action={ (path(&one.id)) "/end" } class="fields" {
                (form::token(ask))
                input type="hidden" name="_version" value=(one.version);
                (form::lines(ask, wrong, ("/reason", l.t("Hvorfor", "Why"), l.t("Kunden læser det.", "The customer reads it.")), ask.form.get("/reason").unwrap_or_default(), true, 1_000))
                button class="button danger" { (l.t("Slut aftalen", "End the agreement")) }
            }
        },
    )
}

/// What was written, as the API takes it.
fn answer(ask: &Ask) -> Result<serde_json::Value, Refusal> {
    let mut body = json!({ "agree": ask.form.text("/agree") == "yes", "reason": ask.form.text("/reason") });
    let until = ask.form.text("/until");
    if !until.is_empty() {
        let local = until.parse::<DateTime>().and_then(|local| local.to_zoned(ask.reader.zone.clone()));
        let local = local.map_err(|_| {
            Refusal::field("/until", Text::new("Skriv en dag og et klokkeslæt.", "Write a day and a time of day."))
        })?;
        body["until"] = json!(local.timestamp());
    }
    Ok(body)
}

pub(crate) async fn decide(ask: &Ask) -> Result<Reply, Refusal> {
    let body = match answer(ask) {
        Ok(body) => body,
        Err(refusal) => return page(ask, &read(ask).await?, &Wrong::of(ask, refusal)).await,
    };
    let l = ask.l;
    send(ask, "decide", &body, l.t("Svaret er sendt.", "The answer is sent.")).await
}

pub(crate) async fn end(ask: &Ask) -> Result<Reply, Refusal> {
    let body = json!({ "reason": ask.form.text("/reason") });
    send(ask, "end", &body, ask.l.t("Aftalen er slut.", "The agreement is over.")).await
}

async fn send(ask: &Ask, verb: &str, body: &serde_json::Value, said: &'static str) -> Result<Reply, Refusal> {
    let id = ask.param("agreement");
    let at = format!("/v1/agreements/{}/{verb}", segment(id));
    match ask.api.post_if::<Agreement>(&at, body, ask.form.text("_version")).await {
        Ok(_) => Ok(Reply::see(OwnPath::of("/agreements".to_owned())).saying(said)),
        Err(refusal) if refusal.code == "step-up-needed" => Err(refusal),
        Err(refusal) => page(ask, &read(ask).await?, &Wrong::of(ask, refusal)).await,
    }
}
