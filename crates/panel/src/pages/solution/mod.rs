//! The pages of one solution, the same for every kind: what it is comes from the API, what its kind says of it from the kind.

mod access;
mod addresses;
mod attachment;
pub(crate) mod backups;
mod change;
pub(crate) mod connect;
mod console;
mod danger;
mod dumps;
mod entry;
mod figures;
mod for_me;
mod images;
mod log;
mod moment;
mod place;
#[cfg(test)]
mod played;
pub(crate) mod port_25;
mod power;
mod schedule;
mod shapes;
mod snapshots;
mod updates;

pub(crate) use shapes::{card_rows, read};

use super::create;
use super::overview::state;
use crate::api::segment;
use crate::ask::{Ask, Reply};
use crate::routes::Reach::Session;
use crate::routes::{Page, get, get_socket, post, post_file};
use crate::say::Say;
use crate::ui::icon::Icon;
use crate::ui::places::of_logins;
use crate::ui::{self, Tone, Wrong};
use husorden_base::Refusal;
use husorden_wire::api;
use maud::{Markup, html};
use shapes::{frame, path, tag};

/// Events that the first page of a solution shows, and that its timeline does.
const EVENTS_FEW: usize = 8;
const EVENTS: usize = 100;

/// The lines of the table.
pub(crate) fn table() -> Vec<Page> {
    let own = vec![
        get("/solutions/{solution}", Session, show),
        get("/solutions/{solution}/made", Session, create::made),
        get("/solutions/{solution}/events", Session, events),
        get("/solutions/{solution}/figures", Session, figures::show),
        get("/solutions/{solution}/updates", Session, updates::show),
        post("/solutions/{solution}/updates", Session, updates::now),
        post("/solutions/{solution}/updates/window", Session, updates::window),
        get("/solutions/{solution}/log", Session, log::show),
        get("/solutions/{solution}/console", Session, console::show),
        get_socket("/solutions/{solution}/console/socket", Session, console::socket),
        get("/solutions/{solution}/screen", Session, console::picture),
        get("/solutions/{solution}/access", Session, access::show),
        post("/solutions/{solution}/access", Session, access::allow),
        post("/solutions/{solution}/access/remove", Session, access::remove),
        post("/solutions/{solution}/access/open", Session, access::open),
        post("/solutions/{solution}/access/close", Session, access::close),
        post("/solutions/{solution}/names", Session, addresses::save),
        post("/solutions/{solution}/port-25", Session, port_25::ask_for),
        get("/solutions/{solution}/port-25/{agreement}/end", Session, port_25::end_page),
        post("/solutions/{solution}/port-25/{agreement}/end", Session, port_25::end),
        get("/solutions/{solution}/dump", Session, dumps::get),
        get("/solutions/{solution}/package", Session, dumps::package),
        get("/solutions/{solution}/dumps", Session, dumps::show),
        post_file("/solutions/{solution}/dumps", Session, dumps::load),
        get("/solutions/{solution}/attachment", Session, attachment::show),
        post("/solutions/{solution}/attachment", Session, attachment::attach),
        post("/solutions/{solution}/attachment/move", Session, attachment::move_there),
        post("/solutions/{solution}/attachment/return", Session, attachment::move_back),
        post("/solutions/{solution}/attachment/end", Session, attachment::end),
        post("/solutions/{solution}/access/for-me", Session, for_me::open),
        post("/solutions/{solution}/proposals/{proposal}/accept", Session, access::accept),
        post("/solutions/{solution}/proposals/{proposal}/dismiss", Session, access::dismiss),
        get("/solutions/{solution}/places/{place}", Session, place::show),
        post("/solutions/{solution}/places/{place}", Session, place::save),
        get("/solutions/{solution}/places/{place}/{field}", Session, entry::add_page),
        post("/solutions/{solution}/places/{place}/{field}", Session, entry::add),
        get("/solutions/{solution}/places/{place}/{field}/{entry}", Session, entry::change_page),
        post("/solutions/{solution}/places/{place}/{field}/{entry}", Session, entry::change),
        get("/solutions/{solution}/places/{place}/{field}/{entry}/drop", Session, entry::drop_page),
        post("/solutions/{solution}/places/{place}/{field}/{entry}/drop", Session, entry::remove),
        get("/solutions/{solution}/settings", Session, change::page),
        post("/solutions/{solution}/settings", Session, change::change),
        get("/solutions/{solution}/snapshots", Session, snapshots::show),
        post("/solutions/{solution}/snapshots", Session, snapshots::take),
        post("/solutions/{solution}/snapshots/schedule", Session, schedule::save),
        get("/solutions/{solution}/snapshots/{snapshot}/restore", Session, snapshots::restore_page),
        post("/solutions/{solution}/snapshots/{snapshot}/restore", Session, snapshots::restore),
        get("/solutions/{solution}/snapshots/{snapshot}/delete", Session, snapshots::delete_page),
        post("/solutions/{solution}/snapshots/{snapshot}/delete", Session, snapshots::delete),
        get("/solutions/{solution}/snapshots/{snapshot}/image", Session, images::page),
        post("/solutions/{solution}/snapshots/{snapshot}/image", Session, images::make),
        post("/solutions/{solution}/moment", Session, moment::copy),
        get("/solutions/{solution}/undo", Session, snapshots::undo_page),
        post("/solutions/{solution}/undo", Session, snapshots::undo),
        get("/solutions/{solution}/stop", Session, danger::stop_page),
        post("/solutions/{solution}/stop", Session, danger::stop),
        post("/solutions/{solution}/start", Session, danger::start),
        get("/solutions/{solution}/reset", Session, power::reset_page),
        post("/solutions/{solution}/reset", Session, power::reset),
        get("/solutions/{solution}/rebuild", Session, power::rebuild_page),
        post("/solutions/{solution}/rebuild", Session, power::rebuild),
        get("/solutions/{solution}/delete", Session, danger::delete_page),
        post("/solutions/{solution}/delete", Session, danger::delete),
        post("/solutions/{solution}/protect", Session, danger::protect),
        get("/solutions/{solution}/credentials/{credential}", Session, danger::credential_page),
        post("/solutions/{solution}/credentials/{credential}", Session, danger::credential),
    ];
    [backups::table(), own].into_iter().flatten().collect()
}

async fn recent(ask: &Ask, one: &api::Solution, count: usize) -> Result<Vec<api::Event>, Refusal> {
    // A list of events begins with the newest ones when nothing is said of where.
    let page: api::Page<api::Event> =
        ask.api.get(&format!("/v1/solutions/{}/events?limit={count}", segment(&one.id))).await?;
    Ok(page.items)
}

/// The first page of a solution.
async fn show(ask: &Ask) -> Result<Reply, Refusal> {
    page(ask, &read(ask).await?, &Wrong::none(ask)).await
}

async fn page(ask: &Ask, one: &api::Solution, wrong: &Wrong) -> Result<Reply, Refusal> {
    let events = recent(ask, one, EVENTS_FEW).await?;
    let access = access::summary(ask, one).await?;
    // What is wrong is said in the form that was sent.
    let fine = Wrong::none(ask);
    let (of_names, of_port) = if port_25::sent(ask) { (&fine, wrong) } else { (wrong, &fine) };
    let port_25 = port_25::card(ask, one, of_port).await?;
    let l = ask.l;
    Ok(frame(
        ask,
        one,
        html! {
            div class="split" {
                div class="stack" {
                    (ui::card(l.t("Adresser og adgang", "Addresses and access"), html! {}, card(ask, one)))
                    (images::card(ask, one))
                    (addresses::card(ask, one, of_names))
                    (connect::card(ask, one))
                    (console::card(ask, one))
                    (access)
                    (port_25)
                    section class="card" id="usage" data-live {
                        div class="title" { h2 { (l.t("Plads", "Disk")) } a class="small" href={ (path(one)) "/figures" } { (l.t("Se kurver", "See the curves")) } }
                        div class="body" { (usage(ask, one)) }
                    }
                }
                section class="card" id="events" data-live {
                    div class="title" {
                        h2 { (l.t("Hændelser", "Events")) }
                        a class="small" href={ (path(one)) "/events" } { (l.t("Se alle", "See all")) }
                    }
                    div class="body" { (ui::timeline(ask, &events)) }
                }
            }
        },
    ))
}

/// What the kind says of it, and its passwords.
fn card(ask: &Ask, one: &api::Solution) -> Markup {
    let l = ask.l;
    let kind = ask.kinds.iter().find(|kind| kind.name() == one.kind);
    // Logins that are entries of a map stand in its table.
    let alone = kind.filter(|kind| of_logins(&kind.schema()).is_none());
    let credentials = alone.map(|kind| kind.credentials(&one.spec)).unwrap_or_default();
    html! {
        dl class="facts" {
            @for row in card_rows(ask, one) {
                div {
                    dt { (row.label.get(l)) }
                    dd {
                        @match (&row.link, row.copy) {
                            (Some(link), _) => { a href=(link) target="_blank" rel="noopener noreferrer" { (row.value) } },
                            (None, true) => { (ui::copy(ask, &row.value)) },
                            (None, false) => { (row.value) },
                        }
                    }
                }
            }
            @for name in credentials.iter().map(|login| &login.name) {
                div {
                    dt { (l.t("Adgangskode", "Password")) }
                    dd {
                        span class="faint" { (l.t("Vises kun, når den laves", "Shown only when it is made")) }
                        (ui::asks(&format!("{}/credentials/{}", path(one), segment(name)), "small", Some(Icon::Key), l.t("Lav en ny", "Make a new one")))
                    }
                }
            }
            div { dt { (l.t("Oprettet", "Made")) } dd { (ask.reader.at(one.created)) } }
            @for (name, value) in &one.labels { div { dt { (l.t("Mærke", "Label")) } dd { (ui::tag(&format!("{name}={value}"))) } } }
        }
    }
}

fn usage(ask: &Ask, one: &api::Solution) -> Markup {
    let l = ask.l;
    let part = |name: &str| one.usage.as_ref().and_then(|usage| usage.get(name)).copied().unwrap_or(0);
    html! {
        @if one.usage.is_some() {
            (ui::gauge(&ask.reader, part("live"), part("snapshots"), part("limit")))
        } @else {
            p class="soft small" { (l.t("Måles, når løsningen er lavet.", "Measured when the solution is made.")) }
        }
    }
}

/// Everything that happened.
async fn events(ask: &Ask) -> Result<Reply, Refusal> {
    let one = read(ask).await?;
    let events = recent(ask, &one, EVENTS).await?;
    let l = ask.l;
    Ok(frame(
        ask,
        &one,
        html! {
            section class="card" id="events" data-live {
                div class="title" { h2 { (l.t("Hændelser", "Events")) } p { (l.t("De nyeste øverst.", "The newest first.")) } }
                div class="body" { (ui::timeline(ask, &events)) }
            }
        },
    ))
}

/// How the solution stands, in words, where more than a word is needed.
fn standing(ask: &Ask, one: &api::Solution) -> Markup {
    let l = ask.l;
    let message = one.message.clone().unwrap_or_default();
    match one.state.as_str() {
        "closed" => ui::note(
            Tone::Bad,
            l.t("Løsningen er lukket af en afgørelse", "The solution is closed by a decision"),
            html! {
                p { (message) ". " (l.t("Data er urørt.", "The data is untouched.")) }
                p { a href="/decisions" { (l.t("Læs afgørelsen, og klag", "Read the decision, and complain")) } }
            },
        ),
        "trouble" => {
            ui::note(Tone::Warn, l.t("Noget virker ikke", "Something does not work"), html! { p { (message) } })
        }
        "unknown" => {
            ui::note(Tone::Warn, l.t("Tilstanden er ukendt", "The state is unknown"), html! { p { (message) "." } })
        }
        "working" => ui::note(
            Tone::Busy,
            l.t("Der arbejdes på løsningen", "The solution is being worked on"),
            html! {
                @if !message.is_empty() { p { (message) } }
                progress aria-label=(l.t("I gang", "Under way")) {}
            },
        ),
        "deleting" | "deleted" => ui::note(
            Tone::Warn,
            l.t("Løsningen er slettet", "The solution is deleted"),
            html! {
                @if let Some(until) = one.retain_until {
                    p { (l.t("Den kan hentes tilbage, med alt i sig, indtil ", "It can be brought back, with everything in it, until ")) (ask.reader.at(until)) "." }
                    div class="row" { (ui::act(ask, &format!("{}/undo", path(one)), "primary", Some(Icon::Restore), l.t("Fortryd sletningen", "Undo the deletion"))) }
                } @else { p { (l.t("Den kan ikke hentes tilbage.", "It cannot be brought back.")) } }
            },
        ),
        _ => html! {},
    }
}

/// What stands beside the title.
fn title_state(ask: &Ask, one: &api::Solution) -> Markup {
    html! { (state(ask, &one.state)) " " (tag(ask, one)) }
}
