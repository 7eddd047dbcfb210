//! Solutions made from others: what is told to the node, and what is refused.

use crate::house::House;
use crate::node::{Node, snapshot};
use husorden_wire::node::{SeenState, Verb, VerbState};
use serde_json::{Value, json};

#[tokio::test]
async fn a_copy_is_made_of_a_snapshot_that_is_chosen_or_taken_now() {
    let house = House::new().await;
    let (mut node, _) = Node::hello(&house.config.node_socket).await;
    house.create("shop", json!({ "names": ["old.example"], "engine": "two" })).await;
    let first = node.wish().await;
    assert_eq!(first.from, None);
    node.settled(&first).await;

    let form = |from: Value, name: &str, names: &[&str]| json!({ "kind": "tiny", "name": name, "from": from, "spec": { "names": names } });
    let from = json!({ "solution": "shop" });
    house.call("POST", "/v1/solutions", form(from.clone(), "twin", &["old.example"])).await.refused(409, "claim-taken");
    house
        .call("POST", "/v1/solutions", form(json!({ "solution": "nobody" }), "twin", &[]))
        .await
        .refused(422, "invalid-fields");
    let missing = json!({ "solution": "shop", "snapshot": uuid::Uuid::nil() });
    house.call("POST", "/v1/solutions", form(missing, "twin", &[])).await.refused(422, "invalid-fields");

    let made = house.call("POST", "/v1/solutions", form(from, "twin", &["new.example"])).await.is(201);
    assert_eq!(
        made["solution"]["spec"],
        json!({ "names": ["new.example"], "engine": "two" }),
        "the other's, with the form over it"
    );
    let (order, verb) = node.verb().await;
    let Verb::Snapshot { snapshot: taken, before: None, .. } = verb else { panic!("{verb:?}") };
    let second = node.wish().await;
    let origin = second.from.expect("it is told what to copy");
    assert_eq!((origin.solution, origin.number, origin.snapshot), (first.solution, first.number, taken));
    let generation = |wish: &husorden_wire::node::Wish| wish.credentials["admin"].generation;
    assert_eq!(generation(&second), generation(&first) + 1, "what was copied holds an older password");
    node.progress(order, VerbState::Done).await;
    node.seen(&first, SeenState::Settled, |seen| seen.snapshots = vec![snapshot(taken)]).await;
    node.settled(&second).await;

    // A snapshot that is there is used as it is.
    let chosen = json!({ "solution": "shop", "snapshot": taken });
    house.call("POST", "/v1/solutions", form(chosen, "third", &[])).await.is(201);
    assert_eq!(node.wish().await.from.expect("told").snapshot, taken);

    // What is closed is not carried on under another name; what is another account's is not found.
    house.decide(json!({ "of": "solution", "id": first.solution }), json!({})).await;
    house
        .call("POST", "/v1/solutions", form(json!({ "solution": "shop" }), "more", &[]))
        .await
        .refused(403, "solution-held");
    house.running.stop().await;
}
