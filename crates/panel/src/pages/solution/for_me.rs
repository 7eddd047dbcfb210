//! Letting oneself in for a while: the visitor's own address, with an end, after proving again who it is.

use super::shapes::{path, read};
use crate::api::{Nothing, segment};
use crate::ask::{Ask, Reply};
use crate::own_path::OwnPath;
use crate::say::Say;
use crate::ui;
use crate::ui::icon::Icon;
use husorden_base::Refusal;
use husorden_kinds::allow::Access;
use husorden_wire::api;
use jiff::Timestamp;
use maud::{Markup, html};

/// What may be chosen, in minutes; the first is what most take.
const MINUTES: [u32; 3] = [120, 30, 480];

/// The card on the page of who may connect; nothing where the visitor gets in already and stays in.
pub(super) fn card(ask: &Ask, one: &api::Solution, access: &Access) -> Markup {
    let l = ask.l;
    let now = Timestamp::now();
    let Some(own) = ask.api.visitor() else { return html! {} };
    let mut ends = access.allow.iter().filter(|entry| entry.lasts(now) && entry.net.contains(&own));
    let until = ends.clone().filter_map(|entry| entry.until).max();
    if ends.any(|entry| entry.until.is_none()) || own.is_loopback() {
        return html! {};
    }
    ui::card(
        l.t("Luk dig selv ind", "Let yourself in"),
        html! {},
        html! {
            p {
                @match until {
                    Some(until) => { (l.t("Der er åbent for dig indtil ", "It is open for you until ")) (ask.reader.at(until)) ". " },
                    None => { (l.t("Din adresse er ", "Your address is ")) code { (own) } ". " },
                }
                (l.t("Det lukker af sig selv til tiden, også når resten af platformen er nede, og åbne forbindelser lukkes med. Du bliver bedt om at bekræfte, at det er dig.",
                    "It closes by itself on time, even when the rest of the platform is down, and open connections close with it. You are asked to confirm that it is you."))
            }
            (ui::post(ask, &format!("{}/access/for-me", path(one)), html! {
                span class="row" {
                    @for (place, minutes) in MINUTES.into_iter().enumerate() {
                        button class=(if place == 0 { "button primary small" } else { "button small" }) name="minutes" value=(minutes) {
                            (Icon::Clock.show()) (words(ask, minutes))
                        }
                    }
                }
            }))
        },
    )
}

fn words(ask: &Ask, minutes: u32) -> String {
    let l = ask.l;
    if minutes < 60 {
        l.f(|| format!("Åbn i {minutes} minutter"), || format!("Open for {minutes} minutes"))
    } else {
        let hours = minutes / 60;
        l.f(|| format!("Åbn i {hours} timer"), || format!("Open for {hours} hours"))
    }
}

pub(super) async fn open(ask: &Ask) -> Result<Reply, Refusal> {
    let one = read(ask).await?;
    let minutes = ask.form.text("minutes").parse().unwrap_or(MINUTES[0]);
    let form = api::AccessOpen { minutes, ..api::AccessOpen::default() };
    ask.api.post::<Nothing>(&format!("/v1/solutions/{}/access", segment(&one.id)), &form).await?;
    let to = OwnPath::of(format!("/solutions/{}/access", segment(ask.param("solution"))));
    Ok(Reply::see(to).saying(ask.l.t("Der er åbent for dig nu.", "It is open for you now.")))
}
