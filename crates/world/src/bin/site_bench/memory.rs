//! `site.idle_memory`: what a further idle site costs, edge and node together, beside a further idle pool of a shared PHP-FPM
//! master.

use crate::peer::Shared;
use crate::{answers, put, site, sleep};
use anyhow::{Context, Result};
use husorden_world::House;
use husorden_world::bench::{Better, Figure};
use serde_json::json;
use std::fs;
use std::time::Duration;

/// Sites there before the first look, so that what is paid once is paid, and those added.
const BEFORE: usize = 20;
const ADDED: usize = 200;

pub(crate) fn idle_memory(house: &House) -> Result<()> {
    let both = || -> Result<f64> { Ok(pss_kib(house.pid("node")?)? + pss_kib(house.pid("edge")?)?) };
    add(house, 0..BEFORE)?;
    let before = both()?;
    add(house, BEFORE..BEFORE + ADDED)?;
    let ours = (both()? - before) / ADDED as f64;

    let shared = Shared::start(house)?;
    let pools = |range: std::ops::Range<usize>| -> Result<f64> {
        let last = range.end - 1;
        range.into_iter().try_for_each(|site| shared.pool(site))?;
        shared.reload(last)?;
        std::thread::sleep(Duration::from_secs(2));
        pss_kib(shared.master()?)
    };
    let few = pools(1..BEFORE)?;
    let many = pools(BEFORE..BEFORE + ADDED)?;
    Figure {
        name: "site.idle_memory",
        ours: ours / 1024.0,
        peer: Some(((many - few) / ADDED as f64 / 1024.0, "an idle ondemand pool of a shared PHP-FPM master")),
        unit: "MB",
        better: Better::Less,
        note: format!(
            "proportional set size a site over {ADDED} sites that have run and sleep; ours {ours:.1} KiB in edge and node, the pool {:.1} KiB in the master",
            (many - few) / ADDED as f64
        ),
    }
    .report()
}

/// Sites that have answered once and sleep again.
fn add(house: &House, range: std::ops::Range<usize>) -> Result<()> {
    let mut numbers = Vec::new();
    for index in range.clone() {
        let spec =
            json!({ "domains": [format!("idle{index}.demo-sites.test")], "runtime": "php-8.4", "database": "none" });
        numbers.push(site(house, &format!("idle{index}"), &spec)?["solution"]["number"].as_u64().context("a number")?);
    }
    for (index, number) in range.zip(numbers) {
        let name = format!("idle{index}");
        house.wait_state(&name, "running")?;
        put(house, number, "hello.php", "<?php echo 'hello';")?;
        answers(house, &format!("{name}.demo-sites.test"), "/hello.php")?;
        sleep(house, &name)?;
    }
    std::thread::sleep(Duration::from_secs(5));
    Ok(())
}

/// A process's proportional set size.
fn pss_kib(pid: i32) -> Result<f64> {
    let text = fs::read_to_string(format!("/proc/{pid}/smaps_rollup"))?;
    let line = text.lines().find_map(|line| line.strip_prefix("Pss:")).context("no PSS")?;
    Ok(line.trim().trim_end_matches("kB").trim().parse()?)
}
