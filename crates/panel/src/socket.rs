//! A WebSocket: the wish to go on as one, as it comes with a request, and who may have it. Browsers let any page open one anywhere and send the
//! cookies along, so where the page lies is looked at.

use axum::body::Body;
use http::request::Parts;
use http::{HeaderMap, Request, header};
use husorden_base::{Refusal, Text};
use hyper::upgrade::OnUpgrade;
use std::fmt;

/// The wish to go on as a WebSocket (RFC 6455, 4.1).
pub(crate) struct Knock {
    key: String,
    version: String,
    upgrade: OnUpgrade,
}

impl fmt::Debug for Knock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Knock").field("version", &self.version).finish_non_exhaustive()
    }
}

impl Knock {
    /// Of a request, if it has one.
    pub(crate) fn of(parts: &mut Parts) -> Option<Self> {
        let text = |name| parts.headers.get(name)?.to_str().ok().map(str::to_owned);
        let wished = text(header::UPGRADE).is_some_and(|word| word.eq_ignore_ascii_case("websocket"));
        let (key, version) = (text(header::SEC_WEBSOCKET_KEY)?, text(header::SEC_WEBSOCKET_VERSION)?);
        let upgrade = parts.extensions.remove::<OnUpgrade>().filter(|_| wished)?;
        Some(Self { key, version, upgrade })
    }

    /// As the API is asked.
    pub(crate) fn headers(&self) -> [(&'static str, &str); 4] {
        [
            ("connection", "upgrade"),
            ("upgrade", "websocket"),
            ("sec-websocket-key", &self.key),
            ("sec-websocket-version", &self.version),
        ]
    }

    /// The connection itself goes along.
    pub(crate) fn pass_on(self, request: &mut Request<Body>) {
        request.extensions_mut().insert(self.upgrade);
    }
}

/// Whether it is a page of this very origin that opens it; every browser says so.
pub(crate) fn own(headers: &HeaderMap, host: Option<&str>) -> Result<(), Refusal> {
    let origin = headers.get(header::ORIGIN).and_then(|value| value.to_str().ok());
    let own = origin.and_then(|origin| origin.strip_prefix("https://")).filter(|origin| Some(*origin) == host);
    if own.is_some() { Ok(()) } else { Err(foreign()) }
}

fn foreign() -> Refusal {
    Refusal::new(
        "foreign-socket",
        403,
        Text::new("Forbindelsen var ikke fra denne side", "The connection was not from this page"),
        Text::new("Åbn konsollen fra løsningens egen side.", "Open the console from the solution's own page."),
    )
}

/// What is asked for is a WebSocket, and the visitor does not wish to go on as one.
pub(crate) fn none() -> Refusal {
    Refusal::new(
        "no-websocket",
        426,
        Text::new("Her er kun en forbindelse", "There is only a connection here"),
        Text::new("Åbn konsollen fra løsningens egen side.", "Open the console from the solution's own page."),
    )
}
