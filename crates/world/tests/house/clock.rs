//! A clock that jumps, on real engines: their servers see another time than the machine's, by libfaketime in a build of their runtime. Nothing
//! that was committed is lost; times that the clock showed twice are told and refused, and every second after them can be had again.

use super::database::{Client, create, own_address, wait_running};
use super::log::{ENGINES, Engine, copy, log};
use super::until;
use super::updates::{build_with, restart, run};
use husorden_world::{House, Who, hand};
use jiff::{SignedDuration, Timestamp};
use serde_json::json;
use std::fs;
use std::path::Path;
use std::time::Duration;

/// What shows a process another time.
const LIBRARY: &str = "/usr/lib/x86_64-linux-gnu/faketime/libfaketimeMT.so.1";
/// The time that its server sees, in each instance's volume.
const CLOCK: &str = "clock";
/// How far it jumps.
const JUMP_S: i64 = 20;

#[test]
fn a_clock_that_jumps_loses_nothing() {
    if !Path::new(LIBRARY).exists() {
        eprintln!("not run: {LIBRARY} is not there (apt-get install libfaketime)");
        return;
    }
    let house = House::bare("clock", "care = { log_s = 4 }").expect("the house comes up");
    let allow = json!([{ "net": own_address(&house) }]);
    for one in &ENGINES {
        // So that its runtime is there.
        create(&house, &format!("{}-plain", one.name), &json!({ "engine": one.engine }));
        wait_running(&house, &format!("{}-plain", one.name));
        let (folder, server) = match one.engine.split_once('-').expect("a version") {
            ("postgresql", version) => (format!("usr/lib/postgresql/{version}/bin"), "postgres"),
            _ => ("usr/sbin".to_owned(), "mariadbd"),
        };
        build_with(&house, one.engine, "aaaaaaaaaaa1", |root| {
            fs::copy(LIBRARY, root.join("usr/lib/faketime.so")).expect("a copy");
            let (real, program) = (root.join(&folder).join("real"), root.join(&folder).join(server));
            fs::rename(&program, &real).expect("it is there");
            let script = format!(
                "#!/bin/sh\nexport LD_PRELOAD=\"$LD_PRELOAD:/usr/lib/faketime.so\" FAKETIME_TIMESTAMP_FILE=/srv/db/{CLOCK} FAKETIME_CACHE_DURATION=1 \
                 FAKETIME_DONT_FAKE_MONOTONIC=1 FAKETIME_DISABLE_SHM=1\nexec /{folder}/real \"$@\"\n"
            );
            fs::write(&program, script).expect("a script");
            run("chmod", &["755".as_ref(), program.as_os_str()]);
        });
    }
    restart(&house);
    let clients: Vec<Client<'_>> = ENGINES
        .iter()
        .map(|one| {
            let made = create(&house, one.name, &json!({ "engine": one.engine, "allow": allow }));
            wait_running(&house, one.name);
            Client::first(&house, one.name, &made)
        })
        .collect();
    let each =
        |what: &dyn Fn(&Engine, &Client<'_>)| ENGINES.iter().zip(&clients).for_each(|(one, client)| what(one, client));
    let all = |sql: &str| {
        each(&|one, client| drop(one.ask(client, sql).unwrap_or_else(|error| panic!("{}: {sql}: {error}", one.name))))
    };
    all("CREATE TABLE t (n int PRIMARY KEY)");
    all("INSERT INTO t VALUES (1)");
    each(&|one, _| until("there is a window", || !log(&house, one.name).is_null()));

    // Ahead, and back.
    let seen = |one: &Engine, client: &Client<'_>| {
        let sql = match one.engine.starts_with("postgresql") {
            true => "SELECT extract(epoch FROM now())::bigint",
            false => "SELECT UNIX_TIMESTAMP()",
        };
        one.ask(client, sql).map(|seconds| seconds.parse::<i64>().expect("seconds") - Timestamp::now().as_second())
    };
    set(&house, &format!("+{JUMP_S}"));
    each(&|one, client| until("it sees another time", || seen(one, client).is_ok_and(|ahead| ahead > JUMP_S / 2)));
    all("INSERT INTO t VALUES (2)");
    set(&house, "+0");
    each(&|one, client| until("it sees the machine's", || seen(one, client).is_ok_and(|ahead| ahead < 3)));
    all("INSERT INTO t VALUES (3)");
    let hole = |one: &Engine, end: &str| {
        log(&house, one.name)["holes"][0][end].as_str().map(|at| at.parse::<Timestamp>().expect("a time"))
    };
    each(&|one, client| {
        until("the jump is told", || hole(one, "from").is_some());
        assert_eq!(one.ask(client, "SELECT n FROM t ORDER BY n").as_deref(), Ok("1\n2\n3"), "{}", one.name);
        let refused = copy(&house, "never", one.name, hole(one, "from").expect("its first time"));
        assert_eq!(refused.status, 422, "{}: a time that was shown twice: {:?}", one.name, refused.body);
        until("it is over", || hole(one, "to").is_some_and(|to| to + SignedDuration::from_secs(3) < Timestamp::now()));
    });
    all("INSERT INTO t VALUES (4)");
    std::thread::sleep(Duration::from_secs(3));
    let at = Timestamp::now().round(jiff::Unit::Second).expect("a time");
    each(&|one, _| {
        let to = || log(&house, one.name)["to"].as_str().map(|to| to.parse::<Timestamp>().expect("a time"));
        until("it is kept", || to().is_some_and(|to| to > at));
        let name = format!("{}-copy", one.name);
        let made = copy(&house, &name, one.name, at);
        assert_eq!(made.status, 201, "{:?}", made.body);
        wait_running(&house, &name);
        let beside = Client::first(&house, &name, &made);
        assert_eq!(one.ask(&beside, "SELECT n FROM t ORDER BY n").as_deref(), Ok("1\n2\n3\n4"), "{name}");
    });
}

/// Shows the servers another time from now on.
fn set(house: &House, offset: &str) {
    for one in &ENGINES {
        let path = format!("/v1/solutions/{}", one.name);
        let number = house.api(Who::Account, "GET", &path, None).expect("the API answers").body["number"].as_u64();
        let volume = hand::pool(house).join(format!("solutions/{}/live/db", number.expect("a number")));
        fs::write(volume.join(CLOCK), format!("{offset}\n")).expect("it is written");
        run("chmod", &["644".as_ref(), volume.join(CLOCK).as_os_str()]);
    }
}
