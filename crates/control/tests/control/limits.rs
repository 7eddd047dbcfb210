//! What is refused for being too much or too late, and what a refusal leaves behind.

use crate::cluster::connect;
use crate::house::House;
use crate::node::{Node, snapshot};
use husorden_base::SnapshotId;
use husorden_control::doors::Role;
use husorden_kinds::Aim;
use husorden_wire::node::{SeenState, Verb};
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

fn tiny(name: &str) -> Value {
    json!({ "kind": "tiny", "name": name })
}

#[tokio::test]
async fn an_account_has_so_many_solutions_and_no_more() {
    let house = House::with(|config| config.limits.solutions_per_account_max = 3).await;
    let (one, many) = (&house, (0..6).map(|n| tiny(&format!("s{n}"))));
    let said = futures_util::future::join_all(many.map(|form| one.call("POST", "/v1/solutions", form))).await;
    let (made, refused): (Vec<_>, Vec<_>) = said.into_iter().partition(|said| said.status.as_u16() == 201);
    assert_eq!((made.len(), refused.len()), (3, 3), "also when they come at once");
    for said in refused {
        let said = said.refused(409, "solutions-limit");
        let refusal = &said["refusal"];
        assert_eq!((&refusal["measured"], &refusal["limit"]), (&json!("3 solutions"), &json!("3 solutions")));
    }
    // What can still be undone still counts, and it counts for staff too; another account has room of its own.
    let name = made[0].body["solution"]["name"].as_str().unwrap();
    house.call("DELETE", &format!("/v1/solutions/{name}"), Value::Null).await.is(200);
    house.call("POST", "/v1/solutions", tiny("more")).await.refused(409, "solutions-limit");
    let mut form = tiny("more");
    form["account"] = json!("ours");
    house.break_glass().await;
    house.staff("POST", "/v1/solutions", form).await.refused(409, "solutions-limit");
    house.send(house.request(&house.other, "POST", "/v1/solutions", Some(&tiny("more")))).await.is(201);
    house.running.stop().await;
}

#[tokio::test]
async fn limits_of_an_account_are_the_operators_to_set() {
    let house = House::with(|config| {
        let limits = &mut config.limits;
        // The house's own token is one of them.
        limits.tokens_per_account_max = 2;
        limits.webhooks_per_account_max = 1;
        limits.networks_per_account_max = 1;
        limits.snapshots_per_solution_max = 1;
    })
    .await;
    house.create("shop", json!({})).await;
    for (path, form, made, code, counted) in [
        ("/v1/tokens", json!({ "label": "x" }), 201, "too-many-tokens", ["2 tokens", "2 tokens"]),
        (
            "/v1/webhooks",
            json!({ "label": "x", "url": "https://a.example/" }),
            201,
            "too-many-webhooks",
            ["1 webhooks", "1 webhooks"],
        ),
        (
            "/v1/networks",
            json!({ "name": "x", "range": "10.20.0.0/24" }),
            201,
            "too-many-networks",
            ["1 networks", "1 networks"],
        ),
        ("/v1/solutions/shop/snapshots", json!({}), 202, "too-many-snapshots", ["1 snapshots", "1 snapshots"]),
    ] {
        house.call("POST", path, form.clone()).await.is(made);
        let refusal = house.call("POST", path, form).await.refused(409, code)["refusal"].clone();
        assert_eq!([&refusal["measured"], &refusal["limit"]], [&json!(counted[0]), &json!(counted[1])], "{path}");
    }
    house.running.stop().await;
}

#[tokio::test]
async fn control_does_not_start_with_a_limit_that_nobody_could_live_with() {
    let mut config = crate::house::config(crate::cluster::database().await, &crate::cluster::folder());
    config.limits.connections_max = 0;
    let error = husorden_control::start(config, &crate::tiny::KINDS).await.err().unwrap().to_string();
    assert_eq!(error, "limits: connections_max is 0; it must be 16 to 1000000");
}

#[tokio::test]
async fn a_refused_creation_uses_no_number() {
    let house = House::new().await;
    let first = house.create("first", json!({ "names": ["taken.example"] })).await["number"].as_u64().unwrap();
    for _ in 0..3 {
        house.call("POST", "/v1/solutions", tiny("first")).await.refused(409, "name-taken");
        let mut form = tiny("other");
        form["spec"] = json!({ "names": ["taken.example"] });
        house.call("POST", "/v1/solutions", form).await.refused(409, "claim-taken");
    }
    let second = house.create("second", json!({})).await;
    assert_eq!(second["number"].as_u64().unwrap(), first + 1);
    // Many at once: no number twice, none left out.
    let (one, many) = (&house, (0..5).map(|n| format!("s{n}")));
    let made = futures_util::future::join_all(many.map(async |name| one.create(&name, json!({})).await)).await;
    let mut numbers: Vec<u64> = made.iter().map(|solution| solution["number"].as_u64().unwrap()).collect();
    numbers.sort_unstable();
    assert_eq!(numbers, (first + 2..first + 7).collect::<Vec<_>>());

    // The number is the database's to give, not the writer's to choose.
    let mut tenant = connect(&house.config.database, Role::Tenant).await;
    let sql = "insert into solution (id, number, account, node, name, kind, aim, spec) values (gen_random_uuid(), 99, gen_random_uuid(), 'local', 'x', 'tiny', 'run', '{}')";
    let error = sqlx::raw_sql(sql).execute(&mut tenant).await.expect_err("refused").to_string();
    assert!(error.contains("permission denied"), "{error}");

    let mut owner = connect(&house.config.database, Role::Owner).await;
    sqlx::raw_sql("update platform set last_number = 4194302").execute(&mut owner).await.unwrap();
    house.call("POST", "/v1/solutions", tiny("beyond")).await.refused(507, "numbers-spent");
    house.running.stop().await;
}

#[tokio::test]
async fn a_deletion_is_undone_in_time_or_not_at_all() {
    let house = House::new().await;
    house.create("shop", json!({})).await;
    house.call("DELETE", "/v1/solutions/shop", Value::Null).await.is(200);
    house.call("POST", "/v1/solutions/shop/undo", Value::Null).await.is(200);
    house.call("DELETE", "/v1/solutions/shop", Value::Null).await.is(200);
    let mut owner = connect(&house.config.database, Role::Owner).await;
    sqlx::raw_sql("update solution set retain_until = now() - interval '1 second'").execute(&mut owner).await.unwrap();
    let said = house.call("POST", "/v1/solutions/shop/undo", Value::Null).await.refused(409, "undo-too-late");
    assert!(said["refusal"]["since"].is_string());
    assert_eq!(house.get("/v1/solutions/shop").await["aim"], "gone");
    house.running.stop().await;
}

#[tokio::test]
async fn what_a_failed_look_does_not_list_is_not_gone() {
    let house = House::new().await;
    let (mut node, _) = Node::hello(&house.config.node_socket).await;
    house.create("shop", json!({})).await;
    let wish = node.wish().await;
    let mut old = snapshot(SnapshotId::new());
    old.taken = Timestamp::now() - SignedDuration::from_hours(1);
    node.seen(&wish, SeenState::Settled, |seen| {
        seen.snapshots = vec![old.clone()];
        seen.marks.insert("app".to_owned(), "some".to_owned());
        seen.services.insert("web".to_owned(), "running".to_owned());
    })
    .await;
    let mut owner = connect(&house.config.database, Role::Owner).await;
    let mut kept = async || -> Value {
        let sql = "select seen from solution";
        sqlx::query_scalar::<_, sqlx::types::Json<Value>>(sql).fetch_one(&mut owner).await.unwrap().0
    };
    let before = kept().await;
    let blind = |seen: &mut husorden_wire::node::Seen| (seen.looked, seen.usage) = (false, None);
    node.seen(&wish, SeenState::Trouble, blind).await;
    node.seen(&wish, SeenState::Trouble, blind).await;
    let after = kept().await;
    for member in ["usage", "snapshots", "marks", "services"] {
        assert!(!before[member].is_null());
        assert_eq!(after[member], before[member], "{member}");
    }
    assert_eq!((&after["state"], &after["looked"]), (&json!("trouble"), &json!(false)));
    let list = house.get("/v1/solutions/shop/snapshots").await;
    assert_eq!((&list["items"][0]["id"], &list["items"][0]["state"]), (&json!(old.id), &json!("ready")));
    // The volume is still believed in, so a destructive change is preceded by a snapshot.
    house.call("PATCH", "/v1/solutions/shop", json!({ "spec": { "engine": "two" } })).await.is(200);
    let (_, verb) = node.verb().await;
    assert!(matches!(verb, Verb::Snapshot { .. }), "{verb:?}");
    // What a look that went well does not list is gone.
    node.seen(&wish, SeenState::Settled, |seen| seen.usage = None).await;
    let now = kept().await;
    assert_eq!((&now["usage"], &now["marks"], &now["services"]), (&Value::Null, &json!({}), &json!({})));
    let list = house.get("/v1/solutions/shop/snapshots").await.to_string();
    assert!(!list.contains(&old.id.to_string()), "{list}");
    house.running.stop().await;
}

#[tokio::test]
async fn nothing_is_buried_on_a_failed_look() {
    let house = House::with(|config| config.retention_days = 0).await;
    let (mut node, _) = Node::hello(&house.config.node_socket).await;
    house.create("shop", json!({})).await;
    let wish = node.wish().await;
    node.seen(&wish, SeenState::Settled, |seen| seen.usage = None).await;
    house.call("DELETE", "/v1/solutions/shop", Value::Null).await.is(200);
    let gone = node.wish().await;
    assert_eq!(gone.aim, Aim::Gone);
    node.seen(&gone, SeenState::Settled, |seen| (seen.looked, seen.usage) = (false, None)).await;
    assert_eq!(house.get("/v1/solutions/shop").await["aim"], "gone");
    node.seen(&gone, SeenState::Settled, |seen| seen.usage = None).await;
    house.call("GET", "/v1/solutions/shop", Value::Null).await.refused(404, "not-found");
    house.running.stop().await;
}
