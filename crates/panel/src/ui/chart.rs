//! A line chart as SVG: one curve over time, with its lowest and highest value said in words too.

use crate::say::Reader;
use jiff::Timestamp;
use maud::{Markup, html};
use std::fmt::Write;

const WIDTH: f64 = 640.0;
const HEIGHT: f64 = 160.0;
const LEFT: f64 = 56.0;
const FOOT: f64 = 22.0;

/// A curve of values over time. `shown` says a value with its unit.
pub(crate) fn line(reader: &Reader, title: &str, points: &[(Timestamp, f64)], shown: impl Fn(f64) -> String) -> Markup {
    let (Some(first), Some(last)) = (points.first(), points.last()) else { return html! {} };
    let top = points.iter().map(|(_, value)| *value).fold(0.0_f64, f64::max).max(f64::MIN_POSITIVE) * 1.15;
    let span = last.0.duration_since(first.0).as_secs_f64().max(1.0);
    let place = |(at, value): &(Timestamp, f64)| {
        let x = LEFT + at.duration_since(first.0).as_secs_f64() / span * (WIDTH - LEFT);
        (x, (HEIGHT - FOOT) * (1.0 - value / top))
    };
    let mut curve = String::new();
    for point in points {
        let (x, y) = place(point);
        let _ = write!(curve, "{}{x:.1} {y:.1}", if curve.is_empty() { "M" } else { "L" });
    }
    let floor = HEIGHT - FOOT;
    let area = format!("{curve}L{WIDTH} {floor}L{LEFT} {floor}Z");
    html! {
        figure class="chart" {
            svg viewBox={ "0 0 " (WIDTH) " " (HEIGHT) } role="img" aria-label={ (title) ": " (shown(last.1)) } {
                @for share in [0.0, 0.5, 1.0] {
                    @let y = floor * (1.0 - share);
                    line class="grid-line" x1=(LEFT) x2=(WIDTH) y1=(y) y2=(y) {}
                    text x=(LEFT - 8.0) y=(y + 4.0) text-anchor="end" { (shown(top * share)) }
                }
                path class="area" d=(area) {}
                path class="curve" d=(curve) {}
                text x=(LEFT) y=(HEIGHT - 4.0) { (reader.at_text(first.0)) }
                text x=(WIDTH) y=(HEIGHT - 4.0) text-anchor="end" { (reader.at_text(last.0)) }
            }
        }
    }
}
