//! What a decision forfeits: the account's subscriptions that it may end for breach, with the amounts, before and after.

use crate::api::segment;
use crate::ask::Ask;
use crate::form::Form;
use crate::say::Say;
use crate::ui::{Wrong, form};
use husorden_base::Refusal;
use husorden_wire::api;
use maud::{Markup, html};

/// The field of the ones that are chosen.
pub(super) const FIELD: &str = "/forfeits";
/// Subscriptions that are offered; an account has no more that are active.
const LINES: &str = "100";

/// A subscription of the account, and what ending it now for breach would mean.
pub(super) struct Ends {
    subscription: api::Subscription,
    ending: api::Ending,
}

/// What the account has, with what its end would mean. Only those in the form are asked about when `chosen` says so.
pub(super) async fn read(ask: &Ask, case: &api::Case, chosen: Option<&Form>) -> Result<Vec<Ends>, Refusal> {
    let at = format!("/v1/subscriptions?account={}&limit={LINES}", segment(&case.account));
    let page: api::Page<api::Subscription> = ask.api.get(&at).await?;
    let mut ends = Vec::new();
    for subscription in page.items.into_iter().filter(|one| one.state == "active") {
        if chosen.is_some_and(|typed| !typed.all(FIELD).any(|id| id == subscription.id)) {
            continue;
        }
        let at = format!("/v1/subscriptions/{}/ending?why=breach", segment(&subscription.id));
        ends.push(Ends { ending: ask.api.get(&at).await?, subscription });
    }
    Ok(ends)
}

/// The boxes of the form; none when the account has nothing to end.
pub(super) fn boxes(ask: &Ask, wrong: &Wrong, ends: &[Ends], typed: &Form) -> Markup {
    let l = ask.l;
    let id = form::id(FIELD);
    html! {
        @if !ends.is_empty() {
            fieldset class="radios" id=(id) {
                legend { (l.t("Afslut for misligholdelse", "End for breach")) }
                p class="help" { (l.t("Vælg intet, hvis kontoen skal beholde, hvad den har bestilt. Det, der vælges, slutter straks, og resten af perioden fortabes (money.breach).", "Choose nothing if the account is to keep what it has ordered. What is chosen ends at once, and the rest of the period is forfeited (money.breach).")) }
                @for one in ends {
                    label class="radio" {
                        input type="checkbox" name=(FIELD) value=(one.subscription.id) checked[typed.all(FIELD).any(|id| id == one.subscription.id)];
                        span class="name" { (one.subscription.name.get(l)) }
                        span class="help" { (one.ending.statement.get(l)) }
                    }
                }
                (form::errors_of(&id, &wrong.at(FIELD)))
            }
        }
    }
}

/// What will be forfeited, as sentences.
pub(super) fn sentences(ask: &Ask, ends: &[Ends]) -> Vec<String> {
    let l = ask.l;
    let name = |one: &Ends| one.subscription.name.get(l).to_owned();
    ends.iter()
        .map(|one| {
            let said = one.ending.statement.get(l);
            l.f(|| format!("{} afsluttes. {said}", name(one)), || format!("{} ends. {said}", name(one)))
        })
        .collect()
}

/// The fields that carry the choice on.
pub(super) fn hidden(typed: &Form) -> Markup {
    html! { @for id in typed.all(FIELD) { input type="hidden" name=(FIELD) value=(id); } }
}
