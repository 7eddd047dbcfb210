//! Backups of a solution, as its people see them: how it stands in one glance, the list, a backup made now, what is being put back.

mod browse;
mod changes;
mod one;
mod plan;
pub(crate) mod proof;
mod restore;
mod versions;
pub(crate) mod words;

#[cfg(test)]
mod tests;

use super::dumps;
use super::shapes::{frame, may_change, path, read};
use crate::api::{Nothing, segment};
use crate::ask::{Ask, Reply};
use crate::form::Form;
use crate::own_path::OwnPath;
use crate::routes::Reach::Session;
use crate::routes::{Page, get, post};
use crate::say::Say;
use crate::ui::icon::Icon;
use crate::ui::{self, Tone, Wrong};
use husorden_base::Refusal;
use husorden_wire::api;
use maud::{Markup, html};

/// Backups of one page of the list.
const BACKUPS: usize = 50;
/// Orders that are looked through for what is under way; each look into a backup is an order too.
const ORDERS: usize = 100;

/// The lines of the table.
pub(super) fn table() -> Vec<Page> {
    vec![
        get("/solutions/{solution}/backups", Session, show),
        post("/solutions/{solution}/backups", Session, now),
        post("/solutions/{solution}/backups/plan", Session, plan::save),
        get("/solutions/{solution}/backups/versions", Session, versions::show),
        get("/solutions/{solution}/backups/proofs", Session, proof::list),
        get("/solutions/{solution}/backups/proofs/{proof}", Session, proof::show),
        get("/solutions/{solution}/backups/{backup}", Session, one::show),
        get("/solutions/{solution}/backups/{backup}/files", Session, browse::show),
        get("/solutions/{solution}/backups/{backup}/content", Session, browse::content),
        get("/solutions/{solution}/backups/{backup}/changes", Session, changes::show),
        get("/solutions/{solution}/backups/{backup}/restore", Session, restore::page),
        post("/solutions/{solution}/backups/{backup}/restore", Session, restore::send),
    ]
}

/// Where the API has a solution.
fn at(one: &api::Solution) -> String {
    format!("/v1/solutions/{}", segment(&one.id))
}

/// Where a solution's backups are in the panel.
fn home(one: &api::Solution) -> String {
    format!("{}/backups", path(one))
}

/// Where a backup is in the panel.
fn place(one: &api::Solution, backup: &str) -> String {
    format!("{}/{}", home(one), segment(backup))
}

/// A path with a query; what is empty is left out.
fn with(path: &str, fields: &[(&str, &str)]) -> String {
    let mut query = Form::default();
    fields.iter().for_each(|(name, value)| query.add(name, *value));
    let query = query.query();
    if query.is_empty() { path.to_owned() } else { format!("{path}?{query}") }
}

/// A path in a backup as the visitor asked for it: its blanks are its own.
fn asked<'a>(ask: &'a Ask, name: &str) -> &'a str {
    ask.query.get(name).unwrap_or_default()
}

/// The backup that the path names.
async fn named(ask: &Ask, one: &api::Solution) -> Result<api::Backup, Refusal> {
    ask.api.get(&format!("{}/backups/{}", at(one), segment(ask.param("backup")))).await
}

async fn show(ask: &Ask) -> Result<Reply, Refusal> {
    page(ask, &Wrong::none(ask)).await
}

async fn page(ask: &Ask, wrong: &Wrong) -> Result<Reply, Refusal> {
    let one = read(ask).await?;
    let standing: api::BackupPlan = ask.api.get(&format!("{}/backup-plan", at(&one))).await?;
    let limit = BACKUPS.to_string();
    let list = with(&format!("{}/backups", at(&one)), &[("limit", &limit), ("after", ask.query.text("after"))]);
    let backups: api::Page<api::Backup> = ask.api.get(&list).await?;
    let orders: api::Page<api::Order> = ask.api.get(&format!("{}/orders?limit={ORDERS}", at(&one))).await?;
    let l = ask.l;
    let first = ask.query.text("after").is_empty();
    Ok(frame(
        ask,
        &one,
        html! {
            div id="backup-work" data-live aria-live="polite" class="stack tight" { (work(ask, &one, &standing, &orders.items)) }
            (plan::glance(ask, &one, &standing))
            section class="card" id="backups" data-live {
                div class="title" {
                    h2 { (l.t("Backupper", "Backups")) }
                    @if !backups.items.is_empty() { p { (l.t("Den nyeste øverst. Hver er hel for sig, selv om kun det ændrede blev sendt.", "The newest first. Each is whole by itself, though only what changed was sent.")) } }
                }
                @if backups.items.is_empty() {
                    (ui::empty(Icon::Shield, l.t("Ingen endnu", "None yet"), l.t(
                        "Den første tages i næste vindue, eller nu, hvis du vil. Derefter hver dag, og hver prøves.",
                        "The first is made in the next window, or now if you like. After that each day, and each is proven.",
                    ), html! {}))
                } @else {
                    (table_of(ask, &one, &backups.items))
                    (ui::pager(ask, "after", first, backups.next.as_deref()))
                }
            }
            (plan::card(ask, &one, &standing, wrong))
            (dumps::leaving(ask, &one, &orders.items))
        },
    ))
}

/// What is being done, and what came of the newest restore.
fn work(ask: &Ask, one: &api::Solution, standing: &api::BackupPlan, orders: &[api::Order]) -> Markup {
    let l = ask.l;
    let order = |id: &str| orders.iter().find(|order| order.id == id);
    // Orders come oldest first; looking into a backup changes nothing.
    let changing = |order: &&api::Order| {
        !["backup-read", "back-up", "prove", "dump", "package", "wake", "sleep"].contains(&order.verb.as_str())
    };
    let newest = orders.iter().rev().find(changing).filter(|order| order.verb == "backup-restore");
    let progress = |percent: Option<u8>| html! { progress max="100" value=[percent] aria-label=(l.t("Så langt er det", "How far it is")) {} };
    html! {
        @if let Some(backup) = &standing.under_way {
            @let order = order(&backup.order);
            (ui::note(Tone::Busy, l.t("Der tages backup nu", "A backup is being made"), html! {
                @if let Some(said) = order.and_then(|order| order.message.as_ref()).or(backup.message.as_ref()) { p { (said) } }
                @else { p { (l.t("Løsningen kører imens; den er frosset fast i et øjebliksbillede.", "The solution runs meanwhile; it was frozen in a snapshot.")) } }
                (progress(order.and_then(|order| order.percent)))
            }))
        }
        @if let Some(order) = newest {
            @match order.state.as_str() {
                "queued" | "running" => { (ui::note(Tone::Busy, l.t("Gendanner fra en backup", "Restoring from a backup"), html! {
                    @if let Some(said) = &order.message { p { (said) } }
                    (progress(order.percent))
                })) },
                "failed" => { (ui::note(Tone::Bad, l.t("Gendannelsen mislykkedes", "The restore failed"), html! {
                    @if let Some(said) = &order.message { p { (said) } }
                    p { (l.t("Løsningen er, som den var.", "The solution is as it was.")) }
                })) },
                _ => { (ui::note(Tone::Good, l.t("Gendannelsen er gjort", "The restore is done"), html! {
                    @if let Some(ended) = order.ended { p { (ask.reader.at(ended)) ". " (l.t("Som løsningen var lige før, ligger som et øjebliksbillede.", "As the solution was just before, it is kept as a snapshot.")) } }
                    @if may_change(ask) {
                        div class="row" { (ui::asks(&format!("{}/undo", path(one)), "small", Some(Icon::Restore), l.t("Fortryd gendannelsen", "Undo the restore"))) }
                    }
                })) },
            }
        }
    }
}

fn table_of(ask: &Ask, one: &api::Solution, backups: &[api::Backup]) -> Markup {
    let (l, reader) = (ask.l, &ask.reader);
    html! {
        div class="table" { table class="stacks" {
            thead { tr {
                th scope="col" { (l.t("Taget", "Taken")) }
                th scope="col" { (l.t("Tilstand", "State")) }
                th scope="col" { (l.t("Prøve", "Proof")) }
                th scope="col" class="end" { (l.t("Størrelse", "Size")) }
                th scope="col" class="end" { (l.t("Sendt", "Sent")) }
                th scope="col" class="end" { span class="unseen" { (l.t("Handlinger", "Actions")) } }
            } }
            tbody { @for backup in backups {
                @let ready = backup.state == "ready";
                @let here = place(one, &backup.id);
                tr class=[(!ready).then_some("past")] {
                    td {
                        a class="main nowrap" href=(here) { (reader.at(backup.taken)) }
                        span class="sub" { (words::reason(ask, &backup.reason)) " · " (backup.target) }
                        @if let Some(said) = backup.message.as_ref().filter(|_| backup.state == "failed") { span class="sub" { (said) } }
                    }
                    td data-label=(l.t("Tilstand", "State")) { (words::backup_state(ask, &backup.state)) }
                    td data-label=(l.t("Prøve", "Proof")) { @if ready { (words::proof_badge(ask, backup.proof.as_ref())) } @else { span class="faint" { "–" } } }
                    td data-label=(l.t("Størrelse", "Size")) class="end num nowrap" {
                        @if ready { span { (reader.size(backup.bytes)) span class="sub" { (words::extent(ask, backup)) } } } @else { span class="faint" { "–" } }
                    }
                    td data-label=(l.t("Sendt", "Sent")) class="end num nowrap" { @if ready { (reader.size(backup.bytes_sent)) } @else { span class="faint" { "–" } } }
                    td class="end whole" { @if ready { span class="row" {
                        @if may_change(ask) {
                            (ui::button(&format!("{here}/files"), "small quiet", Some(Icon::Folder), l.t("Se filer", "Browse")))
                            (ui::asks(&format!("{here}/restore"), "small", Some(Icon::Restore), l.t("Gendan", "Restore")))
                        }
                    } } }
                }
            } }
        } }
    }
}

/// Makes one now.
async fn now(ask: &Ask) -> Result<Reply, Refusal> {
    let one = read(ask).await?;
    match ask.api.act::<Nothing>(&format!("{}/backups", at(&one))).await {
        Ok(_) => {
            Ok(Reply::see(OwnPath::of(home(&one))).saying(ask.l.t("Backuppen tages nu.", "The backup is being made.")))
        }
        Err(refusal) => page(ask, &Wrong::of(ask, refusal)).await,
    }
}
