//! The API, played at its door, for tests of whole pages: it answers what a real one seldom does, such as failed proofs and expired backups, and
//! keeps what was sent to it.

use crate::config::Config;
use crate::routes;
use axum::Router;
use axum::body::Body;
use axum::extract::Request;
use axum::response::{IntoResponse, Response};
use http::{Method, StatusCode, header};
use serde_json::{Value, json};
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use tower::ServiceExt;

const SESSION: &str = "hus_session_played";
pub(super) const SOLUTION: &str = "/v1/solutions/0190shop";

/// What was sent to the API: method, path with query, body.
type Sent = Arc<Mutex<Vec<(Method, String, Value)>>>;

/// A played API: what it answers to a path without its query, and what was sent to it.
#[derive(Clone, Default)]
pub(super) struct Played {
    answers: Vec<(String, Value)>,
    pub(super) sent: Sent,
}

impl Played {
    pub(super) fn new() -> Self {
        let mut played = Self::default();
        played.on("/v1/session", session(&["own", "read", "solution-create", "solution-change", "solution-delete"]));
        played.on("/v1/solutions/shop", solution());
        played.on(&format!("{SOLUTION}/backup-plan"), plan());
        played.on(&format!("{SOLUTION}/orders"), page(&[]));
        played.on(&format!("{SOLUTION}/backups"), page(&[backup("b3", 3), backup("b2", 2), backup("b1", 1)]));
        for (id, day) in [("b3", 3), ("b2", 2), ("b1", 1)] {
            played.on(&format!("{SOLUTION}/backups/{id}"), backup(id, day));
        }
        played.on(&format!("{SOLUTION}/proofs"), page(&[proof("p2", 3, false), proof("p1", 2, true)]));
        played
    }

    pub(super) fn on(&mut self, path: &str, answer: Value) {
        self.off(path);
        self.answers.push((path.to_owned(), answer));
    }

    /// Answers nothing to a path any more.
    pub(super) fn off(&mut self, path: &str) {
        self.answers.retain(|(held, _)| held != path);
    }

    async fn answer(self, request: Request) -> Response {
        let (parts, body) = request.into_parts();
        let bytes = axum::body::to_bytes(body, 1 << 20).await.expect("a body");
        let body = serde_json::from_slice(&bytes).unwrap_or(Value::Null);
        self.sent.lock().expect("nobody panics").push((parts.method, parts.uri.to_string(), body));
        let Some((_, answer)) = self.answers.iter().find(|(path, _)| path == parts.uri.path()) else {
            let refusal = husorden_base::Refusal::not_found(parts.uri.path());
            return (
                StatusCode::NOT_FOUND,
                axum::Json(json!({ "refusal": refusal, "type": "", "title": "", "status": 404, "detail": "" })),
            )
                .into_response();
        };
        axum::Json(answer.clone()).into_response()
    }

    pub(super) async fn send(&self, method: Method, path: &str, language: &str, form: &str) -> (StatusCode, String) {
        let played = self.clone();
        let api = Router::new().fallback(move |request: Request| played.clone().answer(request));
        let config = Config::new(Vec::new(), PathBuf::new(), PathBuf::new());
        let host = if path.starts_with("/targets") { "staff.localhost" } else { "panel.localhost" };
        let request = Request::builder()
            .method(method)
            .uri(path)
            .header(header::HOST, host)
            .header(header::COOKIE, format!("__Host-session={SESSION}; __Host-language={language}"))
            .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded")
            .body(Body::from(form.to_owned()))
            .expect("a request");
        let response =
            routes::over(api, &husorden_kinds::KINDS, config, 1 << 30).oneshot(request).await.expect("it answers");
        let (parts, body) = response.into_parts();
        let bytes = axum::body::to_bytes(body, 32 << 20).await.expect("a body");
        let lead = parts.headers.get(header::LOCATION).and_then(|at| at.to_str().ok()).unwrap_or_default();
        (parts.status, if lead.is_empty() { String::from_utf8_lossy(&bytes).into_owned() } else { lead.to_owned() })
    }

    pub(super) async fn get(&self, path: &str, language: &str) -> String {
        let (status, body) = self.send(Method::GET, path, language, "").await;
        assert_eq!(status, StatusCode::OK, "{path}\n{body}");
        body
    }

    /// Sends the form of a page; says where that leads, or the page it shows.
    pub(super) async fn post(&self, page: &str, to: &str, form: &str) -> String {
        let shown = self.get(page, "en").await;
        let token =
            shown.split("name=\"_token\" value=\"").nth(1).and_then(|rest| rest.split('"').next()).expect("a form");
        self.send(Method::POST, to, "en", &format!("_token={token}&{form}")).await.1
    }

    /// What was sent last by this method.
    pub(super) fn last(&self, method: &Method) -> (String, Value) {
        let sent = self.sent.lock().expect("nobody panics");
        let (_, path, body) = sent.iter().rev().find(|(found, ..)| found == method).expect("something was sent");
        (path.clone(), body.clone())
    }
}

pub(super) fn page(items: &[Value]) -> Value {
    json!({ "items": items })
}

pub(super) fn session(capabilities: &[&str]) -> Value {
    json!({
        "id": "s", "realm": "account", "staff_roles": [], "needs": [], "capabilities": capabilities,
        "person": { "id": "p", "email": "owner@customers.example", "name": "Owner One", "language": "en", "time_zone": "Europe/Copenhagen",
                    "second_factor": false, "recovery_codes_left": 0 },
        "account": { "id": "a", "name": "Customers", "role": "owner" }, "accounts": [{ "id": "a", "name": "Customers", "role": "owner" }],
        "idle_ends": "2030-01-01T00:00:00Z", "ends": "2030-01-01T00:00:00Z",
    })
}

pub(super) fn solution() -> Value {
    json!({
        "id": "0190shop", "number": 7, "account": "a", "account_name": "Customers", "name": "shop", "kind": "none", "aim": "run", "state": "running",
        "spec": {}, "findings": [], "labels": {}, "protected": false, "seen": {}, "generation": 3, "seen_generation": 3,
        "created": "2026-01-01T00:00:00Z", "changed": "2026-01-02T00:00:00Z",
    })
}

pub(super) fn backup(id: &str, day: u32) -> Value {
    json!({
        "id": id, "solution": "0190shop", "target": "offsite", "reason": if day == 2 { "asked" } else { "daily" }, "state": "ready",
        "taken": format!("2026-11-{:02}T01:14:00Z", day + 20), "files": 12_345, "bytes": 3_400_000_000_u64, "bytes_read": 52_000_000, "bytes_sent": 14_000_000,
        "took_ms": 8_400, "order": format!("o{day}"),
        "noted": { "counts": { "app.public.orders": { "least": 1200, "most": 1204 } }, "words": { "front page": "200 Shop" } },
        "proof": proof("p1", day, true),
    })
}

pub(super) fn proof(id: &str, day: u32, passed: bool) -> Value {
    let step = |da: &str, en: &str, ms: u32| json!({ "what": { "da": da, "en": en }, "took_ms": ms });
    let mut steps = vec![
        step("Gendannet fra målet", "Restored from the target", 31_000),
        step("MariaDB startet", "MariaDB started", 2_400),
    ];
    if !passed {
        let failed = json!({ "da": "Tabellen app.public.orders er tom", "en": "The table app.public.orders is empty" });
        steps.push(json!({ "what": { "da": "Talt rækker", "en": "Rows counted" }, "took_ms": 300, "failed": failed }));
    }
    json!({
        "id": id, "solution": "0190shop", "solution_name": "shop", "kind": "none", "backup": format!("b{day}"),
        "taken": format!("2026-11-{:02}T01:14:00Z", day + 20), "state": if passed { "passed" } else { "failed" },
        "level": if passed { "opened" } else { "restored" }, "steps": steps,
        "noted": { "counts": { "app.public.orders": { "least": 1200, "most": 1204 } }, "words": { "front page": "200 Shop" } },
        "found": { "counts": { "app.public.orders": { "least": if passed { 1201 } else { 0 }, "most": if passed { 1201 } else { 0 } } }, "words": { "front page": "200 Shop" } },
        "bytes": 3_400_000_000_u64, "took_ms": 42_000, "made": format!("2026-11-{:02}T03:00:00Z", day + 20), "ended": format!("2026-11-{:02}T03:00:42Z", day + 20),
    })
}

pub(super) fn plan() -> Value {
    json!({
        "on": true, "required": false, "target": "offsite", "with_machine": false, "hour": 1, "hours": 4, "zone": "Europe/Copenhagen",
        "next": "2026-11-30T01:14:00Z", "newest": backup("b3", 3), "proof": proof("p1", 3, true), "parts": ["app", "stats"], "files": "files",
    })
}

#[track_caller]
pub(super) fn says(page: &str, texts: &[&str]) {
    for text in texts {
        assert!(page.contains(text), "{text:?} is not said in:\n{page}");
    }
}
