//! The way to the API: where it is, who asks, and how an answer is read.

use crate::failure::Failure;
use husorden_base::{Language, Problem, Secret};
use husorden_wire::api::Page;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use std::fs::File;
use std::io::{ErrorKind, Read};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use ureq::http::{self, Method};
use ureq::tls::{PemItem, RootCerts, TlsConfig, parse_pem};
use ureq::{Agent, Body, SendBody};

/// Largest answer that is read.
const ANSWER_BYTES_MAX: u64 = 64 << 20;
/// Most pages of one list that are read.
const PAGES_MAX: usize = 10_000;
/// How long to wait for a connection.
const CONNECT_WAIT: Duration = Duration::from_secs(10);
/// How long to wait for an answer to begin.
const ANSWER_WAIT: Duration = Duration::from_secs(120);

/// The API, as one asker sees it.
#[derive(Clone, Debug)]
pub struct Client {
    agent: Agent,
    base: String,
    token: Option<Secret>,
    language: Language,
}

/// What is sent along with a request.
#[derive(Debug)]
pub enum Payload<'a> {
    /// Nothing.
    None,
    /// A JSON document.
    Json(&'a Value),
    /// A file, with its length.
    File(&'a File, u64),
}

/// A request.
#[derive(Debug)]
pub struct Ask<'a> {
    /// The method.
    pub method: Method,
    /// The path below the API's address, with its query.
    pub path: &'a str,
    /// What is sent along.
    pub payload: Payload<'a>,
    /// The generation that is meant to be changed; a newer one is refused.
    pub generation: Option<u64>,
    /// Makes a repeated request the same request.
    pub once: Option<String>,
}

impl<'a> Ask<'a> {
    /// A request for something, changing nothing.
    #[must_use]
    pub fn get(path: &'a str) -> Self {
        Self::new(Method::GET, path)
    }

    /// A request that makes or does something; sent twice, it is done once.
    #[must_use]
    pub fn post(path: &'a str, body: &'a Value) -> Self {
        Self {
            payload: Payload::Json(body),
            once: Some(uuid::Uuid::new_v4().to_string()),
            ..Self::new(Method::POST, path)
        }
    }

    /// A request with another method.
    #[must_use]
    pub fn new(method: Method, path: &'a str) -> Self {
        Self { method, path, payload: Payload::None, generation: None, once: None }
    }

    /// Sends a document along.
    #[must_use]
    pub fn with(mut self, body: &'a Value) -> Self {
        self.payload = Payload::Json(body);
        self
    }

    /// Meant for this generation only.
    #[must_use]
    pub fn if_match(mut self, generation: u64) -> Self {
        self.generation = Some(generation);
        self
    }
}

impl Client {
    /// The API at an address. A token goes in clear over a connection on the machine itself, and over nothing else.
    ///
    /// # Errors
    /// When the address is none, or is plain HTTP to another machine.
    pub fn new(base: &str, token: Option<Secret>, language: Language, roots: Option<&Path>) -> Result<Self, Failure> {
        let base = base.trim_end_matches('/');
        let uri: http::Uri =
            base.parse().map_err(|_| Failure::Usage(format!("{base:?} is no address such as https://api.example")))?;
        match (uri.scheme_str(), uri.host()) {
            (Some("https"), Some(_)) => {}
            (Some("http"), Some(host)) if is_loopback(host) => {}
            (Some("http"), Some(host)) => {
                return Err(Failure::Usage(format!(
                    "plain HTTP to {host} would show the token to everybody on the way: use https://{host}"
                )));
            }
            _ => {
                return Err(Failure::Usage(format!("{base:?} is no address such as https://api.example")));
            }
        }
        let mut config = Agent::config_builder()
            .http_status_as_error(false)
            .max_redirects(0)
            // A proxy of the environment must never see a token that is meant for this machine.
            .proxy(if uri.scheme_str() == Some("https") { ureq::Proxy::try_from_env() } else { None })
            .user_agent(concat!("husorden/", env!("CARGO_PKG_VERSION")))
            .timeout_connect(Some(CONNECT_WAIT))
            .timeout_recv_response(Some(ANSWER_WAIT));
        if let Some(path) = roots {
            config = config.tls_config(TlsConfig::builder().root_certs(read_roots(path)?).build());
        }
        Ok(Self { agent: config.build().into(), base: base.to_owned(), token, language })
    }

    /// Where the API is.
    #[must_use]
    pub fn base(&self) -> &str {
        &self.base
    }

    /// The language answers are asked in.
    #[must_use]
    pub fn language(&self) -> Language {
        self.language
    }

    /// Everything in a list, page after page.
    ///
    /// # Errors
    /// When a page cannot be had, or there is no end of them.
    pub fn all<T: DeserializeOwned>(&self, path: &str) -> Result<Vec<T>, Failure> {
        let mut items = Vec::new();
        let mut next: Option<String> = None;
        for _ in 0..PAGES_MAX {
            let after = next.as_deref().map_or_else(String::new, |after| {
                format!("{}after={}", if path.contains('?') { '&' } else { '?' }, segment(after))
            });
            let page: Page<T> = self.get(&format!("{path}{after}"))?;
            items.extend(page.items);
            match page.next {
                Some(after) => next = Some(after),
                None => return Ok(items),
            }
        }
        Err(Failure::Odd(format!("{path} has more than {PAGES_MAX} pages")))
    }

    /// Asks for something.
    ///
    /// # Errors
    /// When it is refused, or nobody answers.
    pub fn get<T: DeserializeOwned>(&self, path: &str) -> Result<T, Failure> {
        self.ask(&Ask::get(path))
    }

    /// Asks for something to be made or done.
    ///
    /// # Errors
    /// When it is refused, or nobody answers.
    pub fn post<T: DeserializeOwned>(&self, path: &str, body: &impl Serialize) -> Result<T, Failure> {
        self.ask(&Ask::post(path, &to_value(body)?))
    }

    /// Sends a request and reads the answer. An answer without content reads as `null`.
    ///
    /// # Errors
    /// When it is refused, or nobody answers.
    pub fn ask<T: DeserializeOwned>(&self, ask: &Ask<'_>) -> Result<T, Failure> {
        let mut body = self.open(ask, "application/json")?.into_body();
        let text =
            body.with_config().limit(ANSWER_BYTES_MAX).read_to_string().map_err(|error| self.unreachable(&error))?;
        let text = if text.is_empty() { "null" } else { &text };
        serde_json::from_str(text).map_err(|error| {
            Failure::Odd(format!("{}{} answered something else than agreed: {error}", self.base, ask.path))
        })
    }

    /// Sends a request and gives back the answer's body as it comes, such as a stream of events.
    ///
    /// # Errors
    /// When it is refused, or nobody answers.
    pub fn stream(&self, ask: &Ask<'_>, accept: &str) -> Result<impl Read + use<>, Failure> {
        Ok(self.open(ask, accept)?.into_body().into_reader())
    }

    /// The same, with about how many bytes it will be where control knows.
    ///
    /// # Errors
    /// When it is refused, or nobody answers.
    pub fn stream_expected(&self, ask: &Ask<'_>) -> Result<(impl Read + use<>, Option<u64>), Failure> {
        let answer = self.open(ask, "*/*")?;
        let said = answer.headers().get("husorden-bytes-expected").and_then(|value| value.to_str().ok());
        let expected = said.and_then(|text| text.parse().ok());
        Ok((answer.into_body().into_reader(), expected))
    }

    fn open(&self, ask: &Ask<'_>, accept: &str) -> Result<http::Response<Body>, Failure> {
        let mut request = http::Request::builder()
            .method(ask.method.clone())
            .uri(format!("{}{}", self.base, ask.path))
            .header("accept", format!("{accept}, application/problem+json"))
            .header(
                "accept-language",
                match self.language {
                    Language::Da => "da, en;q=0.5",
                    Language::En => "en",
                },
            );
        if let Some(token) = &self.token {
            request = request.header("authorization", format!("Bearer {}", token.reveal()));
        }
        if let Some(generation) = ask.generation {
            request = request.header("if-match", format!("\"{generation}\""));
        }
        if let Some(key) = &ask.once {
            request = request.header("idempotency-key", key);
        }
        let wrong = |error: http::Error| Failure::Usage(format!("{:?} is no request: {error}", ask.path));
        let answer = match &ask.payload {
            Payload::None => self.agent.run(request.body(()).map_err(wrong)?),
            Payload::Json(body) => {
                let request = request.header("content-type", "application/json");
                self.agent.run(request.body(body.to_string()).map_err(wrong)?)
            }
            Payload::File(file, bytes) => {
                let request = request
                    .header("content-type", "application/octet-stream")
                    .header("content-length", bytes.to_string());
                let mut file: &File = file;
                let body = SendBody::from_reader(&mut file);
                self.agent.run(request.body(body).map_err(wrong)?)
            }
        };
        let answer = answer.map_err(|error| self.unreachable(&error))?;
        let status = answer.status();
        if status.is_success() {
            return Ok(answer);
        }
        let text = answer.into_body().with_config().limit(1 << 20).read_to_string().unwrap_or_default();
        match serde_json::from_str::<Problem>(&text) {
            Ok(problem) => Err(Failure::Refused(Box::new(problem))),
            Err(_) => Err(Failure::Odd(format!(
                "{}{} answered {status} without saying why; is this the API?",
                self.base, ask.path
            ))),
        }
    }

    fn unreachable(&self, error: &ureq::Error) -> Failure {
        Failure::Unreachable { url: self.base.clone(), why: plainly(error, self.language) }
    }
}

/// Why nobody answered, in words for who does not know what an errno is.
fn plainly(error: &ureq::Error, language: Language) -> String {
    let (da, en) = match error {
        ureq::Error::Io(error) => match error.kind() {
            ErrorKind::ConnectionRefused => ("ingen lytter på den adresse", "nobody listens on that address"),
            ErrorKind::ConnectionReset | ErrorKind::ConnectionAborted | ErrorKind::BrokenPipe => {
                ("forbindelsen blev afbrudt", "the connection was cut")
            }
            ErrorKind::UnexpectedEof => ("svaret hørte op midt i det hele", "the answer ended in the middle"),
            ErrorKind::TimedOut | ErrorKind::WouldBlock => ("tiden gik uden et svar", "time ran out without an answer"),
            ErrorKind::HostUnreachable | ErrorKind::NetworkUnreachable => {
                ("der er ingen vej til den adresse", "there is no way to that address")
            }
            _ => return error.to_string(),
        },
        ureq::Error::HostNotFound => ("navnet findes ikke", "there is no such name"),
        ureq::Error::Timeout(_) => ("tiden gik uden et svar", "time ran out without an answer"),
        ureq::Error::ConnectionFailed => ("der blev ingen forbindelse", "no connection came about"),
        other => return other.to_string(),
    };
    match language {
        Language::Da => da,
        Language::En => en,
    }
    .to_owned()
}

/// A document out of one of the API's types.
pub(crate) fn to_value(body: &impl Serialize) -> Result<Value, Failure> {
    serde_json::to_value(body).map_err(|error| Failure::Odd(format!("writing the request: {error}")))
}

fn is_loopback(host: &str) -> bool {
    let host = host.trim_start_matches('[').trim_end_matches(']');
    host == "localhost" || host.parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback())
}

fn read_roots(path: &Path) -> Result<RootCerts, Failure> {
    let wrong = |why: String| Failure::Usage(format!("{}: {why}", path.display()));
    let pem = std::fs::read(path).map_err(|error| wrong(error.to_string()))?;
    let certificates: Vec<_> = parse_pem(&pem)
        .filter_map(|item| match item {
            Ok(PemItem::Certificate(certificate)) => Some(certificate),
            _ => None,
        })
        .collect();
    if certificates.is_empty() {
        return Err(wrong("no certificate in PEM".to_owned()));
    }
    Ok(RootCerts::Specific(Arc::new(certificates)))
}

/// A text as one segment of a path or one value of a query.
pub(crate) fn segment(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~') {
            out.push(char::from(byte));
        } else {
            out.push_str(&format!("%{byte:02X}"));
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_goes_in_clear_to_this_machine_only() {
        for (base, fine) in [
            ("http://127.0.0.1:8480", true),
            ("http://[::1]:8480/", true),
            ("http://localhost", true),
            ("https://api.example", true),
            ("http://api.example", false),
            ("http://127.0.0.1.example", false),
            ("ftp://api.example", false),
            ("api.example", false),
            ("", false),
        ] {
            let client = Client::new(base, None, Language::En, None);
            assert_eq!(client.is_ok(), fine, "{base:?}");
        }
    }

    #[test]
    fn a_segment_stays_one() {
        assert_eq!(segment("a/b?c=ø"), "a%2Fb%3Fc%3D%C3%B8");
    }
}
