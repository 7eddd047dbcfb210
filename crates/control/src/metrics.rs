//! Metrics for Prometheus (text format 0.0.4), on a listener of their own that only this machine reaches.

use crate::app::App;
use crate::platform::{self, Standing};
use crate::store::look::{self, Look};
use axum::Router;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use http::{Method, StatusCode, header};
use jiff::Timestamp;
use std::collections::BTreeMap;
use std::fmt::Write;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;
use tokio::net::TcpListener;

/// Upper ends of the buckets of latencies, in seconds.
const BUCKETS_S: [f64; 9] = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 5.0];

/// What the process counts of its own requests.
#[derive(Debug, Default)]
pub(crate) struct Metrics {
    requests: Mutex<BTreeMap<(&'static str, String, u16), u64>>,
    latencies: Mutex<BTreeMap<&'static str, Latency>>,
}

#[derive(Debug, Default)]
struct Latency {
    buckets: [u64; BUCKETS_S.len()],
    count: u64,
    sum_s: f64,
}

impl Metrics {
    /// Counts an answer of a route. Paths are those of the table: a caller can't make up labels.
    pub(crate) fn answered(&self, path: &'static str, method: &Method, status: StatusCode, spent: Duration) {
        let mut requests = self.requests.lock().unwrap_or_else(PoisonError::into_inner);
        *requests.entry((path, method.as_str().to_owned(), status.as_u16())).or_default() += 1;
        drop(requests);
        let spent_s = spent.as_secs_f64();
        let mut latencies = self.latencies.lock().unwrap_or_else(PoisonError::into_inner);
        let latency = latencies.entry(path).or_default();
        for (bucket, end) in latency.buckets.iter_mut().zip(BUCKETS_S) {
            *bucket += u64::from(spent_s <= end);
        }
        latency.count += 1;
        latency.sum_s += spent_s;
    }

    /// The text of everything, in the order of its names.
    fn text(&self, look: Option<&Look>) -> String {
        let mut page = Page::default();
        page.head("husorden_requests_total", "counter", "Answers of the API by route, method and status");
        let requests = self.requests.lock().unwrap_or_else(PoisonError::into_inner);
        let mut failed_log_ins = 0;
        for ((path, method, status), count) in requests.iter() {
            if *path == "/v1/sessions" && method == "POST" && *status == 401 {
                failed_log_ins = *count;
            }
            let status = status.to_string();
            page.line("husorden_requests_total", &[("route", path), ("method", method), ("status", &status)], *count);
        }
        drop(requests);
        page.head("husorden_log_ins_failed_total", "counter", "Log-ins that failed");
        page.line("husorden_log_ins_failed_total", &[], failed_log_ins);
        page.head("husorden_request_seconds", "histogram", "Time to the answer by route");
        for (path, latency) in self.latencies.lock().unwrap_or_else(PoisonError::into_inner).iter() {
            for (count, end) in latency.buckets.iter().zip(BUCKETS_S) {
                page.line("husorden_request_seconds_bucket", &[("route", path), ("le", &end.to_string())], *count);
            }
            page.line("husorden_request_seconds_bucket", &[("route", path), ("le", "+Inf")], latency.count);
            page.line("husorden_request_seconds_sum", &[("route", path)], latency.sum_s);
            page.line("husorden_request_seconds_count", &[("route", path)], latency.count);
        }
        page.head("husorden_database_up", "gauge", "Whether the database answers");
        page.line("husorden_database_up", &[], u8::from(look.is_some()));
        if let Some(look) = look {
            page.of_the_house(look);
        }
        page.0
    }
}

/// The text, as it grows.
#[derive(Default)]
struct Page(String);

impl Page {
    fn head(&mut self, name: &str, kind: &str, help: &str) {
        let _ = writeln!(self.0, "# HELP {name} {help}\n# TYPE {name} {kind}");
    }

    fn line(&mut self, name: &str, labels: &[(&str, &str)], value: impl std::fmt::Display) {
        self.0.push_str(name);
        for (at, (label, text)) in labels.iter().enumerate() {
            let text = text.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n");
            let _ = write!(self.0, "{}{label}=\"{text}\"", if at == 0 { '{' } else { ',' });
        }
        if !labels.is_empty() {
            self.0.push('}');
        }
        let _ = writeln!(self.0, " {value}");
    }

    fn of_the_house(&mut self, look: &Look) {
        self.head("husorden_jobs", "gauge", "Jobs by kind and state");
        for jobs in &look.jobs {
            for (state, count) in [("open", jobs.open), ("late", jobs.late), ("dead", jobs.dead)] {
                self.line("husorden_jobs", &[("kind", &jobs.kind), ("state", state)], count);
            }
        }
        self.head("husorden_job_oldest_seconds", "gauge", "For how long the oldest due job has waited");
        for jobs in &look.jobs {
            self.line("husorden_job_oldest_seconds", &[("kind", &jobs.kind)], jobs.oldest_s);
        }
        self.head("husorden_node_connected", "gauge", "Whether a node is connected");
        for node in &look.nodes {
            self.line("husorden_node_connected", &[("node", &node.name)], u8::from(node.connected));
        }
        self.head("husorden_node_silent_seconds", "gauge", "For how long a node was not heard");
        for node in &look.nodes {
            if let Some(silent_s) = node.silent_s {
                self.line("husorden_node_silent_seconds", &[("node", &node.name)], silent_s);
            }
        }
        self.head("husorden_solutions", "gauge", "Solutions by kind and what their node last said");
        for solutions in &look.solutions {
            let labels = [("kind", solutions.kind.as_str()), ("state", solutions.state.as_str())];
            self.line("husorden_solutions", &labels, solutions.count);
        }
        if let Some(checkpoint_s) = look.checkpoint_s {
            self.head("husorden_checkpoint_seconds", "gauge", "Age of the newest signed checkpoint of the evidence");
            self.line("husorden_checkpoint_seconds", &[], checkpoint_s);
        }
        self.head(
            "husorden_backups",
            "gauge",
            "Solutions with a backup plan, and those among them that do not stand as they should",
        );
        let backups = &look.backups;
        for (state, count) in [
            ("planned", backups.planned),
            ("late", backups.late),
            ("failed", backups.failed),
            ("unproven", backups.unproven),
            ("proof-failed", backups.proofs_failed),
        ] {
            self.line("husorden_backups", &[("state", state)], count);
        }
        if let Some(oldest_s) = backups.oldest_unproven_s {
            self.head(
                "husorden_proof_oldest_seconds",
                "gauge",
                "For how long the backup that has waited longest was not proven",
            );
            self.line("husorden_proof_oldest_seconds", &[], oldest_s);
        }
        for (name, help, value) in [
            ("husorden_measures_standing", "Measures that stand", look.measures_standing),
            (
                "husorden_measures_not_in_force",
                "Measures that a node does not have in force",
                look.measures_not_in_force,
            ),
            ("husorden_evidence_open", "Lines of evidence whose act has not ended in five minutes", look.evidence_open),
            ("husorden_database_bytes", "Size of the database", look.database_bytes),
        ] {
            self.head(name, "gauge", help);
            self.line(name, &[], value);
        }
    }
}

/// Serves the metrics for ever.
pub(crate) async fn serve(app: App, listener: TcpListener) {
    let router = Router::new().route("/metrics", get(show)).with_state(app);
    if let Err(error) = axum::serve(listener, router).await {
        tracing::error!(%error, "metrics are not served any more");
    }
    // The parts of control live as long as it does.
    std::future::pending::<()>().await;
}

/// The platform's own backups.
fn of_platform(standing: &Standing, now: Timestamp) -> String {
    let mut page = Page::default();
    let proof = standing.proof.as_ref();
    for (name, help, value) in [
        ("husorden_platform_backup_seconds", "Age of the platform's newest backup", age(standing.newest, now)),
        ("husorden_platform_proven_seconds", "Age of the last proof of it that passed", age(standing.proven, now)),
        (
            "husorden_platform_proof_failed",
            "Whether the last proof of it did not pass",
            proof.map(|proof| f64::from(u8::from(!proof.wrong.is_empty()))),
        ),
    ] {
        if let Some(value) = value {
            page.head(name, "gauge", help);
            page.line(name, &[], value);
        }
    }
    page.0
}

fn age(at: Option<Timestamp>, now: Timestamp) -> Option<f64> {
    at.map(|at| now.duration_since(at).as_secs_f64())
}

async fn show(State(app): State<App>) -> Response {
    let look = match look::look(app.doors().system()).await {
        Ok(look) => look,
        Err(error) => {
            tracing::warn!(%error, "the database can't be looked at for metrics");
            None
        }
    };
    let mut text = app.metrics().text(look.as_ref());
    if let Some(path) = &app.config().platform {
        text += &of_platform(&platform::standing(path), Timestamp::now());
    }
    ([(header::CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")], text).into_response()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_text_is_prometheus_own() {
        let metrics = Metrics::default();
        let spent = Duration::from_millis(30);
        metrics.answered("/v1/me", &Method::GET, StatusCode::OK, spent);
        metrics.answered("/v1/me", &Method::GET, StatusCode::OK, spent * 100);
        metrics.answered("/v1/sessions", &Method::POST, StatusCode::UNAUTHORIZED, spent);
        let text = metrics.text(None);
        for line in [
            r#"husorden_requests_total{route="/v1/me",method="GET",status="200"} 2"#,
            r#"husorden_request_seconds_bucket{route="/v1/me",le="0.025"} 0"#,
            r#"husorden_request_seconds_bucket{route="/v1/me",le="0.05"} 1"#,
            r#"husorden_request_seconds_bucket{route="/v1/me",le="+Inf"} 2"#,
            r#"husorden_request_seconds_sum{route="/v1/me"} 3.03"#,
            "husorden_log_ins_failed_total 1",
            "husorden_database_up 0",
        ] {
            assert!(text.lines().any(|found| found == line), "{line} in\n{text}");
        }
        let mut page = Page::default();
        page.line("x", &[("a", "b\"c\\d\ne")], 1);
        assert_eq!(page.0, "x{a=\"b\\\"c\\\\d\\ne\"} 1\n");
    }
}
