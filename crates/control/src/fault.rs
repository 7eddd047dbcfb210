//! What a handler may end with instead of an answer: a refusal, or something broken on our side.
//!
//! A refusal goes to the caller whole. What is broken is logged once, here, with its source; the caller gets a refusal that
//! names the request and nothing of our insides.

use axum::response::{IntoResponse, Response};
use husorden_base::{FieldError, Refusal, Text};

/// Not an answer.
#[derive(Debug, thiserror::Error)]
pub enum Fault {
    /// The caller may not, or asked for what cannot be.
    #[error("{0}")]
    Refused(Box<Refusal>),
    /// The database failed us.
    #[error("database: {0}")]
    Database(sqlx::Error),
    /// Something else failed us.
    #[error("{doing}: {source}")]
    Broken {
        /// What was done.
        doing: &'static str,
        /// Why it failed.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
}

impl Fault {
    /// Something on our side failed while this was done.
    pub fn broken(doing: &'static str) -> impl FnOnce(Box<dyn std::error::Error + Send + Sync>) -> Self {
        move |source| Self::Broken { doing, source }
    }
}

impl From<Refusal> for Fault {
    fn from(refusal: Refusal) -> Self {
        Self::Refused(Box::new(refusal))
    }
}

/// Constraint names are part of the schema's contract: each that a caller can run into has its refusal here.
impl From<sqlx::Error> for Fault {
    fn from(error: sqlx::Error) -> Self {
        let constraint = error.as_database_error().and_then(|e| e.constraint());
        match constraint {
            Some("solution_name_taken") => name_taken().into(),
            Some("platform_numbers_spent") => Refusal::new(
                "numbers-spent",
                507,
                Text::new("Installationen har ikke flere numre", "The installation has no more numbers"),
                Text::new(
                    "Der er lavet så mange løsninger, som en installation kan rumme; intet er ændret.",
                    "As many solutions were made as one installation can number; nothing was changed.",
                ),
            )
            .into(),
            Some("account_name_taken") => Refusal {
                fields: vec![FieldError {
                    pointer: "/name".to_owned(),
                    detail: Text::new("Navnet er i brug", "The name is in use"),
                }],
                ..Refusal::new(
                    "account-name-taken",
                    409,
                    Text::new("Der er en konto med det navn", "There is an account with that name"),
                    Text::new("Vælg et andet navn.", "Choose another name."),
                )
            }
            .into(),
            Some("target_name_taken" | "network_name_taken") => {
                Refusal::field("/name", Text::new("Navnet er i brug", "The name is in use")).into()
            }
            Some("measure_decided_twice") => Refusal::new(
                "already-decided",
                409,
                Text::new("Der er allerede truffet afgørelse", "This was decided already"),
                Text::new(
                    "Sagen har en foranstaltning mod det samme, som ikke er ophævet. Læs sagen igen, før du afgør mere.",
                    "The case has a measure on the same that is not lifted. Read the case again before you decide more.",
                ),
            )
            .into(),
            Some("complaint_waits_once") => Refusal::new(
                "complaint-waits",
                409,
                Text::new("Der er allerede en klage, som venter på svar", "A complaint already waits for its answer"),
                Text::new(
                    "Vent på svaret; er noget glemt, kan det siges i en ny klage bagefter.",
                    "Wait for the answer; what was forgotten can be said in another complaint after it.",
                ),
            )
            .into(),
            Some("plan_code_taken") => Refusal {
                fields: vec![FieldError {
                    pointer: "/code".to_owned(),
                    detail: Text::new("Koden er i brug", "The code is in use"),
                }],
                ..Refusal::new(
                    "plan-code-taken",
                    409,
                    Text::new("Der er en plan med den kode", "There is a plan with that code"),
                    Text::new("Vælg en anden kode, eller ret den plan.", "Choose another code, or change that plan."),
                )
            }
            .into(),
            Some("ledger_entry_once") => Refusal::new(
                "entered-before",
                409,
                Text::new("Det er bogført før", "It was entered before"),
                Text::new("Intet er bogført igen.", "Nothing was entered again."),
            )
            .into(),
            Some("account_without_owner") => Refusal::new(
                "account-without-owner",
                409,
                Text::new("Kontoen ville stå uden ejer", "The account would be without an owner"),
                Text::new("Gør først et andet medlem til ejer; intet er ændret.", "First make another member an owner; nothing was changed."),
            )
            .into(),
            Some("rescue_checked_once") => crate::identity::rescue::checked_already().into(),
            Some("idempotency_taken") => Refusal::new(
                "idempotency-running",
                409,
                Text::new("Den samme forespørgsel er ved at blive udført", "The same request is being carried out"),
                Text::new(
                    "Spørg igen om et øjeblik med samme nøgle; svaret bliver det samme.",
                    "Ask again in a moment with the same key; the answer will be the same.",
                ),
            )
            .into(),
            _ => Self::Database(error),
        }
    }
}

fn name_taken() -> Refusal {
    Refusal {
        fields: vec![FieldError {
            pointer: "/name".to_owned(),
            detail: Text::new("Navnet er i brug", "The name is in use"),
        }],
        ..Refusal::new(
            "name-taken",
            409,
            Text::new("Kontoen har en løsning med det navn", "The account has a solution with that name"),
            Text::new(
                "Vælg et andet navn. En slettet løsning beholder sit navn, så længe den kan fortrydes.",
                "Choose another name. A deleted solution keeps its name as long as the deletion can be undone.",
            ),
        )
    }
}

/// The refusal on its way out; the gate renders it in the caller's language.
#[derive(Clone, Debug)]
pub(crate) struct Carried(pub(crate) Box<Refusal>);

impl IntoResponse for Fault {
    fn into_response(self) -> Response {
        let refusal = match self {
            Self::Refused(refusal) => refusal,
            Self::Database(error) => {
                tracing::error!(%error, "the database failed a request");
                let deadlock = error
                    .as_database_error()
                    .and_then(|e| e.code())
                    .is_some_and(|code| code == "40P01" || code == "40001");
                Box::new(if deadlock { try_again() } else { ours() })
            }
            Self::Broken { doing, source } => {
                tracing::error!(error = %source, doing, "a request failed on our side");
                Box::new(ours())
            }
        };
        let mut response = axum::http::StatusCode::from_u16(refusal.status)
            .unwrap_or(axum::http::StatusCode::INTERNAL_SERVER_ERROR)
            .into_response();
        response.extensions_mut().insert(Carried(refusal));
        response
    }
}

fn ours() -> Refusal {
    Refusal::new(
        "internal",
        500,
        Text::new("Noget gik galt hos os", "Something went wrong on our side"),
        Text::new(
            "Prøv igen; bliver det ved, så oplys forespørgslens id.",
            "Try again; if it goes on, tell us the id of the request.",
        ),
    )
}

fn try_again() -> Refusal {
    Refusal::new(
        "busy",
        503,
        Text::new("To ændringer stod i vejen for hinanden", "Two changes stood in each other's way"),
        Text::new("Intet er ændret; prøv igen.", "Nothing was changed; try again."),
    )
}
