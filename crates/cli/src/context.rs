//! What every command is given: where the API is, who asks, in which language and in which form the answer is shown.

use crate::api::Client;
use crate::failure::Failure;
use crate::output::Format;
use husorden_base::{Language, Secret};
use serde::Deserialize;
use std::fs;
use std::path::{Path, PathBuf};

/// The port the API of an installation listens on.
pub const API_PORT: u16 = 8480;

/// Options of every command that asks the API.
#[derive(Clone, Debug, Default, clap::Args)]
#[command(next_help_heading = "How to ask")]
pub struct Globals {
    /// Where the API is [default: http://127.0.0.1:8480]
    #[arg(long, global = true, env = "HUSORDEN_API", value_name = "URL")]
    api: Option<String>,
    /// File with the token; HUSORDEN_TOKEN and the settings file are the other ways. A token never stands on a command line
    #[arg(long, global = true, env = "HUSORDEN_TOKEN_FILE", value_name = "FILE")]
    token_file: Option<PathBuf>,
    /// Certificates (PEM) to trust instead of the public authorities
    #[arg(long, global = true, env = "HUSORDEN_CACERT", value_name = "FILE")]
    cacert: Option<PathBuf>,
    /// table, json, or name (one a line)
    #[arg(short, long, global = true, value_name = "FORM", default_value = "table")]
    pub(crate) output: Format,
    /// Do it without asking
    #[arg(long, global = true)]
    yes: bool,
    /// Come back at once; work goes on
    #[arg(long, global = true)]
    no_wait: bool,
    /// Seconds to wait for work to end
    #[arg(long, global = true, value_name = "SECONDS", default_value_t = 900)]
    wait_s_max: u64,
}

/// The settings file, `~/.config/husorden/config.toml`.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct Settings {
    api: Option<String>,
    token: Option<Secret>,
    cacert: Option<PathBuf>,
}

/// What a command is given.
#[derive(Debug)]
pub(crate) struct Context {
    pub(crate) api: Client,
    pub(crate) format: Format,
    pub(crate) language: Language,
    pub(crate) yes: bool,
    /// How long to wait for work; none is not at all.
    pub(crate) wait_s_max: Option<u64>,
}

impl Globals {
    /// In which form the answer is wanted.
    #[must_use]
    pub const fn output(&self) -> Format {
        self.output
    }

    /// The API, as these flags and the settings say who asks.
    ///
    /// # Errors
    /// When the address, the token's file or the settings are none.
    pub fn client(&self) -> Result<Client, Failure> {
        Ok(self.context()?.api)
    }

    /// Finds the API, the token and the language.
    pub(crate) fn context(&self) -> Result<Context, Failure> {
        let settings = self.settings()?;
        let base = self.api.clone().or(settings.api).unwrap_or_else(|| format!("http://127.0.0.1:{API_PORT}"));
        let named = std::env::var("HUSORDEN_TOKEN").ok().filter(|token| !token.trim().is_empty());
        let token = match (named, &self.token_file) {
            (Some(token), _) => Some(Secret::new(token.trim())),
            (None, Some(path)) => Some(read_token(path)?),
            (None, None) => settings.token,
        };
        let language = language();
        let roots = self.cacert.clone().or(settings.cacert);
        Ok(Context {
            api: Client::new(&base, token, language, roots.as_deref())?,
            format: self.output,
            language,
            yes: self.yes,
            wait_s_max: (!self.no_wait).then_some(self.wait_s_max),
        })
    }

    fn settings(&self) -> Result<Settings, Failure> {
        let folder = std::env::var_os("XDG_CONFIG_HOME")
            .map(PathBuf::from)
            .or_else(|| Some(PathBuf::from(std::env::var_os("HOME")?).join(".config")));
        let Some(path) = folder.map(|folder| folder.join("husorden/config.toml")) else {
            return Ok(Settings::default());
        };
        match fs::read_to_string(&path) {
            Ok(text) => toml::from_str(&text).map_err(|error| {
                // The error's own text shows the line, and with it the token.
                Failure::Usage(format!("{}: {}", path.display(), error.message()))
            }),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(Settings::default()),
            Err(error) => Err(Failure::Usage(format!("{}: {error}", path.display()))),
        }
    }
}

/// The first line of a file, as a token.
fn read_token(path: &Path) -> Result<Secret, Failure> {
    let text = fs::read_to_string(path).map_err(|error| Failure::Usage(format!("{}: {error}", path.display())))?;
    match text.lines().next().map(str::trim) {
        Some(token) if !token.is_empty() && token.bytes().all(|byte| byte.is_ascii_graphic()) => Ok(Secret::new(token)),
        _ => Err(Failure::Usage(format!("{}: the first line is no token", path.display()))),
    }
}

/// The language of the terminal, as POSIX has it.
#[must_use]
pub fn language() -> Language {
    let set = ["LC_ALL", "LC_MESSAGES", "LANG"]
        .into_iter()
        .find_map(|name| std::env::var(name).ok().filter(|value| !value.is_empty()));
    match set {
        Some(locale) if locale == "da" || locale.starts_with("da_") => Language::Da,
        _ => Language::En,
    }
}

impl Context {
    /// One of two texts, in the reader's language.
    pub(crate) fn word(&self, da: &'static str, en: &'static str) -> &'static str {
        match self.language {
            Language::Da => da,
            Language::En => en,
        }
    }

    /// Asks before something that loses or stops something. `what` says what will happen and what can be undone.
    pub(crate) fn confirm(&self, what: &str) -> Result<(), Failure> {
        use std::io::{BufRead, IsTerminal, Write};
        if self.yes {
            return Ok(());
        }
        if !std::io::stdin().is_terminal() {
            return Err(Failure::Usage(format!(
                "{what}\n  {}",
                self.word(
                    "Intet er gjort, for ingen kunne spørges. Gentag med --yes.",
                    "Nothing was done, for nobody could be asked. Repeat with --yes."
                )
            )));
        }
        let mut err = std::io::stderr().lock();
        let _ = write!(err, "{what}\n{} ", self.word("Fortsæt? [j/N]", "Go on? [y/N]"));
        let _ = err.flush();
        let mut answer = String::new();
        let _ = std::io::stdin().lock().read_line(&mut answer);
        match answer.trim() {
            "y" | "Y" | "yes" | "j" | "J" | "ja" => Ok(()),
            _ => Err(Failure::Declined(self.word("Intet er gjort.", "Nothing was done.").to_owned())),
        }
    }
}
