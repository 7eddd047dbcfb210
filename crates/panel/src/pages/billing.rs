//! Plans and what the account has ordered: prices, periods, and what an ending means in money before it is done.

use crate::api::{Nothing, segment};
use crate::ask::{Ask, Reply};
use crate::own_path::OwnPath;
use crate::routes::Reach::Session;
use crate::routes::{Page, get, post};
use crate::say::Say;
use crate::ui::icon::Icon;
use crate::ui::{self, Confirm, Tone};
use husorden_base::Refusal;
use husorden_wire::api::{self, Capability};
use maud::{Markup, html};
use serde_json::json;

/// The lines of the table.
pub(crate) fn table() -> Vec<Page> {
    vec![
        get("/billing", Session, show),
        get("/billing/order/{plan}", Session, order_page),
        post("/billing/order/{plan}", Session, order),
        get("/billing/{subscription}/end", Session, end_page),
        post("/billing/{subscription}/end", Session, end),
    ]
}

async fn show(ask: &Ask) -> Result<Reply, Refusal> {
    let plans: api::Page<api::Plan> = ask.api.get("/v1/plans").await?;
    let held: api::Page<api::Subscription> = ask.api.get("/v1/subscriptions?limit=200").await?;
    let l = ask.l;
    let title = l.t("Abonnement", "Plan");
    let lead = l.t(
        "Hvad kontoen har bestilt, hvad det koster, og hvad der kan bestilles. Priser er uden moms.",
        "What the account has ordered, what it costs, and what can be ordered. Prices are without VAT.",
    );
    Ok(ask.sheet(title).show(html! {
        (ui::head(None, title, lead, html! {}))
        section class="card" {
            div class="title" { h2 { (l.t("Det har I bestilt", "What you have ordered")) } }
            @if held.items.is_empty() {
                (ui::empty(Icon::Receipt, l.t("Intet endnu", "Nothing yet"), l.t("Vælg en plan herunder, når I er klar.", "Choose a plan below when you are ready."), html! {}))
            } @else { (subscriptions(ask, &held.items)) }
        }
        div class="grid" {
            @for plan in plans.items.iter().filter(|plan| plan.sold) { (offer(ask, plan)) }
        }
    }))
}

fn period(ask: &Ask, word: &str) -> &'static str {
    if word == "year" { ask.l.t("om året", "a year") } else { ask.l.t("om måneden", "a month") }
}

fn subscriptions(ask: &Ask, held: &[api::Subscription]) -> Markup {
    let (l, reader) = (ask.l, &ask.reader);
    html! {
        div class="table" { table class="stacks" {
            thead { tr { th scope="col" { (l.t("Plan", "Plan")) } th scope="col" { (l.t("Tilstand", "State")) } th scope="col" { (l.t("Perioden", "The period")) } th scope="col" { (l.t("Pris", "Price")) } th scope="col" class="end" { span class="unseen" { (l.t("Handlinger", "Actions")) } } } }
            tbody { @for one in held { tr {
                td { span class="main" { (one.name.get(l)) } @if one.quantity > 1 { " × " (one.quantity) } @if one.addon { span class="sub" { (l.t("Tilvalg", "Add-on")) } } }
                td data-label=(l.t("Tilstand", "State")) {
                    @if one.state == "ended" {
                        span {
                            (ui::badge(Tone::Plain, l.t("Slut", "Ended")))
                            @if one.ending.as_deref() == Some("breach") { span class="sub" { a href="/decisions" { (l.t("Ved en afgørelse", "By a decision")) } @if let Some(case) = &one.case { " " (case) } } }
                        }
                    }
                    @else if one.renews { (ui::badge(Tone::Good, l.t("Fornyes", "Renews"))) }
                    @else { (ui::badge(Tone::Warn, l.t("Udløber", "Runs out"))) }
                }
                td data-label=(l.t("Perioden", "The period")) { span { (reader.day_text(one.period.starts)) " – " (reader.day_text(one.period.ends)) } }
                td data-label=(l.t("Pris", "Price")) class="num" { (one.period.net.in_words(l)) }
                td class="end whole" { @if one.state == "active" && ask.may(Capability::BillingManage) {
                    @if one.renews { (ui::asks(&format!("/billing/{}/end", segment(&one.id)), "small", None, l.t("Opsig", "End it"))) }
                    @else { (ui::post(ask, &format!("/billing/{}/end", segment(&one.id)), html! { input type="hidden" name="when" value="never"; button class="button small" { (l.t("Forny alligevel", "Renew after all")) } })) }
                } }
            } } }
        } }
    }
}

/// What a plan gives, in lines.
fn gives(ask: &Ask, quota: &api::Quota) -> Vec<String> {
    let (l, reader) = (ask.l, &ask.reader);
    [
        quota.solutions.map(|count| l.f(|| format!("{count} løsninger"), || format!("{count} solutions"))),
        quota
            .disk_bytes
            .map(|bytes| l.f(|| format!("{} plads", reader.size(bytes)), || format!("{} of disk", reader.size(bytes)))),
        quota.memory_bytes.map(|bytes| {
            l.f(|| format!("{} hukommelse", reader.size(bytes)), || format!("{} of memory", reader.size(bytes)))
        }),
        quota
            .cpu_percent
            .map(|percent| l.f(|| format!("{percent} % af en kerne"), || format!("{percent} % of a core"))),
    ]
    .into_iter()
    .flatten()
    .collect()
}

fn offer(ask: &Ask, plan: &api::Plan) -> Markup {
    let l = ask.l;
    html! {
        section class="card" { div class="body" {
            div class="row apart" { h2 { (plan.name.get(l)) } @if plan.addon { (ui::tag(l.t("Tilvalg", "Add-on"))) } }
            p class="price num" { strong { (plan.price.in_words(l)) } " " span class="soft small" { (period(ask, &plan.period)) } }
            p class="soft small" { (plan.about.get(l)) }
            ul class="small" { @for line in gives(ask, &plan.quota) { li { (line) } } }
            @if ask.may(Capability::BillingManage) { (ui::asks(&format!("/billing/order/{}", segment(&plan.code)), "primary", None, l.t("Bestil", "Order"))) }
        } }
    }
}

async fn order_page(ask: &Ask) -> Result<Reply, Refusal> {
    let plans: api::Page<api::Plan> = ask.api.get("/v1/plans").await?;
    let plan = plans.items.into_iter().find(|plan| plan.code == ask.param("plan")).ok_or_else(crate::ask::no_page)?;
    let l = ask.l;
    let title = l.f(|| format!("Bestil {}?", plan.name.da), || format!("Order {}?", plan.name.en));
    let price = plan.price.in_words(l);
    let confirm = Confirm {
        title: &title,
        lead: plan.about.get(l),
        consequences: vec![
            (
                Tone::Plain,
                l.f(
                    || {
                        format!(
                            "{price} {} forud, uden moms. Den første periode begynder nu.",
                            period(ask, &plan.period)
                        )
                    },
                    || {
                        format!(
                            "{price} {} in advance, without VAT. The first period begins now.",
                            period(ask, &plan.period)
                        )
                    },
                ),
            ),
            if plan.refund == "remainder" {
                (
                    Tone::Good,
                    l.t(
                        "Slutter det før tid, får I resten tilbage, medmindre husordenen er brudt.",
                        "If it ends before its time you get the rest back, unless the house rules were broken.",
                    )
                    .to_owned(),
                )
            } else {
                (
                    Tone::Warn,
                    l.t("En betalt periode betales ikke tilbage.", "A paid period is not refunded.").to_owned(),
                )
            },
        ],
        action: ask.path.as_str(),
        verb: l.t("Bestil", "Order"),
        danger: false,
        back: "/billing",
        fields: html! {},
    };
    Ok(ask.sheet(&title).narrow().show(confirm.show(ask)))
}

async fn order(ask: &Ask) -> Result<Reply, Refusal> {
    let body = json!({ "plan": ask.param("plan") });
    let _: api::Subscription = ask.api.post("/v1/subscriptions", &body).await?;
    Ok(Reply::see(OwnPath::of("/billing")).saying(ask.l.t("Bestilt. Tak.", "Ordered. Thank you.")))
}

async fn end_page(ask: &Ask) -> Result<Reply, Refusal> {
    let at = format!("/v1/subscriptions/{}", segment(ask.param("subscription")));
    let one: api::Subscription = ask.api.get(&at).await?;
    let l = ask.l;
    let title = l.f(|| format!("Opsig {}?", one.name.da), || format!("End {}?", one.name.en));
    let until = ask.reader.day_text(one.period.ends);
    let confirm = Confirm {
        title: &title,
        lead: "",
        consequences: vec![
            (
                Tone::Plain,
                l.f(
                    || format!("Det løber perioden ud, til {until}, og fornyes ikke."),
                    || format!("It runs to the end of its period, {until}, and is not renewed."),
                ),
            ),
            (Tone::Good, l.t("Indtil da kan I fortryde.", "Until then you can undo it.").to_owned()),
        ],
        action: ask.path.as_str(),
        verb: l.t("Opsig", "End it"),
        danger: true,
        back: "/billing",
        fields: html! { input type="hidden" name="when" value="period-end"; },
    };
    Ok(ask.sheet(&title).narrow().show(confirm.show(ask)))
}

async fn end(ask: &Ask) -> Result<Reply, Refusal> {
    let when = if ask.form.text("when") == "never" { "never" } else { "period-end" };
    let at = format!("/v1/subscriptions/{}/end", segment(ask.param("subscription")));
    let _: Nothing = ask.api.post(&at, &json!({ "when": when })).await?;
    let said = if when == "never" {
        ask.l.t("Det fornyes.", "It renews.")
    } else {
        ask.l.t("Opsagt til periodens slutning.", "It ends with its period.")
    };
    Ok(Reply::see(OwnPath::of("/billing")).saying(said))
}
