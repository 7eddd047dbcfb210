//! A new solution: the starts that are offered, the form made from the kind's own schema, and the page that follows, where
//! passwords are shown once while the solution is being made.

use super::solution;
use crate::api::segment;
use crate::ask::{Ask, Reply, no_page};
use crate::form::Form;
use crate::own_path::OwnPath;
use crate::say::Say;
use crate::ui::icon::Icon;
use crate::ui::spec::{ROOT, SpecForm, completed, fill, own, read};
use crate::ui::{self, Field, Tone, Wrong, form};
use husorden_base::{Refusal, Secret};
use husorden_kinds::{Glyph, Kind, Offer};
use husorden_wire::api;
use maud::{Markup, html};
use serde_json::{Value, json};

/// Characters of the key that makes a form count once.
pub(crate) const KEY_CHARS: usize = 24;

const fn glyph(glyph: Glyph) -> Icon {
    match glyph {
        Glyph::Globe => Icon::Globe,
        Glyph::File => Icon::File,
        Glyph::Server => Icon::Server,
        Glyph::Box => Icon::Box,
        Glyph::Database => Icon::Database,
    }
}

/// What can be made.
pub(crate) async fn offers(ask: &Ask) -> Result<Reply, Refusal> {
    let l = ask.l;
    let title = l.t("Ny løsning", "New solution");
    let lead = l.t(
        "Vælg, hvad du vil begynde med. Alt kan ændres senere, og en sletning kan fortrydes.",
        "Choose what to begin with. Everything can be changed later, and a deletion can be undone.",
    );
    Ok(ask.sheet(title).show(html! {
        (ui::head(Some(("/", l.t("Overblik", "Overview"))), title, lead, html! {}))
        div class="grid" {
            @for kind in ask.kinds {
                @for offer in kind.offers() {
                    a class="choice" href={ "/create/" (kind.name()) "?offer=" (offer.name) } {
                        span class="glyph" { (glyph(offer.glyph).show()) }
                        h2 { (offer.title.get(l)) }
                        @if !offer.about.get(l).is_empty() { p { (offer.about.get(l)) } }
                        span class="go" { (l.t("Vælg", "Choose")) " " (Icon::Arrow.show()) }
                    }
                }
            }
        }
    }))
}

/// The kind and the start that a page is about.
fn chosen(ask: &Ask, from: &Form) -> Result<(&'static dyn Kind, Offer), Refusal> {
    let kind = ask.kinds.iter().copied().find(|kind| kind.name() == ask.param("kind")).ok_or_else(no_page)?;
    let mut offers = kind.offers();
    let place = offers.iter().position(|offer| offer.name == from.text("offer")).unwrap_or(0);
    if offers.is_empty() {
        return Err(no_page());
    }
    Ok((kind, offers.swap_remove(place)))
}

/// The form, with its defaults.
pub(crate) async fn page(ask: &Ask) -> Result<Reply, Refusal> {
    let (kind, offer) = chosen(ask, &ask.query)?;
    let mut typed = Form::default();
    fill(&mut typed, &kind.schema(), &offer.spec, ROOT);
    typed.set("offer", offer.name);
    // Who comes from an image of theirs has chosen it.
    if kind.schema()["properties"]["image"].is_object() && !ask.query.text("image").is_empty() {
        typed.set("/spec/image", ask.query.text("image"));
    }
    typed.set("_key", Secret::generate(KEY_CHARS).reveal());
    Ok(show(ask, kind, &offer, &typed, &Wrong::none(ask)).await)
}

async fn show(ask: &Ask, kind: &dyn Kind, offer: &Offer, typed: &Form, wrong: &Wrong) -> Reply {
    let l = ask.l;
    let title = offer.title.get(l);
    let schema = completed(ask, kind).await;
    let spec = SpecForm { ask, schema: &schema, held: &Value::Null, first: &offer.spec, typed, wrong };
    // Who may not see what was ordered sees no prices, and makes solutions all the same.
    let ordered: Result<api::Page<api::Subscription>, Refusal> = ask.api.get("/v1/subscriptions?limit=200").await;
    let ordered = ordered.map(|page| page.items).unwrap_or_default();
    ask.sheet(title).narrow().show(html! {
        (ui::head(Some(("/create", l.t("Ny løsning", "New solution"))), title, offer.about.get(l), html! {}))
        (wrong.summary(ask))
        form method="post" action={ "/create/" (kind.name()) } class="fields" {
            (form::token(ask))
            input type="hidden" name="offer" value=(offer.name);
            input type="hidden" name="_key" value=(typed.text("_key"));
            // The first button of a form is what the Enter key presses.
            button class="unseen" tabindex="-1" aria-hidden="true" {}
            section class="card" { div class="body fields" {
                (Field {
                    name: "/name",
                    label: l.t("Navn", "Name"),
                    help: l.t("Som du selv kender løsningen ved. Små bogstaver, tal og bindestreg.", "What you know the solution by. Lower-case letters, digits and hyphens."),
                    value: typed.text("/name"),
                    autocomplete: "off",
                    required: true,
                    max: Some(63),
                    ..Field::default()
                }.show(ask, wrong))
                (spec.show())
            } }
            (cost(ask, &ordered))
            (form::actions(l.t("Opret løsningen", "Make the solution"), Some(("/create", l.t("Fortryd", "Cancel")))))
        }
    })
}

/// What making it costs: nothing more than the plans that hold it, or it is refused before anything is made.
fn cost(ask: &Ask, ordered: &[api::Subscription]) -> Markup {
    let l = ask.l;
    let active: Vec<_> = ordered.iter().filter(|one| one.state == "active").collect();
    html! {
        @if !active.is_empty() {
            section class="card" { div class="body" {
                h2 { (l.t("Hvad det koster", "What it costs")) }
                p { (l.t(
                    "Intet ud over det, I allerede betaler for. Er der ikke plads til løsningen, får du det at vide, før noget laves.",
                    "Nothing beyond what you pay for already. If there is no room for the solution, you are told before anything is made.",
                )) }
                dl class="facts" {
                    @for one in active { div {
                        dt { (one.name.get(l)) @if one.quantity > 1 { " × " (one.quantity) } }
                        dd class="num" { (one.period.net.in_words(l)) " · " (ask.reader.day_text(one.period.starts)) " – " (ask.reader.day_text(one.period.ends)) }
                    } }
                }
                p class="small" { a href="/billing" { (l.t("Se abonnementet", "See the plan")) } }
            } }
        }
    }
}

/// Makes it. A form that is sent twice makes one solution.
pub(crate) async fn create(ask: &Ask) -> Result<Reply, Refusal> {
    let (kind, offer) = chosen(ask, &ask.form)?;
    if ask.form.get("_more").is_some() {
        return Ok(show(ask, kind, &offer, &ask.form, &Wrong::none(ask)).await);
    }
    let body = json!({
        "kind": kind.name(),
        "name": ask.form.text("/name"),
        "spec": read(&ask.form, &kind.schema(), ROOT),
    });
    let key = ask.form.text("_key");
    let made: Result<api::SolutionCreated, Refusal> = ask.api.post_once("/v1/solutions", &body, key).await;
    let made = match made {
        Ok(made) => made,
        Err(refusal) => {
            let mut typed = ask.form.clone();
            // Another form is another request.
            typed.set("_key", Secret::generate(KEY_CHARS).reveal());
            return Ok(show(ask, kind, &offer, &typed, &Wrong::of(ask, refusal)).await);
        }
    };
    Ok(after(ask, &made))
}

/// What a copy of a solution is asked for: a name, and what it must have of its own.
pub(crate) fn copy_fields(ask: &Ask, one: &api::Solution, typed: &Form, wrong: &Wrong, name: &str) -> Markup {
    let l = ask.l;
    let schema = own(&husorden_kinds::kind(&one.kind).map_or(Value::Null, Kind::schema));
    let spec = SpecForm { ask, schema: &schema, held: &Value::Null, first: &Value::Null, typed, wrong };
    html! {
        (Field { name: "/name", label: l.t("Navn på den nye", "Name of the new one"), help: l.t("Små bogstaver, tal og bindestreg.", "Lower-case letters, digits and hyphens."), value: name, autocomplete: "off", max: Some(63), ..Field::default() }.show(ask, wrong))
        (spec.show())
    }
}

/// Makes the copy that the form asks for.
///
/// # Errors
/// What the API refuses, with its fields as the form has them.
pub(crate) async fn copy(ask: &Ask, one: &api::Solution, from: &Value) -> Result<Reply, Refusal> {
    let mut body = json!({ "kind": one.kind, "name": ask.form.text("/name"), "from": from });
    let spec = read(&ask.form, &own(&husorden_kinds::kind(&one.kind).map_or(Value::Null, Kind::schema)), ROOT);
    if spec.as_object().is_some_and(|spec| !spec.is_empty()) {
        body["spec"] = spec;
    }
    let made: api::SolutionCreated = ask.api.post_once("/v1/solutions", &body, ask.form.text("_key")).await?;
    Ok(after(ask, &made))
}

/// What follows an order for a solution: its passwords, once, and how far it is.
pub(crate) fn after(ask: &Ask, made: &api::SolutionCreated) -> Reply {
    let path = format!("/solutions/{}/made", segment(&made.solution.name));
    if made.credentials.iter().all(|one| one.password.is_none()) {
        return Reply::see(OwnPath::of(path));
    }
    following(ask, &made.solution, &made.credentials, &path)
}

/// How far a new solution is; where its passwords were shown already, or there were none.
pub(crate) async fn made(ask: &Ask) -> Result<Reply, Refusal> {
    let one = solution::read(ask).await?;
    let path = format!("/solutions/{}/made", segment(&one.name));
    Ok(following(ask, &one, &[], &path))
}

fn following(ask: &Ask, one: &api::Solution, credentials: &[api::CredentialShown], path: &str) -> Reply {
    let l = ask.l;
    let ready = one.state == "running";
    let title = l.f(|| format!("{} er bestilt", one.name), || format!("{} is ordered", one.name));
    let wait = (credentials.is_empty() && !ready).then_some(3);
    let stream = format!("/live?solution={}", segment(&one.name));
    ask.sheet(&title).narrow().live(stream).source(path).refresh(wait).show(html! {
        (ui::head(Some(("/", l.t("Overblik", "Overview"))), &title, "", html! {}))
        @if !credentials.is_empty() { (shown_once(ask, credentials)) }
        section class="card" id="progress" data-live aria-live="polite" { div class="body" { (progress(ask, one)) } }
        @if !credentials.is_empty() {
            noscript { p { a href=(path) { (l.t("Jeg har gemt adgangskoden: se, hvor langt den er", "I have kept the password: see how far it is")) } } }
        }
    })
}

/// Passwords that are shown now and never again.
pub(crate) fn shown_once(ask: &Ask, credentials: &[api::CredentialShown]) -> Markup {
    let l = ask.l;
    html! {
        section class="secret" {
            div class="stack tight" {
                h2 { (l.t("Gem adgangskoden nu", "Keep the password now")) }
                p class="small" { (l.t(
                    "Den vises kun denne ene gang, og vi gemmer den ikke. Læg den i din adgangskodehusker. Du kan altid lave en ny.",
                    "It is shown this once only, and we do not keep it. Put it into your password manager. You can always make a new one.",
                )) }
            }
            @for one in credentials {
                dl class="facts" {
                    div { dt { (l.t("Brugernavn", "User name")) } dd { (ui::copy(ask, &one.username)) } }
                    @if let Some(password) = &one.password {
                        div { dt { (l.t("Adgangskode", "Password")) } dd { (ui::copy_secret(ask, l.t("adgangskoden", "the password"), password)) } }
                    }
                }
            }
        }
    }
}

fn progress(ask: &Ask, one: &api::Solution) -> Markup {
    let l = ask.l;
    let message = one.message.clone().unwrap_or_default();
    let open = format!("/solutions/{}", segment(&one.name));
    let (making, ready) = match one.state.as_str() {
        "running" => (ui::Step::Done, ui::Step::Done),
        _ => (ui::Step::Now, ui::Step::Later),
    };
    html! {
        @if one.state == "trouble" {
            (ui::note(Tone::Warn, l.t("Det gik ikke, som det skulle", "It did not go as it should"), html! { p { (message) } }))
        }
        (ui::steps(&[
            (ui::Step::Done, l.t("Bestilt", "Ordered"), String::new()),
            (making, l.t("Laves", "Being made"), if making == ui::Step::Now { if message.is_empty() { l.t("Det begynder om lidt.", "It begins in a moment.").to_owned() } else { message } } else { String::new() }),
            (ready, l.t("Klar", "Ready"), String::new()),
        ]))
        @if ready == ui::Step::Done {
            div class="actions" {
                (ui::button(&open, "primary", None, l.t("Åbn løsningen", "Open the solution")))
                @for row in solution::card_rows(ask, one).iter().filter(|row| row.link.is_some()).take(1) {
                    @if let Some(link) = &row.link {
                        a class="button" href=(link) target="_blank" rel="noopener noreferrer" { (row.value) (Icon::External.show()) }
                    }
                }
            }
        } @else {
            p class="soft small" { (l.t("Du kan roligt lukke siden; arbejdet går videre.", "You may well close the page; the work goes on.")) }
        }
    }
}
