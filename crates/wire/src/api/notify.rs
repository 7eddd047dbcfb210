//! Notifications: webhooks and their deliveries, which mails a person gets, and how the house is.

use husorden_base::{Secret, Text};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// An order for a webhook.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct WebhookCreate {
    /// What it is for, for people.
    pub label: String,
    /// Where it goes: `https://…`, on the public Internet.
    pub url: String,
    /// Which events: kinds such as `solution.trouble`, or `solution.*`; none means all.
    #[serde(default)]
    pub events: Vec<String>,
}

/// A change of a webhook; what is left out stays.
#[derive(Clone, Debug, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct WebhookChange {
    /// What it is for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub label: Option<String>,
    /// Where it goes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
    /// Which events.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub events: Option<Vec<String>>,
    /// Whether it is sent anything.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub enabled: Option<bool>,
    /// Gives it a new secret; the one before signs nothing any more.
    #[serde(default)]
    pub new_secret: bool,
}

/// A webhook.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct Webhook {
    /// Its id.
    pub id: String,
    /// What it is for.
    pub label: String,
    /// Where it goes.
    pub url: String,
    /// Which events; none means all.
    pub events: Vec<String>,
    /// Whether it is sent anything.
    pub enabled: bool,
    /// What deliveries are signed with, in the answer that makes it only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub secret: Option<Secret>,
    /// When it was made.
    #[schema(value_type = String)]
    pub created: Timestamp,
}

/// One delivery to a webhook.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct Delivery {
    /// Its id, which is the header `webhook-id`.
    pub id: String,
    /// The kind of the event, or `webhook.test`.
    pub kind: String,
    /// The event's number; none for a test.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub event: Option<u64>,
    /// `waiting`, `delivered`, or `dead` when it was given up.
    pub state: String,
    /// How often it was tried.
    pub tries: u32,
    /// The status of the last answer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<u16>,
    /// Why the last try failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
    /// When it was asked for.
    #[schema(value_type = String)]
    pub created: Timestamp,
    /// When it was last tried.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub tried: Option<Timestamp>,
}

/// How the house is.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct Health {
    /// The worst of the checks.
    pub state: Condition,
    /// When it was looked.
    #[schema(value_type = String)]
    pub at: Timestamp,
    /// What was looked at.
    pub checks: Vec<HealthCheck>,
}

/// One thing that was looked at.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct HealthCheck {
    /// What: a word, and a name behind a colon where there are several, such as `node:local`.
    pub name: String,
    /// How it is.
    pub state: Condition,
    /// In words.
    #[schema(value_type = Object)]
    pub text: Text,
}

/// How something is, from good to bad.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Condition {
    /// As it should be.
    Fine,
    /// It goes on with less, or soon will not.
    Degraded,
    /// It needs somebody now.
    Bad,
}
