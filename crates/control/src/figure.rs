//! Figures of a solution as curves: what was measured while it ran, averaged so that a curve has few points however long it is.

use crate::answer::Answer;
use crate::app::App;
use crate::caller::Caller;
use crate::fault::Fault;
use crate::store::sample::SampleRow;
use crate::{solution, store};
use husorden_base::{Refusal, Text};
use husorden_kinds::figure;
use husorden_wire::api;
use jiff::{SignedDuration, Timestamp};
use std::collections::BTreeMap;

/// Points of a curve at most.
const POINTS_MAX: i64 = 240;
/// A week.
const HOURS_MAX: u32 = 168;

/// The curves of the last so many hours. A figure that was not measured has no points.
pub(crate) async fn list(app: &App, caller: &Caller, text: &str, hours: u32) -> Result<Answer, Fault> {
    if !(1..=HOURS_MAX).contains(&hours) {
        let said =
            Text::new(format!("Et helt tal fra 1 til {HOURS_MAX}"), format!("A whole number from 1 to {HOURS_MAX}"));
        return Err(Refusal::field("?hours", said).into());
    }
    let view = solution::find(app, caller, text).await?;
    let mut tx = caller.read(app).await?;
    let rows = store::sample::list(tx.conn(), view.id, hours).await?;
    let mut all = app.kind(&view.kind).map(|kind| kind.figures()).unwrap_or_default();
    all.extend(figure::common());
    let items = all.into_iter().map(|figure| api::Figure {
        name: figure.name.to_owned(),
        title: figure.title.get(caller.language).to_owned(),
        unit: figure.unit.word().to_owned(),
        points: points(&rows, figure.name, view.now, hours),
    });
    Ok(Answer::ok(api::Page::<api::Figure> { items: items.collect(), next: None }))
}

/// Averages over equal parts of the time; parts in which nothing was measured have no point.
fn points(rows: &[SampleRow], name: &str, now: Timestamp, hours: u32) -> Vec<api::FigurePoint> {
    let part_s = (i64::from(hours) * 3_600 / POINTS_MAX).max(60);
    let mut parts: BTreeMap<i64, (f64, u32)> = BTreeMap::new();
    let begin = now - SignedDuration::from_hours(hours.into());
    for row in rows.iter().filter(|row| row.at >= begin) {
        let Some(value) = row.figures.get(name) else { continue };
        let part = parts.entry(row.at.as_second().div_euclid(part_s)).or_default();
        *part = (part.0 + value, part.1 + 1);
    }
    let point = |(part, (sum, count)): (i64, (f64, u32))| {
        let at = Timestamp::from_second(part * part_s).ok()?;
        Some(api::FigurePoint { at, value: sum / f64::from(count) })
    };
    parts.into_iter().filter_map(point).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_curve_has_few_points_however_long_it_is() {
        let at = |second| Timestamp::from_second(second).expect("a time");
        let row =
            |minute: i64| SampleRow { at: at(minute * 60), figures: BTreeMap::from([("a".to_owned(), minute as f64)]) };
        let rows: Vec<SampleRow> = (0..1_440).map(row).collect();
        let day = points(&rows, "a", at(1_440 * 60), 24);
        assert_eq!(day.len(), 240);
        assert_eq!((day[0].at, day[0].value), (at(0), 2.5));
        let hour = points(&rows, "a", at(1_440 * 60), 1);
        assert_eq!((hour.len(), hour[0].value), (60, 1_380.0));
        assert!(points(&rows, "b", at(1_440 * 60), 24).is_empty());
    }
}
