//! The table's way: from the node, to disk, and back without the node.

use crate::house::{House, Node};
use husorden_base::site::{FromEdge, ToEdge};

#[tokio::test]
async fn older_tables_are_refused_and_gaps_are_asked_about() {
    let mut house = House::start().await;
    let site = house.site(1, "one.example");
    std::fs::write(site.root.join("index.html"), "page").unwrap();
    house.node.generation = 8;
    house.node.table(std::slice::from_ref(&site)).await;

    house.node.say(&ToEdge::Table { generation: 9, sites: Vec::new() }).await;
    house.node.applied(9).await;
    house.node.say(&ToEdge::Table { generation: 10, sites: vec![site.clone()] }).await;
    house.node.applied(10).await;
    let mut client = house.client("one.example").await;
    for message in
        [ToEdge::Table { generation: 8, sites: Vec::new() }, ToEdge::Drop { generation: 12, solution: site.solution }]
    {
        house.node.say(&message).await;
        loop {
            match house.node.next().await {
                FromEdge::Behind { generation } => break assert_eq!(generation, 10),
                FromEdge::Counts { .. } => {}
                other => panic!("expected Behind, got {other:?}"),
            }
        }
        assert_eq!(client.get("/").await.status, 200, "{message:?}");
    }
    house.node.say(&ToEdge::Drop { generation: 11, solution: site.solution }).await;
    house.node.applied(11).await;
    assert_eq!(house.client("one.example").await.get("/").await.status, 404);
}

#[tokio::test]
async fn an_edge_without_its_node_serves_what_it_was_last_told() {
    let mut house = House::start().await;
    let sites: Vec<_> = (1..=3).map(|n| house.site(n, &format!("s{n}.example"))).collect();
    for site in &sites {
        std::fs::write(site.root.join("index.html"), "page").unwrap();
    }
    house.node.table(&sites[..2]).await;
    house.node.set(&sites[2]).await;
    // The node goes away while the edge runs, then the edge is started without one.
    house.node = Node::dead();
    assert_eq!(house.client("s1.example").await.get("/").await.status, 200);
    let directory = house.stop().await;
    let house = House::start_in(directory, Node::dead(), |_| ()).await;
    for n in 1..=3 {
        assert_eq!(house.client(&format!("s{n}.example")).await.get("/").await.text(), "page");
    }

    // When the node is back, it hears what the edge holds and goes on from there.
    let directory = house.stop().await;
    let node = Node::listen(&directory.path().join("node.sock"));
    let mut house = House::start_in(directory, node, |_| ()).await;
    assert_eq!(house.node.hello().await, 2);
    house.node.generation = 2;
    house.node.set(&sites[0]).await;
    drop(std::mem::replace(&mut house.node, Node::dead()));
    let mut node = Node::listen(&house.path("node.sock"));
    assert_eq!(node.hello().await, 3, "the edge comes back by itself");
}

#[tokio::test]
async fn ten_thousand_sites_are_one_look_up_away() {
    let mut house = House::start().await;
    let mut first = house.site(1, "s1.example");
    std::fs::write(first.root.join("index.html"), "page").unwrap();
    let sites: Vec<_> = (1..=10_000)
        .map(|n| {
            let mut site = first.clone();
            site.solution = husorden_base::SolutionId::new();
            site.number = husorden_base::Number::new(n).unwrap();
            site.domains = vec![format!("s{n}.example").parse().unwrap()];
            site
        })
        .collect();
    house.node.table(&sites).await;
    assert_eq!(house.client("s10000.example").await.get("/").await.text(), "page");
    first = sites[4999].clone();
    first.standing = husorden_base::site::Standing::Stopped;
    house.node.set(&first).await;
    assert_eq!(house.client("s5000.example").await.get("/").await.status, 503);
    assert_eq!(house.client("s4999.example").await.get("/").await.status, 200);

    let directory = house.stop().await;
    let house = House::start_in(directory, Node::dead(), |_| ()).await;
    assert_eq!(house.client("s5000.example").await.get("/").await.status, 503);
    assert_eq!(house.client("s10000.example").await.get("/").await.text(), "page");
}
