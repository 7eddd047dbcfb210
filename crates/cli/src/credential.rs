//! `husorden credential`: passwords of a solution, made anew and shown once.

use crate::api::segment;
use crate::context::Context;
use crate::failure::Failure;
use crate::output;
use crate::solution::path;
use husorden_wire::api::CredentialShown;
use serde_json::json;

/// What can be done with passwords.
#[derive(Debug, clap::Subcommand)]
pub enum Verb {
    /// Make a new password; the old one stops working
    Rotate {
        /// The solution's name or id
        solution: String,
        /// Which password, such as `admin`
        #[arg(default_value = "admin")]
        credential: String,
    },
}

impl Verb {
    pub(crate) fn run(self, context: &Context) -> Result<(), Failure> {
        let Self::Rotate { solution, credential } = self;
        context.confirm(&format!(
            "{} {credential} {} {solution} {}",
            context.word("Adgangskoden", "The password"),
            context.word("til", "of"),
            context.word("udskiftes; den gamle virker ikke mere.", "will be replaced; the old one stops working.")
        ))?;
        let path = format!("{}/credentials/{}", path(&solution), segment(&credential));
        let shown: CredentialShown = context.api.post(&path, &json!({}))?;
        output::done(context.format, &shown.name, &shown, &text(context, &shown))
    }
}

/// A password, in words.
pub(crate) fn text(context: &Context, shown: &CredentialShown) -> String {
    match &shown.password {
        Some(password) => format!(
            "{}: {} {} {password}   ({})",
            shown.name,
            shown.username,
            context.word("adgangskode", "password"),
            context.word("vises kun nu", "shown only now")
        ),
        None => format!(
            "{}: {} ({})",
            shown.name,
            shown.username,
            context.word("adgangskoden er vist én gang", "the password was shown once")
        ),
    }
}
