//! Any second of a solution's data, as a solution of its own beside it: which seconds can be had, and the form that asks for one, in the
//! reader's own time.

use super::shapes::{may_change, path, read};
use super::snapshots;
use crate::ask::{Ask, Reply};
use crate::pages::create::{self, KEY_CHARS};
use crate::say::Say;
use crate::ui::icon::Icon;
use crate::ui::{self, Field, Tone, Wrong, form};
use husorden_base::{Refusal, Secret, Text};
use husorden_wire::api;
use jiff::Timestamp;
use jiff::civil::DateTime;
use maud::{Markup, html};
use serde_json::json;

/// A time as the form has it.
const FORM: &str = "%Y-%m-%dT%H:%M:%S";
/// A time as people read it, to the second.
const SECOND: &str = "%Y-%m-%d %H:%M:%S";

/// Whether the form of this card was sent.
pub(super) fn sent(ask: &Ask) -> bool {
    ask.form.get("/from/at").is_some()
}

fn local(ask: &Ask, at: Timestamp, form: &str) -> String {
    at.to_zoned(ask.reader.zone.clone()).strftime(form).to_string()
}

/// The first and the last whole second that can be had. None while what can be had lies within one.
fn seconds(from: Timestamp, to: Timestamp) -> Option<(Timestamp, Timestamp)> {
    let up = i64::from(from.subsec_nanosecond() > 0);
    let first = Timestamp::from_second(from.as_second() + up).ok()?;
    let last = Timestamp::from_second(to.as_second()).ok()?;
    (first <= last).then_some((first, last))
}

/// The newest second that the clock showed once; the last where there is none.
fn plain(first: Timestamp, last: Timestamp, holes: &[api::TimeSpan]) -> Timestamp {
    let mut at = last;
    for hole in holes.iter().rev().filter(|hole| hole.from <= last) {
        if (hole.from..=hole.to).contains(&at) {
            at = Timestamp::from_second(hole.from.as_second() - 1).unwrap_or(at);
        }
    }
    if at < first { last } else { at }
}

/// Which seconds can be had, and the form. Nothing where no log is kept.
pub(super) fn card(ask: &Ask, one: &api::Solution, wrong: &Wrong) -> Markup {
    let l = ask.l;
    let window =
        one.log.as_ref().map(|log| (log.from, log.to)).or(one.log_away.as_ref().map(|away| (away.from, away.to)));
    let Some((from, to)) = window else { return html! {} };
    let seconds = seconds(from, to);
    let holes = one.log.as_ref().map_or(&[][..], |log| &log.holes);
    html! {
        (ui::card(l.t("Et hvilket som helst sekund", "Any second"), html! {}, html! {
            p class="soft small" {
                @if let Some(kind) = husorden_kinds::kind(&one.kind) { (kind.as_of().get(l)) " " }
                (l.t("Det bliver en løsning for sig ved siden af; denne røres ikke.", "It becomes a solution of its own beside; this one is not touched."))
            }
            @if let Some(log) = &one.log {
                dl class="facts" {
                    @if let Some((first, last)) = seconds {
                        div { dt { (l.t("Fra", "From")) } dd class="num" { (second(ask, first)) } }
                        div { dt { (l.t("Til", "To")) } dd class="num" { (second(ask, last)) } }
                    }
                    div {
                        dt { (l.t("Ville gå tabt nu", "Would be lost now")) }
                        dd class="num" { @if log.behind_s == 0 { (l.t("intet", "nothing")) } @else { (log.behind_s) " s" } }
                    }
                    div { dt { (l.t("Loggen fylder", "The log takes")) } dd class="num" { (ask.reader.size(log.bytes)) " / " (ask.reader.size(log.room)) } }
                }
            }
            @if let Some(away) = &one.log_away {
                h3 { (l.t("Uden for maskinen", "Off-site")) }
                dl class="facts" {
                    div { dt { (l.t("Fra", "From")) } dd class="num" { (second(ask, away.from)) } }
                    div { dt { (l.t("Til", "To")) } dd class="num" { (second(ask, away.to)) } }
                    div {
                        dt { (l.t("Ville gå tabt med maskinen", "Would be lost with the machine")) }
                        dd class="num" { @if away.behind_s == 0 { (l.t("intet", "nothing")) } @else { (away.behind_s) " s" } }
                    }
                }
                @if let Some(message) = &away.message { (ui::note(Tone::Warn, l.t("Loggen når ikke frem", "The log does not arrive"), html! { p { (message) } })) }
            } @else {
                p class="soft small" { (l.t(
                    "Uden for maskinen kan intet sekund fås endnu; det kan det fra den næste backup på, når loggen er nået så langt.",
                    "Off-site no second can be had yet; from the next backup on it can, when the log has come that far.",
                )) }
            }
            @for hole in one.log.iter().flat_map(|log| &log.holes) {
                (ui::note(Tone::Warn, l.t("Uret blev stillet", "The clock was set"), html! { p {
                    (l.t("Tider mellem ", "Times between ")) (second(ask, hole.from)) (l.t(" og ", " and ")) (second(ask, hole.to))
                    (l.t(" viste det mere end én gang; de kan ikke vælges.", " were shown more than once; they cannot be chosen."))
                } }))
            }
            @if sent(ask) { (wrong.summary(ask)) }
            @if let (Some((first, last)), true) = (seconds, may_change(ask)) { (choice(ask, one, plain(first, last, holes), wrong)) }
            @if seconds.is_none() { p class="soft small" { (l.t(
                "Det første sekund kan vælges, så snart det næste, der skrives, er gemt. Det tager under et minut.",
                "The first second can be chosen as soon as what is written next is kept. It takes less than a minute.",
            )) } }
        }))
    }
}

/// The form; it offers the newest second.
fn choice(ask: &Ask, one: &api::Solution, newest: Timestamp, wrong: &Wrong) -> Markup {
    let l = ask.l;
    let off_site = ask.form.get("/from/off_site").is_some() || one.log.is_none();
    let typed = |name: &str, else_: String| ask.form.get(name).map_or(else_, str::to_owned);
    let at = typed("/from/at", local(ask, newest, FORM));
    let name = typed("/name", format!("{}-{}", one.name, local(ask, newest, "%m%d-%H%M")));
    let zone = ask.reader.zone.iana_name().unwrap_or("UTC").to_owned();
    html! {
        form method="post" action={ (path(one)) "/moment" } class="fields" {
            (form::token(ask))
            input type="hidden" name="_key" value=(Secret::generate(KEY_CHARS).reveal());
            (Field { name: "/from/at", label: l.t("Tidspunkt", "Time"), help: &l.f(|| format!("I din egen tid ({zone}), på sekundet."), || format!("In your own time ({zone}), to the second.")), kind: "datetime-local", value: &at, step: Some("1"), required: true, ..Field::default() }.show(ask, wrong))
            (create::copy_fields(ask, one, &ask.form, wrong, &name))
            @if one.log_away.is_some() {
                (form::tick("/from/off_site", l.t("Hent den uden for maskinen", "Fetch it from off-site"), l.t("Fra den nyeste backup før tidspunktet og loggen ved siden af den.", "From the newest backup before that time and the log beside it."), off_site))
            }
            div class="actions" { button class="button primary" { (Icon::Restore.show()) (l.t("Lav den", "Make it")) } }
        }
    }
}

fn second(ask: &Ask, at: Timestamp) -> Markup {
    html! { time datetime=(at.to_string()) { (local(ask, at, SECOND)) } }
}

/// Makes the solution beside.
pub(super) async fn copy(ask: &Ask) -> Result<Reply, Refusal> {
    let one = read(ask).await?;
    let typed = ask.form.text("/from/at").parse::<DateTime>().and_then(|at| at.to_zoned(ask.reader.zone.clone()));
    let Ok(at) = typed else {
        let refusal =
            Refusal::field("/from/at", Text::new("Skriv en dag og et klokkeslæt", "Write a day and a time of day"));
        return snapshots::page(ask, &Wrong::of(ask, refusal)).await;
    };
    let off_site = ask.form.get("/from/off_site").is_some();
    let from = json!({ "solution": one.id, "at": at.timestamp(), "off_site": off_site });
    match create::copy(ask, &one, &from).await {
        Err(refusal) => snapshots::page(ask, &Wrong::of(ask, refusal)).await,
        made => made,
    }
}

#[cfg(test)]
mod tests {
    use super::{plain, seconds};
    use husorden_wire::api::TimeSpan;
    use jiff::Timestamp;

    #[test]
    fn a_second_is_offered_only_where_all_of_it_can_be_had() {
        let time = |text: &str| text.parse().expect("a time");
        let had = |from: &str, to: &str| {
            let (first, last) = seconds(time(from), time(to))?;
            Some((first.to_string(), last.to_string()))
        };
        let told = |from: &str, to: &str| Some((from.to_owned(), to.to_owned()));
        assert_eq!(had("2030-01-31T16:00:05.9Z", "2030-01-31T16:00:05.95Z"), None, "within one second");
        assert_eq!(had("2030-01-31T16:00:05.9Z", "2030-01-31T16:00:05.9Z"), None);
        assert_eq!(
            had("2030-01-31T16:00:05.9Z", "2030-01-31T16:00:09.1Z"),
            told("2030-01-31T16:00:06Z", "2030-01-31T16:00:09Z")
        );
        assert_eq!(
            had("2030-01-31T16:00:05Z", "2030-01-31T16:00:05Z"),
            told("2030-01-31T16:00:05Z", "2030-01-31T16:00:05Z")
        );
    }

    #[test]
    fn no_second_is_offered_that_the_clock_showed_twice() {
        let time = |second| Timestamp::from_second(second).expect("a time");
        let offered = |holes: &[(i64, i64)]| {
            let holes: Vec<TimeSpan> =
                holes.iter().map(|(from, to)| TimeSpan { from: time(*from), to: time(*to) }).collect();
            plain(time(1000), time(1100), &holes).as_second()
        };
        assert_eq!(offered(&[]), 1100);
        assert_eq!(offered(&[(1010, 1050)]), 1100);
        assert_eq!(offered(&[(1080, 1200)]), 1079);
        assert_eq!(offered(&[(1060, 1079), (1080, 1200)]), 1059);
        assert_eq!(offered(&[(990, 1200)]), 1100, "there is none");
    }
}
