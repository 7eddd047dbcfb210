//! The power of what runs, and making its data anew: each says first what is lost and what comes back.

use super::danger::line;
use super::shapes::{kind, path, read};
use crate::api::{Nothing, segment};
use crate::ask::{Ask, Reply, no_page};
use crate::own_path::OwnPath;
use crate::say::Say;
use crate::ui::icon::Icon;
use crate::ui::{self, Confirm, Tone};
use husorden_base::Refusal;
use husorden_kinds::Kind;
use husorden_wire::api;
use maud::{Markup, html};

/// Whether its data has a beginning that it can be made anew from.
fn has_beginning(ask: &Ask, one: &api::Solution) -> bool {
    kind(ask, one).is_ok_and(|kind| kind.rebuilt(&one.spec).is_some())
}

/// Whether there is a power to take: what is to run has one, whatever its kind, unless nothing runs of that.
fn has_power(ask: &Ask, one: &api::Solution) -> bool {
    one.aim == "run" && kind(ask, one).is_ok_and(Kind::runs)
}

/// The lines of the danger zone.
pub(super) fn lines(ask: &Ask, one: &api::Solution) -> Markup {
    let l = ask.l;
    let base = path(one);
    html! {
        @if has_power(ask, one) {
            hr;
            (line(l.t("Nulstil", "Reset"), l.t("Strømmen tages, og den starter igen, når den ikke længere svarer.", "The power is taken, and it starts again, for when it does not answer any more."),
                ui::asks(&format!("{base}/reset"), "", Some(Icon::Restore), l.t("Nulstil", "Reset"))))
        }
        @if has_beginning(ask, one) {
            hr;
            (line(l.t("Lav om", "Rebuild"), l.t("Disken laves om fra sit aftryk. Adresserne bliver.", "The disk is made anew from its image. The addresses stay."),
                ui::asks(&format!("{base}/rebuild"), "danger", Some(Icon::Layers), l.t("Lav om", "Rebuild"))))
        }
    }
}

pub(super) async fn reset_page(ask: &Ask) -> Result<Reply, Refusal> {
    let one = read(ask).await?;
    if !has_power(ask, &one) {
        return Err(no_page());
    }
    let l = ask.l;
    let title = l.f(|| format!("Nulstil {}?", one.name), || format!("Reset {}?", one.name));
    let confirm = Confirm {
        title: &title,
        lead: "",
        consequences: vec![
            (
                Tone::Bad,
                l.t(
                    "Det er som et strømsvigt: forbindelser brydes, og det, der ikke er skrevet til disken, går tabt.",
                    "It is like a loss of power: connections break, and what is not written to its disk is lost.",
                )
                .to_owned(),
            ),
            (
                Tone::Good,
                l.t(
                    "Den starter igen af sig selv, med de samme data og adresser.",
                    "It starts again by itself, with the same data and addresses.",
                )
                .to_owned(),
            ),
        ],
        action: ask.path.as_str(),
        verb: l.t("Nulstil", "Reset"),
        danger: true,
        back: &format!("{}/settings", path(&one)),
        fields: html! {},
    };
    Ok(ask.sheet(&title).narrow().show(confirm.show(ask)))
}

pub(super) async fn reset(ask: &Ask) -> Result<Reply, Refusal> {
    let at = format!("/v1/solutions/{}/reset", segment(ask.param("solution")));
    ask.api.act::<Nothing>(&at).await?;
    Ok(home(ask, ask.l.t("Løsningen nulstilles.", "The solution is being reset.")))
}

pub(super) async fn rebuild_page(ask: &Ask) -> Result<Reply, Refusal> {
    let one = read(ask).await?;
    if !has_beginning(ask, &one) {
        return Err(no_page());
    }
    let l = ask.l;
    let title = l.f(|| format!("Lav {} om?", one.name), || format!("Rebuild {}?", one.name));
    let confirm = Confirm {
        title: &title,
        lead: "",
        consequences: vec![
            (
                Tone::Bad,
                l.t(
                    "Alt på disken forsvinder fra den, og den starter, som da den blev lavet.",
                    "Everything on its disk goes from it, and it starts as when it was made.",
                )
                .to_owned(),
            ),
            (
                Tone::Good,
                l.t(
                    "Før det tages et øjebliksbillede, og du kan fortryde.",
                    "A snapshot is taken before that, and you can undo it.",
                )
                .to_owned(),
            ),
            (
                Tone::Plain,
                l.t(
                    "Navn, adresser, nøgler og hvem der må forbinde bliver.",
                    "Its name, addresses, keys and who may connect stay.",
                )
                .to_owned(),
            ),
        ],
        action: ask.path.as_str(),
        verb: l.t("Lav om", "Rebuild"),
        danger: true,
        back: &format!("{}/settings", path(&one)),
        fields: html! {},
    };
    Ok(ask.sheet(&title).narrow().show(confirm.show(ask)))
}

pub(super) async fn rebuild(ask: &Ask) -> Result<Reply, Refusal> {
    let at = format!("/v1/solutions/{}/rebuild", segment(ask.param("solution")));
    ask.api.post::<Nothing>(&at, &api::Rebuild::default()).await?;
    Ok(home(ask, ask.l.t("Den laves om. Du kan fortryde.", "It is being rebuilt. You can undo it.")))
}

fn home(ask: &Ask, sentence: &str) -> Reply {
    Reply::see(OwnPath::of(format!("/solutions/{}", segment(ask.param("solution"))))).saying(sentence)
}
