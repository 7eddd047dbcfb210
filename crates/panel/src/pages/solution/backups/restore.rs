//! Putting something back from a backup: a page that says what will happen, and the order. All of it in the place of what is there, all of
//! it beside as a new solution, one part such as a database, or one file or folder.

use super::super::shapes::{may_change, read};
use super::{asked, at, home, named, place};
use crate::api::segment;
use crate::ask::{Ask, Reply};
use crate::form::Form;
use crate::own_path::OwnPath;
use crate::pages::create::{self, KEY_CHARS};
use crate::say::Say;
use crate::ui::icon::Icon;
use crate::ui::{self, Confirm, Field, Tone, Wrong, form};
use husorden_base::{Refusal, Secret};
use husorden_wire::api;
use husorden_wire::api::Capability;
use maud::{Markup, html};
use serde_json::json;

/// The choice that makes a solution of its own; the others are words of the API.
const BESIDE: &str = "beside";

pub(super) async fn page(ask: &Ask) -> Result<Reply, Refusal> {
    let mut typed = Form::default();
    for name in ["/path", "/part", "only"] {
        typed.set(name, asked(ask, name.trim_start_matches('/')));
    }
    show(ask, &typed, &Wrong::none(ask)).await
}

async fn show(ask: &Ask, typed: &Form, wrong: &Wrong) -> Result<Reply, Refusal> {
    let one = read(ask).await?;
    let backup = named(ask, &one).await?;
    let target = typed.get("/path").unwrap_or_default();
    // From the tree it is said already what is put back: what is left is to say what will happen.
    if !target.is_empty() {
        return Ok(of_path(ask, &one, &backup, target, wrong));
    }
    let plan: api::BackupPlan = ask.api.get(&format!("{}/backup-plan", at(&one))).await?;
    let l = ask.l;
    let title = l.f(|| format!("Gendan {}", one.name), || format!("Restore {}", one.name));
    // Nothing is put back into what is deleted; beside it can come back.
    let there = one.aim != "gone";
    let chosen = match typed.text("only") {
        "" if there => "everything",
        "" => BESIDE,
        word => word,
    };
    let untouched = if there {
        l.t("Den, der kører, røres ikke.", "The one that runs is not touched.")
    } else {
        l.t("Den slettede røres ikke.", "The deleted one is not touched.")
    };
    Ok(ask.sheet(&title).narrow().show(html! {
        section class="card" { div class="body" data-dialog-content {
            h1 { (title) }
            p class="soft" { (l.t("Fra backuppen af ", "From the backup of ")) (ask.reader.at_text(backup.taken)) ", " (ask.reader.size(backup.bytes)) "." }
            (wrong.summary(ask))
            form method="post" action={ (place(&one, &backup.id)) "/restore" } class="stack" {
                (form::token(ask))
                input type="hidden" name="_key" value=(Secret::generate(KEY_CHARS).reveal());
                fieldset class="picks" {
                    legend class="unseen" { (l.t("Hvad skal gendannes?", "What is to be restored?")) }
                    @if there { (pick(chosen, "everything", l.t("Alt, på stedet", "Everything, in place"), l.t("Løsningen bliver, som den var dengang.", "The solution becomes as it was then."), html! {
                        (consequences(&in_place(ask)))
                        @if let Some(files) = &plan.files {
                            (Field {
                                name: "/hole",
                                label: l.t("Filen, nogen kom ind ad", "The file that somebody came in by"),
                                help: l.t("Hvis løsningen blev brudt op: filen kommer med tilbage, og der bliver mindet om den, til den er ændret eller væk. Den skal ligge i denne backup.", "If the solution was broken into: the file comes back too, and you are reminded of it until it is changed or gone. It must lie in this backup."),
                                value: typed.text("/hole"),
                                placeholder: Some(&format!("{files}/…")),
                                autocomplete: "off",
                                optional: true,
                                max: Some(1024),
                                ..Field::default()
                            }.show(ask, wrong))
                        }
                    })) }
                    @if ask.may(Capability::SolutionCreate) {
                        (pick(chosen, BESIDE, l.t("Ved siden af, som en ny løsning", "Beside, as a new solution"), untouched, html! {
                            (consequences(&beside(ask)))
                            (create::copy_fields(ask, &one, typed, wrong, &name(typed, &one, &backup)))
                        }))
                    }
                    @if there && !plan.parts.is_empty() {
                        @let parts: Vec<(&str, &str)> = plan.parts.iter().map(|part| (part.as_str(), part.as_str())).collect();
                        (pick(chosen, "part", l.t("En database", "One database"), l.t("Resten af løsningen røres ikke.", "The rest of the solution is not touched."), html! {
                            (form::select(ask, wrong, ("/part", l.t("Hvilken", "Which"), l.t("Den bliver, som den var dengang; det, der er skrevet i den siden, er ikke med.", "It becomes as it was then; what was written in it since is not in it.")), &parts, typed.text("/part")))
                            (consequences(&[undoable(ask)]))
                        }))
                    }
                    @if there { (pick(chosen, "path", l.t("En fil eller mappe", "One file or folder"), l.t("Resten af løsningen røres ikke.", "The rest of the solution is not touched."), html! {
                        div { (ui::button(&format!("{}/files", place(&one, &backup.id)), "", Some(Icon::Folder), l.t("Find den i backuppen", "Find it in the backup"))) }
                    })) }
                }
                div class="actions" {
                    button class="button danger fill" { (l.t("Gendan", "Restore")) }
                    a class="button quiet" href=(home(&one)) data-close { (l.t("Fortryd", "Cancel")) }
                }
            }
        } }
    }))
}

/// What the new solution is called until another name is given.
fn name(typed: &Form, one: &api::Solution, backup: &api::Backup) -> String {
    typed.get("/name").map_or_else(|| format!("{}-{}", one.name, backup.taken.strftime("%m%d")), str::to_owned)
}

fn pick(chosen: &str, word: &str, title: &str, help: &str, inner: Markup) -> Markup {
    html! {
        div class="pick" {
            label class="radio" {
                input type="radio" name="only" value=(word) checked[chosen == word];
                span class="name" { (title) }
                span class="help" { (help) }
            }
            div class="inner" { (inner) }
        }
    }
}

fn consequences(list: &[(Tone, String)]) -> Markup {
    html! {
        ul class="consequences small" { @for (tone, text) in list {
            li class=(tone.class()) { (if *tone == Tone::Good { Icon::Check } else if *tone == Tone::Bad { Icon::Alert } else { Icon::Info }.show()) span { (text) } }
        } }
    }
}

fn undoable(ask: &Ask) -> (Tone, String) {
    let text = ask.l.t(
        "Først tages et øjebliksbillede, så det hele kan fortrydes med ét tryk.",
        "A snapshot is taken first, so that all of it can be undone in one click.",
    );
    (Tone::Good, text.to_owned())
}

fn in_place(ask: &Ask) -> Vec<(Tone, String)> {
    let l = ask.l;
    vec![
        (Tone::Bad, l.t("Filer, database og indstillinger bliver, som de var dengang. Det, der er kommet til siden, er ikke med.", "Files, database and settings become as they were then. What was added since is not in it.").to_owned()),
        (Tone::Plain, l.t("Løsningen er væk, mens det hentes; hvor længe, siger den seneste prøve.", "The solution is away while it is fetched; for how long, the newest proof tells.").to_owned()),
        undoable(ask),
        (Tone::Good, l.t("Den beholder sine adresser: besøgende og programmer finder den, hvor de plejer.", "It keeps its addresses: visitors and programs find it where they are used to.").to_owned()),
    ]
}

fn beside(ask: &Ask) -> Vec<(Tone, String)> {
    let l = ask.l;
    vec![
        (
            Tone::Good,
            l.t(
                "En ny løsning med data fra dengang, ved siden af. Godt til at se efter, før noget skiftes.",
                "A new solution with the data of then, beside. Good for looking before anything is changed.",
            )
            .to_owned(),
        ),
        (
            Tone::Plain,
            l.t(
                "Den får sine egne adresser og tæller med i planen som enhver løsning.",
                "It gets addresses of its own, and counts in the plan as any solution does.",
            )
            .to_owned(),
        ),
    ]
}

/// One file or folder: it is known which, so what will happen is all that is said.
fn of_path(ask: &Ask, one: &api::Solution, backup: &api::Backup, target: &str, wrong: &Wrong) -> Reply {
    let l = ask.l;
    let leaf = target.rsplit('/').next().unwrap_or(target);
    let title = l.f(|| format!("Gendan {leaf}?"), || format!("Restore {leaf}?"));
    let lead = l.f(
        || format!("{target}, som den var {}.", ask.reader.at_text(backup.taken)),
        || format!("{target}, as it was on {}.", ask.reader.at_text(backup.taken)),
    );
    let confirm = Confirm {
        title: &title,
        lead: &lead,
        consequences: vec![
            (
                Tone::Bad,
                l.t(
                    "Det, der ligger der nu, erstattes; en mappe bliver helt, som den var.",
                    "What lies there now is replaced; a folder becomes wholly as it was.",
                )
                .to_owned(),
            ),
            (
                Tone::Plain,
                l.t(
                    "Resten af løsningen røres ikke, og den kører imens.",
                    "The rest of the solution is not touched, and it runs meanwhile.",
                )
                .to_owned(),
            ),
            undoable(ask),
        ],
        action: &format!("{}/restore", place(one, &backup.id)),
        verb: l.t("Gendan", "Restore"),
        danger: true,
        back: &super::with(&format!("{}/files", place(one, &backup.id)), &[("path", parent(target))]),
        fields: html! {
            (wrong.summary(ask))
            input type="hidden" name="only" value="path";
            input type="hidden" name="/path" value=(target);
        },
    };
    ask.sheet(&title).narrow().show(confirm.show(ask))
}

/// The folder that something stands in.
pub(super) fn parent(target: &str) -> &str {
    target.rsplit_once('/').map_or("", |(parent, _)| parent)
}

pub(super) async fn send(ask: &Ask) -> Result<Reply, Refusal> {
    let one = read(ask).await?;
    let only = ask.form.text("only");
    if only == BESIDE {
        return make_beside(ask, &one).await;
    }
    let field = |name: &str| ask.form.get(name).unwrap_or_default();
    let order = match only {
        "path" => json!({ "only": only, "path": field("/path") }),
        "part" => json!({ "only": only, "part": field("/part") }),
        _ if field("/hole").is_empty() => json!({ "only": only }),
        _ => json!({ "only": only, "hole": field("/hole") }),
    };
    if only == "path" && field("/path").is_empty() {
        // Which one is chosen in the tree.
        return Ok(Reply::see(OwnPath::of(format!("{}/files", place(&one, ask.param("backup"))))));
    }
    let to = format!("{}/backups/{}/restore", at(&one), segment(ask.param("backup")));
    match ask.api.post::<api::BackupRestoring>(&to, &order).await {
        Ok(_) => {
            Ok(Reply::see(OwnPath::of(home(&one)))
                .saying(ask.l.t("Gendannelsen er i gang.", "The restore is under way.")))
        }
        Err(refusal) => show(ask, &ask.form, &Wrong::of(ask, refusal)).await,
    }
}

async fn make_beside(ask: &Ask, one: &api::Solution) -> Result<Reply, Refusal> {
    let from = json!({ "solution": one.id, "backup": ask.param("backup") });
    match create::copy(ask, one, &from).await {
        Err(refusal) => show(ask, &ask.form, &Wrong::of(ask, refusal)).await,
        made => made,
    }
}

/// A button that asks whether this is put back; for who may.
pub(super) fn button(ask: &Ask, one: &api::Solution, backup: &str, target: &str) -> Markup {
    let restore = super::with(&format!("{}/restore", place(one, backup)), &[("path", target)]);
    html! {
        @if may_change(ask) && one.aim != "gone" {
            a class="button small quiet" href=(restore) data-dialog aria-label={ (ask.l.t("Gendan", "Restore")) ": " (target) } { (Icon::Restore.show()) (ask.l.t("Gendan", "Restore")) }
        }
    }
}
