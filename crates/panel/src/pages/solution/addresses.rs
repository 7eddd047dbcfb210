//! The public addresses of a solution, and the names that lead back from them.

use super::shapes::{may_change, path, read};
use crate::api::{Nothing, segment};
use crate::ask::{Ask, Reply};
use crate::own_path::OwnPath;
use crate::say::Say;
use crate::ui::icon::Icon;
use crate::ui::{self, Field, Wrong, form};
use husorden_base::Refusal;
use husorden_wire::api;
use maud::{Markup, html};
use serde_json::json;

/// The card, for what has any.
pub(super) fn card(ask: &Ask, one: &api::Solution, wrong: &Wrong) -> Markup {
    let l = ask.l;
    if one.addresses.is_empty() {
        return html! {};
    }
    html! {
        section class="card" id="addresses" {
            div class="title" { h2 { (l.t("Offentlige adresser", "Public addresses")) } a class="small" href="/firewalls" { (l.t("Se firewalls", "See the firewalls")) } }
            div class="body stack tight" {
                dl class="facts" { @for address in &one.addresses {
                    div { dt { (if address.net.is_some() { "IPv6" } else { "IPv4" }) } dd { (ui::copy(ask, &address.address)) } }
                    @if let Some(net) = &address.net { div { dt { (l.t("Hele nettet", "The whole net")) } dd { (ui::copy(ask, net)) } } }
                    @for name in &address.names { div { dt { (l.t("Navn tilbage", "Name back")) } dd {
                        (name.name) @if name.address != address.address { " " code { (name.address) } }
                    } } }
                } }
                p class="soft small" { (l.t(
                    "En server, der kørte, da den fik dem, får dem at vide, når den spørger med DHCP, eller når du selv sætter dem på.",
                    "A server that ran when it was given them hears of them when it asks by DHCP, or when you put them on yourself.",
                )) }
                @if may_change(ask) && one.aim != "gone" { (rename(ask, one, wrong)) }
            }
        }
    }
}

fn rename(ask: &Ask, one: &api::Solution, wrong: &Wrong) -> Markup {
    let l = ask.l;
    let sent = ask.form.get("/address").is_some();
    let first = one.addresses.first().map_or("", |address| address.address.as_str());
    let address = if sent { ask.form.text("/address") } else { first };
    html! {
        details class="more" open[sent] {
            summary { (l.t("Navne, der fører tilbage", "Names that lead back")) (Icon::chevron()) }
            form method="post" action={ (path(one)) "/names" } class="fields inner" {
                (wrong.summary(ask))
                (form::token(ask))
                p class="soft small" { (l.t(
                    "Den, der får besøg eller post fra adressen, kan slå navnet op. Navnet skal også føre frem til adressen; det sætter du op, hvor navnet hører til.",
                    "Whoever is visited or mailed from the address can look the name up. The name should lead to the address too; that you set up where the name belongs.",
                )) }
                (Field { name: "/address", label: l.t("Adresse", "Address"), value: address, autocomplete: "off", required: true, max: Some(39), ..Field::default() }.show(ask, wrong))
                (Field { name: "/name", label: l.t("Navn", "Name"), help: l.t("Såsom mail.shop.example. Tomt: intet navn.", "Such as mail.shop.example. Empty: no name."), value: ask.form.text("/name"), optional: true, autocomplete: "off", max: Some(253), ..Field::default() }.show(ask, wrong))
                div class="actions" { button class="button primary" { (l.t("Gem navnet", "Save the name")) } }
            }
        }
    }
}

/// Says which name leads back from an address.
pub(super) async fn save(ask: &Ask) -> Result<Reply, Refusal> {
    let one = read(ask).await?;
    let at = format!("/v1/solutions/{}/reverse-names", segment(&one.id));
    let name = Some(ask.form.text("/name").trim()).filter(|name| !name.is_empty());
    match ask.api.put::<Nothing>(&at, &json!({ "address": ask.form.text("/address"), "name": name })).await {
        Ok(_) => Ok(Reply::see(OwnPath::of(path(&one))).saying(ask.l.t("Navnet er gemt.", "The name is saved."))),
        Err(refusal) => super::page(ask, &one, &Wrong::of(ask, refusal)).await,
    }
}
