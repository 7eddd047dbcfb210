//! `site.create`: from the order to a working front page of WordPress, beside the same steps done by hand.

use crate::peer::Shared;
use crate::site;
use anyhow::{Result, bail};
use husorden_world::bench::{Better, Figure, ms, quantile};
use husorden_world::{House, Who};
use serde_json::json;
use std::time::{Duration, Instant};

/// Samples.
const SAMPLES: usize = 5;

pub(crate) fn create(house: &House) -> Result<()> {
    let shared = Shared::start(house)?;
    let (mut ours, mut peer) = (Vec::new(), Vec::new());
    for round in 0..SAMPLES {
        // In turns, now one first and now the other.
        for by_hand in [round % 2 == 0, round % 2 != 0] {
            let begun = Instant::now();
            if by_hand {
                shared.create(round + 1)?;
                peer.push(ms(begun.elapsed()));
            } else {
                let name = format!("made{round}");
                wordpress(house, &name)?;
                ours.push(ms(begun.elapsed()));
                house.api(Who::Account, "DELETE", &format!("/v1/solutions/{name}"), None)?;
            }
        }
    }
    Figure {
        name: "site.create",
        ours: quantile(&mut ours, 0.5),
        peer: Some((quantile(&mut peer, 0.5), "the same steps by hand")),
        unit: "ms",
        better: Better::Less,
        note: format!(
            "n={SAMPLES}, median; ours with a database server and a certificate of its own, by hand a database in a shared server and no TLS"
        ),
    }
    .report()
}

/// Makes a WordPress site and waits for its front page.
pub(crate) fn wordpress(house: &House, name: &str) -> Result<()> {
    let domain = format!("{name}.demo-sites.test");
    let app =
        json!({ "name": "wordpress", "title": "Made", "admin_email": "owner@made.example", "admin_user": "owner" });
    let begun = Instant::now();
    site(house, name, &json!({ "domains": [domain], "runtime": "php-8.4", "app": app }))?;
    loop {
        let page = house.get(&domain, "/", &[])?;
        if page.status == 200 && page.body.contains("wp-content") {
            return Ok(());
        }
        if begun.elapsed() > Duration::from_secs(120) {
            bail!("{name} does not answer: {page:?}");
        }
        std::thread::sleep(Duration::from_millis(20));
    }
}
