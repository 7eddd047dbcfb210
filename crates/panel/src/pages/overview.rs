//! The first page: every solution with its state, and what needs attention.

use crate::ask::{Ask, Reply};
use crate::say::Say;
use crate::ui::icon::Icon;
use crate::ui::{self, Tone};
use husorden_base::Refusal;
use husorden_wire::api;
use husorden_wire::api::Capability;
use maud::{Markup, html};

pub(crate) async fn show(ask: &Ask) -> Result<Reply, Refusal> {
    let l = ask.l;
    let mut query = crate::form::Form::default();
    query.add("q", ask.query.text("q"));
    query.add("after", ask.query.text("after"));
    query.add("limit", "50");
    let page: api::Page<api::Solution> = ask.api.get(&format!("/v1/solutions?{}", query.query())).await?;
    let searched = !ask.query.text("q").is_empty();
    let first = ask.query.text("after").is_empty();
    let solutions: Vec<&api::Solution> = page.items.iter().filter(|one| one.state != "deleted").collect();
    let busy = solutions.iter().any(|one| one.state == "working");
    let title = l.t("Overblik", "Overview");
    Ok(ask.sheet(title).live("/live").refresh(busy.then_some(5)).show(html! {
        (ui::head(None, l.t("Løsninger", "Solutions"), &in_short(ask, &solutions), new_button(ask, "primary phone-only")))
        @if solutions.is_empty() && first && !searched {
            section class="card" { (nothing(ask)) }
        } @else {
            (ui::search(ask, l.t("Søg efter navn", "Search by name"), html! {}))
            div id="attention" data-live { (attention(ask, &solutions)) }
            section class="card" id="solutions" data-live {
                @if solutions.is_empty() {
                    (ui::empty(Icon::Search, l.t("Ingen passer", "None fits"), l.t("Prøv et andet ord.", "Try another word."), html! { a class="button" href="/" { (l.t("Vis alle", "Show all")) } }))
                } @else {
                    (table(ask, &solutions))
                    (ui::pager(ask, "after", first, page.next.as_deref()))
                }
            }
        }
    }))
}

/// All of it in one sentence.
fn in_short(ask: &Ask, solutions: &[&api::Solution]) -> String {
    let l = ask.l;
    let stands = |one: &api::Solution| ["running", "stopped"].contains(&one.state.as_str()) && one.findings.is_empty();
    let fine = solutions.iter().filter(|one| stands(one)).count();
    match (solutions.len(), solutions.len() - fine) {
        (0, _) => String::new(),
        (_, 0) => l.t("Alt står, som det skal.", "Everything stands as it should.").to_owned(),
        (_, 1) => l.t("Én løsning er ikke, som den skal være.", "One solution is not as it should be.").to_owned(),
        (_, some) => l.f(
            || format!("{some} løsninger er ikke, som de skal være."),
            || format!("{some} solutions are not as they should be."),
        ),
    }
}

fn new_button(ask: &Ask, class: &str) -> Markup {
    html! {
        @if ask.may(Capability::SolutionCreate) {
            (ui::button("/create", class, Some(Icon::Add), ask.l.t("Ny løsning", "New solution")))
        }
    }
}

fn nothing(ask: &Ask) -> Markup {
    let l = ask.l;
    ui::empty(
        Icon::Layers,
        l.t("Her er ingen løsninger endnu", "There are no solutions here yet"),
        l.t(
            "Vælg, hvad du vil have. Den første er klar om under et minut, og en sletning kan fortrydes.",
            "Choose what you want. The first is ready in under a minute, and a deletion can be undone.",
        ),
        new_button(ask, "primary"),
    )
}

/// What somebody should look at: what is closed, in trouble, unknown or nearly full.
fn attention(ask: &Ask, solutions: &[&api::Solution]) -> Markup {
    let l = ask.l;
    let mut notes: Vec<Markup> = Vec::new();
    for one in solutions {
        let link = html! { a href={ "/solutions/" (one.name) } { (l.t("Se løsningen", "See the solution")) } };
        let said = one.message.as_deref().unwrap_or_default();
        match one.state.as_str() {
            "closed" => notes.push(ui::note(
                Tone::Bad,
                &l.f(|| format!("{} er lukket", one.name), || format!("{} is closed", one.name)),
                html! {
                    p { (said) ". " a href="/decisions" { (l.t("Se afgørelsen", "See the decision")) } }
                },
            )),
            "trouble" => notes.push(ui::note(
                Tone::Warn,
                &l.f(|| format!("{} har brug for hjælp", one.name), || format!("{} needs help", one.name)),
                html! { p { (said) } (link) },
            )),
            _ if !one.findings.is_empty() => notes.push(ui::note(
                Tone::Warn,
                &one.findings.iter().fold(one.name.clone(), |said, finding| format!("{said}: {}", finding.title)),
                html! { @for finding in &one.findings { p { (finding.advice) } } (link) },
            )),
            _ if nearly_full(one) => notes.push(ui::note(
                Tone::Warn,
                &l.f(|| format!("{} er næsten fuld", one.name), || format!("{} is nearly full", one.name)),
                html! { (link) },
            )),
            _ => {}
        }
    }
    html! { @if !notes.is_empty() { div class="stack tight" { @for note in notes { (note) } } } }
}

fn nearly_full(one: &api::Solution) -> bool {
    let part = |name: &str| one.usage.as_ref().and_then(|usage| usage.get(name)).copied().unwrap_or(0);
    let limit = part("limit");
    limit > 0 && part("live").saturating_add(part("snapshots")) >= limit / 10 * 9
}

fn table(ask: &Ask, solutions: &[&api::Solution]) -> Markup {
    let (l, reader) = (ask.l, &ask.reader);
    html! {
        div class="table" {
            table class="stacks" {
                thead { tr {
                    th scope="col" { (l.t("Navn", "Name")) }
                    th scope="col" { (l.t("Tilstand", "State")) }
                    th scope="col" { (l.t("Slags", "Kind")) }
                    th scope="col" { (l.t("Plads", "Disk")) }
                    th scope="col" class="end" { (l.t("Ændret", "Changed")) }
                } }
                tbody {
                    @for one in solutions {
                        tr {
                            td {
                                a class="main" href={ "/solutions/" (one.name) } { (one.name) }
                                @if let (Some(message), true) = (&one.message, one.state != "running") { span class="sub" { (message) } }
                            }
                            td data-label=(l.t("Tilstand", "State")) { (state(ask, &one.state)) }
                            td data-label=(l.t("Slags", "Kind")) { (kind_title(ask, &one.kind)) }
                            td data-label=(l.t("Plads", "Disk")) class="num nowrap" {
                                @if let Some(usage) = &one.usage {
                                    span {
                                        (reader.size(usage.get("live").copied().unwrap_or(0) + usage.get("snapshots").copied().unwrap_or(0)))
                                        " " span class="faint" { "/ " (reader.size(usage.get("limit").copied().unwrap_or(0))) }
                                    }
                                } @else { span class="faint" { "–" } }
                            }
                            td data-label=(l.t("Ændret", "Changed")) class="end soft" { (reader.ago(one.changed)) }
                        }
                    }
                }
            }
        }
    }
}

/// What people call a kind.
pub(crate) fn kind_title(ask: &Ask, name: &str) -> String {
    ask.kinds
        .iter()
        .find(|kind| kind.name() == name)
        .map_or_else(|| name.to_owned(), |kind| kind.title().get(ask.l).to_owned())
}

/// A solution's state as a badge.
pub(crate) fn state(ask: &Ask, state: &str) -> Markup {
    let l = ask.l;
    let (tone, text) = match state {
        "running" => (Tone::Good, l.t("I drift", "Running")),
        "working" => (Tone::Busy, l.t("Arbejder", "Working")),
        "stopped" => (Tone::Plain, l.t("Stoppet", "Stopped")),
        "closed" => (Tone::Bad, l.t("Lukket", "Closed")),
        "trouble" => (Tone::Warn, l.t("Problem", "Trouble")),
        "deleting" => (Tone::Warn, l.t("Slettet, kan fortrydes", "Deleted, can be undone")),
        "deleted" => (Tone::Plain, l.t("Slettet", "Deleted")),
        _ => (Tone::Warn, l.t("Ukendt", "Unknown")),
    };
    ui::badge(tone, text)
}
