//! The page that one shows an auditor: every solution with its newest backup, its newest proof, how far that went and how long it took, and
//! what is not proven and why. It prints as it stands.

use super::overview::kind_title;
use super::solution::backups::{proof, words};
use crate::api::segment;
use crate::ask::{Ask, Origin, Reply};
use crate::form::Form;
use crate::say::Say;
use crate::ui::icon::Icon;
use crate::ui::{self, Tone};
use husorden_base::Refusal;
use husorden_wire::api;
use jiff::Timestamp;
use maud::{Markup, html};

/// Solutions of one page.
const LINES: &str = "200";
/// How a solution can stand, the worst first.
const STATES: [&str; 5] = ["failed", "late", "off", "waiting", "proven"];

pub(crate) async fn show(ask: &Ask) -> Result<Reply, Refusal> {
    let mut query = Form::default();
    query.add("after", ask.query.text("after"));
    query.add("limit", LINES);
    let mut page: api::Page<api::SolutionProof> = ask.api.get(&format!("/v1/proofs?{}", query.query())).await?;
    page.items.sort_by_cached_key(|line| (rank(&line.state), line.account_name.clone(), line.name.clone()));
    let l = ask.l;
    let title = l.t("Prøvede backupper", "Proven backups");
    let lead = l.t(
        "Hver løsnings nyeste backup hentes hver dag, åbnes et andet sted uden netværk og sammenlignes med det, der blev noteret, da den blev taget. Her står, hvad der kom ud af det.",
        "Each solution's newest backup is fetched each day, opened elsewhere without a network, and compared with what was noted when it was made. Here stands what came of it.",
    );
    let print = html! {
        a class="button no-paper" href="/evidence?q=proof" { (l.t("Linjerne i loggen", "The lines in the log")) }
        button class="button primary" type="button" data-print { (Icon::Receipt.show()) (l.t("Udskriv", "Print")) }
    };
    Ok(ask.sheet(title).live("/live").show(html! {
        (paper(ask))
        (ui::head(None, title, lead, print))
        div class="stack" id="proofs" data-live {
            @if page.items.is_empty() {
                section class="card" { (ui::empty(Icon::Shield, l.t("Her er ingen løsninger endnu", "There are no solutions here yet"), l.t("Når der er en, tages der backup af den hver dag, og hver prøves.", "When there is one, it is backed up each day, and each backup is proven."), html! {})) }
            } @else {
                (in_short(ask, &page))
                section class="card" {
                    (table(ask, &page.items))
                    (ui::pager(ask, "after", ask.query.text("after").is_empty(), page.next.as_deref()))
                }
            }
        }
        (meaning(ask))
    }))
}

/// What paper must say that the frame says on a screen: whose it is and when it was made.
fn paper(ask: &Ask) -> Markup {
    let account = ask.who.as_ref().and_then(|who| who.account.as_ref()).map(|account| account.name.as_str());
    html! {
        p class="on-paper small" { "Husorden" @if let Some(account) = account { " · " (account) } " · " (ask.reader.at_text(Timestamp::now())) }
    }
}

fn rank(state: &str) -> usize {
    STATES.iter().position(|word| *word == state).unwrap_or(0)
}

/// How a solution stands, as a colour and a word.
fn standing(ask: &Ask, state: &str) -> (Tone, &'static str) {
    let l = ask.l;
    match state {
        "proven" => (Tone::Good, l.t("Prøvet", "Proven")),
        "waiting" => (Tone::Plain, l.t("Venter på den første", "Waits for its first")),
        "late" => (Tone::Warn, l.t("For gammel", "Overdue")),
        "failed" => (Tone::Bad, l.t("Ikke bestået", "Failed")),
        "off" => (Tone::Warn, l.t("Ingen plan", "No plan")),
        _ => (Tone::Warn, l.t("Ukendt", "Unknown")),
    }
}

/// Why a solution is not proven, in a sentence.
fn why(ask: &Ask, line: &api::SolutionProof) -> Option<String> {
    let l = ask.l;
    let said = match line.state.as_str() {
        "proven" => return None,
        "waiting" => l.t(
            "Løsningen er ny; den første prøve kommer inden for to døgn.",
            "The solution is new; its first proof comes within two days.",
        ),
        "late" => l.t(
            "Ingen backup af den har bestået en prøve i to døgn.",
            "No backup of it has passed a proof in two days.",
        ),
        "off" => {
            l.t("Den daglige backup er slået fra på løsningen.", "The daily backup is turned off on the solution.")
        }
        _ => l.t("Den seneste prøve bestod ikke.", "The newest proof did not pass."),
    };
    let found = line.proof.as_ref().filter(|proof| proof.state != "passed").and_then(|proof| words::why(ask, proof));
    Some(found.filter(|_| line.state != "off").map_or_else(|| said.to_owned(), |found| format!("{said} {found}")))
}

/// All of it in one sentence; only where the page is the whole.
fn in_short(ask: &Ask, page: &api::Page<api::SolutionProof>) -> Markup {
    let l = ask.l;
    let all = page.items.len();
    let proven = page.items.iter().filter(|line| line.state == "proven").count();
    let (tone, title) = match all - proven {
        0 if all == 1 => (Tone::Good, l.t("Prøvet inden for to døgn", "Proven within two days").to_owned()),
        0 => (
            Tone::Good,
            l.f(
                || format!("Alle {all} er prøvet inden for to døgn"),
                || format!("All {all} were proven within two days"),
            ),
        ),
        left => (
            if page.items.iter().any(|line| line.state == "failed") { Tone::Bad } else { Tone::Warn },
            l.f(
                || format!("{proven} af {all} er prøvet inden for to døgn, {left} er ikke"),
                || format!("{proven} of {all} were proven within two days, {left} were not"),
            ),
        ),
    };
    html! { @if page.next.is_none() && ask.query.text("after").is_empty() {
        (ui::note(tone, &title, html! { p { (l.t("Opgjort ", "As of ")) (ask.reader.at(Timestamp::now())) "." } }))
    } }
}

fn table(ask: &Ask, lines: &[api::SolutionProof]) -> Markup {
    let (l, reader) = (ask.l, &ask.reader);
    let staff = ask.origin == Origin::Staff;
    html! {
        div class="table" { table class="stacks" {
            thead { tr {
                th scope="col" { (l.t("Løsning", "Solution")) }
                th scope="col" { (l.t("Tilstand", "State")) }
                th scope="col" { (l.t("Nyeste backup", "Newest backup")) }
                th scope="col" { (l.t("Sidst bestået", "Last passed")) }
                th scope="col" { (l.t("Niveau", "Level")) }
                th scope="col" class="end" { (l.t("Målt tid", "Measured time")) }
            } }
            tbody { @for line in lines {
                @let (tone, word) = standing(ask, &line.state);
                @let home = format!("/solutions/{}/backups", segment(&line.name));
                tr {
                    td {
                        @if staff { span class="main" { (line.name) } } @else { a class="main" href=(home) { (line.name) } }
                        span class="sub" { (kind_title(ask, &line.kind)) @if staff { " · " (line.account_name) } }
                        @if let Some(why) = why(ask, line) { span class="sub" { (why) } }
                    }
                    td data-label=(l.t("Tilstand", "State")) { (ui::badge(tone, word)) }
                    td data-label=(l.t("Nyeste backup", "Newest backup")) { (ui::when(reader, line.backed_up)) }
                    td data-label=(l.t("Sidst bestået", "Last passed")) {
                        @match &line.proof {
                            Some(newest) if !staff && newest.state == "passed" => { a href={ (home) "/proofs/" (segment(&newest.id)) } { (ui::when(reader, line.proven)) } },
                            _ => { (ui::when(reader, line.proven)) },
                        }
                    }
                    td data-label=(l.t("Niveau", "Level")) { @if let Some(newest) = &line.proof { (proof::level(ask, newest)) } @else { span class="faint" { "–" } } }
                    td data-label=(l.t("Målt tid", "Measured time")) class="end num nowrap" {
                        @if let Some(took) = line.proof.as_ref().filter(|newest| newest.state == "passed").and_then(|newest| newest.took_ms) { (reader.took(took)) } @else { span class="faint" { "–" } }
                    }
                }
            } }
        } }
    }
}

/// What the words mean, for who sees the page for the first time.
fn meaning(ask: &Ask) -> Markup {
    let l = ask.l;
    html! {
        section class="card" {
            div class="title" { h2 { (l.t("Hvad niveauerne betyder", "What the levels mean")) } }
            div class="body" {
                dl class="facts" {
                    @for level in words::LEVELS { div {
                        dt { (words::level_name(ask, level)) " (" (words::level_sign(level)) ")" }
                        dd { (words::level_says(ask, level)) }
                    } }
                }
                p class="soft small" { (l.t(
                    "Hvert niveau rummer dem før det. Den målte tid går, fra prøven blev bestilt, til den var forbi: så længe tager det at få løsningen tilbage. Hver prøve er også en linje i loggen, som ingen kan ændre; den kan hentes med beviser og efterprøves uden os med: husorden evidence verify.",
                    "Each level holds those before it. The measured time is from when the proof was ordered until it ended: so long it takes to have the solution back. Each proof is a line in the log too, which nobody can change; it can be had with proofs, and verified without us by: husorden evidence verify.",
                )) }
            }
        }
    }
}
