//! `edge.suspend_p99` and its companions: a decision to the first refused answer with 10,000 sites in the table, and to the
//! last byte of what was open: an HTTP/2 stream, a running PHP response, a connection the site has made. Beside it
//! `nginx -s reload` with as many servers.

use crate::probes::{Watch, now_ns};
use crate::{answers, nginx, put, site};
use anyhow::{Context, Result, bail};
use husorden_world::bench::{Better, Figure, quantile};
use husorden_world::{House, Who, text};
use serde_json::{Value, json};
use std::process::Command;
use std::time::{Duration, Instant, SystemTime};

/// Sites in the edge's table, and how many of them have a volume and a port.
pub(crate) const TABLE_SITES: usize = 10_000;
const TABLE_REAL: usize = 200;
const SAMPLES: usize = 100;
const PEER_SAMPLES: usize = 20;
/// Where a site's own connection goes: an address of the machine's end of the house's link, of those for documentation.
const FAR: &str = "203.0.113.9";
const FAR_PORT: u16 = 18_081;
/// Says something each millisecond, to the visitor and, where it is asked to, over a connection of its own.
const LIVE: &str = "<?php
while (ob_get_level()) ob_end_flush();
$far = isset($_GET['far']) ? stream_socket_client('tcp://203.0.113.9:18081') : false;
if ($far) fwrite($far, $_GET['far'] . \"\\n\");
for ($i = 0; $i < 20000; $i++) {
    echo str_repeat('.', 64);
    flush();
    if ($far) fwrite($far, '.');
    usleep(1000);
}
";

/// Milliseconds from a decision to what each of those outside noticed, one a measure.
#[derive(Default)]
struct Times {
    answered: Vec<f64>,
    kept: Vec<f64>,
    refused: Vec<f64>,
    stream: Vec<f64>,
    php: Vec<f64>,
    out: Vec<f64>,
    in_force: Vec<f64>,
}

pub(crate) fn suspend(house: &House) -> Result<()> {
    let numbers = real_sites(house, TABLE_REAL)?;
    rows(house, TABLE_SITES - TABLE_REAL)?;
    let link = far_address(house)?;
    let mut far = Watch::listen(&format!("{FAR}:{FAR_PORT}"))?;
    println!("{TABLE_SITES} sites are in the table, {} with volume and port; far end on {link}", numbers.len());
    let mut times = Times::default();
    for index in 0..SAMPLES {
        one(house, index, &mut far, &mut times).with_context(|| format!("closing site {index}"))?;
    }
    let mut peer = nginx::reload_times(TABLE_SITES, PEER_SAMPLES)?;
    let note = |what: &str| format!("p99, n={SAMPLES}, {TABLE_SITES} sites; {what}");
    for (stage, samples) in [
        ("the node has it on disk", &mut times.kept),
        ("the API has answered", &mut times.answered),
        ("first 403", &mut times.refused),
        ("last byte of an HTTP/2 stream", &mut times.stream),
        ("last byte of a running PHP response", &mut times.php),
        ("last byte of an outbound connection", &mut times.out),
        ("in force everywhere", &mut times.in_force),
        ("nginx: first 403 after a reload", &mut peer),
    ] {
        println!(
            "  {stage:<38} p50 {:>7.2}  p95 {:>7.2}  p99 {:>7.2} ms",
            quantile(samples, 0.5),
            quantile(samples, 0.95),
            quantile(samples, 0.99)
        );
    }
    let figure = |name, samples: &mut Vec<f64>, peer, note| Figure {
        name,
        ours: quantile(samples, 0.99),
        peer,
        unit: "ms",
        better: Better::Less,
        note,
    };
    let reload = Some((quantile(&mut peer, 0.99), "nginx -s reload, 10,000 servers"));
    let first = note("API call to the first 403 that another process sees");
    figure("edge.suspend_p99", &mut times.refused, reload, first).report()?;
    let h2 = note("API call to the last byte of an open HTTP/2 stream");
    figure("edge.suspend_h2_p99", &mut times.stream, None, h2).report()?;
    let php = note("API call to the last byte of a running PHP response");
    figure("edge.suspend_php_p99", &mut times.php, None, php).report()?;
    let out = note("API call to the last byte of a connection the site has made");
    figure("edge.suspend_out_p99", &mut times.out, None, out).report()
}

/// Closes one site under the eyes of four clients.
fn one(house: &House, index: usize, far: &mut Watch, times: &mut Times) -> Result<()> {
    let (name, domain) = (format!("t{index}"), format!("t{index}.demo-sites.test"));
    let id = house.sql(&format!("select id from solution where name = '{name}' and deleted is null"))?;
    let why = "A bench of the way from a decision to the edge.";
    let case = json!({ "solution": id, "clause": "network.attack", "facts": why });
    let case = house.api(Who::Staff, "POST", "/v1/cases", Some(&case))?;
    let decision = json!({ "clause": "network.attack", "reasons": why, "scope": { "of": "solution", "id": id } });
    let path = format!("/v1/cases/{}/decisions", case.body["id"].as_str().context("a case")?);

    let stream = Watch::bytes(house.curl(&domain, "/live.php").args(["-sN", "--http2"]))?;
    let php = Watch::bytes(house.curl(&domain, &format!("/live.php?far={name}")).args(["-sN", "--http1.1"]))?;
    let mut asking = house.curl(&domain, "/hello.txt?[1-1000000]");
    asking.args(["-s", "-o", "/dev/null", "--rate", "1000/s", "-w", "%{stderr}%{http_code}\n"]);
    let refused = Watch::codes(&mut asking)?;
    let end = Instant::now() + Duration::from_secs(10);
    while far.last_of(&name)? == 0 {
        if Instant::now() > end {
            bail!("{name} reaches nobody outside");
        }
        std::thread::sleep(Duration::from_millis(5));
    }

    let (begun, wall) = (now_ns()?, SystemTime::now());
    let decided = house.api(Who::Staff, "POST", &path, Some(&decision))?;
    let since = |moment: i64| (moment - begun) as f64 / 1e6;
    times.answered.push(since(now_ns()?));
    if decided.status != 201 {
        bail!("it was not decided: {:?}", decided.body);
    }
    times.refused.push(since(refused.moment()?));
    times.stream.push(since(stream.moment()?));
    times.php.push(since(php.moment()?));
    // Its end is silence: what is heard of it now was its last.
    std::thread::sleep(Duration::from_millis(200));
    times.out.push(since(far.last_of(&name)?));
    let (kept, in_force) = told(house, decided.body["id"].as_str().context("a measure")?, wall)?;
    times.kept.push(kept);
    times.in_force.push(in_force);
    Ok(())
}

/// What the node itself said: milliseconds until it had the measure on disk, and until it was in force.
fn told(house: &House, measure: &str, begun: SystemTime) -> Result<(f64, f64)> {
    let begun = begun.duration_since(SystemTime::UNIX_EPOCH)?.as_secs_f64();
    let asked = format!(
        "select extract(epoch from kept), extract(epoch from in_force) from measure_node where measure = '{measure}' and state = 'in-force'"
    );
    let end = Instant::now() + Duration::from_secs(10);
    loop {
        let row = house.sql(&asked)?;
        if let Some((kept, in_force)) = row.split_once('|') {
            let since = |text: &str| text.parse::<f64>().map(|at| (at - begun) * 1e3);
            return Ok((since(kept)?, since(in_force)?));
        }
        if Instant::now() > end {
            bail!("the measure is not in force");
        }
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// Sites with a volume, a sandbox that has run, and so a port. Returns their numbers.
pub(crate) fn real_sites(house: &House, count: usize) -> Result<Vec<u64>> {
    let mut numbers = Vec::new();
    for index in 0..count {
        let spec = json!({ "domains": [format!("t{index}.demo-sites.test")], "runtime": "php-8.4", "database": "none", "size": 256 << 20 });
        let made = site(house, &format!("t{index}"), &spec)?;
        numbers.push(made["solution"]["number"].as_u64().context("a number")?);
    }
    for (index, number) in numbers.iter().enumerate() {
        house.wait_state(&format!("t{index}"), "running")?;
        put(house, *number, "live.php", LIVE)?;
        put(house, *number, "hello.txt", "hello")?;
        put(house, *number, "hello.php", "<?php echo 'hello';")?;
        // A port is made at the first start.
        answers(house, &format!("t{index}.demo-sites.test"), "/hello.php")?;
    }
    Ok(numbers)
}

/// Rows without volumes: stopped sites that never ran, written into the private database as control would have, and sent
/// to the node when control is started again. Returns when the node has settled on every one of them.
pub(crate) fn rows(house: &House, count: usize) -> Result<()> {
    house.sql(&format!(
        "insert into solution (id, number, account, node, name, kind, aim, spec, epoch) \
             select gen_random_uuid(), 1000000 + g, account, node, 'row' || g, kind, 'stop', \
             jsonb_set(spec, '{{domains}}', to_jsonb(array['row' || g || '.demo-sites.test'])), epoch \
             from solution, generate_series(1, {count}) g where name = 't0'"
    ))?;
    let begun = Instant::now();
    let old = house.kill("control")?;
    house.wait_reborn("control", old)?;
    loop {
        let open = house.sql("select count(*) from solution where seen_state is distinct from 'settled'")?;
        if open == "0" {
            break;
        }
        if begun.elapsed() > Duration::from_secs(300) {
            bail!("{open} of the rows are not settled");
        }
        std::thread::sleep(Duration::from_millis(200));
    }
    println!("{count} rows were sent, kept and settled on in {:.1} s", begun.elapsed().as_secs_f64());
    let last = house.get(&format!("row{count}.demo-sites.test"), "/", &["-k"])?;
    if last.status != 503 {
        bail!("the edge does not know the last row: {last:?}");
    }
    Ok(())
}

/// Gives the machine's end of the house's link an address that a site's connections may go to; it goes with the link.
fn far_address(house: &House) -> Result<String> {
    let edge = house.status()["addresses"]["edge"].as_str().unwrap_or_default().to_owned();
    let output = Command::new("ip").args(["-j", "route", "get", &edge]).output().context("running ip")?;
    let route: Value = serde_json::from_slice(&output.stdout).with_context(|| text(&output.stderr))?;
    let link = route[0]["dev"].as_str().context("no link to the house")?.to_owned();
    let added = Command::new("ip").args(["addr", "add", &format!("{FAR}/32"), "dev", &link]).output()?;
    if !added.status.success() {
        bail!("the far address was not set: {}", text(&added.stderr));
    }
    Ok(link)
}
