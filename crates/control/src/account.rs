//! Accounts: made by staff, shown to whoever belongs to them.

use crate::fault::Fault;
use crate::store;
use husorden_base::{AccountId, Language, Refusal, Text};
use husorden_wire::api;
use sqlx::PgConnection;

/// Most characters of an account's name.
pub(crate) const NAME_CHARS_MAX: usize = 63;

pub(crate) const fn language_word(language: Language) -> &'static str {
    match language {
        Language::Da => "da",
        Language::En => "en",
    }
}

/// Checks a form for an account.
pub(crate) fn check(form: &api::AccountCreate) -> Result<(), Refusal> {
    let length = form.name.trim().chars().count();
    if length == 0
        || length > NAME_CHARS_MAX
        || form.name.trim() != form.name
        || form.name.chars().any(char::is_control)
    {
        return Err(Refusal::field(
            "/name",
            Text::new(
                format!("Et navn har 1 til {NAME_CHARS_MAX} tegn, og ingen mellemrum først eller sidst"),
                format!("A name has 1 to {NAME_CHARS_MAX} characters and no space first or last"),
            ),
        ));
    }
    if form.name.parse::<uuid::Uuid>().is_ok() {
        return Err(Refusal::field(
            "/name",
            Text::new("Et navn må ikke ligne et id", "A name must not look like an id"),
        ));
    }
    Ok(())
}

/// The account with this id or name, as staff say it in a form.
pub(crate) async fn named(conn: &mut PgConnection, text: &str, pointer: &str) -> Result<AccountId, Fault> {
    store::account::named(conn, text).await?.map(|account| account.id).ok_or_else(|| {
        Refusal::field(
            pointer,
            Text::new(format!("Der er ingen konto {text:?}"), format!("There is no account {text:?}")),
        )
        .into()
    })
}
