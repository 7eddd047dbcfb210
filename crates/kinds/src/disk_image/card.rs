//! What a disk image says of itself on people's pages.

use super::spec::Spec;
use crate::CardRow;
use crate::server::card::called;
use husorden_base::Text;

/// The card of one.
pub(super) fn card(spec: &Spec) -> Vec<CardRow> {
    let row = |label: Text, value: String| CardRow { label, value, link: None, copy: false };
    vec![
        row(Text::new("Disk", "Disk"), spec.disk.to_string()),
        row(Text::new("Lavet af", "Made from"), called(spec.origin.as_str())),
        row(Text::new("Firmware", "Firmware"), called(spec.firmware.word())),
    ]
}
