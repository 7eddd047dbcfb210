//! `site.create`: from the order to a working front page of WordPress.

use crate::site;
use anyhow::{Result, bail};
use husorden_world::bench::{Better, Figure, ms, quantile};
use husorden_world::{House, Who};
use serde_json::json;
use std::time::{Duration, Instant};

/// Samples.
const SAMPLES: usize = 5;

/// From the order to a working front page of WordPress.
pub(crate) fn create(house: &House) -> Result<()> {
    let mut ours = Vec::new();
    for round in 0..SAMPLES {
        let (name, domain) = (format!("made{round}"), format!("made{round}.demo-sites.test"));
        let app =
            json!({ "name": "wordpress", "title": "Made", "admin_email": "owner@made.example", "admin_user": "owner" });
        let begun = Instant::now();
        site(house, &name, &json!({ "domains": [domain], "runtime": "php-8.4", "app": app }))?;
        loop {
            let page = house.get(&domain, "/", &[])?;
            if page.status == 200 && page.body.contains("wp-content") {
                break;
            }
            if begun.elapsed() > Duration::from_secs(120) {
                bail!("{name} does not answer: {page:?}");
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        ours.push(ms(begun.elapsed()));
        house.api(Who::Account, "DELETE", &format!("/v1/solutions/{name}"), None)?;
    }
    Figure {
        name: "site.create",
        ours: quantile(&mut ours, 0.5),
        peer: None,
        unit: "ms",
        better: Better::Less,
        note: format!("n={SAMPLES}, median, from the API call to a WordPress front page over TLS"),
    }
    .report()
}
