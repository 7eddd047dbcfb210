//! `access.login_p99`: log-ins by password, fifty a second for twenty seconds, at the cost that passwords are hashed with in
//! production. A thousand people log in once each, from a device that has logged in before; they come when they come, whether
//! the one before was answered or not.

use crate::ask::Caller;
use crate::load;
use anyhow::{Context, Result, bail};
use husorden_world::House;
use husorden_world::bench::{Better, Figure, ms, quantile};
use serde_json::json;
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

const PEOPLE: usize = 1_000;
const A_SECOND: usize = 50;
/// Everybody has the owner's password, whose hash is of the cost that holds, and a device of his own: a secret in the form that
/// the API gives them, of which only the digest is kept.
const SEED: &str = "
create temp table bench as
  select n, gen_random_uuid() as id, d || left(encode(sha256(d::bytea), 'hex'), 6) as device
  from generate_series(0, 999) n, lateral (select 'hus_device_' || lpad(n::text, 32, '0') as d) x;
insert into person (id, email, name, language, password)
  select b.id, 'person' || n || '@bench.example', 'Person ' || n, o.language, o.password from bench b, person o where o.email = 'OWNER';
insert into member (account, person, role)
  select m.account, b.id, 'technical' from bench b, member m join person o on o.id = m.person where o.email = 'OWNER';
insert into device (id, person, digest, agent) select gen_random_uuid(), id, sha256(device::bytea), 'bench' from bench;
select device from bench order by n;
";

/// Threads that call; more than are ever under way, unless the house falls behind.
const CALLERS: usize = 100;

pub(crate) fn log_in(house: &House) -> Result<()> {
    let (email, password) = house.owner()?;
    let said = house.sql(&SEED.replace("OWNER", &email)).context("making a thousand people")?;
    let devices: Vec<String> = said.lines().map(str::to_owned).collect();
    if devices.len() != PEOPLE {
        bail!("{} people were made", devices.len());
    }

    let (send, come) = mpsc::channel::<(usize, Instant)>();
    let come = std::sync::Arc::new(std::sync::Mutex::new(come));
    let callers: Vec<_> = (0..CALLERS)
        .map(|_| {
            let (come, password, devices) = (come.clone(), password.clone(), devices.clone());
            let caller = Caller::api(&house.api_address(), "");
            thread::spawn(move || -> Result<Vec<f64>> {
                let mut times = Vec::new();
                loop {
                    let next = come.lock().map_err(|_| anyhow::anyhow!("a caller died"))?.recv();
                    let Ok((n, due)) = next else { return Ok(times) };
                    let form = json!({ "email": format!("person{n}@bench.example"), "password": password,
                        "realm": "account", "device": devices[n] });
                    let (status, said, _) = caller.send("POST", "/v1/sessions", Some(&form))?;
                    if status != 201 {
                        bail!("person {n} was answered {status}: {said}");
                    }
                    // From the moment it was due: who had to queue for a caller waited too.
                    times.push(ms(due.elapsed()));
                }
            })
        })
        .collect();
    let begun = Instant::now();
    for n in 0..PEOPLE {
        let due = begun + Duration::from_secs_f64(n as f64 / A_SECOND as f64);
        thread::sleep(due.saturating_duration_since(Instant::now()));
        send.send((n, due))?;
    }
    drop(send);
    let mut times = Vec::new();
    for caller in callers {
        times.extend(caller.join().map_err(|_| anyhow::anyhow!("a caller died"))??);
    }
    let took = begun.elapsed().as_secs_f64();
    Figure {
        name: "access.login_p99",
        ours: quantile(&mut times, 0.99),
        peer: None,
        unit: "ms",
        better: Better::Less,
        note: format!(
            "p99, n={PEOPLE} people at {A_SECOND}/s ({:.1}/s answered), Argon2id with 19 MiB and 2 passes on {} cores; p50 {:.0}; load {}",
            PEOPLE as f64 / took,
            thread::available_parallelism().map_or(0, std::num::NonZero::get),
            quantile(&mut times, 0.5),
            load()
        ),
    }
    .report()
}
