//! Licences of operating systems, in pools.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// A pool of licences: images name it, and each server that is made from one has a seat in it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct LicencePool {
    /// Its name, as images have it.
    pub name: String,
    /// How many servers may have a licence of it at a time; 0 also where only images name it.
    pub seats: u32,
    /// Which contract, for people.
    pub note: String,
    /// Images that nodes have now and whose licences come from it.
    pub images: Vec<String>,
    /// Who has a licence, the oldest first: also who was deleted and can still be brought back.
    pub uses: Vec<LicenceUse>,
}

/// A server that has a licence.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct LicenceUse {
    /// The solution's id.
    pub solution: String,
    /// Its name.
    pub name: String,
    /// Its account's name.
    pub account: String,
    /// Since when.
    #[schema(value_type = String)]
    pub since: Timestamp,
}

/// How many licences a pool has. Errors: `/name`, `/seats` (at most 1,000,000), `/note` (at most 1000 characters).
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct LicencePoolForm {
    /// How many servers may have one at a time. Fewer than have one turns nothing off: no more are given.
    pub seats: u32,
    /// Which contract, for people.
    #[serde(default)]
    pub note: String,
}
