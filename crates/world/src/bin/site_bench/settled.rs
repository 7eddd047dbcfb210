//! `node.settled_pass`: what a sweep over 10,000 solutions costs that are as they are wished, in CPU time and in processes.

use crate::sleep;
use crate::suspend::{TABLE_SITES, real_sites, rows};
use anyhow::{Context, Result, bail};
use husorden_world::House;
use husorden_world::bench::{Better, Figure};
use std::fs;
use std::time::Duration;

/// Solutions with a volume and a service.
const REAL: usize = 100;
/// The node sweeps once in a minute: the time watched holds so many sweeps.
const SWEEPS: u32 = 2;
const SWEEP: Duration = Duration::from_secs(60);
/// CPU time in five seconds that is resting: the threads look at their queues now and then.
const RESTING_NS: u64 = 2_000_000;

pub(crate) fn settled_pass(house: &House) -> Result<()> {
    real_sites(house, REAL)?;
    (0..REAL).try_for_each(|index| sleep(house, &format!("t{index}")))?;
    // Nor may the site of the first look fall asleep in the time that is watched.
    sleep(house, "blog")?;
    rows(house, TABLE_SITES - REAL)?;
    let node = house.pid("node")?;
    // The sweep that a hello asks for is over when its threads rest.
    let mut last = passes_ns(node)?;
    loop {
        std::thread::sleep(Duration::from_secs(5));
        let now = passes_ns(node)?;
        let worked = now - std::mem::replace(&mut last, now);
        if worked < RESTING_NS {
            break;
        }
    }
    let faults = reaped_faults(node)?;
    std::thread::sleep(SWEEP * SWEEPS);
    let seconds = (passes_ns(node)? - last) as f64 / 1e9 / f64::from(SWEEPS);
    // A process that was started and collected has left its page faults with its parent.
    let spawned = reaped_faults(node)? != faults || !children(node)?.is_empty();
    if spawned {
        bail!("the node has started processes in a time in which nothing was wished");
    }
    Figure {
        name: "node.settled_pass",
        ours: seconds,
        peer: None,
        unit: "s",
        better: Better::Less,
        note: format!("CPU time of one sweep over {TABLE_SITES} settled solutions, {REAL} with a volume, mean of {SWEEPS}; no process started; target 1"),
    }
    .report()
}

/// CPU time that the threads have had which make passes.
fn passes_ns(pid: i32) -> Result<u64> {
    let mut total = 0;
    for thread in fs::read_dir(format!("/proc/{pid}/task"))?.flatten() {
        let name = fs::read_to_string(thread.path().join("comm")).unwrap_or_default();
        if name.starts_with("pass-") {
            let text = fs::read_to_string(thread.path().join("schedstat"))?;
            total += text.split(' ').next().context("a schedstat")?.parse::<u64>()?;
        }
    }
    Ok(total)
}

/// Page faults of children that were waited for.
fn reaped_faults(pid: i32) -> Result<u64> {
    let text = fs::read_to_string(format!("/proc/{pid}/stat"))?;
    // After the name: state, five numbers of kin, flags, own faults, children's.
    let after = text.rsplit_once(')').context("a stat")?.1;
    Ok(after.split_whitespace().nth(8).context("a stat")?.parse()?)
}

fn children(pid: i32) -> Result<String> {
    let mut all = String::new();
    for thread in fs::read_dir(format!("/proc/{pid}/task"))?.flatten() {
        all.push_str(&fs::read_to_string(thread.path().join("children")).unwrap_or_default());
    }
    Ok(all.trim().to_owned())
}
