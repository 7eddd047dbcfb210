//! One backup: what is in it, what it cost, whether it was proven, and what can be done with it.

use super::super::shapes::{frame, may_change, read};
use super::{home, named, place, proof, words};
use crate::ask::{Ask, Reply};
use crate::say::Say;
use crate::ui::icon::Icon;
use crate::ui::{self, Tone};
use husorden_base::Refusal;
use husorden_wire::api;
use maud::{Markup, html};

pub(super) async fn show(ask: &Ask) -> Result<Reply, Refusal> {
    let one = read(ask).await?;
    let backup = named(ask, &one).await?;
    let l = ask.l;
    Ok(frame(
        ask,
        &one,
        html! {
            (head(ask, &one, &backup))
            @if let Some(said) = &backup.message {
                @if backup.state == "failed" { (ui::note(Tone::Bad, l.t("Backuppen blev ikke til noget", "The backup came to nothing"), html! { p { (said) } })) }
            }
            div class="split even" {
                (ui::card(l.t("Hvad der er i den", "What is in it"), words::backup_state(ask, &backup.state), facts(ask, &backup)))
                @if backup.state == "ready" { (ui::card(l.t("Hvor langt den er prøvet", "How far it is proven"), link(ask, &one, backup.proof.as_ref()), html! {
                    @if let Some(newest) = &backup.proof {
                        @if let Some(why) = words::why(ask, newest) { (ui::note(words::outcome(ask, &newest.state).0, words::outcome(ask, &newest.state).1, html! { p { (why) } })) }
                        (words::ladder(ask, newest.level, matches!(newest.state.as_str(), "passed" | "failed")))
                    } @else {
                        p class="soft small" { (l.t("Den er ikke prøvet endnu. Den nyeste backup prøves hver dag: gendannet et andet sted, åbnet og sammenlignet.", "It is not proven yet. The newest backup is proven each day: restored elsewhere, opened and compared.")) }
                        (words::ladder(ask, None, false))
                    }
                })) }
            }
            (proof::noted(ask, &backup.noted))
        },
    ))
}

/// Which backup a page is about, and what can be done with it.
pub(super) fn head(ask: &Ask, one: &api::Solution, backup: &api::Backup) -> Markup {
    let l = ask.l;
    let here = place(one, &backup.id);
    let current = |tail: &str| {
        ask.path.as_str().split('?').next().is_some_and(|path| path == format!("{here}{tail}")).then_some("page")
    };
    html! {
        div class="row apart" {
            div class="stack tight" {
                nav class="crumb" { a href=(home(one)) { (Icon::Back.show()) (l.t("Alle backupper", "All backups")) } }
                h2 { (l.t("Backup fra ", "Backup of ")) (ask.reader.at_text(backup.taken)) }
            }
            @if backup.state == "ready" {
                div class="row" {
                    a class="button small" href=(here) aria-current=[current("")] { (Icon::Info.show()) (l.t("Om den", "About it")) }
                    @if may_change(ask) {
                    a class="button small" href={ (here) "/files" } aria-current=[current("/files")] { (Icon::Folder.show()) (l.t("Filer", "Files")) }
                    a class="button small" href={ (here) "/changes" } aria-current=[current("/changes")] { (Icon::Layers.show()) (l.t("Hvad er ændret", "What changed")) }
                    (ui::asks(&format!("{here}/restore"), "primary small", Some(Icon::Restore), l.t("Gendan", "Restore")))
                    }
                }
            }
        }
    }
}

fn facts(ask: &Ask, backup: &api::Backup) -> Markup {
    let (l, reader) = (ask.l, &ask.reader);
    let mut rows = vec![
        (l.t("Taget", "Taken"), reader.at(backup.taken)),
        (l.t("Hvorfor", "Why"), html! { (words::reason(ask, &backup.reason)) }),
        (l.t("Ligger på", "Lies at"), html! { (backup.target) }),
    ];
    if ["ready", "gone"].contains(&backup.state.as_str()) {
        rows.push((
            l.t("Indhold", "Contents"),
            html! { span class="num" { (reader.size(backup.bytes)) " · " (words::extent(ask, backup)) } },
        ));
        rows.push((
            l.t("Læst for den", "Read for it"),
            html! { span class="num" { (reader.size(backup.bytes_read)) } },
        ));
        rows.push((
            l.t("Sendt for den", "Sent for it"),
            html! { span class="num" { (reader.size(backup.bytes_sent)) } },
        ));
    }
    if let Some(took) = backup.took_ms {
        rows.push((l.t("Tog", "Took"), html! { span class="num" { (reader.took(took)) } }));
    }
    if backup.state == "ready" && ask.may(api::Capability::Read) {
        let evidence = super::with("/evidence", &[("q", &backup.id)]);
        rows.push((
            l.t("I loggen", "In the log"),
            html! { a href=(evidence) { (l.t("Se linjerne om den", "See the lines about it")) } },
        ));
    }
    ui::facts(&rows)
}

fn link(ask: &Ask, one: &api::Solution, newest: Option<&api::Proof>) -> Markup {
    html! { @if let Some(newest) = newest { a class="small" href=(proof::place(one, &newest.id)) { (ask.l.t("Se prøven", "See the proof")) } } }
}
