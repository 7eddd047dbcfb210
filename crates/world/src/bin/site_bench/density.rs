//! `site.density`: how many WordPress sites answer under p99 1 s at one crawl request a minute each, beside a shared PHP-FPM
//! master with a shared MariaDB. The number is doubled as long as they do, and as long as there is time and memory.

use crate::create::wordpress;
use crate::peer::{SHARED, Shared};
use anyhow::Result;
use husorden_world::House;
use husorden_world::bench::{Better, Figure, quantile};
use std::fs;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// The first number tried.
const FIRST: usize = 8;
/// Slowest answer, p99.
const P99_MS_MAX: f64 = 1_000.0;
/// Longest time for each side, in seconds; `HUSORDEN_DENSITY_S` says otherwise.
const TIME_S: u64 = 330;
/// Memory that stays free for the machine.
const FREE_MIB_MIN: u64 = 1_024;
/// One request a minute each.
const ROUND: Duration = Duration::from_secs(60);

/// How far one side came.
struct Reached {
    sites: usize,
    p99_ms: f64,
    used_mib: u64,
    bound: String,
}

pub(crate) fn density(house: &House) -> Result<()> {
    let ours = reach(
        |site| wordpress(house, &format!("dense{site}")),
        |site| {
            let mut curl = house.curl(&format!("dense{site}.demo-sites.test"), "/");
            curl.args(["-s", "--fail", "--max-time", "60"]);
            curl
        },
    )?;
    let shared = Shared::start(house)?;
    let peer = reach(|site| shared.create(site + 1, SHARED), |site| shared.asking(site + 1))?;
    let told = |side: &Reached| {
        format!("{} sites at p99 {:.0} ms with {} MiB, bound by {}", side.sites, side.p99_ms, side.used_mib, side.bound)
    };
    Figure {
        name: "site.density",
        ours: ours.sites as f64,
        peer: Some((peer.sites as f64, "shared PHP-FPM master and shared MariaDB")),
        unit: "sites",
        better: Better::More,
        note: format!(
            "one request a minute each, p99 under {P99_MS_MAX} ms; ours {}; shared {}",
            told(&ours),
            told(&peer)
        ),
    }
    .report()
}

/// Doubles the number of sites until they are too slow, the memory is used up, or the time is.
fn reach(make: impl Fn(usize) -> Result<()>, asking: impl Fn(usize) -> Command) -> Result<Reached> {
    let budget = std::env::var("HUSORDEN_DENSITY_S").ok().and_then(|text| text.parse().ok()).unwrap_or(TIME_S);
    let end = Instant::now() + Duration::from_secs(budget);
    let at_rest = free_mib()?;
    let mut best = Reached { sites: 0, p99_ms: 0.0, used_mib: 0, bound: "nothing".to_owned() };
    let (mut made, mut next) = (0, FIRST);
    loop {
        while made < next {
            if free_mib()? < FREE_MIB_MIN {
                best.bound = format!("memory, at {made} sites");
                break;
            }
            if Instant::now() + ROUND > end {
                best.bound = "the time of this run".to_owned();
                break;
            }
            make(made)?;
            made += 1;
        }
        if made == best.sites {
            return Ok(best);
        }
        let (slowest, failed) = crawl(made, &asking)?;
        if failed > 0 || slowest > P99_MS_MAX {
            best.bound = format!("p99 {slowest:.0} ms and {failed} failures at {made} sites");
            return Ok(best);
        }
        best = Reached { sites: made, p99_ms: slowest, used_mib: at_rest.saturating_sub(free_mib()?), ..best };
        println!("  {made} sites: p99 {slowest:.0} ms, {} MiB used", best.used_mib);
        if made < next || Instant::now() + ROUND > end {
            if made == next {
                best.bound = "the time of this run".to_owned();
            }
            return Ok(best);
        }
        next *= 2;
    }
}

/// One round: every site is asked once, evenly over a minute, by processes of their own. The 99th percentile in
/// milliseconds, and how many did not answer.
fn crawl(sites: usize, asking: &impl Fn(usize) -> Command) -> Result<(f64, usize)> {
    let begun = Instant::now();
    let mut clients = Vec::with_capacity(sites);
    for site in 0..sites {
        let due = ROUND.mul_f64(site as f64 / sites as f64);
        std::thread::sleep(due.saturating_sub(begun.elapsed()));
        let mut curl = asking(site);
        curl.args(["-o", "/dev/null", "-w", "%{time_total}"]).stdout(Stdio::piped()).stderr(Stdio::null());
        clients.push(curl.spawn()?);
    }
    let (mut times, mut failed) = (Vec::new(), 0);
    for client in clients {
        let output = client.wait_with_output()?;
        if output.status.success() {
            times.push(husorden_world::text(&output.stdout).parse::<f64>()? * 1e3);
        } else {
            failed += 1;
        }
    }
    Ok((if times.is_empty() { f64::INFINITY } else { quantile(&mut times, 0.99) }, failed))
}

/// Memory that the machine could still give out.
fn free_mib() -> Result<u64> {
    let text = fs::read_to_string("/proc/meminfo")?;
    let line = text.lines().find_map(|line| line.strip_prefix("MemAvailable:")).unwrap_or_default();
    Ok(line.trim().trim_end_matches("kB").trim().parse::<u64>()? / 1024)
}
