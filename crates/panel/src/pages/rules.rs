//! The house rules: for everybody to read, clause by clause, with who answers for each; and their acceptance by an account.

use super::session::then;
use crate::api::{Nothing, segment};
use crate::ask::{Ask, Reply};
use crate::form::Form;
use crate::say::Say;
use crate::ui::{self, Tone, Wrong, form};
use husorden_base::Refusal;
use husorden_rules::difference::{Change, Fate, Piece};
use husorden_wire::api;
use husorden_wire::api::Capability;
use maud::{Markup, html};
use serde_json::json;

/// The rules that hold now.
pub(crate) async fn show(ask: &Ask) -> Result<Reply, Refusal> {
    let rules: api::Rules = ask.api.get("/v1/rules").await?;
    let l = ask.l;
    let title = l.t("Husorden", "House rules");
    let lead = l.t(
        "Reglerne for alt, hvad der ligger her. Hver regel siger, hvad vi gør, hvad du kan gøre, og hvem der har ansvaret.",
        "The rules for everything that lies here. Each says what we do, what you can do, and who answers for it.",
    );
    Ok(ask.sheet(title).show(html! {
        (ui::head(None, title, lead, html! { a class="button" href="/rules/versions" { (l.t("Udgaver", "Versions")) } }))
        (version_line(ask, &rules))
        @for clause in &rules.clauses { (clause_card(ask, &rules, clause)) }
    }))
}

fn version_line(ask: &Ask, rules: &api::Rules) -> Markup {
    let l = ask.l;
    html! {
        p class="soft small" {
            (l.f(|| format!("Udgave {}", rules.version), || format!("Version {}", rules.version)))
            " · " (l.t("gælder fra ", "holds from ")) (ask.reader.day_text(rules.effective)) " · "
            (l.f(|| format!("{} punkter", rules.clauses.len()), || format!("{} clauses", rules.clauses.len())))
        }
    }
}

fn clause_card(ask: &Ask, rules: &api::Rules, clause: &api::RulesClause) -> Markup {
    let l = ask.l;
    html! {
        article class="card" id=(clause.id) {
            div class="title" { h2 { (clause.title.get(l)) } (ui::tag(clause.answers.title.get(l))) }
            div class="body" {
                p { (clause.says.get(l)) }
                div class="grid two" {
                    div class="stack tight" { h3 { (l.t("Det gør vi", "What we do")) } p class="soft small" { (clause.we.get(l)) } }
                    div class="stack tight" { h3 { (l.t("Det kan du gøre", "What you can do")) } p class="soft small" { (clause.you.get(l)) } }
                }
                p class="faint small" {
                    code { (clause.id) }
                    @if !clause.kinds.is_empty() {
                        " · " (l.t("gælder ", "holds for "))
                        @for (index, kind) in clause.kinds.iter().enumerate() {
                            @if index > 0 { ", " }
                            (rules.kinds.get(kind).map_or(kind.as_str(), |text| text.get(l)))
                        }
                    }
                    @if !clause.measures.is_empty() {
                        " · " (l.t("ved brud: ", "when broken: "))
                        @for (index, measure) in clause.measures.iter().enumerate() { @if index > 0 { ", " } (measure.title.get(l)) }
                    }
                }
            }
        }
    }
}

/// Every version there was.
pub(crate) async fn versions(ask: &Ask) -> Result<Reply, Refusal> {
    let page: api::Page<api::RulesVersion> = ask.api.get("/v1/rules/versions").await?;
    let l = ask.l;
    let title = l.t("Udgaver af husordenen", "Versions of the house rules");
    Ok(ask.sheet(title).show(html! {
        (ui::head(Some(("/rules", l.t("Husorden", "House rules"))), title, "", html! {}))
        section class="card" { div class="table" { table class="stacks" {
            thead { tr { th scope="col" { (l.t("Udgave", "Version")) } th scope="col" { (l.t("Hvad er nyt", "What is new")) } th scope="col" class="end" { (l.t("Gælder fra", "Holds from")) } } }
            tbody { @for version in page.items.iter().rev() { tr {
                td { a class="main" href={ "/rules/versions/" (version.version) } { (version.version) } " " @if version.in_force { (ui::badge(Tone::Good, l.t("Gælder nu", "Holds now"))) } }
                td class="whole" { (version.summary.get(l)) }
                td data-label=(l.t("Gælder fra", "Holds from")) class="end soft" { (ask.reader.at(version.effective)) }
            } } }
        } } }
    }))
}

/// One version, with what changed from the one before.
pub(crate) async fn version(ask: &Ask) -> Result<Reply, Refusal> {
    let rules: api::Rules = ask.api.get(&format!("/v1/rules/versions/{}", segment(ask.param("version")))).await?;
    let l = ask.l;
    let title =
        l.f(|| format!("Husordenens udgave {}", rules.version), || format!("House rules, version {}", rules.version));
    Ok(ask.sheet(&title).show(html! {
        (ui::head(Some(("/rules/versions", l.t("Udgaver", "Versions"))), &title, rules.summary.get(l), html! {}))
        (version_line(ask, &rules))
        (differences(ask, &rules))
        @for clause in &rules.clauses { (clause_card(ask, &rules, clause)) }
    }))
}

fn differences(ask: &Ask, rules: &api::Rules) -> Markup {
    let l = ask.l;
    let Some(difference) = &rules.difference else { return html! {} };
    ui::card(
        l.t("Det er ændret", "What changed"),
        html! {},
        html! {
            @for clause in &difference.clauses {
                div class="stack tight" {
                    div class="row" {
                        h3 { code { (clause.id) } }
                        @match clause.change {
                            Change::Added => { (ui::badge(Tone::Good, l.t("Nyt", "New"))) },
                            Change::Changed => { (ui::badge(Tone::Busy, l.t("Ændret", "Changed"))) },
                            Change::Removed => { (ui::badge(Tone::Warn, l.t("Udgået", "Gone"))) },
                        }
                    }
                    @for text in &clause.texts { p class="small" { (pieces(if l.tag() == "da" { &text.da } else { &text.en })) } }
                }
            }
        },
    )
}

fn pieces(pieces: &[Piece]) -> Markup {
    html! {
        @for piece in pieces {
            @match piece.is {
                Fate::Same => { (piece.text) },
                Fate::Added => { ins { (piece.text) } },
                Fate::Removed => { del { (piece.text) } },
            }
        }
    }
}

/// The page on which an account accepts the rules.
pub(crate) async fn accept_page(ask: &Ask) -> Result<Reply, Refusal> {
    accepting(ask, &ask.query, &Wrong::none(ask)).await
}

async fn accepting(ask: &Ask, typed: &Form, wrong: &Wrong) -> Result<Reply, Refusal> {
    let rules: api::Rules = ask.api.get("/v1/rules").await?;
    let l = ask.l;
    let title = l.t("Før vi går i gang", "Before we begin");
    let account = ask.who.as_ref().and_then(|who| who.account.as_ref()).map_or("", |account| account.name.as_str());
    Ok(ask.sheet(title).show(html! {
        (ui::head(None, title, &l.f(
            || format!("Læs og godkend husordenen for {account}. Du bliver spurgt igen, når den ændres."),
            || format!("Read and accept the house rules for {account}. You are asked again when they change."),
        ), html! {}))
        (wrong.summary(ask))
        section class="card" {
            div class="title" { h2 { (l.f(|| format!("Husordenens udgave {}", rules.version), || format!("House rules, version {}", rules.version))) } a class="small" href="/rules" target="_blank" { (l.t("Læs det hele", "Read it all")) } }
            div class="body" {
                @for clause in &rules.clauses {
                    details { summary { strong { (clause.title.get(l)) } } p class="soft small" { (clause.says.get(l)) } }
                }
            }
            div class="end" {
                form method="post" action="/rules/accept" class="row" {
                    (form::token(ask))
                    input type="hidden" name="then" value=(then(typed));
                    input type="hidden" name="version" value=(rules.version);
                    button class="button primary" disabled[!ask.may(Capability::AccountManage) && ask.who.as_ref().is_some_and(|who| who.needs.is_empty())] {
                        (l.t("Vi godkender husordenen", "We accept the house rules"))
                    }
                    span class="soft small" { (l.t("Det skrives ned, hvem der godkendte og hvornår.", "It is written down who accepted and when.")) }
                }
            }
        }
    }))
}

pub(crate) async fn accept(ask: &Ask) -> Result<Reply, Refusal> {
    let version: u32 = ask.form.text("version").parse().unwrap_or(0);
    match ask.api.post::<Nothing>("/v1/rules/acceptance", &json!({ "version": version })).await {
        Ok(_) => {
            Ok(Reply::see(then(&ask.form))
                .saying(ask.l.t("Tak. Det er skrevet ned.", "Thank you. It is written down.")))
        }
        Err(refusal) => accepting(ask, &ask.form, &Wrong::of(ask, refusal)).await,
    }
}
