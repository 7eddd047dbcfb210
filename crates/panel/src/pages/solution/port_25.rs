//! Port 25 out of a server: closed, asked for, or open by an agreement; the form to ask with, and the way to end it.

use super::shapes::{kind, may_change, path, read};
use crate::api::segment;
use crate::ask::{Ask, Reply, no_page};
use crate::own_path::OwnPath;
use crate::say::Say;
use crate::ui::icon::Icon;
use crate::ui::{self, Confirm, Field, Tone, Wrong, form};
use husorden_base::{FieldError, Refusal, Text};
use husorden_wire::api::{self, Agreement, AgreementState, PORT_25};
use maud::{Markup, html};
use serde_json::json;

/// A form of this card was sent.
pub(super) fn sent(ask: &Ask) -> bool {
    ask.form.get("/per_week").is_some()
}

/// How one stands, as a badge.
pub(crate) fn state(ask: &Ask, state: AgreementState) -> Markup {
    let l = ask.l;
    let (tone, text) = match state {
        AgreementState::Asked => (Tone::Busy, l.t("Venter på svar", "Waits for an answer")),
        AgreementState::Agreed => (Tone::Good, l.t("Åben efter aftale", "Open by agreement")),
        AgreementState::Refused => (Tone::Bad, l.t("Afslået", "Refused")),
        AgreementState::Ended => (Tone::Plain, l.t("Slut", "Over")),
    };
    ui::badge(tone, text)
}

/// The card, for what can have port 25 opened.
pub(super) async fn card(ask: &Ask, one: &api::Solution, wrong: &Wrong) -> Result<Markup, Refusal> {
    if !kind(ask, one).is_ok_and(|kind| kind.mails_out()) {
        return Ok(html! {});
    }
    let at = format!("/v1/solutions/{}/agreements", segment(&one.id));
    let page: api::Page<Agreement> = ask.api.get(&at).await?;
    let newest = page.items.first();
    let open = newest.filter(|one| matches!(one.state, AgreementState::Asked | AgreementState::Agreed));
    let may = may_change(ask) && one.aim != "gone";
    let l = ask.l;
    Ok(html! {
        section class="card" id="port-25" {
            div class="title" {
                h2 { (l.t("Mail ud: port 25", "Mail out: port 25")) }
                @match open { Some(open) => (state(ask, open.state)), None => (ui::badge(Tone::Plain, l.t("Lukket", "Closed"))) }
            }
            div class="body stack tight" {
                @match newest { Some(newest) => (told(ask, newest)), None => p { (l.t(
                    "Serveren kan ikke sende mail direkte til andres mailservere. Porte som 465 og 587, som mailprogrammer bruger, er åbne.",
                    "The server cannot send mail straight to others' mail servers. Ports such as 465 and 587, which mail programs use, are open.",
                )) } }
                (refused(ask, one).await)
                @match open {
                    Some(open) if may => (ending(ask, one, open)),
                    None if may => (asking(ask, one, wrong)),
                    _ => {}
                }
            }
        }
    })
}

/// What was asked, and what was said.
fn told(ask: &Ask, one: &Agreement) -> Markup {
    let l = ask.l;
    let said = match one.state {
        AgreementState::Asked => l.t(
            "Der er spurgt, og vi svarer, når vi har set på det. Porten er lukket imens.",
            "It was asked for, and we answer when we have looked at it. The port is closed meanwhile.",
        ),
        AgreementState::Agreed => {
            l.t("Serveren kan sende mail til andres mailservere.", "The server can send mail to others' mail servers.")
        }
        AgreementState::Refused => {
            l.t("Vi har sagt nej, og porten er lukket.", "We have said no, and the port is closed.")
        }
        AgreementState::Ended if one.decided.is_none() => l.t(
            "Anmodningen blev trukket tilbage, og porten er lukket.",
            "The request was withdrawn, and the port is closed.",
        ),
        AgreementState::Ended => {
            l.t("Aftalen er slut, og porten er lukket.", "The agreement is over, and the port is closed.")
        }
    };
    html! {
        p { (said) }
        (facts(ask, one))
        @if let Some(why) = one.end_reason.as_ref().or(one.reason.as_ref()) {
            (ui::note(if one.state == AgreementState::Agreed { Tone::Plain } else { Tone::Warn }, l.t("Vi skrev", "We wrote"), html! { p class="written" { (why) } }))
        }
    }
}

/// The rows of an agreement, for its account and for staff.
pub(crate) fn facts(ask: &Ask, one: &Agreement) -> Markup {
    let l = ask.l;
    let mut rows = vec![
        (l.t("Beskeder om ugen", "Messages a week"), html! { (ask.reader.count(one.per_week.into())) }),
        (l.t("Formål", "Purpose"), html! { span class="written" { (one.purpose) } }),
        (l.t("Spurgt", "Asked"), html! { (ask.reader.at(one.asked)) (by(ask, one.asked_by.as_ref())) }),
    ];
    if let Some(at) = one.decided {
        rows.push((l.t("Besvaret", "Answered"), html! { (ask.reader.at(at)) (by(ask, one.decided_by.as_ref())) }));
    }
    if let Some(at) = one.until {
        rows.push((l.t("Udløber", "Ends by itself"), ask.reader.at(at)));
    } else if one.state == AgreementState::Agreed {
        rows.push((l.t("Udløber", "Ends by itself"), html! { (l.t("Nej", "No")) }));
    }
    if let Some(at) = one.ended {
        rows.push((l.t("Sluttet", "Ended"), html! { (ask.reader.at(at)) (by(ask, one.ended_by.as_ref())) }));
    }
    ui::facts(&rows)
}

fn by(ask: &Ask, who: Option<&api::Signed>) -> Markup {
    html! { @if let Some(who) = who { " " span class="soft" { (ask.l.t("af", "by")) " " (who.words(ask.l)) } } }
}

/// How many attempts were refused, where any were.
async fn refused(ask: &Ask, one: &api::Solution) -> Markup {
    let at = format!("/v1/solutions/{}/figures?hours=24", segment(&one.id));
    let figures: Result<api::Page<api::Figure>, Refusal> = ask.api.get(&at).await;
    // The card says the rest without them.
    let points = figures.ok().and_then(|page| page.items.into_iter().find(|figure| figure.name == "mail-refused"));
    let newest = points.and_then(|figure| figure.points.last().map(|point| point.value.round() as u64)).unwrap_or(0);
    let l = ask.l;
    html! {
        @if newest > 0 {
            p class="soft small" { (l.t("Afviste forsøg på at nå port 25: ", "Refused attempts to reach port 25: ")) (ask.reader.count(newest)) }
        }
    }
}

fn asking(ask: &Ask, one: &api::Solution, wrong: &Wrong) -> Markup {
    let l = ask.l;
    html! {
        details class="more" open[sent(ask)] {
            summary { (l.t("Spørg om at få den åbnet", "Ask to have it opened")) (Icon::chevron()) }
            form method="post" action={ (path(one)) "/port-25" } class="fields inner" {
                (wrong.summary(ask))
                (form::token(ask))
                p class="soft small" { (l.t(
                    "Skriv, hvad du sender, og hvor meget. Vi svarer ja eller nej, og vi siger hvorfor. Spam er aldrig tilladt.",
                    "Say what you send, and how much. We answer yes or no, and we say why. Spam is never allowed.",
                )) " " a href="/rules" { (l.t("Læs husordenen", "Read the house rules")) } }
                (Field { name: "/per_week", label: l.t("Beskeder om ugen", "Messages a week"), help: l.t("Hvor mange du regner med at sende, højst 1.000.000.", "How many you expect to send, at most 1,000,000."), value: ask.form.text("/per_week"), inputmode: Some("numeric"), autocomplete: "off", required: true, max: Some(9), ..Field::default() }.show(ask, wrong))
                (form::lines(ask, wrong, ("/purpose", l.t("Formål", "Purpose"), l.t("Hvad der sendes, og til hvem.", "What is sent, and to whom.")), ask.form.get("/purpose").unwrap_or_default(), true, 1_000))
                div class="actions" { button class="button primary" { (l.t("Send anmodningen", "Send the request")) } }
            }
        }
    }
}

fn ending(ask: &Ask, one: &api::Solution, open: &Agreement) -> Markup {
    let l = ask.l;
    let to = format!("{}/port-25/{}/end", path(one), segment(&open.id));
    html! {
        div class="row" {
            @if open.state == AgreementState::Asked { (ui::asks(&to, "small", None, l.t("Træk anmodningen tilbage", "Withdraw the request"))) }
            @else { (ui::asks(&to, "small", None, l.t("Slut aftalen", "End the agreement"))) }
        }
    }
}

/// Asks.
pub(super) async fn ask_for(ask: &Ask) -> Result<Reply, Refusal> {
    let one = read(ask).await?;
    let typed: String =
        ask.form.text("/per_week").chars().filter(|c| !matches!(c, '.' | ',' | ' ' | '\u{a0}')).collect();
    let Ok(per_week) = typed.parse::<i64>() else {
        let detail = Text::new("Skriv et antal, såsom 2000.", "Write a number, such as 2000.");
        let field = FieldError { pointer: "/per_week".to_owned(), detail };
        return super::page(ask, &one, &Wrong::of(ask, Refusal::fields(vec![field]))).await;
    };
    let body = json!({ "subject": PORT_25, "per_week": per_week, "purpose": ask.form.text("/purpose") });
    match ask.api.post::<Agreement>(&format!("/v1/solutions/{}/agreements", segment(&one.id)), &body).await {
        Ok(_) => Ok(Reply::see(OwnPath::of(path(&one))).saying(ask.l.t(
            "Anmodningen er sendt. Vi svarer her og i en mail.",
            "The request is sent. We answer here and in a mail.",
        ))),
        Err(refusal) => super::page(ask, &one, &Wrong::of(ask, refusal)).await,
    }
}

async fn named(ask: &Ask) -> Result<Agreement, Refusal> {
    ask.api.get(&format!("/v1/agreements/{}", segment(ask.param("agreement")))).await
}

pub(super) async fn end_page(ask: &Ask) -> Result<Reply, Refusal> {
    let (one, agreement) = (read(ask).await?, named(ask).await?);
    let l = ask.l;
    let (title, verb, consequences) = match agreement.state {
        AgreementState::Asked => (
            l.t("Træk anmodningen tilbage?", "Withdraw the request?"),
            l.t("Træk tilbage", "Withdraw"),
            vec![(Tone::Plain, l.t("Port 25 bliver ved med at være lukket.", "Port 25 stays closed."))],
        ),
        AgreementState::Agreed => (
            l.t("Slut aftalen om port 25?", "End the agreement on port 25?"),
            l.t("Slut aftalen", "End the agreement"),
            vec![
                (
                    Tone::Bad,
                    l.t(
                        "Porten lukkes, og åbne forbindelser til port 25 afbrydes. Andre forbindelser bliver.",
                        "The port is closed, and open connections to port 25 are cut. Other connections stay.",
                    ),
                ),
                (
                    Tone::Warn,
                    l.t("Skal den åbnes igen, skal du spørge på ny.", "To have it opened again you have to ask anew."),
                ),
            ],
        ),
        AgreementState::Refused | AgreementState::Ended => return Err(no_page()),
    };
    let confirm = Confirm {
        title,
        lead: "",
        consequences: consequences.into_iter().map(|(tone, text)| (tone, text.to_owned())).collect(),
        action: ask.path.as_str(),
        verb,
        danger: agreement.state == AgreementState::Agreed,
        back: &path(&one),
        fields: html! {},
    };
    Ok(ask.sheet(title).narrow().show(confirm.show(ask)))
}

pub(super) async fn end(ask: &Ask) -> Result<Reply, Refusal> {
    let one = read(ask).await?;
    let ended: Agreement = ask.api.delete(&format!("/v1/agreements/{}", segment(ask.param("agreement")))).await?;
    let l = ask.l;
    let said = match ended.decided {
        Some(_) => l.t("Aftalen er slut, og porten lukkes.", "The agreement is over, and the port is being closed."),
        None => l.t("Anmodningen er trukket tilbage.", "The request is withdrawn."),
    };
    Ok(Reply::see(OwnPath::of(path(&one))).saying(said))
}
