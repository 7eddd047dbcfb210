//! What servers say of themselves on people's pages: the start that is offered, a server's card, and what it lacks.

use super::plan;
use super::spec::{IMAGES, Spec};
use crate::allow;
use crate::finding::{Finding, Severity};
use crate::page::{CardRow, Glyph, Offer, Whereabouts};
use husorden_base::Text;
use serde_json::{Value, json};

/// The starts.
pub(super) fn offers() -> Vec<Offer> {
    vec![Offer {
        name: "server",
        title: Text::new("Server", "Server"),
        about: Text::new(
            "Din egen virtuelle maskine med Debian 13, nået med SSH fra de adresser, du nævner. Den køres emuleret, altså langsomt.",
            "A virtual machine of your own with Debian 13, reached by SSH from the addresses you name. It runs emulated, which is slow.",
        ),
        glyph: Glyph::Server,
        spec: json!({"image": "debian-13", "memory": "1 GiB", "disk": "10 GiB", "keys": []}),
    }]
}

/// The card of one server.
pub(super) fn card(at: &Whereabouts, spec: &Spec) -> Vec<CardRow> {
    let row = |label: Text, value: String| CardRow { label, value, link: None, copy: false };
    let ssh = format!("ssh -p {} root@{}", plan::door(at.number), at.host);
    vec![
        CardRow { label: Text::new("SSH", "SSH"), value: ssh, link: None, copy: true },
        row(Text::new("Aftryk", "Image"), called(spec.image.word())),
        row(Text::new("Kerner", "Cores"), spec.cores.to_string()),
        row(Text::new("Hukommelse", "Memory"), spec.memory.to_string()),
        row(Text::new("Disk", "Disk"), spec.disk.to_string()),
    ]
}

/// What is unwise in the spec, and what every server lacks in this version.
pub(super) fn findings(spec: &Value) -> Vec<Finding> {
    let mut findings = allow::findings(spec);
    findings.push(Finding {
        name: "emulated",
        severity: Severity::Notice,
        title: Text::new("Serveren køres emuleret", "The server runs emulated"),
        advice: Text::new(
            "Uden maskinens egen virtualisering er dens processor mange gange langsommere. Regn med minutter, hvor det ellers er sekunder.",
            "Without the machine's own virtualisation its processor is many times slower. Reckon with minutes where it would be seconds.",
        ),
        until: None,
    });
    findings
}

/// An image as people of either language know it.
fn called(word: &str) -> String {
    let name =
        names().into_iter().find(|(known, _)| *known == word).map_or_else(|| word.to_owned(), |(_, name)| name.en);
    name.split(" (").next().unwrap_or_default().to_owned()
}

/// What people call the choices of the form.
pub(super) fn names() -> Vec<(&'static str, Text)> {
    let images = ["Debian 13", "Debian 12"].map(|name| Text::new(name, name));
    let tiny = Text::new("Tiny (til prøver)", "Tiny (for tests)");
    let mut names: Vec<(&'static str, Text)> =
        IMAGES.iter().map(|(word, _)| *word).zip(images.into_iter().chain([tiny])).collect();
    names.extend([
        ("on-failure", Text::new("Efter et nedbrud", "After a crash")),
        ("always", Text::new("Altid", "Always")),
        ("never", Text::new("Aldrig", "Never")),
        ("bios", Text::new("BIOS", "BIOS")),
        ("uefi", Text::new("UEFI", "UEFI")),
    ]);
    names
}
