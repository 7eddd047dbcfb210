//! What the platform is rebuilt from: a base, the log after it, and copies that are brought to a named point, to a moment and to the end.

use crate::cluster::{connect, folder, place, root};
use crate::house::House;
use husorden_control::bootstrap;
use husorden_control::config::Database;
use husorden_control::doors::Role;
use husorden_control::embedded::copying::{self, Copier, Recovered, SLOT, Until};
use husorden_control::embedded::{Embedded, Place};
use husorden_control::platform::{Adopted, adopt, compare, found, known, mark};
use jiff::Timestamp;
use serde_json::json;
use sqlx::PgConnection;
use std::path::{Path, PathBuf};
use std::process::{Child, Command};
use std::time::{Duration, Instant};

/// A program that ends with the test.
struct Ends(Child);

impl Drop for Ends {
    fn drop(&mut self) {
        drop(self.0.kill());
        drop(self.0.wait());
    }
}

async fn accounts(connection: &mut PgConnection) -> Vec<String> {
    sqlx::query_scalar("select name from account order by name").fetch_all(connection).await.unwrap()
}

async fn make(owner: &mut PgConnection, name: &str) {
    sqlx::query("insert into account (id, name, language) values (gen_random_uuid(), $1, 'da')")
        .bind(name)
        .execute(owner)
        .await
        .unwrap();
}

fn games() -> Copier {
    let passwd = std::fs::read_to_string("/etc/passwd").expect("passwd");
    let line = passwd.lines().find(|line| line.starts_with("games:")).expect("a user of Debian's");
    let part = |n| line.split(':').nth(n).expect("a part").parse().expect("a number");
    Copier { uid: part(2), gid: part(3) }
}

fn give(path: &Path, to: Copier) {
    let owner = format!("{}:{}", to.uid, to.gid);
    assert!(Command::new("chown").arg("-R").arg(owner).arg(path).status().unwrap().success());
}

/// The copy with this name, brought so far.
async fn copy(place: &Place, name: &str, until: Until) -> Result<Recovered, String> {
    let top = place.home.parent().expect("a folder").to_owned();
    let home = top.join(name);
    std::fs::create_dir(&home).unwrap();
    let log = home.join("log");
    for (from, to) in [("base", &home.join("data")), ("log", &log)] {
        let mut copy = Command::new("cp");
        assert!(copy.arg("-a").arg(top.join("copies").join(from)).arg(to).status().unwrap().success());
    }
    let other = Place { home: home.clone(), run: home.join("run"), ..place.clone() };
    give(&home, Copier { uid: other.uid, gid: other.gid });
    copying::recover(other, &log, &until).await.map_err(|error| error.to_string())
}

async fn names_in(copy: &Recovered) -> Vec<String> {
    accounts(&mut connect(&Database::at(copy.socket_dir()), Role::Owner).await).await
}

/// Waits until a segment was copied whole.
async fn copied(log: &Path, segment: &str) {
    let (whole, end) = (log.join(segment), Instant::now() + Duration::from_secs(300));
    while !whole.exists() {
        assert!(Instant::now() < end, "{} comes", whole.display());
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

#[tokio::test]
async fn a_copy_comes_back_as_it_was_at_a_point_at_a_moment_and_at_the_end() {
    let top = folder();
    let here = place(&top);
    let running = Embedded::start(here.clone()).await.expect("it starts");
    let database = Database::at(running.socket_dir());
    bootstrap::migrate(&database).await.expect("migrated");
    let mut owner = connect(&database, Role::Owner).await;
    make(&mut owner, "first").await;

    let copier = games();
    let (base, log): (PathBuf, PathBuf) = (top.join("copies/base"), top.join("copies/log"));
    std::fs::create_dir_all(&log).unwrap();
    give(&top.join("copies"), copier);
    // A slot that is made while a checkpoint ends can lose its log at once.
    sqlx::query("checkpoint").execute(&mut root(&here.run, "postgres").await).await.unwrap();
    for _ in 0..2 {
        assert!(copying::slot(&here, copier).unwrap().status().unwrap().success(), "made once, and there already");
    }
    let _receiver = Ends(copying::receiver(&here, copier, &log).unwrap().spawn().unwrap());
    assert!(copying::base(&here, copier, &base).unwrap().status().unwrap().success());
    // Who may copy may do nothing else, and nobody else may copy.
    let attempt = |user: Copier, role: &str| {
        let mut psql = Command::new("setpriv");
        psql.args([format!("--reuid={}", user.uid), format!("--regid={}", user.gid)]).args([
            "--clear-groups",
            "--",
            "psql",
            "-h",
        ]);
        psql.arg(&here.run).args(["-U", role, "-qtc", "select count(*) from account", "husorden"]).output().unwrap()
    };
    assert!(!attempt(copier, "husorden_owner").status.success());
    assert!(!attempt(copier, "husorden_copy").status.success());
    assert!(!copying::slot(&here, Copier { uid: 65_534, gid: 65_534 }).unwrap().output().unwrap().status.success());
    let label = std::fs::read_to_string(base.join("backup_label")).unwrap();
    assert!(copying::first_segment(&label).is_some(), "{label}");

    make(&mut owner, "before the point").await;
    let noted = mark(&database).await.expect("marked");
    assert_eq!(noted.rows["public.account"], (2, 2));
    make(&mut owner, "dropped by mistake").await;
    let moment: String =
        sqlx::query_scalar("select to_char(clock_timestamp() at time zone 'utc', 'YYYY-MM-DD\"T\"HH24:MI:SS.US\"Z\"')")
            .fetch_one(&mut owner)
            .await
            .unwrap();
    sqlx::query("delete from account where name = 'dropped by mistake'").execute(&mut owner).await.unwrap();
    make(&mut owner, "last").await;
    let end = mark(&database).await.expect("marked again");
    copied(&log, &end.segment).await;

    let at_point = copy(&here, "point", Until::Point(noted.point.clone())).await.expect("the point is reached");
    let held = found(&Database::at(at_point.socket_dir())).await.expect("asked");
    assert_eq!(compare(&noted, &held), Vec::<String>::new());
    assert_eq!(names_in(&at_point).await, ["before the point", "first"]);
    // What is lost in a copy is told.
    let mut copy_owner = connect(&Database::at(at_point.socket_dir()), Role::Owner).await;
    sqlx::query("delete from account where name = 'first'").execute(&mut copy_owner).await.unwrap();
    let held = found(&Database::at(at_point.socket_dir())).await.expect("asked");
    assert_eq!(compare(&noted, &held), ["public.account has 1 rows and had 2"]);
    drop(at_point);

    let time = Until::Time(moment.parse().expect("a time"));
    let at_moment = copy(&here, "moment", time).await.expect("the moment is reached");
    assert_eq!(names_in(&at_moment).await, ["before the point", "dropped by mistake", "first"]);
    drop(at_moment);

    let at_end = copy(&here, "end", Until::End).await.expect("the end is reached");
    assert_eq!(names_in(&at_end).await, ["before the point", "first", "last"]);
    let pid = Command::new("pgrep").args(["-f", &top.join("end/data").display().to_string()]).output().unwrap();
    let pid = String::from_utf8(pid.stdout).unwrap();
    let pid = pid.lines().next().expect("it runs");
    let links = std::fs::read_to_string(format!("/proc/{pid}/net/dev")).unwrap();
    assert_eq!(links.lines().count(), 3, "nothing but a loopback that is down: {links}");
    at_end.stop().await.expect("it stops");

    // A log with a gap does not reach what is asked for, and says so.
    std::fs::remove_file(log.join(&noted.segment)).unwrap();
    let gap = copy(&here, "gap", Until::Point(end.point.clone())).await.expect_err("the log has a gap");
    assert!(gap.contains("recovery ended before configured recovery target was reached"), "{gap}");
    let mut root = crate::cluster::root(running.socket_dir(), "postgres").await;
    let slots: i64 = sqlx::query_scalar("select count(*) from pg_replication_slots where slot_name = $1")
        .bind(SLOT)
        .fetch_one(&mut root)
        .await
        .unwrap();
    assert_eq!(slots, 1);
    running.stop().await.expect("it stops");
}

/// What a node may have been told by the control that was lost is not said again with another meaning.
#[tokio::test]
async fn who_was_brought_back_leaves_out_what_may_have_been_given() {
    let house = House::new().await;
    let made = house.create("shop", json!({})).await;
    let database = &house.config.database;
    let mut owner = connect(database, Role::Owner).await;
    let number: i64 =
        sqlx::query_scalar("select last_number::bigint from platform").fetch_one(&mut owner).await.unwrap();
    sqlx::raw_sql("insert into target (id, name, address) values (gen_random_uuid(), 'far', '{\"kind\": \"folder\", \"path\": \"/srv/far\"}')")
        .execute(&mut owner)
        .await
        .unwrap();
    sqlx::raw_sql(
        "insert into backup (id, solution, account, target, order_id, reason, state, copy, taken, spec)
         select gen_random_uuid(), s.id, s.account, t.id, gen_random_uuid(), 'daily', 'ready', c.copy, now() - c.age, s.spec
           from solution s, target t, (values ('older', interval '2 days'), ('newest', interval '1 day')) c (copy, age)
          where t.name = 'far'",
    )
    .execute(&mut owner)
    .await
    .unwrap();
    house.create("bare", json!({})).await;
    let before = known(database, "local").await.unwrap();
    assert_eq!((before.solutions, before.of_node, before.with_backup, before.epoch), (2, 2, 1, 1));
    let adopted = Adopted { by: "staff@desk.example", copy: "c", of: Timestamp::now(), lost_node: Some("local") };
    assert_eq!(adopt(database, &adopted).await.unwrap(), (2, 1));
    let (origin, epoch): (serde_json::Value, i64) =
        sqlx::query_as("select from_backup, epoch from solution where name = 'shop'")
            .fetch_one(&mut owner)
            .await
            .unwrap();
    assert_eq!((origin["copy"].as_str(), epoch), (Some("newest"), 2));
    assert_eq!(origin["repository"]["folder"], made["number"].to_string());
    let next = house.create("next", json!({})).await;
    assert!(next["number"].as_i64().unwrap() > number + 1000, "{next}");
    house.running.stop().await;
}
