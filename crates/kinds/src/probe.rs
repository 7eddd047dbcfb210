//! Where strangers meet a solution, as data: what is asked to see from outside whether it is closed.

use husorden_base::Domain;
use serde::{Deserialize, Serialize};

/// What is asked, and in which language of the net.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "by", rename_all = "kebab-case")]
pub enum Probe {
    /// A page of the edge, by name: closed is 403 with the case number.
    Https {
        /// The name that strangers use most.
        domain: Domain,
    },
}
