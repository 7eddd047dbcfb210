//! Passwords that users set in SQL have the judge that all passwords of the house have, in every version of both engines; what is refused
//! says what is asked.

use super::database::{Client, beside, create, own_address, wait_running};
use husorden_world::{House, text};
use serde_json::json;
use std::process::Command;
use std::sync::{Mutex, PoisonError};
use std::time::Instant;

/// What is refused, with words of the reason.
const REFUSED: [(&str, &str); 6] = [
    ("short-word-9", "at least 15 characters"),
    ("", "password"),
    ("accountant-viaduct-orbit-7", "accountant"),
    ("Acc0untant marmalade 41", "accountant"),
    ("Password123456789", "too easy to guess"),
    ("qwertyuiopasdfghjkl", "It is"),
];
const FINE: [&str; 2] = ["viaduct-marmalade-orbit-7", "blåbærgrød på terrassen 19"];

/// One that nothing else speaks against, which a list of leaked passwords holds.
const LEAKED: &str = "saffron teapot lantern 3";

#[test]
fn passwords_that_are_set_in_sql_have_the_same_judge() {
    let house = House::bare("judge", "").expect("the house comes up");
    let in_turn = |all: [(&str, &str); 2]| all.into_iter().for_each(|(name, engine)| one(&house, name, engine));
    beside(
        || in_turn([("pg", "postgresql-17"), ("old", "postgresql-15")]),
        || in_turn([("my", "mariadb-11.8"), ("older", "mariadb-10.11")]),
    );
}

/// Imports a list of leaked passwords that holds this one.
fn import(house: &House, name: &str, leaked: &str) {
    static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());
    let _turn = ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner);
    let (words, out) = (house.home().join(format!("{name}.txt")), house.home().join("control/passwords"));
    std::fs::write(&words, format!("{leaked}\nanother one that is known\n")).expect("it is written");
    let import = ["passwords", "import", "--plain"];
    let done = Command::new(&house.binary).args(import).arg(words).arg("--out").arg(out).output().expect("it runs");
    assert!(done.status.success(), "{}", text(&done.stderr));
}

fn one(house: &House, name: &str, engine: &str) {
    let spec = json!({ "engine": engine, "allow": [{ "net": own_address(house) }],
        "users": { "accountant": { "grants": { "app": "owner" } } } });
    let made = create(house, name, &spec);
    wait_running(house, name);
    let user = Client::first(house, name, &made);
    let postgres = engine.starts_with("postgresql");
    let ask = |client: &Client<'_>, sql: &str| match postgres {
        true => client.psql("app", sql),
        false => client.mariadb("app", sql),
    };
    let set = |client: &Client<'_>, password: &str| match postgres {
        true => ask(client, &format!("ALTER ROLE accountant PASSWORD '{password}'")),
        false => ask(client, &format!("SET PASSWORD = PASSWORD('{password}')")),
    };
    for (password, why) in REFUSED {
        // An empty one takes the password away in PostgreSQL, and with it every way in: that is its owner's to do.
        if password.is_empty() && postgres {
            continue;
        }
        let refused = set(&user, password).expect_err(password);
        assert!(
            refused.contains("The password can't be used") && refused.contains(why),
            "{engine}: {password}: {refused}"
        );
        // It is in what the server says to nobody else.
        assert!(
            password.is_empty() || !refused.lines().next().is_some_and(|line| line.contains(password)),
            "{refused}"
        );
    }
    let long = set(&user, &"viaduct marmalade ".repeat(230)).expect_err("4 KB");
    assert!(long.contains("too long"), "{engine}: {long}");
    // What comes hashed cannot be judged.
    let hashed = match postgres {
        true => ask(
            &user,
            "ALTER ROLE accountant PASSWORD 'SCRAM-SHA-256$4096:AAAAAAAAAAAAAAAAAAAAAA==$pYfYMvOD1Mbh7YEZ0sDTSwMcQBH2ZNo3gYKHfh2XYyo=:pYfYMvOD1Mbh7YEZ0sDTSwMcQBH2ZNo3gYKHfh2XYyo='",
        ),
        false => ask(&user, "SET PASSWORD = '*6C8989366EAF75BB670AD8EA7A7FC1176A95CEF4'"),
    };
    let hashed = hashed.expect_err("nobody saw it");
    assert!(!postgres || hashed.contains("It came hashed"), "{hashed}");
    // The imported list is looked at, by a server that ran before it was there.
    import(house, name, LEAKED);
    let leaked = set(&user, LEAKED).expect_err("it is on the list");
    assert!(leaked.contains("leaked"), "{engine}: {leaked}");
    // Nothing of all that has changed anything; what is fine holds at once.
    let mut user = user;
    for password in FINE {
        let began = Instant::now();
        set(&user, password).unwrap_or_else(|error| panic!("{engine}: {password}: {error}"));
        eprintln!("{engine}: a password was judged and set in {} ms", began.elapsed().as_millis());
        user = user.with("accountant", password);
        assert_eq!(ask(&user, "SELECT 1").as_deref(), Ok("1"), "{engine}: {password}");
    }
}
