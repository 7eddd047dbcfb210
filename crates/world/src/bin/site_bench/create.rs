//! `site.create`: from the order to a working front page of WordPress, beside the same steps done by hand.

use crate::peer::{SHARED, Shared};
use crate::site;
use anyhow::{Result, bail};
use husorden_world::bench::{Better, Figure, ms, quantile};
use husorden_world::{House, Who};
use serde_json::json;
use std::time::{Duration, Instant};

/// Samples.
const SAMPLES: usize = 5;

pub(crate) fn create(house: &House) -> Result<()> {
    let by_hand = Shared::start(house)?;
    let (mut ours, mut own, mut shared) = (Vec::new(), Vec::new(), Vec::new());
    // They end after the figures are taken.
    let mut servers = Vec::new();
    for round in 0..SAMPLES {
        let timed = |samples: &mut Vec<f64>, work: &mut dyn FnMut() -> Result<()>| {
            let begun = Instant::now();
            work()?;
            samples.push(ms(begun.elapsed()));
            anyhow::Ok(())
        };
        let name = format!("made{round}");
        let mut platform = || wordpress(house, &name);
        let mut person = || {
            let server = format!("db{round}");
            servers.push(by_hand.start_db(&server)?);
            by_hand.create(2 * round + 1, &server)
        };
        // In turns, now one first and now the other.
        if round % 2 == 0 {
            timed(&mut own, &mut person)?;
            timed(&mut ours, &mut platform)?;
        } else {
            timed(&mut ours, &mut platform)?;
            timed(&mut own, &mut person)?;
        }
        timed(&mut shared, &mut || by_hand.create(2 * round + 2, SHARED))?;
        house.api(Who::Account, "DELETE", &format!("/v1/solutions/{name}"), None)?;
    }
    Figure {
        name: "site.create",
        ours: quantile(&mut ours, 0.5),
        peer: Some((quantile(&mut own, 0.5), "the same steps by hand, a database server of its own among them")),
        unit: "ms",
        better: Better::Less,
        note: format!(
            "n={SAMPLES}, median; ours with a certificate besides; by hand in a database server that runs already and is shared: {:.0} ms",
            quantile(&mut shared, 0.5)
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
