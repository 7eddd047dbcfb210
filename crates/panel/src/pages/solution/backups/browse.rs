//! A backup as a tree: folders first, with the way back up, and each file or folder to be fetched or put back.

use super::super::shapes::{frame, may_change, read};
use super::restore::parent;
use super::{asked, at, home, named, one, place, restore, with};
use crate::api::segment;
use crate::ask::{Ask, Reply};
use crate::say::Say;
use crate::ui;
use crate::ui::icon::Icon;
use husorden_base::Refusal;
use husorden_wire::api;
use maud::{Markup, html};

/// Entries of one page.
const ENTRIES: usize = 200;

pub(super) async fn show(ask: &Ask) -> Result<Reply, Refusal> {
    let one = read(ask).await?;
    let backup = named(ask, &one).await?;
    let path = asked(ask, "path");
    let mut folder: api::BackupFolder =
        ask.api.get(&with(&format!("{}/backups/{}/files", at(&one), segment(&backup.id)), &[("path", path)])).await?;
    let l = ask.l;
    let words = ask.query.text("q").to_lowercase();
    folder.entries.retain(|entry| entry.name.to_lowercase().contains(&words));
    folder.entries.sort_by_cached_key(|entry| (entry.kind != "folder", entry.name.to_lowercase()));
    let slice = Slice::of(ask, folder.entries.len(), ENTRIES);
    Ok(frame(
        ask,
        &one,
        html! {
            (one::head(ask, &one, &backup))
            section class="card" id="tree" {
                div class="title" {
                    (trail(ask, &one, &backup.id, path))
                    div class="row" {
                        @if !path.is_empty() { (ui::button(&files(&one, &backup.id, parent(path)), "small quiet", Some(Icon::Back), l.t("Op", "Up"))) }
                        (ui::button(&fetched(&one, &backup.id, path, "folder"), "small", Some(Icon::Download), l.t("Hent som tar", "Get as tar")))
                        @if !path.is_empty() {
                            @if may_change(ask) && one.aim != "gone" {
                                (ui::asks(&with(&format!("{}/restore", place(&one, &backup.id)), &[("path", path)]), "small", Some(Icon::Restore), l.t("Gendan mappen", "Restore the folder")))
                            }
                        }
                    }
                }
                @if folder.entries.len() > ENTRIES || !words.is_empty() || folder.more {
                    div class="bit" { (ui::search(ask, l.t("Søg i mappen", "Search the folder"), html! { input type="hidden" name="path" value=(path); })) }
                }
                @if folder.entries.is_empty() {
                    (ui::empty(Icon::Folder, if words.is_empty() { l.t("Mappen er tom", "The folder is empty") } else { l.t("Intet passer", "Nothing fits") }, "", html! {}))
                } @else {
                    (table(ask, &one, &backup.id, path, slice.cut(&folder.entries)))
                    (slice.show(ask, folder.more))
                }
            }
        },
    ))
}

/// A folder in the tree.
pub(super) fn files(one: &api::Solution, backup: &str, path: &str) -> String {
    with(&format!("{}/files", place(one, backup)), &[("path", path)])
}

/// The way from the root to where one stands.
pub(super) fn trail(ask: &Ask, one: &api::Solution, backup: &str, path: &str) -> Markup {
    let l = ask.l;
    let mut so_far = String::new();
    let mut steps: Vec<(String, String)> = Vec::new();
    for part in path.split('/').filter(|part| !part.is_empty()) {
        if !so_far.is_empty() {
            so_far.push('/');
        }
        so_far.push_str(part);
        steps.push((part.to_owned(), so_far.clone()));
    }
    let last = steps.pop();
    html! {
        nav class="trail" aria-label=(l.t("Hvor du er i backuppen", "Where you are in the backup")) {
            @if last.is_some() { a href=(files(one, backup, "")) { (l.t("Alt", "Everything")) } } @else { span aria-current="page" { (l.t("Alt", "Everything")) } }
            @for (name, path) in &steps { span aria-hidden="true" { "/" } a href=(files(one, backup, path)) { (name) } }
            @if let Some((name, _)) = &last { span aria-hidden="true" { "/" } span aria-current="page" { (name) } }
        }
    }
}

fn table(ask: &Ask, one: &api::Solution, backup: &str, folder: &str, entries: &[api::BackupEntry]) -> Markup {
    let (l, reader) = (ask.l, &ask.reader);
    html! {
        div class="table" { table class="stacks" {
            thead { tr {
                th scope="col" { (l.t("Navn", "Name")) }
                th scope="col" class="end" { (l.t("Størrelse", "Size")) }
                th scope="col" class="end" { (l.t("Ændret", "Changed")) }
                th scope="col" class="end" { span class="unseen" { (l.t("Handlinger", "Actions")) } }
            } }
            tbody { @for entry in entries {
                // A name that was not text can't be asked for alone.
                @let named = !entry.name.contains(char::REPLACEMENT_CHARACTER);
                @let path = if folder.is_empty() { entry.name.clone() } else { format!("{folder}/{}", entry.name) };
                tr {
                    td { (name(ask, one, backup, entry, named.then_some(path.as_str()))) }
                    td data-label=(l.t("Størrelse", "Size")) class="end num nowrap" { @if entry.kind == "file" { (reader.size(entry.bytes)) } }
                    td data-label=(l.t("Ændret", "Changed")) class="end soft nowrap" { @if let Some(modified) = entry.modified { (reader.at(modified)) } }
                    td class="end whole" { @if named && entry.kind != "other" { span class="row" {
                        @if entry.kind != "link" { (get(ask, one, backup, &path, &entry.kind)) }
                        (restore::button(ask, one, backup, &path))
                    } } }
                }
            } }
        } }
    }
}

fn name(ask: &Ask, one: &api::Solution, backup: &str, entry: &api::BackupEntry, path: Option<&str>) -> Markup {
    let (icon, class, word) = match entry.kind.as_str() {
        "folder" => (Icon::Folder, "entry folder", ask.l.t("mappe", "folder")),
        "link" => (Icon::Link, "entry", ask.l.t("henvisning", "link")),
        "file" => (Icon::File, "entry", ask.l.t("fil", "file")),
        _ => (Icon::Box, "entry", ask.l.t("andet", "other")),
    };
    html! {
        span class=(class) {
            (icon.show())
            span class="name" {
                span class="unseen" { (word) ": " }
                @match (path, entry.kind.as_str()) {
                    (Some(path), "folder") => { a class="main" href=(files(one, backup, path)) { (entry.name) } },
                    (Some(path), "file") => { a class="main" href=(with(&format!("{}/versions", home(one)), &[("path", path)])) { (entry.name) } },
                    _ => { (entry.name) },
                }
                @if let Some(to) = &entry.link { span class="faint" { " → " (to) } }
            }
        }
    }
}

/// A button that fetches a file, or a folder as an archive.
pub(super) fn get(ask: &Ask, one: &api::Solution, backup: &str, path: &str, kind: &str) -> Markup {
    html! {
        a class="button small quiet" href=(fetched(one, backup, path, kind)) download aria-label={ (ask.l.t("Hent", "Get")) ": " (path) } { (Icon::Download.show()) (ask.l.t("Hent", "Get")) }
    }
}

/// Where the bytes of something are had.
fn fetched(one: &api::Solution, backup: &str, path: &str, kind: &str) -> String {
    with(&format!("{}/content", place(one, backup)), &[("path", path), ("as", kind)])
}

/// The bytes of a file, or a folder as a tar archive, as they come.
pub(super) async fn content(ask: &Ask) -> Result<Reply, Refusal> {
    let one = read(ask).await?;
    let from = format!("{}/backups/{}/content", at(&one), segment(ask.param("backup")));
    Ok(Reply::raw(ask.api.file(&with(&from, &[("path", asked(ask, "path")), ("as", asked(ask, "as"))])).await?))
}

/// The part of a long list that a page shows.
pub(super) struct Slice {
    from: usize,
    size: usize,
    all: usize,
}

impl Slice {
    pub(super) fn of(ask: &Ask, all: usize, size: usize) -> Self {
        let from: usize = ask.query.text("from").parse().unwrap_or(0);
        Self { from: from.min(all.saturating_sub(1)) / size * size, size, all }
    }

    pub(super) fn cut<'a, T>(&self, list: &'a [T]) -> &'a [T] {
        &list[self.from.min(list.len())..(self.from + self.size).min(list.len())]
    }

    /// Which part it is, and the ways on.
    pub(super) fn show(&self, ask: &Ask, more: bool) -> Markup {
        let l = ask.l;
        let path = ask.path.as_str().split('?').next().unwrap_or("/");
        let to = |from: usize| {
            let mut query = ask.query.clone();
            query.set("from", if from == 0 { String::new() } else { from.to_string() });
            format!("{path}?{}", query.query())
        };
        let end = (self.from + self.size).min(self.all);
        html! {
            @if self.all > self.size || more {
                nav class="more-of" aria-label=(l.t("Sider i listen", "Pages of the list")) {
                    span class="num" {
                        (ask.reader.count(self.from as u64 + 1)) "–" (ask.reader.count(end as u64)) (l.t(" af ", " of ")) (ask.reader.count(self.all as u64))
                        @if more { (l.t(". Der er flere, end der kan vises; gå ind i en mappe.", ". There are more than can be shown; go into a folder.")) }
                    }
                    span class="row" {
                        @if self.from > 0 { a rel="prev" href=(to(self.from - self.size)) { (l.t("Forrige", "Previous")) } }
                        @if end < self.all { a rel="next" href=(to(end)) { (l.t("Næste", "Next")) } }
                    }
                }
            }
        }
    }
}
