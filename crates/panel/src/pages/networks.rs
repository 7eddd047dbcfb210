//! Private networks: the list of them, one that is made, and one with its servers. Which networks a server is in stands in its spec; here it
//! is changed from the network's side, with the version of the server that the page was made from.

use crate::api::{Nothing, segment};
use crate::ask::{Ask, Reply, no_page};
use crate::form::Form;
use crate::own_path::OwnPath;
use crate::say::Say;
use crate::ui::icon::Icon;
use crate::ui::{self, Confirm, Field, Tone, Wrong, form};
use husorden_base::Refusal;
use husorden_kinds::network::{self, Join};
use husorden_wire::api::{self, Capability};
use maud::{Markup, html};
use serde_json::{Value, json};

/// Solutions that are looked through for servers that could join.
const SERVERS_MAX: usize = 200;
/// The range that is proposed for a first network.
const RANGE: &str = "10.20.0.0/24";

fn path(network: &api::Network) -> String {
    format!("/networks/{}", segment(&network.id))
}

async fn read(ask: &Ask) -> Result<api::Network, Refusal> {
    ask.api.get(&format!("/v1/networks/{}", segment(ask.param("network")))).await
}

pub(crate) async fn list(ask: &Ask) -> Result<Reply, Refusal> {
    let mut typed = Form::default();
    typed.set("/range", RANGE);
    page(ask, &typed, &Wrong::none(ask)).await
}

async fn page(ask: &Ask, typed: &Form, wrong: &Wrong) -> Result<Reply, Refusal> {
    let page: api::Page<api::Network> = ask.api.get("/v1/networks?limit=200").await?;
    let l = ask.l;
    let title = l.t("Private netværk", "Private networks");
    let lead = l.t(
        "Servere i samme netværk taler sammen på private adresser. Ingen andre når dem dér, og herfra når de ingen andre.",
        "Servers in one network speak with each other on private addresses. Nobody else reaches them there, and from there they reach nobody else.",
    );
    Ok(ask.sheet(title).show(html! {
        (ui::head(None, title, lead, html! {}))
        div class="split" {
            section class="card" {
                div class="title" { h2 { (l.t("Netværk", "Networks")) } }
                @if page.items.is_empty() {
                    (ui::empty(Icon::Link, l.t("Ingen private netværk", "No private networks"), l.t("Opret et, og sæt servere i det.", "Make one, and put servers into it."), html! {}))
                } @else { (table(ask, &page.items)) }
            }
            @if ask.may(Capability::SolutionCreate) { (creating(ask, typed, wrong)) }
        }
    }))
}

fn table(ask: &Ask, networks: &[api::Network]) -> Markup {
    let l = ask.l;
    html! {
        div class="table" { table class="stacks" {
            thead { tr {
                th scope="col" { (l.t("Navn", "Name")) }
                th scope="col" { (l.t("Område", "Range")) }
                th scope="col" { (l.t("Servere", "Servers")) }
            } }
            tbody { @for network in networks { tr {
                td { a class="main" href=(path(network)) { (network.name) } }
                td data-label=(l.t("Område", "Range")) { code { (network.range) } }
                td data-label=(l.t("Servere", "Servers")) { (network.members.len()) }
            } } }
        } }
    }
}

fn creating(ask: &Ask, typed: &Form, wrong: &Wrong) -> Markup {
    let l = ask.l;
    let range = l.t(
        "Fra /28 (13 servere) til /16, i 10.0.0.0/8, 172.16.0.0/12 eller 192.168.0.0/16. Det kan ikke ændres. Vælg et, der ikke bruges dér, hvor dine servere ellers skal nå hen, såsom kontoret over en VPN. IPv6 får netværket af os.",
        "From /28 (13 servers) to /16, in 10.0.0.0/8, 172.16.0.0/12 or 192.168.0.0/16. It cannot be changed. Choose one that is not used where your servers go otherwise, such as the office over a VPN. IPv6 the network has from us.",
    );
    ui::card(
        l.t("Opret et netværk", "Make a network"),
        html! {},
        html! {
            (wrong.summary(ask))
            form method="post" action="/networks" class="fields" {
                (form::token(ask))
                (Field { name: "/name", label: l.t("Navn", "Name"), help: l.t("Små bogstaver, cifre og bindestreger.", "Lower-case letters, digits and hyphens."), value: typed.text("/name"), autocomplete: "off", placeholder: Some("backend"), required: true, max: Some(63), ..Field::default() }.show(ask, wrong))
                (Field { name: "/range", label: l.t("IPv4-område", "IPv4 range"), help: range, value: typed.text("/range"), autocomplete: "off", required: true, max: Some(18), ..Field::default() }.show(ask, wrong))
                button class="button primary" { (l.t("Opret netværk", "Make network")) }
            }
        },
    )
}

pub(crate) async fn create(ask: &Ask) -> Result<Reply, Refusal> {
    let body = json!({ "name": ask.form.text("/name"), "range": ask.form.text("/range") });
    match ask.api.post::<api::Network>("/v1/networks", &body).await {
        Ok(made) => {
            Ok(Reply::see(OwnPath::of(path(&made))).saying(ask.l.t("Netværket er oprettet.", "The network is made.")))
        }
        Err(refusal) => page(ask, &ask.form, &Wrong::of(ask, refusal)).await,
    }
}

pub(crate) async fn show(ask: &Ask) -> Result<Reply, Refusal> {
    one(ask, &read(ask).await?, &Wrong::none(ask)).await
}

async fn one(ask: &Ask, network: &api::Network, wrong: &Wrong) -> Result<Reply, Refusal> {
    let l = ask.l;
    let all: api::Page<api::Solution> = ask.api.get(&format!("/v1/solutions?limit={SERVERS_MAX}")).await?;
    let changes = ask.may(Capability::SolutionChange);
    let delete = html! {
        @if ask.may(Capability::SolutionDelete) && network.members.is_empty() {
            (ui::asks(&format!("{}/delete", path(network)), "danger", Some(Icon::Trash), l.t("Slet", "Delete")))
        }
    };
    let back = Some(("/networks", l.t("Private netværk", "Private networks")));
    Ok(ask.sheet(&network.name).show(html! {
        (ui::head(back, &network.name, "", delete))
        (wrong.summary(ask))
        (ui::card_flush(l.t("Servere", "Servers"), html! {}, html! {
            @if network.members.is_empty() {
                (ui::empty(Icon::Server, l.t("Ingen servere i netværket", "No servers in the network"), l.t("Sæt en i nedenfor; den får en adresse her.", "Put one in below; it is given an address here."), html! {}))
            } @else { (members(ask, network, changes)) }
        }))
        div class="split" {
            @if changes { (joining(ask, network, &all.items, wrong)) }
            (facts(ask, network, changes, wrong))
        }
    }))
}

fn members(ask: &Ask, network: &api::Network, changes: bool) -> Markup {
    let l = ask.l;
    html! {
        div class="table" { table class="stacks" {
            thead { tr {
                th scope="col" { (l.t("Server", "Server")) }
                th scope="col" { "IPv4" }
                th scope="col" { "IPv6" }
                th scope="col" class="end" { span class="unseen" { (l.t("Handlinger", "Actions")) } }
            } }
            tbody { @for member in &network.members { tr {
                td {
                    @if member.deleted { span class="main" { (member.name) } span class="sub" { (l.t("Slettet; adressen holdes, så længe det kan fortrydes", "Deleted; the address is kept as long as that can be undone")) } }
                    @else { a class="main" href={ "/solutions/" (segment(&member.solution)) } { (member.name) } }
                }
                td data-label="IPv4" { (ui::copy(ask, &member.address)) }
                td data-label="IPv6" { (ui::copy(ask, &member.address6)) }
                td class="end whole" {
                    @if changes && !member.deleted {
                        (ui::asks(&format!("{}/leave/{}", path(network), segment(&member.solution)), "quiet small", None, l.t("Tag ud", "Take out")))
                    }
                }
            } } }
        } }
    }
}

/// Whether a solution's kind knows of networks.
fn can_join(ask: &Ask, one: &api::Solution) -> bool {
    let knows = ask.kinds.iter().any(|kind| kind.name() == one.kind && network::stands_in(&kind.schema()));
    knows && one.aim != "gone"
}

fn joining(ask: &Ask, network: &api::Network, all: &[api::Solution], wrong: &Wrong) -> Markup {
    let l = ask.l;
    let is_in = |one: &&api::Solution| network.members.iter().any(|member| member.solution == one.id);
    let free: Vec<(&str, &str)> = all
        .iter()
        .filter(|one| can_join(ask, one) && one.account == network.account && !is_in(one))
        .map(|one| (one.id.as_str(), one.name.as_str()))
        .collect();
    let help = l.t("Tom: den første ledige.", "Empty: the first that is free.");
    ui::card(
        l.t("Sæt en server i netværket", "Put a server into the network"),
        html! {},
        html! {
            @if free.is_empty() {
                p class="soft" { (l.t("Alle dine servere er i det.", "All your servers are in it.")) " " a href="/create" { (l.t("Opret en server", "Make a server")) } }
            } @else {
                form method="post" action={ (path(network)) "/join" } class="fields" {
                    (form::token(ask))
                    (form::select(ask, wrong, ("/server", l.t("Server", "Server"), ""), &free, ask.form.get("/server").unwrap_or_default()))
                    (Field { name: "/address", label: l.t("Adresse", "Address"), help, value: ask.form.get("/address").unwrap_or_default(), autocomplete: "off", optional: true, max: Some(15), ..Field::default() }.show(ask, wrong))
                    p class="soft small" { (l.t(
                        "Serveren slukkes og tændes og får et netkort mere. Et system, der alt er installeret, sættes op med DHCP på det nye kort.",
                        "The server is turned off and on, and has one more network card. A system that is installed already is set up by DHCP on the new card.",
                    )) }
                    button class="button primary" { (l.t("Sæt i netværket", "Put into the network")) }
                }
            }
        },
    )
}

fn facts(ask: &Ask, network: &api::Network, changes: bool, wrong: &Wrong) -> Markup {
    let l = ask.l;
    ui::card(
        l.t("Netværket", "The network"),
        html! {},
        html! {
            dl class="facts" {
                div { dt { "IPv4" } dd { code { (network.range) } } }
                div { dt { "IPv6" } dd { code { (network.prefix) } } }
                div { dt { (l.t("Netværkets egen adresse", "The network's own address")) } dd { code { (network.gateway) } } }
                div { dt { (l.t("Oprettet", "Made")) } dd { (ask.reader.at(network.created)) } }
            }
            @if changes {
                form method="post" action={ (path(network)) "/rename" } class="fields" {
                    (form::token(ask))
                    (Field { name: "/name", label: l.t("Navn", "Name"), value: ask.form.get("/name").unwrap_or(&network.name), autocomplete: "off", required: true, max: Some(63), ..Field::default() }.show(ask, wrong))
                    button class="button" { (l.t("Omdøb", "Rename")) }
                }
            }
        },
    )
}

pub(crate) async fn rename(ask: &Ask) -> Result<Reply, Refusal> {
    let network = read(ask).await?;
    let at = format!("/v1/networks/{}", segment(&network.id));
    match ask.api.patch::<Nothing>(&at, &json!({ "name": ask.form.text("/name") }), None).await {
        Ok(_) => {
            Ok(Reply::see(OwnPath::of(path(&network)))
                .saying(ask.l.t("Netværket er omdøbt.", "The network is renamed.")))
        }
        Err(refusal) => one(ask, &network, &Wrong::of(ask, refusal)).await,
    }
}

async fn server(ask: &Ask, id: &str) -> Result<api::Solution, Refusal> {
    ask.api.get(&format!("/v1/solutions/{}", segment(id))).await
}

/// Has a server be in these networks.
async fn put(ask: &Ask, server: &api::Solution, joins: Vec<Value>) -> Result<(), Refusal> {
    let to = format!("/v1/solutions/{}", segment(&server.id));
    let body = json!({ "spec": { "networks": joins } });
    ask.api.patch::<Nothing>(&to, &body, Some(&server.generation.to_string())).await.map(drop)
}

fn others(server: &api::Solution, network: &api::Network) -> Vec<Value> {
    let others = network::of(&server.spec).into_iter().filter(|join: &Join| join.network.to_string() != network.id);
    others.map(|join| json!(join)).collect()
}

pub(crate) async fn join(ask: &Ask) -> Result<Reply, Refusal> {
    let network = read(ask).await?;
    let server = server(ask, ask.form.text("/server")).await?;
    let mut joins = others(&server, &network);
    let own = format!("/spec/networks/{}", joins.len());
    let address = Some(ask.form.text("/address").trim()).filter(|address| !address.is_empty());
    joins.push(json!({ "network": network.id, "address": address }));
    match put(ask, &server, joins).await {
        Ok(()) => {
            let said = ask.l.t("Serveren sættes i netværket nu.", "The server is being put into the network.");
            Ok(Reply::see(OwnPath::of(path(&network))).saying(said))
        }
        Err(mut refusal) => {
            for field in refusal.fields.iter_mut() {
                if let Some(rest) = field.pointer.strip_prefix(&own) {
                    field.pointer = if rest == "/address" { rest.to_owned() } else { "/server".to_owned() };
                }
            }
            one(ask, &network, &Wrong::of(ask, refusal)).await
        }
    }
}

pub(crate) async fn leave_page(ask: &Ask) -> Result<Reply, Refusal> {
    let network = read(ask).await?;
    let member = network.members.iter().find(|member| member.solution == ask.param("solution")).ok_or_else(no_page)?;
    let l = ask.l;
    let title = l.t("Tag serveren ud af netværket?", "Take the server out of the network?");
    let back = path(&network);
    let confirm = Confirm {
        title,
        lead: &format!("{} · {}", member.name, network.name),
        consequences: vec![
            (
                Tone::Bad,
                l.t(
                    "Den slukkes og tændes, og mister sit kort i netværket.",
                    "It is turned off and on, and loses its card in the network.",
                )
                .to_owned(),
            ),
            (
                Tone::Plain,
                format!("{} {}", member.address, l.t("kan så gives til en anden.", "may then be given to another.")),
            ),
            (Tone::Good, l.t("Dens data bliver.", "Its data stays.").to_owned()),
        ],
        action: ask.path.as_str(),
        verb: l.t("Tag ud", "Take out"),
        danger: true,
        back: &back,
        fields: html! {},
    };
    Ok(ask.sheet(title).narrow().show(confirm.show(ask)))
}

pub(crate) async fn leave(ask: &Ask) -> Result<Reply, Refusal> {
    let network = read(ask).await?;
    let server = server(ask, ask.param("solution")).await?;
    put(ask, &server, others(&server, &network)).await?;
    let said = ask.l.t("Serveren tages ud af netværket nu.", "The server is being taken out of the network.");
    Ok(Reply::see(OwnPath::of(path(&network))).saying(said))
}

pub(crate) async fn delete_page(ask: &Ask) -> Result<Reply, Refusal> {
    let network = read(ask).await?;
    let l = ask.l;
    let title = l.t("Slet netværket?", "Delete the network?");
    let back = path(&network);
    let confirm = Confirm {
        title,
        lead: &network.name,
        consequences: vec![
            (Tone::Good, l.t("Ingen server er i det.", "No server is in it.").to_owned()),
            (
                Tone::Plain,
                l.t(
                    "Det kan ikke fortrydes. Et nyt kan have samme IPv4-område; dets IPv6-område bliver et andet.",
                    "It cannot be undone. A new one can have the same IPv4 range; its IPv6 range will be another.",
                )
                .to_owned(),
            ),
        ],
        action: ask.path.as_str(),
        verb: l.t("Slet", "Delete"),
        danger: true,
        back: &back,
        fields: html! {},
    };
    Ok(ask.sheet(title).narrow().show(confirm.show(ask)))
}

pub(crate) async fn delete(ask: &Ask) -> Result<Reply, Refusal> {
    let _: Nothing = ask.api.delete(&format!("/v1/networks/{}", segment(ask.param("network")))).await?;
    Ok(Reply::see(OwnPath::of("/networks")).saying(ask.l.t("Netværket er slettet.", "The network is deleted.")))
}
