//! Strays: what a node holds and nobody here knows of, each with the way to take it over.

use crate::api::{Nothing, segment};
use crate::ask::{Ask, Reply, no_page};
use crate::form::Form;
use crate::own_path::OwnPath;
use crate::say::Say;
use crate::ui::{self, Field, Tone, Wrong, form};
use husorden_base::Refusal;
use husorden_wire::api::{self, Capability};
use maud::{Markup, html};

/// What a node holds that is unknown here, in its card.
pub(super) fn of_node(ask: &Ask, node: &str, strays: &[api::Stray]) -> Markup {
    let l = ask.l;
    let own: Vec<&api::Stray> = strays.iter().filter(|stray| stray.node == node).collect();
    let may = ask.may(Capability::NodeOperate);
    html! {
        @if !own.is_empty() {
            div class="body" {
                (ui::note(Tone::Warn, l.t("Kendt af noden, ukendt her; kører videre", "Known to the node, unknown here; runs on"), html! {
                    p { (l.t(
                        "De kom til efter den backup, platformen blev genopbygget fra. Kunden ser dem ikke, før de er taget over.",
                        "They came after the backup that the platform was rebuilt from. The customer does not see them until they are taken over.",
                    )) }
                }))
            }
            div class="table" { table class="stacks" {
                thead { tr {
                    th scope="col" { (l.t("Løsning", "Solution")) }
                    th scope="col" { (l.t("Slags", "Kind")) }
                    th scope="col" { (l.t("Konto", "Account")) }
                    @if may { th scope="col" { span class="unseen" { (l.t("Handlinger", "Actions")) } } }
                } }
                tbody { @for stray in own { tr {
                    td { span class="main" { (stray.name) } " " span class="faint num" { (stray.number) } }
                    td data-label=(l.t("Slags", "Kind")) { (stray.kind) }
                    td data-label=(l.t("Konto", "Account")) {
                        @if let Some(name) = &stray.account_name { a href={ "/accounts/" (segment(&stray.account)) } { (name) } }
                        @else { span class="faint" { (l.t("Ukendt her", "Unknown here")) } " " code { (stray.account.get(..8).unwrap_or(&stray.account)) } }
                    }
                    @if may { td class="end" {
                        @if stray.account_name.is_some() {
                            a class="button small" href={ "/strays/" (segment(&stray.solution)) "/take" } { (l.t("Tag over", "Take over")) span class="unseen" { " " (stray.name) } }
                        }
                    } }
                } } }
            } }
        }
    }
}

async fn named(ask: &Ask) -> Result<api::Stray, Refusal> {
    let all: api::Page<api::Stray> = ask.api.get("/v1/strays").await?;
    all.items.into_iter().find(|stray| stray.solution == ask.param("stray")).ok_or_else(no_page)
}

pub(super) async fn take_page(ask: &Ask) -> Result<Reply, Refusal> {
    let stray = named(ask).await?;
    let mut typed = Form::default();
    typed.set("/name", stray.name.clone());
    Ok(page(ask, &stray, &typed, &Wrong::none(ask)))
}

fn page(ask: &Ask, stray: &api::Stray, typed: &Form, wrong: &Wrong) -> Reply {
    let l = ask.l;
    let title = l.f(|| format!("Tag {} over?", stray.name), || format!("Take {} over?", stray.name));
    let account = stray.account_name.as_deref().unwrap_or(&stray.account);
    let lead = l.f(
        || format!("Den kommer tilbage i {account} med sit nummer, sine indstillinger og sine adgangskoder, som noden kender dem. Den kører imens."),
        || format!("It comes back into {account} with its number, its settings and its passwords, as the node knows them. It runs meanwhile."),
    );
    let help = l.t(
        "Kun hvis kontoen har givet navnet til en anden løsning, skal der vælges et nyt.",
        "Only where the account has given the name to another solution, a new one must be chosen.",
    );
    ask.sheet(&title).narrow().show(html! {
        (ui::head(Some(("/", l.t("Noder", "Nodes"))), &title, &lead, html! {}))
        (wrong.summary(ask))
        form method="post" action={ "/strays/" (segment(&stray.solution)) "/take" } class="fields" {
            (form::token(ask))
            section class="card" { div class="body fields" {
                (Field { name: "/name", label: l.t("Navn", "Name"), help, value: typed.text("/name"), autocomplete: "off", required: true, max: Some(63), ..Field::default() }.show(ask, wrong))
            } }
            (form::actions(l.t("Tag over", "Take over"), Some(("/", l.t("Fortryd", "Cancel")))))
        }
    })
}

pub(super) async fn take(ask: &Ask) -> Result<Reply, Refusal> {
    let stray = named(ask).await?;
    let wanted = api::StrayTake { name: Some(ask.form.text("/name").to_owned()) };
    match ask.api.post::<Nothing>(&format!("/v1/strays/{}/take", segment(&stray.solution)), &wanted).await {
        Ok(_) => {
            Ok(Reply::see(OwnPath::home()).saying(ask.l.t("Løsningen er taget over.", "The solution is taken over.")))
        }
        Err(refusal) if refusal.code == "step-up-needed" => Err(refusal),
        Err(refusal) => Ok(page(ask, &stray, &ask.form, &Wrong::of(ask, refusal))),
    }
}
