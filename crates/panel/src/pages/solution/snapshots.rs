//! Snapshots of a solution: taken, restored, deleted, and the undo of what a restore did. What is under way is seen live.

use super::images;
use super::shapes::{frame, may_change, path, read};
use crate::api::{Nothing, segment};
use crate::ask::{Ask, Reply, no_page};
use crate::own_path::OwnPath;
use crate::say::Say;
use crate::ui::icon::Icon;
use crate::ui::{self, Confirm, Field, Tone, Wrong, form};
use husorden_base::Refusal;
use husorden_wire::api;
use husorden_wire::api::Capability;
use maud::{Markup, html};
use serde_json::json;

/// Orders that are looked through for those under way.
const ORDERS: usize = 20;

pub(super) async fn show(ask: &Ask) -> Result<Reply, Refusal> {
    page(ask, &Wrong::none(ask)).await
}

pub(super) async fn page(ask: &Ask, wrong: &Wrong) -> Result<Reply, Refusal> {
    let one = read(ask).await?;
    let id = segment(&one.id);
    let after = segment(ask.query.text("after"));
    let after = if after.is_empty() { String::new() } else { format!("&after={after}") };
    let snapshots: api::Page<api::Snapshot> =
        ask.api.get(&format!("/v1/solutions/{id}/snapshots?limit=100{after}")).await?;
    let orders: api::Page<api::Order> =
        ask.api.get(&format!("/v1/solutions/{id}/orders?newest=true&limit={ORDERS}")).await?;
    let schedule = super::schedule::of(ask, &one).await?;
    let l = ask.l;
    let may = may_change(ask);
    Ok(frame(
        ask,
        &one,
        html! {
            div id="orders" data-live aria-live="polite" class="stack tight" { (under_way(ask, &orders.items)) }
            @if may {
                (ui::card(l.t("Tag et øjebliksbillede", "Take a snapshot"), html! {}, html! {
                    p class="soft small" { (l.t(
                        "Et øjeblik, hvor alt er frosset fast: filer og database sammen. Det tager et sekund og forstyrrer ingen. Tag et, før du ændrer noget stort.",
                        "A moment in which everything stands still: files and database together. It takes a second and disturbs nobody. Take one before a big change.",
                    )) }
                    @if !super::moment::sent(ask) && !super::schedule::sent(ask) { (wrong.summary(ask)) }
                    form method="post" action={ (path(&one)) "/snapshots" } class="search" {
                        (form::token(ask))
                        div class="box" {
                            (Field { name: "/label", label: l.t("Hvad skal det hedde?", "What is it called?"), value: ask.form.text("/label"), optional: true, autocomplete: "off", max: Some(100), ..Field::default() }.show(ask, wrong))
                        }
                        button class="button primary" { (Icon::Camera.show()) (l.t("Tag nu", "Take now")) }
                    }
                }))
            }
            (super::moment::card(ask, &one, wrong))
            section class="card" id="snapshots" data-live {
                div class="title" {
                    h2 { (l.t("Øjebliksbilleder", "Snapshots")) }
                    @if may && snapshots.items.iter().any(|snapshot| snapshot.before.as_deref().is_some_and(|word| !matches!(word, api::SCHEDULED | "log"))) {
                        (ui::asks(&format!("{}/undo", path(&one)), "small", Some(Icon::Restore), l.t("Fortryd den seneste ændring", "Undo the newest change")))
                    }
                }
                @if snapshots.items.is_empty() {
                    (ui::empty(Icon::Camera, l.t("Ingen endnu", "None yet"), l.t(
                        "Vi tager selv et, før noget slettes eller gendannes. Du kan tage dine egne, når du vil.",
                        "We take one ourselves before anything is deleted or restored. You can take your own whenever you want.",
                    ), html! {}))
                } @else {
                    (table(ask, &one, &snapshots.items, may))
                    (ui::pager(ask, "after", ask.query.text("after").is_empty(), snapshots.next.as_deref()))
                }
            }
            (super::schedule::card(ask, &one, &schedule, wrong))
        },
    ))
}

/// What the node is doing, or has failed at last.
fn under_way(ask: &Ask, orders: &[api::Order]) -> Markup {
    let l = ask.l;
    // Orders come newest first.
    let newest = orders.first();
    html! {
        @for order in orders {
            @if order.state == "queued" || order.state == "running" {
                (ui::note(Tone::Busy, &verb(ask, &order.verb), html! {
                    @if let Some(message) = &order.message { p { (message) } }
                    progress max="100" value=[order.percent] aria-label=(l.t("Så langt er det", "How far it is")) {}
                }))
            } @else if order.state == "failed" && newest.is_some_and(|last| last.id == order.id) {
                (ui::note(Tone::Warn, &l.f(|| format!("Mislykkedes: {}", verb(ask, &order.verb)), || format!("Failed: {}", verb(ask, &order.verb))), html! {
                    @if let Some(message) = &order.message { p { (message) } }
                }))
            }
        }
    }
}

fn verb(ask: &Ask, verb: &str) -> String {
    let l = ask.l;
    match verb {
        "snapshot" => l.t("Tager et øjebliksbillede", "Taking a snapshot"),
        "restore" => l.t("Gendanner", "Restoring"),
        "snapshot-delete" => l.t("Sletter et øjebliksbillede", "Deleting a snapshot"),
        "unpack" => l.t("Pakker ud", "Unpacking"),
        "dump" => l.t("Trækker ud", "Dumping"),
        "package" => l.t("Pakker", "Packing"),
        "load" => l.t("Læser ind", "Loading"),
        "wake" => l.t("Vækker løsningen", "Waking the solution"),
        "update" => l.t("Opdaterer løsningen", "Updating the solution"),
        "back-up" => l.t("Tager backup", "Backing up"),
        "backup-restore" => l.t("Gendanner fra en backup", "Restoring from a backup"),
        "backup-read" => l.t("Slår op i en backup", "Looking into a backup"),
        "prove" => l.t("Prøver en backup", "Proving a backup"),
        "sleep" => l.t("Lægger løsningen i dvale", "Putting the solution to sleep"),
        "reset" => l.t("Nulstiller løsningen", "Resetting the solution"),
        other => other,
    }
    .to_owned()
}

/// What a snapshot was taken before.
fn before(ask: &Ask, word: &str) -> String {
    let l = ask.l;
    match word {
        "restore" => l.t("Før en gendannelse", "Before a restore"),
        "gone" | "delete" => l.t("Før en sletning", "Before a deletion"),
        "unpack" => l.t("Før en udpakning", "Before an unpacking"),
        "load" => l.t("Før en indlæsning", "Before a load"),
        "update" => l.t("Før en opdatering", "Before an update"),
        "upgrade" => l.t("Før skiftet til en ny version", "Before the change to a new version"),
        "roll-back" => l.t("Efter en opdatering, der ikke holdt", "After an update that did not hold"),
        "change" => l.t("Før en ændring", "Before a change"),
        "backup-restore" => l.t("Før en gendannelse fra en backup", "Before a restore from a backup"),
        api::SCHEDULED => l.t("Efter tidsplan", "On schedule"),
        "log" => l.t("Grundlag for et tidspunkt", "Base for a point in time"),
        _ => l.t("Før en ændring", "Before a change"),
    }
    .to_owned()
}

pub(super) fn name(ask: &Ask, snapshot: &api::Snapshot) -> String {
    match (&snapshot.before, snapshot.label.as_str()) {
        (Some(word), _) => before(ask, word),
        (None, "") => ask.l.t("Uden navn", "Without a name").to_owned(),
        (None, label) => label.to_owned(),
    }
}

fn table(ask: &Ask, one: &api::Solution, snapshots: &[api::Snapshot], may: bool) -> Markup {
    let l = ask.l;
    let base = path(one);
    html! {
        div class="table" { table class="stacks" {
            thead { tr {
                th scope="col" { (l.t("Navn", "Name")) }
                th scope="col" { (l.t("Taget", "Taken")) }
                th scope="col" { (l.t("Tilstand", "State")) }
                th scope="col" class="end" { span class="unseen" { (l.t("Handlinger", "Actions")) } }
            } }
            tbody {
                @for snapshot in snapshots.iter().rev() {
                    tr {
                        td { span class="main" { (name(ask, snapshot)) } }
                        td data-label=(l.t("Taget", "Taken")) { (ask.reader.ago(snapshot.taken)) }
                        td data-label=(l.t("Tilstand", "State")) {
                            (snapshot_state(ask, &snapshot.state))
                            @if let Some(worth) = worth(ask, snapshot) { span class="soft small" { " " (worth) } }
                        }
                        td class="end whole" {
                            @if may && snapshot.state == "ready" {
                                span class="row" {
                                    (ui::asks(&format!("{base}/snapshots/{}/restore", segment(&snapshot.id)), "small", Some(Icon::Restore), l.t("Gendan", "Restore")))
                                    @if images::made_of(ask, one).is_some() {
                                        (ui::asks(&format!("{base}/snapshots/{}/image", segment(&snapshot.id)), "small", Some(Icon::Layers), l.t("Lav et aftryk", "Make an image")))
                                    }
                                    @if ask.may(Capability::SolutionDelete) {
                                        (ui::asks(&format!("{base}/snapshots/{}/delete", segment(&snapshot.id)), "quiet small", Some(Icon::Trash), l.t("Slet", "Delete")))
                                    }
                                }
                            }
                        }
                    }
                }
            }
        } }
    }
}

/// What a snapshot of something that ran is worth.
fn worth(ask: &Ask, snapshot: &api::Snapshot) -> Option<&'static str> {
    let l = ask.l;
    match snapshot.consistent.as_deref()? {
        "filesystem" => Some(l.t("Filsystemer frosset", "Filesystems frozen")),
        _ => Some(l.t("Som efter et nedbrud", "As after a crash")),
    }
}

fn snapshot_state(ask: &Ask, state: &str) -> Markup {
    let l = ask.l;
    match state {
        "ready" => ui::badge(Tone::Good, l.t("Klar", "Ready")),
        "taking" => ui::badge(Tone::Busy, l.t("Tages", "Being taken")),
        "deleting" => ui::badge(Tone::Busy, l.t("Slettes", "Being deleted")),
        _ => ui::badge(Tone::Bad, l.t("Mislykket", "Failed")),
    }
}

pub(super) async fn take(ask: &Ask) -> Result<Reply, Refusal> {
    let at = format!("/v1/solutions/{}/snapshots", segment(ask.param("solution")));
    match ask.api.post::<api::Order>(&at, &json!({ "label": ask.form.text("/label") })).await {
        Ok(_) => Ok(back(ask, ask.l.t("Øjebliksbilledet tages nu.", "The snapshot is being taken."))),
        Err(refusal) => page(ask, &Wrong::of(ask, refusal)).await,
    }
}

fn back(ask: &Ask, sentence: &str) -> Reply {
    Reply::see(OwnPath::of(format!("/solutions/{}/snapshots", segment(ask.param("solution"))))).saying(sentence)
}

/// The snapshot that the path names.
pub(super) async fn named(ask: &Ask, one: &api::Solution) -> Result<api::Snapshot, Refusal> {
    let page: api::Page<api::Snapshot> =
        ask.api.get(&format!("/v1/solutions/{}/snapshots?limit=200", segment(&one.id))).await?;
    page.items.into_iter().find(|snapshot| snapshot.id == ask.param("snapshot")).ok_or_else(no_page)
}

pub(super) async fn restore_page(ask: &Ask) -> Result<Reply, Refusal> {
    let one = read(ask).await?;
    let snapshot = named(ask, &one).await?;
    let l = ask.l;
    let at = ask.reader.at_text(snapshot.taken);
    let title = l.f(|| format!("Gendan {}?", one.name), || format!("Restore {}?", one.name));
    let confirm = Confirm {
        title: &title,
        lead: &l.f(
            || format!("Til »{}« fra {at}.", name(ask, &snapshot)),
            || format!("To “{}” of {at}.", name(ask, &snapshot)),
        ),
        consequences: vec![
            (
                Tone::Bad,
                l.t(
                    "Filer og database bliver, som de var dengang. Det, der er kommet til siden, er ikke med.",
                    "Files and database become as they were then. What was added since is not in it.",
                )
                .to_owned(),
            ),
            (
                Tone::Plain,
                l.t("Løsningen er væk i nogle sekunder imens.", "The solution is away for some seconds meanwhile.")
                    .to_owned(),
            ),
            (
                Tone::Good,
                l.t(
                    "Vi tager et øjebliksbillede først, så gendannelsen kan fortrydes.",
                    "We take a snapshot first, so that the restore can be undone.",
                )
                .to_owned(),
            ),
        ],
        action: ask.path.as_str(),
        verb: l.t("Gendan", "Restore"),
        danger: true,
        back: &format!("{}/snapshots", path(&one)),
        fields: html! {},
    };
    Ok(ask.sheet(&title).narrow().show(confirm.show(ask)))
}

pub(super) async fn restore(ask: &Ask) -> Result<Reply, Refusal> {
    let at = format!(
        "/v1/solutions/{}/snapshots/{}/restore",
        segment(ask.param("solution")),
        segment(ask.param("snapshot"))
    );
    let _: api::Order = ask.api.act(&at).await?;
    Ok(back(ask, ask.l.t("Gendannelsen er i gang.", "The restore is under way.")))
}

pub(super) async fn delete_page(ask: &Ask) -> Result<Reply, Refusal> {
    let one = read(ask).await?;
    let snapshot = named(ask, &one).await?;
    let l = ask.l;
    let at = ask.reader.at_text(snapshot.taken);
    let title = l.t("Slet øjebliksbilledet?", "Delete the snapshot?");
    let confirm = Confirm {
        title,
        lead: &l
            .f(|| format!("»{}« fra {at}.", name(ask, &snapshot)), || format!("“{}” of {at}.", name(ask, &snapshot))),
        consequences: vec![
            (
                Tone::Bad,
                l.t(
                    "Du kan ikke længere gå tilbage til det øjeblik. Det kan ikke fortrydes.",
                    "You can no longer go back to that moment. This cannot be undone.",
                )
                .to_owned(),
            ),
            (Tone::Good, l.t("Løsningen selv røres ikke.", "The solution itself is not touched.").to_owned()),
        ],
        action: ask.path.as_str(),
        verb: l.t("Slet", "Delete"),
        danger: true,
        back: &format!("{}/snapshots", path(&one)),
        fields: html! {},
    };
    Ok(ask.sheet(title).narrow().show(confirm.show(ask)))
}

pub(super) async fn delete(ask: &Ask) -> Result<Reply, Refusal> {
    let at = format!("/v1/solutions/{}/snapshots/{}", segment(ask.param("solution")), segment(ask.param("snapshot")));
    let _: api::Order = ask.api.delete(&at).await?;
    Ok(back(ask, ask.l.t("Øjebliksbilledet slettes.", "The snapshot is being deleted.")))
}

pub(super) async fn undo_page(ask: &Ask) -> Result<Reply, Refusal> {
    let one = read(ask).await?;
    let l = ask.l;
    let title = l.t("Fortryd den seneste ændring?", "Undo the newest change?");
    let confirm = Confirm {
        title,
        lead: l.t(
            "Den seneste gendannelse, udpakning eller ændring, som vi tog et øjebliksbillede før.",
            "The newest restore, unpacking or change that we took a snapshot before.",
        ),
        consequences: vec![
            (
                Tone::Plain,
                l.f(
                    || format!("{} bliver, som den var lige før.", one.name),
                    || format!("{} becomes as it was just before.", one.name),
                ),
            ),
            (
                Tone::Bad,
                l.t("Det, der er skrevet siden, er ikke med.", "What was written since is not in it.").to_owned(),
            ),
            (
                Tone::Good,
                l.t(
                    "Vi tager et øjebliksbillede først, så også dette kan fortrydes.",
                    "We take a snapshot first, so that this too can be undone.",
                )
                .to_owned(),
            ),
        ],
        action: ask.path.as_str(),
        verb: l.t("Fortryd ændringen", "Undo the change"),
        danger: true,
        back: &format!("{}/snapshots", path(&one)),
        fields: html! {},
    };
    Ok(ask.sheet(title).narrow().show(confirm.show(ask)))
}

pub(super) async fn undo(ask: &Ask) -> Result<Reply, Refusal> {
    let name = segment(ask.param("solution"));
    let before = read(ask).await?;
    let _: Nothing = ask.api.act(&format!("/v1/solutions/{name}/undo")).await?;
    let said = ask.l.t("Det er fortrudt.", "It is undone.");
    // A deletion that is undone leads to the solution; a restore is followed among the snapshots.
    if before.aim == "gone" { Ok(Reply::see(OwnPath::of(path(&before))).saying(said)) } else { Ok(back(ask, said)) }
}
