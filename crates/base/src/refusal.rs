//! The refusal: the one shape of every "no", and the problem document (RFC 9457) it becomes at the API.

use crate::text::{Language, Text};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// Every denial, anywhere, is one of these: what rule, what was measured, against what limit, since when, until when, and
/// where to complain. The API shows it as a problem document, SMTP in its reply, the panel as a card; a stranger at the
/// edge sees none of it but the case number.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Refusal {
    /// A stable word for programs, such as `domain-taken`; lower case with hyphens.
    pub code: String,
    /// HTTP status that fits (4xx or 5xx).
    pub status: u16,
    /// One sentence: what was refused.
    pub title: Text,
    /// What to do about it, or why.
    pub detail: Text,
    /// The clause of the house rules it rests on, if one does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub clause: Option<String>,
    /// What was measured, with its unit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub measured: Option<String>,
    /// The entitlement or limit it was held against, with its unit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limit: Option<String>,
    /// Since when it is so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub since: Option<Timestamp>,
    /// When it ends by itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<Timestamp>,
    /// Where to complain: a path of the API or panel.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub complain: Option<String>,
    /// The case it belongs to, as strangers may see it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub case: Option<String>,
    /// What is wrong at which field of the request.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub fields: Vec<FieldError>,
}

/// What is wrong at one field.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FieldError {
    /// JSON pointer (RFC 6901) into the request body, such as `/spec/domains/0`.
    pub pointer: String,
    /// What is wrong and what would be right.
    pub detail: Text,
}

impl Refusal {
    /// A refusal with a code, a status, a title and a detail; the rest is added by the `with_` functions.
    pub fn new(code: &str, status: u16, title: Text, detail: Text) -> Self {
        Self {
            code: code.to_owned(),
            status,
            title,
            detail,
            clause: None,
            measured: None,
            limit: None,
            since: None,
            until: None,
            complain: None,
            case: None,
            fields: Vec::new(),
        }
    }

    /// The request body does not hold: one or more fields are wrong (422).
    #[must_use]
    pub fn fields(fields: Vec<FieldError>) -> Self {
        let mut refusal = Self::new(
            "invalid-fields",
            422,
            Text::new("Noget i forespørgslen er forkert", "Something in the request is wrong"),
            Text::new(
                "Ret de nævnte felter og send igen; intet er ændret.",
                "Mend the fields named and send again; nothing was changed.",
            ),
        );
        refusal.fields = fields;
        refusal
    }

    /// One wrong field.
    pub fn field(pointer: impl Into<String>, detail: Text) -> Self {
        Self::fields(vec![FieldError { pointer: pointer.into(), detail }])
    }

    /// There is no such thing, or none that the asker may know of (404).
    #[must_use]
    pub fn not_found(what: &str) -> Self {
        Self::new(
            "not-found",
            404,
            Text::new(format!("Findes ikke: {what}"), format!("Not found: {what}")),
            Text::new(
                "Det findes ikke, eller du har ikke adgang til det.",
                "It does not exist, or you may not see it.",
            ),
        )
    }

    /// Adds what was measured and the limit it was held against, both with units.
    #[must_use]
    pub fn with_limit(mut self, measured: impl Into<String>, limit: impl Into<String>) -> Self {
        self.measured = Some(measured.into());
        self.limit = Some(limit.into());
        self
    }

    /// Adds the clause of the house rules.
    #[must_use]
    pub fn with_clause(mut self, clause: impl Into<String>) -> Self {
        self.clause = Some(clause.into());
        self
    }

    /// The problem document for one reader.
    #[must_use]
    pub fn problem(&self, language: Language, instance: Option<&str>) -> Problem {
        Problem {
            kind: format!("/problems/{}", self.code),
            title: self.title.get(language).to_owned(),
            status: self.status,
            detail: self.detail.get(language).to_owned(),
            instance: instance.map(str::to_owned),
            refusal: self.clone(),
        }
    }
}

impl std::fmt::Display for Refusal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}: {}", self.title.en, self.detail.en)?;
        for field in &self.fields {
            write!(f, "; {}: {}", field.pointer, field.detail.en)?;
        }
        Ok(())
    }
}

impl std::error::Error for Refusal {}

/// A problem document, `application/problem+json` (RFC 9457). The refusal itself travels as the extension member `refusal`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Problem {
    /// A URI reference that names the kind of problem.
    #[serde(rename = "type")]
    pub kind: String,
    /// What was refused, in the reader's language.
    pub title: String,
    /// HTTP status.
    pub status: u16,
    /// What to do about it, in the reader's language.
    pub detail: String,
    /// This occurrence: the id of the request.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub instance: Option<String>,
    /// The whole refusal, in both languages.
    pub refusal: Refusal,
}
