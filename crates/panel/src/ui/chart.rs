//! A line chart as SVG: one value over time, with the newest said in words too. Where nothing was measured there is no line. Points can
//! be marked with how each went.

use super::parts::Tone;
use crate::say::Reader;
use jiff::Timestamp;
use maud::{Markup, html};
use std::fmt::Write;

const WIDTH: f64 = 640.0;
const HEIGHT: f64 = 180.0;
const LEFT: f64 = 84.0;
const FOOT: f64 = 26.0;
/// A pause longer than so many of the shortest is a gap.
const GAP: f64 = 3.5;

/// What a chart shows.
pub(crate) struct Chart<'a> {
    /// What it is of.
    pub(crate) title: &'a str,
    /// The values, oldest first.
    pub(crate) points: &'a [(Timestamp, f64)],
    /// From when to when.
    pub(crate) span: (Timestamp, Timestamp),
    /// The most that there can be, where that is known.
    pub(crate) ceiling: Option<f64>,
    /// How each point went, in words; the points hang together then, however long the pause. Empty for a plain line.
    pub(crate) marks: &'a [(Tone, String)],
}

impl Chart<'_> {
    /// The chart; `shown` says a value with its unit.
    pub(crate) fn show(&self, reader: &Reader, shown: impl Fn(f64) -> String) -> Markup {
        let Some(last) = self.points.last() else { return html! {} };
        let highest = self.points.iter().map(|(_, value)| *value).fold(0.0_f64, f64::max);
        let top = self.ceiling.unwrap_or_else(|| above(highest));
        let floor = HEIGHT - FOOT;
        let (from, to) = self.span;
        let seconds = to.duration_since(from).as_secs_f64().max(1.0);
        let place = |(at, value): &(Timestamp, f64)| {
            let x = LEFT + at.duration_since(from).as_secs_f64() / seconds * (WIDTH - LEFT);
            (x.clamp(LEFT, WIDTH), floor * (1.0 - (value / top).clamp(0.0, 1.0)))
        };
        let (mut curve, mut area) = (String::new(), String::new());
        let all = if self.marks.is_empty() { pieces(self.points) } else { vec![self.points] };
        for piece in all {
            let places: Vec<(f64, f64)> = piece.iter().map(place).collect();
            let (Some((begin, _)), Some((end, height))) = (places.first(), places.last()) else { continue };
            for (index, (x, y)) in places.iter().enumerate() {
                let _ = write!(curve, "{}{x:.1} {y:.1}", if index == 0 { "M" } else { "L" });
                let _ = write!(area, "{}{x:.1} {y:.1}", if index == 0 { "M" } else { "L" });
            }
            if places.len() == 1 {
                // One alone is a short stroke, so that it is seen.
                let _ = write!(curve, "L{:.1} {height:.1}", (end + 2.0).min(WIDTH));
            }
            let _ = write!(area, "L{end:.1} {floor}L{begin:.1} {floor}Z");
        }
        html! {
            figure class="chart" {
                svg viewBox={ "0 0 " (WIDTH) " " (HEIGHT) } role="img" aria-label={ (self.title) ": " (shown(last.1)) } {
                    @for share in [0.0, 0.5, 1.0] {
                        @let y = floor * (1.0 - share) + 0.5;
                        line class="grid-line" x1=(LEFT) x2=(WIDTH) y1=(y) y2=(y) {}
                        text x=(LEFT - 10.0) y=(y + if share == 1.0 { 10.0 } else { 4.0 }) text-anchor="end" { (shown(top * share)) }
                    }
                    path class="area" d=(area) {}
                    path class="curve" d=(curve) {}
                    @for (point, (tone, words)) in self.points.iter().zip(self.marks) {
                        @let (x, y) = place(point);
                        g class={ "mark " (tone.class()) } { title { (words) } path d=(sign(*tone, x, y)) {} }
                    }
                    text x=(LEFT) y=(HEIGHT - 4.0) { (reader.at_text(from)) }
                    text x=(WIDTH) y=(HEIGHT - 4.0) text-anchor="end" { (reader.at_text(to)) }
                }
            }
        }
    }
}

/// A dot for what went well, a cross for what did not: the colour is not alone in saying it.
fn sign(tone: Tone, x: f64, y: f64) -> String {
    match tone {
        Tone::Good => format!("M{:.1} {y:.1}a4 4 0 1 0 8 0a4 4 0 1 0 -8 0Z", x - 4.0),
        Tone::Plain | Tone::Busy | Tone::Warn | Tone::Bad => {
            format!("M{:.1} {:.1}l8 8m0 -8l-8 8", x - 4.0, y - 4.0)
        }
    }
}

/// A round number above the highest value: 1, 2 or 5 of some power of ten.
fn above(highest: f64) -> f64 {
    if highest <= 0.0 {
        return 1.0;
    }
    let power = 10_f64.powf(highest.log10().floor());
    [1.0, 2.0, 5.0, 10.0].into_iter().map(|step| step * power).find(|top| *top >= highest).unwrap_or(highest)
}

/// The points in pieces that hang together.
fn pieces(points: &[(Timestamp, f64)]) -> Vec<&[(Timestamp, f64)]> {
    let pause = |pair: &[(Timestamp, f64)]| pair[1].0.duration_since(pair[0].0).as_secs_f64();
    let shortest = points.windows(2).map(pause).fold(f64::INFINITY, f64::min);
    let (mut pieces, mut begin) = (Vec::new(), 0);
    for (index, pair) in points.windows(2).enumerate() {
        if pause(pair) > shortest * GAP {
            pieces.push(&points[begin..=index]);
            begin = index + 1;
        }
    }
    pieces.push(&points[begin..]);
    pieces
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_scale_ends_on_a_round_number_and_a_pause_is_a_gap() {
        for (highest, top) in [(0.0, 1.0), (0.3, 0.5), (1.0, 1.0), (7.0, 10.0), (130.0, 200.0)] {
            assert!((above(highest) - top).abs() < 1e-9, "{highest}");
        }
        let at = |minute: i64| (Timestamp::from_second(minute * 60).expect("a time"), 1.0);
        let points = [at(0), at(1), at(3), at(60), at(61)];
        let lengths: Vec<usize> = pieces(&points).iter().map(|piece| piece.len()).collect();
        assert_eq!(lengths, [3, 2]);
        assert_eq!(pieces(&points[..1]).len(), 1);
    }
}
