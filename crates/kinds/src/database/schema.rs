//! The form of a database as JSON Schema, with titles and descriptions in English and, as `x-da`, in Danish.

use super::engine::ENGINES;
use super::spec::{CONNECTIONS, CPU_PERCENT, DATABASES_MAX, MEMORY, RIGHTS, SIZE, USERS_MAX};
use super::{card, names, parameters, postgres};
use crate::allow;
use crate::schema::{choice, choice_with, field, number, order, size};
use husorden_base::Bytes;
use serde_json::{Value, json};

/// The order in which people are asked.
const ORDER: [&str; 10] = [
    "engine",
    "size",
    "memory",
    "cpu_percent",
    "connections",
    "databases",
    "users",
    "allow",
    "open_to_all",
    "parameters",
];

/// JSON Schema (2020-12) of the form.
pub(super) fn schema() -> Value {
    let called = card::names();
    let name = json!({"pattern": format!("^[a-z][a-z0-9_]{{0,{}}}$", names::CHARS_MAX - 1)});
    let mut databases = field(
        json!({
            "type": "object", "maxProperties": DATABASES_MAX, "propertyNames": name, "default": {"app": {}},
            "additionalProperties": {
                "type": ["object", "null"],
                "additionalProperties": false,
                "properties": {
                    "extensions": field(
                        json!({"type": "array", "uniqueItems": true, "default": [], "items": {"enum": postgres::EXTENSIONS}}),
                        ("Extensions", "Of PostgreSQL, switched on in this database."),
                        ("Udvidelser", "Til PostgreSQL, slået til i denne database."),
                    ),
                }
            }
        }),
        ("Databases", "Databases in the instance. One that is taken away is dropped, after a snapshot."),
        ("Databaser", "Databaser i instansen. En, der fjernes, slettes efter et øjebliksbillede."),
    );
    let mut users = field(
        json!({
            "type": "object", "maxProperties": USERS_MAX, "propertyNames": name,
            "additionalProperties": {
                "type": ["object", "null"],
                "additionalProperties": false,
                "properties": {
                    "grants": field(
                        json!({"type": "object", "default": {}, "additionalProperties": choice(&RIGHTS, &called)}),
                        ("Rights", "Database, and what the user may do in it."),
                        ("Rettigheder", "Database, og hvad brugeren må i den."),
                    ),
                }
            }
        }),
        ("Users", "Who may log in. A new user's password is made by asking for one, and shown once."),
        ("Brugere", "Hvem der må logge ind. En ny brugers adgangskode laves ved at bede om den, og vises én gang."),
    );
    for schema in [&mut databases, &mut users] {
        schema["x-place"] = json!("people");
    }
    let mut parameters = field(
        parameters::schema(),
        ("Parameters", "Settings of the engine, within bounds."),
        ("Parametre", "Indstillinger af motoren, inden for grænser."),
    );
    parameters["x-place"] = json!("parameters");
    let mut schema = json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "type": "object",
        "title": "Database",
        "description": "An instance of PostgreSQL or MariaDB of one's own, over TLS, for listed addresses only.",
        "x-da": {"title": "Database", "description": "En instans af PostgreSQL eller MariaDB for sig selv, over TLS og kun for nævnte adresser."},
        "additionalProperties": false,
        "required": [],
        "properties": {
            "engine": field(
                choice_with(&ENGINES, &called, "postgresql-17"),
                ("Engine", "Make and version. It goes up in version, never down, and a snapshot is taken first."),
                ("Motor", "Slags og version. Den går op i version, aldrig ned, og der tages et øjebliksbillede først."),
            ),
            "databases": databases,
            "users": users,
            "parameters": parameters,
            "connections": field(
                number(&CONNECTIONS, 50),
                ("Connections", "Clients at the same time. A change restarts the server."),
                ("Forbindelser", "Klienter på samme tid. En ændring genstarter serveren."),
            ),
            "size": field(
                size(&SIZE, Bytes::gib(4)),
                ("Disk", "Data, log and snapshots together. It can grow while the server runs."),
                ("Plads", "Data, log og øjebliksbilleder tilsammen. Den kan vokse, mens serveren kører."),
            ),
            "memory": field(
                size(&MEMORY, Bytes::mib(512)),
                ("Memory", "Memory of the server. A change restarts it."),
                ("Hukommelse", "Serverens hukommelse. En ændring genstarter den."),
            ),
            "cpu_percent": field(
                number(&CPU_PERCENT, 100),
                ("CPU", "Most CPU time, in percent of one core."),
                ("CPU", "Højeste CPU-tid i procent af én kerne."),
            ),
        }
    });
    for (name, value) in allow::schema() {
        schema["properties"][name] = value;
    }
    order(&mut schema["properties"], &ORDER);
    schema
}
