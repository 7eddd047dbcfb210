//! The maintenance window: when a solution may be updated by itself. Every kind has one in its spec, read strictly and in one way.
//!
//! A kind puts [`schema`] among its properties, [`read`] into its reader of forms, and keeps what that gives in the field
//! `maintenance`. Where nothing is said of the time, it follows from the solution's number, so that not everything is updated at once.
//!
//! Nothing here reads a clock. What depends on the time is told the time.

use crate::form::Form;
use crate::schema::{field, number, order};
use husorden_base::{FieldError, Number};
use jiff::civil::{Time, Weekday};
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use std::ops::RangeInclusive;

/// The field of a spec.
pub const FIELD: &str = "maintenance";
/// The page on which people are asked.
pub const PLACE: &str = "updates";
/// Minutes that a window is open.
const MINUTES: RangeInclusive<u32> = 15..=720;
/// The same, when nothing is said.
const MINUTES_DEFAULT: u32 = 60;
/// The zone, when nothing is said.
const ZONE: &str = "Europe/Copenhagen";
const ZONE_CHARS_MAX: usize = 64;
/// Where nothing is said of the start, it lies in so many minutes from one o'clock at night.
const SPREAD: (u32, u32) = (60, 240);

/// Words of the form for days of the week.
pub const DAYS: [(&str, Weekday); 7] = [
    ("monday", Weekday::Monday),
    ("tuesday", Weekday::Tuesday),
    ("wednesday", Weekday::Wednesday),
    ("thursday", Weekday::Thursday),
    ("friday", Weekday::Friday),
    ("saturday", Weekday::Saturday),
    ("sunday", Weekday::Sunday),
];

/// What these are called, in Danish and English.
pub const DAYS_CALLED: [(&str, &str); 7] = [
    ("Mandag", "Monday"),
    ("Tirsdag", "Tuesday"),
    ("Onsdag", "Wednesday"),
    ("Torsdag", "Thursday"),
    ("Fredag", "Friday"),
    ("Lørdag", "Saturday"),
    ("Søndag", "Sunday"),
];

/// When a solution may be updated by itself, as a spec keeps it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Window {
    /// Days of the week on which it begins; all of them when there is none.
    pub days: Vec<String>,
    /// When it begins, as `02:30`; left out, it follows from the solution's number.
    pub start: Option<String>,
    /// How long it is open.
    pub minutes: u32,
    /// The time zone that days and start are meant in.
    pub zone: String,
}

impl Default for Window {
    fn default() -> Self {
        Self { days: Vec::new(), start: None, minutes: MINUTES_DEFAULT, zone: ZONE.to_owned() }
    }
}

impl Window {
    /// What a stored spec says; what holds by itself where it says nothing.
    #[must_use]
    pub fn of(spec: &Value) -> Self {
        spec.get(FIELD).and_then(|value| Self::deserialize(value).ok()).unwrap_or_default()
    }

    /// Whether it is open at this time.
    #[must_use]
    pub fn is_open(&self, number: Number, now: Timestamp) -> bool {
        self.around(number, now).any(|(from, to)| from <= now && now < to)
    }

    /// The one that is open, or else the next: from when to when.
    #[must_use]
    pub fn next(&self, number: Number, now: Timestamp) -> Option<(Timestamp, Timestamp)> {
        self.around(number, now).find(|(_, to)| now < *to)
    }

    /// When it begins, as a time of day.
    #[must_use]
    pub fn start(&self, number: Number) -> Time {
        let said = self.start.as_deref().and_then(time);
        said.unwrap_or_else(|| {
            // Numbers that follow each other lie apart.
            let minute = SPREAD.0 + number.get().wrapping_mul(97) % SPREAD.1;
            let (hour, minute) = (minute / 60, minute % 60);
            Time::constant(i8::try_from(hour).unwrap_or(1), i8::try_from(minute).unwrap_or(0), 0, 0)
        })
    }

    /// The windows that began yesterday and those of the week to come, in order.
    fn around(&self, number: Number, now: Timestamp) -> impl Iterator<Item = (Timestamp, Timestamp)> + '_ {
        let zone = TimeZone::get(&self.zone).unwrap_or(TimeZone::UTC);
        let (start, today) = (self.start(number), zone.to_datetime(now).date());
        let length = SignedDuration::from_mins(self.minutes.into());
        let dates = (-1..=8_i64).filter_map(move |day| today.checked_add(SignedDuration::from_hours(24 * day)).ok());
        let fitting = dates.filter(|date| {
            let name = DAYS.iter().find(|(_, day)| *day == date.weekday()).map_or("", |(name, _)| name);
            self.days.is_empty() || self.days.iter().any(|day| day == name)
        });
        fitting.filter_map(move |date| {
            // An hour that the clock leaps over begins where it lands.
            let from = zone.to_ambiguous_timestamp(date.to_datetime(start)).compatible().ok()?;
            Some((from, from.checked_add(length).ok()?))
        })
    }
}

fn time(text: &str) -> Option<Time> {
    let (hour, minute) = text.split_once(':')?;
    let part = |text: &str| (text.len() == 2).then(|| text.parse::<i8>().ok()).flatten();
    Time::new(part(hour)?, part(minute)?, 0, 0).ok()
}

/// The field as JSON Schema. It has a place of its own on people's pages.
#[must_use]
pub fn schema() -> Value {
    let words: Vec<&str> = DAYS.iter().map(|(word, _)| *word).collect();
    let called: serde_json::Map<String, Value> = words
        .iter()
        .zip(DAYS_CALLED)
        .map(|(word, (da, en))| ((*word).to_owned(), json!({"da": da, "en": en})))
        .collect();
    let mut properties = json!({
        "days": field(
            json!({
                "type": "array", "uniqueItems": true, "default": [],
                "items": {"type": "string", "enum": words, "x-names": called},
            }),
            ("Days", "Days on which the window opens. None chosen is every day."),
            ("Dage", "Dage, vinduet åbner. Ingen valgt er hver dag."),
        ),
        "start": field(
            json!({"type": ["string", "null"], "pattern": "^([01][0-9]|2[0-3]):[0-5][0-9]$", "maxLength": 5}),
            ("Start", "The time of day it opens, such as 02:30. Left empty, we choose one between 01:00 and 05:00."),
            ("Start", "Klokkeslættet, det åbner, såsom 02:30. Er feltet tomt, vælger vi et mellem 01:00 og 05:00."),
        ),
        "minutes": field(
            number(&MINUTES, MINUTES_DEFAULT),
            ("Length", "Minutes that it is open. An update begins within them and takes less than one, mostly."),
            ("Længde", "Minutter, det er åbent. En opdatering begynder inden for dem og tager for det meste under ét."),
        ),
        "zone": field(
            json!({"type": "string", "maxLength": ZONE_CHARS_MAX, "default": ZONE}),
            ("Time zone", "The zone that days and time are meant in, by its name in the IANA database, such as Europe/Copenhagen."),
            ("Tidszone", "Den zone, dage og klokkeslæt er ment i, ved dens navn i IANA-databasen, såsom Europe/Copenhagen."),
        ),
    });
    order(&mut properties, &["days", "start", "minutes", "zone"]);
    let mut schema = field(
        json!({"type": "object", "additionalProperties": false, "properties": properties}),
        (
            "Maintenance window",
            "When it may be updated by itself: a snapshot first, then the newest build, then a probe, and back if that fails.",
        ),
        (
            "Servicevindue",
            "Hvornår den må opdateres af sig selv: først et øjebliksbillede, så den nyeste udgave, så en prøve, og tilbage, hvis den fejler.",
        ),
    );
    schema["x-place"] = json!(PLACE);
    schema
}

/// Reads the field of a form; what the form does not name is as it was in the spec before.
pub fn read(form: &mut Form<'_>, before: Option<&Value>) -> Window {
    let before = before.map(Window::of).unwrap_or_default();
    let Some(value) = form.get(FIELD) else {
        return if form.names(FIELD) { Window::default() } else { before };
    };
    let mut inner = Form::new(value, "/maintenance");
    let days = days(&mut inner, before.days);
    let start = match inner.text("start") {
        Some("") => None,
        Some(text) if time(text).is_some() => Some(text.to_owned()),
        Some(_) => {
            inner.refuse(
                "/start",
                "Her ventes et klokkeslæt såsom 02:30.",
                "A time of day such as 02:30 is expected here.",
            );
            None
        }
        // Null is a wish too: we choose.
        None => before.start.filter(|_| !inner.names("start")),
    };
    let minutes = inner.number("minutes", MINUTES, before.minutes);
    let zone = match inner.text("zone") {
        Some(text) if text.len() <= ZONE_CHARS_MAX && TimeZone::get(text).is_ok() => text.to_owned(),
        Some(_) => {
            inner.refuse(
                "/zone",
                "Den tidszone findes ikke. Her ventes et navn såsom Europe/Copenhagen.",
                "There is no such time zone. A name such as Europe/Copenhagen is expected here.",
            );
            before.zone
        }
        None => before.zone,
    };
    form.absorb(inner.finish());
    Window { days, start, minutes, zone }
}

fn days(inner: &mut Form<'_>, before: Vec<String>) -> Vec<String> {
    let Some(value) = inner.get("days") else {
        return if inner.names("days") { Vec::new() } else { before };
    };
    let Some(list) = value.as_array().filter(|list| list.len() <= DAYS.len()) else {
        inner.refuse("/days", "Her ventes en liste med højst 7 dage.", "A list of at most 7 days is expected here.");
        return Vec::new();
    };
    let mut chosen = Vec::new();
    for (index, item) in list.iter().enumerate() {
        match DAYS.iter().find(|(word, _)| item.as_str() == Some(word)) {
            Some((word, _)) => chosen.push((*word).to_owned()),
            None => {
                let known = DAYS.map(|(word, _)| word).join(", ");
                inner.refuse(
                    &format!("/days/{index}"),
                    format!("Her ventes en af: {known}."),
                    format!("One of these is expected here: {known}."),
                );
            }
        }
    }
    // In the order of the week, each once.
    DAYS.iter().map(|(word, _)| (*word).to_owned()).filter(|day| chosen.contains(day)).collect()
}

/// What is wrong with a window by itself, for kinds that read it alone.
#[must_use]
pub fn wrong(form: &Value) -> Vec<FieldError> {
    let mut form = Form::new(form, "");
    read(&mut form, None);
    form.finish()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn number_of(number: u32) -> Number {
        Number::new(number).expect("a number")
    }

    fn at(text: &str) -> Timestamp {
        text.parse().expect("a time")
    }

    fn window(form: &Value) -> Window {
        let form = json!({ "maintenance": form });
        let mut form = Form::new(&form, "");
        let window = read(&mut form, None);
        assert!(form.finish().is_empty());
        window
    }

    #[test]
    fn it_opens_on_its_days_in_its_own_zone() {
        let saturday = window(&json!({"days": ["saturday"], "start": "23:30", "minutes": 60}));
        let number = number_of(7);
        for (time, open) in [
            // A Saturday in summer, two hours ahead of UTC: it is open over midnight.
            ("2026-07-04T21:29:59Z", false),
            ("2026-07-04T21:30:00Z", true),
            ("2026-07-04T22:29:59Z", true),
            ("2026-07-04T22:30:00Z", false),
            ("2026-07-05T21:45:00Z", false),
            // In winter one hour.
            ("2026-01-03T22:45:00Z", true),
            ("2026-01-03T21:45:00Z", false),
        ] {
            assert_eq!(saturday.is_open(number, at(time)), open, "{time}");
        }
        let next = saturday.next(number, at("2026-07-04T23:00:00Z")).expect("there is one");
        assert_eq!(next, (at("2026-07-11T21:30:00Z"), at("2026-07-11T22:30:00Z")));
        // An hour that there is not: the clock leaps from two to three on this night.
        let daily = window(&json!({"start": "02:30", "minutes": 30}));
        assert_eq!(daily.next(number, at("2026-03-29T00:10:00Z")).expect("one").0, at("2026-03-29T01:30:00Z"));
    }

    #[test]
    fn where_nothing_is_said_it_is_at_night_and_not_for_all_at_once() {
        let (window, mut starts) = (Window::default(), std::collections::BTreeSet::new());
        for number in 1..=240 {
            let start = window.start(number_of(number));
            assert!((1..5).contains(&start.hour()), "{start}");
            starts.insert(start);
            let (from, to) = window.next(number_of(number), at("2026-05-01T12:00:00Z")).expect("every day");
            assert!(from > at("2026-05-01T12:00:00Z") && from < at("2026-05-02T12:00:00Z"), "{from}");
            assert_eq!(to.duration_since(from), SignedDuration::from_mins(60));
        }
        assert_eq!(starts.len(), 240, "each at its own minute");
        assert_eq!(Window::of(&json!({})), window, "a spec from before has it too");
    }

    #[test]
    fn a_field_that_is_wrong_is_named() {
        for (form, pointer) in [
            (json!({"days": ["someday"]}), "/maintenance/days/0"),
            (json!({"days": "monday"}), "/maintenance/days"),
            (json!({"start": "25:00"}), "/maintenance/start"),
            (json!({"start": "2:30"}), "/maintenance/start"),
            (json!({"start": 230}), "/maintenance/start"),
            (json!({"minutes": 5}), "/maintenance/minutes"),
            (json!({"zone": "Mars/Olympus"}), "/maintenance/zone"),
            (json!({"zone": "../../etc/passwd"}), "/maintenance/zone"),
            (json!({"hour": 3}), "/maintenance/hour"),
            (json!("nights"), "/maintenance"),
        ] {
            let wrong: Vec<String> =
                wrong(&json!({ "maintenance": form })).into_iter().map(|field| field.pointer).collect();
            assert_eq!(wrong, [pointer], "{form}");
        }
        let set = window(&json!({"days": ["sunday", "monday", "sunday"], "start": "04:00", "zone": "UTC"}));
        assert_eq!(set.days, ["monday", "sunday"], "in the order of the week");
        let spec = json!({ "maintenance": set });
        let change = json!({"maintenance": {"start": null, "minutes": 30}});
        let mut form = Form::new(&change, "");
        let changed = read(&mut form, Some(&spec));
        assert_eq!((changed.start, changed.minutes, changed.zone.as_str()), (None, 30, "UTC"));
        assert_eq!(changed.days, ["monday", "sunday"], "what is not named stays");
    }
}
