//! One request as a page sees it, and what a page answers.

use crate::api::Api;
use crate::cookie::{self, Stay};
use crate::form::Form;
use crate::own_path::OwnPath;
use crate::say::Reader;
use crate::socket::Knock;
use crate::standing::Standing;
use crate::ui::shell;
use crate::upload::{File, Slot};
use axum::body::Body;
use axum::response::Response;
use http::{HeaderValue, StatusCode, header};
use husorden_base::{Language, Refusal, Text};
use husorden_control::Kinds;
use husorden_wire::api::Capability;
use maud::Markup;
use std::collections::BTreeMap;

/// Which of the two origins was asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Origin {
    /// The customers' pages.
    Customers,
    /// The staff's pages.
    Staff,
}

/// Light, dark, or as the browser wishes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Theme {
    #[default]
    Auto,
    Light,
    Dark,
}

impl Theme {
    pub(crate) fn parse(word: &str) -> Self {
        match word {
            "light" => Self::Light,
            "dark" => Self::Dark,
            _ => Self::Auto,
        }
    }

    pub(crate) const fn word(self) -> &'static str {
        match self {
            Self::Auto => "auto",
            Self::Light => "light",
            Self::Dark => "dark",
        }
    }
}

/// One request.
pub(crate) struct Ask {
    /// The language of the answer.
    pub(crate) l: Language,
    /// The language and time zone of the answer.
    pub(crate) reader: Reader,
    pub(crate) theme: Theme,
    pub(crate) origin: Origin,
    /// The page asked for, with its query.
    pub(crate) path: OwnPath,
    /// The page of ours that the visitor came from.
    pub(crate) from: Option<OwnPath>,
    /// What every form of this visitor must carry.
    pub(crate) token: String,
    /// Who visits; always there on pages that need a session.
    pub(crate) who: Option<Standing>,
    /// A sentence that the page before left.
    pub(crate) flash: Option<String>,
    /// What an earlier log-in of this browser was given.
    pub(crate) device: Option<String>,
    pub(crate) api: Api,
    pub(crate) kinds: Kinds,
    /// Parameters of the path.
    pub(crate) params: BTreeMap<String, String>,
    pub(crate) query: Form,
    pub(crate) form: Form,
    /// The file that came with the form, where the page takes one.
    pub(crate) file: Slot<File>,
    /// The wish to go on as a WebSocket, where the page is one.
    pub(crate) knock: Slot<Knock>,
    /// Largest file that is taken, in bytes.
    pub(crate) file_bytes_max: u64,
}

impl Ask {
    /// Whether the visitor may do this.
    pub(crate) fn may(&self, what: Capability) -> bool {
        self.who.as_ref().is_some_and(|who| who.may(what))
    }

    /// A parameter of the path.
    pub(crate) fn param(&self, name: &str) -> &str {
        self.params.get(name).map_or("", String::as_str)
    }

    /// A page with this title.
    pub(crate) const fn sheet<'a>(&'a self, title: &'a str) -> Sheet<'a> {
        Sheet {
            ask: self,
            title,
            live: None,
            source: None,
            refresh_s: None,
            narrow: false,
            full: false,
            module: None,
            status: StatusCode::OK,
        }
    }

    /// Which main page this belongs to: the first segment of its path.
    pub(crate) fn section(&self) -> &str {
        let path = self.path.as_str();
        path.split(['?', '#']).next().unwrap_or_default().split('/').nth(1).unwrap_or_default()
    }
}

/// A page on its way: its title and how it behaves.
pub(crate) struct Sheet<'a> {
    pub(crate) ask: &'a Ask,
    pub(crate) title: &'a str,
    /// The stream whose events make the page's live parts load again.
    pub(crate) live: Option<String>,
    /// The page that live parts are loaded from, where it is not this one.
    pub(crate) source: Option<String>,
    /// Without JavaScript: after how many seconds the page is loaded again, while something is under way.
    pub(crate) refresh_s: Option<u32>,
    /// A page of one form or text: a narrow column.
    pub(crate) narrow: bool,
    /// A page as wide as the window.
    pub(crate) full: bool,
    /// A script of this page's own.
    pub(crate) module: Option<&'static str>,
    status: StatusCode,
}

impl Sheet<'_> {
    /// Parts marked live are loaded again when this stream tells of something.
    pub(crate) fn live(mut self, stream: impl Into<String>) -> Self {
        self.live = Some(stream.into());
        self
    }

    /// Live parts are loaded from another page, because this one is the answer to a form.
    pub(crate) fn source(mut self, path: &str) -> Self {
        self.source = Some(path.to_owned());
        self
    }

    /// Without JavaScript the page is loaded again after so many seconds.
    pub(crate) const fn refresh(mut self, seconds: Option<u32>) -> Self {
        self.refresh_s = seconds;
        self
    }

    pub(crate) const fn narrow(mut self) -> Self {
        self.narrow = true;
        self
    }

    /// As wide as the window, with a script of its own.
    pub(crate) const fn full(mut self, module: &'static str) -> Self {
        self.full = true;
        self.module = Some(module);
        self
    }

    pub(crate) const fn status(mut self, status: StatusCode) -> Self {
        self.status = status;
        self
    }

    /// The page with this content.
    pub(crate) fn show(self, content: Markup) -> Reply {
        let status = self.status;
        Reply { status, body: Said::Page(shell::page(&self, &content)), cookies: Vec::new(), clear: false }
    }
}

/// What a page answers.
#[derive(Debug)]
pub(crate) struct Reply {
    status: StatusCode,
    body: Said,
    cookies: Vec<HeaderValue>,
    clear: bool,
}

#[derive(Debug)]
enum Said {
    Page(Markup),
    See(OwnPath),
    Raw(Response),
}

impl Reply {
    /// To another page, which is then read with GET.
    pub(crate) const fn see(path: OwnPath) -> Self {
        Self { status: StatusCode::SEE_OTHER, body: Said::See(path), cookies: Vec::new(), clear: false }
    }

    /// Something that is no page: a stream, a file.
    pub(crate) fn raw(response: Response) -> Self {
        Self { status: response.status(), body: Said::Raw(response), cookies: Vec::new(), clear: false }
    }

    /// With a sentence that the next page shows.
    pub(crate) fn saying(self, sentence: &str) -> Self {
        self.cookie(cookie::set(cookie::FLASH, sentence, Stay::Seconds(60)))
    }

    /// With a cookie.
    pub(crate) fn cookie(mut self, cookie: HeaderValue) -> Self {
        self.cookies.push(cookie);
        self
    }

    /// The browser forgets everything it holds of us: cookies, storage, and pages for the back button.
    pub(crate) const fn clear(mut self) -> Self {
        self.clear = true;
        self
    }

    /// To whoever listens to a stream and would be led to another page: there is nothing more, and it is not asked for again (HTML, server-sent
    /// events: 204).
    pub(crate) fn or_no_stream(mut self) -> Self {
        if matches!(self.body, Said::See(_)) {
            self.status = StatusCode::NO_CONTENT;
            self.body = Said::Raw(Response::new(Body::empty()));
        }
        self
    }

    /// The answer as it leaves.
    pub(crate) fn into_response(self) -> Response {
        let mut response = match self.body {
            Said::Page(markup) => {
                let mut response = Response::new(Body::from(markup.into_string()));
                let html = HeaderValue::from_static("text/html; charset=utf-8");
                response.headers_mut().insert(header::CONTENT_TYPE, html);
                response
            }
            Said::See(path) => {
                let mut response = Response::new(Body::empty());
                if let Ok(value) = HeaderValue::from_str(path.as_str()) {
                    response.headers_mut().insert(header::LOCATION, value);
                }
                response
            }
            Said::Raw(response) => response,
        };
        *response.status_mut() = self.status;
        for cookie in self.cookies {
            response.headers_mut().append(header::SET_COOKIE, cookie);
        }
        if self.clear {
            let all = HeaderValue::from_static("\"cache\", \"cookies\", \"storage\"");
            response.headers_mut().insert("clear-site-data", all);
        }
        response
    }
}

/// There is no such page.
pub(crate) fn no_page() -> Refusal {
    Refusal::new(
        "no-page",
        404,
        Text::new("Siden findes ikke", "There is no such page"),
        Text::new(
            "Adressen er forkert, eller det, der lå her, er væk.",
            "The address is wrong, or what was here is gone.",
        ),
    )
}
