//! Parts of a solution, such as its databases, as files: a link for each, and the file as it comes.

use super::shapes::{may_change, path, read};
use crate::api::segment;
use crate::ask::{Ask, Reply};
use crate::say::Say;
use crate::ui;
use crate::ui::icon::Icon;
use husorden_base::Refusal;
use husorden_wire::api;
use maud::{Markup, html};

/// The parts of a solution, each in every format that its kind has. Nothing for a kind without parts.
pub(super) fn card(ask: &Ask, one: &api::Solution) -> Markup {
    let Some(kind) = ask.kinds.iter().find(|kind| kind.name() == one.kind) else { return html! {} };
    let (parts, formats) = (kind.parts(&one.spec), kind.formats(&one.spec));
    if parts.is_empty() || !may_change(ask) || one.aim != "run" {
        return html! {};
    }
    let l = ask.l;
    ui::card(
        l.t("Hent som fil", "Get as a file"),
        html! {},
        html! {
            p class="soft small" { (l.t(
                "Hver som den er i ét øjeblik. En fil læses ind igen med: husorden dump load.",
                "Each as it is at one moment. A file is loaded again by: husorden dump load.",
            )) }
            dl class="facts" {
                @for part in &parts {
                    div {
                        dt { code { (part) } }
                        dd { div class="row" {
                            @for format in formats {
                                a class="button small" href={ (path(one)) "/dump?part=" (segment(part)) "&format=" (segment(format.word)) } {
                                    (Icon::File.show()) (format.ending)
                                }
                            }
                        } }
                    }
                }
            }
        },
    )
}

/// The file, as it comes.
pub(super) async fn get(ask: &Ask) -> Result<Reply, Refusal> {
    let one = read(ask).await?;
    let (part, format) = (segment(ask.query.text("part")), segment(ask.query.text("format")));
    let at = format!("/v1/solutions/{}/dump?part={part}&format={format}", segment(&one.id));
    Ok(Reply::raw(ask.api.file(&at).await?))
}
