//! What pages are dressed with: one style sheet and a few small scripts, compiled in. Their address holds their digest, so
//! that a browser may keep them for ever.

use axum::extract::Path;
use axum::response::{IntoResponse, Response};
use http::{StatusCode, header};
use sha2::{Digest, Sha256};
use std::sync::LazyLock;

/// Where they lie.
pub(crate) const PATH: &str = "/static/{digest}/{name}";

const STYLE: &str = concat!(
    include_str!("assets/tokens.css"),
    include_str!("assets/base.css"),
    include_str!("assets/shell.css"),
    include_str!("assets/parts.css"),
    include_str!("assets/forms.css"),
    include_str!("assets/backups.css"),
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
);
const MARK: &str = include_str!("assets/mark.svg");

/// Name, media type and text of each.
const FILES: [(&str, &str, &str); 3] = [
    ("panel.css", "text/css; charset=utf-8", STYLE),
    ("panel.js", "text/javascript; charset=utf-8", SCRIPT),
    ("mark.svg", "image/svg+xml", MARK),
];

static DIGEST: LazyLock<String> = LazyLock::new(|| {
    let mut hash = Sha256::new();
    FILES.iter().for_each(|(_, _, text)| hash.update(text));
    hash.finalize().iter().take(8).map(|byte| format!("{byte:02x}")).collect()
});

/// The address of one of them.
pub(crate) fn address(name: &str) -> String {
    format!("/static/{}/{name}", DIGEST.as_str())
}

pub(crate) async fn serve(Path((digest, name)): Path<(String, String)>) -> Response {
    match FILES.iter().find(|(found, ..)| *found == name) {
        Some((_, kind, text)) if digest == *DIGEST => {
            let headers =
                [(header::CONTENT_TYPE, *kind), (header::CACHE_CONTROL, "public, max-age=31536000, immutable")];
            (headers, *text).into_response()
        }
        _ => StatusCode::NOT_FOUND.into_response(),
    }
}
