//! The account's own evidence: who did what, and when; written before the act and completed after.

use crate::ask::{Ask, Reply};
use crate::form::Form;
use crate::say::Say;
use crate::ui::icon::Icon;
use crate::ui::{self, Tone};
use husorden_base::Refusal;
use husorden_wire::api;
use maud::html;
use serde_json::Value;

/// Characters of the details that a line shows.
const DETAILS_CHARS_MAX: usize = 160;
/// Lines of a page.
const LINES: &str = "50";

pub(crate) async fn show(ask: &Ask) -> Result<Reply, Refusal> {
    let mut query = Form::default();
    for name in ["q", "after"] {
        query.add(name, ask.query.text(name));
    }
    query.add("order", "newest");
    query.add("limit", LINES);
    let page: api::Page<api::Evidence> = ask.api.get(&format!("/v1/evidence?{}", query.query())).await?;
    let first = ask.query.text("after").is_empty();
    let older = page.next.clone();
    let l = ask.l;
    let title = l.t("Log", "Log");
    let lead = l.t(
        "Alt, hvad nogen har gjort på kontoen: du selv, dine medlemmer, vores personale og maskinerne. Ingen linje kan ændres eller fjernes.",
        "Everything that anybody has done on the account: you, your members, our staff and the machines. No line can be changed or taken away.",
    );
    Ok(ask.sheet(title).show(html! {
        (ui::head(None, title, lead, html! { a class="button" href="/evidence/export" { (l.t("Hent som fil", "Get as a file")) } }))
        (ui::search(ask, l.t("Søg i loggen", "Search the log"), html! {}))
        section class="card" {
            @if page.items.is_empty() {
                (ui::empty(Icon::File, l.t("Intet endnu", "Nothing yet"), l.t("Når noget sker, står det her.", "When something happens, it stands here."), html! {}))
            } @else {
                div class="table" { table class="stacks" {
                    thead { tr { th scope="col" { (l.t("Hvad", "What")) } th scope="col" { (l.t("Hvem", "Who")) } th scope="col" { (l.t("Detaljer", "Details")) } th scope="col" class="end" { (l.t("Hvornår", "When")) } } }
                    tbody { @for line in &page.items { tr {
                        td { code { (line.act) } }
                        td data-label=(l.t("Hvem", "Who")) { span { (who(ask, &line.who)) @if let Some(whom) = &line.who_is { span class="sub" { (whom.words(l)) } } } }
                        td class="whole soft" { (details(&line.before)) }
                        td data-label=(l.t("Hvornår", "When")) class="end soft nowrap" { (ask.reader.at(line.begun)) }
                    } } }
                } }
                (ui::pager(ask, "after", first, older.as_deref()))
            }
        }
    }))
}

/// All of it as a file for people.
pub(crate) async fn export(ask: &Ask) -> Result<Reply, Refusal> {
    Ok(Reply::raw(ask.api.file("/v1/evidence/export?format=csv").await?))
}

/// Who did it: the side of the house as a word, the signature as it stands in the log.
pub(crate) fn who(ask: &Ask, signature: &str) -> maud::Markup {
    let l = ask.l;
    let (side, rest) = signature.split_once(':').unwrap_or((signature, ""));
    let (tone, word) = match side {
        "staff" => (Tone::Warn, l.t("Personale", "Staff")),
        "account" => (Tone::Plain, l.t("Kontoen", "The account")),
        "node" => (Tone::Plain, l.t("Maskinen", "The machine")),
        _ => (Tone::Plain, l.t("Platformen", "The platform")),
    };
    html! { span title=(rest) { (ui::badge(tone, word)) } }
}

/// The plain values of the details, in short.
pub(crate) fn details(value: &Value) -> String {
    let plain = |value: &Value| match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        Value::Bool(flag) => Some(flag.to_string()),
        Value::Null | Value::Array(_) | Value::Object(_) => None,
    };
    let parts =
        value.as_object().into_iter().flatten().filter_map(|(name, value)| Some(format!("{name}: {}", plain(value)?)));
    let text = parts.collect::<Vec<_>>().join(" · ");
    if text.chars().count() > DETAILS_CHARS_MAX {
        text.chars().take(DETAILS_CHARS_MAX).chain(['…']).collect()
    } else {
        text
    }
}
