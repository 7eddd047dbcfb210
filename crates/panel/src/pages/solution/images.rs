//! Images of a solution's data: made of a snapshot, and what others are made from.

use super::shapes::{kind, path, read};
use super::snapshots::{name, named};
use crate::ask::{Ask, Reply, no_page};
use crate::pages::create::{KEY_CHARS, after};
use crate::say::Say;
use crate::ui::icon::Icon;
use crate::ui::{self, Confirm, Field, Tone, Wrong};
use husorden_base::{Number, Refusal, Secret};
use husorden_kinds::{Kind, own_image};
use husorden_wire::api;
use maud::{Markup, html};
use serde_json::json;

/// The kind of what is made of a solution; none where nothing is.
pub(super) fn made_of(ask: &Ask, one: &api::Solution) -> Option<&'static dyn Kind> {
    ask.kinds.iter().copied().find(|kind| kind.made_of() == Some(one.kind.as_str()))
}

/// On the page of an image: the way to a new solution that is made from it.
pub(super) fn card(ask: &Ask, one: &api::Solution) -> Markup {
    let l = ask.l;
    let of = kind(ask, one).ok().and_then(Kind::made_of);
    let (Some(of), Some(number)) = (of, Number::new(one.number)) else { return html! {} };
    let image = own_image::name(number);
    ui::card(
        l.t("Brug aftrykket", "Use the image"),
        html! {},
        html! {
            p { (l.t(
                "En ny server begynder som kopi af disken, med egne nøgler, eget navn og egne adresser. En server, du har, kan laves om fra det i sine indstillinger.",
                "A new server begins as a copy of the disk, with keys, a name and addresses of its own. One that you have can be made anew from it in its settings.",
            )) }
            p { a class="button" href={ "/create/" (of) "?image=" (image) } { (Icon::Server.show()) (l.t("Lav en server af det", "Make a server from it")) } }
        },
    )
}

/// Asks what the image is to be called.
pub(super) async fn page(ask: &Ask) -> Result<Reply, Refusal> {
    show(ask, &Wrong::none(ask)).await
}

async fn show(ask: &Ask, wrong: &Wrong) -> Result<Reply, Refusal> {
    let one = read(ask).await?;
    let snapshot = named(ask, &one).await?;
    if made_of(ask, &one).is_none() {
        return Err(no_page());
    }
    let l = ask.l;
    let at = ask.reader.at_text(snapshot.taken);
    let title = l.t("Lav et diskaftryk?", "Make a disk image?");
    let confirm = Confirm {
        title,
        lead: &l.f(
            || format!("Af {}, »{}« fra {at}.", one.name, name(ask, &snapshot)),
            || format!("Of {}, “{}” of {at}.", one.name, name(ask, &snapshot)),
        ),
        consequences: vec![
            (
                Tone::Good,
                l.t(
                    "Nye servere kan laves af det, så mange du vil, og det bliver, når denne server slettes.",
                    "New servers can be made from it, as many as you want, and it stays when this server is deleted.",
                )
                .to_owned(),
            ),
            (
                Tone::Plain,
                l.t(
                    "Det tæller med i din plads som disken gør, og bliver taget backup af.",
                    "It counts in your space as the disk does, and is backed up.",
                )
                .to_owned(),
            ),
            (
                Tone::Plain,
                l.t(
                    "Alt på disken er med: adgangskoder og nøgler, der ligger på den, får de nye servere også.",
                    "All of the disk is in it: passwords and keys that lie on it come to the new servers too.",
                )
                .to_owned(),
            ),
        ],
        action: ask.path.as_str(),
        verb: l.t("Lav aftrykket", "Make the image"),
        danger: false,
        back: &format!("{}/snapshots", path(&one)),
        fields: html! {
            (wrong.summary(ask))
            input type="hidden" name="_key" value=(Secret::generate(KEY_CHARS).reveal());
            (Field {
                name: "/name",
                label: l.t("Aftrykkets navn", "The image's name"),
                help: l.t("Små bogstaver, tal og bindestreg.", "Lower-case letters, digits and hyphens."),
                value: ask.form.text("/name"),
                autocomplete: "off",
                required: true,
                max: Some(63),
                ..Field::default()
            }.show(ask, wrong))
        },
    };
    Ok(ask.sheet(title).narrow().show(confirm.show(ask)))
}

/// Makes it. A form that is sent twice makes one.
pub(super) async fn make(ask: &Ask) -> Result<Reply, Refusal> {
    let one = read(ask).await?;
    let kind = made_of(ask, &one).ok_or_else(no_page)?;
    let body = json!({
        "kind": kind.name(),
        "name": ask.form.text("/name"),
        "from": { "solution": one.id, "snapshot": ask.param("snapshot") },
    });
    let made: Result<api::SolutionCreated, Refusal> =
        ask.api.post_once("/v1/solutions", &body, ask.form.text("_key")).await;
    match made {
        Ok(made) => Ok(after(ask, &made)),
        Err(refusal) => show(ask, &Wrong::of(ask, refusal)).await,
    }
}
