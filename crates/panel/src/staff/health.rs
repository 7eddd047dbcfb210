//! How the house is: a line for each thing that was looked at, the worst first.

use crate::ask::{Ask, Reply};
use crate::say::Say;
use crate::ui::{self, Tone};
use husorden_base::Refusal;
use husorden_wire::api;
use husorden_wire::api::Condition;
use maud::{Markup, html};

pub(crate) async fn show(ask: &Ask) -> Result<Reply, Refusal> {
    let mut health: api::Health = ask.api.get("/v1/health").await?;
    health.checks.sort_by_key(|check| std::cmp::Reverse(check.state));
    let l = ask.l;
    let title = l.t("Husets tilstand", "The health of the house");
    Ok(ask.sheet(title).live("/live").show(html! {
        (ui::head(None, title, "", html! { span id="state" data-live { (badge(ask, health.state)) } }))
        div class="stack" id="checks" data-live {
            p class="soft small" { (l.t("Set efter ", "Looked at ")) (ask.reader.at(health.at)) }
            section class="card" { div class="table" { table class="stacks" {
                thead { tr {
                    th scope="col" { (l.t("Hvad", "What")) }
                    th scope="col" { (l.t("Sådan er det", "How it is")) }
                    th scope="col" class="end" { (l.t("Tilstand", "State")) }
                } }
                tbody { @for check in &health.checks { tr {
                    td { span class="main" { (name(ask, &check.name)) } }
                    td class="whole" { (check.text.get(l)) }
                    td data-label=(l.t("Tilstand", "State")) class="end" { (badge(ask, check.state)) }
                } } }
            } } }
        }
    }))
}

fn badge(ask: &Ask, state: Condition) -> Markup {
    let l = ask.l;
    match state {
        Condition::Fine => ui::badge(Tone::Good, l.t("Som det skal være", "As it should be")),
        Condition::Degraded => ui::badge(Tone::Warn, l.t("Svækket", "Degraded")),
        Condition::Bad => ui::badge(Tone::Bad, l.t("Kræver nogen nu", "Needs somebody now")),
    }
}

/// What was looked at, for people; a name behind a colon stays as it is, and so does a word that is new.
fn name(ask: &Ask, name: &str) -> String {
    let l = ask.l;
    let (what, which) = name.split_once(':').unwrap_or((name, ""));
    let what = match what {
        "node" => l.t("Node", "Node"),
        "database" => l.t("Database", "Database"),
        "disk" => l.t("Disk", "Disk"),
        "jobs" => l.t("Arbejde i kø", "Queued work"),
        "outbox" => l.t("Mails og webhooks", "Mails and webhooks"),
        "passwords" => l.t("Lækkede adgangskoder", "Leaked passwords"),
        "measures" => l.t("Foranstaltninger", "Measures"),
        "evidence" => l.t("Beviser", "Evidence"),
        "certificate" if which == "panel" => return l.t("Panelets certifikat", "The panel's certificate").to_owned(),
        "certificate" => l.t("Certifikater på", "Certificates on"),
        "checkpoint" => l.t("Kontrolpunkt", "Checkpoint"),
        "vault" => l.t("Boksen", "The vault"),
        "backup" => l.t("Backup af løsninger", "Backups of solutions"),
        "strays" => l.t("Ukendte løsninger", "Unknown solutions"),
        "platform" => l.t("Backup af platformen selv", "Backup of the platform itself"),
        other => other,
    };
    if which.is_empty() { what.to_owned() } else { format!("{what} {which}") }
}
