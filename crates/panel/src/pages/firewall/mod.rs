//! Firewalls: rule sets of the account that say what is let in at public addresses, and the solutions each holds for.

mod one;
mod rules;

use crate::ask::{Ask, Reply};
use crate::form::Form;
use crate::own_path::OwnPath;
use crate::routes::Page;
use crate::routes::Reach::Session;
use crate::routes::{get, post};
use crate::say::Say;
use crate::ui::icon::Icon;
use crate::ui::{self, Field, Tone, Wrong, form};
use husorden_base::Refusal;
use husorden_wire::api::{self, Capability, Firewall};
use maud::{Markup, html};
use serde_json::{Value, json};

/// The lines of the table.
pub(crate) fn table() -> Vec<Page> {
    vec![
        get("/firewalls", Session, list),
        post("/firewalls", Session, create),
        get("/firewalls/{firewall}", Session, one::show),
        post("/firewalls/{firewall}/rules", Session, rules::add),
        post("/firewalls/{firewall}/rules/remove", Session, rules::remove),
        post("/firewalls/{firewall}/solutions", Session, one::apply),
        get("/firewalls/{firewall}/delete", Session, one::delete_page),
        post("/firewalls/{firewall}/delete", Session, one::delete),
    ]
}

fn may_change(ask: &Ask) -> bool {
    ask.may(Capability::SolutionChange)
}

async fn list(ask: &Ask) -> Result<Reply, Refusal> {
    page(ask, &Form::default(), &Wrong::none(ask)).await
}

async fn page(ask: &Ask, typed: &Form, wrong: &Wrong) -> Result<Reply, Refusal> {
    let page: api::Page<Firewall> = ask.api.get("/v1/firewalls?limit=200").await?;
    let l = ask.l;
    let lead = l.t(
        "Regler for, hvad der slippes ind på offentlige adresser. Alt andet afvises.",
        "Rules for what is let in at public addresses. Everything else is refused.",
    );
    Ok(ask.sheet("Firewalls").show(html! {
        (ui::head(None, "Firewalls", lead, html! {}))
        div class="split" {
            section class="card" {
                div class="title" { h2 { "Firewalls" } }
                @if page.items.is_empty() {
                    (ui::empty(Icon::Shield, l.t("Ingen firewalls", "No firewalls"), l.t(
                        "Uden regler slippes ingen ind på en offentlig adresse, bortset fra SSH for dem på serverens egen liste. Lav en firewall for det, der skal kunne nås, såsom en webserver.",
                        "Without rules nobody is let in at a public address, but for SSH for those on the server's own list. Make a firewall for what is to be reached, such as a web server.",
                    ), html! {}))
                } @else { (rows(ask, &page.items)) }
            }
            @if may_change(ask) {
                (ui::card(l.t("Lav en firewall", "Make a firewall"), html! {}, html! {
                    (wrong.summary(ask))
                    form method="post" action="/firewalls" class="fields" {
                        (form::token(ask))
                        (Field { name: "/name", label: l.t("Navn", "Name"), help: l.t("Små bogstaver, cifre og bindestreger, såsom web.", "Lower-case letters, digits and hyphens, such as web."), value: typed.text("/name"), autocomplete: "off", required: true, max: Some(63), ..Field::default() }.show(ask, wrong))
                        (labels_field(ask, typed.text("/labels"), wrong))
                        button class="button primary" { (Icon::Add.show()) (l.t("Lav firewall", "Make firewall")) }
                    }
                }))
            }
        }
    }))
}

fn rows(ask: &Ask, firewalls: &[Firewall]) -> Markup {
    let l = ask.l;
    html! {
        div class="table" { table class="stacks" {
            thead { tr { th scope="col" { (l.t("Navn", "Name")) } th scope="col" { (l.t("Regler", "Rules")) } th scope="col" { (l.t("Gælder for", "Holds for")) } } }
            tbody { @for one in firewalls { tr {
                td {
                    a class="main" href={ "/firewalls/" (one.name) } { (one.name) }
                    @for finding in &one.findings { " " (ui::badge(Tone::Bad, &finding.title)) }
                }
                td data-label=(l.t("Regler", "Rules")) { (one.rules.len()) }
                td data-label=(l.t("Gælder for", "Holds for")) { (in_short(ask, one)) }
            } } }
        } }
    }
}

fn in_short(ask: &Ask, one: &Firewall) -> Markup {
    let names: Vec<&str> = one.holds_for.iter().map(|holder| holder.name.as_str()).collect();
    html! {
        @match names[..] {
            [] => { span class="faint" { (ask.l.t("Ingen endnu", "None yet")) } },
            [.., _] if names.len() <= 3 => { (names.join(", ")) },
            _ => { (ask.l.f(|| format!("{} servere", names.len()), || format!("{} servers", names.len()))) },
        }
    }
}

/// The field of the labels that a firewall goes by, a line each.
fn labels_field(ask: &Ask, value: &str, wrong: &Wrong) -> Markup {
    let l = ask.l;
    let help = l.t(
        "Den gælder for servere, der har alle disse mærker. Ét pr. linje, såsom role=web. Tomt: for ingen gennem mærker.",
        "It holds for servers that have all of these labels. One a line, such as role=web. Empty: for none by labels.",
    );
    form::lines(
        ask,
        wrong,
        ("/labels", l.t("Servere med mærkerne", "Servers with the labels"), help),
        value,
        false,
        4_000,
    )
}

/// Labels as they are typed. A line without `=` is a name that the API refuses.
fn read_labels(text: &str) -> Value {
    let lines = text.lines().map(str::trim).filter(|line| !line.is_empty());
    let each = lines.map(|line| match line.split_once('=') {
        Some((name, value)) => (name.trim().to_owned(), json!(value.trim())),
        None => (line.to_owned(), json!("")),
    });
    Value::Object(each.collect())
}

/// What is wrong within a field of several lines is said at the field.
fn at_field(mut refusal: Refusal) -> Refusal {
    for field in &mut refusal.fields {
        for name in ["/labels", "/from"] {
            if field.pointer.strip_prefix(name).is_some_and(|rest| rest.starts_with('/')) {
                name.clone_into(&mut field.pointer);
            }
        }
    }
    refusal
}

async fn create(ask: &Ask) -> Result<Reply, Refusal> {
    let body = json!({ "name": ask.form.text("/name"), "labels": read_labels(ask.form.text("/labels")) });
    match ask.api.post::<Firewall>("/v1/firewalls", &body).await {
        Ok(one) => Ok(Reply::see(OwnPath::of(format!("/firewalls/{}", one.name))).saying(ask.l.t(
            "Firewallen er lavet. Tilføj nu det, der skal slippes ind.",
            "The firewall is made. Now add what is to be let in.",
        ))),
        Err(refusal) => page(ask, &ask.form, &Wrong::of(ask, at_field(refusal))).await,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_are_lines() {
        assert_eq!(read_labels("role=web\n\n  env = live \nbare"), json!({"role": "web", "env": "live", "bare": ""}));
        assert_eq!(read_labels(""), json!({}));
    }
}
