//! What is wished of a solution: the order a kind plans from.

use crate::attach::{Guest, Used};
use crate::firewall::Rule;
use crate::mail_out::MailOut;
use crate::network::Membership;
use crate::public::Public;
use crate::scheme::Scheme;
use husorden_base::{Number, SolutionId, site};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::collections::BTreeMap;

/// What is wanted of a solution as a whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Aim {
    /// It serves.
    Run,
    /// Its data is kept and nothing is served.
    Stop,
    /// It goes. The only aim whose steps may destroy; a snapshot is left for the retention time first.
    Gone,
}

/// Somebody who logs in to a solution, with a password.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Login {
    /// The name of the credential.
    pub name: String,
    /// The user it is for.
    pub username: String,
    /// How the engine keeps the password.
    pub scheme: Scheme,
    /// Whoever brings it about by a change is shown a password at once. Without this nobody knows one until one is asked for.
    pub at_once: bool,
}

/// A password as the platform keeps it: a hash that the engine checks, never the password.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Credential {
    /// The user it is for.
    pub username: String,
    /// As the [`Scheme`] of its login has it.
    pub hash: String,
    /// Grows with each new password; the mark of what was set last is compared with it.
    pub generation: u64,
}

/// One solution as it is wished to be, with what the measures register says of it at the moment of the pass.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Order {
    /// The solution.
    pub solution: SolutionId,
    /// Its number on this installation.
    pub number: Number,
    /// What is wanted of it as a whole.
    pub aim: Aim,
    /// The kind's own spec, as [`crate::Kind::parse`] made it.
    pub spec: Value,
    /// Passwords by name.
    #[serde(default)]
    pub credentials: BTreeMap<String, Credential>,
    /// What it has in the private networks that its spec names.
    #[serde(default)]
    pub networks: Vec<Membership>,
    /// The public addresses it was given.
    #[serde(default)]
    pub public: Public,
    /// The rules that hold at them.
    #[serde(default)]
    pub rules: Vec<Rule>,
    /// Its leave to reach TCP port 25 outside, where an agreement gives it one.
    #[serde(default)]
    pub mail_out: Option<MailOut>,
    /// Where it finds what its spec attaches; none also while there is nothing of that name to be used.
    #[serde(skip)]
    pub uses: Option<Used>,
    /// Who uses it.
    #[serde(skip)]
    pub guests: Vec<Guest>,
    /// The case number a stranger may see, while a measure holds the solution closed. Comes from the register, never from
    /// a wish.
    #[serde(default)]
    pub closed: Option<String>,
    /// While it is closed, what runs of it stays as it is: it stands still, or goes on behind a port that lets nothing through. Only for kinds
    /// that can ([`crate::Kind::stands_still`]).
    #[serde(skip)]
    pub still: bool,
    /// The retention time is over: with [`Aim::Gone`], what was retained may go too.
    #[serde(default)]
    pub expired: bool,
    /// Its maintenance window is open. Said by whoever has a clock.
    #[serde(skip)]
    pub window: bool,
    /// Seconds between two times that what was written to its log is ended and kept. Said by the node.
    #[serde(skip, default = "crate::segments::usual_s")]
    pub log_s: u32,
}

/// Whether a solution is served at all: its aim under the measures in force.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Standing {
    /// Served.
    Open,
    /// Stopped by its owner.
    Stopped,
    /// Closed by a measure; the case number.
    Closed(String),
    /// On its way out.
    Going,
}

impl Order {
    /// The password of a user, whether one of the spec or one who comes by an attachment.
    #[must_use]
    pub fn credential(&self, username: &str) -> Option<&Credential> {
        let guest =
            self.guests.iter().map(|guest| &guest.credential).find(|credential| credential.username == username);
        guest.or_else(|| self.credentials.get(username))
    }

    /// The aim under the measures in force. A measure beats `run`, so that no kind can forget it; it does not stop a
    /// deletion, which takes away from the net anyway.
    #[must_use]
    pub fn standing(&self) -> Standing {
        match (self.aim, &self.closed) {
            (Aim::Gone, _) => Standing::Going,
            (_, Some(case)) => Standing::Closed(case.clone()),
            (Aim::Stop, None) => Standing::Stopped,
            (Aim::Run, None) => Standing::Open,
        }
    }
}

impl Standing {
    /// What the edge is to say, for kinds that are served by it; `open` while the site is ready.
    #[must_use]
    pub fn at_edge(&self, ready: bool) -> site::Standing {
        match self {
            Self::Open if ready => site::Standing::Open,
            Self::Open => site::Standing::Preparing,
            Self::Stopped | Self::Going => site::Standing::Stopped,
            Self::Closed(case) => site::Standing::Closed { case: case.clone() },
        }
    }
}
