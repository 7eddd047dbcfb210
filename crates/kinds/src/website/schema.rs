//! The form of a website as JSON Schema, with titles and descriptions in English and, as `x-da`, in Danish.

use super::app::LANGUAGES;
use super::spec::{
    CPU_PERCENT, DATABASES, DOMAINS_MAX, EXECUTION_S, INPUT_VARS, MEMORY, MEMORY_MB, RUNTIMES, SIZE, UPLOAD_MB, WORKERS,
};
use crate::attach;
use crate::schema::{self, field, number, order, size};
use crate::window;
use husorden_base::Bytes;
use serde_json::{Value, json};

/// JSON Schema (2020-12) of the form.
pub(super) fn schema() -> Value {
    let mut schema = json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "type": "object",
        "title": "Website",
        "description": "A website with PHP and its own database, or of files alone.",
        "x-da": {"title": "Websted", "description": "Et websted med PHP og sin egen database, eller af filer alene."},
        "additionalProperties": false,
        "required": ["domains"],
        "properties": {
            "domains": field(
                json!({
                    "type": "array", "minItems": 1, "maxItems": DOMAINS_MAX, "uniqueItems": true,
                    "items": {"type": "string", "format": "idn-hostname", "maxLength": 253}
                }),
                ("Domains", "The names the site answers to, the main one first."),
                ("Domæner", "De navne, webstedet svarer på, det vigtigste først."),
            ),
            "runtime": field(
                choice_with(&RUNTIMES, "php-8.4"),
                ("Runtime", "What answers requests. A change is tried on the front page before the site is moved."),
                ("Miljø", "Det, der svarer på besøg. Et skift prøves på forsiden, før webstedet flyttes."),
            ),
            "database": field(
                choice(&DATABASES),
                ("Database", "The site's own database. It goes up in version, never down. WordPress gets the newest if nothing is said."),
                ("Database", "Webstedets egen database. Den går op i version, aldrig ned. WordPress får den nyeste, hvis intet er sagt."),
            ),
            "app": field(
                app(),
                ("Application", "Installed once, when the site is made."),
                ("Applikation", "Installeres én gang, når webstedet laves."),
            ),
            "attach": attach::schema(),
            "docroot": field(
                json!({"type": "string", "maxLength": 200, "default": "", "pattern": "^([A-Za-z0-9_-][A-Za-z0-9._-]*(/[A-Za-z0-9_-][A-Za-z0-9._-]*)*/*)?$"}),
                ("Document root", "The folder within the site that is shown to visitors, such as public. Empty is the whole site."),
                ("Rodmappe", "Den mappe i webstedet, som vises for besøgende, såsom public. Tom er hele webstedet."),
            ),
            "https_only": field(
                json!({"type": "boolean", "default": true}),
                ("HTTPS only", "Visitors on plain HTTP are sent to HTTPS."),
                ("Kun HTTPS", "Besøgende på almindelig HTTP sendes til HTTPS."),
            ),
            "php": field(
                php(),
                ("PHP", "Limits of PHP. The site's own settings cannot lift them."),
                ("PHP", "Grænser for PHP. Webstedets egne indstillinger kan ikke hæve dem."),
            ),
            "size": field(
                size(&SIZE, Bytes::gib(2)),
                ("Disk", "Files, database and snapshots together."),
                ("Plads", "Filer, database og øjebliksbilleder tilsammen."),
            ),
            "memory": field(
                size(&MEMORY, Bytes::mib(512)),
                ("Memory", "Memory of PHP as a whole. The database has its own."),
                ("Hukommelse", "Hukommelse til PHP som helhed. Databasen har sin egen."),
            ),
            "cpu_percent": field(
                number(&CPU_PERCENT, 100),
                ("CPU", "Most CPU time, in percent of one core."),
                ("CPU", "Højeste CPU-tid i procent af én kerne."),
            ),
            "maintenance": window::schema(),
        }
    });
    // Two sites never answer to the same name.
    schema["properties"]["domains"]["x-own"] = json!(true);
    order(&mut schema["properties"], &ORDER);
    order(&mut schema["properties"]["app"]["properties"], &APP_ORDER);
    schema
}

/// The order in which people are asked; objects of JSON have none.
const ORDER: [&str; 10] =
    ["domains", "app", "runtime", "database", "size", "memory", "cpu_percent", "docroot", "https_only", "php"];
const APP_ORDER: [&str; 5] = ["name", "title", "admin_email", "admin_user", "language"];

fn app() -> Value {
    json!({
        "type": ["object", "null"],
        "additionalProperties": false,
        "required": ["name", "admin_email"],
        "properties": {
            "name": field(json!({"enum": ["wordpress"]}), ("Name", "Which application."), ("Navn", "Hvilken applikation.")),
            "title": field(
                json!({"type": "string", "minLength": 1, "maxLength": 100, "default": "Website"}),
                ("Title", "What the site calls itself."),
                ("Titel", "Hvad webstedet kalder sig selv."),
            ),
            "admin_email": field(
                json!({"type": "string", "format": "email"}),
                ("Mail address", "Of the first user."),
                ("Mailadresse", "Den første brugers."),
            ),
            "admin_user": field(
                json!({"type": "string", "pattern": "^[a-z0-9._-]{3,60}$", "default": "admin"}),
                ("User name", "Of the first user; the password is made with the site and shown once."),
                ("Brugernavn", "Den første brugers; adgangskoden laves med webstedet og vises én gang."),
            ),
            "language": field(
                choice_with(&LANGUAGES, "da_DK"),
                ("Language", "The language of the application."),
                ("Sprog", "Applikationens sprog."),
            ),
        }
    })
}

fn php() -> Value {
    json!({
        "type": "object",
        "additionalProperties": false,
        "properties": {
            "memory_mb": field(number(&MEMORY_MB, 128), ("Memory of a script", "MiB."), ("Hukommelse til et script", "MiB.")),
            "max_execution_s": field(number(&EXECUTION_S, 60), ("Time of a script", "Seconds."), ("Tid til et script", "Sekunder.")),
            "upload_mb": field(number(&UPLOAD_MB, 64), ("Largest upload", "MiB."), ("Største upload", "MiB.")),
            "workers": field(number(&WORKERS, 4), ("Scripts at a time", "More wait their turn."), ("Scripts ad gangen", "Flere venter på tur.")),
            "max_input_vars": field(number(&INPUT_VARS, 3000), ("Form fields", "The most in one form."), ("Formularfelter", "Flest i én formular.")),
        }
    })
}

/// The schema of a choice: its words, and what people call them.
fn choice<T>(words: &[(&'static str, T)]) -> Value {
    schema::choice(words, &super::card::names())
}

/// The same with a default.
fn choice_with<T>(words: &[(&'static str, T)], default: &str) -> Value {
    schema::choice_with(words, &super::card::names(), default)
}
