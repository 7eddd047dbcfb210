//! Two languages beside each other, and times, sizes and numbers as people of each language write them.

use husorden_base::Language;
use jiff::Timestamp;
use jiff::tz::TimeZone;
use maud::{Markup, html};

/// Says things in one of the two languages.
pub(crate) trait Say: Copy {
    /// One of the two texts.
    fn t<'a>(self, da: &'a str, en: &'a str) -> &'a str;
    /// One of the two texts, made when it is needed.
    fn f(self, da: impl FnOnce() -> String, en: impl FnOnce() -> String) -> String;
    /// The language's tag.
    fn tag(self) -> &'static str;
}

impl Say for Language {
    fn t<'a>(self, da: &'a str, en: &'a str) -> &'a str {
        match self {
            Self::Da => da,
            Self::En => en,
        }
    }

    fn f(self, da: impl FnOnce() -> String, en: impl FnOnce() -> String) -> String {
        match self {
            Self::Da => da(),
            Self::En => en(),
        }
    }

    fn tag(self) -> &'static str {
        self.t("da", "en")
    }
}

const MONTHS_DA: [&str; 12] =
    ["jan.", "feb.", "mar.", "apr.", "maj", "jun.", "jul.", "aug.", "sep.", "okt.", "nov.", "dec."];
const MONTHS_EN: [&str; 12] = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

/// A reader: a language and a time zone.
#[derive(Clone, Debug)]
pub(crate) struct Reader {
    pub(crate) language: Language,
    pub(crate) zone: TimeZone,
}

impl Reader {
    /// A reader in this zone; what is no zone is UTC, which is said with each time.
    pub(crate) fn new(language: Language, zone: &str) -> Self {
        Self { language, zone: TimeZone::get(zone).unwrap_or(TimeZone::UTC) }
    }

    fn moment(&self, at: Timestamp) -> (String, String) {
        let local = at.to_zoned(self.zone.clone());
        let (day, month, year) = (local.day(), usize::from(local.month().unsigned_abs()) - 1, local.year());
        let (hour, minute) = (local.hour(), local.minute());
        let date = self
            .language
            .f(|| format!("{day}. {} {year}", MONTHS_DA[month]), || format!("{day} {} {year}", MONTHS_EN[month]));
        let zone = if self.zone == TimeZone::UTC { " UTC" } else { "" };
        let clock =
            self.language.f(|| format!("{hour:02}.{minute:02}{zone}"), || format!("{hour:02}:{minute:02}{zone}"));
        (date, clock)
    }

    /// Day and time of day.
    pub(crate) fn at_text(&self, at: Timestamp) -> String {
        let (date, clock) = self.moment(at);
        self.language.f(|| format!("{date} kl. {clock}"), || format!("{date}, {clock}"))
    }

    /// The day.
    pub(crate) fn day_text(&self, at: Timestamp) -> String {
        self.moment(at).0
    }

    /// Day and time of day, readable by machines too.
    pub(crate) fn at(&self, at: Timestamp) -> Markup {
        html! { time datetime=(at.to_string()) { (self.at_text(at)) } }
    }

    /// How long ago, or how long until; the exact moment on hovering.
    pub(crate) fn ago(&self, at: Timestamp) -> Markup {
        let text = self.ago_text(at, Timestamp::now());
        html! { time datetime=(at.to_string()) title=(self.at_text(at)) { (text) } }
    }

    fn ago_text(&self, at: Timestamp, now: Timestamp) -> String {
        let seconds = now.duration_since(at).as_secs();
        let (past, away) = (seconds >= 0, seconds.unsigned_abs());
        let l = self.language;
        let (count, da, en) = match away {
            0..60 => {
                return l
                    .t(if past { "lige nu" } else { "om lidt" }, if past { "just now" } else { "in a moment" })
                    .to_owned();
            }
            60..3_600 => (away / 60, "minut", "minute"),
            3_600..86_400 => (away / 3_600, "time", "hour"),
            86_400..604_800 => (away / 86_400, "dag", "day"),
            _ => return self.at_text(at),
        };
        let plural = match (l, count, da) {
            (_, 1, _) => "",
            (Language::Da, _, "minut") => "ter",
            (Language::Da, _, "time") => "r",
            (Language::Da, ..) => "e",
            (Language::En, ..) => "s",
        };
        let what = format!("{count} {}{plural}", l.t(da, en));
        match (l, past) {
            (Language::Da, true) => format!("{what} siden"),
            (Language::En, true) => format!("{what} ago"),
            (Language::Da, false) => format!("om {what}"),
            (Language::En, false) => format!("in {what}"),
        }
    }

    /// How long something took: its one or two greatest units.
    pub(crate) fn took(&self, ms: u64) -> String {
        let l = self.language;
        match ms {
            0..1_000 => format!("{ms} ms"),
            1_000..10_000 => format!("{}{}{} s", ms / 1_000, l.t(",", "."), ms / 100 % 10),
            10_000..60_000 => format!("{} s", ms / 1_000),
            60_000..3_600_000 => format!("{} min {} s", ms / 60_000, ms / 1_000 % 60),
            _ => format!("{} {} {} min", ms / 3_600_000, l.t("t", "h"), ms / 60_000 % 60),
        }
    }

    /// A number with its thousands apart.
    pub(crate) fn count(&self, number: u64) -> String {
        let digits = number.to_string();
        let mut text = String::new();
        for (index, digit) in digits.chars().enumerate() {
            if index > 0 && (digits.len() - index).is_multiple_of(3) {
                text.push('\u{202f}');
            }
            text.push(digit);
        }
        text
    }

    /// A size with a binary unit and at most one decimal.
    pub(crate) fn size(&self, bytes: u64) -> String {
        const UNITS: [&str; 5] = ["B", "KiB", "MiB", "GiB", "TiB"];
        let mut unit = 0;
        let mut value = bytes as f64;
        while value >= 1024.0 && unit + 1 < UNITS.len() {
            value /= 1024.0;
            unit += 1;
        }
        let number = if unit == 0 || value >= 100.0 || value.fract() < 0.05 {
            format!("{value:.0}")
        } else {
            format!("{value:.1}")
        };
        let number = if self.language == Language::Da { number.replace('.', ",") } else { number };
        format!("{number} {}", UNITS[unit])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reader(language: Language) -> Reader {
        Reader::new(language, "Europe/Copenhagen")
    }

    #[test]
    fn times_are_said_as_people_say_them() {
        let at: Timestamp = "2026-11-22T14:05:00Z".parse().expect("a time");
        let later = |seconds: i64| Timestamp::from_second(at.as_second() + seconds).expect("a time");
        assert_eq!(reader(Language::Da).at_text(at), "22. nov. 2026 kl. 15.05");
        assert_eq!(reader(Language::En).at_text(at), "22 Nov 2026, 15:05");
        assert_eq!(Reader::new(Language::En, "No/Such").at_text(at), "22 Nov 2026, 14:05 UTC");
        for (seconds, da, en) in [
            (5, "lige nu", "just now"),
            (60, "1 minut siden", "1 minute ago"),
            (7_300, "2 timer siden", "2 hours ago"),
            (180_000, "2 dage siden", "2 days ago"),
            (-7_300, "om 2 timer", "in 2 hours"),
        ] {
            assert_eq!(reader(Language::Da).ago_text(at, later(seconds)), da);
            assert_eq!(reader(Language::En).ago_text(at, later(seconds)), en);
        }
    }

    #[test]
    fn spans_and_numbers_are_short() {
        for (ms, da) in [
            (0, "0 ms"),
            (999, "999 ms"),
            (1_250, "1,2 s"),
            (42_900, "42 s"),
            (61_000, "1 min 1 s"),
            (7_500_000, "2 t 5 min"),
        ] {
            assert_eq!(reader(Language::Da).took(ms), da);
        }
        assert_eq!(reader(Language::En).took(1_250), "1.2 s");
        for (number, said) in
            [(0, "0"), (999, "999"), (1_000, "1\u{202f}000"), (12_345_678, "12\u{202f}345\u{202f}678")]
        {
            assert_eq!(reader(Language::En).count(number), said);
        }
    }

    #[test]
    fn sizes_are_short() {
        for (bytes, da) in [(0, "0 B"), (1023, "1023 B"), (1536, "1,5 KiB"), (2 << 30, "2 GiB"), (150 << 20, "150 MiB")]
        {
            assert_eq!(reader(Language::Da).size(bytes), da);
        }
    }
}
