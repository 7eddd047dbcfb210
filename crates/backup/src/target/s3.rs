//! A bucket of an S3 server. Requests are signed by `rusty-s3`, which has no I/O of its own, and sent by the client that REST has too.
//!
//! An object is put with the condition that there is none (`If-None-Match: *`) and with the SHA-256 of its bytes, which the server compares: so
//! nothing that is there is written over, and nothing that broke on the way is acknowledged. What the account may do beside that is the bucket's policy
//! to say (docs/backups.md); nothing here has a word for deleting, but for the target's own side.

use super::http::{self, CALL, Paced};
use super::{Folder, Listed, Pace, Place, Target, already};
use crate::fault::Fault;
use crate::id::Id;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use husorden_base::Secret;
use jiff::Timestamp;
use rusty_s3::actions::ListObjectsV2;
use rusty_s3::{Bucket, Credentials, S3Action, UrlStyle};
use std::collections::BTreeSet;
use std::ops::Range;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use ureq::http::{Response, StatusCode};
use ureq::{Agent, Body, SendBody};

/// Most bytes of one page of a listing, which has a thousand objects, or of an error.
const PAGE_BYTES_MAX: u64 = 4 << 20;
/// Most pages: a million objects.
const PAGES_MAX: usize = 1000;
/// Longest text of an error that is passed on, in characters.
const SAID_CHARS_MAX: usize = 200;
/// How servers say that there is no room: the protocol has no word of its own.
const FULL: [&str; 4] = ["QuotaExceeded", "InsufficientStorage", "XMinioStorageFull", "XMinioAdminBucketQuotaExceeded"];

/// An account on an S3 server, and its bucket.
#[derive(Clone)]
pub struct S3Account {
    /// The server's address; the bucket's name comes after it (path style).
    pub url: String,
    /// The bucket.
    pub bucket: String,
    /// The region that requests are signed for.
    pub region: String,
    /// The account's access key, which is a name.
    pub access_key: String,
    /// The account's secret key.
    pub secret: Secret,
}

/// A repository in a bucket.
pub struct S3 {
    agent: Agent,
    bucket: Bucket,
    credentials: Credentials,
    /// Ends with `/`, or is empty.
    prefix: String,
    pace: Arc<Pace>,
    /// The server knows no conditions for what is put.
    unconditional: AtomicBool,
}

/// An object as a page of a listing shows it.
struct Entry {
    /// Its key, without the repository's own part.
    name: String,
    bytes: u64,
    /// When it was put there, by the server's clock.
    modified: Option<Timestamp>,
}

/// The object that it is. What lies elsewhere under such a name is not what restic would read.
fn named(folder: Folder, entry: &Entry) -> Option<Id> {
    let id = entry.name.rsplit('/').next()?.parse().ok()?;
    (Place::In(folder, id).path() == entry.name).then_some(id)
}

impl S3 {
    /// The repository in this folder of a bucket.
    ///
    /// # Errors
    /// [`Fault::Refused`] when the account's address is none.
    pub fn new(account: &S3Account, folder: &str, pace: Arc<Pace>) -> Result<Self, Fault> {
        Self::by(http::agent(), account, folder, pace)
    }

    /// As [`S3::new`], where whoever asks has no network: each connection goes to this socket, behind which somebody else holds one to the server.
    ///
    /// # Errors
    /// As [`S3::new`], or when this process can't listen on its own loopback.
    pub fn behind(
        socket: impl Into<PathBuf>,
        account: &S3Account,
        folder: &str,
        pace: Arc<Pace>,
    ) -> Result<Self, Fault> {
        let agent = http::behind(socket.into()).map_err(Fault::files("opening the way to the target"))?;
        Self::by(agent, account, folder, pace)
    }

    fn by(agent: Agent, account: &S3Account, folder: &str, pace: Arc<Pace>) -> Result<Self, Fault> {
        let wrong = |why: String| Fault::Refused { doing: "finding the bucket".to_owned(), why };
        let url = account.url.parse().map_err(|_| wrong(format!("{:?} is no address", account.url)))?;
        let bucket = Bucket::new(url, UrlStyle::Path, account.bucket.clone(), account.region.clone())
            .map_err(|error| wrong(format!("{:?}: {error}", account.url)))?;
        let credentials = Credentials::new(&account.access_key, account.secret.reveal());
        let folder = folder.trim_matches('/');
        let prefix = if folder.is_empty() { String::new() } else { format!("{folder}/") };
        Ok(Self { agent, bucket, credentials, prefix, pace, unconditional: AtomicBool::new(false) })
    }

    fn key(&self, place: Place) -> String {
        format!("{}{}", self.prefix, place.path())
    }

    /// Signs and sends. What is signed must be sent as it was signed.
    fn call<'a>(
        &self,
        mut action: impl S3Action<'a>,
        method: &str,
        headers: &[(&'static str, String)],
        (doing, body): (&str, Option<&[u8]>),
    ) -> Result<Response<Body>, Fault> {
        for (name, value) in headers {
            action.headers_mut().insert(*name, value.clone());
        }
        let url = action.sign(CALL);
        let mut request = ureq::http::Request::builder().method(method).uri(url.as_str());
        for (name, value) in headers {
            request = request.header(*name, value);
        }
        let refused = |error: ureq::http::Error| Fault::Refused { doing: doing.to_owned(), why: error.to_string() };
        let mut paced = Paced { rest: body.unwrap_or_default(), pace: &self.pace };
        let sent = match body {
            Some(body) => {
                request = request.header("content-length", body.len());
                self.agent.run(request.body(SendBody::from_reader(&mut paced)).map_err(refused)?)
            }
            None => self.agent.run(request.body(SendBody::none()).map_err(refused)?),
        };
        sent.map_err(|error| Fault::away(doing, error))
    }

    fn put_once(&self, key: &str, place: Place, body: &[u8], condition: bool) -> Result<Response<Body>, Fault> {
        let mut headers = vec![("x-amz-checksum-sha256", STANDARD.encode(Id::of(body).0))];
        if condition {
            headers.push(("if-none-match", "*".to_owned()));
        }
        let action = self.bucket.put_object(Some(&self.credentials), key);
        self.call(action, "PUT", &headers, (&format!("writing {place}"), Some(body)))
    }

    /// Everything under a name within the repository's own part of the bucket.
    fn entries(&self, under: &str, doing: &str) -> Result<Vec<Entry>, Fault> {
        let mut found = Vec::new();
        let mut token: Option<String> = None;
        for _ in 0..PAGES_MAX {
            let mut action = self.bucket.list_objects_v2(Some(&self.credentials));
            action.with_prefix(format!("{}{under}", self.prefix));
            if let Some(token) = &token {
                action.with_continuation_token(token.clone());
            }
            let page = self.page(action, doing)?;
            found.extend(page.contents.into_iter().filter_map(|object| {
                Some(Entry {
                    name: object.key.strip_prefix(&self.prefix)?.to_owned(),
                    bytes: object.size?,
                    modified: object.last_modified.and_then(|at| at.parse().ok()),
                })
            }));
            token = page.next_continuation_token;
            if token.is_none() {
                return Ok(found);
            }
        }
        Err(Fault::Limit(format!("{doing}: more than {PAGES_MAX} pages")))
    }

    /// The folders at the top of this part of the bucket: the repositories, for the target's own side.
    ///
    /// # Errors
    /// When the server does not tell.
    pub fn folders(&self) -> Result<Vec<String>, Fault> {
        let mut found = BTreeSet::new();
        let mut token: Option<String> = None;
        for _ in 0..PAGES_MAX {
            let mut action = self.bucket.list_objects_v2(Some(&self.credentials));
            action.with_prefix(self.prefix.clone());
            action.with_delimiter("/");
            if let Some(token) = &token {
                action.with_continuation_token(token.clone());
            }
            let page = self.page(action, "listing repositories")?;
            found.extend(page.common_prefixes.into_iter().filter_map(|folder| {
                folder.prefix.strip_prefix(&self.prefix).map(|name| name.trim_end_matches('/').to_owned())
            }));
            token = page.next_continuation_token;
            if token.is_none() {
                break;
            }
        }
        Ok(found.into_iter().collect())
    }

    fn page(&self, action: ListObjectsV2<'_>, doing: &str) -> Result<rusty_s3::actions::ListObjectsV2Response, Fault> {
        let answer = self.call(action, "GET", &[], (doing, None))?;
        if !answer.status().is_success() {
            return Err(refused(doing, answer));
        }
        let text = answer.into_body().into_with_config().limit(PAGE_BYTES_MAX).read_to_string();
        let text = text.map_err(|error| Fault::away(doing, error))?;
        ListObjectsV2::parse_response(&text).map_err(|error| Fault::Refused {
            doing: doing.to_owned(),
            why: format!("it answers another protocol: {error}"),
        })
    }

    /// The objects of a folder, and when each was put there by the server's clock.
    pub(crate) fn dated(&self, folder: Folder) -> Result<Vec<(Id, Option<Timestamp>)>, Fault> {
        let entries = self.entries(&format!("{}/", folder.name()), &format!("listing {}", folder.name()))?;
        Ok(entries.into_iter().filter_map(|entry| Some((named(folder, &entry)?, entry.modified))).collect())
    }

    /// Removes an object: the target's own side alone has an account that may.
    pub(crate) fn delete(&self, place: Place) -> Result<(), Fault> {
        let key = self.key(place);
        let doing = format!("removing {place}");
        let answer =
            self.call(self.bucket.delete_object(Some(&self.credentials), &key), "DELETE", &[], (&doing, None))?;
        match answer.status() {
            StatusCode::NOT_FOUND => Ok(()),
            status if status.is_success() => Ok(()),
            _ => Err(refused(&doing, answer)),
        }
    }
}

/// What a server said that is no success.
struct Said {
    status: StatusCode,
    code: String,
    message: String,
}

impl Said {
    fn of(answer: Response<Body>) -> Self {
        let status = answer.status();
        let text = answer.into_body().into_with_config().limit(PAGE_BYTES_MAX).read_to_string().unwrap_or_default();
        let field = |name: &str| {
            let inner =
                text.split_once(&format!("<{name}>")).and_then(|(_, rest)| rest.split_once(&format!("</{name}>")));
            let inner = inner.map(|(inner, _)| inner).unwrap_or_default();
            inner.chars().filter(|c| !c.is_control()).take(SAID_CHARS_MAX).collect::<String>()
        };
        Self { status, code: field("Code"), message: field("Message") }
    }

    fn fault(self, doing: &str) -> Fault {
        let doing = doing.to_owned();
        let Self { status, code, message } = self;
        let why = match code.as_str() {
            "NoSuchBucket" => "there is no such bucket; make it, or name the one that is there".to_owned(),
            "RequestTimeTooSkewed" => "the clocks here and there differ by too much; set this machine's".to_owned(),
            _ => [status.as_str(), &code, &message].join(" ").trim_end().to_owned(),
        };
        // A condition that met another writer's (409) holds the next time.
        let passes = status.is_server_error() || [429, 409, 408].contains(&status.as_u16()) || code == "RequestTimeout";
        match status {
            _ if FULL.contains(&code.as_str()) => Fault::Full { doing },
            StatusCode::INSUFFICIENT_STORAGE => Fault::Full { doing },
            _ if passes => Fault::away(doing, why),
            _ => Fault::Refused { doing, why },
        }
    }
}

fn refused(doing: &str, answer: Response<Body>) -> Fault {
    Said::of(answer).fault(doing)
}

impl Target for S3 {
    /// Folders are parts of names. A bucket that is not there, or is closed to this account, is told before anything is sent.
    fn prepare(&self) -> Result<(), Fault> {
        let mut action = self.bucket.list_objects_v2(Some(&self.credentials));
        action.with_prefix(self.prefix.clone());
        action.with_max_keys(1);
        self.page(action, "looking into the bucket").map(drop)
    }

    fn put(&self, place: Place, body: &[u8]) -> Result<(), Fault> {
        let doing = format!("writing {place}");
        let key = self.key(place);
        if !self.unconditional.load(Ordering::Relaxed) {
            let answer = self.put_once(&key, place, body, true)?;
            match answer.status() {
                status if status.is_success() => return Ok(()),
                StatusCode::PRECONDITION_FAILED => {
                    let found = self.size(place)?;
                    return already(place, found.ok_or_else(|| Fault::away(doing, "it came and went"))?, body);
                }
                // An older server. Names are hashes, so what lies there is the same, and is looked for first.
                StatusCode::NOT_IMPLEMENTED => self.unconditional.store(true, Ordering::Relaxed),
                _ => return Err(refused(&doing, answer)),
            }
        }
        if let Some(found) = self.size(place)? {
            return already(place, found, body);
        }
        let answer = self.put_once(&key, place, body, false)?;
        if answer.status().is_success() { Ok(()) } else { Err(refused(&doing, answer)) }
    }

    fn get(&self, place: Place, part: Option<Range<u64>>) -> Result<Vec<u8>, Fault> {
        let doing = format!("reading {place}");
        let key = self.key(place);
        let range = part.as_ref().map(|part| ("range", format!("bytes={}-{}", part.start, part.end.saturating_sub(1))));
        let headers: Vec<_> = range.into_iter().collect();
        let answer =
            self.call(self.bucket.get_object(Some(&self.credentials), &key), "GET", &headers, (&doing, None))?;
        let status = answer.status();
        if !status.is_success() {
            let said = Said::of(answer);
            let gone = said.status == StatusCode::NOT_FOUND && said.code != "NoSuchBucket";
            return Err(if gone { Fault::Missing(place.to_string()) } else { said.fault(&doing) });
        }
        http::object(answer, part, &self.pace).map_err(|error| Fault::away(&doing, error))
    }

    fn list(&self, folder: Folder) -> Result<Vec<Listed>, Fault> {
        let entries = self.entries(&format!("{}/", folder.name()), &format!("listing {}", folder.name()))?;
        let listed = |entry: Entry| Some(Listed { id: named(folder, &entry)?, bytes: entry.bytes });
        Ok(entries.into_iter().filter_map(listed).collect())
    }

    fn size(&self, place: Place) -> Result<Option<u64>, Fault> {
        let doing = format!("looking at {place}");
        let key = self.key(place);
        let answer = self.call(self.bucket.head_object(Some(&self.credentials), &key), "HEAD", &[], (&doing, None))?;
        match answer.status() {
            StatusCode::NOT_FOUND => Ok(None),
            status if status.is_success() => {
                let length = answer.headers().get("content-length").and_then(|value| value.to_str().ok()?.parse().ok());
                length.map(Some).ok_or_else(|| Fault::away(doing, "the server tells no size"))
            }
            _ => Err(refused(&doing, answer)),
        }
    }
}
