//! What servers say of themselves on people's pages: the start that is offered, a server's card, and what comes of its machine.

use super::disks;
use super::plan;
use super::spec::{IMAGES, Spec};
use crate::Virtualisation;
use crate::finding::{Finding, Severity};
use crate::page::{CardRow, Glyph, Offer, Whereabouts};
use husorden_base::Text;
use serde_json::json;

/// The starts.
pub(super) fn offers() -> Vec<Offer> {
    vec![Offer {
        name: "server",
        title: Text::new("Server", "Server"),
        about: Text::new(
            "Din egen virtuelle maskine med Debian 13, nået med SSH fra de adresser, du nævner.",
            "A virtual machine of your own with Debian 13, reached by SSH from the addresses you name.",
        ),
        glyph: Glyph::Server,
        spec: json!({"image": "debian-13", "memory": "1 GiB", "disk": "10 GiB", "keys": []}),
    }]
}

/// The card of one server.
pub(super) fn card(at: &Whereabouts, spec: &Spec) -> Vec<CardRow> {
    let row = |label: Text, value: String| CardRow { label, value, link: None, copy: false };
    let ssh = format!("ssh -p {} root@{}", plan::door(at.number), at.host);
    let addresses = spec.networks.iter().filter_map(|join| join.address);
    let private = addresses.map(|address| CardRow {
        label: Text::new("Privat adresse", "Private address"),
        value: address.to_string(),
        link: None,
        copy: true,
    });
    let rows = vec![
        CardRow { label: Text::new("SSH", "SSH"), value: ssh, link: None, copy: true },
        row(Text::new("Aftryk", "Image"), at.image.clone().unwrap_or_else(|| called(spec.image.word()))),
        row(Text::new("Kerner", "Cores"), spec.cores.to_string()),
        row(Text::new("Hukommelse", "Memory"), spec.memory.to_string()),
        row(Text::new("Disk", "Disk"), spec.disk.to_string()),
    ];
    let attached = spec.disks.iter().filter(|(_, disk)| disk.attached);
    let more = attached.map(|(name, disk)| CardRow {
        label: Text::new(format!("Disk {name} ({})", disk.size), format!("Disk {name} ({})", disk.size)),
        value: disks::path(name),
        link: None,
        copy: true,
    });
    rows.into_iter().chain(more).chain(private).collect()
}

/// What its owner should not forget.
pub(super) fn findings(spec: &Spec) -> Vec<Finding> {
    let finding = Finding {
        name: "rescue",
        severity: Severity::Notice,
        title: Text::new("Serveren er startet til redning", "The server is started for a rescue"),
        advice: Text::new(
            "Den kører et lille system, vi har, og dens egen disk er /dev/vdb. Slå redning fra i indstillingerne, så starter den fra sin disk.",
            "It runs a small system of ours, and its own disk is /dev/vdb. Turn rescue off in the settings, and it starts from its disk.",
        ),
        until: None,
    };
    spec.rescue.then_some(finding).into_iter().collect()
}

/// That a machine's own virtualisation boots no guest, and what that means for a server.
pub(super) fn findings_of_machine(virtualisation: &Virtualisation) -> Vec<Finding> {
    // Why is for who has the machine; doctor tells them.
    let Virtualisation::Fails { .. } = virtualisation else { return Vec::new() };
    vec![Finding {
        name: "emulated",
        severity: Severity::Notice,
        title: Text::new("Serveren køres emuleret", "The server runs emulated"),
        advice: Text::new(
            "Maskinens egen virtualisering starter ingen gæst, og uden den er serverens processor mange gange langsommere: regn med minutter, hvor det ellers er sekunder.",
            "The machine's own virtualisation boots no guest, and without it the server's processor is many times slower: reckon with minutes where it would be seconds.",
        ),
        until: None,
    }]
}

/// An image as people of either language know it.
pub(crate) fn called(word: &str) -> String {
    let name =
        names().into_iter().find(|(known, _)| *known == word).map_or_else(|| word.to_owned(), |(_, name)| name.en);
    name.split(" (").next().unwrap_or_default().to_owned()
}

/// What people call the choices of the form.
pub(crate) fn names() -> Vec<(&'static str, Text)> {
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
