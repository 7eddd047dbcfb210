//! The rules of a firewall: the table, one more, and one less.

use super::{at_field, may_change, one};
use crate::api::{Nothing, segment};
use crate::ask::{Ask, Reply};
use crate::own_path::OwnPath;
use crate::say::Say;
use crate::ui::icon::Icon;
use crate::ui::{self, Field, Tone, Wrong, form};
use husorden_base::Refusal;
use husorden_kinds::allow::reaches_everyone;
use husorden_wire::api::{Firewall, FirewallRule};
use maud::{Markup, html};
use serde_json::{Value, json};

/// Everybody, in both families.
const EVERYBODY: [&str; 2] = ["0.0.0.0/0", "::/0"];

/// What is let in, rule by rule.
pub(super) fn table(ask: &Ask, firewall: &Firewall) -> Markup {
    let l = ask.l;
    if firewall.rules.is_empty() {
        return ui::empty(
            Icon::Shield,
            l.t("Ingen slippes ind endnu", "Nobody is let in yet"),
            l.t("Tilføj en regel for det, der skal kunne nås.", "Add a rule for what is to be reached."),
            html! {},
        );
    }
    html! {
        div class="table" { table class="stacks" {
            thead { tr {
                th scope="col" { (l.t("Slipper ind", "Lets in")) }
                th scope="col" { (l.t("Fra", "From")) }
                th scope="col" { (l.t("Note", "Note")) }
                th scope="col" class="end" { span class="unseen" { (l.t("Handlinger", "Actions")) } }
            } }
            tbody { @for (index, rule) in firewall.rules.iter().enumerate() { tr {
                td { span class="main" { (called(ask, rule)) } }
                td data-label=(l.t("Fra", "From")) {
                    @let nets = rule.from.iter().filter_map(|text| husorden_kinds::allow::parse_net(text).ok());
                    @if reaches_everyone(nets) { (ui::badge(Tone::Warn, l.t("alle", "everyone"))) }
                    @else { @for from in &rule.from { code { (from) } " " } }
                }
                td data-label=(l.t("Note", "Note")) {
                    @if rule.note.is_empty() { span class="faint" { "–" } } @else { (rule.note) }
                }
                td class="end whole" { @if may_change(ask) {
                    (ui::post(ask, &format!("{}/rules/remove", one::path(firewall)), html! {
                        (one::version(firewall))
                        input type="hidden" name="rule" value=(index);
                        button class="button quiet small" aria-label=(l.f(|| format!("Fjern {}", called(ask, rule)), || format!("Remove {}", called(ask, rule)))) {
                            (Icon::Trash.show()) (l.t("Fjern", "Remove"))
                        }
                    }))
                } }
            } } }
        } }
    }
}

/// A rule as people say it.
fn called(ask: &Ask, rule: &FirewallRule) -> String {
    match (&rule.ports, rule.protocol.as_str()) {
        (Some(ports), protocol) => format!("{} {ports}", protocol.to_uppercase()),
        (None, _) => ask.l.t("Ping (ICMP-ekko)", "Ping (ICMP echo)").to_owned(),
    }
}

/// The form of one more.
pub(super) fn form(ask: &Ask, firewall: &Firewall, wrong: &Wrong) -> Markup {
    let l = ask.l;
    let protocols = [("tcp", "TCP"), ("udp", "UDP"), ("icmp", l.t("Ping (ICMP-ekko)", "Ping (ICMP echo)"))];
    let whom = [
        ("these", l.t("Fra adresserne her", "From the addresses here")),
        ("all", l.t("Fra alle på internettet", "From everyone on the internet")),
    ];
    ui::card(
        l.t("Tilføj en regel", "Add a rule"),
        html! {},
        html! {
            (wrong.summary(ask))
            form method="post" action={ (one::path(firewall)) "/rules" } class="fields" {
                (form::token(ask))
                (one::version(firewall))
                div class="pair" {
                    (form::select(ask, wrong, ("/protocol", l.t("Protokol", "Protocol"), ""), &protocols, ask.form.text("/protocol")))
                    (Field { name: "/ports", label: l.t("Port", "Port"), help: l.t("443, eller 8000-8100. Tom for ping.", "443, or 8000-8100. Empty for ping."), value: ask.form.text("/ports"), autocomplete: "off", inputmode: Some("numeric"), max: Some(11), ..Field::default() }.show(ask, wrong))
                }
                (form::select(ask, wrong, ("whom", l.t("Hvem?", "Who?"), ""), &whom, ask.form.text("whom")))
                (form::lines(ask, wrong, ("/from", l.t("Adresser", "Addresses"), l.t("IPv4- og IPv6-adresser eller områder såsom 192.0.2.0/24, én pr. linje. Uden betydning, når det er alle.", "IPv4 and IPv6 addresses or ranges such as 192.0.2.0/24, one a line. Of no account when it is everyone.")), ask.form.text("/from"), false, 6_000))
                (Field { name: "/note", label: l.t("Hvad er det til?", "What is it for?"), value: ask.form.text("/note"), optional: true, autocomplete: "off", max: Some(200), ..Field::default() }.show(ask, wrong))
                div class="actions" { button class="button primary" { (Icon::Add.show()) (l.t("Tilføj", "Add")) } }
            }
        },
    )
}

pub(super) async fn add(ask: &Ask) -> Result<Reply, Refusal> {
    let firewall = one::read(ask).await?;
    let text = |name: &str| ask.form.text(name).trim();
    let from: Vec<&str> = match text("whom") {
        "all" => EVERYBODY.to_vec(),
        _ => text("/from").lines().map(str::trim).filter(|line| !line.is_empty()).collect(),
    };
    let mut rule = json!({ "protocol": text("/protocol"), "from": from, "note": text("/note") });
    if !text("/ports").is_empty() {
        rule["ports"] = json!(text("/ports"));
    }
    let mut rules: Vec<Value> = firewall.rules.iter().map(|rule| json!(rule)).collect();
    let at = format!("/rules/{}/", rules.len());
    rules.push(rule);
    match put(ask, &firewall, rules).await {
        Ok(()) => Ok(back(&firewall).saying(ask.l.t("Tilføjet. Det slippes ind nu.", "Added. It is being let in."))),
        Err(mut refusal) => {
            for field in &mut refusal.fields {
                if let Some(own) = field.pointer.strip_prefix(&at) {
                    field.pointer = format!("/{own}");
                }
            }
            one::page(ask, &firewall, &Wrong::of(ask, at_field(refusal))).await
        }
    }
}

pub(super) async fn remove(ask: &Ask) -> Result<Reply, Refusal> {
    let firewall = one::read(ask).await?;
    let gone = ask.form.text("rule");
    let kept = firewall.rules.iter().enumerate().filter(|(index, _)| index.to_string() != gone);
    let rules = kept.map(|(_, rule)| json!(rule)).collect();
    match put(ask, &firewall, rules).await {
        Ok(()) => Ok(back(&firewall).saying(ask.l.t(
            "Fjernet. Forbindelser, som intet andet slipper ind, lukkes nu.",
            "Removed. Connections that nothing else lets in are being cut.",
        ))),
        Err(refusal) => one::page(ask, &firewall, &Wrong::of(ask, refusal)).await,
    }
}

fn back(firewall: &Firewall) -> Reply {
    Reply::see(OwnPath::of(one::path(firewall)))
}

async fn put(ask: &Ask, firewall: &Firewall, rules: Vec<Value>) -> Result<(), Refusal> {
    let at = format!("/v1/firewalls/{}", segment(&firewall.id));
    let tag = ask.form.text("_generation");
    ask.api.patch::<Nothing>(&at, &json!({ "rules": rules }), Some(tag)).await.map(drop)
}
