//! What is measured of a guest from outside it: what its disks read and write, as the machine counts it, and what its port refuses.

use super::engine::MACHINE;
use crate::figure::{Figure, Gauge, Reading, Unit};
use husorden_base::Text;

/// The figures, beside those that the walls have of all.
pub(super) fn figures() -> Vec<Figure> {
    let figure = |name, da, en| Figure { name, title: Text::new(da, en), unit: Unit::Bytes, reading: Reading::Rate };
    vec![
        figure("disk-read", "Læst fra diskene pr. sekund", "Read from its disks a second"),
        figure("disk-written", "Skrevet til diskene pr. sekund", "Written to its disks a second"),
        Figure {
            name: "mail-refused",
            title: Text::new("Afviste forsøg på at nå port 25", "Refused attempts to reach port 25"),
            unit: Unit::Count,
            reading: Reading::Level,
        },
    ]
}

/// How they are asked for.
pub(super) fn gauges() -> Vec<Gauge> {
    let argv = ["/usr/bin/perl", "-"].map(str::to_owned).to_vec();
    vec![Gauge { role: MACHINE.to_owned(), argv, stdin: include_str!("files/figures.pl").to_owned() }]
}
