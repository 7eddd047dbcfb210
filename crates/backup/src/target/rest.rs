//! Restic's REST protocol, as `rest-server --append-only` and `rclone serve restic --append-only` speak it.

use super::http::{self, Paced};
use super::{Folder, Listed, Pace, Place, Target, already};
use crate::fault::Fault;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use husorden_base::Secret;
use serde::Deserialize;
use std::io;
use std::ops::Range;
use std::path::PathBuf;
use std::sync::Arc;
use ureq::http::{Response, StatusCode};
use ureq::{Agent, Body, SendBody};

/// The form of listings that tells sizes too.
const LISTING: &str = "application/vnd.x.restic.rest.v2";
/// Most bytes of a listing: about a million objects.
const LISTING_BYTES_MAX: u64 = 128 << 20;

/// A repository behind a REST server.
pub struct Rest {
    agent: Agent,
    /// Ends with `/`.
    base: String,
    authorization: Option<Secret>,
    pace: Arc<Pace>,
}

#[derive(Deserialize)]
struct Entry {
    name: String,
    size: u64,
}

impl Rest {
    /// The repository at this address; name and password go in a header, never in the address.
    #[must_use]
    pub fn new(address: &str, account: Option<(&str, &Secret)>, pace: Arc<Pace>) -> Self {
        Self::by(http::agent(), address, account, pace)
    }

    /// As [`Rest::new`], where whoever asks has no network: each connection goes to this socket, behind which somebody else holds one to the server.
    ///
    /// # Errors
    /// When this process can't listen on its own loopback.
    pub fn behind(
        socket: impl Into<PathBuf>,
        address: &str,
        account: Option<(&str, &Secret)>,
        pace: Arc<Pace>,
    ) -> io::Result<Self> {
        Ok(Self::by(http::behind(socket.into())?, address, account, pace))
    }

    fn by(agent: Agent, address: &str, account: Option<(&str, &Secret)>, pace: Arc<Pace>) -> Self {
        let authorization = account.map(|(name, password)| {
            Secret::new(format!("Basic {}", STANDARD.encode(format!("{name}:{}", password.reveal()))))
        });
        Self { agent, base: format!("{}/", address.trim_end_matches('/')), authorization, pace }
    }

    fn call(
        &self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: SendBody<'_>,
    ) -> Result<Response<Body>, Fault> {
        let doing = || format!("{method} {path}");
        let mut request = ureq::http::Request::builder().method(method).uri(format!("{}{path}", self.base));
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        if let Some(authorization) = &self.authorization {
            request = request.header("authorization", authorization.reveal());
        }
        let request = request.body(body).map_err(|error| Fault::Refused { doing: doing(), why: error.to_string() })?;
        self.agent.run(request).map_err(|error| Fault::away(doing(), error))
    }

    /// Restic's protocol has packs in one flat folder.
    fn path(place: Place) -> String {
        match place {
            Place::Config => "config".to_owned(),
            Place::In(folder, id) => format!("{}/{id}", folder.name()),
        }
    }
}

fn refused(doing: String, status: StatusCode) -> Fault {
    match status {
        StatusCode::INSUFFICIENT_STORAGE | StatusCode::PAYLOAD_TOO_LARGE => Fault::Full { doing },
        status if status.is_server_error() || status == StatusCode::TOO_MANY_REQUESTS => Fault::away(doing, status),
        status => Fault::Refused { doing, why: status.to_string() },
    }
}

impl Target for Rest {
    fn prepare(&self) -> Result<(), Fault> {
        let answer = self.call("POST", "?create=true", &[], SendBody::none())?;
        // A server that has it already says so in one way or another; the configuration is looked for next.
        if answer.status().is_success() || answer.status() == StatusCode::FORBIDDEN {
            return Ok(());
        }
        Err(refused("making the repository".to_owned(), answer.status()))
    }

    fn put(&self, place: Place, body: &[u8]) -> Result<(), Fault> {
        // Servers differ in what they say of an object that is there; some would write over a configuration.
        if let Some(found) = self.size(place)? {
            return already(place, found, body);
        }
        let mut paced = Paced { rest: body, pace: &self.pace };
        let length = body.len().to_string();
        let headers = [("content-type", "application/octet-stream"), ("content-length", length.as_str())];
        let answer = self.call("POST", &Self::path(place), &headers, SendBody::from_reader(&mut paced))?;
        let status = answer.status();
        // The answer is read to its end, or the connection can't be used again.
        drop(answer.into_body().with_config().limit(1 << 16).read_to_vec());
        match self.size(place) {
            Ok(Some(found)) => already(place, found, body),
            Ok(None) if status.is_success() => {
                Err(Fault::away(format!("writing {place}"), "it was taken and is not there"))
            }
            Ok(None) => Err(refused(format!("writing {place}"), status)),
            Err(fault) => Err(fault),
        }
    }

    fn get(&self, place: Place, part: Option<Range<u64>>) -> Result<Vec<u8>, Fault> {
        let doing = || format!("reading {place}");
        let range = part.as_ref().map(|part| format!("bytes={}-{}", part.start, part.end.saturating_sub(1)));
        let headers: Vec<(&str, &str)> = range.as_deref().map(|range| ("range", range)).into_iter().collect();
        let answer = self.call("GET", &Self::path(place), &headers, SendBody::none())?;
        let status = answer.status();
        if status == StatusCode::NOT_FOUND {
            return Err(Fault::Missing(place.to_string()));
        }
        if !status.is_success() {
            return Err(refused(doing(), status));
        }
        http::object(answer, part, &self.pace).map_err(|error| Fault::away(doing(), error))
    }

    fn list(&self, folder: Folder) -> Result<Vec<Listed>, Fault> {
        let doing = || format!("listing {}", folder.name());
        let answer = self.call("GET", &format!("{}/", folder.name()), &[("accept", LISTING)], SendBody::none())?;
        match answer.status() {
            StatusCode::NOT_FOUND => return Ok(Vec::new()),
            status if !status.is_success() => return Err(refused(doing(), status)),
            _ => {}
        }
        let body = answer.into_body().into_with_config().limit(LISTING_BYTES_MAX).read_to_vec();
        let body = body.map_err(|error| Fault::away(doing(), error))?;
        let entries: Option<Vec<Entry>> = serde_json::from_slice(&body)
            .map_err(|error| Fault::Refused { doing: doing(), why: format!("it answers another protocol: {error}") })?;
        Ok(entries
            .unwrap_or_default()
            .into_iter()
            .filter_map(|entry| Some(Listed { id: entry.name.parse().ok()?, bytes: entry.size }))
            .collect())
    }

    fn size(&self, place: Place) -> Result<Option<u64>, Fault> {
        let answer = self.call("HEAD", &Self::path(place), &[], SendBody::none())?;
        match answer.status() {
            StatusCode::NOT_FOUND => Ok(None),
            status if status.is_success() => {
                let length = answer.headers().get("content-length").and_then(|value| value.to_str().ok()?.parse().ok());
                length.map(Some).ok_or_else(|| Fault::away(format!("looking at {place}"), "the server tells no size"))
            }
            status => Err(refused(format!("looking at {place}"), status)),
        }
    }
}
