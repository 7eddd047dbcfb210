//! The form of a database as JSON Schema, with titles and descriptions in English and, as `x-da`, in Danish.

use super::engine::{ENGINES, Family, words_of};
use super::spec::{CONNECTIONS, CPU_PERCENT, DATABASES_MAX, MEMORY, POOLER_SIZE, POOLINGS, RIGHTS, SIZE, USERS_MAX};
use super::{card, names, parameters, postgres};
use crate::schema::{Entry, choice, choice_with, entries, field, number, order, places, size};
use crate::{allow, window};
use husorden_base::{Bytes, Text};
use serde_json::{Value, json};

/// The order in which people are asked.
const ORDER: [&str; 12] = [
    "engine",
    "size",
    "memory",
    "cpu_percent",
    "connections",
    "pooler",
    "pooler_size",
    "databases",
    "users",
    "allow",
    "open_to_all",
    "parameters",
];

/// JSON Schema (2020-12) of the form.
pub(super) fn schema() -> Value {
    let called = card::names();
    let most = names::CHARS_MAX;
    let name = field(
        json!({"pattern": format!("^[a-z][a-z0-9_]{{0,{}}}$", most - 1)}),
        ("Name", &format!("1 to {most} characters of a–z, 0–9 and _, and a letter first.")),
        ("Navn", &format!("1 til {most} tegn af a–z, 0–9 og _, og et bogstav først.")),
    );
    let mut databases = field(
        json!({
            "type": "object", "maxProperties": DATABASES_MAX, "propertyNames": name, "default": {"app": {}},
            "additionalProperties": {
                "type": ["object", "null"],
                "additionalProperties": false,
                "properties": {
                    "extensions": field(
                        json!({
                            "type": "array", "uniqueItems": true, "default": [], "items": {"enum": postgres::EXTENSIONS},
                            "x-when": {"engine": words_of(Family::Postgres)},
                        }),
                        ("Extensions", "Switched on in this database. One that is taken off the list stays until an owner drops it in SQL, for tables may need it."),
                        ("Udvidelser", "Slået til i denne database. En, der tages af listen, bliver, til en ejer sletter den i SQL, for tabeller kan bruge den."),
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
                        json!({"type": "object", "default": {}, "additionalProperties": choice(&RIGHTS, &called), "x-keys": "databases"}),
                        ("Rights", "What the user may do in each database: read sees, change works on rows too, own makes and drops tables as well."),
                        ("Rettigheder", "Hvad brugeren må i hver database: læse er at se, ændre er også at arbejde med rækker, eje er også at lave og slette tabeller."),
                    ),
                }
            }
        }),
        ("Users", "Who may log in. A password is shown once, when it is made, and kept by nobody."),
        ("Brugere", "Hvem der må logge ind. En adgangskode vises én gang, når den laves, og gemmes ingen steder."),
    );
    for schema in [&mut databases, &mut users] {
        schema["x-place"] = json!("people");
    }
    let databases = entries(databases, &database());
    let users = entries(users, &user());
    let mut parameters = field(
        parameters::schema(),
        (
            "Settings of the engine",
            "Each within its bounds. What is empty is as the engine or the size of the instance has it.",
        ),
        (
            "Motorens indstillinger",
            "Hver inden for sine grænser. Det, der er tomt, er, som motoren eller instansens størrelse giver det.",
        ),
    );
    parameters["x-word"] = json!("parameter");
    let mut connections = field(
        number(&CONNECTIONS, 50),
        ("Connections", "Clients at the same time. A change restarts the server."),
        ("Forbindelser", "Klienter på samme tid. En ændring genstarter serveren."),
    );
    connections["x-restart"] = json!(true);
    let [mut pooler, mut pooler_size] = pooler(&called);
    for schema in [&mut parameters, &mut connections, &mut pooler, &mut pooler_size] {
        schema["x-place"] = json!("parameters");
    }
    let mut schema = json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "type": "object",
        "title": "Database",
        "description": "An instance of PostgreSQL or MariaDB of one's own, over TLS, for listed addresses only.",
        "x-da": {"title": "Database", "description": "En instans af PostgreSQL eller MariaDB for sig selv, over TLS og kun for nævnte adresser."},
        "additionalProperties": false,
        "required": [],
        "x-places": places(&[
            ("people", Text::new("Brugere og databaser", "Users and databases")),
            ("parameters", Text::new("Parametre", "Parameters")),
        ]),
        "properties": {
            "engine": field(
                choice_with(&ENGINES, &called, "postgresql-17"),
                ("Engine", "Make and version. It goes up in version, never down: first it is tried on a copy, then a snapshot is taken and it is done."),
                ("Motor", "Slags og version. Den går op i version, aldrig ned: først prøves det på en kopi, så tages et øjebliksbillede, og så sker det."),
            ),
            "databases": databases,
            "users": users,
            "parameters": parameters,
            "connections": connections,
            "pooler": pooler,
            "pooler_size": pooler_size,
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
            "maintenance": window::schema(),
        }
    });
    for (name, value) in allow::schema() {
        schema["properties"][name] = value;
    }
    order(&mut schema["properties"], &ORDER);
    schema
}

/// The pooler before a server: whether there is one, and how many sessions it may hold.
fn pooler(called: &[(&'static str, Text)]) -> [Value; 2] {
    let mut pooler = field(
        choice_with(&POOLINGS, called, "off"),
        (
            "Pooler",
            "PgBouncer on a port of its own: up to 1,000 clients share a few sessions of the server, and connecting costs little. \
             By transaction a client has a session for one transaction at a time: what is set for a session, LISTEN and temporary \
             tables go by the other port. By session it has one until it goes.",
        ),
        (
            "Pooler",
            "PgBouncer på sin egen port: op til 1.000 klienter deles om få sessioner hos serveren, og det koster kun lidt at forbinde. \
             Pr. transaktion har en klient en session til en transaktion ad gangen: det, der sættes for en session, LISTEN og \
             midlertidige tabeller går ad den anden port. Pr. session har den en, til den går.",
        ),
    );
    let mut size = field(
        number(&POOLER_SIZE, 20),
        (
            "Sessions of the pooler",
            "Sessions of the server that the pooler holds at most in one database, for all of its users together. They count among the connections.",
        ),
        (
            "Poolerens sessioner",
            "Sessioner hos serveren, som pooleren højst holder i en database, for alle dens brugere tilsammen. De tæller med i forbindelserne.",
        ),
    );
    for schema in [&mut pooler, &mut size] {
        schema["x-when"] = json!({"engine": words_of(Family::Postgres)});
    }
    [pooler, size]
}

/// What comes before anything is dropped.
fn undone() -> Vec<Text> {
    vec![Text::new(
        "Vi tager et øjebliksbillede først. Fortryder du, bliver hele instansen, som den var da: det, der er skrevet i mellemtiden, er ikke med.",
        "We take a snapshot first. If you undo, the whole instance becomes as it was then: what was written meanwhile is not in it.",
    )]
}

fn database() -> Entry {
    Entry {
        word: "db".to_owned(),
        title: Text::new("Database", "Database"),
        new: Text::new("Ny database", "New database"),
        credential: false,
        met: None,
        loss: vec![
            Text::new(
                "Databasen slettes med alle sine tabeller, og åbne forbindelser til den afbrydes.",
                "The database is dropped with all its tables, and open connections to it are cut.",
            ),
            Text::new(
                "Brugernes rettigheder i den går med. Brugerne selv bliver.",
                "Users' rights in it go with it. The users themselves stay.",
            ),
        ],
        kept: undone(),
    }
}

fn user() -> Entry {
    Entry {
        word: "user".to_owned(),
        title: Text::new("Bruger", "User"),
        new: Text::new("Ny bruger", "New user"),
        credential: true,
        met: None,
        loss: vec![Text::new(
            "Brugeren kan ikke længere logge ind, og åbne forbindelser afbrydes.",
            "The user can no longer log in, and open connections are cut.",
        )],
        kept: [Text::new(
            "Det, brugeren har lavet i databaserne, går til deres ejere.",
            "What the user has made in the databases passes to their owners.",
        )]
        .into_iter()
        .chain(undone())
        .collect(),
    }
}
