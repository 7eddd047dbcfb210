//! The settings that are generated for the engines, and what the sandboxes are given.

use super::super::Website;
use super::super::spec::Spec;
use super::super::{engine, settings};
use super::{order, wordpress};
use crate::segments::REPLAY;
use crate::{Keeping, Kind, Network, Place, Reach, Service};
use serde_json::json;

fn read(form: &serde_json::Value) -> Spec {
    Spec::stored(&super::spec(form)).expect("a parsed spec is a stored one")
}

fn has_line(text: &str, line: &str) {
    assert!(text.lines().any(|each| each == line), "{line:?} is not in:\n{text}");
}

#[test]
fn limits_of_php_are_beyond_the_reach_of_the_site() {
    let mut form = wordpress();
    form["php"] =
        json!({"memory_mb": 200, "max_execution_s": 20, "upload_mb": 30, "workers": 3, "max_input_vars": 1234});
    let text = settings::fpm_conf(&read(&form));
    for line in [
        "listen = /run/php.sock",
        "pm = ondemand",
        "pm.max_children = 3",
        "process_control_timeout = 20s",
        "request_terminate_timeout = 20s",
        "security.limit_extensions = .php",
        "clear_env = yes",
        "php_admin_value[memory_limit] = 200M",
        "php_admin_value[max_execution_time] = 20",
        "php_admin_value[upload_max_filesize] = 30M",
        "php_admin_value[post_max_size] = 38M",
        "php_admin_value[max_input_vars] = 1234",
    ] {
        has_line(&text, line);
    }
    assert!(!text.contains("php_value"), "a php_value can be lifted");
    let ini = settings::php_ini();
    for line in [
        "cgi.fix_pathinfo = 0",
        "session.save_path = /srv/tmp",
        "upload_tmp_dir = /srv/tmp",
        "sendmail_path = \"/bin/sh /run/conf/no-mail.sh\"",
        "opcache.enable = 1",
    ] {
        has_line(&ini, line);
    }
    assert_eq!(engine::body(&read(&form)).to_string(), "38 MiB");
}

#[test]
fn the_database_has_no_network_and_no_way_to_other_files() {
    let spec = read(&wordpress());
    let name = spec.database.catalogue().expect("WordPress has a database");
    let lines = [
        "datadir = /srv/db/mariadb-11.8",
        "socket = /run/db.sock",
        "skip-networking",
        "local-infile = OFF",
        "secure-file-priv = /tmp",
        "performance-schema = OFF",
        "max-connections = 14",
        "innodb-buffer-pool-size = 24M",
        "log-bin = binlog",
    ];
    let serving = engine::db(&spec, &name);
    let opened = engine::db_opened(&spec, &name);
    for service in [&serving, &opened] {
        let text = &service.sandbox.files["/run/conf/mariadb.cnf"];
        for line in lines {
            has_line(text, line);
        }
        assert_eq!(service.reach, Reach::Own);
        assert_eq!(service.sandbox.network, Network::Nothing);
        assert_eq!(service.sandbox.env["LISTEN_PID"], "1");
    }
    let places = |service: &Service| service.sandbox.binds.iter().map(|bind| bind.from.clone()).collect::<Vec<_>>();
    let data = Place::Folder("db".to_owned());
    assert_eq!(places(&serving), [data.clone(), Place::Store("mariadb-11.8".to_owned()), Place::Tool]);
    assert_eq!(places(&opened), [data]);
}

#[test]
fn the_log_is_kept_by_a_user_whom_the_sites_code_cannot_be() {
    let spec = json!({ "domains": ["a.example"], "database": "mariadb-11.8" });
    let order = order(&spec);
    let marks = |marks: &[(&str, &str)]| marks.iter().map(|(key, value)| ((*key).into(), (*value).into())).collect();
    let kept = Website.segments(&order, &marks(&[("db", "mariadb-11.8")])).expect("a log is kept");
    let Keeping::Command(argv) = &kept.keeping else { panic!("it is asked") };
    assert!(argv.last().is_some_and(|client| client.contains("--host=127.0.0.1") && client.contains("--user=keeper")));
    assert_eq!((kept.folder.as_str(), kept.prefix.as_str()), ("db/mariadb-11.8", "binlog."));
    // PHP has a network, and the loopback in it is another's.
    assert_eq!(engine::php(&read(&spec), &"php-8.4".parse().expect("a name")).sandbox.network, Network::Port);
    // Where there is no data, none is here any more, or it is not what it is to be, there is no log of it.
    for none in [&[][..], &[("db", "none")], &[("db", "mariadb-11.8"), (REPLAY, "2030-01-31T16:00:00Z")]] {
        assert_eq!(Website.segments(&order, &marks(none)), None, "{none:?}");
    }
}

#[test]
fn php_is_given_its_socket_and_nothing_of_the_database_but_its_socket() {
    let spec = read(&wordpress());
    let name = spec.runtime.catalogue().expect("it has PHP");
    let service = engine::php(&spec, &name);
    assert_eq!(service.sandbox.argv[0], "/usr/sbin/php-fpm8.4");
    assert_eq!(service.sandbox.env["FPM_SOCKETS"], "/run/php.sock=3");
    let writes: Vec<&Place> = service.sandbox.binds.iter().filter(|bind| bind.write).map(|bind| &bind.from).collect();
    assert_eq!(writes, [&Place::Folder("www".to_owned()), &Place::Folder("tmp".to_owned())]);
    let listen = format!("listen = {}", service.sandbox.env["FPM_SOCKETS"].trim_end_matches("=3"));
    has_line(&service.sandbox.files["/run/conf/fpm.conf"], &listen);
}

#[test]
fn no_secret_is_on_a_command_line_and_every_script_is_given_along() {
    let order = order(&wordpress());
    let spec = read(&wordpress());
    let app = spec.app.clone().expect("it has WordPress");
    let php = spec.runtime.catalogue().expect("it has PHP");
    let db = spec.database.catalogue().expect("it has a database");
    let credential = &order.credentials["admin"];
    let tasks = [
        engine::db_init(&spec, &db),
        engine::db_upgrade(&spec, &"mariadb-10.11".parse().expect("a name"), &db),
        engine::db_tidy(&spec, &db),
        engine::welcome(&spec, &php),
        engine::app_install(&spec, &app, &php, Some(credential)),
        engine::app_credential(&spec, &app, &php, credential, Network::Nothing),
        engine::app_address(&spec, &app, &php, Network::Nothing),
        engine::probe(&spec, &php),
    ];
    for task in &tasks {
        let open = serde_json::to_string(&(&task.sandbox, &task.marks)).expect("plain data");
        assert!(!open.contains(&credential.hash), "{}", task.name);
        for word in task.sandbox.argv.iter().filter(|word| word.starts_with("/run/conf/")) {
            assert!(task.sandbox.files.contains_key(word), "{} lacks {word}", task.name);
        }
    }
    assert!(tasks[5].stdin.contains(&credential.hash));
    let install: serde_json::Value = serde_json::from_str(&tasks[4].stdin).expect("JSON");
    assert_eq!(
        install,
        json!({"url": "https://www.shop.example", "title": "Shop", "user": "admin", "email": "anna@shop.example", "language": "da_DK", "hash": credential.hash})
    );
}
