//! What changed from one backup to another: for who wonders what an update, a colleague or a stranger did.

use super::super::shapes::{frame, read};
use super::browse::Slice;
use super::restore::parent;
use super::{asked, at, browse, home, named, one, restore, with};
use crate::api::segment;
use crate::ask::{Ask, Reply};
use crate::say::Say;
use crate::ui::icon::Icon;
use crate::ui::{self, Tone, Wrong, form};
use husorden_base::Refusal;
use husorden_wire::api;
use maud::{Markup, html};

/// Backups that can be chosen to compare with.
const OLDER: usize = 100;
/// Changes of one page.
const CHANGES: usize = 200;
/// What a change can be, as the API says it.
const SORTS: [&str; 4] = ["added", "changed", "removed", "rights"];

pub(super) async fn show(ask: &Ask) -> Result<Reply, Refusal> {
    let one = read(ask).await?;
    let backup = named(ask, &one).await?;
    let listed: api::Page<api::Backup> = ask.api.get(&format!("{}/backups?limit={OLDER}", at(&one))).await?;
    let older: Vec<&api::Backup> = listed
        .items
        .iter()
        .filter(|other| other.state == "ready" && other.id != backup.id && other.taken < backup.taken)
        .collect();
    let l = ask.l;
    let wanted = asked(ask, "since");
    let since = older.iter().find(|other| other.id == wanted).or(older.first()).copied();
    let Some(since) = since else {
        return Ok(frame(
            ask,
            &one,
            html! {
                (one::head(ask, &one, &backup))
                section class="card" { (ui::empty(Icon::Layers, l.t("Her er intet at sammenligne med", "There is nothing to compare with"), l.t("Denne er den ældste, der er. Når der er en til, kan du se, hvad der blev ændret imellem.", "This is the oldest there is. When there is another, you see what changed between them."), html! {})) }
            },
        ));
    };
    let path = asked(ask, "path");
    let from = format!("{}/backups/{}/changes", at(&one), segment(&backup.id));
    let found: api::BackupChanges = ask.api.get(&with(&from, &[("since", &since.id), ("path", path)])).await?;
    Ok(frame(
        ask,
        &one,
        html! {
            (one::head(ask, &one, &backup))
            section class="card" { div class="body" { (choose(ask, &older, since, path)) } }
            (list(ask, &one, &backup, since, &found))
        },
    ))
}

/// The form that says which backup is compared with.
fn choose(ask: &Ask, older: &[&api::Backup], since: &api::Backup, path: &str) -> Markup {
    let l = ask.l;
    let options: Vec<(String, String)> =
        older.iter().map(|other| (other.id.clone(), ask.reader.at_text(other.taken))).collect();
    let options: Vec<(&str, &str)> = options.iter().map(|(id, at)| (id.as_str(), at.as_str())).collect();
    html! {
        form method="get" class="compare" {
            (form::select(ask, &Wrong::none(ask), ("since", l.t("Ændret siden backuppen fra", "Changed since the backup of"), ""), &options, &since.id))
            @if !path.is_empty() { input type="hidden" name="path" value=(path); }
            button class="button" { (l.t("Sammenlign", "Compare")) }
        }
        @if !path.is_empty() { p class="small" {
            (l.t("Kun under ", "Only beneath ")) code { (path) } ". " a href=(narrowed(ask, &[("path", "")])) { (l.t("Vis alt", "Show all")) }
        } }
    }
}

/// This page with some of its query changed; the list begins anew.
fn narrowed(ask: &Ask, fields: &[(&str, &str)]) -> String {
    let mut query = ask.query.clone();
    query.set("from", "");
    fields.iter().for_each(|(name, value)| query.set(name, *value));
    let here = ask.path.as_str().split('?').next().unwrap_or("/");
    format!("{here}?{}", query.query())
}

fn list(
    ask: &Ask,
    one: &api::Solution,
    backup: &api::Backup,
    since: &api::Backup,
    found: &api::BackupChanges,
) -> Markup {
    let l = ask.l;
    let sort = ask.query.text("change");
    let words = ask.query.text("q").to_lowercase();
    let count = |word: &str| found.changes.iter().filter(|one| one.change == word).count();
    let fits = |one: &&api::BackupDifference| {
        (sort.is_empty() || one.change == sort) && one.path.to_lowercase().contains(&words)
    };
    let shown: Vec<&api::BackupDifference> = found.changes.iter().filter(fits).collect();
    let slice = Slice::of(ask, shown.len(), CHANGES);
    html! {
        section class="card" id="changes" {
            div class="bit" {
                div class="chips" {
                    (chip(ask, "", l.t("Alt", "All"), found.changes.len(), sort))
                    @for word in SORTS { (chip(ask, word, sort_name(ask, word).1, count(word), sort)) }
                }
                @if !found.changes.is_empty() {
                    (ui::search(ask, l.t("Søg i stierne", "Search the paths"), html! {
                        @for name in ["since", "path", "change"] { @if !asked(ask, name).is_empty() { input type="hidden" name=(name) value=(asked(ask, name)); } }
                    }))
                }
            }
            @if found.changes.is_empty() {
                (ui::empty(Icon::Check, l.t("Intet er ændret", "Nothing changed"), l.t("De to backupper er ens.", "The two backups are the same."), html! {}))
            } @else if shown.is_empty() {
                (ui::empty(Icon::Search, l.t("Intet passer", "Nothing fits"), "", html! { a class="button" href=(narrowed(ask, &[("q", ""), ("change", "")])) { (l.t("Vis alt", "Show all")) } }))
            } @else {
                (table(ask, one, backup, since, slice.cut(&shown)))
                (slice.show(ask, found.more))
            }
        }
    }
}

fn chip(ask: &Ask, word: &str, title: &str, count: usize, chosen: &str) -> Markup {
    html! {
        a class="button small" href=(narrowed(ask, &[("change", word)])) aria-current=[(word == chosen).then_some("true")] {
            (title) " " span class="num faint" { (ask.reader.count(count as u64)) }
        }
    }
}

fn sort_name(ask: &Ask, word: &str) -> (Tone, &'static str) {
    let l = ask.l;
    match word {
        "added" => (Tone::Good, l.t("Nyt", "Added")),
        "removed" => (Tone::Bad, l.t("Fjernet", "Removed")),
        "rights" => (Tone::Plain, l.t("Kun rettigheder", "Rights only")),
        _ => (Tone::Warn, l.t("Ændret", "Changed")),
    }
}

fn table(
    ask: &Ask,
    one: &api::Solution,
    backup: &api::Backup,
    since: &api::Backup,
    changes: &[&api::BackupDifference],
) -> Markup {
    let (l, reader) = (ask.l, &ask.reader);
    html! {
        div class="table" { table class="stacks" {
            thead { tr {
                th scope="col" { (l.t("Hvad", "What")) }
                th scope="col" { (l.t("Hvordan", "How")) }
                th scope="col" class="end" { (l.t("Før", "Before")) }
                th scope="col" class="end" { (l.t("Efter", "After")) }
                th scope="col" class="end" { (l.t("Ændret", "Changed")) }
                th scope="col" class="end" { span class="unseen" { (l.t("Handlinger", "Actions")) } }
            } }
            tbody { @for change in changes {
                @let (tone, word) = sort_name(ask, &change.change);
                @let named = !change.path.contains(char::REPLACEMENT_CHARACTER);
                @let (was, is) = (change.change != "added", change.change != "removed");
                // What is gone now is found in the older one.
                @let holder = if is { &backup.id } else { &since.id };
                tr {
                    td class="whole" { (name(ask, one, holder, change, named)) }
                    td data-label=(l.t("Hvordan", "How")) { (ui::badge(tone, word)) }
                    td data-label=(l.t("Før", "Before")) class="end num nowrap" { @if was && change.kind == "file" { (reader.size(change.bytes_before)) } @else { span class="faint" { "–" } } }
                    td data-label=(l.t("Efter", "After")) class="end num nowrap" { @if is && change.kind == "file" { (reader.size(change.bytes)) } @else { span class="faint" { "–" } } }
                    td data-label=(l.t("Ændret", "Changed")) class="end soft nowrap" { (ui::when(reader, change.modified)) }
                    td class="end whole" { @if named && ["file", "folder"].contains(&change.kind.as_str()) { span class="row" {
                        (browse::get(ask, one, holder, &change.path, &change.kind))
                        // As it was before: what came to it is answered by the older backup.
                        @if was { (restore::button(ask, one, &since.id, &change.path)) }
                    } } }
                }
            } }
        } }
    }
}

fn name(ask: &Ask, one: &api::Solution, holder: &str, change: &api::BackupDifference, named: bool) -> Markup {
    let folder = parent(&change.path);
    let leaf = change.path.rsplit('/').next().unwrap_or(&change.path);
    let (icon, class) = if change.kind == "folder" { (Icon::Folder, "entry folder") } else { (Icon::File, "entry") };
    html! {
        span class=(class) {
            (icon.show())
            span class="name" {
                @match (named, change.kind.as_str()) {
                    (true, "folder") => { a class="main" href=(browse::files(one, holder, &change.path)) { (leaf) } },
                    (true, "file") => { a class="main" href=(with(&format!("{}/versions", home(one)), &[("path", &change.path)])) { (leaf) } },
                    _ => { (leaf) },
                }
                @if !folder.is_empty() { span class="sub" {
                    @if named { a class="soft" href=(narrowed(ask, &[("path", folder)])) { (folder) "/" } } @else { (folder) "/" }
                } }
            }
        }
    }
}
