//! `db.pgbench_select`, `db.pgbench_tpcb`: transactions a second through port, TLS and sandbox, with quotas and 14 snapshots, beside
//! the same server under the same settings, bare on the machine's own file system, with and without TLS.

use crate::bare::{Bare, PORT};
use crate::instance::Instance;
use anyhow::{Context, Result};
use husorden_world::bench::{Better, Figure, quantile};
use husorden_world::hand::run;
use husorden_world::{House, Who};
use serde_json::json;
use std::process::Command;

const SCALE: &str = "10";
const CLIENTS: &str = "4";
const ROUNDS: usize = 5;
const SECONDS: &str = "10";
const SNAPSHOTS: usize = 14;
const PGBENCH: &str = "/usr/lib/postgresql/15/bin/pgbench";

pub(crate) fn pgbench(house: &House) -> Result<()> {
    let spec = json!({ "size": "3 GiB", "memory": "1 GiB", "cpu_percent": 800 });
    let instance = Instance::order(house, "pg", "postgresql-15", &spec)?;
    instance.runs()?;
    instance.until(|one| one.psql("select 1"))?;
    let ours = |arguments: &[&str]| {
        let mut command = instance.libpq_client(PGBENCH);
        command.args(arguments).arg(instance.libpq());
        command
    };
    run(&mut ours(&["-i", "-q", "-s", SCALE]))?;

    let bare = Bare::new(house, "postgresql-15")?;
    bare.postgres_init()?;
    let _running = bare.postgres(&bare.settings_of(&instance)?)?;
    bare.psql("postgres", "create database app")?;
    let by_hand = |tls: &str, arguments: &[&str]| {
        let mut command = Command::new(PGBENCH);
        command.args(arguments).arg(format!("host=127.0.0.1 port={PORT} user=app dbname=app sslmode={tls}"));
        command
    };
    run(&mut by_hand("require", &["-i", "-q", "-s", SCALE]))?;
    for number in 0..SNAPSHOTS {
        let label = json!({ "label": format!("day {number}") });
        let order = house.api(Who::Account, "POST", "/v1/solutions/pg/snapshots", Some(&label))?;
        house.wait_order(order.body["id"].as_str().context("an order")?)?;
    }

    for (name, script) in [("db.pgbench_select", "select-only"), ("db.pgbench_tpcb", "tpcb-like")] {
        let arguments = ["-n", "-M", "prepared", "-b", script, "-c", CLIENTS, "-j", "2", "-T", SECONDS];
        let (mut own, mut tls, mut clear) = (Vec::new(), Vec::new(), Vec::new());
        for round in 0..ROUNDS {
            for turn in 0..3 {
                match (round + turn) % 3 {
                    0 => own.push(rate(&mut ours(&arguments))?),
                    1 => tls.push(rate(&mut by_hand("require", &arguments))?),
                    _ => clear.push(rate(&mut by_hand("disable", &arguments))?),
                }
            }
        }
        let (own, clear) = (quantile(&mut own, 0.5), quantile(&mut clear, 0.5));
        Figure {
            name,
            ours: own,
            peer: Some((quantile(&mut tls, 0.5), "the same server bare, TLS")),
            unit: "transactions/s",
            better: Better::More,
            note: format!(
                "median of {ROUNDS} runs of {SECONDS} s, scale {SCALE}, {CLIENTS} clients, {SNAPSHOTS} snapshots there; ours takes TLS only; bare without TLS {clear:.0}, ratio to that {:.2}",
                own / clear
            ),
        }
        .report()?;
    }
    Ok(())
}

/// Transactions a second, as pgbench says, connecting left out.
fn rate(command: &mut Command) -> Result<f64> {
    let said = run(command)?;
    let line = said.lines().find_map(|line| line.strip_prefix("tps = ")).context("a rate")?;
    Ok(line.split(' ').next().context("a rate")?.parse()?)
}
