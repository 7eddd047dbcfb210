//! Answers: JSON with status and ETag, and what of it may be kept for a replay of the same request.

use axum::body::Body;
use axum::response::{IntoResponse, Response};
use http::{HeaderValue, StatusCode, header};
use serde::Serialize;
use serde_json::Value;

/// An answer.
#[derive(Clone, Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) body: Value,
    /// The body without what is shown once; none when the body holds no secret.
    kept: Option<Value>,
    pub(crate) etag: Option<String>,
    pub(crate) location: Option<String>,
}

impl Answer {
    fn new(status: u16, body: impl Serialize) -> Self {
        Self {
            status,
            // Our own types of the wire always are JSON.
            body: serde_json::to_value(body).unwrap_or(Value::Null),
            kept: None,
            etag: None,
            location: None,
        }
    }

    /// 200.
    pub(crate) fn ok(body: impl Serialize) -> Self {
        Self::new(200, body)
    }

    /// 201.
    pub(crate) fn created(body: impl Serialize) -> Self {
        Self::new(201, body)
    }

    /// 202: it is under way.
    pub(crate) fn accepted(body: impl Serialize) -> Self {
        Self::new(202, body)
    }

    /// 204.
    pub(crate) fn empty() -> Self {
        Self::new(204, Value::Null)
    }

    /// Says what is kept instead of the body, because the body holds a secret.
    pub(crate) fn keeping(mut self, kept: impl Serialize) -> Self {
        self.kept = Some(serde_json::to_value(kept).unwrap_or(Value::Null));
        self
    }

    pub(crate) fn tagged(mut self, generation: u64) -> Self {
        self.etag = Some(format!("\"{generation}\""));
        self
    }

    pub(crate) fn at(mut self, location: String) -> Self {
        self.location = Some(location);
        self
    }

    /// What a replay shows.
    pub(crate) fn kept(&self) -> &Value {
        self.kept.as_ref().unwrap_or(&self.body)
    }

    /// The answer to a request that was carried out before.
    pub(crate) fn replay(status: u16, etag: Option<String>, body: Value) -> Self {
        Self { status, body, kept: None, etag, location: None }
    }
}

impl IntoResponse for Answer {
    fn into_response(self) -> Response {
        let status = StatusCode::from_u16(self.status).unwrap_or(StatusCode::OK);
        let mut response = if status == StatusCode::NO_CONTENT {
            Response::new(Body::empty())
        } else {
            let mut response = Response::new(Body::from(self.body.to_string()));
            response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
            response
        };
        *response.status_mut() = status;
        let headers = response.headers_mut();
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
        for (name, value) in [(header::ETAG, self.etag), (header::LOCATION, self.location)] {
            if let Some(value) = value.and_then(|value| HeaderValue::from_str(&value).ok()) {
                headers.insert(name, value);
            }
        }
        response
    }
}
