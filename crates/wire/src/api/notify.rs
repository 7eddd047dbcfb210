//! Notifications: webhooks and their deliveries, which mails a person gets, and how the house is.

use husorden_base::{Secret, Text};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;
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

/// What events are about, as members choose which of them come as mail. Mails about one's own log-in always come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Topic {
    /// Decisions, measures and complaints.
    Decisions,
    /// Access: staff who are let in or act, tokens, webhooks.
    Access,
    /// Solutions that do not stand as wished, and work that failed.
    Trouble,
    /// Deletions and what was undone.
    Deletion,
    /// Snapshots, restores and other changes of solutions.
    Work,
    /// Plans and payments.
    Money,
    /// Members and the account itself.
    Members,
    /// New versions of the house rules.
    Rules,
}

impl Topic {
    /// Every one, in the order in which people read them.
    pub const ALL: [Self; 8] = [
        Self::Decisions,
        Self::Access,
        Self::Trouble,
        Self::Deletion,
        Self::Work,
        Self::Money,
        Self::Members,
        Self::Rules,
    ];

    /// Its word.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Decisions => "decisions",
            Self::Access => "access",
            Self::Trouble => "trouble",
            Self::Deletion => "deletion",
            Self::Work => "work",
            Self::Money => "money",
            Self::Members => "members",
            Self::Rules => "rules",
        }
    }

    /// What people call it.
    #[must_use]
    pub fn title(self) -> Text {
        let (da, en) = match self {
            Self::Decisions => ("Afgørelser og klager", "Decisions and complaints"),
            Self::Access => ("Adgang", "Access"),
            Self::Trouble => ("Driftsproblemer", "Trouble"),
            Self::Deletion => ("Sletning og fortrydelse", "Deletion and undo"),
            Self::Work => ("Ændringer", "Changes"),
            Self::Money => ("Abonnementer og betaling", "Plans and payments"),
            Self::Members => ("Medlemmer og konto", "Members and account"),
            Self::Rules => ("Husordenen", "The house rules"),
        };
        Text::new(da, en)
    }

    /// When a mail comes, in one sentence.
    #[must_use]
    pub fn about(self) -> Text {
        let (da, en) = match self {
            Self::Decisions => (
                "Når der træffes eller ophæves en foranstaltning, når der klages eller svares på en klage, og når en aftale besvares eller slutter.",
                "When a measure is decided or lifted, when there is a complaint or an answer to one, and when an agreement is decided on or ends.",
            ),
            Self::Access => (
                "Når personale lukkes ind eller handler på kontoen, og når der laves eller lukkes tokens og webhooks.",
                "When staff are let in or act on the account, and when tokens and webhooks are made or ended.",
            ),
            Self::Trouble => (
                "Når en løsning ikke står som ønsket, eller noget, der blev bestilt, mislykkes.",
                "When a solution does not stand as wished, or something that was ordered fails.",
            ),
            Self::Deletion => (
                "Når en løsning slettes, hentes tilbage eller forsvinder for altid.",
                "When a solution is deleted, brought back or gone for good.",
            ),
            Self::Work => (
                "Når øjebliksbilleder og gendannelser er færdige, og når løsninger laves eller ændres.",
                "When snapshots and restores are done, and when solutions are made or changed.",
            ),
            Self::Money => (
                "Når et abonnement begynder, fornyes eller slutter, og når en betaling er bogført.",
                "When a plan begins, renews or ends, and when a payment was entered.",
            ),
            Self::Members => (
                "Når nogen indbydes, får en anden rolle eller fjernes, og når kontoens oplysninger ændres.",
                "When somebody is invited, given another role or removed, and when the account's details change.",
            ),
            Self::Rules => (
                "Når husordenen får en ny udgave, og når den accepteres.",
                "When the house rules have a new version, and when it is accepted.",
            ),
        };
        Text::new(da, en)
    }
}

impl fmt::Display for Topic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.word())
    }
}

impl FromStr for Topic {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::ALL.into_iter().find(|one| one.word() == text).ok_or_else(|| {
            let words: Vec<&str> = Self::ALL.iter().map(|one| one.word()).collect();
            format!("{text:?} is no topic; there are {}", words.join(", "))
        })
    }
}

/// A topic as it stands for a member.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct MailChoice {
    /// Which.
    pub topic: Topic,
    /// Whether its events come as mail.
    pub mail: bool,
    /// Whether they do where the member chose nothing.
    pub usual: bool,
    /// They come whatever is chosen: decisions are addressed to whoever answers for the account.
    pub fixed: bool,
}

/// A choice of which events come as mail. What is left out stays.
#[derive(Clone, Debug, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct MailChange {
    /// By topic: whether its events come as mail.
    #[schema(value_type = Object)]
    pub mail: BTreeMap<Topic, bool>,
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
