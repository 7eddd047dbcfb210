//! The decision: a form, then what it will do, then the measure. The version of the case that was read goes with it, so that
//! of two at one desk the second is told; whatever is refused, what was typed stays.

use super::super::cases::{clause_field, clauses};
use super::{access, forfeit, path, read, stale, step_up_first, to, version};
use crate::api::segment;
use crate::ask::{Ask, Reply};
use crate::form::Form;
use crate::say::Say;
use crate::ui::icon::Icon;
use crate::ui::{self, Field, Tone, Wrong, form};
use husorden_base::{Refusal, Text};
use husorden_rules::DecisionForm;
use husorden_wire::api;
use jiff::Timestamp;
use jiff::civil::DateTime;
use maud::{Markup, html};
use serde_json::{Value, json};

/// Solutions that a case about a whole account offers to decide on.
const SOLUTIONS: &str = "200";
/// The fields that go from the form to what is asked, and on.
const FIELDS: [&str; 7] = ["/scope", "/clause", "/facts", "/reasons", "/access", "/work", "/ends"];

/// What can be held: the value in the form, and its name.
async fn scopes(ask: &Ask, case: &api::Case) -> Result<Vec<(String, String)>, Refusal> {
    let l = ask.l;
    let named = |name: &str| l.f(|| format!("Løsningen {name}"), || format!("The solution {name}"));
    let mut scopes = Vec::new();
    if let Some(id) = &case.solution {
        scopes.push((format!("solution:{id}"), named(case.solution_name.as_deref().unwrap_or(id))));
    }
    let whole = l.f(
        || format!("Hele kontoen {}, med alt, hvad den har", case.account_name),
        || format!("The whole account {}, with all it has", case.account_name),
    );
    scopes.push((format!("account:{}", case.account), whole));
    if case.solution.is_none() {
        let at = format!("/v1/solutions?account={}&limit={SOLUTIONS}", segment(&case.account));
        let page: api::Page<api::Solution> = ask.api.get(&at).await?;
        let there = page.items.iter().filter(|one| one.state != "deleted");
        scopes.extend(there.map(|one| (format!("solution:{}", one.id), named(&one.name))));
    }
    Ok(scopes)
}

pub(crate) async fn page(ask: &Ask) -> Result<Reply, Refusal> {
    if let Some(reply) = step_up_first(ask).await {
        return Ok(reply);
    }
    let case = read(ask).await?;
    let mut typed = Form::default();
    typed.set("/clause", case.clause.as_str());
    typed.set("/facts", case.facts.as_str());
    typed.set("/access", "decision");
    typed.set("/work", "cut");
    door(ask, &case, &typed, &Wrong::none(ask)).await
}

async fn door(ask: &Ask, case: &api::Case, typed: &Form, wrong: &Wrong) -> Result<Reply, Refusal> {
    let (clauses, scopes) = (clauses(ask).await?, scopes(ask, case).await?);
    let ends = forfeit::read(ask, case, None).await?;
    let options: Vec<(&str, &str)> = scopes.iter().map(|(value, name)| (value.as_str(), name.as_str())).collect();
    let l = ask.l;
    let base = path(case);
    let crumb = l.f(|| format!("Sag {}", case.number), || format!("Case {}", case.number));
    let title = l.t("Træf afgørelse", "Decide");
    let lead = l.t(
        "Kontohaveren læser punktet, fakta og begrundelsen, som du skriver dem her. Intet sker, før du har set, hvad der vil ske, og bekræftet.",
        "The account holder reads the clause, the facts and the reasons as you write them here. Nothing happens before you have seen what will happen and confirmed.",
    );
    let accesses: Vec<(&str, &str)> =
        ["decision", "full", "data-out", "none"].into_iter().map(|word| (word, access(ask, word))).collect();
    let works = [
        ("cut", l.t("Stoppes", "Is stopped")),
        (
            "waits",
            l.t("Fryses, hvor det kan, og fortsætter bagefter", "Is frozen where it can be, and goes on afterwards"),
        ),
        ("goes", l.t("Kører videre bag en lukket port, hvor det kan", "Goes on behind a closed port where it can")),
    ];
    let zone = ask.reader.zone.iana_name().unwrap_or("UTC");
    let ends_help = l.f(
        || format!("I din tidszone, {zone}. Uden tidspunkt gælder den, til den ophæves."),
        || format!("In your time zone, {zone}. Without a moment it holds until it is lifted."),
    );
    Ok(ask.sheet(title).narrow().show(html! {
        (ui::head(Some((&base, &crumb)), title, lead, html! {}))
        (wrong.summary(ask))
        section class="card" { div class="body" {
            form method="post" action={ (base) "/decide" } class="fields" {
                (form::token(ask))
                input type="hidden" name="_version" value=(version(ask, case, wrong));
                (form::select(ask, wrong, ("/scope", l.t("Hvad gælder den?", "What does it hold?"), ""), &options, typed.text("/scope")))
                (clause_field(ask, wrong, &clauses, typed.text("/clause")))
                (form::area(ask, wrong, ("/facts", l.t("Det er sket", "What happened"), l.t("Fra sagens fakta. Ret det til: kontohaveren læser det, der står her.", "From the case's facts. Edit it: the account holder reads what stands here.")), typed.get("/facts").unwrap_or_default(), true))
                (form::area(ask, wrong, ("/reasons", l.t("Hvorfor", "Why"), l.t("Mindst 20 tegn. Kontohaveren læser det.", "At least 20 characters. The account holder reads it.")), typed.get("/reasons").unwrap_or_default(), true))
                (form::select(ask, wrong, ("/access", l.t("Kontoen må stadig", "The account may still"), ""), &accesses, typed.text("/access")))
                (form::select(ask, wrong, ("/work", l.t("Det, der kører", "What runs"), l.t("Virtuelle maskiner kan fryses eller køre videre; alt andet stoppes.", "Virtual machines can be frozen or go on; everything else is stopped.")), &works, typed.text("/work")))
                (Field { name: "/ends", label: l.t("Slutter af sig selv", "Ends by itself"), help: &ends_help, kind: "datetime-local", value: typed.text("/ends"), optional: true, ..Field::default() }.show(ask, wrong))
                (forfeit::boxes(ask, wrong, &ends, typed))
                (form::actions(l.t("Se, hvad der vil ske", "See what will happen"), Some((&base, l.t("Fortryd", "Cancel")))))
            }
        } }
    }))
}

/// The decision as the API takes it, from what was typed.
fn body(ask: &Ask, typed: &Form) -> Result<Value, Refusal> {
    let (of, id) = typed.text("/scope").split_once(':').unwrap_or_default();
    let mut body = json!({
        "scope": { "of": of, "id": id },
        "clause": typed.text("/clause"),
        "facts": typed.get("/facts").unwrap_or_default(),
        "reasons": typed.get("/reasons").unwrap_or_default(),
        "access": typed.text("/access"),
        "fates": { "work": typed.get("/work").unwrap_or("cut") },
    });
    if typed.ticked(forfeit::FIELD) {
        body["forfeits"] = json!(typed.all(forfeit::FIELD).collect::<Vec<_>>());
    }
    let ends = typed.text("/ends");
    if !ends.is_empty() {
        let local = ends.parse::<DateTime>().and_then(|local| local.to_zoned(ask.reader.zone.clone()));
        let local = local.map_err(|_| {
            let detail = Text::new("Skriv en dag og et klokkeslæt", "Write a day and a time of day");
            Refusal::field("/ends", detail)
        })?;
        body["ends"] = json!(local.timestamp());
    }
    Ok(body)
}

pub(crate) async fn send(ask: &Ask) -> Result<Reply, Refusal> {
    let case = read(ask).await?;
    if ask.form.ticked("_edit") {
        return door(ask, &case, &ask.form, &Wrong::none(ask)).await;
    }
    let body = match body(ask, &ask.form) {
        Ok(body) => body,
        Err(refusal) => return door(ask, &case, &ask.form, &Wrong::of(ask, refusal)).await,
    };
    if !ask.form.ticked("_sure") {
        // What the API would refuse is said before anybody is asked whether they are sure.
        let checked = serde_json::from_value::<DecisionForm>(body)
            .map_err(|_| Refusal::field("/scope", Text::new("Vælg, hvad den gælder", "Choose what it holds")))
            .and_then(|form| form.check(Timestamp::now()));
        return match checked {
            Ok(_) => sure(ask, &case).await,
            Err(refusal) => door(ask, &case, &ask.form, &Wrong::of(ask, refusal)).await,
        };
    }
    let at = format!("/v1/cases/{}/decisions", segment(&case.id));
    match ask.api.post_if::<api::Measure>(&at, &body, ask.form.text("_version")).await {
        Ok(_) => {
            Ok(Reply::see(to(&case.number)).saying(ask.l.t(
                "Afgørelsen er truffet. Her ser du, hvor langt den er.",
                "It is decided. Here you see how far it is.",
            )))
        }
        Err(refusal) if refusal.code == "step-up-needed" => Err(refusal),
        // After a 412 the form carries the version that stands: who sends it again has been told.
        Err(refusal) => door(ask, &case, &ask.form, &Wrong::of(ask, stale(refusal))).await,
    }
}

/// What will happen, before it does.
async fn sure(ask: &Ask, case: &api::Case) -> Result<Reply, Refusal> {
    let typed = &ask.form;
    let scopes = scopes(ask, case).await?;
    let scope = scopes.iter().find(|(value, _)| value == typed.text("/scope"));
    let Some((_, scope)) = scope else {
        let wrong = Refusal::field("/scope", Text::new("Vælg, hvad den gælder", "Choose what it holds"));
        return door(ask, case, typed, &Wrong::of(ask, wrong)).await;
    };
    let ends = forfeit::read(ask, case, Some(typed)).await?;
    let l = ask.l;
    let may = access(ask, typed.text("/access"));
    let until = typed.text("/ends");
    let title = l.t("Er det sådan, det skal være?", "Is this how it is to be?");
    let mut consequences = vec![
        (
            Tone::Bad,
            l.f(
                || {
                    format!(
                        "{scope}: holder op med at svare fremmede inden for sekunder og viser i stedet sagens nummer."
                    )
                },
                || {
                    format!(
                        "{scope}: stops answering strangers within seconds and shows the number of the case instead."
                    )
                },
            ),
        ),
        (Tone::Bad, l.f(|| format!("Kontoen må stadig {may}."), || format!("The account may still {may}."))),
        (
            Tone::Plain,
            l.t(
                "Kontohaveren får afgørelsen med det, du har skrevet, og kan klage.",
                "The account holder gets the decision with what you wrote, and can complain.",
            )
            .to_owned(),
        ),
        (
            Tone::Good,
            l.t(
                "Den kan ophæves igen når som helst; data bliver, hvor de er.",
                "It can be lifted again at any time; the data stays where it is.",
            )
            .to_owned(),
        ),
    ];
    consequences.splice(2..2, forfeit::sentences(ask, &ends).into_iter().map(|said| (Tone::Bad, said)));
    let rows: Vec<(&str, Markup)> = vec![
        (l.t("Punkt", "Clause"), html! { code { (typed.text("/clause")) } }),
        (l.t("Det er sket", "What happened"), html! { (typed.text("/facts")) }),
        (l.t("Hvorfor", "Why"), html! { (typed.text("/reasons")) }),
        (
            l.t("Indtil", "Until"),
            html! { @if until.is_empty() { (l.t("Den ophæves", "It is lifted")) } @else { (until) } },
        ),
    ];
    Ok(ask.sheet(title).narrow().show(html! {
        section class="card" { div class="body" {
            h1 { (title) }
            ul class="consequences" {
                @for (tone, text) in &consequences {
                    li class=(tone.class()) {
                        (match tone { Tone::Good => Icon::Check, Tone::Bad | Tone::Warn => Icon::Alert, Tone::Plain | Tone::Busy => Icon::Info }.show())
                        span { (text) }
                    }
                }
            }
            (ui::facts(&rows))
            form method="post" action={ (path(case)) "/decide" } class="stack" {
                (form::token(ask))
                input type="hidden" name="_version" value=(typed.text("_version"));
                @for name in FIELDS { input type="hidden" name=(name) value=(typed.get(name).unwrap_or_default()); }
                (forfeit::hidden(typed))
                div class="actions" {
                    button class="button danger fill" name="_sure" value="on" { (l.t("Træf afgørelsen", "Decide")) }
                    button class="button quiet" name="_edit" value="on" { (l.t("Ret den til", "Edit it")) }
                }
            }
        } }
    }))
}
