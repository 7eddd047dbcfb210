//! `panel.page_200`: pages of a customer with two hundred solutions, as a browser fetches them: over TLS, with a session, each
//! made anew on the server. The figure is the p99 of the slowest page.

use crate::ask::Caller;
use crate::load;
use anyhow::{Context, Result, bail};
use husorden_world::bench::{Better, Figure, quantile};
use husorden_world::{House, text};
use serde_json::json;
use std::io::Write;
use std::process::{Command, Stdio};

const SAMPLES: usize = 40;
/// Pages a second: at a pace that the API grants one session, for a page asks it several times.
const PACE: &str = "8/s";

const SEED: &str = "
insert into node (name, heard) values ('elsewhere', now() + interval '1 day');
insert into solution (id, account, node, name, kind, aim, spec, epoch, seen, seen_state, seen_generation)
  select ('01900000-0000-7000-9000-' || lpad(to_hex(n), 12, '0'))::uuid, d.account, 'elsewhere', 'shop-' || n, d.kind, 'run', d.spec, d.epoch,
         jsonb_set(d.seen, '{generation}', '1'), 'settled', 1
  from generate_series(2, 200) n, (select * from solution where deleted is null and seen is not null limit 1) d;
select count(*) from solution where deleted is null;
";

pub(crate) fn page(house: &House) -> Result<()> {
    let count = house.sql(SEED).context("making two hundred solutions")?;
    let (email, password) = house.owner()?;
    let form = json!({ "email": email, "password": password, "realm": "account" });
    let opened = Caller::api(&house.api_address(), "").json("POST", "/v1/sessions", Some(&form), 201)?;
    let session = opened["session"].as_str().context("a session")?;
    let own = Caller::api(&house.api_address(), session);
    let rules = own.json("GET", "/v1/rules/acceptance", None, 200)?;
    if let (Some(version), false) = (rules["in_force"].as_u64(), rules["accepted"] == true) {
        own.json("POST", "/v1/rules/acceptance", Some(&json!({ "version": version })), 201)?;
    }
    let second = format!("/?after={}", first_page_end(&own)?);
    let pages = [
        "/",
        second.as_str(),
        "/?q=shop-1",
        "/create",
        "/solutions/shop-77",
        "/solutions/shop-77/settings",
        "/solutions/shop-77/snapshots",
        "/decisions",
        "/evidence",
        "/members",
        "/tokens",
        "/billing",
        "/security",
    ];
    let mut slowest: (f64, &str) = (0.0, "");
    let mut all = Vec::new();
    for path in pages {
        let mut times = fetch(house, session, path)?;
        let p99 = quantile(&mut times, 0.99);
        println!(
            "  {:<30} p50 {:>7.2} ms   p99 {p99:>7.2} ms",
            if path == second { "/?after" } else { path },
            quantile(&mut times, 0.5)
        );
        if p99 > slowest.0 {
            slowest = (p99, path);
        }
        all.extend(times);
    }
    Figure {
        name: "panel.page_200",
        ours: slowest.0,
        peer: None,
        unit: "ms",
        better: Better::Less,
        note: format!(
            "p99 of the slowest of {} pages ({}), n={SAMPLES} each, {count} solutions; over TLS on one connection; of all p50 {:.1}, p99 {:.1}; load {}",
            pages.len(),
            slowest.1,
            quantile(&mut all, 0.5),
            quantile(&mut all, 0.99),
            load()
        ),
    }
    .report()
}

/// Fetches a page again and again over one connection, and gives what each took in milliseconds, without the first ones.
fn fetch(house: &House, session: &str, path: &str) -> Result<Vec<f64>> {
    let panel = house.status()["addresses"]["panel"].as_str().context("the panel's address")?;
    let host = panel.strip_prefix("https://").context("an address of HTTPS")?;
    let mut curl = Command::new("curl")
        .args([
            "--resolve",
            &format!("{host}:127.0.0.1"),
            "--cacert",
            house.status()["ca"].as_str().context("the root")?,
        ])
        .args(["--rate", PACE, "--silent", "--show-error", "--fail", "--config", "-"])
        .args(["--write-out", "%{http_code} %{size_download} %{time_pretransfer} %{time_total}\n"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .context("starting curl")?;
    // The session goes by the pipe, not by the command line.
    let mut said = format!("header = \"cookie: __Host-session={session}\"\n");
    for _ in 0..SAMPLES + 3 {
        said += &format!("url = \"{panel}{path}\"\noutput = /dev/null\n");
    }
    curl.stdin.take().context("the way to curl")?.write_all(said.as_bytes())?;
    let output = curl.wait_with_output()?;
    let mut times = Vec::new();
    for line in text(&output.stdout).lines().skip(3) {
        let fields: Vec<f64> = line.split(' ').filter_map(|field| field.parse().ok()).collect();
        match fields[..] {
            [200.0, size, begun, ended] if size > 2_000.0 => times.push((ended - begun) * 1e3),
            _ => bail!("{path}: {line}"),
        }
    }
    if times.len() < SAMPLES {
        bail!("{path}: {} of {SAMPLES} answers", times.len());
    }
    Ok(times)
}

/// Where the second page of fifty begins.
fn first_page_end(own: &Caller) -> Result<String> {
    let first = own.json("GET", "/v1/solutions?limit=50", None, 200)?;
    Ok(first["next"].as_str().context("a second page")?.to_owned())
}
