//! The SQL and settings that are generated.

use super::super::engine::{self, ENGINES, Engine, Mode};
use super::super::spec::Spec;
use super::super::{people, plan, pooler, segments};
use super::order;
use crate::{Fill, Place};
use husorden_base::Bytes;
use serde_json::json;
use std::collections::BTreeMap;

#[test]
fn a_name_with_an_underscore_grants_no_other_database() {
    let order = order(
        &json!({"engine": "mariadb-11.8", "databases": {"a_b": {}}, "users": {"u": {"grants": {"a_b": "read"}}}}),
    );
    let spec = Spec::stored(&order.spec).expect("it was parsed");
    let sql = people::mariadb(&order, &spec);
    assert!(sql.contains("GRANT SELECT, SHOW VIEW ON `a\\_b`.* TO 'u'@'%'"), "{sql}");
}

#[test]
fn a_change_of_the_list_is_taken_up_without_a_restart() {
    let of = |form: serde_json::Value| {
        let spec = Spec::stored(&super::spec(&form)).expect("it was parsed");
        engine::service(&spec, Engine::Postgres17, Mode::Serving)
    };
    let before = of(json!({}));
    for (form, live) in [
        (json!({"allow": [{"net": "192.0.2.0/24"}]}), true),
        (json!({"parameters": {"work_mem": 4096}}), true),
        (json!({"size": "900 GiB"}), true),
        (json!({"pooler": "transaction"}), true),
        (json!({"memory": "2 GiB"}), false),
        (json!({"connections": 99}), false),
    ] {
        let after = of(form.clone());
        assert_ne!(before.digest(), after.digest(), "{form}");
        assert_eq!(crate::same_but_live(&before.digest(), &after.digest()), live, "{form}");
    }
}

#[test]
fn what_is_written_is_kept_within_a_minute_unless_the_node_says_otherwise() {
    for (log_s, switch_s) in [(crate::segments::usual_s(), 45), (4, 6)] {
        let order = crate::Order { log_s, ..order(&json!({})) };
        let spec = Spec::with_guests(&order).expect("it was parsed");
        let service = engine::service(&spec, Engine::Postgres17, Mode::Serving);
        let text = &service.sandbox.files["/run/conf/postgresql.conf"];
        assert!(text.contains(&format!("\narchive_timeout = {switch_s}s\n")), "{text}");
        let held = BTreeMap::from([(engine::mark::ENGINE.to_owned(), format!("postgresql-17 of {}", order.solution))]);
        let crate::Keeping::Engine { after_s, .. } = segments::of(&order, &held).expect("its log is kept").keeping
        else {
            panic!("PostgreSQL keeps it itself");
        };
        assert_eq!(after_s, switch_s + 15);
    }
}

#[test]
fn who_is_not_on_the_list_has_no_line() {
    let form = json!({"allow": [{"net": "192.0.2.0/24"}, {"net": "2001:db8::/48"}]});
    let spec = Spec::stored(&super::spec(&form)).expect("it was parsed");
    let service = engine::service(&spec, Engine::Postgres17, Mode::Serving);
    assert_eq!(
        service.live.files["pg_hba.conf"],
        "local all husorden peer map=platform\n\
         host all husorden all reject\n\
         local all husorden_load peer map=platform\n\
         host all husorden_load all reject\n\
         hostssl all all 192.0.2.0/24 scram-sha-256\n\
         hostssl all all 2001:db8::/48 scram-sha-256\n"
    );
}

#[test]
fn a_pooler_keeps_no_password_sees_no_data_and_is_held_to_the_list() {
    let form = |more: &str| {
        let form = json!({"pooler": more, "pooler_size": 7, "allow": [{"net": "192.0.2.0/24"}], "databases": {"a": {}, "b": {}}});
        Spec::stored(&super::spec(&form)).expect("it was parsed")
    };
    let spec = form("transaction");
    let pooler = pooler::service(&spec, Engine::Postgres17).expect("there is one");
    assert!(pooler.sandbox.binds.iter().all(|bind| bind.from != Place::Folder("db".to_owned())), "no data");
    assert_eq!(pooler.reach.port(), Some(6432));
    let ini = &pooler.live.files["pooler.ini"];
    for line in [
        "a = host=/tmp/server dbname=a",
        "husorden_pool = max_user_connections=2",
        "client_tls_sslmode = require",
        "pool_mode = transaction",
        "default_pool_size = 7",
        "max_db_connections = 9",
        "max_prepared_statements = 200",
    ] {
        assert!(ini.lines().any(|there| there == line), "{line}: {ini}");
    }
    assert_eq!(
        pooler.live.files["pooler_hba.conf"],
        "host all husorden_pool all reject\nhostssl all all 192.0.2.0/24 scram-sha-256\n"
    );
    let everything = format!("{pooler:?}");
    assert!(!everything.contains("SCRAM-SHA-256$"), "{everything}");
    // Debian 12's knows no such setting, and hears another signal.
    let older = pooler::service(&spec, Engine::Postgres15).expect("there is one");
    assert!(!older.live.files["pooler.ini"].contains("max_prepared_statements"));
    assert_ne!(older.stop_signal, pooler.stop_signal);
    // What changes is taken up while it runs.
    let other = pooler::service(&form("session"), Engine::Postgres17).expect("there is one");
    assert!(crate::same_but_live(&pooler.digest(), &other.digest()) && pooler.digest() != other.digest());
    assert_eq!(pooler::service(&form("off"), Engine::Postgres17), None);

    // The server lets it in by its socket, and not while its data is read for an upgrade.
    let lines = |mode| engine::service(&spec, Engine::Postgres17, mode).live.files["pg_hba.conf"].clone();
    assert!(lines(Mode::Serving).contains("local all all scram-sha-256\n"));
    assert!(!lines(Mode::Upgrading).contains("local all all") && !lines(Mode::Upgrading).contains("husorden_pool"));
}

#[test]
fn the_role_that_asks_for_verifiers_goes_with_the_pooler() {
    let sql = |pooler: &str| {
        let order = order(&json!({"pooler": pooler}));
        people::postgres(&order, &Spec::stored(&order.spec).expect("it was parsed"))
    };
    let (with, without) = (sql("session"), sql("off"));
    assert!(with.contains("NOT IN ('', 'app', 'husorden_pool')") && with.contains("ALTER ROLE husorden_pool LOGIN"));
    assert!(with.contains(
        "GRANT SELECT (rolname, rolpassword, rolcanlogin, rolvaliduntil) ON pg_catalog.pg_authid TO husorden_pool;"
    ));
    assert!(!without.contains("husorden_pool"), "{without}");
}

#[test]
fn a_pooler_has_a_door_and_lines_of_its_own() {
    use crate::{Kind, Whereabouts};
    let order = order(&json!({"engine": "postgresql-15", "pooler": "transaction", "allow": [{"net": "192.0.2.1"}]}));
    let spec = Spec::stored(&order.spec).expect("it was parsed");
    let port = plan::port(&order, &spec);
    let doors: Vec<(u16, u16)> = port.doors.iter().map(|door| (door.outer, door.inner)).collect();
    assert_eq!(doors, [(20_007, 5432), (10_007, 6432)]);
    assert_eq!(port.allow.iter().map(|allow| allow.port).collect::<Vec<_>>(), [5432, 6432]);
    let at = Whereabouts { number: order.number, host: "database-7.solutions.test".to_owned(), image: None };
    let lines = super::super::Database.snippets(&at, &order.spec, "app");
    let line = |name: &str| lines.iter().find(|line| line.name == name).expect(name).code.clone();
    assert_eq!(line("psql, pooler"), line("psql").replace("20007", "10007"));
    // What is prepared is gone in the next transaction there.
    assert!(line("JDBC, pooler").ends_with("&prepareThreshold=0") && !line("JDBC").contains("prepareThreshold"));
    let demand = |pooler: &str| super::super::Database.demand(&super::spec(&json!({"pooler": pooler}))).memory;
    assert_eq!(demand("session").0 - demand("off").0, Bytes::mib(128).0, "it counts");
}

#[test]
fn a_larger_disk_restarts_nothing() {
    for (word, engine) in ENGINES {
        let of = |size: &str| {
            let spec = Spec::stored(&super::spec(&json!({"engine": word, "size": size}))).expect("it was parsed");
            (engine::service(&spec, engine, Mode::Serving).digest(), engine::reserve(&spec))
        };
        let ((small, less), (large, more)) = (of("512 MiB"), of("2000 GiB"));
        assert!(crate::same_but_live(&small, &large), "{word}");
        assert!(less <= more && less >= Bytes::mib(100) && more <= Bytes::gib(7), "{word}: {less} {more}");
    }
}

#[test]
fn what_is_full_takes_no_changes_and_what_is_over_nobody() {
    let spec = Spec::stored(&super::spec(&json!({"allow": [{"net": "192.0.2.0/24"}]}))).expect("it was parsed");
    let service = engine::service(&spec, Engine::Postgres17, Mode::Serving);
    let at = |fill: Fill, file: &str| service.live_at(fill).files[file].clone();
    assert_eq!(service.live_at(Fill::Room), service.live);
    assert!(!at(Fill::Room, "disk.conf").contains("read_only"));
    assert!(at(Fill::Full, "disk.conf").contains("default_transaction_read_only = on\ntemp_file_limit = 64MB\n"));
    let said = at(Fill::Full, "disk.conf");
    let said = said.lines().last().and_then(|line| line.strip_prefix("husorden.disk = '")).expect("the reason");
    assert!(said.ends_with('\'') && said.matches('\'').count() == 1 && said.contains("(4 GiB) is used up"), "{said}");
    assert_eq!(at(Fill::Full, "pg_hba.conf"), at(Fill::Room, "pg_hba.conf"));
    assert_eq!(
        at(Fill::Over, "pg_hba.conf"),
        "local all husorden peer map=platform\nhost all husorden all reject\nlocal all all reject\nhost all all all reject\n"
    );
    // Whoever serves an upgrade reads only, and nobody else comes.
    assert!(engine::service(&spec, Engine::Postgres17, Mode::Upgrading).fill.is_empty());

    let spec = Spec::stored(&super::spec(&json!({"engine": "mariadb-11.8"}))).expect("it was parsed");
    let service = engine::service(&spec, Engine::MariaDb118, Mode::Serving);
    for fill in [Fill::Full, Fill::Over] {
        assert!(service.live_at(fill).files["start.sql"].ends_with("SET GLOBAL read_only = 1;\n"), "{fill:?}");
    }
    assert!(!service.live_at(Fill::Room).files["start.sql"].contains("read_only"));
    // One that runs must be told in SQL, also that there is room again.
    assert!([Fill::Room, Fill::Full, Fill::Over].iter().all(|fill| !service.fill[fill].argv.is_empty()));
}

#[test]
fn who_is_attached_is_a_user_that_owns_one_database_and_comes_from_one_address() {
    use crate::{Credential, Guest, Kind};
    use husorden_base::Number;
    for engine in ["postgresql-17", "mariadb-11.8"] {
        let mut order = super::order(&json!({"engine": engine, "databases": {"app": {}, "other": {}}}));
        let plain = people::digest(&order, &Spec::with_guests(&order).expect("it was parsed"));
        let number = Number::new(8).expect("8");
        let credential =
            Credential { username: crate::attach::username(number), hash: "VERIFIER".to_owned(), generation: 5 };
        order.guests = vec![Guest { number, database: "app".to_owned(), credential }];
        let spec = Spec::with_guests(&order).expect("it was parsed");
        let sql = match engine {
            "mariadb-11.8" => people::mariadb(&order, &spec),
            _ => people::postgres(&order, &spec),
        };
        assert!(sql.contains("attached-8") && sql.contains("VERIFIER"), "{sql}");
        assert!(
            sql.contains("app.owner") || sql.contains("GRANT ALL PRIVILEGES ON `app`.* TO 'attached-8'@'%'"),
            "{sql}"
        );
        assert!(!sql.contains("ON `other`.* TO 'attached-8'"), "{sql}");
        assert_ne!(people::digest(&order, &spec), plain);
        let port = super::super::plan::port(&order, &spec);
        assert!(port.allow.iter().any(|allow| allow.net.to_string() == format!("{}/32", number.ipv4())), "{port:?}");
        if engine == "postgresql-17" {
            let server = super::super::engine::service(&spec, spec.engine, super::super::engine::Mode::Serving);
            let rules = &server.live.files["pg_hba.conf"];
            let line = format!("hostssl \"app\" \"attached-8\" {}/32 scram-sha-256", number.ipv4());
            assert!(
                rules.ends_with(&format!("{line}\n")) && rules.matches(&number.ipv4().to_string()).count() == 1,
                "{rules}"
            );
        }
        // A database that is gone leaves a user without rights, and no statement that fails.
        order.guests[0].database = "gone".to_owned();
        let spec = Spec::with_guests(&order).expect("it was parsed");
        assert!(spec.users["attached-8"].grants.is_empty());
        let served = super::super::Database.serves(&order.spec).expect("it serves");
        assert_eq!(served.databases, ["app", "other"]);
    }
}
