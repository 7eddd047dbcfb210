//! The spec of a website: what a customer may ask for, read strictly from a form.

use super::app::{self, App};
use crate::Attach;
use crate::attach;
use crate::form::Form;
use crate::window::{self, Window};
use husorden_base::{Bytes, Domain, FieldError, RuntimeName};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::ops::RangeInclusive;

/// The most domains one site answers to.
pub(super) const DOMAINS_MAX: usize = 20;
/// Disk, for files, database and snapshots together.
pub(super) const SIZE: RangeInclusive<Bytes> = Bytes::mib(256)..=Bytes::gib(200);
/// Memory of the PHP sandbox.
pub(super) const MEMORY: RangeInclusive<Bytes> = Bytes::mib(128)..=Bytes::gib(16);
/// CPU time of each sandbox, in percent of one core.
pub(super) const CPU_PERCENT: RangeInclusive<u32> = 10..=800;
/// Memory of one PHP script.
pub(super) const MEMORY_MB: RangeInclusive<u32> = 32..=512;
/// Time of one PHP script.
pub(super) const EXECUTION_S: RangeInclusive<u32> = 1..=300;
/// One upload.
pub(super) const UPLOAD_MB: RangeInclusive<u32> = 1..=512;
/// PHP scripts at the same time.
pub(super) const WORKERS: RangeInclusive<u32> = 1..=20;
/// Variables of one form.
pub(super) const INPUT_VARS: RangeInclusive<u32> = 100..=20_000;

/// Everything a website is asked to be. Stored as it stands, with every default filled in.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Spec {
    pub(super) domains: Vec<Domain>,
    pub(super) runtime: Runtime,
    pub(super) database: Database,
    pub(super) app: Option<App>,
    #[serde(default)]
    pub(super) attach: Option<Attach>,
    pub(super) docroot: String,
    pub(super) https_only: bool,
    pub(super) php: Php,
    pub(super) size: Bytes,
    pub(super) memory: Bytes,
    pub(super) cpu_percent: u32,
    #[serde(default)]
    pub(super) maintenance: Window,
}

/// What answers requests.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Runtime {
    /// The edge alone, from files.
    #[serde(rename = "static")]
    Static,
    /// PHP 8.2 of Debian 12.
    #[serde(rename = "php-8.2")]
    Php82,
    /// PHP 8.4 of Debian 13.
    #[serde(rename = "php-8.4")]
    Php84,
}

/// The site's own database. The order is that of versions: a site goes up, never down.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(super) enum Database {
    /// None.
    #[serde(rename = "none")]
    None,
    /// MariaDB 10.11 of Debian 12.
    #[serde(rename = "mariadb-10.11")]
    MariaDb1011,
    /// MariaDB 11.8 of Debian 13.
    #[serde(rename = "mariadb-11.8")]
    MariaDb118,
}

/// Limits of PHP. The site's own settings cannot lift them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Php {
    pub(super) memory_mb: u32,
    pub(super) max_execution_s: u32,
    pub(super) upload_mb: u32,
    pub(super) workers: u32,
    pub(super) max_input_vars: u32,
}

/// Words of the form, in the order they are shown.
pub(super) const RUNTIMES: [(&str, Runtime); 3] =
    [("static", Runtime::Static), ("php-8.2", Runtime::Php82), ("php-8.4", Runtime::Php84)];
/// Words of the form, in the order they are shown.
pub(super) const DATABASES: [(&str, Database); 3] =
    [("none", Database::None), ("mariadb-10.11", Database::MariaDb1011), ("mariadb-11.8", Database::MariaDb118)];
pub(super) fn word<T: PartialEq + Copy>(words: &[(&'static str, T)], of: T) -> &'static str {
    words.iter().find(|(_, value)| *value == of).expect("every value of the enum stands in its list of words").0
}

impl Runtime {
    /// The catalogue's name; none for `static`, which runs nothing.
    pub(super) fn catalogue(self) -> Option<RuntimeName> {
        (self != Self::Static).then(|| parsed(word(&RUNTIMES, self)))
    }

    /// The runtime with this catalogue name.
    pub(super) fn named(name: &str) -> Option<Self> {
        RUNTIMES.into_iter().find(|(known, _)| *known == name).map(|(_, value)| value)
    }
}

impl Spec {
    /// Whether the site's data is to lie in what is attached.
    pub(super) fn away(&self) -> bool {
        self.attach.as_ref().is_some_and(|attach| attach.holds)
    }
}

impl Database {
    /// The catalogue's name; none for `none`.
    pub(super) fn catalogue(self) -> Option<RuntimeName> {
        (self != Self::None).then(|| parsed(word(&DATABASES, self)))
    }

    /// The database with this catalogue name.
    pub(super) fn named(name: &str) -> Option<Self> {
        DATABASES.into_iter().find(|(known, value)| *known == name && *value != Self::None).map(|(_, value)| value)
    }
}

fn parsed(name: &str) -> RuntimeName {
    name.parse().expect("the words for runtimes are runtime names")
}

impl Spec {
    /// Reads a stored spec.
    pub(super) fn stored(value: &Value) -> Result<Self, serde_json::Error> {
        Self::deserialize(value)
    }

    /// The main domain as an address.
    pub(super) fn address(&self) -> String {
        format!("https://{}", self.domains[0])
    }

    /// Reads a form. A field that the form does not name keeps its value from `before`, or takes its default.
    pub(super) fn parse(form: &Value, stored: Option<&Value>) -> Result<Self, Vec<FieldError>> {
        let before = stored.and_then(|value| Self::stored(value).ok());
        let before = before.as_ref();
        let mut form = Form::new(form, "");
        let domains = domains(&mut form, before);
        let runtime = form.choice("runtime", &RUNTIMES, before.map_or(Runtime::Php84, |spec| spec.runtime));
        let app = app::read(&mut form, before.map(|spec| &spec.app));
        let fitting = if app.is_some() { Database::MariaDb118 } else { Database::None };
        let database = form.choice("database", &DATABASES, before.map_or(fitting, |spec| spec.database));
        let attach = attach::read(&mut form, before.and_then(|spec| spec.attach.as_ref()));
        let docroot = docroot(&mut form, before);
        let https_only = form.flag("https_only", before.is_none_or(|spec| spec.https_only));
        let php = php(&mut form, before);
        let size = form.bytes("size", SIZE, before.map_or(Bytes::gib(2), |spec| spec.size));
        let memory = form.bytes("memory", MEMORY, before.map_or(Bytes::mib(512), |spec| spec.memory));
        let cpu_percent = form.number("cpu_percent", CPU_PERCENT, before.map_or(100, |spec| spec.cpu_percent));
        let maintenance = window::read(&mut form, stored);
        let spec = Self {
            domains,
            runtime,
            database,
            app,
            attach,
            docroot,
            https_only,
            php,
            size,
            memory,
            cpu_percent,
            maintenance,
        };
        spec.fits_together(&mut form, before);
        let wrong = form.finish();
        if wrong.is_empty() { Ok(spec) } else { Err(wrong) }
    }

    /// What is right by itself and wrong beside the rest.
    fn fits_together(&self, form: &mut Form<'_>, before: Option<&Self>) {
        if self.runtime == Runtime::Static && self.database != Database::None {
            form.refuse(
                "/database",
                "Et statisk websted har ingen database: vælg \"none\".",
                "A static site has no database: choose \"none\".",
            );
        }
        if self.runtime == Runtime::Static && self.attach.is_some() {
            form.refuse("/attach", "Et statisk websted bruger ingen database.", "A static site uses no database.");
        }
        if self.attach.as_ref().is_some_and(|attach| attach.holds) {
            if self.app.is_none() {
                form.refuse(
                    "/attach/holds",
                    "Din egen kode kan vi ikke flytte: lad feltet være false, og læs /srv/private/database.json i koden.",
                    "We cannot move your own code: leave the field false, and read /srv/private/database.json in it.",
                );
            } else if before.is_none() {
                form.refuse(
                    "/attach/holds",
                    "Lav webstedet først, og flyt så dets data.",
                    "Make the site first, and then move its data.",
                );
            }
        }
        if self.app.is_some() {
            if self.runtime == Runtime::Static {
                form.refuse(
                    "/runtime",
                    "WordPress kræver PHP: vælg php-8.4 eller php-8.2.",
                    "WordPress needs PHP: choose php-8.4 or php-8.2.",
                );
            } else if self.database == Database::None {
                form.refuse(
                    "/database",
                    "WordPress kræver en database: vælg mariadb-11.8.",
                    "WordPress needs a database: choose mariadb-11.8.",
                );
            }
            if !self.docroot.is_empty() {
                form.refuse(
                    "/docroot",
                    "WordPress ligger øverst i mappen: lad feltet være tomt.",
                    "WordPress lies at the top of the folder: leave the field empty.",
                );
            }
        }
        if u64::from(self.php.memory_mb) << 20 > self.memory.0 {
            form.refuse(
                "/php/memory_mb",
                format!("Ét script kan ikke få mere hukommelse end hele webstedet har ({}).", self.memory),
                format!("One script cannot have more memory than the whole site has ({}).", self.memory),
            );
        }
        if before.is_some_and(|before| self.database != Database::None && self.database < before.database) {
            form.refuse(
                "/database",
                "En database kan kun gå op i version. Fortryd til et øjebliksbillede fra før for at komme ned igen.",
                "A database goes up in version only. Undo to a snapshot from before to come down again.",
            );
        }
    }
}

fn domains(form: &mut Form<'_>, before: Option<&Spec>) -> Vec<Domain> {
    let Some(value) = form.get("domains") else {
        if let Some(before) = before.filter(|_| !form.names("domains")) {
            return before.domains.clone();
        }
        form.refuse("/domains", "Mindst ét domæne skal nævnes.", "At least one domain is needed.");
        return fallback();
    };
    let list = value.as_array().map_or(&[][..], Vec::as_slice);
    if list.is_empty() || list.len() > DOMAINS_MAX {
        form.refuse(
            "/domains",
            format!("Her ventes en liste med 1 til {DOMAINS_MAX} domæner."),
            format!("A list of 1 to {DOMAINS_MAX} domains is expected here."),
        );
        return fallback();
    }
    let mut domains: Vec<Domain> = Vec::new();
    for (index, item) in list.iter().enumerate() {
        let pointer = format!("/domains/{index}");
        match item.as_str().unwrap_or_default().parse::<Domain>() {
            Err(why) => form.refuse(
                &pointer,
                "Her ventes et helt domænenavn, såsom www.shop.example; ingen jokertegn, porte eller stier.",
                format!("That is no valid domain name: {why}."),
            ),
            Ok(domain) if domains.contains(&domain) => {
                form.refuse(&pointer, format!("{domain} står her to gange."), format!("{domain} stands here twice."))
            }
            Ok(domain) => domains.push(domain),
        }
    }
    domains
}

/// Stands in while the rest of a wrong form is read; such a form is refused.
fn fallback() -> Vec<Domain> {
    Vec::new()
}

fn docroot(form: &mut Form<'_>, before: Option<&Spec>) -> String {
    let Some(text) = form.text("docroot") else {
        return match before {
            Some(before) if !form.names("docroot") => before.docroot.clone(),
            _ => String::new(),
        };
    };
    let trimmed = text.trim_matches('/');
    let fine = trimmed.len() <= 200
        && !text.starts_with('/')
        && (trimmed.is_empty()
            || trimmed.split('/').all(|part| {
                !part.is_empty()
                    && !part.starts_with('.')
                    && part.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.'))
            }));
    if !fine {
        form.refuse(
            "/docroot",
            "Her ventes en mappe i webstedet, såsom public: bogstaver, tal, - _ . og /, højst 200 tegn og ingen del begyndt med punktum.",
            "A folder in the site is expected here, such as public: letters, digits, - _ . and /, at most 200 characters, and no part begun with a dot.",
        );
    }
    trimmed.to_owned()
}

fn php(form: &mut Form<'_>, before: Option<&Spec>) -> Php {
    let default = before
        .map_or(Php { memory_mb: 128, max_execution_s: 60, upload_mb: 64, workers: 4, max_input_vars: 3000 }, |spec| {
            spec.php
        });
    let Some(value) = form.get("php") else {
        return default;
    };
    let mut inner = Form::new(value, "/php");
    let php = Php {
        memory_mb: inner.number("memory_mb", MEMORY_MB, default.memory_mb),
        max_execution_s: inner.number("max_execution_s", EXECUTION_S, default.max_execution_s),
        upload_mb: inner.number("upload_mb", UPLOAD_MB, default.upload_mb),
        workers: inner.number("workers", WORKERS, default.workers),
        max_input_vars: inner.number("max_input_vars", INPUT_VARS, default.max_input_vars),
    };
    form.absorb(inner.finish());
    php
}
