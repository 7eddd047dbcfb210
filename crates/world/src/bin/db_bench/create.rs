//! `db.pg_create`, `db.mariadb_create`: from the order to the first answer over TLS by the door, beside making and starting a server
//! by hand.

use crate::bare::Bare;
use crate::instance::Instance;
use anyhow::Result;
use husorden_world::bench::{Better, Figure, ms, quantile};
use husorden_world::{House, Who};
use serde_json::json;
use std::time::Instant;

const SAMPLES: usize = 7;

pub(crate) fn postgres(house: &House) -> Result<()> {
    let by_hand = |engine: &str| {
        let bare = Bare::new(house, engine)?;
        let begun = Instant::now();
        bare.postgres_init()?;
        let running = bare.postgres(&[])?;
        let took = ms(begun.elapsed());
        drop(running);
        Ok(took)
    };
    create(house, "db.pg_create", "postgresql-15", "initdb and start", |one| one.psql("select 1"), by_hand)
}

pub(crate) fn mariadb(house: &House) -> Result<()> {
    let by_hand = |engine: &str| {
        let bare = Bare::new(house, engine)?;
        let begun = Instant::now();
        bare.mariadb_init()?;
        let running = bare.mariadb(None)?;
        let took = ms(begun.elapsed());
        drop(running);
        Ok(took)
    };
    create(
        house,
        "db.mariadb_create",
        "mariadb-11.8",
        "mariadb-install-db and start",
        |one| one.mariadb("select 1"),
        by_hand,
    )
}

fn create(
    house: &House,
    name: &str,
    engine: &str,
    peer_name: &str,
    ask: fn(&Instance<'_>) -> Result<String>,
    by_hand: impl Fn(&str) -> Result<f64>,
) -> Result<()> {
    // The first one of an engine waits for its runtime.
    let first = Instance::order(house, "first", engine, &json!({}))?;
    first.runs()?;
    let (mut ours, mut peer) = (Vec::new(), Vec::new());
    for round in 0..SAMPLES {
        for platform in [round % 2 == 0, round % 2 != 0] {
            if platform {
                let begun = Instant::now();
                let one = Instance::order(house, &format!("made{round}"), engine, &json!({}))?;
                // As a program does it: what asks too early waits a second for its packet to be sent again.
                one.runs()?;
                ask(&one)?;
                ours.push(ms(begun.elapsed()));
                house.api(Who::Account, "DELETE", &format!("/v1/solutions/made{round}"), None)?;
            } else {
                peer.push(by_hand(engine)?);
            }
        }
    }
    Figure {
        name,
        ours: quantile(&mut ours, 0.5),
        peer: Some((quantile(&mut peer, 0.5), peer_name)),
        unit: "ms",
        better: Better::Less,
        note: format!(
            "n={SAMPLES}, median; ours from the order, by the API's word that it runs, to an answer over TLS by the node's door, with a user, a password and an allow-list; by hand to an answer on the unix socket"
        ),
    }
    .report()
}
