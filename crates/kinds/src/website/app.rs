//! The application of a website's spec: chosen once, when the site is made.

use super::spec::word;
use crate::form::Form;
use husorden_base::Domain;
use serde::{Deserialize, Serialize};

/// An application that the platform installs, once, when the site is made.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct App {
    pub(super) name: AppName,
    pub(super) title: String,
    pub(super) admin_email: String,
    pub(super) admin_user: String,
    pub(super) language: AppLanguage,
}

/// An application of the catalogue.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum AppName {
    /// WordPress.
    Wordpress,
}

/// A language that an application is installed in: those that the catalogue keeps.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[allow(missing_docs, reason = "each is its own name")]
pub(super) enum AppLanguage {
    #[serde(rename = "da_DK")]
    Danish,
    #[serde(rename = "en_US")]
    English,
}

const APPS: [(&str, AppName); 1] = [("wordpress", AppName::Wordpress)];
/// Words of the form, in the order they are shown.
pub(super) const LANGUAGES: [(&str, AppLanguage); 2] =
    [("da_DK", AppLanguage::Danish), ("en_US", AppLanguage::English)];

impl AppName {
    /// The catalogue's name.
    pub(super) fn word(self) -> &'static str {
        word(&APPS, self)
    }
}

impl AppLanguage {
    /// The name that applications know it by.
    pub(super) fn word(self) -> &'static str {
        word(&LANGUAGES, self)
    }
}

/// Reads the field `app`. `before` is what the site has, when it is there already.
pub(super) fn read(form: &mut Form<'_>, before: Option<&Option<App>>) -> Option<App> {
    let kept = before.cloned().flatten();
    let named = form.names("app");
    let value = form.get("app").filter(|value| value.as_str() != Some("none"));
    let app = match value {
        Some(value) => {
            let mut inner = Form::new(value, "/app");
            let app = read_app(&mut inner);
            form.absorb(inner.finish());
            app
        }
        None if named => None,
        None => return kept,
    };
    if before.is_some() && app != kept {
        form.refuse(
            "/app",
            "En applikation vælges, når webstedet laves; derefter er den webstedets egen. Lav et nyt websted for at vælge en anden.",
            "An application is chosen when the site is made; from then on it is the site's own. Make a new site to choose another.",
        );
        return kept;
    }
    app
}

fn read_app(form: &mut Form<'_>) -> Option<App> {
    if form.get("name").is_none() {
        form.refuse(
            "/name",
            "Navnet på applikationen mangler: wordpress.",
            "The application's name is missing: wordpress.",
        );
    }
    let name = form.choice("name", &APPS, AppName::Wordpress);
    let title = form.text("title").unwrap_or("Website").trim();
    if title.is_empty() || title.chars().count() > 100 || title.chars().any(char::is_control) {
        form.refuse(
            "/title",
            "En titel har 1 til 100 tegn på én linje.",
            "A title has 1 to 100 characters on one line.",
        );
    }
    let admin_email = form.text("admin_email").unwrap_or_default();
    if !is_email(admin_email) {
        form.refuse(
            "/admin_email",
            "Her ventes en mailadresse, såsom anna@shop.example.",
            "A mail address is expected here, such as anna@shop.example.",
        );
    }
    let admin_user = form.text("admin_user").unwrap_or("admin");
    if !(3..=60).contains(&admin_user.len())
        || !admin_user.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || matches!(b, b'-' | b'_' | b'.'))
    {
        form.refuse(
            "/admin_user",
            "Et brugernavn har 3 til 60 tegn af a-z, 0-9 og - _ .",
            "A user name has 3 to 60 characters of a-z, 0-9 and - _ .",
        );
    }
    let language = form.choice("language", &LANGUAGES, AppLanguage::Danish);
    Some(App {
        name,
        title: title.to_owned(),
        admin_email: admin_email.to_owned(),
        admin_user: admin_user.to_owned(),
        language,
    })
}

/// Plain addresses only; whether one is read by anyone is not known here.
fn is_email(text: &str) -> bool {
    let Some((local, domain)) = text.split_once('@') else {
        return false;
    };
    (1..=64).contains(&local.len())
        && local.bytes().all(|b| b.is_ascii_alphanumeric() || b"!#$%&'*+-/=?^_`{|}~.".contains(&b))
        && !local.starts_with('.')
        && !local.ends_with('.')
        && domain.parse::<Domain>().is_ok_and(|parsed| parsed.as_str() == domain)
}
