//! `make bench` of control and the panel: revocation on two controls, log-ins, lists among a hundred thousand, and the pages
//! of a customer with many solutions. One module per figure; what is measured is asked for over HTTP, as everybody asks.
#![allow(clippy::print_stdout, clippy::cast_precision_loss, reason = "a bench prints its figures")]

mod ask;
mod list;
mod log_in;
mod page;
mod revoke;
mod second;

use anyhow::{Context, Result};
use husorden_world::House;

/// One figure, or some that belong together, on a house of its own.
type Bench = fn(&House) -> Result<()>;

fn main() -> Result<()> {
    let pattern = std::env::args().nth(1).unwrap_or_else(|| "*".to_owned());
    let wanted = |name: &str| match pattern.strip_suffix('*') {
        Some(start) => name.starts_with(start),
        None => name == pattern,
    };
    let benches: [(&str, Bench); 4] = [
        ("access.revoke_p99", revoke::revoke),
        ("access.login_p99", log_in::log_in),
        ("control.list_100k", list::list),
        ("panel.page_200", page::page),
    ];
    for (name, bench) in benches.into_iter().filter(|(name, _)| wanted(name)) {
        let house = House::up("ctl")?;
        bench(&house).with_context(|| name.to_owned())?;
    }
    Ok(())
}

/// The load of the machine over the last minute, as every figure here says it with.
fn load() -> String {
    let said = std::fs::read_to_string("/proc/loadavg").unwrap_or_default();
    said.split(' ').next().unwrap_or("unknown").to_owned()
}
