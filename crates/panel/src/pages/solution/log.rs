//! What a solution's services said: the newest lines, searched.

use super::shapes::{frame, path, read};
use crate::api::segment;
use crate::ask::{Ask, Reply};
use crate::say::Say;
use crate::ui::icon::Icon;
use crate::ui::{self, Field, Tone, Wrong};
use husorden_base::Refusal;
use husorden_wire::api;
use maud::{Markup, html};

const LINES: usize = 200;

pub(super) async fn show(ask: &Ask) -> Result<Reply, Refusal> {
    let one = read(ask).await?;
    let search = ask.query.text("search");
    let wanted = api::LogAsk { search: Some(search.to_owned()), since: None, lines: Some(LINES) };
    let said: Result<api::Page<api::LogLine>, Refusal> =
        ask.api.post(&format!("/v1/solutions/{}/log", segment(&one.id)), &wanted).await;
    let l = ask.l;
    let found = match said {
        Ok(page) if page.items.is_empty() => ui::empty(
            Icon::File,
            l.t("Ingen linjer", "No lines"),
            l.t("Serveren har ikke sagt noget, der passer.", "The server has said nothing that fits."),
            html! {},
        ),
        Ok(page) => lines(ask, &page.items),
        Err(refusal) => {
            html! { div class="body" { (ui::note(Tone::Warn, refusal.title.get(l), html! { p { (refusal.detail.get(l)) } })) } }
        }
    };
    Ok(frame(
        ask,
        &one,
        html! {
            section class="card" {
                div class="title" {
                    h2 { (l.t("Log", "Log")) }
                    p { (l.t("Det nyeste nederst. Langsomme forespørgsler står her også; hvor langsomme, vælges under Indstillinger.", "The newest last. Slow queries stand here too; how slow is chosen under Settings.")) }
                }
                div class="body" {
                    form method="get" action={ (path(&one)) "/log" } class="search" {
                        div class="box" { (Field { name: "search", label: l.t("Søg i loggen", "Search the log"), value: search, optional: true, autocomplete: "off", max: Some(200), ..Field::default() }.show(ask, &Wrong::none(ask))) }
                        button class="button primary" { (l.t("Søg", "Search")) }
                    }
                }
                (found)
            }
        },
    ))
}

fn lines(ask: &Ask, lines: &[api::LogLine]) -> Markup {
    html! {
        div class="log" tabindex="0" {
            ol {
                @for line in lines {
                    li { time class="faint" datetime=(line.at.to_string()) { (ask.reader.at_text(line.at)) } code { (line.text) } }
                }
            }
        }
    }
}
