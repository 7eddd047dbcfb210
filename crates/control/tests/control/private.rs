//! The private PostgreSQL: killed, started again, adopted, and data of another major refused.

use crate::cluster::{connect, folder, place};
use husorden_control::bootstrap;
use husorden_control::config::Database;
use husorden_control::doors::Role;
use husorden_control::embedded::Embedded;
use std::process::Command;

#[tokio::test]
async fn it_comes_back_from_a_kill_is_adopted_and_refuses_another_major() {
    let folder = folder();
    let here = place(&folder);
    let first = Embedded::start(here.clone()).await.expect("it starts");
    let database = Database::at(first.socket_dir());
    bootstrap::migrate(&database).await.expect("migrated");
    let mut owner = connect(&database, Role::Owner).await;
    sqlx::raw_sql("insert into account (id, name, language) values (gen_random_uuid(), 'kept', 'da')")
        .execute(&mut owner)
        .await
        .unwrap();

    let pid = first.pid().expect("it runs");
    // Its starter is gone, it is not: it is adopted.
    drop(first);
    let second = Embedded::start(here.clone()).await.expect("it is adopted");
    assert_eq!(second.pid(), Some(pid));
    Command::new("kill").args(["-9", &pid.to_string()]).status().unwrap();
    let third = Embedded::start(here.clone()).await.expect("it starts after a kill");
    assert_ne!(third.pid(), Some(pid));
    let mut owner = connect(&database, Role::Owner).await;
    let kept: i64 = sqlx::query_scalar("select count(*) from account").fetch_one(&mut owner).await.unwrap();
    assert_eq!(kept, 1);
    let checksums: String = sqlx::query_scalar("show data_checksums").fetch_one(&mut owner).await.unwrap();
    let addresses: String = sqlx::query_scalar("show listen_addresses").fetch_one(&mut owner).await.unwrap();
    assert_eq!((checksums.as_str(), addresses.as_str()), ("on", ""));
    // Migrating again changes nothing.
    bootstrap::migrate(&database).await.expect("migrated already");
    third.stop().await.expect("it stops");

    // A half made cluster of a starter that was killed is made again.
    std::fs::create_dir_all(here.home.join("data.new/base")).unwrap();
    let version = here.home.join("data/PG_VERSION");
    std::fs::write(&version, "13\n").unwrap();
    let error = Embedded::start(here.clone()).await.expect_err("another major").to_string();
    assert!(error.contains("13") && error.contains("pg_upgrade"), "{error}");
    std::fs::remove_dir_all(here.home.join("data")).unwrap();
    Embedded::start(here).await.expect("it is made anew").stop().await.expect("it stops");
}

/// The kernel says who comes; the ident map says as whom they may.
#[tokio::test]
async fn a_stranger_is_not_let_in() {
    let database = crate::cluster::database().await;
    let attempt = |user: &str, role: &str| {
        Command::new("setpriv")
            .args([format!("--reuid={user}"), "--clear-groups".to_owned(), "--".to_owned()])
            .args(["psql", "-h"])
            .arg(&database.socket_dir)
            .args(["-U", role, "-d", &database.name, "-qtc", "select 1"])
            .output()
            .expect("setpriv and psql run")
            .status
            .success()
    };
    assert!(attempt("nobody", "husorden_tenant"));
    assert!(!attempt("nobody", "husorden_owner"), "control's user is no owner");
    assert!(!attempt("nobody", "husorden_root"));
    assert!(!attempt("daemon", "husorden_tenant"));
}
