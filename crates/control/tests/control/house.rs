//! A control that runs for one test, with two accounts, tokens, and a client that calls the router.

use crate::cluster;
use crate::tiny::KINDS;
use axum::Router;
use axum::body::Body;
use http::{HeaderMap, Method, Request, StatusCode};
use husorden_base::{AccountId, Language};
use husorden_control::bootstrap::Bootstrap;
use husorden_control::config::{Database, HashCost};
use husorden_control::{Config, Identity, Limits, Running, routes, start};
use husorden_kinds::Kind;
use serde_json::{Value, json};
use tower::ServiceExt;

pub struct House {
    pub running: Running,
    pub router: Router,
    pub config: Config,
    pub ours: AccountId,
    pub theirs: AccountId,
    pub staff: String,
    pub account: String,
    pub other: String,
}

pub struct Said {
    pub status: StatusCode,
    pub headers: HeaderMap,
    pub body: Value,
}

impl Said {
    #[track_caller]
    pub fn is(self, status: u16) -> Value {
        assert_eq!(self.status.as_u16(), status, "{}", self.body);
        self.body
    }

    #[track_caller]
    pub fn refused(self, status: u16, code: &str) -> Value {
        assert_eq!(self.status.as_u16(), status, "{}", self.body);
        assert_eq!(self.body["refusal"]["code"], code, "{}", self.body);
        assert_eq!(self.headers["content-type"], "application/problem+json");
        self.body
    }
}

pub fn config(database: Database, folder: &std::path::Path) -> Config {
    Config {
        listen: "127.0.0.1:0".parse().expect("an address"),
        behind_tls_proxy: false,
        node_socket: folder.join("node.sock"),
        database,
        spool: folder.join("spool"),
        default_node: "local".to_owned(),
        retention_days: 7,
        address_rest_days: 7,
        zone: husorden_base::zone(),
        staff_named: false,
        authority: Some(authority(folder)),
        passwords: None,
        rules: None,
        evidence: husorden_control::config::Evidence::at(folder.join("evidence")),
        // Tests read what waits; those of notifications give it a way.
        notify: husorden_control::Notify {
            mail: husorden_control::MailWay::Hold,
            ..husorden_control::Notify::at("", folder.join("webhook.key"))
        },
        metrics: None,
        backup: husorden_control::config::Backup::default(),
        // Hashes that cost next to nothing: what is tested is not their strength.
        identity: Identity {
            hash: HashCost { memory_kib: 64, passes: 1 },
            ..Identity::at(folder.join("identity.key"))
        },
        vault: None,
        platform: None,
        limits: Limits {
            requests_per_second_max: 10_000,
            requests_burst_max: 10_000,
            archive_bytes_max: 1 << 20,
            ..Limits::default()
        },
    }
}

/// Somebody's certificate, in the place of the authority's.
fn authority(folder: &std::path::Path) -> std::path::PathBuf {
    let path = folder.join("ca.pem");
    std::fs::write(&path, include_str!("../../../base/tests/long.pem")).expect("it is written");
    path
}

impl House {
    pub async fn new() -> Self {
        Self::with(|_| {}).await
    }

    pub async fn with(change: impl FnOnce(&mut Config)) -> Self {
        Self::hosting(&KINDS, change).await
    }

    /// A control that hosts these kinds.
    pub async fn hosting(kinds: &'static [&'static dyn Kind], change: impl FnOnce(&mut Config)) -> Self {
        let database = cluster::database().await;
        let folder = cluster::folder();
        let mut config = config(database.clone(), &folder);
        change(&mut config);
        let mut bootstrap = Bootstrap::connect(&database).await.expect("the owner is let in");
        let ours = bootstrap.ensure_account("ours", Language::En).await.expect("an account");
        let theirs = bootstrap.ensure_account("theirs", Language::Da).await.expect("an account");
        let mut token = async |account| {
            let secret = bootstrap.ensure_token(account, "test").await.expect("a token");
            secret.reveal().to_owned()
        };
        let (staff, account, other) = (token(None).await, token(Some(ours)).await, token(Some(theirs)).await);
        let running = start(config.clone(), kinds).await.expect("control starts");
        let router = routes::router(running.app().clone());
        Self { running, router, config, ours, theirs, staff, account, other }
    }

    pub async fn send(&self, request: Request<Body>) -> Said {
        let response = self.router.clone().oneshot(request).await.expect("the router answers");
        let (parts, body) = response.into_parts();
        let bytes = axum::body::to_bytes(body, 16 << 20).await.expect("a body");
        let body = serde_json::from_slice(&bytes).unwrap_or(Value::Null);
        Said { status: parts.status, headers: parts.headers, body }
    }

    pub fn request(&self, token: &str, method: &str, path: &str, body: Option<&Value>) -> Request<Body> {
        let method: Method = method.parse().expect("a method");
        let mut request = Request::builder().method(method).uri(path);
        if !token.is_empty() {
            request = request.header("authorization", format!("Bearer {token}"));
        }
        if body.is_some() {
            request = request.header("content-type", "application/json");
        }
        let body = body.map_or_else(Body::empty, |body| Body::from(body.to_string()));
        request.body(body).expect("a request")
    }

    /// As our account.
    pub async fn call(&self, method: &str, path: &str, body: Value) -> Said {
        let body = (!body.is_null()).then_some(body);
        self.send(self.request(&self.account, method, path, body.as_ref())).await
    }

    pub async fn staff(&self, method: &str, path: &str, body: Value) -> Said {
        let body = (!body.is_null()).then_some(body);
        self.send(self.request(&self.staff, method, path, body.as_ref())).await
    }

    /// Staff take leave of our account by breaking the glass.
    pub async fn break_glass(&self) -> Value {
        let form = json!({ "account": "ours", "break_glass": "A test acts in the account's name" });
        self.staff("POST", "/v1/grants", form).await.is(201)
    }

    pub async fn get(&self, path: &str) -> Value {
        self.call("GET", path, Value::Null).await.is(200)
    }

    pub async fn create(&self, name: &str, spec: Value) -> Value {
        self.call("POST", "/v1/solutions", json!({ "kind": "tiny", "name": name, "spec": spec })).await.is(201)["solution"].clone()
    }

    /// A case on one of our solutions and a measure decided in it.
    pub async fn decide(&self, scope: Value, more: Value) -> Value {
        let about = if scope["of"] == "account" { "account" } else { "solution" };
        let mut form = json!({ "clause": "network.attack", "facts": "Scanned 192.0.2.0/24 for open ports." });
        form[about] = scope["id"].clone();
        let case = self.staff("POST", "/v1/cases", form).await.is(201);
        let mut decision =
            json!({ "clause": "network.attack", "reasons": "It scanned 192.0.2.0/24 for open ports.", "scope": scope });
        for (name, value) in more.as_object().into_iter().flatten() {
            decision[name] = value.clone();
        }
        let path = format!("/v1/cases/{}/decisions", case["number"].as_str().expect("a number"));
        self.staff("POST", &path, decision).await.is(201)
    }
}
