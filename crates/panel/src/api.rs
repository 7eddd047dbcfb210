//! The client of the API: the API's own router, called in process with the visitor's session as bearer. The panel can do
//! nothing that the API cannot, and sees nothing that the session may not.

use crate::socket::Knock;
use axum::Router;
use axum::body::Body;
use axum::response::Response;
use bytes::Bytes;
use http::{HeaderValue, Method, Request, StatusCode, header};
use http_body_util::{BodyExt, Limited};
use husorden_base::refusal::Problem;
use husorden_base::{Language, Refusal, Text};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use std::convert::Infallible;
use tower::ServiceExt;

/// Largest answer of the API that a page is made from, in bytes.
const ANSWER_BYTES_MAX: usize = 8 << 20;

/// The API as one visitor reaches it.
#[derive(Clone)]
pub(crate) struct Api {
    router: Router,
    bearer: Option<String>,
    language: Language,
    address: Option<std::net::IpAddr>,
    agent: Option<HeaderValue>,
}

impl Api {
    /// The API for a visitor with this session, if one.
    pub(crate) fn new(
        router: Router,
        bearer: Option<String>,
        language: Language,
        address: Option<std::net::IpAddr>,
        agent: Option<HeaderValue>,
    ) -> Self {
        Self { router, bearer, language, address, agent }
    }

    /// The same with another session.
    pub(crate) fn with(&self, bearer: &str) -> Self {
        Self { bearer: Some(bearer.to_owned()), ..self.clone() }
    }

    /// The same in another language.
    pub(crate) fn speaking(&self, language: Language) -> Self {
        Self { language, ..self.clone() }
    }

    /// Whether there is a session.
    pub(crate) const fn has_session(&self) -> bool {
        self.bearer.is_some()
    }

    /// Reads.
    pub(crate) async fn get<T: DeserializeOwned>(&self, path: &str) -> Result<T, Refusal> {
        self.send(Method::GET, path, None::<&()>, &[]).await
    }

    /// Where the visitor comes from.
    pub(crate) fn visitor(&self) -> Option<std::net::IpAddr> {
        self.address
    }

    /// Does something.
    pub(crate) async fn post<T: DeserializeOwned>(&self, path: &str, body: &impl Serialize) -> Result<T, Refusal> {
        self.send(Method::POST, path, Some(body), &[]).await
    }

    /// Does something once, however often it is sent.
    pub(crate) async fn post_once<T: DeserializeOwned>(
        &self,
        path: &str,
        body: &impl Serialize,
        key: &str,
    ) -> Result<T, Refusal> {
        self.send(Method::POST, path, Some(body), &[("idempotency-key", key)]).await
    }

    /// Does something to what still has this version.
    pub(crate) async fn post_if<T: DeserializeOwned>(
        &self,
        path: &str,
        body: &impl Serialize,
        tag: &str,
    ) -> Result<T, Refusal> {
        // What no header can hold is no version that was ever given out.
        let tag: String = tag.chars().filter(char::is_ascii_digit).collect();
        self.send(Method::POST, path, Some(body), &[("if-match", &format!("\"{tag}\""))]).await
    }

    /// Does something that takes no words.
    pub(crate) async fn act<T: DeserializeOwned>(&self, path: &str) -> Result<T, Refusal> {
        self.send(Method::POST, path, None::<&()>, &[]).await
    }

    /// Changes.
    pub(crate) async fn patch<T: DeserializeOwned>(
        &self,
        path: &str,
        body: &impl Serialize,
        tag: Option<&str>,
    ) -> Result<T, Refusal> {
        let tag = tag.map(|tag| format!("\"{tag}\""));
        let headers: Vec<(&str, &str)> = tag.iter().map(|tag| ("if-match", tag.as_str())).collect();
        self.send(Method::PATCH, path, Some(body), &headers).await
    }

    /// Puts something in its place.
    pub(crate) async fn put<T: DeserializeOwned>(&self, path: &str, body: &impl Serialize) -> Result<T, Refusal> {
        self.send(Method::PUT, path, Some(body), &[]).await
    }

    /// Takes away.
    pub(crate) async fn delete<T: DeserializeOwned>(&self, path: &str) -> Result<T, Refusal> {
        self.send(Method::DELETE, path, None::<&()>, &[]).await
    }

    async fn send<T: DeserializeOwned>(
        &self,
        method: Method,
        path: &str,
        body: Option<&impl Serialize>,
        headers: &[(&str, &str)],
    ) -> Result<T, Refusal> {
        let body = body.map(serde_json::to_vec).transpose().map_err(|error| ours("writing the request", &error))?;
        let (status, bytes) = whole(self.raw(method, path, body, headers).await?).await?;
        if status.is_success() {
            // 204 has no body; null is what a caller that wants nothing reads.
            let text: &[u8] = if bytes.is_empty() { b"null" } else { &bytes };
            return serde_json::from_slice(text).map_err(|error| ours("reading the answer", &error));
        }
        Err(refusal(&bytes))
    }

    /// A file as it comes.
    pub(crate) async fn file(&self, path: &str) -> Result<Response, Refusal> {
        let response = self.raw(Method::GET, path, None, &[]).await?;
        if response.status().is_success() {
            return Ok(response);
        }
        let (_, bytes) = whole(response).await?;
        Err(refusal(&bytes))
    }

    /// Sends a file as it comes.
    pub(crate) async fn upload<T: DeserializeOwned>(&self, path: &str, file: Body) -> Result<T, Refusal> {
        let kind = "application/octet-stream";
        let (status, bytes) = whole(self.call(Method::POST, path, Some((file, kind)), &[]).await?).await?;
        if status.is_success() {
            return serde_json::from_slice(&bytes).map_err(|error| ours("reading the answer", &error));
        }
        Err(refusal(&bytes))
    }

    /// The answer as it comes, for streams. A refusal is an answer here too.
    pub(crate) async fn raw(
        &self,
        method: Method,
        path: &str,
        body: Option<Vec<u8>>,
        headers: &[(&str, &str)],
    ) -> Result<Response, Refusal> {
        self.call(method, path, body.map(|body| (Body::from(body), "application/json")), headers).await
    }

    /// Goes on as a WebSocket of the API's: what follows is between it and the visitor.
    pub(crate) async fn socket(&self, path: &str, knock: Knock) -> Result<Response, Refusal> {
        let mut request = self.request(Method::GET, path, None, &knock.headers())?;
        knock.pass_on(&mut request);
        let response = self.answer(request).await;
        if response.status() == StatusCode::SWITCHING_PROTOCOLS {
            return Ok(response);
        }
        let (_, bytes) = whole(response).await?;
        Err(refusal(&bytes))
    }

    async fn call(
        &self,
        method: Method,
        path: &str,
        body: Option<(Body, &str)>,
        headers: &[(&str, &str)],
    ) -> Result<Response, Refusal> {
        Ok(self.answer(self.request(method, path, body, headers)?).await)
    }

    async fn answer(&self, request: Request<Body>) -> Response {
        let answered: Result<Response, Infallible> = self.router.clone().oneshot(request).await;
        answered.unwrap_or_else(|never| match never {})
    }

    fn request(
        &self,
        method: Method,
        path: &str,
        body: Option<(Body, &str)>,
        headers: &[(&str, &str)],
    ) -> Result<Request<Body>, Refusal> {
        let mut request = Request::builder().method(method).uri(path).header(
            header::ACCEPT_LANGUAGE,
            match self.language {
                Language::Da => "da",
                Language::En => "en",
            },
        );
        if let Some(bearer) = &self.bearer
            && let Ok(mut value) = HeaderValue::from_str(&format!("Bearer {bearer}"))
        {
            value.set_sensitive(true);
            request = request.header(header::AUTHORIZATION, value);
        }
        if let Some(agent) = &self.agent {
            request = request.header(header::USER_AGENT, agent);
        }
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        if let Some((_, kind)) = &body {
            request = request.header(header::CONTENT_TYPE, *kind);
        }
        let mut request = request
            .body(body.map_or_else(Body::empty, |(body, _)| body))
            .map_err(|error| ours("making the request", &error))?;
        if let Some(address) = self.address {
            request.extensions_mut().insert(husorden_control::Visitor(address));
        }
        Ok(request)
    }
}

impl std::fmt::Debug for Api {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Api").field("session", &self.bearer.is_some()).finish_non_exhaustive()
    }
}

/// An answer, read to its end.
async fn whole(response: Response) -> Result<(StatusCode, Bytes), Refusal> {
    let status = response.status();
    let body = Limited::new(response.into_body(), ANSWER_BYTES_MAX).collect().await;
    Ok((status, body.map_err(|error| ours("reading the answer", error.as_ref()))?.to_bytes()))
}

fn refusal(bytes: &[u8]) -> Refusal {
    match serde_json::from_slice::<Problem>(bytes) {
        Ok(problem) => problem.refusal,
        Err(error) => ours("reading the refusal", &error),
    }
}

/// One segment of a path, encoded so that it stays one.
pub(crate) fn segment(text: &str) -> String {
    percent_encoding::utf8_percent_encode(text, percent_encoding::NON_ALPHANUMERIC).to_string()
}

/// What a caller reads that wants nothing of the answer.
pub(crate) type Nothing = Value;

fn ours(doing: &'static str, error: &dyn std::error::Error) -> Refusal {
    tracing::error!(%error, doing, "the panel could not use the API");
    Refusal::new(
        "internal",
        500,
        Text::new("Noget gik galt hos os", "Something went wrong on our side"),
        Text::new("Prøv igen om lidt.", "Try again in a moment."),
    )
}
