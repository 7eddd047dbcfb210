//! Accounts: the list, and one account with its holder, its solutions and its cases.

use super::cases;
use super::solutions;
use crate::api::segment;
use crate::ask::{Ask, Reply};
use crate::form::Form;
use crate::say::Say;
use crate::ui;
use crate::ui::icon::Icon;
use husorden_base::{Language, Refusal};
use husorden_wire::api;
use husorden_wire::api::Capability;
use maud::{Markup, html};

/// Lines of a page.
const LINES: &str = "50";

pub(crate) async fn list(ask: &Ask) -> Result<Reply, Refusal> {
    let mut query = Form::default();
    for name in ["q", "after"] {
        query.add(name, ask.query.text(name));
    }
    query.add("limit", LINES);
    let page: api::Page<api::Account> = ask.api.get(&format!("/v1/accounts?{}", query.query())).await?;
    let first = ask.query.text("after").is_empty();
    let l = ask.l;
    let title = l.t("Konti", "Accounts");
    Ok(ask.sheet(title).show(html! {
        (ui::head(None, title, "", html! {}))
        (ui::search(ask, l.t("Navn eller id", "Name or id"), html! {}))
        section class="card" {
            @if page.items.is_empty() {
                (ui::empty(Icon::People, l.t("Ingen konti", "No accounts"), l.t("Ingen konto passer.", "No account fits."), html! {}))
            } @else {
                div class="table" { table class="stacks" {
                    thead { tr { th scope="col" { (l.t("Navn", "Name")) } th scope="col" { (l.t("Sprog", "Language")) } th scope="col" class="end" { (l.t("Oprettet", "Made")) } } }
                    tbody { @for account in &page.items { tr {
                        td { a class="main" href={ "/accounts/" (segment(&account.id)) } { (account.name) } }
                        td data-label=(l.t("Sprog", "Language")) { (language(ask, account.language)) }
                        td data-label=(l.t("Oprettet", "Made")) class="end soft" { (ask.reader.at(account.created)) }
                    } } }
                } }
                (ui::pager(ask, "after", first, page.next.as_deref()))
            }
        }
    }))
}

fn language(ask: &Ask, language: Language) -> &'static str {
    match language {
        Language::Da => ask.l.t("Dansk", "Danish"),
        Language::En => ask.l.t("Engelsk", "English"),
    }
}

pub(crate) async fn show(ask: &Ask) -> Result<Reply, Refusal> {
    let account: api::AccountShown = ask.api.get(&format!("/v1/accounts/{}", segment(ask.param("account")))).await?;
    let id = segment(&account.id);
    let solutions: api::Page<api::Solution> = ask.api.get(&format!("/v1/solutions?account={id}&limit=200")).await?;
    let cases: api::Page<api::Case> = ask.api.get(&format!("/v1/cases?account={id}&limit=50")).await?;
    let l = ask.l;
    let open = html! {
        @if ask.may(Capability::CaseHandle) {
            (ui::button(&format!("/cases/open?account={id}"), "", Some(Icon::Scale), l.t("Åbn en sag", "Open a case")))
        }
    };
    let none = |text: &str| html! { div class="body" { p class="soft small" { (text) } } };
    Ok(ask.sheet(&account.name).live("/live").show(html! {
        (ui::head(Some(("/accounts", l.t("Konti", "Accounts"))), &account.name, "", open))
        div class="split" {
            div class="stack" {
                div id="solutions" data-live {
                    (ui::card_flush(l.t("Løsninger", "Solutions"), html! {}, html! {
                        @if solutions.items.is_empty() { (none(l.t("Kontoen har ingen løsninger.", "The account has no solutions."))) }
                        @else { (solutions::table(ask, &solutions.items, false)) }
                    }))
                }
                div id="cases" data-live {
                    (ui::card_flush(l.t("Sager", "Cases"), html! {}, html! {
                        @if cases.items.is_empty() { (none(l.t("Der er ingen sager om kontoen.", "There are no cases about the account."))) }
                        @else { (cases::table(ask, &cases.items, false)) }
                    }))
                }
            }
            div class="stack" { (facts(ask, &account)) (holder(ask, &account)) }
        }
    }))
}

fn facts(ask: &Ask, account: &api::AccountShown) -> Markup {
    let l = ask.l;
    let rows = [
        ("Id", ui::copy(ask, &account.id)),
        (l.t("Sprog", "Language"), html! { (language(ask, account.language)) }),
        (
            l.t("Andet trin kræves af medlemmer", "Second factor required of members"),
            html! { (if account.two_factor_required { l.t("Ja", "Yes") } else { l.t("Nej", "No") }) },
        ),
        (l.t("Oprettet", "Made"), ask.reader.at(account.created)),
    ];
    ui::card(l.t("Kort fortalt", "In short"), html! {}, ui::facts(&rows))
}

fn holder(ask: &Ask, account: &api::AccountShown) -> Markup {
    let l = ask.l;
    let body = match &account.holder {
        None => {
            html! { p class="soft small" { (l.t("Kontoen har ikke sagt endnu, hvem dens indehaver er.", "The account has not said yet who its holder is.")) } }
        }
        Some(holder) => {
            let kind = match holder.kind {
                api::HolderKind::Person => l.t("En person", "A person"),
                api::HolderKind::Company => l.t("En virksomhed eller forening", "A company or association"),
            };
            let mut rows = vec![
                (l.t("Navn", "Name"), html! { strong { (holder.name) } }),
                (l.t("Er", "Is"), html! { (kind) }),
                (l.t("Adresse", "Address"), html! { (holder.address) " " (holder.country) }),
                ("E-mail", html! { (holder.email) }),
            ];
            if let Some(cvr) = &holder.cvr {
                rows.push((l.t("CVR-nummer", "Company number (CVR)"), html! { (cvr) }));
            }
            if let Some(phone) = &holder.phone {
                rows.push((l.t("Telefon", "Telephone"), html! { (phone) }));
            }
            ui::facts(&rows)
        }
    };
    ui::card(l.t("Kontoindehaver", "Account holder"), html! {}, body)
}
