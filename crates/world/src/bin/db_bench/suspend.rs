//! `db.suspend_p99`: from a decision to the last query that was answered on a session that was open.

use crate::instance::Instance;
use anyhow::{Context, Result, bail};
use husorden_world::bench::{Better, Figure, ms, quantile};
use husorden_world::{House, Who};
use serde_json::json;
use std::io::{BufRead, BufReader, Write};
use std::process::Stdio;
use std::sync::mpsc;
use std::time::{Duration, Instant};

const SAMPLES: usize = 50;
const WHY: &str = "A bench of the way from a decision to a session that is open.";

pub(crate) fn suspend(house: &House) -> Result<()> {
    let instance = Instance::order(house, "pg", "postgresql-15", &json!({}))?;
    instance.runs()?;
    let mut times = Vec::new();
    for _ in 0..SAMPLES {
        instance.until(|one| one.psql("select 1"))?;
        times.push(one(house, &instance)?);
    }
    Figure {
        name: "db.suspend_p99",
        ours: quantile(&mut times, 0.99),
        peer: None,
        unit: "ms",
        better: Better::Less,
        note: format!(
            "p99, n={SAMPLES}; API call to the last answered query of a session that asks one after the other"
        ),
    }
    .report()
}

fn one(house: &House, instance: &Instance<'_>) -> Result<f64> {
    let mut psql = instance.libpq_client("psql");
    psql.args(["-XAtq", &instance.libpq(), "-f", "-"]);
    let mut psql = psql.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null()).spawn()?;
    let (mut to, from) = (psql.stdin.take().context("a pipe")?, psql.stdout.take().context("a pipe")?);
    let asking = std::thread::spawn(move || while writeln!(to, "select 1;").is_ok() {});
    let (said, first) = mpsc::channel();
    let hearing = std::thread::spawn(move || {
        let mut last = Instant::now();
        for _ in BufReader::new(from).lines().map_while(Result::ok) {
            last = Instant::now();
            let _ = said.send(());
        }
        last
    });
    first.recv_timeout(Duration::from_secs(20)).context("the session answers")?;

    let case = json!({ "solution": instance.id, "clause": "network.attack", "facts": WHY });
    let case = house.api(Who::Staff, "POST", "/v1/cases", Some(&case))?;
    let path = format!("/v1/cases/{}/decisions", case.body["id"].as_str().context("a case")?);
    let decision = json!({ "clause": "network.attack", "reasons": WHY, "facts": WHY, "scope": { "of": "solution", "id": instance.id } });
    let begun = Instant::now();
    let measure = house.api(Who::Staff, "POST", &path, Some(&decision))?;
    if measure.status != 201 {
        bail!("it was not decided: {:?}", measure.body);
    }
    house.wait_state(&instance.name, "closed")?;
    // A session whose packets are dropped hears nothing more: its client is ended, and what was heard last stands.
    std::thread::sleep(Duration::from_millis(300));
    psql.kill()?;
    psql.wait()?;
    let _ = asking.join();
    let Ok(last) = hearing.join() else { bail!("the reader ended early") };

    let path = format!("/v1/measures/{}/lift", measure.body["id"].as_str().context("a measure")?);
    house.api(Who::Staff, "POST", &path, Some(&json!({ "reasons": WHY })))?;
    house.wait_state(&instance.name, "running")?;
    Ok(ms(last.saturating_duration_since(begun)))
}
