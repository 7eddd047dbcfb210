//! The spec of a database: what a customer may ask for, read strictly from a form.

use super::engine::{ENGINES, Engine, Family};
use super::{names, parameters};
use crate::allow::{self, Entry};
use crate::form::Form;
use crate::window::{self, Window};
use crate::{Guest, Order};
use husorden_base::{Bytes, FieldError, Text};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use std::collections::{BTreeMap, BTreeSet};
use std::ops::RangeInclusive;

/// Databases of one instance.
pub(super) const DATABASES_MAX: usize = 50;
/// Users of one instance.
pub(super) const USERS_MAX: usize = 100;
/// Disk, for data and snapshots together.
pub(super) const SIZE: RangeInclusive<Bytes> = Bytes::mib(512)..=Bytes::gib(2000);
/// Memory of the server.
pub(super) const MEMORY: RangeInclusive<Bytes> = Bytes::mib(256)..=Bytes::gib(256);
/// CPU time, in percent of one core.
pub(super) const CPU_PERCENT: RangeInclusive<u32> = 10..=3200;
/// Clients at the same time.
pub(super) const CONNECTIONS: RangeInclusive<u32> = 5..=1000;

/// Sessions of the server that the pooler may hold in one database.
pub(super) const POOLER_SIZE: RangeInclusive<u32> = 1..=500;
/// What it holds when nothing is said, as far as there are as many.
const POOLER_SIZE_USUAL: u32 = 20;

/// When a pooler, if there is one, gives a session of the server to another client.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Pooling {
    /// There is none.
    #[default]
    Off,
    /// After each transaction.
    Transaction,
    /// When the client goes.
    Session,
}

/// Words of the form, in the order they are shown.
pub(super) const POOLINGS: [(&str, Pooling); 3] =
    [("off", Pooling::Off), ("transaction", Pooling::Transaction), ("session", Pooling::Session)];

/// Everything an instance is asked to be. Stored as it stands, with every default filled in.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Spec {
    pub(super) engine: Engine,
    pub(super) databases: BTreeMap<String, Inner>,
    pub(super) users: BTreeMap<String, User>,
    pub(super) allow: Vec<Entry>,
    pub(super) open_to_all: bool,
    pub(super) parameters: BTreeMap<String, i64>,
    pub(super) connections: u32,
    #[serde(default)]
    pub(super) pooler: Pooling,
    #[serde(default = "pooler_size")]
    pub(super) pooler_size: u32,
    pub(super) size: Bytes,
    pub(super) memory: Bytes,
    pub(super) cpu_percent: u32,
    #[serde(default)]
    pub(super) maintenance: Window,
    /// Who uses it by an attachment; no form names them.
    #[serde(skip)]
    pub(super) guests: Vec<Guest>,
    /// How often its log is kept; the node's to say.
    #[serde(skip, default = "crate::segments::usual_s")]
    pub(super) log_s: u32,
}

fn pooler_size() -> u32 {
    POOLER_SIZE_USUAL
}

/// One database in the instance.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Inner {
    /// PostgreSQL's, from a list.
    #[serde(default)]
    pub(super) extensions: BTreeSet<String>,
}

/// One user of the instance.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct User {
    /// Database → what the user may do in it.
    #[serde(default)]
    pub(super) grants: BTreeMap<String, Right>,
}

/// What a user may do in a database; the later holds all of the earlier.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Right {
    /// See.
    Read,
    /// See and change rows.
    Write,
    /// Everything, with its tables.
    Owner,
}

/// Words of the form, in the order they are shown.
pub(super) const RIGHTS: [(&str, Right); 3] = [("read", Right::Read), ("write", Right::Write), ("owner", Right::Owner)];

impl Right {
    pub(super) fn word(self) -> &'static str {
        RIGHTS.iter().find(|(_, right)| *right == self).expect("every right stands in the list").0
    }
}

impl Spec {
    /// Reads a stored spec.
    pub(super) fn stored(value: &Value) -> Result<Self, serde_json::Error> {
        Self::deserialize(value)
    }

    /// The stored spec of an order, with whoever uses the instance by an attachment: each a user of its own that may connect from
    /// where it is, and owns its database.
    pub(super) fn with_guests(order: &Order) -> Result<Self, serde_json::Error> {
        let mut spec = Self::stored(&order.spec)?;
        for guest in &order.guests {
            let there = spec.databases.contains_key(&guest.database);
            let grants = there.then(|| (guest.database.clone(), Right::Owner)).into_iter().collect();
            spec.users.insert(guest.credential.username.clone(), User { grants });
        }
        spec.guests.clone_from(&order.guests);
        spec.log_s = order.log_s;
        Ok(spec)
    }

    /// What the pooler calls its mode; none where there is no pooler.
    pub(super) fn pooling(&self) -> Option<&'static str> {
        let word = POOLINGS.iter().find(|(_, pooling)| *pooling == self.pooler).map(|(word, _)| *word);
        word.filter(|_| self.pooler != Pooling::Off)
    }

    /// Memory of the server and of what stands before it.
    pub(super) fn memory_in_all(&self) -> Bytes {
        let pooler = self.pooling().map_or(0, |_| super::pooler::MEMORY.0);
        Bytes(self.memory.0 + pooler)
    }

    /// Reads a form. A field that the form does not name keeps its value from `before`, or takes its default.
    pub(super) fn parse(form: &Value, stored: Option<&Value>) -> Result<Self, Vec<FieldError>> {
        let before = stored.and_then(|value| Self::stored(value).ok());
        let before = before.as_ref();
        let mut form = Form::new(form, "");
        let engine = form.choice("engine", &ENGINES, before.map_or(Engine::Postgres17, |spec| spec.engine));
        let databases = databases(&mut form, engine, before);
        let users = users(&mut form, &databases, before);
        let access = allow::read(&mut form, stored);
        let parameters = parameters::read(&mut form, engine, before.map(|spec| &spec.parameters));
        let connections = form.number("connections", CONNECTIONS, before.map_or(50, |spec| spec.connections));
        let (pooler, pooler_size) = pooler(&mut form, engine, connections, before);
        let size = form.bytes("size", SIZE, before.map_or(Bytes::gib(4), |spec| spec.size));
        let memory = form.bytes("memory", MEMORY, before.map_or(Bytes::mib(512), |spec| spec.memory));
        let cpu_percent = form.number("cpu_percent", CPU_PERCENT, before.map_or(100, |spec| spec.cpu_percent));
        let maintenance = window::read(&mut form, stored);
        if let Some(before) = before.filter(|before| before.engine != engine) {
            if before.engine.family() != engine.family() {
                form.refuse(
                    "/engine",
                    "En instans skifter ikke slags. Lav en ny, og flyt data med en dump.",
                    "An instance does not change its make. Make a new one and move the data by a dump.",
                );
            } else if engine < before.engine {
                form.refuse(
                    "/engine",
                    "En database kan kun gå op i version. Fortryd til øjebliksbilledet fra før for at komme ned igen.",
                    "A database goes up in version only. Undo to the snapshot from before to come down again.",
                );
            }
        }
        let wrong = form.finish();
        let (allow, open_to_all) = (access.allow, access.open_to_all);
        let spec = Self {
            engine,
            databases,
            users,
            allow,
            open_to_all,
            parameters,
            connections,
            pooler,
            pooler_size,
            size,
            memory,
            cpu_percent,
            maintenance,
            guests: Vec::new(),
            log_s: crate::segments::usual_s(),
        };
        if wrong.is_empty() { Ok(spec) } else { Err(wrong) }
    }
}

/// The entries of a map in the form, each name checked; `None` where the form does not name the map.
fn entries<'a>(
    form: &mut Form<'a>,
    name: &'static str,
    most: usize,
    called: (&str, &str),
) -> Option<Vec<(&'a String, &'a Value)>> {
    let value = form.get(name)?;
    let map: Option<&Map<String, Value>> = value.as_object();
    let Some(map) = map else {
        form.refuse(&format!("/{name}"), "Her ventes et objekt med navne.", "An object of names is expected here.");
        return Some(Vec::new());
    };
    if map.len() > most {
        form.refuse(
            &format!("/{name}"),
            format!("Højst {most} {}.", called.0),
            format!("At most {most} {}.", called.1),
        );
        return Some(Vec::new());
    }
    for key in map.keys() {
        if let Some(why) = names::wrong(key) {
            form.refuse(&format!("/{name}/{}", escaped(key)), why.da, why.en);
        }
    }
    Some(map.iter().filter(|(key, _)| names::wrong(key).is_none()).collect())
}

fn databases(form: &mut Form<'_>, engine: Engine, before: Option<&Spec>) -> BTreeMap<String, Inner> {
    let Some(entries) = entries(form, "databases", DATABASES_MAX, ("databaser", "databases")) else {
        return match before {
            Some(before) if !form.names("databases") => before.databases.clone(),
            Some(_) => BTreeMap::new(),
            None => BTreeMap::from([(DEFAULT.to_owned(), Inner::default())]),
        };
    };
    let mut read = BTreeMap::new();
    for (name, value) in entries {
        let mut inner = Form::new(value, &format!("/databases/{name}"));
        let mut extensions = BTreeSet::new();
        if let Some(list) = inner.get("extensions") {
            for (index, item) in list.as_array().map_or(&[][..], Vec::as_slice).iter().enumerate() {
                match item.as_str().filter(|word| engine.extensions().contains(word)) {
                    Some(word) => drop(extensions.insert(word.to_owned())),
                    None => {
                        let known = engine.extensions().join(", ");
                        let pointer = format!("/extensions/{index}");
                        if known.is_empty() {
                            inner.refuse(
                                &pointer,
                                "MariaDB har ingen udvidelser at slå til.",
                                "MariaDB has no extensions to switch on.",
                            );
                        } else {
                            inner.refuse(
                                &pointer,
                                format!("Den udvidelse er her ikke. Der er: {known}."),
                                format!("That extension is not offered. There are: {known}."),
                            );
                        }
                    }
                }
            }
        }
        form.absorb(inner.finish());
        read.insert(name.clone(), Inner { extensions });
    }
    read
}

/// What an instance begins with when nothing is said: a database and a user of this name who owns it.
const DEFAULT: &str = "app";

fn users(form: &mut Form<'_>, databases: &BTreeMap<String, Inner>, before: Option<&Spec>) -> BTreeMap<String, User> {
    let Some(entries) = entries(form, "users", USERS_MAX, ("brugere", "users")) else {
        let mut users = match before {
            Some(before) if !form.names("users") => before.users.clone(),
            Some(_) => BTreeMap::new(),
            None => {
                let grants = databases.keys().map(|name| (name.clone(), Right::Owner)).collect();
                BTreeMap::from([(DEFAULT.to_owned(), User { grants })])
            }
        };
        // A right goes with its database.
        for user in users.values_mut() {
            user.grants.retain(|name, _| databases.contains_key(name));
        }
        return users;
    };
    let mut read = BTreeMap::new();
    for (name, value) in entries {
        let mut inner = Form::new(value, &format!("/users/{name}"));
        let mut grants = BTreeMap::new();
        if let Some(map) = inner.get("grants") {
            let Some(map) = map.as_object() else {
                inner.refuse(
                    "/grants",
                    "Her ventes et objekt: database → ret.",
                    "An object is expected here: database → right.",
                );
                continue;
            };
            for (database, right) in map {
                let word = right.as_str().unwrap_or_default();
                let right = RIGHTS.iter().find(|(known, _)| *known == word).map(|(_, right)| *right);
                let pointer = format!("/grants/{}", escaped(database));
                match (databases.contains_key(database), right) {
                    (true, Some(right)) => drop(grants.insert(database.clone(), right)),
                    // The rest of a merge: the database was taken away in the same form, and its rights with it.
                    (false, Some(_)) if before.is_some_and(|before| before.databases.contains_key(database)) => {}
                    (false, _) => inner.refuse(
                        &pointer,
                        "Der er ingen database med det navn i instansen.",
                        "There is no database of that name in the instance.",
                    ),
                    (true, None) => inner.refuse(
                        &pointer,
                        "Her ventes en af: read, write, owner.",
                        "One of these is expected here: read, write, owner.",
                    ),
                }
            }
        }
        form.absorb(inner.finish());
        read.insert(name.clone(), User { grants });
    }
    read
}

/// Whether there is a pooler, and how many sessions it may hold: no more than the server lets in.
fn pooler(form: &mut Form<'_>, engine: Engine, connections: u32, before: Option<&Spec>) -> (Pooling, u32) {
    let pooler = form.choice("pooler", &POOLINGS, before.map_or(Pooling::Off, |spec| spec.pooler));
    let usual = before.map_or(POOLER_SIZE_USUAL.min(connections), |spec| spec.pooler_size);
    let size = form.number("pooler_size", POOLER_SIZE, usual);
    if pooler == Pooling::Off {
        return (pooler, size);
    }
    if engine.family() != Family::Postgres {
        form.refuse("/pooler", "MariaDB har ingen pooler her.", "MariaDB has no pooler here.");
    }
    if size > connections {
        form.refuse(
            "/pooler_size",
            format!("Serveren tager {connections} forbindelser. Vælg højst så mange, eller lad den tage flere."),
            format!("The server takes {connections} connections. Choose at most as many, or let it take more."),
        );
    }
    (pooler, size)
}

/// A name as a JSON pointer has it.
pub(super) fn escaped(name: &str) -> String {
    name.replace('~', "~0").replace('/', "~1")
}

/// A text in both languages that says the same.
pub(super) fn same(text: impl Into<String>) -> Text {
    let text = text.into();
    Text::new(text.clone(), text)
}
