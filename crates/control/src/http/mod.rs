//! Handlers: thin. Each reads the request, calls a verb or a statement, and answers.

pub(crate) mod accounts;
pub(crate) mod agreements;
pub(crate) mod archive;
pub(crate) mod backups;
pub(crate) mod cases;
pub(crate) mod console;
pub(crate) mod erasures;
pub(crate) mod events;
pub(crate) mod evidence;
pub(crate) mod figures;
pub(crate) mod firewalls;
pub(crate) mod flow;
pub(crate) mod grants;
pub(crate) mod identity;
pub(crate) mod journal;
pub(crate) mod licences;
pub(crate) mod mails;
pub(crate) mod me;
pub(crate) mod money;
pub(crate) mod networks;
pub(crate) mod notify;
pub(crate) mod orders;
pub(crate) mod proposals;
pub(crate) mod rules;
pub(crate) mod solutions;
pub(crate) mod strays;
pub(crate) mod targets;
pub(crate) mod tokens;
pub(crate) mod updates;

use husorden_base::{Refusal, Text};
use serde::{Deserialize, Deserializer};
use uuid::Uuid;

/// Items a page has when nothing is said, and at most.
pub(crate) const LIMIT: i64 = 50;
pub(crate) const LIMIT_MAX: i64 = 200;

/// `?after=&limit=` of a list that is sorted by id.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Paging {
    #[serde(default)]
    pub(crate) after: Option<Uuid>,
    #[serde(default)]
    pub(crate) limit: Limit,
}

/// How many items a page may have.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limit(pub(crate) i64);

impl Default for Limit {
    fn default() -> Self {
        Self(LIMIT)
    }
}

impl<'de> Deserialize<'de> for Limit {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse::<i64>()
            .ok()
            .filter(|limit| (1..=LIMIT_MAX).contains(limit))
            .map(Self)
            .ok_or_else(|| serde::de::Error::custom(format!("limit: 1 to {LIMIT_MAX}")))
    }
}

/// A page of rows, of which one more than asked was read to know whether there are more.
pub(crate) fn page<R, T>(
    mut rows: Vec<R>,
    limit: Limit,
    id: impl Fn(&R) -> String,
    shown: impl FnMut(R) -> T,
) -> husorden_wire::api::Page<T> {
    let size = usize::try_from(limit.0).unwrap_or(0);
    let more = rows.len() > size;
    rows.truncate(size);
    let next = if more { rows.last().map(id) } else { None };
    husorden_wire::api::Page { items: rows.into_iter().map(shown).collect(), next }
}

/// A page is read with one row more.
pub(crate) const fn one_more(limit: Limit) -> i64 {
    limit.0 + 1
}

/// An id in a path; what is none does not exist.
pub(crate) fn id(text: &str) -> Result<Uuid, Refusal> {
    text.parse().map_err(|_| Refusal::not_found(text))
}

/// No such route.
pub(crate) async fn nowhere(uri: http::Uri) -> crate::fault::Fault {
    Refusal::not_found(uri.path()).into()
}

/// The route has other methods.
pub(crate) async fn no_method() -> crate::fault::Fault {
    Refusal::new(
        "method",
        405,
        Text::new("Den metode findes ikke her", "There is no such method here"),
        Text::new("Se /v1/openapi.json.", "See /v1/openapi.json."),
    )
    .into()
}
