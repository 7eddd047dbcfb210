//! A solution's settings: the form of its kind, filled in with what it is; only what was changed is sent.

use super::danger;
use super::shapes::{frame, kind, may_change, path, read};
use crate::api::segment;
use crate::ask::{Ask, Reply};
use crate::form::Form;
use crate::own_path::OwnPath;
use crate::say::Say;
use crate::ui::spec::{ROOT, SpecForm, completed, difference, fill, read as read_spec};
use crate::ui::{self, Field, Tone, Wrong, form};
use husorden_base::Refusal;
use husorden_wire::api;
use maud::html;
use serde_json::{Map, Value, json};

pub(super) async fn page(ask: &Ask) -> Result<Reply, Refusal> {
    let one = read(ask).await?;
    let mut typed = Form::default();
    fill(&mut typed, &kind(ask, &one)?.schema(), &one.spec, ROOT);
    typed.set("/name", one.name.clone());
    typed.set("_generation", one.generation.to_string());
    show(ask, &one, &typed, &Wrong::none(ask)).await
}

async fn show(ask: &Ask, one: &api::Solution, typed: &Form, wrong: &Wrong) -> Result<Reply, Refusal> {
    let l = ask.l;
    let schema = completed(ask, kind(ask, one)?).await;
    // Everything that is set stands open; what is not is folded away.
    let first: Map<String, Value> = one
        .spec
        .as_object()
        .into_iter()
        .flatten()
        .filter(|(_, value)| value.is_string() || value.is_array())
        .map(|(name, value)| (name.clone(), value.clone()))
        .collect();
    let first = Value::Object(first);
    let spec = SpecForm { ask, schema: &schema, held: &one.spec, first: &first, typed, wrong };
    Ok(frame(
        ask,
        one,
        html! {
            @if may_change(ask) {
                (wrong.summary(ask))
                form method="post" action={ (path(one)) "/settings" } class="fields" {
                    (form::token(ask))
                    input type="hidden" name="_generation" value=(typed.text("_generation"));
                    button class="unseen" tabindex="-1" aria-hidden="true" {}
                    section class="card" {
                        div class="title" { h2 { (l.t("Indstillinger", "Settings")) } }
                        div class="body fields" {
                            (Field { name: "/name", label: l.t("Navn", "Name"), value: typed.text("/name"), autocomplete: "off", required: true, max: Some(63), ..Field::default() }.show(ask, wrong))
                            (spec.show())
                        }
                        div class="end" { div class="row" {
                            button class="button primary" { (l.t("Gem ændringer", "Save changes")) }
                            span class="soft small" { (l.t("Kan en ændring miste noget, tager vi et øjebliksbillede først.", "Where a change could lose something, we take a snapshot first.")) }
                        } }
                    }
                }
            } @else {
                (ui::note(Tone::Plain, "", html! { p { (l.t("Din rolle må se løsningen, men ikke ændre den.", "Your role may see the solution, but not change it.")) } }))
            }
            (danger::zone(ask, one))
        },
    ))
}

pub(super) async fn change(ask: &Ask) -> Result<Reply, Refusal> {
    let one = read(ask).await?;
    if ask.form.get("_more").is_some() {
        return show(ask, &one, &ask.form, &Wrong::none(ask)).await;
    }
    let schema = kind(ask, &one)?.schema();
    let mut body = Map::new();
    if let Some(patch) = difference(&schema, &one.spec, &read_spec(&ask.form, &schema, ROOT)) {
        body.insert("spec".to_owned(), patch);
    }
    if ask.form.text("/name") != one.name {
        body.insert("name".to_owned(), json!(ask.form.text("/name")));
    }
    let settings = |name: &str| OwnPath::of(format!("/solutions/{}/settings", segment(name)));
    if body.is_empty() {
        return Ok(Reply::see(settings(&one.name)).saying(ask.l.t("Intet var ændret.", "Nothing was changed.")));
    }
    let at = format!("/v1/solutions/{}", segment(&one.id));
    match ask.api.patch::<api::SolutionChanged>(&at, &Value::Object(body), Some(ask.form.text("_generation"))).await {
        Ok(changed) => {
            // A password that came with the change is shown now or never.
            match changed.credentials.into_iter().find(|one| one.password.is_some()) {
                Some(made) => Ok(danger::shown_of(ask, &changed.solution, made)),
                None => Ok(Reply::see(settings(&changed.solution.name))
                    .saying(ask.l.t("Gemt. Ændringen føres ud nu.", "Saved. The change is being carried out."))),
            }
        }
        Err(refusal) => show(ask, &one, &ask.form, &Wrong::of(ask, refusal)).await,
    }
}
