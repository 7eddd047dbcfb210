//! `db.pg_wake`, `db.mariadb_wake`: connecting to an instance that sleeps, beside a bare start.

use crate::bare::Bare;
use crate::instance::Instance;
use anyhow::Result;
use husorden_world::House;
use husorden_world::bench::{Better, Figure, ms, quantile};
use serde_json::json;
use std::time::Instant;

const SAMPLES: usize = 15;

pub(crate) fn postgres(house: &House) -> Result<()> {
    let instance = Instance::order(house, "pg", "postgresql-15", &json!({}))?;
    instance.runs()?;
    let bare = Bare::new(house, "postgresql-15")?;
    instance.until(|one| one.psql("select 1"))?;
    bare.postgres_init()?;
    let settings = bare.settings_of(&instance)?;
    wake("db.pg_wake", &instance, |one| one.psql("select 1"), || bare.postgres(&settings).map(drop_later))
}

pub(crate) fn mariadb(house: &House) -> Result<()> {
    let instance = Instance::order(house, "my", "mariadb-11.8", &json!({}))?;
    instance.runs()?;
    let bare = Bare::new(house, "mariadb-11.8")?;
    instance.until(|one| one.mariadb("select 1"))?;
    bare.mariadb_init()?;
    let settings = bare.mariadb_settings_of(&instance)?;
    wake("db.mariadb_wake", &instance, |one| one.mariadb("select 1"), || bare.mariadb(Some(settings)).map(drop_later))
}

/// A server that ends after its time was taken.
fn drop_later(running: husorden_world::hand::Running) -> Box<dyn std::any::Any> {
    Box::new(running)
}

fn wake(
    name: &str,
    instance: &Instance<'_>,
    ask: fn(&Instance<'_>) -> Result<String>,
    start: impl Fn() -> Result<Box<dyn std::any::Any>>,
) -> Result<()> {
    let (mut ours, mut peer) = (Vec::new(), Vec::new());
    for _ in 0..SAMPLES {
        instance.sleeps()?;
        let begun = Instant::now();
        ask(instance)?;
        ours.push(ms(begun.elapsed()));
        let begun = Instant::now();
        let running = start()?;
        peer.push(ms(begun.elapsed()));
        drop(running);
    }
    Figure {
        name,
        ours: quantile(&mut ours, 0.5),
        peer: Some((quantile(&mut peer, 0.5), "a bare start")),
        unit: "ms",
        better: Better::Less,
        note: format!(
            "n={SAMPLES}, median; ours from connecting over TLS by the door to the answer, bare from starting the server to an answer on its unix socket"
        ),
    }
    .report()
}
