//! Tampering by somebody who holds the database's superuser, control's disk and its key. What he can't reach are the
//! checkpoints that have left.

use crate::cluster;
use crate::evidence::{Watched, sql};
use crate::node::until;
use crate::tiny::KINDS;
use husorden_control::{Config, start};
use husorden_evidence::verify::{Finding, Report, Why};
use husorden_evidence::{Checkpoint, Hash, SigningKey, Tiles, canonical};
use serde_json::{Value, json};
use sqlx::{Connection, PgConnection};
use std::collections::BTreeSet;
use std::fs;

/// What a superuser finds in the tree: place, line, stage, noted, body, salts.
type Row = (i64, i64, String, String, Value, Value);

/// Replaces the tree by another, whole: leaves, tiles, root, and checkpoints signed with the stolen key at the same moments.
async fn rebuild(config: &Config, root: &mut PgConnection, change: impl Fn(&mut Vec<Row>)) {
    let rows: Vec<(i64, i64, String, String, String, Option<Value>)> = sqlx::query_as(
        "select l.index, l.line, l.stage, l.noted::text, l.body, s.salts from evidence_leaf l left join evidence_salt s on s.index = l.index order by 1",
    )
    .fetch_all(&mut *root)
    .await
    .unwrap();
    let mut rows: Vec<Row> = rows
        .into_iter()
        .map(|(index, line, stage, noted, body, salts)| {
            (index, line, stage, noted, serde_json::from_str(&body).unwrap(), salts.unwrap_or_default())
        })
        .collect();
    change(&mut rows);
    sql(root, "set session_replication_role = replica; delete from evidence_salt; delete from evidence_leaf; delete from evidence_tile").await;
    let (mut tiles, mut written) = (Tiles::default(), BTreeSet::new());
    for (n, (_, line, stage, noted, body, salts)) in (0u64..).zip(&rows) {
        let body = canonical::text(body);
        tiles.append(n, Hash::leaf(body.as_bytes()), &mut written);
        let place = i64::try_from(n).unwrap();
        sqlx::query("insert into evidence_leaf select $1, $2, $3, e.account, $4::timestamptz, e.visible_from, false, $5 from evidence e where id = $2")
            .bind(place).bind(line).bind(stage).bind(noted).bind(body).execute(&mut *root).await.unwrap();
        sqlx::query("insert into evidence_salt values ($1, $2)")
            .bind(place)
            .bind(salts)
            .execute(&mut *root)
            .await
            .unwrap();
    }
    for id in written {
        let bytes: Vec<u8> = tiles.get(id).unwrap().iter().flat_map(|hash| hash.0).collect();
        sqlx::query("insert into evidence_tile values ($1, $2, $3)")
            .bind(i16::from(id.level))
            .bind(i64::try_from(id.position).unwrap())
            .bind(bytes)
            .execute(&mut *root)
            .await
            .unwrap();
    }
    let size = rows.len() as u64;
    let top = tiles.hash((0, size)).unwrap();
    sqlx::query("update evidence_tree set size = $1, root = $2")
        .bind(i64::try_from(size).unwrap())
        .bind(top.0.to_vec())
        .execute(&mut *root)
        .await
        .unwrap();
    let folder = &config.evidence.folder;
    let key = SigningKey::from_secret(&fs::read_to_string(folder.join("evidence.key")).unwrap()).unwrap();
    let notes: Vec<(i64, String)> =
        sqlx::query_as("select size, note from evidence_checkpoint").fetch_all(&mut *root).await.unwrap();
    sql(root, "delete from evidence_checkpoint").await;
    for (old, note) in notes {
        let was = Checkpoint::unsigned(&note).unwrap();
        let size = old.unsigned_abs().min(size);
        let forged = Checkpoint { size, root: tiles.hash((0, size)).unwrap(), ..was };
        sqlx::query("insert into evidence_checkpoint values ($1, $2, $3::timestamptz, $4) on conflict do nothing")
            .bind(i64::try_from(size).unwrap())
            .bind(key.public().to_string())
            .bind(forged.at.to_string())
            .bind(forged.sign(&key))
            .execute(&mut *root)
            .await
            .unwrap();
    }
    // Control's memory of what it signed goes too.
    fs::remove_file(folder.join("evidence.seen")).unwrap();
}

/// A house with three checkpoints outside, whose control is stopped, whose tree is rebuilt, and whose control starts again on
/// what it finds. What the whole export and the account's own say then, and the checkpoints.
async fn rebuilt(change: impl Fn(&mut Vec<Row>)) -> ([Report; 2], [Checkpoint; 3]) {
    let mut watched = Watched::new().await;
    let mut checkpoints = Vec::new();
    for name in ["one", "two", "three"] {
        watched.house.create(name, json!({})).await;
        watched.house.create(&format!("{name}-more"), json!({})).await;
        checkpoints.push(watched.checkpoint().await);
    }
    let outside = watched.notes();
    watched.house.running.stop().await;
    let config = watched.house.config.clone();
    let mut root = cluster::root(&config.database.socket_dir, &config.database.name).await;
    rebuild(&config, &mut root, change).await;
    root.close().await.unwrap();
    watched.house.running = start(config, &KINDS).await.expect("control starts on what it is given");
    watched.house.router = husorden_control::routes::router(watched.house.running.app().clone());
    let reports =
        [watched.verify(&watched.house.staff, &outside).await, watched.verify(&watched.house.account, &outside).await];
    let own = watched.verify(&watched.house.staff, &[]).await;
    assert!(own.holds(), "the forgery agrees with itself: {:?}", own.findings);
    watched.house.running.stop().await;
    (reports, checkpoints.try_into().unwrap())
}

/// The place of the leaf about the making of a solution.
fn made(rows: &[Row], nth: usize) -> usize {
    rows.iter().enumerate().filter(|(_, row)| row.4["act"] == "solution.create").nth(nth).expect("the leaf").0
}

#[track_caller]
fn told(reports: &[Report; 2], (last_good, first_bad): (&Checkpoint, &Checkpoint)) {
    for report in reports {
        let found = report.findings.iter().find_map(|finding| match finding {
            Finding::Rewritten { from, to, since, outside: true, .. } => Some((*from, *to, *since)),
            _ => None,
        });
        assert_eq!(found, Some((last_good.size, first_bad.size, Some(last_good.at))), "{:?}", report.findings);
        assert_eq!(report.unprotected_since, Some(last_good.at), "from there on nothing is vouched for");
    }
}

#[tokio::test]
async fn a_changed_line_is_told_though_the_tree_is_rebuilt_and_signed() {
    let (reports, [_, second, third]) = rebuilt(|rows| {
        let place = made(rows, 4);
        rows[place].4["act"] = json!("solution.nothing");
    })
    .await;
    told(&reports, (&second, &third));
}

#[tokio::test]
async fn a_deleted_line_is_told_though_the_tree_is_rebuilt_and_signed() {
    let (reports, [first, second, _]) = rebuilt(|rows| {
        let place = made(rows, 2);
        rows.remove(place);
    })
    .await;
    told(&reports, (&first, &second));
}

#[tokio::test]
async fn moved_lines_are_told_though_the_tree_is_rebuilt_and_signed() {
    let (reports, [first, second, _]) = rebuilt(|rows| {
        let (one, other) = (made(rows, 2), made(rows, 3));
        rows.swap(one, other);
    })
    .await;
    told(&reports, (&first, &second));
}

#[tokio::test]
async fn a_line_put_in_between_is_told_though_the_tree_is_rebuilt_and_signed() {
    let (reports, [first, second, _]) = rebuilt(|rows| {
        let (last, place) = (rows.len() - 1, made(rows, 2));
        let late = rows.remove(last);
        rows.insert(place, late);
    })
    .await;
    told(&reports, (&first, &second));
}

#[tokio::test]
async fn without_the_tree_each_trace_is_told_by_its_line() {
    let watched = Watched::new().await;
    let house = &watched.house;
    for name in ["one", "two", "three"] {
        house.create(name, json!({})).await;
    }
    watched.checkpoint().await;
    let mut root = watched.root().await;
    let line = async |root: &mut PgConnection, name: &str| -> i64 {
        sqlx::query_scalar("select id from evidence where act = 'solution.create' and before->>'name' = $1")
            .bind(name)
            .fetch_one(root)
            .await
            .unwrap()
    };
    let (two, three) = (line(&mut root, "two").await, line(&mut root, "three").await);
    sql(&mut root, &format!("update evidence set before = before || '{{\"name\": \"zwei\"}}' where id = {two}")).await;
    sql(&mut root, &format!("update evidence set before = before - 'name' where id = {three}")).await;
    // Put in by the front door of the table, dated back.
    sql(&mut root, "insert into evidence (begun, ended, who, act, before, after) values (now() - interval '1 day', now(), 'platform', 'forged.one', '{}', '{}')").await;
    sql(&mut root, "insert into evidence (begun, ended, who, act, before, after) values (now() - interval '1 day', now(), 'platform', 'forged.two', '{}', '{}')").await;
    sql(&mut root, "update evidence_pending set noted = now() - interval '1 day'").await;
    watched.checkpoint().await;
    let report = watched.verify(&house.staff, &watched.notes()).await;
    let why = |wanted: i64| -> Vec<&Why> {
        report
            .findings
            .iter()
            .filter_map(|f| match f {
                Finding::Leaf { line, why, .. } if *line == wanted.unsigned_abs() => Some(why),
                _ => None,
            })
            .collect()
    };
    assert_eq!(why(two), [&Why::Value("before.name".to_owned())], "{:?}", report.findings);
    assert_eq!(why(three), [&Why::Gone("before.name".to_owned())], "{:?}", report.findings);
    let dated =
        report.findings.iter().filter(|f| matches!(f, Finding::Leaf { why: Why::BackDated { .. }, .. })).count();
    assert!(dated >= 2, "{:?}", report.findings);
    // Control sees by itself what is visible and is not what was sealed.
    let alarms = until("an alarm", async || {
        let page = house.staff("GET", "/v1/evidence?act=evidence.alarm", Value::Null).await.is(200);
        (!page["items"].as_array().unwrap().is_empty()).then_some(page)
    })
    .await;
    let alarm = &alarms["items"][0]["before"];
    assert_eq!((&alarm["is"], &alarm["count"]), (&json!("changed"), &json!(2)), "{alarms}");
    watched.house.running.stop().await;
}

#[tokio::test]
async fn control_signs_no_tree_that_shrank_or_was_changed() {
    for (statement, why) in [
        ("update evidence_tree set size = size - 1", "leaves and had"),
        ("update evidence_leaf set body = replace(body, 'solution.create', 'solution.nothing')", "was changed"),
        ("delete from evidence_salt where index = 0; delete from evidence_leaf where index = 0", "is missing"),
        (
            "update evidence_tile set hashes = sha256('other') || substr(hashes, 33) where level = 0 and position = 0",
            "do not make the root",
        ),
        ("update evidence_tree set origin = 'another'", "calls itself"),
    ] {
        let watched = Watched::new().await;
        let house = &watched.house;
        house.create("one", json!({})).await;
        let before = watched.checkpoint().await;
        let mut root = watched.root().await;
        sql(&mut root, statement).await;
        // An export asks for a signature, and is given all the same.
        let _ = watched.export(&house.staff).await;
        let log = house.staff("GET", "/v1/evidence/key", Value::Null).await.is(200);
        let said = log["refused"].as_str().unwrap_or_else(|| panic!("{statement}: {log}"));
        assert!(said.contains(why), "{statement}: {said}");
        assert!(house.get("/v1/evidence/key").await["refused"].is_null(), "staff only");
        let events = house.staff("GET", "/v1/events", Value::Null).await.is(200);
        assert!(events.to_string().contains("evidence.alarm"), "{statement}: {events}");
        let newest = watched.notes().pop().map(|it| Checkpoint::unsigned(&it.note).unwrap());
        assert_eq!(
            newest.map(|it| (it.size, it.root)),
            Some((before.size, before.root)),
            "{statement}: nothing was signed"
        );
        watched.house.running.stop().await;
    }
}
