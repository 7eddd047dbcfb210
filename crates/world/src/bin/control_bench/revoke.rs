//! `access.revoke_p99`: a token is revoked, a session ended and a stream cut by one control, and another refuses. Both controls
//! are processes of their own on one PostgreSQL; the clock runs from the request at the one until the refusal by the other.

use crate::ask::{Caller, until};
use crate::load;
use crate::second::Second;
use anyhow::{Context, Result, bail};
use husorden_world::bench::{Better, Figure, ms, quantile};
use husorden_world::{House, Who};
use serde_json::{Value, json};
use std::sync::mpsc;
use std::time::{Duration, Instant};

/// Of each sort.
const SAMPLES: usize = 60;
/// Pause between two requests at the other control: it is part of the figure.
const PAUSE: Duration = Duration::from_millis(4);
const PATIENCE: Duration = Duration::from_secs(20);

pub(crate) fn revoke(house: &House) -> Result<()> {
    let second = Second::start(house)?;
    let first = Caller::api(&house.api_address(), house.token(Who::Account));
    let (mut tokens, mut sessions, mut streams) = (Vec::new(), Vec::new(), Vec::new());
    let mut device = None;
    for _ in 0..SAMPLES {
        tokens.push(token(&first, &second.address)?);
        streams.push(stream(&first, &second.address)?);
        sessions.push(session(house, &second.address, &mut device)?);
    }
    let p99 = |samples: &mut Vec<f64>| quantile(samples, 0.99);
    let each = [p99(&mut tokens), p99(&mut sessions), p99(&mut streams)];
    let mut all: Vec<f64> = [tokens, sessions, streams].concat();
    Figure {
        name: "access.revoke_p99",
        ours: quantile(&mut all, 0.99),
        peer: None,
        unit: "ms",
        better: Better::Less,
        note: format!(
            "p99, n={}; request at one control until refusal by another on the same PostgreSQL; tokens {:.0}, log-out {:.0}, an open stream of events cut {:.0}; p50 of all {:.0}; load {}",
            all.len(),
            each[0],
            each[1],
            each[2],
            quantile(&mut all, 0.5),
            load()
        ),
    }
    .report()
}

/// A token that both controls know: the one that made it, and the other by having let it in.
fn fresh(first: &Caller) -> Result<(String, String)> {
    let made = first.json("POST", "/v1/tokens", Some(&json!({ "label": "bench" })), 201)?;
    let told = |name: &str| made[name].as_str().with_context(|| format!("no {name} in {made}")).map(str::to_owned);
    Ok((told("id")?, told("token")?))
}

fn token(first: &Caller, other: &str) -> Result<f64> {
    let (id, token) = fresh(first)?;
    let other = Caller::api(other, &token);
    until(&other, "/v1/me", 200, PAUSE, PATIENCE)?;
    let begun = Instant::now();
    first.json("DELETE", &format!("/v1/tokens/{id}"), None, 204)?;
    until(&other, "/v1/me", 401, PAUSE, PATIENCE)?;
    Ok(ms(begun.elapsed()))
}

/// The owner logs in from one device, whose tries are its own: a stranger's would be slowed after twenty.
fn session(house: &House, other: &str, device: &mut Option<Value>) -> Result<f64> {
    let (email, password) = house.owner()?;
    let mut form = json!({ "email": email, "password": password, "realm": "account" });
    if let Some(device) = &device {
        form["device"] = device.clone();
    }
    let nobody = Caller::api(&house.api_address(), "");
    let opened = nobody.json("POST", "/v1/sessions", Some(&form), 201)?;
    if opened["device"].is_string() {
        *device = Some(opened["device"].clone());
    }
    let secret = opened["session"].as_str().context("a session")?;
    let (here, there) = (Caller::api(&house.api_address(), secret), Caller::api(other, secret));
    until(&there, "/v1/session", 200, PAUSE, PATIENCE)?;
    let begun = Instant::now();
    here.json("DELETE", "/v1/session", None, 204)?;
    until(&there, "/v1/session", 401, PAUSE, PATIENCE)?;
    Ok(ms(begun.elapsed()))
}

/// What is let in once and stays: the stream must end by itself.
fn stream(first: &Caller, other: &str) -> Result<f64> {
    let (id, token) = fresh(first)?;
    let (opened, is_open) = mpsc::channel();
    let reader = Caller::api(other, &token);
    let ended = std::thread::spawn(move || {
        reader.stream_until_its_end("/v1/events", || opened.send(()).unwrap_or_default())?;
        anyhow::Ok(Instant::now())
    });
    if is_open.recv_timeout(PATIENCE).is_err() {
        bail!("the stream did not open: {:?}", ended.join());
    }
    let begun = Instant::now();
    first.json("DELETE", &format!("/v1/tokens/{id}"), None, 204)?;
    let end = ended.join().map_err(|_| anyhow::anyhow!("the reader of the stream died"))??;
    Ok(ms(end.saturating_duration_since(begun)))
}
