//! What pages are dressed with: one style sheet and a few small scripts, compiled in; and noVNC, which shows a console, as its authors hand it out
//! (`vendor/novnc`). Their address holds their digest, so that a browser may keep them for ever.

use axum::extract::Path;
use axum::response::{IntoResponse, Response};
use http::{StatusCode, header};
use include_dir::{Dir, include_dir};
use sha2::{Digest, Sha256};
use std::sync::LazyLock;

/// Where they lie.
pub(crate) const PATH: &str = "/static/{digest}/{name}";
/// Where the library lies: beside the scripts, which name its parts by paths of their own.
pub(crate) const LIBRARY: &str = "/static/{digest}/novnc/{*path}";

static NOVNC: Dir<'_> = include_dir!("$CARGO_MANIFEST_DIR/vendor/novnc");

const STYLE: &str = concat!(
    include_str!("assets/tokens.css"),
    include_str!("assets/base.css"),
    include_str!("assets/shell.css"),
    include_str!("assets/parts.css"),
    include_str!("assets/forms.css"),
    include_str!("assets/backups.css"),
    include_str!("assets/console.css"),
);
const SCRIPT: &str = concat!(
    "\"use strict\";\n",
    include_str!("assets/copy.js"),
    include_str!("assets/live.js"),
    include_str!("assets/dialog.js"),
    include_str!("assets/fields.js"),
    include_str!("assets/upload.js"),
    include_str!("assets/menu.js"),
    include_str!("assets/print.js"),
    include_str!("assets/screen.js"),
);
const MARK: &str = include_str!("assets/mark.svg");

const JAVASCRIPT: &str = "text/javascript; charset=utf-8";
const KEPT: &str = "public, max-age=31536000, immutable";

/// Name, media type and text of each.
const FILES: [(&str, &str, &str); 5] = [
    ("panel.css", "text/css; charset=utf-8", STYLE),
    ("panel.js", JAVASCRIPT, SCRIPT),
    ("console.js", JAVASCRIPT, include_str!("assets/console.js")),
    ("strokes.js", JAVASCRIPT, include_str!("assets/strokes.js")),
    ("mark.svg", "image/svg+xml", MARK),
];

static DIGEST: LazyLock<String> = LazyLock::new(|| {
    let mut hash = Sha256::new();
    FILES.iter().for_each(|(_, _, text)| hash.update(text));
    fn all(folder: &Dir<'_>, hash: &mut Sha256) {
        folder.files().for_each(|file| hash.update(file.contents()));
        folder.dirs().for_each(|folder| all(folder, hash));
    }
    all(&NOVNC, &mut hash);
    hash.finalize().iter().take(8).map(|byte| format!("{byte:02x}")).collect()
});

/// The address of one of them.
pub(crate) fn address(name: &str) -> String {
    format!("/static/{}/{name}", DIGEST.as_str())
}

pub(crate) async fn serve(Path((digest, name)): Path<(String, String)>) -> Response {
    match FILES.iter().find(|(found, ..)| *found == name) {
        Some((_, kind, text)) if digest == *DIGEST => {
            ([(header::CONTENT_TYPE, *kind), (header::CACHE_CONTROL, KEPT)], *text).into_response()
        }
        _ => StatusCode::NOT_FOUND.into_response(),
    }
}

/// A part of the library: its scripts, and its licences as text.
pub(crate) async fn library(Path((digest, path)): Path<(String, String)>) -> Response {
    match NOVNC.get_file(&path) {
        Some(file) if digest == *DIGEST => {
            let kind = if path.ends_with(".js") { JAVASCRIPT } else { "text/plain; charset=utf-8" };
            ([(header::CONTENT_TYPE, kind), (header::CACHE_CONTROL, KEPT)], file.contents()).into_response()
        }
        _ => StatusCode::NOT_FOUND.into_response(),
    }
}
