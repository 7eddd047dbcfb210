//! Whether the machine has anything to spare: a proof gives way to what serves, and is tried again.

use husorden_base::{Refusal, Text};

/// Percent of ten seconds in which everything stood still for want of memory.
const MEMORY_MAX: f64 = 10.0;
/// Percent of a minute in which everything stood still for want of the disk.
const DISK_MAX: f64 = 80.0;

/// Why a proof is to stop now, if it is.
pub(crate) fn now() -> Option<Refusal> {
    let read = |what: &str| std::fs::read_to_string(format!("/proc/pressure/{what}")).unwrap_or_default();
    judged(&read("memory"), &read("io"))
}

fn judged(memory: &str, disk: &str) -> Option<Refusal> {
    let (da, en) = match (full(memory, "avg10="), full(disk, "avg60=")) {
        (Some(share), _) if share > MEMORY_MAX => ("hukommelse", "memory"),
        (_, Some(share)) if share > DISK_MAX => ("disk", "disk"),
        _ => return None,
    };
    Some(postponed(&Text::new(format!("Serveren mangler {da} lige nu."), format!("The machine is short of {en} now."))))
}

/// A proof that neither passed nor failed.
pub(crate) fn postponed(why: &Text) -> Refusal {
    Refusal::new("proof-postponed", 503, Text::new("Ikke prøvet, prøves igen", "Not proven, tried again"), why.clone())
}

/// A figure of the line of when nothing went on; none where the kernel keeps no such account.
fn full(text: &str, key: &str) -> Option<f64> {
    let line = text.lines().find(|line| line.starts_with("full "))?;
    line.split(' ').find_map(|part| part.strip_prefix(key))?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_proof_gives_way_when_memory_or_disk_is_short() {
        let line = |avg10: &str, avg60: &str| {
            format!(
                "some avg10=99.00 avg60=99.00 avg300=0 total=1\nfull avg10={avg10} avg60={avg60} avg300=0.0 total=1\n"
            )
        };
        let calm = line("0.00", "12.50");
        assert!(judged(&calm, &calm).is_none() && judged("", "").is_none());
        let short = judged(&line("31.00", "3.00"), &calm).expect("memory is short");
        assert!(short.detail.en.contains("memory") && short.status == 503);
        assert!(judged(&calm, &line("0.00", "93.00")).expect("the disk is busy").detail.da.contains("disk"));
    }
}
