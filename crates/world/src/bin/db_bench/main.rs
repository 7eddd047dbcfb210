//! `make bench` of databases: instances beside the same server started bare, of the same version, under the same settings, on the
//! same disk. One module per figure.
#![allow(clippy::print_stdout, reason = "a bench prints its figures")]

mod bare;
mod create;
mod instance;
mod pgbench;
mod suspend;
mod wake;

use anyhow::{Context, Result};
use husorden_world::House;

/// One figure, or some that belong together, on a house of its own.
type Bench = fn(&House) -> Result<()>;

/// A bench asks faster than any caller may.
const LIMITS: &str = "[api.limits]\nrequests_per_second_max = 100000\nrequests_burst_max = 100000\n";

fn main() -> Result<()> {
    let pattern = std::env::args().nth(1).unwrap_or_else(|| "*".to_owned());
    let benches: [(&str, Bench); 6] = [
        ("db.pg_create", create::postgres),
        ("db.mariadb_create", create::mariadb),
        ("db.pg_wake", wake::postgres),
        ("db.mariadb_wake", wake::mariadb),
        ("db.pgbench", pgbench::pgbench),
        ("db.suspend_p99", suspend::suspend),
    ];
    for (name, bench) in benches.into_iter().filter(|(name, _)| pattern == "*" || *name == pattern) {
        let house = House::up_with("dbbench", LIMITS, "")?;
        bench(&house).with_context(|| name.to_owned())?;
    }
    Ok(())
}
