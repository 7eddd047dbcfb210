//! Parts of a solution, such as its databases, as files: got as they come, or loaded from a file of the visitor's, with how far that is and
//! how it ended at the field.

use super::shapes::{frame, kind, may_change, path, read};
use crate::api::segment;
use crate::ask::{Ask, Reply, no_page};
use crate::own_path::OwnPath;
use crate::say::Say;
use crate::ui::icon::Icon;
use crate::ui::{Wrong, form};
use crate::upload::File;
use husorden_base::{FieldError, Refusal, Text};
use husorden_kinds::{Kind, StreamFormat};
use husorden_wire::api;
use jiff::{SignedDuration, Timestamp};
use maud::{Markup, html};

/// Orders that are looked through for dumps and loads.
const ORDERS: usize = 20;
/// For how long it is shown how a load ended.
const ENDED_SHOWN: SignedDuration = SignedDuration::from_hours(1);
/// What a form adds to its file at most, in bytes.
const FORM_BYTES: u64 = 64 << 10;
/// The fields, by what the API calls them.
const PART: &str = "?part";
const FILE: &str = "?file";

/// Whether there is anything to get or load.
pub(super) fn has_page(ask: &Ask, one: &api::Solution) -> bool {
    kind(ask, one).is_ok_and(|kind| !kind.parts(&one.spec).is_empty() && !kind.formats(&one.spec).is_empty())
}

pub(super) async fn show(ask: &Ask) -> Result<Reply, Refusal> {
    page(ask, &Wrong::none(ask)).await
}

async fn page(ask: &Ask, wrong: &Wrong) -> Result<Reply, Refusal> {
    let one = read(ask).await?;
    if !has_page(ask, &one) {
        return Err(no_page());
    }
    let kind = kind(ask, &one)?;
    let at = format!("/v1/solutions/{}/orders?newest=true&limit={ORDERS}", segment(&one.id));
    let orders: api::Page<api::Order> = ask.api.get(&at).await?;
    let l = ask.l;
    let may = may_change(ask) && one.aim == "run";
    Ok(frame(
        ask,
        &one,
        html! {
            section class="card" {
                div class="title" {
                    h2 { (l.t("Udtræk", "Dumps")) }
                    p { (l.t(
                        "Hver som den er i ét øjeblik, mens den er i drift. Den kan læses ind igen her eller et andet sted.",
                        "Each as it is at one moment, while it serves. It can be loaded again, here or elsewhere.",
                    )) }
                }
                div class="body" {
                    @if may {
                        (links(&one, kind))
                        div id="dumping" data-live aria-live="polite" class="stack tight" { (dumping(ask, &orders.items)) }
                        hr;
                        (loading(ask, &one, kind, &orders.items, wrong))
                    } @else {
                        p class="soft small" { (l.t(
                            "Udtræk hentes og læses ind, mens løsningen kører, af hvem der må ændre den.",
                            "Dumps are got and loaded while the solution runs, by whoever may change it.",
                        )) }
                    }
                }
            }
        },
    ))
}

/// A link for each part in each format.
fn links(one: &api::Solution, kind: &dyn Kind) -> Markup {
    html! {
        dl class="facts" {
            @for part in &kind.parts(&one.spec) {
                div {
                    dt { code { (part) } }
                    dd { div class="row" {
                        @for format in kind.formats(&one.spec) {
                            a class="button small" href={ (path(one)) "/dump?part=" (segment(part)) "&format=" (segment(format.word)) } {
                                (Icon::File.show()) (format.ending)
                            }
                        }
                    } }
                }
            }
        }
    }
}

/// Dumps that are under way, and how far they are.
fn dumping(ask: &Ask, orders: &[api::Order]) -> Markup {
    html! {
        @for order in orders.iter().filter(|order| order.verb == "dump" && !ended(order)) { (far(ask, order)) }
    }
}

fn ended(order: &api::Order) -> bool {
    order.ended.is_some()
}

/// How far an order is. Without a share it is only said that it goes on.
fn far(ask: &Ask, order: &api::Order) -> Markup {
    let said = order.message.as_deref().unwrap_or_else(|| ask.l.t("Venter", "Waiting"));
    html! {
        div class="far" {
            p class="row apart small" {
                span { @if let Some(part) = &order.part { code { (part) } " " } (said) }
                @if let Some(percent) = order.percent { span class="num soft" { (percent) " %" } }
            }
            progress max="100" value=[order.percent] aria-label=(ask.l.t("Så langt er det", "How far it is")) {}
        }
    }
}

/// The form that takes a file, and at its field what came of the last one.
fn loading(ask: &Ask, one: &api::Solution, kind: &dyn Kind, orders: &[api::Order], wrong: &Wrong) -> Markup {
    let l = ask.l;
    let parts = kind.parts(&one.spec);
    let options: Vec<(&str, &str)> = parts.iter().map(|part| (part.as_str(), part.as_str())).collect();
    let (id, errors) = (form::id(FILE), wrong.at(FILE));
    let most = ask.reader.size(ask.file_bytes_max);
    let endings = endings(kind, one);
    let help = l.f(
        || format!("En fil, hvis navn ender på {endings}; højst {most}. Den må det, en ejer af databasen må. Vi tager et øjebliksbillede først, og går det galt, er alt som før."),
        || format!("A file whose name ends with {endings}; at most {most}. It may do what an owner of the database may. We take a snapshot first, and if it fails everything is as before."),
    );
    let large = l.f(|| format!("Filen er større end {most}."), || format!("The file is larger than {most}."));
    html! {
        h3 { (l.t("Læs en fil ind", "Load a file")) }
        (wrong.summary(ask))
        form method="post" enctype="multipart/form-data" action={ (path(one)) "/dumps" } class="fields"
            data-max=(ask.file_bytes_max) data-large=(large)
            data-cut=(l.t("Overførslen blev afbrudt. Intet er ændret; send den igen.", "The upload was cut short. Nothing was changed; send it again."))
        {
            (form::token(ask))
            (form::select(ask, wrong, (PART, l.t("Ind i", "Into"), ""), &options, ask.form.text(PART)))
            (form::around(ask, &form::Around { id: &id, label: l.t("Fil", "File"), help: &help, optional: false }, &errors, html! {
                input type="file" id=(id) name=(FILE) required accept=(accepted(kind, one))
                    aria-describedby=[form::describes(&id, &help, &errors)] aria-invalid=[(!errors.is_empty()).then_some("true")];
                div class="far" data-sending hidden {
                    p class="row apart small" { span { (l.t("Sender filen", "Sending the file")) } span class="num soft" data-share { } }
                    progress max="100" aria-label=(l.t("Så meget er sendt", "How much is sent")) {}
                }
                p class="wrong" data-broken role="alert" hidden { (Icon::Alert.show()) span { } }
                div id="loaded" data-live aria-live="polite" { @if errors.is_empty() { (loaded(ask, one, orders)) } }
            }))
            div class="actions" { button class="button primary" { (Icon::Restore.show()) (l.t("Læs ind", "Load")) } }
        }
    }
}

/// The last load: how far it is, or what came of it, in the engine's own words where it failed.
fn loaded(ask: &Ask, one: &api::Solution, orders: &[api::Order]) -> Markup {
    let l = ask.l;
    let Some(last) = orders.iter().find(|order| order.verb == "load") else { return html! {} };
    let Some(end) = last.ended else { return far(ask, last) };
    if Timestamp::now().duration_since(end) > ENDED_SHOWN {
        return html! {};
    }
    let part = last.part.as_deref().unwrap_or_default();
    if last.state == "failed" {
        return html! { p class="wrong said" { (Icon::Alert.show()) span { code { (part) } " " (last.message.as_deref().unwrap_or_default()) } } };
    }
    html! {
        p class="good said small" {
            (Icon::Check.show())
            span {
                code { (part) } " " (l.t("er læst ind", "was loaded")) ", " (ask.reader.ago(end)) ". "
                a href={ (path(one)) "/undo" } data-dialog { (l.t("Fortryd", "Undo")) }
            }
        }
    }
}

/// How names of files may end, as people read it.
fn endings(kind: &dyn Kind, one: &api::Solution) -> String {
    kind.formats(&one.spec).iter().map(|format| format!(".{}", format.ending)).collect::<Vec<_>>().join(", ")
}

/// The same as a browser takes it: by what stands after the last dot.
fn accepted(kind: &dyn Kind, one: &api::Solution) -> String {
    let last = |format: &StreamFormat| format!(".{}", format.ending.rsplit('.').next().unwrap_or_default());
    kind.formats(&one.spec).iter().map(last).collect::<Vec<_>>().join(",")
}

/// Takes a file in: it goes to the API as it comes.
pub(super) async fn load(ask: &Ask) -> Result<Reply, Refusal> {
    let one = read(ask).await?;
    let kind = kind(ask, &one)?;
    let sent = match chosen(ask, &one, kind) {
        Ok((file, format)) => {
            let (part, format) = (segment(ask.form.text(PART)), segment(format.word));
            let at = format!("/v1/solutions/{}/load?part={part}&format={format}", segment(&one.id));
            ask.api.upload::<api::Order>(&at, file.into_body()).await
        }
        Err(refusal) => Err(refusal),
    };
    match sent {
        Ok(_) => Ok(Reply::see(OwnPath::of(format!("{}/dumps", path(&one))))),
        Err(refusal) => page(ask, &Wrong::of(ask, at_the_field(refusal))).await,
    }
}

/// The file, and its format by its name.
fn chosen(ask: &Ask, one: &api::Solution, kind: &dyn Kind) -> Result<(File, StreamFormat), Refusal> {
    let file = ask.file.take().ok_or_else(|| Refusal::field(FILE, Text::new("Vælg en fil", "Choose a file")))?;
    // What is too large is said before it is sent on; control counts what comes all the same.
    if file.form_bytes.is_some_and(|bytes| bytes > ask.file_bytes_max.saturating_add(FORM_BYTES)) {
        let most = ask.reader.size(ask.file_bytes_max);
        let text = Text::new(format!("Filen er større end {most}"), format!("The file is larger than {most}"));
        return Err(Refusal::field(FILE, text));
    }
    let fits = |format: &&StreamFormat| file.name.ends_with(&format!(".{}", format.ending));
    let format = kind.formats(&one.spec).iter().find(fits).copied().ok_or_else(|| {
        let endings = endings(kind, one);
        Refusal::field(
            FILE,
            Text::new(format!("Navnet skal ende på {endings}"), format!("Its name must end with {endings}")),
        )
    })?;
    Ok((file, format))
}

/// What the API says of the file itself stands at its field.
fn at_the_field(mut refusal: Refusal) -> Refusal {
    for field in &mut refusal.fields {
        if field.pointer != PART {
            FILE.clone_into(&mut field.pointer);
        }
    }
    if refusal.fields.is_empty() && ["archive-too-large", "upload-cut-short"].contains(&refusal.code.as_str()) {
        let text = |language| format!("{}. {}", refusal.title.get(language), refusal.detail.get(language));
        let detail = Text::new(text(husorden_base::Language::Da), text(husorden_base::Language::En));
        refusal.fields = vec![FieldError { pointer: FILE.to_owned(), detail }];
    }
    refusal
}

/// A dump, as it comes.
pub(super) async fn get(ask: &Ask) -> Result<Reply, Refusal> {
    let one = read(ask).await?;
    let (part, format) = (segment(ask.query.text("part")), segment(ask.query.text("format")));
    let at = format!("/v1/solutions/{}/dump?part={part}&format={format}", segment(&one.id));
    Ok(Reply::raw(ask.api.file(&at).await?))
}

/// The package for leaving, as it comes.
pub(super) async fn package(ask: &Ask) -> Result<Reply, Refusal> {
    let one = read(ask).await?;
    Ok(Reply::raw(ask.api.file(&format!("/v1/solutions/{}/package", segment(&one.id))).await?))
}

/// Where the package for leaving is had, and how far one is that is being made.
pub(super) fn leaving(ask: &Ask, one: &api::Solution, orders: &[api::Order]) -> Markup {
    let l = ask.l;
    let may = may_change(ask) && one.aim == "run";
    html! {
        @if kind(ask, one).is_ok_and(Kind::packs) {
            section class="card" id="package" {
                div class="title" {
                    h2 { (l.t("Tag den med", "Take it along")) }
                    p { (l.t(
                        "Alt i én pakke: data, indstillinger og de kommandoer, der lægger det på en almindelig Debian, uden os.",
                        "Everything in one package: data, settings, and the commands that put it on a plain Debian, without us.",
                    )) }
                }
                div class="body" {
                    @if may {
                        div class="row" {
                            a class="button small" href={ (path(one)) "/package" } { (Icon::Download.show()) (l.t("Hent pakken", "Get the package")) }
                        }
                        div id="packing" data-live aria-live="polite" class="stack tight" {
                            @for order in orders.iter().filter(|order| order.verb == "package" && !ended(order)) { (far(ask, order)) }
                        }
                    } @else {
                        p class="soft small" { (l.t(
                            "Den hentes, mens løsningen kører, af hvem der må ændre den.",
                            "It is got while the solution runs, by whoever may change it.",
                        )) }
                    }
                }
            }
        }
    }
}
