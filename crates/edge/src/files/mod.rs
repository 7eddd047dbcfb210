//! The files phase: from a path to what it names beneath the site's root, and from a file to its answer.

pub(crate) mod cache;
mod conditional;
mod known;
mod mime;
mod open;
pub(crate) mod stream;

use crate::connection::{Connection, Edge};
use crate::gzip;
use crate::log;
use crate::pages::Page;
use crate::request::Refused;
use crate::respond::{self, Answer, Content};
use crate::route::Route;
use cache::Entry;
use conditional::{Condition, Slice};
use http::header::{self, HeaderValue};
use http::request::Parts;
use http::{Method, Response, StatusCode};
use husorden_base::site::Handler;
pub(crate) use mime::compresses;
pub(crate) use open::Opened;
use open::{Access, Lookup, Tree};
use std::sync::Arc;
use stream::FileStream;

/// Smaller files are not worth compressing.
const GZIP_BYTES_MIN: u64 = 1 << 10;

/// What a path names.
#[derive(Debug)]
pub(crate) enum Target {
    /// A file to be sent.
    File {
        opened: Opened,
        /// Its path, for the type.
        name: String,
    },
    /// A directory that was named without its slash.
    Directory,
    /// A script to be run.
    Script(Script),
}

/// A script beneath the root.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Script {
    /// From the root, with a slash first.
    pub(crate) name: String,
    /// What follows the script's name in the path.
    pub(crate) path_info: String,
}

/// Lets go of what this thread keeps from one request to the next; called by its sweep.
pub(crate) fn forget() {
    open::forget_roots();
    known::forget();
}

/// Finds what a path names. Only a regular file whose name ends in `.php` is a script, and only its whole name counts:
/// `/uploads/x.jpg/y.php` runs neither.
pub(crate) async fn resolve(connection: &Connection, route: &Route) -> Result<Target, Refused> {
    let site = &route.site.site;
    if let Handler::Php { .. } = &site.handler
        && let Some(script) = known::script(site.number, &route.path)
    {
        return Ok(Target::Script(script));
    }
    let tree = match Tree::open(&site.root) {
        Ok(tree) => tree,
        Err(error) => {
            tracing::warn!(site = %site.number, root = %site.root.display(), %error, "a site's root cannot be opened");
            return Err(Page::Failed.into());
        }
    };
    let (php, front) = match &site.handler {
        Handler::Static => (false, None),
        Handler::Php { front_controller, .. } => (true, front_controller.as_deref()),
    };
    let path = &route.path;
    if let Some((script, path_info)) = split_script(path.as_str()) {
        if php && tree.find(&script[1..], Access::Exists).await.is_file() {
            known::add(site.number, script);
            return Ok(Target::Script(Script { name: script.to_owned(), path_info: path_info.to_owned() }));
        }
        return fall_back(&tree, front).await;
    }
    if !mime::is_source(path.as_str()) {
        if path.is_directory() {
            let directory = path.relative();
            if php {
                let script = format!("{directory}index.php");
                if tree.find(&script, Access::Exists).await.is_file() {
                    let name = format!("/{script}");
                    known::add(site.number, &name);
                    return Ok(Target::Script(Script { name, path_info: String::new() }));
                }
            }
            for index in ["index.html", "index.htm"] {
                let name = format!("{directory}{index}");
                if let Lookup::File(opened) = tree.find(&name, Access::Read).await {
                    return Ok(Target::File { opened, name });
                }
            }
        } else {
            match tree.find(path.relative(), Access::Read).await {
                Lookup::File(opened) => {
                    return Ok(Target::File { opened, name: path.as_str().to_owned() });
                }
                Lookup::Directory => return Ok(Target::Directory),
                Lookup::Denied => {
                    let message = format!("{}: the file's permissions do not let it be served", path.as_str());
                    log::error(&connection.edge.logs, site.number, message.as_bytes());
                    return Err(Page::Missing.into());
                }
                Lookup::Missing => {}
            }
        }
    }
    fall_back(&tree, front).await
}

/// The front controller answers for what is no file, if the site has one.
async fn fall_back(tree: &Tree, front: Option<&str>) -> Result<Target, Refused> {
    let Some(front) = front else { return Err(Page::Missing.into()) };
    let front = front.trim_start_matches('/');
    if !front.ends_with(".php") || !tree.find(front, Access::Exists).await.is_file() {
        return Err(Page::Missing.into());
    }
    Ok(Target::Script(Script { name: format!("/{front}"), path_info: String::new() }))
}

/// Splits a path after its first segment that ends in `.php`.
fn split_script(path: &str) -> Option<(&str, &str)> {
    let mut end = 0;
    for segment in path.split_inclusive('/') {
        let name = segment.strip_suffix('/').unwrap_or(segment);
        if name.ends_with(".php") {
            return Some(path.split_at(end + name.len()));
        }
        end += segment.len();
    }
    None
}

/// Answers with a file.
pub(crate) async fn answer(edge: &Arc<Edge>, parts: &Parts, opened: Opened, name: &str) -> Result<Answer, Refused> {
    if parts.method != Method::GET && parts.method != Method::HEAD {
        return Err(Page::MethodNotAllowed.into());
    }
    let kind = mime::of(name);
    let entry = edge.cache.entry(&opened, &edge.limits);
    let wants_gzip = kind.compresses
        && opened.id.length >= GZIP_BYTES_MIN
        && opened.id.length <= edge.limits.gzip_file_bytes_max as u64
        && !parts.headers.contains_key(header::RANGE)
        && gzip::accepted(&parts.headers);
    let zipped = if wants_gzip { entry.zipped(edge, &opened).await } else { None };

    let etag = if zipped.is_some() { &entry.weak_etag } else { &entry.etag };
    let condition = conditional::check(&parts.headers, &entry, &parts.method);
    let mut answer = match condition {
        Condition::Failed => return Err(Page::PreconditionFailed.into()),
        Condition::NotModified => {
            let mut answer = Response::new(Content::Empty);
            *answer.status_mut() = StatusCode::NOT_MODIFIED;
            answer
        }
        Condition::Send => match zipped {
            Some(bytes) => {
                let mut answer = Response::new(Content::Bytes(bytes));
                answer.headers_mut().insert(header::CONTENT_ENCODING, HeaderValue::from_static("gzip"));
                answer
            }
            None => whole_or_slice(edge, parts, &entry, opened)?,
        },
    };
    let fields = answer.headers_mut();
    if condition == Condition::Send {
        fields.insert(header::CONTENT_TYPE, kind.value);
        fields.insert(header::ACCEPT_RANGES, HeaderValue::from_static("bytes"));
    }
    fields.insert(header::ETAG, etag.clone());
    fields.insert(header::LAST_MODIFIED, entry.last_modified.clone());
    if kind.compresses {
        fields.insert(header::VARY, HeaderValue::from_static("accept-encoding"));
    }
    Ok(answer)
}

fn whole_or_slice(edge: &Arc<Edge>, parts: &Parts, entry: &Arc<Entry>, opened: Opened) -> Result<Answer, Refused> {
    let length = opened.id.length;
    let (start, end, partial) = match conditional::slice(&parts.headers, entry, length) {
        Slice::Whole => (0, length, false),
        Slice::Part { start, end } => (start, end, true),
        Slice::Outside => {
            let mut answer = respond::page(&Page::RangeOutside, &parts.headers);
            if let Ok(value) = HeaderValue::from_str(&format!("bytes */{length}")) {
                answer.headers_mut().insert(header::CONTENT_RANGE, value);
            }
            return Err(Refused::Answer(Box::new(answer)));
        }
    };
    let content = match edge.cache.content(entry, &opened, &edge.limits) {
        Some(bytes) => {
            // What is cached is as long as the file, which the slice was held against; both fit memory.
            let (start, end) = (usize::try_from(start), usize::try_from(end));
            Content::Bytes(bytes.slice(start.unwrap_or(0)..end.unwrap_or(0)))
        }
        None => Content::File(Box::new(FileStream::new(opened.file, start, end))),
    };
    let mut answer = Response::new(content);
    if partial {
        *answer.status_mut() = StatusCode::PARTIAL_CONTENT;
        if let Ok(value) = HeaderValue::from_str(&format!("bytes {start}-{}/{length}", end - 1)) {
            answer.headers_mut().insert(header::CONTENT_RANGE, value);
        }
    }
    Ok(answer)
}

#[cfg(test)]
mod tests {
    use super::split_script;

    #[test]
    fn only_a_whole_name_is_a_script() {
        for (path, expected) in [
            ("/index.php", Some(("/index.php", ""))),
            ("/index.php/foo/bar", Some(("/index.php", "/foo/bar"))),
            ("/a/b.php/", Some(("/a/b.php", "/"))),
            ("/uploads/x.jpg/y.php", Some(("/uploads/x.jpg/y.php", ""))),
            ("/a.phpx/b", None),
            ("/a.PHP", None),
            ("/", None),
            ("/a/b/", None),
        ] {
            assert_eq!(split_script(path), expected, "{path}");
        }
    }
}
