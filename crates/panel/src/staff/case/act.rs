//! What is done in a case besides deciding: lifting a measure, answering a complaint, closing the case.

use super::super::cases::clauses;
use super::{about, path, read, stale, step_up_first, to, version};
use crate::api::segment;
use crate::ask::{Ask, Reply, no_page};
use crate::say::Say;
use crate::ui::{Confirm, Field, Tone, Wrong, form};
use husorden_base::Refusal;
use husorden_wire::api;
use maud::{Markup, html};
use serde_json::json;

/// The reasons that every one of these asks for.
fn reasons(ask: &Ask, wrong: &Wrong, help: &str) -> Markup {
    let label = ask.l.t("Hvorfor", "Why");
    form::area(ask, wrong, ("/reasons", label, help), ask.form.get("/reasons").unwrap_or_default(), true)
}

fn read_by_holder(ask: &Ask) -> &'static str {
    ask.l.t("Mindst 20 tegn. Kontohaveren læser det.", "At least 20 characters. The account holder reads it.")
}

/// The choice between two or three, as radio buttons.
fn choices(ask: &Ask, wrong: &Wrong, name: &str, legend: &str, options: &[(&str, &str, &str)]) -> Markup {
    let chosen = ask.form.text(name);
    let id = form::id(name);
    html! {
        fieldset class="radios" id=(id) {
            legend { (legend) }
            @for (value, title, help) in options {
                label class="radio" {
                    input type="radio" name=(name) value=(value) checked[*value == chosen] required;
                    span class="name" { (title) }
                    @if !help.is_empty() { span class="help" { (help) } }
                }
            }
            (form::errors_of(&id, &wrong.exactly(name)))
        }
    }
}

fn show(ask: &Ask, wrong: &Wrong, confirm: &Confirm<'_>) -> Reply {
    ask.sheet(confirm.title).narrow().show(html! { (wrong.summary(ask)) (confirm.show(ask)) })
}

pub(crate) async fn lift_page(ask: &Ask) -> Result<Reply, Refusal> {
    match step_up_first(ask).await {
        Some(reply) => Ok(reply),
        None => lift_door(ask, &Wrong::none(ask)).await,
    }
}

async fn lift_door(ask: &Ask, wrong: &Wrong) -> Result<Reply, Refusal> {
    let case = read(ask).await?;
    let measure = case.measures.iter().find(|measure| measure.id == ask.param("measure")).ok_or_else(no_page)?;
    let l = ask.l;
    let held = about(ask, &case, measure);
    let confirm = Confirm {
        title: l.t("Ophæv foranstaltningen?", "Lift the measure?"),
        lead: &held,
        consequences: vec![
            (
                Tone::Good,
                l.t(
                    "Det, der var lukket, åbner igen, medmindre en anden afgørelse også holder det.",
                    "What was closed opens again, unless another decision holds it too.",
                )
                .to_owned(),
            ),
            (
                Tone::Plain,
                l.t("Kontohaveren får det at vide, med begrundelsen.", "The account holder is told, with the reasons.")
                    .to_owned(),
            ),
            (
                Tone::Warn,
                l.t(
                    "Den samme foranstaltning kan ikke sættes i kraft igen; det kræver en ny afgørelse.",
                    "The same measure cannot be put in force again; that takes a new decision.",
                )
                .to_owned(),
            ),
        ],
        action: ask.path.as_str(),
        verb: l.t("Ophæv", "Lift"),
        danger: false,
        back: &path(&case),
        fields: reasons(ask, wrong, read_by_holder(ask)),
    };
    Ok(show(ask, wrong, &confirm))
}

pub(crate) async fn lift(ask: &Ask) -> Result<Reply, Refusal> {
    let body = api::MeasureLift { reasons: ask.form.get("/reasons").unwrap_or_default().to_owned() };
    match ask.api.post::<api::Measure>(&format!("/v1/measures/{}/lift", segment(ask.param("measure"))), &body).await {
        Ok(_) => Ok(Reply::see(to(ask.param("case")))
            .saying(ask.l.t("Foranstaltningen ophæves.", "The measure is being lifted."))),
        Err(refusal) if refusal.code == "step-up-needed" => Err(refusal),
        Err(refusal) => lift_door(ask, &Wrong::of(ask, refusal)).await,
    }
}

pub(crate) async fn answer_page(ask: &Ask) -> Result<Reply, Refusal> {
    match step_up_first(ask).await {
        Some(reply) => Ok(reply),
        None => answer_door(ask, &Wrong::none(ask)).await,
    }
}

async fn answer_door(ask: &Ask, wrong: &Wrong) -> Result<Reply, Refusal> {
    let case = read(ask).await?;
    let named = |complaint: &&api::Complaint| complaint.id == ask.param("complaint");
    let complaint = case.complaints.iter().find(named).ok_or_else(no_page)?;
    let l = ask.l;
    let outcomes = [
        (
            "upheld",
            l.t("Medhold", "Upheld"),
            l.t("Foranstaltningen ophæves i samme øjeblik.", "The measure is lifted at the same moment."),
        ),
        ("rejected", l.t("Afvist", "Rejected"), l.t("Foranstaltningen bliver.", "The measure stays.")),
    ];
    let confirm = Confirm {
        title: l.t("Svar på klagen", "Answer the complaint"),
        lead: &complaint.text,
        consequences: vec![
            (
                Tone::Plain,
                l.t(
                    "Kontohaveren læser svaret og begrundelsen.",
                    "The account holder reads the answer and the reasons.",
                )
                .to_owned(),
            ),
            (
                Tone::Warn,
                l.t(
                    "En klage besvares én gang; svaret kan ikke ændres.",
                    "A complaint is answered once; the answer cannot be changed.",
                )
                .to_owned(),
            ),
        ],
        action: ask.path.as_str(),
        verb: l.t("Send svaret", "Send the answer"),
        danger: false,
        back: &path(&case),
        fields: html! {
            (choices(ask, wrong, "/outcome", l.t("Afgørelse", "Outcome"), &outcomes))
            (reasons(ask, wrong, read_by_holder(ask)))
        },
    };
    Ok(show(ask, wrong, &confirm))
}

pub(crate) async fn answer(ask: &Ask) -> Result<Reply, Refusal> {
    let body = json!({ "outcome": ask.form.text("/outcome"), "reasons": ask.form.get("/reasons").unwrap_or_default() });
    let at = format!("/v1/complaints/{}/answer", segment(ask.param("complaint")));
    match ask.api.post::<api::Complaint>(&at, &body).await {
        Ok(_) => {
            Ok(Reply::see(to(ask.param("case"))).saying(ask.l.t("Klagen er besvaret.", "The complaint is answered.")))
        }
        Err(refusal) if refusal.code == "step-up-needed" => Err(refusal),
        Err(refusal) => answer_door(ask, &Wrong::of(ask, refusal)).await,
    }
}

pub(crate) async fn close_page(ask: &Ask) -> Result<Reply, Refusal> {
    close_door(ask, &Wrong::none(ask)).await
}

async fn close_door(ask: &Ask, wrong: &Wrong) -> Result<Reply, Refusal> {
    let case = read(ask).await?;
    let criminal = clauses(ask).await?.iter().any(|clause| clause.id == case.clause && clause.criminal);
    let l = ask.l;
    let title = l.f(|| format!("Luk sag {}?", case.number), || format!("Close case {}?", case.number));
    let referrals = [
        ("made", l.t("Sagen er meldt til politiet", "The case was reported to the police"), ""),
        ("not-due", l.t("Den skulle ikke meldes", "No report was due"), ""),
    ];
    let police = html! {
        (choices(ask, wrong, "/referral", l.t("Punktet kan være strafbart", "The clause may be a crime"), &referrals))
        (Field { name: "/referral/reference", label: l.t("Politiets nummer, eller hvordan den er sendt", "The police's reference, or how it was sent"), value: ask.form.text("/referral/reference"), optional: true, max: Some(1_000), ..Field::default() }.show(ask, wrong))
        (form::area(ask, wrong, ("/referral/reason", l.t("Hvorfor den ikke skulle meldes", "Why no report was due"), l.t("Mindst 20 tegn, når den ikke er meldt.", "At least 20 characters, when it was not reported.")), ask.form.get("/referral/reason").unwrap_or_default(), false))
    };
    let confirm = Confirm {
        title: &title,
        lead: "",
        consequences: vec![
            (
                Tone::Plain,
                l.t(
                    "En sag kan kun lukkes, når intet i den holder, og ingen klage venter.",
                    "A case can only be closed when nothing in it holds and no complaint waits.",
                )
                .to_owned(),
            ),
            (
                Tone::Warn,
                l.t(
                    "En lukket sag åbnes ikke igen; er der mere, åbnes en ny.",
                    "A closed case is not opened again; if there is more, another is opened.",
                )
                .to_owned(),
            ),
        ],
        action: ask.path.as_str(),
        verb: l.t("Luk sagen", "Close the case"),
        danger: false,
        back: &path(&case),
        fields: html! {
            input type="hidden" name="_version" value=(version(ask, &case, wrong));
            (reasons(ask, wrong, l.t("Kun personalet læser det.", "Only staff read it.")))
            @if criminal { (police) }
        },
    };
    Ok(show(ask, wrong, &confirm))
}

pub(crate) async fn close(ask: &Ask) -> Result<Reply, Refusal> {
    let text = |name: &str| ask.form.text(name).to_owned();
    let referral = match ask.form.text("/referral") {
        "made" => Some(api::Referral::Made { reference: text("/referral/reference") }),
        "not-due" => Some(api::Referral::NotDue { reason: text("/referral/reason") }),
        _ => None,
    };
    let body = api::CaseClose { reasons: text("/reasons"), referral };
    let at = format!("/v1/cases/{}/close", segment(ask.param("case")));
    match ask.api.post_if::<api::Case>(&at, &body, ask.form.text("_version")).await {
        Ok(case) => Ok(Reply::see(to(&case.number)).saying(ask.l.t("Sagen er lukket.", "The case is closed."))),
        Err(refusal) => close_door(ask, &Wrong::of(ask, stale(refusal))).await,
    }
}
