//! What becomes of a prepayment when its period ends: what was used, credited, forfeited and refunded. Pure.
//!
//! Four shares that always add up to what was paid, none of them below zero. Days are counted whole: one that has begun is
//! used. A suspension for load is credited by the second, for it is short and no breach; one for a breach is not.

use husorden_base::{Currency, Language, Money, Text};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

const DAY_S: i128 = 24 * 3600;

/// What becomes of the days that are left.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Remainder {
    /// It is forfeited, for the rules were broken.
    Forfeited,
    /// It is paid back.
    Refunded,
    /// It is the provider's, as the terms of the plan say.
    Kept,
}

/// A span of time, without its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Span {
    /// Its begin.
    pub starts: Timestamp,
    /// Its end.
    pub ends: Timestamp,
}

/// Where a prepayment goes, in minor units.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Settlement {
    /// Earned by what was delivered.
    pub used: i64,
    /// Given back for time suspended for load.
    pub credited: i64,
    /// Lost by a breach.
    pub forfeited: i64,
    /// Given back for days that were not used.
    pub refunded: i64,
}

impl Settlement {
    /// Everything together: what was paid.
    #[must_use]
    pub const fn paid(self) -> i64 {
        self.used + self.credited + self.forfeited + self.refunded
    }
}

/// Shares out what was paid for a period that ends at `at`; at its own end or later, all its days are used.
///
/// `held_for_load` are the spans in which a measure for exceptional load held it, in any order; they may overlap.
///
/// # Panics
/// Never: each share is a part of `paid`.
#[must_use]
pub fn settle(paid: i64, period: Span, at: Timestamp, held_for_load: &[Span], remainder: Remainder) -> Settlement {
    let paid = paid.max(0);
    let whole_s = seconds(period).max(1);
    let at = at.clamp(period.starts, period.ends.max(period.starts));
    let used_s = seconds(Span { ends: at, ..period });
    let days = (whole_s + DAY_S - 1) / DAY_S;
    let used_days = ((used_s + DAY_S - 1) / DAY_S).min(days);
    let delivered = share(paid, used_days, days);
    let rest = paid - delivered;
    let held_s = union(held_for_load, Span { ends: at, ..period });
    // Rounded up, for the customer's good, and never more than what was earned in that time.
    let credited = (i128::from(paid) * held_s + whole_s - 1) / whole_s;
    let credited = i64::try_from(credited).expect("a part of what was paid").min(delivered);
    let (forfeited, refunded, kept) = match remainder {
        Remainder::Forfeited => (rest, 0, 0),
        Remainder::Refunded => (0, rest, 0),
        Remainder::Kept => (0, 0, rest),
    };
    Settlement { used: delivered - credited + kept, credited, forfeited, refunded }
}

/// What an ending for breach means in money, as a sentence for the decision: the price without VAT and the VAT, as they were
/// shared out, for a period until `ends`.
#[must_use]
pub fn breach_sentence(net: Settlement, vat: Settlement, currency: Currency, ends: Timestamp) -> Text {
    // What people are told is what they pay: with VAT, of which nothing comes back of what is forfeited.
    let price = Money::new(net.paid() + vat.paid(), currency);
    let lost = Money::new(net.forfeited + vat.forfeited, currency);
    let back = Money::new(net.credited + net.refunded + vat.credited + vat.refunded, currency);
    let until = ends.strftime("%Y-%m-%d");
    let words = |language| [price, lost, back].map(|money| money.in_words(language));
    let ([price_da, lost_da, back_da], [price, lost, back]) = (words(Language::Da), words(Language::En));
    Text::new(
        format!(
            "Af prisen på {price_da} for perioden til {until} fortabes {lost_da} efter husordenens punkt money.breach, og {back_da} godskrives. Beløbene er med moms."
        ),
        format!(
            "Of the price of {price} for the period until {until}, {lost} is forfeited under clause money.breach of the house rules, and {back} is credited. The amounts include VAT."
        ),
    )
}

/// A part of an amount, rounded down.
fn share(amount: i64, part: i128, whole: i128) -> i64 {
    i64::try_from(i128::from(amount) * part / whole).expect("a part of an amount is no more than the amount")
}

fn seconds(span: Span) -> i128 {
    i128::from(span.ends.as_second() - span.starts.as_second()).max(0)
}

/// How many seconds of a window the spans cover together.
fn union(spans: &[Span], window: Span) -> i128 {
    let mut inside: Vec<Span> = spans
        .iter()
        .map(|span| Span { starts: span.starts.max(window.starts), ends: span.ends.min(window.ends) })
        .filter(|span| span.starts < span.ends)
        .collect();
    inside.sort_by_key(|span| span.starts);
    let (mut total, mut until) = (0, window.starts);
    for span in inside {
        let fresh = Span { starts: span.starts.max(until), ends: span.ends };
        total += seconds(fresh);
        until = until.max(span.ends);
    }
    total
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn at(day: i64) -> Timestamp {
        Timestamp::from_second(1_700_000_000 + day * 86_400).expect("a second")
    }

    fn span(from: i64, to: i64) -> Span {
        Span { starts: at(from), ends: at(to) }
    }

    #[test]
    fn days_that_began_are_used_and_the_rest_goes_where_the_ending_says() {
        let month = span(0, 30);
        let of = |used, credited, forfeited, refunded| Settlement { used, credited, forfeited, refunded };
        let none: &[Span] = &[];
        for (day, second, held, remainder, expected) in [
            (10, 0, none, Remainder::Forfeited, of(1000, 0, 2000, 0)),
            (10, 1, none, Remainder::Forfeited, of(1100, 0, 1900, 0)),
            (10, 0, none, Remainder::Refunded, of(1000, 0, 0, 2000)),
            (10, 0, none, Remainder::Kept, of(3000, 0, 0, 0)),
            (0, 0, none, Remainder::Forfeited, of(0, 0, 3000, 0)),
            (-5, 0, none, Remainder::Refunded, of(0, 0, 0, 3000)),
            (30, 0, none, Remainder::Forfeited, of(3000, 0, 0, 0)),
            (99, 0, none, Remainder::Refunded, of(3000, 0, 0, 0)),
            // Two days held for load, told twice, and a day that lies outside.
            (30, 0, &[span(3, 5), span(4, 5), span(40, 41)], Remainder::Kept, of(2800, 200, 0, 0)),
            // What was held after the end is not credited; it is in the remainder.
            (10, 0, &[span(9, 20)], Remainder::Forfeited, of(900, 100, 2000, 0)),
        ] {
            let end = Timestamp::from_second(at(day).as_second() + second).expect("a second");
            assert_eq!(settle(3000, month, end, held, remainder), expected, "day {day} and {second} s, {remainder:?}");
        }
        // A second of suspension is worth something, and it never makes more of what was paid.
        let second = Span { starts: at(3), ends: Timestamp::from_second(at(3).as_second() + 1).expect("a second") };
        assert_eq!(settle(3000, month, at(30), &[second], Remainder::Kept), of(2999, 1, 0, 0));
        assert_eq!(settle(0, month, at(10), &[second], Remainder::Forfeited), of(0, 0, 0, 0));
    }

    proptest! {
        #[test]
        fn the_shares_are_what_was_paid_and_none_is_below_zero(
            paid in prop_oneof![0_i64..100_000, Just(i64::MAX), 0..=i64::MAX],
            days in 0_i64..400,
            end_s in -100_000_i64..40_000_000,
            held in prop::collection::vec((-1_000_000_i64..40_000_000, 0_i64..4_000_000), 0..5),
            remainder in prop_oneof![Just(Remainder::Forfeited), Just(Remainder::Refunded), Just(Remainder::Kept)],
        ) {
            let moment = |s: i64| Timestamp::from_second(1_700_000_000 + s).expect("a second");
            let held: Vec<Span> =
                held.into_iter().map(|(from, long)| Span { starts: moment(from), ends: moment(from + long) }).collect();
            let got = settle(paid, span(0, days), moment(end_s), &held, remainder);
            prop_assert!(got.used >= 0 && got.credited >= 0 && got.forfeited >= 0 && got.refunded >= 0, "{got:?}");
            prop_assert_eq!(i128::from(got.used) + i128::from(got.credited) + i128::from(got.forfeited) + i128::from(got.refunded), i128::from(paid));
            prop_assert!(remainder == Remainder::Forfeited || got.forfeited == 0);
            prop_assert!(remainder == Remainder::Refunded || got.refunded == 0);
            // An hour later never gives back more.
            let later = settle(paid, span(0, days), moment(end_s + 3600), &held, remainder);
            prop_assert!(later.forfeited <= got.forfeited && later.refunded <= got.refunded);
        }
    }
}
