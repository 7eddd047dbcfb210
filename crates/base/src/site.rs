//! The edge's table: what a node tells the edge about each site, and what the edge tells back.
//!
//! The edge and the node speak JSON lines over a unix socket that the node listens on. The edge opens with
//! [`FromEdge::Hello`]; the node answers with a whole [`ToEdge::Table`] when the edge's is older, and then sends changes. Each
//! carries the table's generation, which only grows; the edge refuses an older one, keeps the newest on disk, and says
//! [`FromEdge::Applied`] once a change is in force for new requests and the streams it closes are cut.

use crate::{Domain, Number, SolutionId, Text};
use serde::{Deserialize, Serialize};
use std::path::PathBuf;

/// One site as the edge serves it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Site {
    /// The solution behind it.
    pub solution: SolutionId,
    /// The solution's number; the edge's log and counters are kept by it.
    pub number: Number,
    /// The names it answers to; the first is the main one.
    pub domains: Vec<Domain>,
    /// The directory on this machine beneath which everything it serves lies. Only the platform can rename it, so its
    /// path may be trusted; what lies beneath may not, and is opened with `openat2` and `RESOLVE_BENEATH` alone.
    pub root: PathBuf,
    /// How requests are answered.
    pub handler: Handler,
    /// Whether it is served, and if not, what visitors see.
    pub standing: Standing,
    /// Certificate chain and key in PEM, as paths the edge may read; none means the edge's default certificate.
    pub certificate: Option<Certificate>,
    /// Plain HTTP is answered by a redirect to HTTPS.
    pub https_only: bool,
    /// Largest request body in bytes.
    pub body_bytes_max: u64,
}

/// Where a certificate lies.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Certificate {
    /// PEM file of the chain, leaf first.
    pub chain: PathBuf,
    /// PEM file of the private key.
    pub key: PathBuf,
    /// Changes whenever the files do; the edge loads them again only then.
    pub fingerprint: String,
}

/// How a site answers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "by", rename_all = "kebab-case")]
pub enum Handler {
    /// Files only.
    Static,
    /// Files, and PHP over FastCGI.
    Php {
        /// The unix socket of the site's FastCGI server on this machine. A platform-made socket in a platform-made
        /// directory; while the site sleeps the node listens on it and the first connection wakes the site.
        socket: PathBuf,
        /// What `root` is called inside the site's sandbox; SCRIPT_FILENAME is built from it.
        inner_root: String,
        /// The script that answers for paths which are no file, such as `index.php`.
        front_controller: Option<String>,
    },
}

/// Whether a site is served.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "is", rename_all = "kebab-case")]
pub enum Standing {
    /// Served.
    Open,
    /// Stopped by its owner: 503 with a plain page.
    Stopped,
    /// Not ready yet: 503 with a page that says so and reloads by itself.
    Preparing,
    /// Closed by a measure: 403, a case number, and nothing else.
    Closed {
        /// The case number a stranger may see.
        case: String,
    },
    /// Cannot be served, for a reason visitors may know: 503 with the text.
    Troubled {
        /// What visitors see.
        text: Text,
    },
}

/// What the node tells the edge.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "say", rename_all = "kebab-case")]
pub enum ToEdge {
    /// The whole table; what it does not hold is no longer served.
    Table {
        /// Generation of the table.
        generation: u64,
        /// Every site.
        sites: Vec<Site>,
    },
    /// One site is new or changed.
    Set {
        /// Generation of the table after this change; exactly one more than before.
        generation: u64,
        /// The site.
        site: Box<Site>,
    },
    /// One site is gone.
    Drop {
        /// Generation of the table after this change; exactly one more than before.
        generation: u64,
        /// The site's solution.
        solution: SolutionId,
    },
}

/// What the edge tells the node.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "say", rename_all = "kebab-case")]
pub enum FromEdge {
    /// First line of every connection.
    Hello {
        /// Generation of the table the edge holds, 0 for none.
        generation: u64,
    },
    /// The change with this generation is in force: new requests see it and open streams it closes are cut.
    Applied {
        /// Generation.
        generation: u64,
    },
    /// Sent when a line does not follow on the generation held: the node answers with the whole table.
    Behind {
        /// Generation of the table the edge holds.
        generation: u64,
    },
    /// What sites did since the last such line, sent about once a second for sites that did anything.
    Counts {
        /// One entry a site.
        sites: Vec<Counts>,
    },
}

/// What one site did at the edge since the last report.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counts {
    /// The site's number; 0 is never used.
    pub number: u32,
    /// Requests answered.
    pub requests: u64,
    /// Of which by the sandbox.
    pub dynamic: u64,
    /// Answers with a status of 500 or above.
    pub errors: u64,
    /// Body bytes received.
    pub bytes_in: u64,
    /// Body bytes sent.
    pub bytes_out: u64,
    /// Requests that are being answered by the sandbox now.
    pub in_flight: u32,
}
