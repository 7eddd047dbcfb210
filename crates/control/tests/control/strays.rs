//! What a node holds and control does not know of: told to staff, and taken over into the account that it is of.

use crate::house::{House, Said};
use crate::node::{Node, until};
use husorden_base::{AccountId, SolutionId};
use husorden_kinds::Aim;
use husorden_wire::node::{FromNode, Question, Stray, ToNode, Wish};
use serde_json::{Value, json};
use std::collections::BTreeMap;

fn wish(account: AccountId, number: u32, name: &str, spec: Value) -> Wish {
    Wish {
        solution: SolutionId::new(),
        number: husorden_base::Number::new(number).expect("a number"),
        account,
        name: name.parse().expect("a name"),
        kind: "tiny".to_owned(),
        aim: Aim::Run,
        spec,
        credentials: BTreeMap::new(),
        networks: Vec::new(),
        from: None,
        public: husorden_kinds::Public::default(),
        rules: Vec::new(),
        mail_out: None,
        from_backup: None,
        retain_until: None,
        released: None,
        epoch: 1,
        generation: 5,
    }
}

async fn told(node: &mut Node, wishes: &[&Wish]) {
    let unwished = wishes.iter().map(|wish| Stray {
        solution: wish.solution,
        number: wish.number,
        account: wish.account,
        name: wish.name.to_string(),
        kind: wish.kind.clone(),
    });
    node.health(|health| health.unwished = unwished.collect()).await;
}

/// Staff take it over, and the node says what it is asked.
async fn take(house: &House, node: &mut Node, wish: &Wish, form: Value) -> Said {
    let path = format!("/v1/strays/{}/take", wish.solution);
    let answers = async {
        loop {
            if let ToNode::Ask { question, solution, about } = node.next().await {
                assert_eq!((solution, about), (wish.solution, Question::Wish));
                let text = Some(serde_json::to_string(wish).expect("plain data"));
                return node.say(&FromNode::Answer { question, text }).await;
            }
        }
    };
    tokio::join!(house.staff("POST", &path, form), answers).0
}

#[tokio::test]
async fn what_only_a_node_knows_is_taken_over_with_its_number_and_its_names() {
    let house = House::new().await;
    let (mut node, _) = Node::hello(&house.config.node_socket).await;
    let names = |name: &str| json!({ "names": [name] });
    let held = house.create("shop", names("held.example")).await;
    let first = wish(house.ours, 4000, "late", names("late.example"));
    let same = wish(house.ours, 4001, "shop", names("other.example"));
    let taken = wish(house.ours, 4002, "third", names("held.example"));
    let strange = wish(AccountId::new(), 4003, "strange", json!({}));
    told(&mut node, &[&first, &same, &taken, &strange]).await;
    let listed = async || house.staff("GET", "/v1/strays", Value::Null).await.is(200)["items"].clone();
    let items = until("they are told", async || Some(listed().await).filter(|all| all[3].is_object())).await;
    assert_eq!(
        (&items[0]["name"], &items[0]["number"], &items[0]["node"]),
        (&json!("late"), &json!(4000), &json!("local"))
    );
    assert!(items[0]["account_name"].is_string() && items[3]["account_name"].is_null(), "{items}");
    house.call("GET", "/v1/strays", Value::Null).await.is(403);

    let path = |wish: &Wish| format!("/v1/strays/{}/take", wish.solution);
    house.staff("POST", &path(&strange), json!({})).await.refused(409, "no-account");
    house.staff("POST", &path(&first), json!({ "name": "Not A Name" })).await.refused(422, "invalid-fields");
    let nothing = format!("/v1/strays/{}/take", SolutionId::new());
    house.staff("POST", &nothing, json!({})).await.refused(404, "not-found");

    let shown = take(&house, &mut node, &first, json!({})).await.is(200);
    assert_eq!(
        (&shown["id"], &shown["number"], &shown["name"]),
        (&json!(first.solution), &json!(4000), &json!("late"))
    );
    // The node hears of it as of any wish, newer than the one it holds.
    let heard = loop {
        let heard = node.wish().await;
        if heard.solution == first.solution {
            break heard;
        }
    };
    assert!(heard.generation > first.generation && heard.number == first.number, "{heard:?}");
    node.settled(&heard).await;
    assert_eq!(house.get("/v1/solutions/late").await["state"], "running");
    // A name that is another's is refused at its field, and nothing is half done.
    let refused = take(&house, &mut node, &taken, json!({})).await.refused(409, "claim-taken");
    assert_eq!(house.call("GET", "/v1/solutions/third", Value::Null).await.status.as_u16(), 404, "{refused}");
    take(&house, &mut node, &same, json!({})).await.refused(409, "name-taken");
    take(&house, &mut node, &same, json!({ "name": "shop-2" })).await.is(200);
    assert_eq!(listed().await.as_array().map(Vec::len), Some(2));
    house.staff("POST", &path(&first), json!({})).await.refused(404, "not-found");

    // No number is given twice, the customer is told, and it has what a new one has.
    let next = house.create("next", json!({})).await;
    assert!(next["number"].as_u64() > Some(4001) && held["number"].as_u64() < Some(4000), "{next}");
    assert_eq!(house.count("select from event where kind = 'solution.taken-over'").await, 2);
    assert_eq!(house.count("select from evidence where act = 'solution.take-over' and account is not null").await, 2);
    assert!(house.exists(&format!("select from backup_plan where solution = '{}'", first.solution)).await);
    house.running.stop().await;
}

#[tokio::test]
async fn a_node_that_does_not_answer_changes_nothing() {
    let house = House::new().await;
    let (mut node, _) = Node::hello(&house.config.node_socket).await;
    let stray = wish(house.ours, 4000, "late", json!({}));
    told(&mut node, &[&stray]).await;
    let path = format!("/v1/strays/{}/take", stray.solution);
    let refused = async || house.staff("POST", &path, json!({})).await;
    let said = until("it is told", async || Some(refused().await).filter(|said| said.status.as_u16() != 404)).await;
    said.refused(503, "node-silent");
    // What it says of another account's solution is not believed.
    let other = Wish { account: AccountId::new(), ..stray.clone() };
    take(&house, &mut node, &other, json!({})).await.refused(503, "node-silent");
    assert_eq!(house.count("select from solution").await, 0);
    house.running.stop().await;
}
