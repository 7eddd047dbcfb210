//! `server.snapshot_pause`: the longest gap in a guest's own clock while snapshots of it are taken, beside the longest while none is.

use crate::guest::Ours;
use anyhow::{Context, Result, ensure};
use husorden_world::Who;
use husorden_world::bench::{Better, Figure};
use serde_json::json;
use std::time::Duration;

const SNAPSHOTS: usize = 10;
const EACH: Duration = Duration::from_millis(1500);
/// Reads the clock, which counts hundredths of a second, as often as it can.
const WATCH: &str =
    "(while read -r now idle < /proc/uptime; do echo $now; done > /tmp/clock) > /dev/null 2>&1 & echo $! > /tmp/watch";
const GAP: &str = "kill $(cat /tmp/watch); awk 'NR > 1 && $1 - last > gap { gap = $1 - last } { last = $1 } END { print gap * 1000 }' /tmp/clock";

pub(crate) fn snapshots() -> Result<()> {
    let house = &crate::house("")?;
    let guest = Ours::order(house, "watched")?;
    guest.way.answers()?;
    // It writes while it is watched, so that there is something to keep.
    let busy = "(while :; do dd if=/dev/urandom of=/disk/noise bs=64k count=16 conv=fsync 2> /dev/null; done) > /dev/null 2>&1 & echo $!";
    guest.way.ssh(busy)?;
    guest.way.ssh(WATCH)?;
    std::thread::sleep(EACH * u32::try_from(SNAPSHOTS)?);
    let without = guest.way.number(GAP)?;
    guest.way.ssh(WATCH)?;
    for number in 0..SNAPSHOTS {
        let label = json!({ "label": format!("n{number}") });
        let taken = house.api(Who::Account, "POST", "/v1/solutions/watched/snapshots", Some(&label))?;
        ensure!(taken.status == 202, "{:?}", taken.body);
        house.wait_order(taken.body["id"].as_str().context("an id")?)?;
        std::thread::sleep(EACH);
    }
    let gap = guest.way.number(GAP)?;
    Figure {
        name: "server.snapshot_pause",
        ours: gap,
        peer: None,
        unit: "ms",
        better: Better::Less,
        note: format!(
            "longest gap in the guest's clock over {SNAPSHOTS} snapshots while it writes, target 100; {without:.0} ms in as long without any"
        ),
    }
    .report()
}
