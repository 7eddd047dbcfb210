//! What kind of file a name says it is.

use http::HeaderValue;

/// A media type, and whether files of it shrink.
#[derive(Clone, Debug)]
pub(crate) struct Kind {
    pub(crate) value: HeaderValue,
    pub(crate) compresses: bool,
}

/// The kind of a file by its name. No character set is added: the file says its own.
pub(crate) fn of(name: &str) -> Kind {
    let extension = extension(name).to_ascii_lowercase();
    let known = |value: &'static str, compresses| Kind { value: HeaderValue::from_static(value), compresses };
    // What nearly every request asks for, without a search.
    match extension.as_str() {
        "html" | "htm" => known("text/html", true),
        "css" => known("text/css", true),
        "js" | "mjs" => known("text/javascript", true),
        "json" | "map" => known("application/json", true),
        "webmanifest" => known("application/manifest+json", true),
        "svg" => known("image/svg+xml", true),
        "txt" => known("text/plain", true),
        "jpg" | "jpeg" => known("image/jpeg", false),
        "png" => known("image/png", false),
        "gif" => known("image/gif", false),
        "webp" => known("image/webp", false),
        "avif" => known("image/avif", false),
        "ico" => known("image/x-icon", true),
        "woff2" => known("font/woff2", false),
        "woff" => known("font/woff", false),
        "mp4" => known("video/mp4", false),
        "pdf" => known("application/pdf", false),
        other => {
            let guess = mime_guess::from_ext(other).first_or_octet_stream();
            let compresses = guess.type_() == mime_guess::mime::TEXT
                || guess.suffix().is_some_and(|suffix| suffix == mime_guess::mime::XML)
                || matches!(
                    guess.subtype().as_str(),
                    "xml" | "javascript" | "json" | "wasm" | "x-font-ttf" | "ttf" | "otf"
                );
            let value = HeaderValue::from_str(guess.essence_str())
                .unwrap_or_else(|_| HeaderValue::from_static("application/octet-stream"));
            Kind { value, compresses }
        }
    }
}

/// Whether a media type in a script's answer is one whose files shrink.
pub(crate) fn compresses(value: &HeaderValue) -> bool {
    let Ok(text) = value.to_str() else { return false };
    let essence = text.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    // An event stream must not wait in a compressor.
    (essence.starts_with("text/") && essence != "text/event-stream")
        || essence.ends_with("+xml")
        || essence.ends_with("+json")
        || matches!(essence.as_str(), "application/json" | "application/javascript" | "application/xml")
}

/// Whether a name is that of program text which is run or included, never sent. `.php` itself is decided by whether the
/// site runs it.
pub(crate) fn is_source(name: &str) -> bool {
    const SOURCES: [&str; 11] = ["php", "php3", "php4", "php5", "php7", "php8", "phtml", "pht", "phps", "phar", "inc"];
    let name = name.trim_end_matches(['~', '/']);
    SOURCES.iter().any(|source| extension(name).eq_ignore_ascii_case(source))
}

fn extension(name: &str) -> &str {
    let name = name.rsplit('/').next().unwrap_or_default();
    name.rsplit_once('.').map_or("", |(_, extension)| extension)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kinds() {
        for (name, value, compresses) in [
            ("/a/b.HTML", "text/html", true),
            ("style.css", "text/css", true),
            ("feed.xml", "text/xml", true),
            ("x.tar.gz", "application/gzip", false),
            ("README", "application/octet-stream", false),
            ("a.b/README", "application/octet-stream", false),
        ] {
            let kind = of(name);
            assert_eq!((kind.value.to_str().expect("ASCII"), kind.compresses), (value, compresses), "{name}");
        }
    }

    #[test]
    fn sources() {
        for (name, expected) in [
            ("a.php", true),
            ("a.PHP", true),
            ("a.phtml", true),
            ("a.php~", true),
            ("a.inc", true),
            ("php", false),
            ("a.php.txt", false),
            ("a.html", false),
        ] {
            assert_eq!(is_source(name), expected, "{name}");
        }
    }
}
