//! Snapshots on a schedule: when the next one is taken, and the form that changes it.

#[cfg(test)]
mod tests;

use super::shapes::{may_change, path, read};
use super::snapshots;
use crate::api::{Nothing, segment};
use crate::ask::{Ask, Reply};
use crate::own_path::OwnPath;
use crate::say::Say;
use crate::ui::icon::Icon;
use crate::ui::{self, Field, Tone, Wrong, form};
use husorden_base::Refusal;
use husorden_kinds::window::{DAYS, DAYS_CALLED};
use husorden_wire::api::{self, SNAPSHOTS_KEPT_MAX, SnapshotEvery};
use maud::{Markup, html};
use serde_json::{Value, json};

/// Says that the form of this card was sent.
const SENT: &str = "_schedule";

/// Whether the form of this card was sent.
pub(super) fn sent(ask: &Ask) -> bool {
    ask.form.get(SENT).is_some()
}

/// A solution's schedule.
pub(super) async fn of(ask: &Ask, one: &api::Solution) -> Result<api::SnapshotSchedule, Refusal> {
    ask.api.get(&at(one)).await
}

fn at(one: &api::Solution) -> String {
    format!("/v1/solutions/{}/snapshot-schedule", segment(&one.id))
}

/// How it stands, and the form.
pub(super) fn card(ask: &Ask, one: &api::Solution, schedule: &api::SnapshotSchedule, wrong: &Wrong) -> Markup {
    let l = ask.l;
    let on = schedule.every != SnapshotEvery::Off;
    let badge = match (on, schedule.missed) {
        (false, _) => ui::badge(Tone::Plain, l.t("Slået fra", "Off")),
        (true, None) => ui::badge(Tone::Good, l.t("Slået til", "On")),
        (true, Some(_)) => ui::badge(Tone::Warn, l.t("Ikke taget", "Not taken")),
    };
    html! {
        @if sent(ask) { (wrong.summary(ask)) }
        section class="card" id="snapshot-schedule" {
            div class="title" { h2 { (l.t("Efter tidsplan", "On a schedule")) } (badge) }
            div class="body" {
                p { (in_words(ask, schedule)) }
                @if let Some(since) = schedule.missed {
                    (ui::note(Tone::Warn, l.t("Der er ikke taget noget", "None was taken"), html! {
                        p { (l.t("Det begyndte ", "It began ")) (ask.reader.ago(since)) ". " @if let Some(message) = &schedule.message { (message) } }
                    }))
                }
                @if on {
                    dl class="facts" { div {
                        dt { (l.t("Næste", "Next")) }
                        @if let Some(next) = schedule.next { dd { (ask.reader.at(next)) } }
                        @else { dd class="soft" { (l.t("når løsningen kører igen", "when the solution runs again")) } }
                    } }
                }
                @if may_change(ask) && one.aim != "gone" { (change(ask, one, schedule, wrong)) }
            }
        }
    }
}

fn clock(ask: &Ask, hour: u8) -> String {
    ask.l.f(|| format!("{hour:02}.00"), || format!("{hour:02}:00"))
}

/// What a day of the week is called; the word itself where it is none.
fn called<'a>(ask: &Ask, day: &'a str) -> &'a str {
    let found = DAYS.iter().zip(DAYS_CALLED).find(|((word, _), _)| *word == day);
    found.map_or(day, |(_, (da, en))| ask.l.t(da, en))
}

fn in_words(ask: &Ask, schedule: &api::SnapshotSchedule) -> String {
    let (l, keep, zone) = (ask.l, schedule.keep, &schedule.zone);
    let (hour, day) = (clock(ask, schedule.hour), called(ask, &schedule.day));
    let kept = match keep {
        1 => l.t("Det nyeste beholdes.", "The newest is kept.").to_owned(),
        _ => l.f(|| format!("De nyeste {keep} beholdes."), || format!("The newest {keep} are kept.")),
    };
    match schedule.every {
        SnapshotEvery::Off => l
            .t(
                "Der tages ingen af sig selv. Tænd for dem, så der altid er et øjeblik at gå tilbage til.",
                "None are taken by themselves. Turn them on, so that there is always a moment to go back to.",
            )
            .to_owned(),
        SnapshotEvery::Hourly => l.f(|| format!("Et hver time. {kept}"), || format!("One each hour. {kept}")),
        SnapshotEvery::Daily => l.f(
            || format!("Et hver dag i timen fra kl. {hour} ({zone}). {kept}"),
            || format!("One each day in the hour from {hour} ({zone}). {kept}"),
        ),
        SnapshotEvery::Weekly => l.f(
            || format!("Et hver {} i timen fra kl. {hour} ({zone}). {kept}", day.to_lowercase()),
            || format!("One each {day} in the hour from {hour} ({zone}). {kept}"),
        ),
    }
}

fn change(ask: &Ask, one: &api::Solution, schedule: &api::SnapshotSchedule, wrong: &Wrong) -> Markup {
    let l = ask.l;
    let sent = sent(ask);
    let typed = |name: &str, held: String| if sent { ask.form.text(name).to_owned() } else { held };
    let every = typed("/every", schedule.every.word().to_owned());
    let hour = typed("/hour", schedule.hour.to_string());
    let day = typed("/day", schedule.day.clone());
    let keep = typed("/keep", schedule.keep.to_string());
    let zone = typed("/zone", schedule.zone.clone());
    let often = SnapshotEvery::ALL.map(|every| {
        let name = match every {
            SnapshotEvery::Off => l.t("Aldrig", "Never"),
            SnapshotEvery::Hourly => l.t("Hver time", "Each hour"),
            SnapshotEvery::Daily => l.t("Hver dag", "Each day"),
            SnapshotEvery::Weekly => l.t("Hver uge", "Each week"),
        };
        (every.word(), name)
    });
    let clocks: Vec<(String, String)> = (0..24).map(|hour| (hour.to_string(), clock(ask, hour))).collect();
    let clocks: Vec<(&str, &str)> = clocks.iter().map(|(value, text)| (value.as_str(), text.as_str())).collect();
    let days = DAYS.map(|(word, _)| (word, called(ask, word)));
    let counts: Vec<String> = (1..=SNAPSHOTS_KEPT_MAX).map(|count| count.to_string()).collect();
    let counts: Vec<(&str, &str)> = counts.iter().map(|count| (count.as_str(), count.as_str())).collect();
    html! {
        details class="more" open[sent] {
            summary { (l.t("Skift tidsplanen", "Change the schedule")) (Icon::chevron()) }
            form class="inner" method="post" action={ (path(one)) "/snapshots/schedule" } {
                (form::token(ask))
                input type="hidden" name=(SENT) value="yes";
                div class="pair" {
                    (form::select(ask, wrong, ("/every", l.t("Hvor tit", "How often"), l.t("Det forstyrrer ingen, der bruger løsningen.", "It disturbs nobody who uses the solution.")), &often, &every))
                    (form::select(ask, wrong, ("/keep", l.t("Hvor mange beholdes", "How many are kept"), l.t("De ældste går af sig selv; dine egne og dem, vi tager før en ændring, gør ikke.", "The oldest go by themselves; your own, and those we take before a change, do not.")), &counts, &keep))
                }
                div class="pair" {
                    (form::select(ask, wrong, ("/hour", l.t("I timen fra", "In the hour from"), l.t("For hver dag og hver uge. Hvornår i den, fordeler vi selv.", "For each day and each week. When within it, we choose.")), &clocks, &hour))
                    (form::select(ask, wrong, ("/day", l.t("Ugedag", "Day of the week"), l.t("For hver uge.", "For each week.")), &days, &day))
                }
                (Field { name: "/zone", label: l.t("Tidszone", "Time zone"), help: l.t("Som Europe/Copenhagen. Sommertid regnes med.", "Such as Europe/Copenhagen. Summer time is taken into account."), value: &zone, autocomplete: "off", required: true, max: Some(64), ..Field::default() }.show(ask, wrong))
                (form::actions(l.t("Gem tidsplanen", "Save the schedule"), None))
            }
        }
    }
}

/// Saves it. What is no number goes as it was typed, and is refused at its field.
pub(super) async fn save(ask: &Ask) -> Result<Reply, Refusal> {
    let one = read(ask).await?;
    let text = |name: &str| ask.form.text(name);
    let number = |name: &str| text(name).parse::<u8>().map_or_else(|_| Value::from(text(name)), Value::from);
    let wanted = json!({
        "every": text("/every"), "hour": number("/hour"), "day": text("/day"), "zone": text("/zone"), "keep": number("/keep"),
    });
    match ask.api.put::<Nothing>(&at(&one), &wanted).await {
        Ok(_) => Ok(Reply::see(OwnPath::of(format!("{}/snapshots", path(&one))))
            .saying(ask.l.t("Tidsplanen er gemt.", "The schedule is saved."))),
        Err(refusal) => snapshots::page(ask, &Wrong::of(ask, refusal)).await,
    }
}
