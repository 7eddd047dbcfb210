//! A browser without scripts: it keeps cookies, fills in the forms it is shown, and follows redirects.

use crate::house::House;
use axum::Router;
use axum::body::Body;
use http::{HeaderMap, Request, StatusCode};
use husorden_panel::Config;
use std::collections::BTreeMap;
use std::path::PathBuf;
use tower::ServiceExt;

pub const HOST: &str = "panel.localhost:8481";
pub const STAFF: &str = "staff.localhost:8481";

#[derive(Clone)]
pub struct Client {
    pub router: Router,
    pub host: &'static str,
    pub cookies: BTreeMap<String, String>,
    pub language: &'static str,
}

pub struct Page {
    pub status: StatusCode,
    pub headers: HeaderMap,
    pub body: String,
}

impl Page {
    #[track_caller]
    pub fn is(self, status: u16) -> Self {
        assert_eq!(self.status.as_u16(), status, "{:?}\n{}", self.headers, self.body);
        self
    }

    /// Where a redirect leads.
    #[track_caller]
    pub fn leads(&self) -> &str {
        assert_eq!(self.status, StatusCode::SEE_OTHER, "{}", self.body);
        self.headers["location"].to_str().unwrap()
    }

    /// The token of the page's forms.
    pub fn token(&self) -> String {
        between(&self.body, "name=\"_token\" value=\"", "\"").unwrap_or_default().to_owned()
    }

    #[track_caller]
    pub fn says(&self, text: &str) -> &Self {
        assert!(self.body.contains(text), "{text:?} is not said in:\n{}", self.body);
        self
    }
}

pub fn between<'a>(text: &'a str, start: &str, end: &str) -> Option<&'a str> {
    let rest = &text[text.find(start)? + start.len()..];
    Some(&rest[..rest.find(end)?])
}

pub fn panel(house: &House) -> Router {
    let config = Config::new(Vec::new(), PathBuf::new(), PathBuf::new());
    husorden_panel::routes::router(house.running.app(), config)
}

impl Client {
    pub fn new(router: &Router, host: &'static str) -> Self {
        Self { router: router.clone(), host, cookies: BTreeMap::new(), language: "en" }
    }

    pub async fn send(&mut self, mut request: http::request::Builder, body: String) -> Page {
        if !self.cookies.is_empty() {
            let pairs: Vec<String> = self.cookies.iter().map(|(name, value)| format!("{name}={value}")).collect();
            request = request.header("cookie", pairs.join("; "));
        }
        let request = request.header("accept-language", self.language).body(Body::from(body)).unwrap();
        let response = self.router.clone().oneshot(request).await.unwrap();
        let (parts, body) = response.into_parts();
        for line in parts.headers.get_all("set-cookie") {
            let line = line.to_str().unwrap();
            let (name, value) = line.split(';').next().unwrap().split_once('=').unwrap();
            assert!(name.starts_with("__Host-") && line.contains("; Secure; HttpOnly; SameSite="), "{line}");
            if value.is_empty() {
                self.cookies.remove(name);
            } else {
                self.cookies.insert(name.to_owned(), value.to_owned());
            }
        }
        let stream = parts.headers.get("content-type").is_some_and(|kind| kind == "text/event-stream");
        let bytes = if stream { Default::default() } else { axum::body::to_bytes(body, 16 << 20).await.unwrap() };
        Page { status: parts.status, headers: parts.headers, body: String::from_utf8_lossy(&bytes).into_owned() }
    }

    pub async fn get(&mut self, path: &str) -> Page {
        self.send(Request::get(path).header("host", self.host), String::new()).await
    }

    /// Fills in a form of the page at `page` and sends it to `path`.
    pub async fn submit(&mut self, page: &str, path: &str, fields: &[(&str, &str)]) -> Page {
        let token = self.get(page).await.token();
        assert!(!token.is_empty(), "{page} has no form");
        self.post(path, &token, fields).await
    }

    pub async fn post(&mut self, path: &str, token: &str, fields: &[(&str, &str)]) -> Page {
        let mut form = form_urlencoded::Serializer::new(String::new());
        form.append_pair("_token", token);
        for (name, value) in fields {
            form.append_pair(name, value);
        }
        let request = Request::post(path)
            .header("host", self.host)
            .header("origin", format!("https://{}", self.host))
            .header("sec-fetch-site", "same-origin")
            .header("content-type", "application/x-www-form-urlencoded");
        self.send(request, form.finish()).await
    }
}
