//! A caller that keeps its connection, and counts only what was answered as it should be.

use anyhow::{Context, Result, bail};
use husorden_world::bench::ms;
use serde_json::Value;
use std::time::{Duration, Instant};
use ureq::Agent;

/// A caller of one address.
pub(crate) struct Caller {
    agent: Agent,
    address: String,
    header: (&'static str, String),
}

impl Caller {
    /// Of the API, with a token or a session.
    pub(crate) fn api(address: &str, bearer: &str) -> Self {
        Self { agent: agent(), address: address.to_owned(), header: ("authorization", format!("Bearer {bearer}")) }
    }

    /// The status of an answer and its body, and how long it took.
    pub(crate) fn send(&self, method: &str, path: &str, body: Option<&Value>) -> Result<(u16, String, f64)> {
        let mut request = ureq::http::Request::builder().method(method).uri(format!("{}{path}", self.address));
        if !self.header.1.ends_with(' ') {
            request = request.header(self.header.0, &self.header.1);
        }
        if body.is_some() {
            request = request.header("content-type", "application/json");
        }
        let body = body.map(Value::to_string).unwrap_or_default();
        let begun = Instant::now();
        let mut response =
            self.agent.run(request.body(body.into_bytes())?).with_context(|| format!("{method} {path}"))?;
        let text = response.body_mut().read_to_string()?;
        Ok((response.status().as_u16(), text, ms(begun.elapsed())))
    }

    /// A body that was answered with this status.
    pub(crate) fn json(&self, method: &str, path: &str, body: Option<&Value>, status: u16) -> Result<Value> {
        let (said, text, _) = self.send(method, path, body)?;
        if said != status {
            bail!("{method} {path}: {said} {text}");
        }
        Ok(if text.is_empty() { Value::Null } else { serde_json::from_str(&text)? })
    }

    /// Waits for the end of a stream of events that is open now.
    pub(crate) fn stream_until_its_end(&self, path: &str, open: impl FnOnce()) -> Result<()> {
        let request = ureq::http::Request::builder()
            .uri(format!("{}{path}", self.address))
            .header(self.header.0, &self.header.1)
            .header("accept", "text/event-stream");
        let response = self.agent.run(request.body(Vec::<u8>::new())?)?;
        if response.status() != 200 {
            bail!("the stream was answered {}", response.status());
        }
        open();
        // However it ends, it is over.
        let _ = std::io::copy(&mut response.into_body().into_reader(), &mut std::io::sink());
        Ok(())
    }
}

fn agent() -> Agent {
    Agent::config_builder()
        .http_status_as_error(false)
        .allow_non_standard_methods(true)
        .timeout_global(Some(Duration::from_secs(60)))
        .build()
        .into()
}

/// Asks again and again until the answer has this status; the answer is how long that took.
pub(crate) fn until(caller: &Caller, path: &str, status: u16, pause: Duration, patience: Duration) -> Result<f64> {
    let begun = Instant::now();
    loop {
        let (said, text, _) = caller.send("GET", path, None)?;
        if said == status {
            return Ok(ms(begun.elapsed()));
        }
        if begun.elapsed() > patience {
            bail!("{path} is answered {said} and not {status}: {text}");
        }
        std::thread::sleep(pause);
    }
}
