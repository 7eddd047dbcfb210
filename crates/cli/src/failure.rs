//! Why a command did not do what was asked, told so that the reader knows what to do, with an exit status for scripts.

use husorden_base::{Language, Problem};

/// Why a command failed.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    /// The command itself is wrong.
    #[error("{0}")]
    Usage(String),
    /// The platform refused.
    #[error("{}: {}", .0.title, .0.detail)]
    Refused(Box<Problem>),
    /// Nobody answered.
    #[error("{url} does not answer: {why}")]
    Unreachable {
        /// Whom was asked.
        url: String,
        /// What happened.
        why: String,
    },
    /// Something answered that is not the API, or not as agreed.
    #[error("{0}")]
    Odd(String),
    /// Work that was begun failed.
    #[error("{0}")]
    Work(String),
    /// Work does not go on as it is; the platform tries again by itself.
    #[error("{0}")]
    Trouble(String),
    /// Work goes on; only the waiting is over.
    #[error("{0}")]
    Impatient(String),
    /// The question was answered with no.
    #[error("{0}")]
    Declined(String),
}

impl Failure {
    /// The exit status: 1 odd answers, 2 wrong use, 3 refused, 4 not found, 5 unreachable, 6 no access, 7 changed
    /// meanwhile, 8 the work failed, 9 waited too long, 10 in trouble.
    #[must_use]
    pub fn exit_code(&self) -> u8 {
        match self {
            Self::Odd(_) => 1,
            Self::Usage(_) | Self::Declined(_) => 2,
            Self::Refused(problem) => match problem.status {
                404 => 4,
                401 | 403 => 6,
                409 | 412 => 7,
                _ => 3,
            },
            Self::Unreachable { .. } => 5,
            Self::Work(_) => 8,
            Self::Impatient(_) => 9,
            Self::Trouble(_) => 10,
        }
    }

    /// The whole text for the reader. `flag` turns a pointer into the request into what the reader typed.
    #[must_use]
    pub fn text(&self, language: Language, flag: &dyn Fn(&str) -> String) -> String {
        let word = |da: &'static str, en: &'static str| match language {
            Language::Da => da,
            Language::En => en,
        };
        let mut text = format!("{}: ", word("fejl", "error"));
        match self {
            Self::Refused(problem) => {
                let refusal = &problem.refusal;
                text += &format!("{}\n  {}\n", problem.title, problem.detail);
                for field in &refusal.fields {
                    let detail = field.detail.get(language);
                    text += &format!("  {}: {detail}\n", flag(&field.pointer));
                }
                let mut fact = |name: &str, value: Option<String>| {
                    if let Some(value) = value {
                        text += &format!("  {name}: {value}\n");
                    }
                };
                fact(word("målt", "measured"), refusal.measured.clone());
                fact(word("grænse", "limit"), refusal.limit.clone());
                fact(word("punkt", "clause"), refusal.clause.clone());
                fact(word("sag", "case"), refusal.case.clone());
                fact(word("siden", "since"), refusal.since.map(|at| at.to_string()));
                fact(word("indtil", "until"), refusal.until.map(|at| at.to_string()));
                fact(word("klage", "complain"), refusal.complain.clone());
                fact(word("forespørgsel", "request"), problem.instance.clone());
            }
            Self::Unreachable { url, why } => {
                text += &format!("{url} {}: {why}\n", word("svarer ikke", "does not answer"));
            }
            Self::Usage(why)
            | Self::Odd(why)
            | Self::Work(why)
            | Self::Trouble(why)
            | Self::Impatient(why)
            | Self::Declined(why) => {
                text += why;
                text.push('\n');
            }
        }
        if let Some(advice) = self.advice(language) {
            text += &format!("  → {advice}\n");
        }
        text
    }

    /// What to do about it, where the refusal itself does not say.
    fn advice(&self, language: Language) -> Option<&'static str> {
        let (da, en) = match self {
            Self::Refused(problem) => match problem.status {
                401 => (
                    "Angiv en gyldig nøgle: HUSORDEN_TOKEN, --token-file FIL, eller `token` i ~/.config/husorden/config.toml.",
                    "Give a valid token: HUSORDEN_TOKEN, --token-file FILE, or `token` in ~/.config/husorden/config.toml.",
                ),
                412 => (
                    "Nogen har ændret den imens. Se den igen og gentag kommandoen.",
                    "Somebody changed it meanwhile. Look at it again and repeat the command.",
                ),
                429 => ("Vent lidt og prøv igen.", "Wait a little and try again."),
                500..=599 => (
                    "Fejlen er platformens; prøv igen, og nævn forespørgslens id for driften.",
                    "The fault is the platform's; try again, and name the request's id to the operator.",
                ),
                _ => return None,
            },
            Self::Unreachable { .. } => (
                "Kører platformen (`husorden status`)? En anden adresse gives med --api eller HUSORDEN_API.",
                "Does the platform run (`husorden status`)? Another address is given by --api or HUSORDEN_API.",
            ),
            Self::Impatient(_) => (
                "Arbejdet går videre; følg det med `husorden event follow`.",
                "The work goes on; follow it with `husorden event follow`.",
            ),
            Self::Trouble(_) => (
                "Platformen prøver igen af sig selv. Se den med `husorden solution show`, eller fortryd ændringen med en ny.",
                "The platform tries again by itself. Look at it with `husorden solution show`, or take the change back with another.",
            ),
            Self::Usage(_) | Self::Odd(_) | Self::Work(_) | Self::Declined(_) => return None,
        };
        Some(match language {
            Language::Da => da,
            Language::En => en,
        })
    }
}
