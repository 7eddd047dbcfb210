//! `husorden credential`: passwords of a solution, made anew and shown once.

use crate::api::segment;
use crate::context::Context;
use crate::failure::Failure;
use crate::output;
use crate::solution::path;
use husorden_wire::api::{CredentialForm, CredentialShown};
use std::fs::File;
use std::io::{BufRead, BufReader, Read};

/// Longest line that is read as a password; what is longer than a password may be is the API's to refuse.
const BYTES_MAX: u64 = 16 << 10;

/// What can be done with passwords.
#[derive(Debug, clap::Subcommand)]
pub enum Verb {
    /// Make a new password, or set one; the old one stops working
    Rotate {
        /// The solution's name or id
        solution: String,
        /// Which password, such as `admin`
        #[arg(default_value = "admin")]
        credential: String,
        /// File with the password of your choice; - is standard input. Without it one is made and shown once
        #[arg(long, value_name = "FILE")]
        password_file: Option<String>,
    },
}

impl Verb {
    pub(crate) fn run(self, context: &Context) -> Result<(), Failure> {
        let Self::Rotate { solution, credential, password_file } = self;
        rotate(context, &solution, &credential, password_file.as_deref())
    }
}

/// Asks whether it is meant, and gives a new password.
pub(crate) fn rotate(context: &Context, solution: &str, credential: &str, file: Option<&str>) -> Result<(), Failure> {
    context.confirm(&format!(
        "{} {credential} {} {solution} {}",
        context.word("Adgangskoden", "The password"),
        context.word("til", "of"),
        context.word("udskiftes; den gamle virker ikke mere.", "will be replaced; the old one stops working.")
    ))?;
    renew(context, solution, credential, file)
}

/// Asks for a new password, or sets the one in a file, and shows what there is to show.
pub(crate) fn renew(context: &Context, solution: &str, credential: &str, file: Option<&str>) -> Result<(), Failure> {
    let form = CredentialForm { password: file.map(read).transpose()? };
    let path = format!("{}/credentials/{}", path(solution), segment(credential));
    let shown: CredentialShown = context.api.post(&path, &form)?;
    let told = match &form.password {
        Some(_) => format!("{}: {}", shown.name, context.word("adgangskoden er sat", "the password is set")),
        None => text(context, &shown),
    };
    output::done(context.format, &shown.name, &shown, &told)
}

/// The first line of a file, or of standard input, as a password. It never stands on a command line.
pub(crate) fn read(file: &str) -> Result<String, Failure> {
    let mut line = String::new();
    let read = if file == "-" {
        std::io::stdin().lock().take(BYTES_MAX).read_line(&mut line)
    } else {
        File::open(file).and_then(|open| BufReader::new(open.take(BYTES_MAX)).read_line(&mut line))
    };
    read.map_err(|error| Failure::Usage(format!("{file}: {error}")))?;
    let password = line.trim_end_matches(['\r', '\n']);
    if password.is_empty() {
        return Err(Failure::Usage(format!("{file}: the first line is no password")));
    }
    Ok(password.to_owned())
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
