//! The desk that every request passes: which origin is asked, who visits, whether a form is the visitor's own; and the
//! headers that every answer leaves with.

use crate::api::Api;
use crate::ask::{Ask, Origin, Reply, Theme, no_page};
use crate::config::Config;
use crate::cookie::{self, Stay};
use crate::form::Form;
use crate::own_path::OwnPath;
use crate::routes::{Page, Reach};
use crate::say::Reader;
use crate::socket::{self, Knock};
use crate::standing::Standing;
use crate::ui;
use crate::upload::{self, Slot};
use axum::Router;
use axum::body::Body;
use axum::extract::{ConnectInfo, Request};
use axum::response::Response;
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header};
use http_body_util::{BodyExt, Limited};
use husorden_base::{Language, Refusal, Secret, Text};
use husorden_control::Kinds;
use husorden_wire::api;
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;
use std::net::SocketAddr;

/// Where times are shown when nobody said otherwise.
const ZONE: &str = "Europe/Copenhagen";
/// Characters of the secret that a visitor's forms are bound to before there is a session: 128 bits and more.
const VISIT_CHARS: usize = 24;
/// For how long a choice of language or theme is kept, in seconds.
pub(crate) const CHOICE_S: u32 = 365 * 24 * 3600;
/// How the secret of a session begins; nothing else is one.
const SESSION_PREFIX: &str = "hus_session_";
/// The field of a form that carries the token.
pub(crate) const TOKEN_FIELD: &str = "_token";

/// What every page is served with.
pub(crate) struct Desk {
    pub(crate) api: Router,
    pub(crate) kinds: Kinds,
    pub(crate) config: Config,
    /// Largest file that control takes, in bytes.
    pub(crate) file_bytes_max: u64,
}

/// The headers of every answer.
const HEADERS: [(&str, &str); 9] = [
    (
        "content-security-policy",
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; font-src 'self'; connect-src 'self'; \
         form-action 'self'; frame-ancestors 'none'; base-uri 'none'; require-trusted-types-for 'script'; trusted-types 'none'",
    ),
    ("strict-transport-security", "max-age=63072000"),
    ("x-frame-options", "DENY"),
    ("x-content-type-options", "nosniff"),
    ("referrer-policy", "same-origin"),
    ("permissions-policy", "camera=(), microphone=(), geolocation=(), payment=(), usb=(), interest-cohort=()"),
    ("cross-origin-opener-policy", "same-origin"),
    ("cross-origin-resource-policy", "same-origin"),
    ("x-robots-tag", "noindex"),
];

/// Puts the headers on an answer. What says nothing of caching is kept by nobody.
pub(crate) fn dress(mut response: Response) -> Response {
    let headers = response.headers_mut();
    for (name, value) in HEADERS {
        headers.insert(HeaderName::from_static(name), HeaderValue::from_static(value));
    }
    if !headers.contains_key(header::CACHE_CONTROL) {
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    }
    response
}

/// The host that is asked for, with its port. HTTP/2 says it in the request's address, HTTP/1.1 in a header.
fn host(request: &Request) -> Option<String> {
    let said = request.headers().get(header::HOST).and_then(|value| value.to_str().ok());
    let named = request.uri().authority().map(http::uri::Authority::as_str);
    match (named, said) {
        (Some(named), Some(said)) if !named.eq_ignore_ascii_case(said) => None,
        (Some(host), _) | (None, Some(host)) => Some(host.to_ascii_lowercase()),
        (None, None) => None,
    }
}

impl Desk {
    /// Which origin is asked; none of ours is nobody's.
    pub(crate) fn origin(&self, request: &Request) -> Option<Origin> {
        let host = host(request)?;
        let name = host.rsplit_once(':').map_or(host.as_str(), |(name, _)| name);
        if name == self.config.customers {
            Some(Origin::Customers)
        } else if name == self.config.staff {
            Some(Origin::Staff)
        } else {
            None
        }
    }

    /// Serves one page.
    pub(crate) async fn serve(
        &self,
        origin: Origin,
        page: Option<&Page>,
        params: BTreeMap<String, String>,
        request: Request,
    ) -> Response {
        let (mut parts, body) = request.into_parts();
        let knock = page.filter(|page| page.socket).and_then(|_| Knock::of(&mut parts));
        let kept = cookie::read(&parts.headers, cookie::SESSION).filter(|text| !text.is_empty());
        // What is no session, such as a token of the API, is a stranger's cookie here: it never becomes a bearer.
        let session = kept.clone().filter(|text| text.starts_with(SESSION_PREFIX));
        let visit = cookie::read(&parts.headers, cookie::VISIT).filter(|text| text.len() == VISIT_CHARS);
        let fresh = session.is_none() && visit.is_none();
        let visit = visit.unwrap_or_else(|| Secret::generate(VISIT_CHARS).reveal().to_owned());
        let language = language(&parts.headers);
        let address = parts.extensions.get::<ConnectInfo<SocketAddr>>().map(|info| info.0.ip());
        let token = token(session.as_deref().unwrap_or(&visit));
        let flash = cookie::read(&parts.headers, cookie::FLASH).filter(|text| !text.is_empty());
        let path = parts.uri.path_and_query().map_or("/", http::uri::PathAndQuery::as_str);
        let mut ask = Ask {
            l: language,
            reader: Reader::new(language, ZONE),
            theme: cookie::read(&parts.headers, cookie::THEME).map_or(Theme::Auto, |word| Theme::parse(&word)),
            origin,
            path: OwnPath::parse(path).unwrap_or_else(OwnPath::home),
            from: referrer(&parts.headers, host_of(&parts).as_deref()),
            token,
            who: None,
            flash: flash.clone(),
            device: cookie::read(&parts.headers, cookie::DEVICE).filter(|text| !text.is_empty()),
            api: Api::new(
                self.api.clone(),
                session.clone(),
                language,
                address,
                parts.headers.get(header::USER_AGENT).cloned(),
            ),
            kinds: self.kinds,
            params,
            query: Form::parse(parts.uri.query().unwrap_or_default().as_bytes()),
            form: Form::default(),
            file: Slot::default(),
            knock: Slot::new(knock),
            file_bytes_max: self.file_bytes_max,
        };
        let reply = match self.admit(&mut ask, page, &parts, body).await {
            Ok(None) => match page {
                Some(page) => (page.handler)(&ask).await,
                None => Err(no_page()),
            },
            Ok(Some(reply)) => Ok(reply),
            Err(refusal) => Err(refusal),
        };
        let is_page = parts.method == Method::GET;
        let mut reply = reply.unwrap_or_else(|refusal| refused(&ask, &refusal));
        if parts.headers.get(header::ACCEPT).is_some_and(|accept| accept == "text/event-stream") {
            reply = reply.or_no_stream();
        }
        if fresh && is_page && page.is_some() {
            reply = reply.cookie(cookie::set(cookie::VISIT, &visit, Stay::Browser));
        }
        if kept.is_some() && ask.who.is_none() && page.is_some_and(|page| page.reach != Reach::Anybody) {
            reply = reply.cookie(cookie::clear(cookie::SESSION));
        }
        if flash.is_some() && is_page {
            reply = reply.cookie(cookie::clear(cookie::FLASH));
        }
        reply.into_response()
    }

    /// Finds out who visits, and whether what was sent may be looked at. An answer of its own ends the request here.
    async fn admit(
        &self,
        ask: &mut Ask,
        page: Option<&Page>,
        parts: &http::request::Parts,
        body: Body,
    ) -> Result<Option<Reply>, Refusal> {
        if let Err(refusal) = husorden_control::without_credential(&parts.uri.to_string()) {
            // It is not said again by any link or form of the page that refuses it.
            ask.path = OwnPath::home();
            ask.query = Form::default();
            return Err(refusal);
        }
        if parts.method != Method::GET && parts.method != Method::HEAD {
            same_origin(&parts.headers, host_of(parts).as_deref())?;
            let limit = self.config.limits.form_bytes_max;
            let boundary = page.filter(|page| page.file).and_then(|_| upload::boundary(&parts.headers));
            if let Some(boundary) = boundary {
                let (form, file) = upload::read(boundary, &parts.headers, body, limit).await.ok_or_else(too_large)?;
                (ask.form, ask.file) = (form, Slot::new(file));
            } else {
                let bytes = Limited::new(body, limit).collect().await.map_err(|_| too_large())?;
                ask.form = Form::parse(&bytes.to_bytes());
            }
            if !same(ask.form.get(TOKEN_FIELD).unwrap_or_default(), &ask.token) {
                return Err(foreign_form());
            }
        }
        ask.who = Standing::ask(&ask.api).await?;
        if let Some(person) = ask.who.as_ref().map(|who| &who.person) {
            if cookie::read(&parts.headers, cookie::LANGUAGE).is_none() {
                ask.l = person.language;
                ask.api = ask.api.speaking(ask.l);
            }
            ask.reader = Reader::new(ask.l, &person.time_zone);
        }
        let Some(page) = page else { return Ok(None) };
        if page.socket && ask.who.is_some() {
            socket::own(&parts.headers, host_of(parts).as_deref())?;
        }
        match (page.reach, &ask.who) {
            (Reach::Anybody, _) | (Reach::Begun, Some(_)) => Ok(None),
            (Reach::Begun | Reach::Session, None) => Ok(Some(to_log_in(ask, parts.method == Method::GET))),
            (Reach::Session, Some(who)) => Ok(who.needs.first().map(|need| Reply::see(need_path(*need, &ask.path)))),
        }
    }
}

/// Where that is done which a session needs first, and where it goes on from there.
pub(crate) fn need_path(need: api::Need, to: &OwnPath) -> OwnPath {
    let page = match need {
        api::Need::SecondFactor => "/log-in/code",
        api::Need::SecondFactorEnrol => "/security/totp",
        api::Need::Rules => "/rules/accept",
    };
    let mut query = Form::default();
    query.add("then", to.as_str());
    OwnPath::of(format!("{page}?{}", query.query()))
}

/// To the log-in, and from there back to the page that was asked for.
fn to_log_in(ask: &Ask, page: bool) -> Reply {
    let mut query = Form::default();
    // What was sent by a form is not sent again: the form's own page is where it goes on.
    let then = if page { Some(&ask.path) } else { ask.from.as_ref() };
    query.add("then", then.map_or("", OwnPath::as_str));
    Reply::see(OwnPath::of(format!("/log-in?{}", query.query())))
}

/// The page of a refusal.
fn refused(ask: &Ask, refusal: &Refusal) -> Reply {
    if refusal.status == 401 {
        return to_log_in(ask, ask.form == Form::default()).cookie(cookie::clear(cookie::SESSION));
    }
    if refusal.code == "step-up-needed" {
        let mut query = Form::default();
        // A form that was refused is sent again from its own page.
        let then = if ask.form == Form::default() { Some(&ask.path) } else { ask.from.as_ref() };
        query.add("then", then.map_or("/", OwnPath::as_str));
        return Reply::see(OwnPath::of(format!("/step-up?{}", query.query())));
    }
    let status = StatusCode::from_u16(refusal.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    ask.sheet(refusal.title.get(ask.l)).narrow().status(status).show(ui::refusal::page(ask, refusal))
}

fn host_of(parts: &http::request::Parts) -> Option<String> {
    let said = parts.headers.get(header::HOST).and_then(|value| value.to_str().ok());
    parts.uri.authority().map(http::uri::Authority::as_str).or(said).map(str::to_ascii_lowercase)
}

/// The page of ours that the visitor came from, if the browser says so.
fn referrer(headers: &HeaderMap, host: Option<&str>) -> Option<OwnPath> {
    let text = headers.get(header::REFERER)?.to_str().ok()?;
    OwnPath::parse(text.strip_prefix("https://")?.strip_prefix(host?)?)
}

/// A form that another page sends is refused by what the browser says of it, before its token is looked at.
fn same_origin(headers: &HeaderMap, host: Option<&str>) -> Result<(), Refusal> {
    let text = |name: &str| headers.get(name).map(|value| value.to_str().unwrap_or("unreadable"));
    let site = text("sec-fetch-site").is_none_or(|site| site == "same-origin");
    let origin = text("origin").is_none_or(|origin| origin.strip_prefix("https://") == host);
    if site && origin { Ok(()) } else { Err(foreign_form()) }
}

/// What forms carry: it cannot be made without the secret that it is bound to, nor the secret from it.
fn token(secret: &str) -> String {
    let mut hash = Sha256::new();
    hash.update(b"husorden panel form\0");
    hash.update(secret.as_bytes());
    hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Compares without telling by time where the difference lies.
fn same(one: &str, other: &str) -> bool {
    one.len() == other.len() && one.bytes().zip(other.bytes()).fold(0, |sum, (a, b)| sum | (a ^ b)) == 0
}

fn language(headers: &HeaderMap) -> Language {
    match cookie::read(headers, cookie::LANGUAGE).as_deref() {
        Some("da") => Language::Da,
        Some("en") => Language::En,
        _ => headers
            .get(header::ACCEPT_LANGUAGE)
            .and_then(|value| value.to_str().ok())
            .map_or_else(Language::default, Language::from_accept),
    }
}

fn foreign_form() -> Refusal {
    Refusal::new(
        "foreign-form",
        403,
        Text::new("Formularen var ikke fra denne besøgende", "The form was not this visitor's"),
        Text::new(
            "Den kan være blevet gammel, fordi du er logget ind eller ud imens. Intet er ændret: åbn siden igen og send på ny.",
            "It may have grown old because you logged in or out meanwhile. Nothing was changed: open the page again and send anew.",
        ),
    )
}

fn too_large() -> Refusal {
    Refusal::new(
        "form-too-large",
        413,
        Text::new("Der blev sendt for meget på én gang", "Too much was sent at once"),
        Text::new("Kort det ned og send igen; intet er ændret.", "Shorten it and send again; nothing was changed."),
    )
}
