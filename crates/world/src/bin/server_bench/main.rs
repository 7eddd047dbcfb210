//! `make bench` of servers: guests of the platform beside QEMU by hand, of the same runtime, with the same image, the same options and the
//! same key. One module per figure.
#![allow(clippy::print_stdout, reason = "a bench prints its figures")]

mod bare;
mod create;
mod guest;
mod kept;
mod pause;
mod rates;

use anyhow::{Context, Result, ensure};
use husorden_world::{House, text};

/// Figures that are measured together, in a house of their own.
type Bench = fn() -> Result<()>;

/// A bench asks faster than any caller may.
const LIMITS: &str = "[api.limits]\nrequests_per_second_max = 100000\nrequests_burst_max = 100000\n";

fn main() -> Result<()> {
    let pattern = std::env::args().nth(1).unwrap_or_else(|| "*".to_owned());
    let benches: [(&str, Bench); 5] = [
        ("server.create_ssh", create::one_by_one),
        ("server.create_ten", create::ten_at_once),
        ("server.snapshot_pause", pause::snapshots),
        ("server.disk_kept", kept::kept),
        // Last, for it leaves the machine's network.
        ("server.rates", rates::rates),
    ];
    for (name, bench) in benches.into_iter().filter(|(name, _)| pattern == "*" || *name == pattern) {
        bench().with_context(|| name.to_owned())?;
    }
    Ok(())
}

/// A house with the small image, and these settings of its node.
fn house(node: &str) -> Result<House> {
    let house = House::bare("srvbench", &format!("{node}\n{LIMITS}"))?;
    let built = house.run(&["image", "build", "tiny"])?;
    ensure!(built.status.success(), "{}", text(&built.stderr));
    Ok(house)
}
