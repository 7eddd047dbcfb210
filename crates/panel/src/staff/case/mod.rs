//! One case: facts, notes, measures with how far each is, complaints, and the ways on.

pub(super) mod act;
pub(super) mod decide;
mod forfeit;

use super::cases::badges;
use crate::api::segment;
use crate::ask::{Ask, Reply};
use crate::form::Form;
use crate::own_path::OwnPath;
use crate::say::Say;
use crate::ui::icon::Icon;
use crate::ui::{self, Step, Tone, Wrong, form};
use husorden_base::{Refusal, Text};
use husorden_wire::api;
use husorden_wire::api::Capability;
use jiff::{SignedDuration, Timestamp};
use maud::{Markup, html};
use serde_json::json;

/// How long a step-up must still hold for a form to be shown that needs it when it is sent.
const STEP_UP_LEFT: SignedDuration = SignedDuration::from_mins(5);
/// After how many seconds the page is loaded again without JavaScript while a measure is under way.
const REFRESH_S: u32 = 5;

/// The case in the path.
async fn read(ask: &Ask) -> Result<api::Case, Refusal> {
    ask.api.get(&format!("/v1/cases/{}", segment(ask.param("case")))).await
}

fn path(case: &api::Case) -> String {
    format!("/cases/{}", segment(&case.number))
}

fn to(case: &str) -> OwnPath {
    OwnPath::of(format!("/cases/{}", segment(case)))
}

/// The API's word for what changed since it was read, said of a case.
fn stale(refusal: Refusal) -> Refusal {
    if refusal.code != "changed-meanwhile" {
        return refusal;
    }
    Refusal::new(
        "changed-meanwhile",
        412,
        Text::new("Sagen er ændret, siden du læste den", "The case was changed since you read it"),
        Text::new(
            "En anden ved skranken har gjort noget i den. Intet er sendt, og det, du skrev, står her endnu. Læs sagen igen, før du sender.",
            "Somebody else at the desk did something in it. Nothing was sent, and what you wrote still stands here. Read the case again before you send.",
        ),
    )
}

/// The version that a form carries on: the one it was read at, until its visitor is told that there is another.
fn version(ask: &Ask, case: &api::Case, wrong: &Wrong) -> String {
    match ask.form.get("_version") {
        Some(seen) if !wrong.is("changed-meanwhile") => seen.to_owned(),
        _ => case.version.to_string(),
    }
}

/// The step-up comes before the form, so that nothing that was typed is lost to it. A token has none and needs none.
async fn step_up_first(ask: &Ask) -> Option<Reply> {
    let session: api::Session = ask.api.get("/v1/session").await.ok()?;
    let holds = session.stepped_up_until.is_some_and(|until| until >= Timestamp::now() + STEP_UP_LEFT);
    let mut query = Form::default();
    query.add("then", ask.path.as_str());
    (!holds).then(|| Reply::see(OwnPath::of(format!("/step-up?{}", query.query()))))
}

/// Whether something is under way that a page should be looked at again for: not yet carried out, or not yet seen.
fn settled(measure: &api::Measure) -> bool {
    let seen = measure.seen.as_ref().map(|seen| seen.what.as_str());
    match measure.state.as_str() {
        "in-force" => seen == Some("closed"),
        "lifted" => true,
        _ => false,
    }
}

pub(crate) async fn show(ask: &Ask) -> Result<Reply, Refusal> {
    let case = read(ask).await?;
    Ok(page(ask, &case, &Form::default(), &Wrong::none(ask)))
}

fn page(ask: &Ask, case: &api::Case, typed: &Form, wrong: &Wrong) -> Reply {
    let l = ask.l;
    let title = l.f(|| format!("Sag {}", case.number), || format!("Case {}", case.number));
    let busy = case.measures.iter().any(|measure| !settled(measure));
    let base = path(case);
    ask.sheet(&title).live("/live").source(&base).refresh(busy.then_some(REFRESH_S)).show(html! {
        (ui::head(Some(("/cases", l.t("Sager", "Cases"))), &title, "", html! { span id="state" data-live { (badges(ask, case)) } (ways(ask, case)) }))
        div id="late" data-live { (late(ask, case)) }
        div class="split" {
            div class="stack" {
                (ui::card(l.t("Det ved vi", "What we know"), html! {}, html! { p { (case.facts) } }))
                div class="stack" id="measures" data-live { @for measure in case.measures.iter().rev() { (measure_card(ask, case, measure)) } }
                div class="stack" id="complaints" data-live { (complaints(ask, case)) }
            }
            div class="stack" {
                (in_short(ask, case))
                (notes(ask, case, typed, wrong))
            }
        }
    })
}

fn ways(ask: &Ask, case: &api::Case) -> Markup {
    let l = ask.l;
    let base = path(case);
    html! {
        @if case.state == "open" && ask.may(Capability::CaseDecide) {
            (ui::button(&format!("{base}/decide"), "primary", Some(Icon::Scale), l.t("Træf afgørelse", "Decide")))
            (ui::button(&format!("{base}/close"), "", None, l.t("Luk sagen", "Close the case")))
        }
    }
}

/// The alarm: decided or lifted, and a node has not carried it out.
fn late(ask: &Ask, case: &api::Case) -> Markup {
    let l = ask.l;
    html! {
        @for measure in case.measures.iter().filter(|measure| measure.late) {
            (ui::note(Tone::Bad,
                if measure.state == "lifting" { l.t("En ophævelse er ikke ført ud på alle noder", "A lift is not carried out on every node") }
                else { l.t("En afgørelse er ikke ført ud på alle noder", "A decision is not carried out on every node") },
                html! {
                    p { (l.t("Der er gået mere end ti sekunder. Den er ikke i kraft overalt, før den står sådan her. Se, om noderne er forbundet.", "More than ten seconds have passed. It is not in force everywhere until it says so here. See whether the nodes are connected.")) }
                    p { a href="/" { (l.t("Se noderne", "See the nodes")) } }
                }))
        }
    }
}

fn in_short(ask: &Ask, case: &api::Case) -> Markup {
    let (l, reader) = (ask.l, &ask.reader);
    let mut rows = vec![
        (
            l.t("Konto", "Account"),
            html! { a href={ "/accounts/" (segment(&case.account)) } { strong { (case.account_name) } } },
        ),
        (
            l.t("Løsning", "Solution"),
            html! { @match &case.solution_name { Some(name) => { (name) }, None => { (l.t("Hele kontoen", "The whole account")) } } },
        ),
        (l.t("Punkt i husordenen", "Clause of the house rules"), html! { code { (case.clause) } }),
        (l.t("Åbnet", "Opened"), reader.at(case.created)),
        (l.t("Af", "By"), ui::whom(ask, case.opened_by_whom.as_ref(), &case.opened_by)),
    ];
    if let Some(closed) = case.closed {
        rows.push((l.t("Lukket", "Closed"), reader.at(closed)));
    }
    if let Some(closing) = &case.closing {
        rows.push((l.t("Hvorfor", "Why"), html! { (closing) }));
    }
    match &case.referral {
        Some(api::Referral::Made { reference }) => {
            rows.push((l.t("Meldt til politiet", "Reported to the police"), html! { (reference) }));
        }
        Some(api::Referral::NotDue { reason }) => {
            rows.push((l.t("Ikke meldt til politiet", "Not reported to the police"), html! { (reason) }));
        }
        None => {}
    }
    ui::card(l.t("Kort fortalt", "In short"), html! {}, ui::facts(&rows))
}

/// What a measure holds, in words.
fn about(ask: &Ask, case: &api::Case, measure: &api::Measure) -> String {
    let l = ask.l;
    if measure.scope["of"] == "account" {
        return l.f(
            || format!("Hele kontoen {}", case.account_name),
            || format!("The whole account {}", case.account_name),
        );
    }
    let id = measure.scope["id"].as_str().unwrap_or_default();
    let name = case.solution_name.as_deref().filter(|_| case.solution.as_deref() == Some(id)).unwrap_or(id);
    l.f(|| format!("Løsningen {name}"), || format!("The solution {name}"))
}

fn measure_card(ask: &Ask, case: &api::Case, measure: &api::Measure) -> Markup {
    let (l, reader) = (ask.l, &ask.reader);
    let badge = match measure.state.as_str() {
        "in-force" => ui::badge(Tone::Bad, l.t("I kraft", "In force")),
        "lifted" => ui::badge(Tone::Good, l.t("Ophævet", "Lifted")),
        "lifting" => ui::badge(Tone::Busy, l.t("Ophæves", "Being lifted")),
        "kept" => ui::badge(Tone::Busy, l.t("På noden, endnu ikke i kraft", "On the node, not yet in force")),
        _ => ui::badge(Tone::Busy, l.t("Besluttet, endnu ikke i kraft", "Decided, not yet in force")),
    };
    let mut rows = vec![
        (l.t("Punkt", "Clause"), html! { code { (measure.clause) } }),
        (l.t("Fakta til kontoen", "Facts for the account"), html! { (measure.facts) }),
        (l.t("Begrundelse", "Reasons"), html! { (measure.reasons) }),
        (l.t("Kontoen må stadig", "The account may still"), html! { (access(ask, &measure.access)) }),
        (
            l.t("Indtil", "Until"),
            html! { @match measure.ends { Some(at) => { (reader.at(at)) }, None => { (l.t("Den ophæves", "It is lifted")) } } },
        ),
    ];
    if let Some(by) = &measure.decided_by {
        rows.push((l.t("Besluttet af", "Decided by"), ui::whom(ask, measure.decided_by_whom.as_ref(), by)));
    }
    if !measure.forfeits.is_empty() {
        rows.push((l.t("Fortabt", "Forfeited"), ui::forfeits(ask, &measure.forfeits)));
    }
    if let Some(reasons) = &measure.lift_reasons {
        rows.push((l.t("Hvorfor ophævet", "Why lifted"), html! { (reasons) }));
    }
    let held = !["lifted", "lifting"].contains(&measure.state.as_str());
    let lift = html! { div class="row" {
        (badge)
        @if held && ask.may(Capability::CaseDecide) {
            (ui::button(&format!("{}/lift/{}", path(case), segment(&measure.id)), "small", None, l.t("Ophæv", "Lift")))
        }
    } };
    ui::card(
        &about(ask, case, measure),
        lift,
        html! { div class="stack" {
            @if held { (steps(ask, measure)) } @else { (seen_after(ask, measure)) }
            (ui::facts(&rows))
        } },
    )
}

/// How far a measure is; a step is done only when it was met.
fn steps(ask: &Ask, measure: &api::Measure) -> Markup {
    let (l, reader) = (ask.l, &ask.reader);
    let kept = measure.state != "ordered";
    let force = measure.state == "in-force";
    let closed = measure.seen.as_ref().filter(|seen| force && seen.what == "closed");
    let step = |done: bool, before: bool| match (done, before) {
        (true, _) => Step::Done,
        (false, true) => Step::Now,
        (false, false) => Step::Later,
    };
    let seen = match (&measure.seen, closed) {
        (_, Some(seen)) => l.f(
            || format!("{}, af {}", reader.at_text(seen.at), seen.by),
            || format!("{}, by {}", reader.at_text(seen.at), seen.by),
        ),
        (Some(seen), None) if force => match &seen.why {
            Some(why) => why.get(l).to_owned(),
            None => l.t("Ikke set endnu; der prøves igen.", "Not seen yet; it is tried again.").to_owned(),
        },
        _ => String::new(),
    };
    ui::steps(&[
        (Step::Done, l.t("Besluttet", "Decided"), reader.at_text(measure.starts)),
        (step(kept, true), l.t("Skrevet ned på noden", "Written down on the node"), String::new()),
        (
            step(force, kept),
            l.t("I kraft: kanten afviser", "In force: the edge refuses"),
            measure.in_force.map(|at| reader.at_text(at)).unwrap_or_default(),
        ),
        (step(closed.is_some(), force), l.t("Set udefra: lukket", "Seen from outside: closed"), seen),
    ])
}

/// What was met from outside after a measure was lifted.
fn seen_after(ask: &Ask, measure: &api::Measure) -> Markup {
    let (l, reader) = (ask.l, &ask.reader);
    html! {
        @if let Some(seen) = measure.seen.as_ref().filter(|seen| seen.what == "open") {
            p class="soft small" { (l.t("Set udefra: åben igen", "Seen from outside: open again")) " · " (reader.at(seen.at)) }
        } @else {
            p class="soft small" { (l.t("Endnu ikke set udefra, at den er åben igen.", "Not yet seen from outside that it is open again.")) }
        }
    }
}

/// What the account may still do.
fn access<'a>(ask: &Ask, word: &'a str) -> &'a str {
    let l = ask.l;
    match word {
        "full" => l.t("alt andet end det, der er lukket", "do everything but what is closed"),
        "decision" => l.t("se afgørelsen og klage", "see the decision and complain"),
        "data-out" => {
            l.t("se afgørelsen, klage og hente sine data ud", "see the decision, complain and take its data out")
        }
        "none" => l.t("intet", "do nothing"),
        other => other,
    }
}

fn complaints(ask: &Ask, case: &api::Case) -> Markup {
    let (l, reader) = (ask.l, &ask.reader);
    html! {
        @for complaint in &case.complaints {
            @let answer = html! { div class="row" {
                (outcome(ask, complaint))
                @if complaint.outcome.is_none() && ask.may(Capability::CaseDecide) {
                    (ui::button(&format!("{}/answer/{}", path(case), segment(&complaint.id)), "small primary", None, l.t("Svar", "Answer")))
                }
            } };
            (ui::card(l.t("Klage", "Complaint"), answer, html! {
                p { (complaint.text) }
                p class="faint small" { (ui::whom(ask, complaint.by_whom.as_ref(), &complaint.by)) " · " (reader.at(complaint.made)) }
                @if let Some(answer) = &complaint.answer { (ui::note(Tone::Plain, l.t("Vores svar", "Our answer"), html! {
                    p { (answer) }
                    @if let Some(whom) = &complaint.answered_by_whom { p class="faint small" { (whom.words(l)) " · " (ui::when(reader, complaint.answered)) } }
                })) }
            }))
        }
    }
}

/// What became of a complaint.
pub(super) fn outcome(ask: &Ask, complaint: &api::Complaint) -> Markup {
    let l = ask.l;
    match complaint.outcome.as_deref() {
        Some("upheld") => ui::badge(Tone::Good, l.t("Medhold", "Upheld")),
        Some(_) => ui::badge(Tone::Plain, l.t("Afvist", "Rejected")),
        None => ui::badge(Tone::Warn, l.t("Venter på svar", "Waits for an answer")),
    }
}

fn notes(ask: &Ask, case: &api::Case, typed: &Form, wrong: &Wrong) -> Markup {
    let (l, reader) = (ask.l, &ask.reader);
    ui::card(
        l.t("Noter", "Notes"),
        html! {},
        html! {
            div class="stack tight" id="notes" data-live {
                @if case.notes.is_empty() { p class="soft small" { (l.t("Ingen noter endnu.", "No notes yet.")) } }
                @for note in &case.notes {
                    div { p { (note.text) } p class="faint small" { (ui::whom(ask, note.by_whom.as_ref(), &note.by)) " · " (reader.at(note.at)) } }
                }
            }
            @if ask.may(Capability::CaseHandle) {
                (wrong.summary(ask))
                form method="post" action={ (path(case)) "/notes" } class="fields" {
                    (form::token(ask))
                    (form::area(ask, wrong, ("/text", l.t("Ny note", "New note"), l.t("Kun personalet læser den. Den kan ikke ændres bagefter.", "Only staff read it. It cannot be changed afterwards.")), typed.get("/text").unwrap_or_default(), true))
                    button class="button" { (l.t("Tilføj", "Add")) }
                }
            }
        },
    )
}

pub(crate) async fn note(ask: &Ask) -> Result<Reply, Refusal> {
    let body = json!({ "text": ask.form.get("/text").unwrap_or_default() });
    match ask.api.post::<api::Case>(&format!("/v1/cases/{}/notes", segment(ask.param("case"))), &body).await {
        Ok(case) => Ok(Reply::see(to(&case.number)).saying(ask.l.t("Noten er tilføjet.", "The note is added."))),
        Err(refusal) => {
            let case = read(ask).await?;
            Ok(page(ask, &case, &ask.form, &Wrong::of(ask, refusal)))
        }
    }
}
