//! What people call it: why a backup was made, how it and its proof stand, and how far a proof went.

use crate::ask::Ask;
use crate::say::Say;
use crate::ui::icon::Icon;
use crate::ui::{self, Tone};
use husorden_wire::api;
use husorden_wire::node::Level;
use maud::{Markup, html};

/// How far a proof can go, from the least.
pub(crate) const LEVELS: [Level; 4] = [Level::Hashes, Level::Pieces, Level::Restored, Level::Opened];

/// Why a backup was made.
pub(super) fn reason(ask: &Ask, word: &str) -> &'static str {
    let l = ask.l;
    match word {
        "daily" => l.t("Daglig", "Daily"),
        "asked" => l.t("Bestilt", "Asked for"),
        "before-risk" => l.t("Før noget risikabelt", "Before something risky"),
        _ => "",
    }
}

/// How a backup stands.
pub(super) fn backup_state(ask: &Ask, state: &str) -> Markup {
    let l = ask.l;
    match state {
        "ready" => ui::badge(Tone::Good, l.t("Klar", "Ready")),
        "writing" => ui::badge(Tone::Busy, l.t("Skrives", "Being written")),
        "failed" => ui::badge(Tone::Bad, l.t("Mislykket", "Failed")),
        "gone" => ui::badge(Tone::Plain, l.t("Udløbet", "Expired")),
        _ => ui::badge(Tone::Warn, l.t("Ukendt", "Unknown")),
    }
}

/// How a proof came out, as a colour and a word.
pub(crate) fn outcome(ask: &Ask, state: &str) -> (Tone, &'static str) {
    let l = ask.l;
    match state {
        "passed" => (Tone::Good, l.t("Bestået", "Passed")),
        "failed" => (Tone::Bad, l.t("Ikke bestået", "Failed")),
        "proving" => (Tone::Busy, l.t("Prøves", "Being proven")),
        _ => (Tone::Warn, l.t("Ikke gennemført", "Not carried out")),
    }
}

/// How the newest proof of a backup stands, in one badge.
pub(super) fn proof_badge(ask: &Ask, proof: Option<&api::Proof>) -> Markup {
    let Some(proof) = proof else {
        return html! { span class="faint" { (ask.l.t("Ikke prøvet", "Not proven")) } };
    };
    let (tone, word) = outcome(ask, &proof.state);
    let level = proof.level.filter(|_| proof.state == "passed").map(|level| level_name(ask, level));
    ui::badge(tone, level.unwrap_or(word))
}

/// The short sign of a level, as it stands in manuals.
pub(crate) const fn level_sign(level: Level) -> &'static str {
    match level {
        Level::Hashes => "L0",
        Level::Pieces => "L1",
        Level::Restored => "L2",
        Level::Opened => "L3",
    }
}

/// What people call a level.
pub(crate) fn level_name(ask: &Ask, level: Level) -> &'static str {
    let l = ask.l;
    match level {
        Level::Hashes => l.t("Uændret", "Unaltered"),
        Level::Pieces => l.t("Hel", "Complete"),
        Level::Restored => l.t("Gendannet", "Restored"),
        Level::Opened => l.t("Åbnet", "Opened"),
    }
}

/// What a level says.
pub(crate) fn level_says(ask: &Ask, level: Level) -> &'static str {
    let l = ask.l;
    match level {
        Level::Hashes => l.t(
            "Alt, hvad der ligger på målet, er bit for bit det, der blev sendt.",
            "All that lies at the target is bit for bit what was sent.",
        ),
        Level::Pieces => l.t(
            "Hvert stykke af backuppen er der og åbner med nøglen.",
            "Every piece of the backup is there, and opens with the key.",
        ),
        Level::Restored => l.t(
            "Den blev gendannet helt, et andet sted end løsningen selv.",
            "It was restored as a whole, elsewhere than the solution itself.",
        ),
        Level::Opened => l.t(
            "Dens programmer startede på den, og det, de fandt, er det, der blev noteret, da backuppen blev taget.",
            "Its engines started on it, and what they found is what was noted when the backup was made.",
        ),
    }
}

/// The four levels, with how far this proof came. Before it has ended, what is left of them waits and has not failed.
pub(crate) fn ladder(ask: &Ask, reached: Option<Level>, ended: bool) -> Markup {
    let l = ask.l;
    html! {
        ol class="levels" {
            @for level in LEVELS {
                @let held = reached.is_some_and(|reached| reached >= level);
                li class=(if held { "" } else { "not" }) {
                    (if held { Icon::Check } else if ended { Icon::Close } else { Icon::Clock }.show())
                    span {
                        strong { (level_name(ask, level)) } " " span class="faint" { (level_sign(level)) }
                        span class="unseen" { (if held { l.t(": nået", ": reached") } else if ended { l.t(": ikke nået", ": not reached") } else { l.t(": venter", ": waits") }) }
                    }
                    p { (level_says(ask, level)) }
                }
            }
        }
    }
}

/// Why a proof did not hold, or could not be carried out.
pub(crate) fn why(ask: &Ask, proof: &api::Proof) -> Option<String> {
    let failed = proof.steps.iter().find_map(|step| step.failed.as_ref());
    failed.map(|text| text.get(ask.l).to_owned()).or_else(|| proof.message.clone())
}

/// Files and their size, in one line.
pub(super) fn extent(ask: &Ask, backup: &api::Backup) -> String {
    let count = ask.reader.count(backup.files);
    ask.l.f(|| format!("{count} filer"), || format!("{count} files"))
}
