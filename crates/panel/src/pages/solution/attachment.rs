//! What a solution uses of another one of the account: attaching, moving its data there and back, and taking the attachment off; and
//! on the other's side, who uses it. Every form carries the version of the solution that it was made from.

use super::shapes::{frame, may_change, path, read};
use crate::api::{Nothing, segment};
use crate::ask::{Ask, Reply, no_page};
use crate::own_path::OwnPath;
use crate::say::Say;
use crate::ui::icon::Icon;
use crate::ui::{self, Tone, Wrong, form};
use husorden_base::Refusal;
use husorden_kinds::{Attach, Kind};
use husorden_wire::api;
use maud::{Markup, html};
use serde_json::{Value, json};

/// Solutions that are looked through for what can be attached.
const OTHERS_MAX: usize = 200;

fn kind(ask: &Ask, one: &api::Solution) -> Option<&'static dyn Kind> {
    ask.kinds.iter().copied().find(|kind| kind.name() == one.kind)
}

/// Whether a solution can use others, or be used.
pub(super) fn has_page(ask: &Ask, one: &api::Solution) -> bool {
    kind(ask, one).is_some_and(|kind| !kind.accepts().is_empty() || kind.serves(&one.spec).is_some())
}

pub(super) async fn show(ask: &Ask) -> Result<Reply, Refusal> {
    page(ask, &read(ask).await?, &Wrong::none(ask)).await
}

async fn page(ask: &Ask, one: &api::Solution, wrong: &Wrong) -> Result<Reply, Refusal> {
    if !has_page(ask, one) {
        return Err(no_page());
    }
    let others: api::Page<api::Solution> = ask.api.get(&format!("/v1/solutions?limit={OTHERS_MAX}")).await?;
    let uses = kind(ask, one).is_some_and(|kind| !kind.accepts().is_empty());
    let content = match (uses, Attach::of(&one.spec)) {
        (true, Some(attach)) => attached(ask, one, &attach, &others.items, wrong),
        (true, None) => attachable(ask, one, &others.items, wrong),
        (false, _) => used_by(ask, one, &others.items),
    };
    Ok(frame(ask, one, content))
}

/// What it is attached to, and what can be done about it.
fn attached(ask: &Ask, one: &api::Solution, attach: &Attach, others: &[api::Solution], wrong: &Wrong) -> Markup {
    let l = ask.l;
    let base = format!("{}/attachment", path(one));
    let other = others.iter().find(|other| other.id == attach.solution.to_string());
    let act = |tail: &str, class: &str, icon: Icon, text: &str| {
        ui::post(
            ask,
            &format!("{base}/{tail}"),
            html! {
                (version(one))
                button class={ "button " (class) } { (icon.show()) (text) }
            },
        )
    };
    html! {
        (wrong.summary(ask))
        (ui::card(l.t("Tilknyttet", "Attached"), html! {}, html! {
            dl class="facts" {
                div { dt { (l.t("Løsning", "Solution")) } dd {
                    @match other {
                        Some(other) => a href={ (path(other)) } { (other.name) },
                        None => span class="soft" { (l.t("Er her ikke mere", "Not here any more")) },
                    }
                } }
                div { dt { (l.t("Database", "Database")) } dd { code { (attach.database) } } }
                div { dt { (l.t("Adgangskode", "Password")) } dd { span class="faint" { (l.t("Laves af platformen; ingen ser den", "Made by the platform; nobody sees it")) } } }
                div { dt { (l.t("Løsningens data", "The solution's data")) } dd {
                    @if attach.holds { (l.t("Ligger dér", "Lies there")) } @else { (l.t("Ligger på løsningen selv", "Lies on the solution itself")) }
                } }
            }
            @if may_change(ask) {
                div class="row" {
                    @if attach.holds {
                        (act("return", "primary", Icon::Restore, l.t("Flyt data hjem", "Move the data back")))
                    } @else {
                        @if fits(ask, one, other) { (act("move", "primary", Icon::Database, l.t("Flyt data dertil", "Move the data there"))) }
                        (act("end", "quiet", Icon::Close, l.t("Tag tilknytningen af", "Take the attachment off")))
                    }
                }
            }
        }))
        (ui::note(Tone::Plain, "", html! { p { (l.t(
            "Mens data flyttes, svarer løsningen, at den gøres klar. Vi tager et øjebliksbillede først, og det kan fortrydes. Data, der er flyttet hjem, bliver også liggende i databasen, til du selv sletter den.",
            "While data is moved, the solution answers that it is being prepared. We take a snapshot first, and it can be undone. Data that was moved back also stays in the database until you delete that yourself.",
        )) } }))
    }
}

/// Whether the solution's own data can lie in the other.
fn fits(ask: &Ask, one: &api::Solution, other: Option<&api::Solution>) -> bool {
    let holds_in = kind(ask, one).map(Kind::holds_in).unwrap_or_default();
    let served = other.and_then(|other| kind(ask, other)?.serves(&other.spec));
    served.is_none_or(|served| holds_in.contains(&served.protocol))
}

/// Everything of the account that it can use: what the form sends, and what people read.
fn choices(ask: &Ask, one: &api::Solution, others: &[api::Solution]) -> Vec<(String, String)> {
    let accepts = kind(ask, one).map(Kind::accepts).unwrap_or_default();
    let mut choices = Vec::new();
    for other in others.iter().filter(|other| other.aim != "gone" && other.account == one.account) {
        let served = kind(ask, other).and_then(|kind| kind.serves(&other.spec));
        let Some(served) = served.filter(|served| accepts.contains(&served.protocol)) else { continue };
        for database in served.databases {
            let title = format!("{}: {database} ({})", other.name, served.protocol.title());
            choices.push((format!("{} {database}", other.id), title));
        }
    }
    choices
}

/// The form that attaches.
fn attachable(ask: &Ask, one: &api::Solution, others: &[api::Solution], wrong: &Wrong) -> Markup {
    let l = ask.l;
    let choices = choices(ask, one, others);
    if choices.is_empty() {
        return ui::empty(
            Icon::Database,
            l.t("Der er intet at tilknytte", "There is nothing to attach"),
            l.t(
                "Lav en databaseinstans, som løsningen kan tale med, og kom tilbage hertil.",
                "Make a database instance that the solution can speak with, and come back here.",
            ),
            html! { a class="button primary" href="/create" { (Icon::Add.show()) (l.t("Ny løsning", "New solution")) } },
        );
    }
    let shown: Vec<(&str, &str)> = choices.iter().map(|(value, text)| (value.as_str(), text.as_str())).collect();
    let chosen = ask.form.get("/attach/solution").unwrap_or_default();
    ui::card(
        l.t("Tilknyt en database", "Attach a database"),
        html! {},
        html! {
            (wrong.summary(ask))
            p class="soft" { (l.t(
                "Løsningen får sin egen bruger i databasen og en vej dertil, som ingen andre kan bruge. Adgangskoden laves af platformen, og ingen ser eller taster den.",
                "The solution gets a user of its own in the database, and a way there that nobody else can use. The password is made by the platform, and nobody sees or types it.",
            )) }
            @if may_change(ask) {
                form method="post" action={ (path(one)) "/attachment" } class="fields" {
                    (form::token(ask))
                    (version(one))
                    (form::select(ask, wrong, ("/attach/solution", l.t("Instans og database", "Instance and database"), ""), &shown, chosen))
                    (form::tick("/attach/holds", l.t("Flyt også løsningens data dertil", "Move the solution's data there too"), l.t("Databasen skal være tom. Vi tager et øjebliksbillede først, og det kan fortrydes.", "The database must be empty. We take a snapshot first, and it can be undone."), ask.form.ticked("/attach/holds")))
                    div class="actions" { button class="button primary" { (Icon::Database.show()) (l.t("Tilknyt", "Attach")) } }
                }
            }
        },
    )
}

/// Who uses it.
fn used_by(ask: &Ask, one: &api::Solution, others: &[api::Solution]) -> Markup {
    let l = ask.l;
    let by = others.iter().filter_map(|other| {
        let attach = Attach::of(&other.spec).filter(|attach| attach.solution.to_string() == one.id)?;
        (other.aim != "gone").then_some((other, attach))
    });
    let by: Vec<(&api::Solution, Attach)> = by.collect();
    if by.is_empty() {
        return ui::empty(
            Icon::Database,
            l.t("Ingen løsning bruger den", "No solution uses it"),
            l.t(
                "En løsning på kontoen tilknyttes fra sin egen side, uden at nogen taster en adgangskode.",
                "A solution of the account is attached from its own page, and nobody types a password.",
            ),
            html! {},
        );
    }
    html! {
        section class="card" {
            div class="title" { h2 { (l.t("Bruges af", "Used by")) } }
            div class="table" { table class="stacks" {
                thead { tr {
                    th scope="col" { (l.t("Løsning", "Solution")) }
                    th scope="col" { (l.t("Database", "Database")) }
                    th scope="col" { (l.t("Dens data", "Its data")) }
                } }
                tbody {
                    @for (other, attach) in &by {
                        tr {
                            td { a class="main" href={ (path(other)) "/attachment" } { (other.name) } }
                            td data-label=(l.t("Database", "Database")) { code { (attach.database) } }
                            td data-label=(l.t("Dens data", "Its data")) {
                                @if attach.holds { (l.t("Ligger her", "Lies here")) } @else { (l.t("Ligger på den selv", "Lies on itself")) }
                            }
                        }
                    }
                }
            } }
        }
    }
}

fn version(one: &api::Solution) -> Markup {
    html! { input type="hidden" name="_generation" value=(one.generation); }
}

/// Sends a change of the attachment; what is refused is said on the page.
async fn put(ask: &Ask, attach: Value, sentence: &str) -> Result<Reply, Refusal> {
    let one = read(ask).await?;
    let to = format!("/v1/solutions/{}", segment(&one.id));
    let body = json!({ "spec": { "attach": attach } });
    match ask.api.patch::<Nothing>(&to, &body, Some(ask.form.text("_generation"))).await {
        Ok(_) => Ok(Reply::see(OwnPath::of(format!("{}/attachment", path(&one)))).saying(sentence)),
        Err(mut refusal) => {
            for field in &mut refusal.fields {
                if let Some(own) = field.pointer.strip_prefix("/spec") {
                    field.pointer = own.to_owned();
                }
            }
            page(ask, &one, &Wrong::of(ask, refusal)).await
        }
    }
}

pub(super) async fn attach(ask: &Ask) -> Result<Reply, Refusal> {
    let (solution, database) = ask.form.text("/attach/solution").split_once(' ').unwrap_or_default();
    let holds = ask.form.ticked("/attach/holds");
    let said = ask.l.t("Tilknyttet. Det føres ud nu.", "Attached. It is being carried out.");
    put(ask, json!({ "solution": solution, "database": database, "holds": holds }), said).await
}

pub(super) async fn move_there(ask: &Ask) -> Result<Reply, Refusal> {
    put(ask, json!({ "holds": true }), ask.l.t("Data flyttes nu.", "The data is being moved.")).await
}

pub(super) async fn move_back(ask: &Ask) -> Result<Reply, Refusal> {
    put(ask, json!({ "holds": false }), ask.l.t("Data flyttes hjem nu.", "The data is being moved back.")).await
}

pub(super) async fn end(ask: &Ask) -> Result<Reply, Refusal> {
    put(ask, Value::Null, ask.l.t("Tilknytningen er taget af.", "The attachment was taken off.")).await
}
