//! The account and its holder: who answers for everything on it, and what is required of its members.

use crate::ask::{Ask, Reply};
use crate::form::Form;
use crate::own_path::OwnPath;
use crate::say::Say;
use crate::ui::{self, Field, Tone, Wrong, form};
use husorden_base::{Language, Refusal};
use husorden_wire::api;
use husorden_wire::api::Capability;
use maud::{Markup, html};

pub(crate) async fn show(ask: &Ask) -> Result<Reply, Refusal> {
    let account: api::AccountShown = ask.api.get("/v1/account").await?;
    let mut typed = Form::default();
    typed.set("/name", account.name.clone());
    typed.set("/language", account.language.tag());
    if account.two_factor_required {
        typed.set("/two_factor_required", "on");
    }
    if let Some(holder) = &account.holder {
        typed.set("/holder/kind", if holder.kind == api::HolderKind::Company { "company" } else { "person" });
        for (name, value) in [
            ("name", Some(&holder.name)),
            ("cvr", holder.cvr.as_ref()),
            ("address", Some(&holder.address)),
            ("country", Some(&holder.country)),
            ("email", Some(&holder.email)),
            ("phone", holder.phone.as_ref()),
        ] {
            typed.set(&format!("/holder/{name}"), value.cloned().unwrap_or_default());
        }
    }
    Ok(page(ask, &account, &typed, &Wrong::none(ask)))
}

fn page(ask: &Ask, account: &api::AccountShown, typed: &Form, wrong: &Wrong) -> Reply {
    let l = ask.l;
    let title = l.t("Kontoen", "The account");
    let may = ask.may(Capability::AccountManage);
    ask.sheet(title).narrow().show(html! {
        (ui::head(None, title, "", html! {}))
        @if account.holder.is_none() {
            (ui::note(Tone::Warn, l.t("Vi mangler en kontoindehaver", "We miss an account holder"), html! { p { (l.t("Det er den person eller virksomhed, som svarer for kontoen. Afgørelser skrives til indehaveren.", "That is the person or company that answers for the account. Decisions are written to the holder.")) } }))
        }
        @if !may { (ui::note(Tone::Plain, "", html! { p { (l.t("Kun en ejer kan ændre kontoen.", "Only an owner can change the account.")) } })) }
        (wrong.summary(ask))
        form method="post" action="/account" class="fields" {
            (form::token(ask))
            (ui::card(l.t("Konto", "Account"), html! {}, html! { div class="fields" {
                (Field { name: "/name", label: l.t("Kontoens navn", "The account's name"), value: typed.text("/name"), autocomplete: "off", required: true, max: Some(100), ..Field::default() }.show(ask, wrong))
                (form::select(ask, wrong, ("/language", l.t("Sprog i beskeder", "Language of messages"), ""), &[("da", "Dansk"), ("en", "English")], typed.text("/language")))
                (form::tick("/two_factor_required", l.t("Kræv totrinsbekræftelse af alle medlemmer", "Require the second factor of all members"), l.t("Medlemmer uden bliver bedt om det næste gang, de logger ind.", "Members without one are asked for it when they next log in."), typed.ticked("/two_factor_required")))
            } }))
            (holder(ask, typed, wrong))
            @if may { (form::actions(l.t("Gem", "Save"), None)) }
        }
    })
}

fn holder(ask: &Ask, typed: &Form, wrong: &Wrong) -> Markup {
    let l = ask.l;
    let text = |name: &'static str, label: &str, help: &str, autocomplete: &str, optional: bool| {
        Field { name, label, help, value: typed.text(name), autocomplete, optional, max: Some(200), ..Field::default() }
            .show(ask, wrong)
    };
    let kind = typed.get("/holder/kind").unwrap_or("company");
    ui::card(
        l.t("Kontoindehaver", "Account holder"),
        html! {},
        html! { div class="fields" {
            fieldset class="radios" {
                legend { (l.t("Indehaveren er", "The holder is")) }
                @for (word, name) in [("company", l.t("En virksomhed eller forening", "A company or association")), ("person", l.t("En person", "A person"))] {
                    label class="radio" { input type="radio" name="/holder/kind" value=(word) checked[word == kind]; span class="name" { (name) } }
                }
            }
            (text("/holder/name", l.t("Navn", "Name"), "", "organization", false))
            (text("/holder/cvr", l.t("CVR-nummer", "Company number (CVR)"), l.t("Otte cifre, for danske virksomheder.", "Eight digits, for companies in Denmark."), "off", true))
            (text("/holder/address", l.t("Adresse", "Address"), "", "street-address", false))
            (text("/holder/country", l.t("Land", "Country"), l.t("To bogstaver, såsom DK.", "Two letters, such as DK."), "country", false))
            (text("/holder/email", "E-mail", l.t("Her skriver vi til indehaveren.", "Where we write to the holder."), "email", false))
            (text("/holder/phone", l.t("Telefon", "Telephone"), "", "tel", true))
        } },
    )
}

pub(crate) async fn change(ask: &Ask) -> Result<Reply, Refusal> {
    let text = |name: &str| ask.form.text(name).to_owned();
    let some = |name: &str| Some(text(name)).filter(|text| !text.is_empty());
    let named = ["name", "address", "email"].iter().any(|name| some(&format!("/holder/{name}")).is_some());
    let holder = api::Holder {
        kind: if ask.form.text("/holder/kind") == "person" {
            api::HolderKind::Person
        } else {
            api::HolderKind::Company
        },
        name: text("/holder/name"),
        cvr: some("/holder/cvr"),
        address: text("/holder/address"),
        country: text("/holder/country").to_ascii_uppercase(),
        email: text("/holder/email"),
        phone: some("/holder/phone"),
    };
    let body = api::AccountChange {
        name: some("/name"),
        language: Some(if ask.form.text("/language") == "da" { Language::Da } else { Language::En }),
        holder: named.then_some(holder),
        two_factor_required: Some(ask.form.ticked("/two_factor_required")),
    };
    match ask.api.patch::<api::AccountShown>("/v1/account", &body, None).await {
        Ok(_) => Ok(Reply::see(OwnPath::of("/account")).saying(ask.l.t("Gemt.", "Saved."))),
        Err(refusal) if refusal.code == "step-up-needed" => Err(refusal),
        Err(refusal) => {
            let account: api::AccountShown = ask.api.get("/v1/account").await?;
            Ok(page(ask, &account, &ask.form, &Wrong::of(ask, refusal)))
        }
    }
}
