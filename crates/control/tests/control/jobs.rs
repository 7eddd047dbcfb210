//! The outbox of jobs: leases, and what is done twice.

use crate::cluster::{connect, database};
use crate::house::House;
use crate::node::{Node, until};
use husorden_control::doors::Role;
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};
use uuid::Uuid;

#[tokio::test]
async fn a_worker_that_dies_loses_its_lease_and_nothing_else() {
    let database = database().await;
    let mut owner = connect(&database, Role::Owner).await;
    sqlx::raw_sql("delete from job; insert into job (kind) values ('one'), ('two')").execute(&mut owner).await.unwrap();
    let mut system = connect(&database, Role::System).await;
    let (dead, living) = (Uuid::now_v7(), Uuid::now_v7());
    let mut claim = async |worker: Uuid| -> Vec<Value> {
        let rows: Vec<sqlx::types::Json<Value>> = sqlx::query_scalar("select j from job_claim($1, 60, 10) j")
            .bind(worker)
            .fetch_all(&mut system)
            .await
            .unwrap();
        rows.into_iter().map(|row| row.0).collect()
    };
    assert_eq!(claim(dead).await.len(), 2);
    assert!(claim(living).await.is_empty(), "what is leased is nobody else's");
    sqlx::raw_sql("update job set lease_until = now() - interval '1 second' where kind = 'one'")
        .execute(&mut owner)
        .await
        .unwrap();
    let again = claim(living).await;
    assert_eq!((again.len(), &again[0]["kind"], &again[0]["attempts"]), (1, &json!("one"), &json!(2)));
    let id = again[0]["id"].as_i64().unwrap();
    let mut done = async |worker: Uuid| -> bool {
        sqlx::query_scalar("select job_done($1, $2)").bind(id).bind(worker).fetch_one(&mut system).await.unwrap()
    };
    assert!(!done(dead).await, "the dead one's outcome does not count");
    assert!(done(living).await);
}

#[tokio::test]
async fn a_measure_ends_by_itself() {
    let house = House::new().await;
    let (mut node, _) = Node::hello(&house.config.node_socket).await;
    let solution = house.create("shop", json!({})).await;
    let ends = Timestamp::now() + SignedDuration::from_secs(5);
    house.decide(json!({ "of": "solution", "id": solution["id"] }), json!({ "ends": ends })).await;
    let first = node.measure().await;
    assert!(first.ends.is_some() && first.lifted.is_none());
    let second = node.measure().await;
    assert!(second.lifted.is_some() && second.revision > first.revision);
    let kinds = until("it is told", async || {
        let events = house.get("/v1/events").await.to_string();
        events.contains("measure.ended").then_some(events)
    })
    .await;
    assert!(kinds.contains("measure.decided"));
    house.running.stop().await;
}
