//! `make bench` of a running house: sites beside the same work done by hand with the same engines, and a measure beside a
//! reload of nginx. One module per figure.
#![allow(clippy::print_stdout, clippy::cast_precision_loss, reason = "a bench prints its figures")]

mod cold;
mod create;
mod density;
mod memory;
mod nginx;
mod peer;
mod probes;
mod settled;
mod suspend;

use anyhow::{Context, Result, bail};
use husorden_world::hand::pool;
use husorden_world::{House, Who};
use serde_json::{Value, json};
use std::fs;
use std::time::{Duration, Instant};

/// One figure, or some that belong together, on a house of its own.
type Bench = fn(&House) -> Result<()>;

fn main() -> Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    if arguments.first().is_some_and(|first| first == "watch") {
        return probes::watch(&arguments[1..]);
    }
    let pattern = arguments.first().map_or("*", String::as_str);
    let wanted = |name: &str| match pattern.strip_suffix('*') {
        Some(start) => name.starts_with(start),
        None => name == pattern,
    };
    let benches: [(&str, Bench); 7] = [
        ("site.cold_start", cold::cold_start),
        ("site.create", create::create),
        ("site.idle_memory", memory::idle_memory),
        ("site.density", density::density),
        ("measure.verified_p99_website", husorden_world::verified::website),
        ("edge.suspend_p99", suspend::suspend),
        ("node.settled_pass", settled::settled_pass),
    ];
    for (name, bench) in benches.into_iter().filter(|(name, _)| wanted(name)) {
        let house = House::up_with("bench", LIMITS, "")?;
        bench(&house).with_context(|| name.to_owned())?;
    }
    Ok(())
}

/// A bench asks faster than any caller may.
const LIMITS: &str = "[api.limits]\nrequests_per_second_max = 100000\nrequests_burst_max = 100000\n";

/// Makes a site of the demo account, and does not wait for it.
fn site(house: &House, name: &str, spec: &Value) -> Result<Value> {
    let body = json!({ "kind": "website", "name": name, "spec": spec });
    let made = house.api(Who::Account, "POST", "/v1/solutions", Some(&body))?;
    if made.status != 201 {
        bail!("{name} was not made: {:?}", made.body);
    }
    Ok(made.body)
}

/// Puts a site to sleep.
fn sleep(house: &House, name: &str) -> Result<()> {
    let order = house.api(Who::Account, "POST", &format!("/v1/solutions/{name}/sleep"), None)?;
    house.wait_order(order.body["id"].as_str().context("an order")?)?;
    Ok(())
}

/// Writes a file into a site's public folder as an upload would leave it: the site's own.
fn put(house: &House, number: u64, name: &str, contents: &str) -> Result<()> {
    use std::os::unix::fs::MetadataExt;
    let folder = pool(house).join("solutions").join(number.to_string()).join("live/www");
    let meta = fs::metadata(&folder).with_context(|| format!("looking at {}", folder.display()))?;
    fs::write(folder.join(name), contents)?;
    Ok(std::os::unix::fs::chown(folder.join(name), Some(meta.uid()), Some(meta.gid()))?)
}

/// Waits until a site answers a page with 200.
fn answers(house: &House, domain: &str, path: &str) -> Result<()> {
    let end = Instant::now() + Duration::from_secs(120);
    loop {
        let page = house.get(domain, path, &["--max-time", "20"])?;
        if page.status == 200 {
            return Ok(());
        }
        if Instant::now() > end {
            bail!("{domain} does not answer: {page:?}");
        }
        std::thread::sleep(Duration::from_millis(20));
    }
}
