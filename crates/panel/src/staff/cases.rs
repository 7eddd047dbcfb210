//! Cases: the list, and the form that opens one.

use crate::api::segment;
use crate::ask::{Ask, Reply};
use crate::form::Form;
use crate::own_path::OwnPath;
use crate::say::Say;
use crate::ui::icon::Icon;
use crate::ui::{self, Field, Tone, Wrong, form};
use husorden_base::Refusal;
use husorden_wire::api;
use husorden_wire::api::Capability;
use maud::{Markup, html};

/// Lines of a page.
const LINES: &str = "50";

/// The cases, newest first.
pub(crate) async fn list(ask: &Ask) -> Result<Reply, Refusal> {
    let mut query = Form::default();
    for name in ["q", "after", "account", "solution"] {
        query.add(name, ask.query.text(name));
    }
    let show = ask.query.text("show");
    match show {
        "closed" => query.add("state", "closed"),
        "waiting" => query.add("complaint", "waiting"),
        "all" => {}
        _ => query.add("state", "open"),
    }
    query.add("limit", LINES);
    let page: api::Page<api::Case> = ask.api.get(&format!("/v1/cases?{}", query.query())).await?;
    let first = ask.query.text("after").is_empty();
    let l = ask.l;
    let title = l.t("Sager", "Cases");
    let lead = l.t(
        "En sag samler det, vi ved, det, vi beslutter, og det, der bliver klaget over.",
        "A case gathers what we know, what we decide, and what is complained about.",
    );
    let shows = [
        ("open", l.t("Åbne", "Open")),
        ("waiting", l.t("Klage venter", "Complaint waits")),
        ("closed", l.t("Lukkede", "Closed")),
        ("all", l.t("Alle", "All")),
    ];
    let filter = html! {
        select name="show" aria-label=(l.t("Vis", "Show")) {
            @for (value, text) in shows { option value=(value) selected[value == show] { (text) } }
        }
    };
    Ok(ask.sheet(title).live("/live").show(html! {
        (ui::head(None, title, lead, open_button(ask)))
        (ui::search(ask, l.t("Nummer, fakta eller konto", "Number, facts or account"), filter))
        section class="card" id="cases" data-live {
            @if page.items.is_empty() {
                (ui::empty(Icon::Scale, l.t("Ingen sager her", "No cases here"), l.t("Ingen sag passer til det, der er valgt.", "No case fits what is chosen."), open_button(ask)))
            } @else {
                (table(ask, &page.items, true))
                (ui::pager(ask, "after", first, page.next.as_deref()))
            }
        }
    }))
}

fn open_button(ask: &Ask) -> Markup {
    html! {
        @if ask.may(Capability::CaseHandle) {
            (ui::button("/cases/open", "primary", Some(Icon::Add), ask.l.t("Åbn en sag", "Open a case")))
        }
    }
}

/// Cases in a table, with or without whose they are.
pub(super) fn table(ask: &Ask, cases: &[api::Case], whose: bool) -> Markup {
    let l = ask.l;
    html! {
        div class="table" { table class="stacks" {
            thead { tr {
                th scope="col" { (l.t("Sag", "Case")) }
                th scope="col" { (l.t("Om", "About")) }
                th scope="col" { (l.t("Punkt", "Clause")) }
                th scope="col" { (l.t("Tilstand", "State")) }
            } }
            tbody { @for case in cases { tr {
                td class="nowrap" { a class="main" href={ "/cases/" (case.number) } { (case.number) } span class="sub" { (ask.reader.ago(case.created)) } }
                td data-label=(l.t("Om", "About")) {
                    @match &case.solution_name {
                        Some(name) if whose => { span { (case.account_name) span class="sub" { (name) } } },
                        Some(name) => { (name) },
                        None if whose => { (case.account_name) },
                        None => { (l.t("Hele kontoen", "The whole account")) },
                    }
                }
                td data-label=(l.t("Punkt", "Clause")) class="nowrap" { code { (case.clause) } }
                td data-label=(l.t("Tilstand", "State")) { (badges(ask, case)) }
            } } }
        } }
    }
}

/// How a case stands: open or closed, what holds in it, what waits, what is late.
pub(super) fn badges(ask: &Ask, case: &api::Case) -> Markup {
    let l = ask.l;
    let holds = case.measures.iter().any(|measure| measure.state != "lifted");
    let late = case.measures.iter().any(|measure| measure.late);
    let waits = case.complaints.iter().any(|complaint| complaint.outcome.is_none());
    html! {
        span class="row" {
            @if case.state == "closed" { (ui::badge(Tone::Good, l.t("Lukket", "Closed"))) } @else { (ui::badge(Tone::Plain, l.t("Åben", "Open"))) }
            @if holds { (ui::badge(Tone::Bad, l.t("Foranstaltning", "Measure"))) }
            @if late { (ui::badge(Tone::Bad, l.t("Forsinket", "Late"))) }
            @if waits { (ui::badge(Tone::Warn, l.t("Klage venter", "Complaint waits"))) }
        }
    }
}

/// The clauses to choose from, with their titles in the reader's language.
pub(super) async fn clauses(ask: &Ask) -> Result<Vec<api::RulesClause>, Refusal> {
    let rules: api::Rules = ask.api.get("/v1/rules").await?;
    Ok(rules.clauses)
}

/// The choice of a clause.
pub(super) fn clause_field(ask: &Ask, wrong: &Wrong, clauses: &[api::RulesClause], chosen: &str) -> Markup {
    let l = ask.l;
    let titles: Vec<(&str, String)> =
        clauses.iter().map(|clause| (clause.id.as_str(), format!("{} ({})", clause.title.get(l), clause.id))).collect();
    let mut options = vec![("", l.t("Vælg et punkt", "Choose a clause"))];
    options.extend(titles.iter().map(|(id, title)| (*id, title.as_str())));
    form::select(ask, wrong, ("/clause", l.t("Punkt i husordenen", "Clause of the house rules"), ""), &options, chosen)
}

pub(crate) async fn open_page(ask: &Ask) -> Result<Reply, Refusal> {
    super::staff_only(ask).await?;
    let mut typed = Form::default();
    typed.set("/solution", ask.query.text("solution"));
    typed.set("/account", ask.query.text("account"));
    open_door(ask, &typed, &Wrong::none(ask)).await
}

async fn open_door(ask: &Ask, typed: &Form, wrong: &Wrong) -> Result<Reply, Refusal> {
    let clauses = clauses(ask).await?;
    let l = ask.l;
    let title = l.t("Åbn en sag", "Open a case");
    let lead = l.t(
        "Sagen er vores egen: kontoen hører først om den, når der bliver truffet en afgørelse.",
        "The case is our own: the account hears of it only when something is decided.",
    );
    Ok(ask.sheet(title).narrow().show(html! {
        (ui::head(Some(("/cases", l.t("Sager", "Cases"))), title, lead, html! {}))
        (wrong.summary(ask))
        section class="card" { div class="body" {
            form method="post" action="/cases/open" class="fields" {
                (form::token(ask))
                (Field { name: "/solution", label: l.t("Løsning", "Solution"), help: l.t("Dens id. Lad feltet være tomt, hvis sagen er om hele kontoen.", "Its id. Leave it empty when the case is about the whole account."), value: typed.text("/solution"), optional: true, max: Some(100), ..Field::default() }.show(ask, wrong))
                (Field { name: "/account", label: l.t("Konto", "Account"), help: l.t("Navn eller id, når sagen ikke er om én løsning.", "Name or id, when the case is not about one solution."), value: typed.text("/account"), optional: true, max: Some(100), ..Field::default() }.show(ask, wrong))
                (clause_field(ask, wrong, &clauses, typed.text("/clause")))
                (form::area(ask, wrong, ("/facts", l.t("Det ved vi", "What we know"), l.t("Kun personalet læser det.", "Only staff read it.")), typed.get("/facts").unwrap_or_default(), true))
                (form::actions(l.t("Åbn sagen", "Open the case"), Some(("/cases", l.t("Fortryd", "Cancel")))))
            }
        } }
    }))
}

pub(crate) async fn open(ask: &Ask) -> Result<Reply, Refusal> {
    let some = |name: &str| Some(ask.form.text(name).to_owned()).filter(|text| !text.is_empty());
    let body = api::CaseCreate {
        solution: some("/solution"),
        account: some("/account"),
        clause: ask.form.text("/clause").to_owned(),
        facts: ask.form.get("/facts").unwrap_or_default().to_owned(),
    };
    match ask.api.post::<api::Case>("/v1/cases", &body).await {
        Ok(case) => Ok(Reply::see(OwnPath::of(format!("/cases/{}", segment(&case.number))))
            .saying(ask.l.t("Sagen er åbnet.", "The case is open."))),
        Err(refusal) => open_door(ask, &ask.form, &Wrong::of(ask, refusal)).await,
    }
}
