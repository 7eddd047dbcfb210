//! One file through the backups it stands in: when it changed, and each version to be fetched or put back.

use super::super::shapes::{frame, read};
use super::restore::parent;
use super::{asked, at, browse, home, place, restore, with};
use crate::ask::{Ask, Reply, no_page};
use crate::say::Say;
use crate::ui::icon::Icon;
use crate::ui::{self, Tone};
use husorden_base::Refusal;
use husorden_wire::api;
use maud::{Markup, html};

pub(super) async fn show(ask: &Ask) -> Result<Reply, Refusal> {
    let one = read(ask).await?;
    let path = asked(ask, "path");
    if path.is_empty() {
        return Err(no_page());
    }
    let versions: api::Page<api::BackupVersion> =
        ask.api.get(&with(&format!("{}/versions", at(&one)), &[("path", path)])).await?;
    let l = ask.l;
    let leaf = path.rsplit('/').next().unwrap_or(path);
    Ok(frame(
        ask,
        &one,
        html! {
            div class="stack tight" {
                nav class="crumb" {
                    @if let Some(newest) = versions.items.first() {
                        a href=(browse::files(&one, &newest.backup, parent(path))) { (Icon::Back.show()) (l.t("Til mappen", "To the folder")) }
                    } @else { a href=(home(&one)) { (Icon::Back.show()) (l.t("Alle backupper", "All backups")) } }
                }
                h2 { (leaf) }
                p class="soft small" { code { (path) } }
            }
            section class="card" id="versions" {
                div class="title" {
                    h2 { (l.t("Versioner", "Versions")) }
                    p { (l.t("Filen, som den står i de nyeste backupper.", "The file as it stands in the newest backups.")) }
                }
                @if versions.items.is_empty() {
                    (ui::empty(Icon::File, l.t("Den står ikke i nogen backup", "It stands in no backup"), l.t("Den er måske nyere end den nyeste backup, eller hed noget andet.", "It may be newer than the newest backup, or had another name."), html! {}))
                } @else { (table(ask, &one, path, &versions.items)) }
            }
        },
    ))
}

fn table(ask: &Ask, one: &api::Solution, path: &str, versions: &[api::BackupVersion]) -> Markup {
    let (l, reader) = (ask.l, &ask.reader);
    let oldest = versions.len() - 1;
    html! {
        div class="table" { table class="stacks" {
            thead { tr {
                th scope="col" { (l.t("Backup", "Backup")) }
                th scope="col" { (l.t("Mod den før", "Against the one before")) }
                th scope="col" class="end" { (l.t("Størrelse", "Size")) }
                th scope="col" class="end" { (l.t("Ændret", "Changed")) }
                th scope="col" class="end" { span class="unseen" { (l.t("Handlinger", "Actions")) } }
            } }
            tbody { @for (index, version) in versions.iter().enumerate() {
                tr {
                    td { a class="main nowrap" href=(place(one, &version.backup)) { (reader.at(version.taken)) } }
                    td data-label=(l.t("Mod den før", "Against the one before")) {
                        @if index == oldest { span class="faint" { (l.t("ældste, der vises", "oldest that is shown")) } }
                        @else if version.same { span class="faint" { (l.t("uændret", "unchanged")) } }
                        @else { (ui::badge(Tone::Warn, l.t("Ændret", "Changed"))) }
                    }
                    td data-label=(l.t("Størrelse", "Size")) class="end num nowrap" { (reader.size(version.bytes)) }
                    td data-label=(l.t("Ændret", "Changed")) class="end soft nowrap" { (ui::when(reader, version.modified)) }
                    td class="end whole" { span class="row" {
                        (browse::get(ask, one, &version.backup, path, "file"))
                        (restore::button(ask, one, &version.backup, path))
                    } }
                }
            } }
        } }
    }
}
