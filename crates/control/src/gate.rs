//! What every request passes: a request id, the credential, the rate, measures on the account, the route's permission, and the
//! idempotency key. Refusals of all of them and of the handlers leave as problem documents in the caller's language.

use crate::answer::Answer;
use crate::app::App;
use crate::caller::{Caller, Key};
use crate::fault::{Carried, Fault};
use crate::identity::seat;
use crate::routes::{Body, Permission, Reach};
use crate::{credential, form, rights, store, token};
use axum::extract::Request;
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use http::{HeaderValue, Method, StatusCode, header};
use husorden_base::{Language, Refusal, Text};
use jiff::Timestamp;
use sha2::{Digest, Sha256};
use std::sync::Arc;
use std::time::{Duration, Instant};
use uuid::Uuid;

const REQUEST_ID: &str = "x-request-id";
const KEY_CHARS_MAX: usize = 200;

/// The outermost layer: gives the request its id and turns refusals into problem documents.
pub(crate) async fn outermost(mut request: Request, next: Next) -> Response {
    let id = request
        .headers()
        .get(REQUEST_ID)
        .and_then(|value| value.to_str().ok())
        .filter(|text| (1..=64).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-'))
        .map_or_else(|| Uuid::now_v7().to_string(), str::to_owned);
    let language = language(&request);
    let (method, path) = (request.method().clone(), request.uri().path().to_owned());
    if let Ok(value) = HeaderValue::from_str(&id) {
        request.headers_mut().insert(REQUEST_ID, value);
    }
    let begun = Instant::now();
    let mut response = next.run(request).await;
    if let Some(Carried(refusal)) = response.extensions_mut().remove::<Carried>() {
        let mut problem = problem(&refusal, language, &id);
        // What the handler said beside the refusal, such as Retry-After, stays.
        problem.headers_mut().extend(response.headers().clone());
        problem.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
        response = problem;
    }
    if let Ok(value) = HeaderValue::from_str(&id) {
        response.headers_mut().insert(REQUEST_ID, value);
    }
    response.headers_mut().insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    told(&id, &method, &path, response.status(), begun.elapsed());
    response
}

/// One line a request. Who follows something asks often and hears the same: a read that went well is no news.
fn told(id: &str, method: &Method, path: &str, status: StatusCode, took: Duration) {
    let (status_code, ms) = (status.as_u16(), took.as_millis() as u64);
    if status.is_server_error() {
        tracing::warn!(request = id, %method, path, status = status_code, ms, "answered");
    } else if method.is_safe() && status.is_success() {
        tracing::debug!(request = id, %method, path, status = status_code, ms, "answered");
    } else {
        tracing::info!(request = id, %method, path, status = status_code, ms, "answered");
    }
}

fn language(request: &Request) -> Language {
    request
        .headers()
        .get(header::ACCEPT_LANGUAGE)
        .and_then(|value| value.to_str().ok())
        .map_or_else(Language::default, Language::from_accept)
}

fn problem(refusal: &Refusal, language: Language, id: &str) -> Response {
    let body = serde_json::to_string(&refusal.problem(language, Some(&format!("/requests/{id}")))).unwrap_or_default();
    let mut response = Response::new(axum::body::Body::from(body));
    *response.status_mut() = StatusCode::from_u16(refusal.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let headers = response.headers_mut();
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(
        header::CONTENT_LANGUAGE,
        HeaderValue::from_static(match language {
            Language::Da => "da",
            Language::En => "en",
        }),
    );
    if refusal.status == 429 {
        // The slowest rate of requests is one a second; other allowances say when they are full again.
        let wait_s = refusal.until.map_or(1, |until| until.duration_since(jiff::Timestamp::now()).as_secs().max(1));
        headers.insert(header::RETRY_AFTER, HeaderValue::from(wait_s));
    }
    if refusal.status == 401 {
        headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer realm=\"husorden\""));
    }
    response
}

/// The layer of one route.
pub(crate) async fn guard(app: App, permission: Permission, request: Request, next: Next) -> Response {
    match admit(&app, permission, request).await {
        Ok(Admitted::On(request)) => next.run(request).await,
        Ok(Admitted::Replay(answer)) => answer.into_response(),
        Err(fault) => fault.into_response(),
    }
}

enum Admitted {
    On(Request),
    Replay(Answer),
}

async fn admit(app: &App, permission: Permission, mut request: Request) -> Result<Admitted, Fault> {
    if !token::secrets_in(&request.uri().to_string()).is_empty() {
        return Err(secret_in_address().into());
    }
    if permission.reach == Reach::Anybody {
        return Ok(Admitted::On(request));
    }
    let found = match bearer(&request) {
        Some(bearer) => credential::find(app, bearer, request.extensions().get().copied()).await?,
        None => None,
    }
    .ok_or_else(no_credential)?;
    if let Err(seconds) = app.buckets().take(found.credential.id(), Instant::now()) {
        return Err(too_fast(seconds, app.config().limits.requests_per_second_max).into());
    }
    // What a log-in lacks is said before what its role lacks; that a token is no person, after.
    if let Some(seat) = &found.seat {
        seat::check(permission, seat)?;
    }
    rights::check(permission, &found, Timestamp::now())?;
    if permission.person && found.seat.is_none() {
        return Err(seat::no_person().into());
    }
    if let Some(seat) = found.seat {
        request.extensions_mut().insert(seat);
    }
    let mut caller = Caller {
        credential: found.credential,
        person: found.person,
        who: found.who,
        may: found.may,
        narrow: Arc::new(found.narrow),
        stepped_up: found.stepped_up,
        language: language(&request),
        key: None,
    };
    if request.method() == Method::POST
        && let Some(key) = key(&request)?
    {
        let (digest, again) = digest(app, permission, request).await?;
        request = again;
        if let Some(kept) = store::idempotency::find(app.doors().system(), caller.credential.id(), &key).await? {
            if kept.digest != token::hex(&digest) {
                return Err(other_request().into());
            }
            return Ok(Admitted::Replay(Answer::replay(kept.status, kept.etag, kept.body)));
        }
        caller.key = Some(Arc::new(Key { key, digest }));
    }
    request.extensions_mut().insert(caller);
    Ok(Admitted::On(request))
}

/// Refuses an address of a page that holds a credential. The secrets of links in mails, which let nobody in by themselves and
/// end when they are used, may stand there.
///
/// # Errors
/// When there is one, with words for whoever sent it.
pub fn without_credential(address: &str) -> Result<(), Refusal> {
    if token::secrets_in(address).iter().any(|secret| !token::is_of_link(secret)) {
        Err(secret_in_address())
    } else {
        Ok(())
    }
}

/// Addresses are kept in histories and logs, so no secret of ours may stand in one.
fn secret_in_address() -> Refusal {
    Refusal::new(
        "secret-in-address",
        400,
        Text::new("Der står en hemmelighed i adressen", "There is a secret in the address"),
        Text::new(
            "Adresser gemmes i historik og logge. Send den i Authorization, og tilbagekald den, der stod her.",
            "Addresses are kept in histories and logs. Send it in Authorization, and revoke the one that stood here.",
        ),
    )
}

fn key(request: &Request) -> Result<Option<String>, Refusal> {
    let Some(value) = request.headers().get("idempotency-key") else {
        return Ok(None);
    };
    value
        .to_str()
        .ok()
        .map(|text| text.trim_matches('"').to_owned())
        .filter(|text| (1..=KEY_CHARS_MAX).contains(&text.len()))
        .map(Some)
        .ok_or_else(|| {
            Refusal::field(
                "Idempotency-Key",
                Text::new(
                    format!("En nøgle har 1 til {KEY_CHARS_MAX} synlige ASCII-tegn"),
                    format!("A key has 1 to {KEY_CHARS_MAX} visible ASCII characters"),
                ),
            )
        })
}

/// The digest of what is asked, and the request again. An archive is told apart by its length only: it is not held in memory.
async fn digest(app: &App, permission: Permission, request: Request) -> Result<([u8; 32], Request), Fault> {
    let mut hash = Sha256::new();
    hash.update(request.method().as_str());
    hash.update([0]);
    hash.update(request.uri().to_string());
    hash.update([0]);
    if permission.body == Body::Raw {
        let length = request.headers().get(header::CONTENT_LENGTH).map(HeaderValue::as_bytes);
        hash.update(length.unwrap_or_default());
        return Ok((hash.finalize().into(), request));
    }
    let (parts, body) = request.into_parts();
    let bytes = form::body(Request::new(body), app.config().limits.body_bytes_max).await?;
    hash.update(&bytes);
    Ok((hash.finalize().into(), Request::from_parts(parts, axum::body::Body::from(bytes))))
}

/// The bearer credential of a request.
fn bearer(request: &Request) -> Option<&str> {
    request.headers().get(header::AUTHORIZATION)?.to_str().ok()?.strip_prefix("Bearer ").map(str::trim)
}

pub(crate) fn no_credential() -> Refusal {
    Refusal::new(
        "no-token",
        401,
        Text::new("Der mangler et gyldigt token", "A valid token is missing"),
        Text::new(
            "Send Authorization: Bearer hus_…; et udløbet eller tilbagekaldt token gælder ikke.",
            "Send Authorization: Bearer hus_…; a token that has expired or was revoked does not count.",
        ),
    )
}

fn too_fast(seconds: u64, per_second: u32) -> Refusal {
    Refusal::new(
        "too-fast",
        429,
        Text::new("For mange forespørgsler", "Too many requests"),
        Text::new(format!("Prøv igen om {seconds} s."), format!("Try again in {seconds} s.")),
    )
    .with_limit("more", format!("{per_second} requests a second"))
}

fn other_request() -> Refusal {
    Refusal::new(
        "idempotency-other-request",
        422,
        Text::new("Nøglen hører til en anden forespørgsel", "The key belongs to another request"),
        Text::new(
            "Den samme Idempotency-Key må kun følge den samme forespørgsel; vælg en ny.",
            "The same Idempotency-Key may only go with the same request; choose a new one.",
        ),
    )
}
