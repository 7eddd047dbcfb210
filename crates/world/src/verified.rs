//! The bench of a measure that is verified: from the decision until a probe in another network has met it.

use crate::bench::{Better, Figure, ms, quantile};
use crate::{House, Who};
use anyhow::{Context, Result, bail};
use serde_json::json;
use std::time::{Duration, Instant};

/// Measures, one after the other.
const SAMPLES: usize = 100;
/// Pause between two looks at the API: it is part of the figure.
const LOOK_PAUSE: Duration = Duration::from_millis(5);
/// Why, in each decision.
const WHY: &str = "A bench of the way from a decision to what strangers meet.";

/// A website: the API's answer to a decision is not waited for, what it shows as seen is.
///
/// # Errors
/// When a measure is not seen.
pub fn website(house: &House) -> Result<()> {
    let spec = json!({ "domains": ["verified.demo-sites.test"], "runtime": "static", "database": "none" });
    let body = json!({ "kind": "website", "name": "verified", "spec": spec });
    let made = house.api(Who::Account, "POST", "/v1/solutions", Some(&body))?;
    let id = made.body["solution"]["id"].as_str().with_context(|| format!("no site: {:?}", made.body))?.to_owned();
    house.wait_state("verified", "running")?;
    let mut times = Vec::new();
    for _ in 0..SAMPLES {
        let case = json!({ "solution": id, "clause": "network.attack", "facts": WHY });
        let case = house.api(Who::Staff, "POST", "/v1/cases", Some(&case))?;
        let path = format!("/v1/cases/{}/decisions", case.body["id"].as_str().context("a case")?);
        let decision = json!({ "clause": "network.attack", "reasons": WHY, "facts": WHY, "scope": { "of": "solution", "id": id } });
        let begun = Instant::now();
        let measure = house.api(Who::Staff, "POST", &path, Some(&decision))?;
        let measure =
            measure.body["id"].as_str().with_context(|| format!("no measure: {:?}", measure.body))?.to_owned();
        seen(house, &measure, "closed")?;
        times.push(ms(begun.elapsed()));
        let lift =
            house.api(Who::Staff, "POST", &format!("/v1/measures/{measure}/lift"), Some(&json!({ "reasons": WHY })))?;
        if lift.status != 200 {
            bail!("it was not lifted: {:?}", lift.body);
        }
        seen(house, &measure, "open")?;
    }
    Figure {
        name: "measure.verified_p99_website",
        ours: quantile(&mut times, 0.99),
        peer: None,
        unit: "ms",
        better: Better::Less,
        note: format!(
            "p99, n={SAMPLES}; API call until the API says that a probe in another network met 403 with the case number"
        ),
    }
    .report()
}

fn seen(house: &House, measure: &str, what: &str) -> Result<()> {
    let end = Instant::now() + Duration::from_secs(30);
    loop {
        let found = house.api(Who::Staff, "GET", &format!("/v1/measures/{measure}"), None)?;
        if found.body["measure"]["seen"]["what"] == what {
            return Ok(());
        }
        if Instant::now() > end {
            bail!("{measure} is not seen {what}: {:?}", found.body);
        }
        std::thread::sleep(LOOK_PAUSE);
    }
}
