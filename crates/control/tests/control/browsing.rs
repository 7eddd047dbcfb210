//! Looking into backups: folders, contents, changes and versions, by an order whose stream is given.

use crate::backups::{backup, failed, shop, target};
use crate::house::House;
use crate::node::Node;
use husorden_wire::node::{Reading, Verb, VerbState};
use serde_json::{Value, json};

#[tokio::test]
async fn a_backup_is_read_through_its_node_and_by_nobody_else() {
    let house = House::new().await;
    target(&house).await;
    let (mut node, _) = Node::hello(&house.config.node_socket).await;
    let wish = shop(&house, &mut node, json!({})).await;
    let older = backup(&house, &mut node, "c1").await;
    let newer = backup(&house, &mut node, "c2").await;
    let socket = house.config.node_socket.clone();
    let base = format!("/v1/solutions/shop/backups/{newer}");

    // What is asked goes to the node, and what it hands out comes back.
    let read = async |node: &mut Node, path: &str, bytes: &[u8], end: VerbState| {
        let asked = house.send(house.request(&house.account, "GET", path, None));
        let told = async {
            let (order, what) = loop {
                if let (order, Verb::BackupRead { what, .. }) = node.verb().await {
                    break (order, what);
                }
            };
            Node::give(&socket, order, bytes).await;
            node.progress(order, end).await;
            what
        };
        tokio::join!(asked, told)
    };
    let lines = concat!(
        r#"{"name":"b.txt","is":"file","bytes":7,"modified":"2026-01-01T00:00:00Z","mode":420}"#,
        "\n",
        r#"{"name":"zoo","is":"folder","bytes":0,"modified":"2026-01-01T00:00:00Z","mode":493}"#,
        "\n",
    );
    let (said, what) =
        read(&mut node, &format!("{base}/files?path=files%2Fa%20b"), lines.as_bytes(), VerbState::done()).await;
    assert_eq!(what, Reading::Folder { path: "files/a b".to_owned() });
    let folder = said.is(200);
    let names: Vec<_> = folder["entries"].as_array().unwrap().iter().map(|e| (&e["name"], &e["kind"])).collect();
    assert_eq!(names, [(&json!("zoo"), &json!("folder")), (&json!("b.txt"), &json!("file"))], "folders first");
    assert_eq!(folder["more"], false);

    let changes = concat!(
        r#"{"path":"files/x.php","is":"file","change":"content","before":10,"after":99}"#,
        "\n",
        r#"{"path":"files/a.php","is":"file","change":"added","before":0,"after":5}"#,
        "\n",
    );
    let (said, what) =
        read(&mut node, &format!("{base}/changes?since={older}&path=files"), changes.as_bytes(), VerbState::done())
            .await;
    assert_eq!(what, Reading::Since { copy: "c1".to_owned(), path: "files".to_owned() });
    let changed = said.is(200)["changes"].clone();
    assert_eq!(
        (&changed[0]["path"], &changed[1]["change"], &changed[1]["bytes_before"]),
        (&json!("files/a.php"), &json!("changed"), &json!(10))
    );
    for since in [newer.clone(), uuid::Uuid::nil().to_string(), "x".to_owned()] {
        house.call("GET", &format!("{base}/changes?since={since}"), Value::Null).await.refused(422, "invalid-fields");
    }

    let asked = house.request(&house.account, "GET", &format!("{base}/content?path=files/%C3%A6%22.txt"), None);
    let told = async {
        let (order, verb) = node.verb().await;
        Node::give(&socket, order, b"bytes of ours").await;
        node.progress(order, VerbState::done()).await;
        verb
    };
    let (response, _) = tokio::join!(tower::ServiceExt::oneshot(house.router.clone(), asked), told);
    let (parts, body) = response.unwrap().into_parts();
    let bytes = axum::body::to_bytes(body, 1 << 20).await.unwrap();
    assert_eq!((parts.status.as_u16(), &bytes[..]), (200, &b"bytes of ours"[..]));
    assert_eq!(parts.headers["content-disposition"], "attachment; filename*=UTF-8''%C3%A6%22.txt");
    assert_eq!(parts.headers["cache-control"], "no-store");

    // What the node refuses is refused, also when it had begun to hand out; garbage is nobody's folder.
    let (said, _) = read(&mut node, &format!("{base}/files?path=nothing"), b"", failed("no-such-path", 404)).await;
    said.refused(404, "no-such-path");
    let (said, _) = read(&mut node, &format!("{base}/content?path=nothing"), b"", failed("no-such-path", 404)).await;
    said.refused(404, "no-such-path");
    let (said, _) = read(&mut node, &format!("{base}/files"), b"no JSON\n", VerbState::done()).await;
    assert_eq!(said.status.as_u16(), 500);
    let many: String = (0..10_001)
        .map(|n| {
            format!(
                "{{\"name\":\"{n}\",\"is\":\"file\",\"bytes\":1,\"modified\":\"2026-01-01T00:00:00Z\",\"mode\":420}}\n"
            )
        })
        .collect();
    let (said, _) = read(&mut node, &format!("{base}/files"), many.as_bytes(), VerbState::done()).await;
    let folder = said.is(200);
    assert_eq!((folder["entries"].as_array().unwrap().len(), &folder["more"]), (10_000, &json!(true)));

    let long = "a/".repeat(2049);
    for path in ["..", "/etc", "a/../b", "a//b", "a%00", "%FF%FE", "a%2F..", long.as_str()] {
        for what in ["files?", "content?"] {
            house.call("GET", &format!("{base}/{what}path={path}"), Value::Null).await.refused(422, "invalid-fields");
        }
        house
            .call("GET", &format!("/v1/solutions/shop/versions?path={path}"), Value::Null)
            .await
            .refused(422, "invalid-fields");
    }
    house.call("GET", &format!("{base}/content"), Value::Null).await.refused(422, "invalid-fields");
    house.call("GET", &format!("{base}/content?path=a&as=disk"), Value::Null).await.refused(422, "invalid-fields");

    // Nobody else: another account finds nothing, staff need a grant, a token that only reads reads no contents.
    let other = async |path: &str| house.send(house.request(&house.other, "GET", path, None)).await;
    for path in [
        base.clone(),
        format!("{base}/files"),
        format!("{base}/content?path=a"),
        "/v1/solutions/shop/proofs".to_owned(),
    ] {
        other(&path).await.refused(404, "not-found");
    }
    house.staff("GET", &format!("{base}/files"), Value::Null).await.refused(403, "grant-needed");
    house.staff("GET", &base, Value::Null).await.is(200);
    let reader = house.call("POST", "/v1/tokens", json!({ "label": "reader" })).await.is(201);
    let reader = reader["token"].as_str().unwrap().to_owned();
    house.send(house.request(&reader, "GET", &base, None)).await.is(200);
    house.send(house.request(&reader, "GET", &format!("{base}/files"), None)).await.refused(403, "capability-missing");

    // A measure closes it, unless it leaves that data is taken out.
    let held = house.decide(json!({ "of": "solution", "id": wish.solution }), json!({})).await;
    house.call("GET", &format!("{base}/files"), Value::Null).await.refused(403, "solution-held");
    let lift = format!("/v1/measures/{}/lift", held["id"].as_str().unwrap());
    house.staff("POST", &lift, json!({ "reasons": "It was found to be in order." })).await.is(200);
    house.decide(json!({ "of": "solution", "id": wish.solution }), json!({ "access": "data-out" })).await;
    let (said, _) = read(&mut node, &format!("{base}/files"), lines.as_bytes(), VerbState::done()).await;
    said.is(200);
    house.call("POST", &format!("{base}/restore"), json!({ "only": "everything" })).await.refused(403, "solution-held");

    // Who reads folder by folder is in the evidence, and fills nobody's news.
    assert!(house.count("select from evidence where act = 'order.backup-read'").await >= 6);
    let news = "select from event where data->>'verb' = 'backup-read'";
    assert_eq!(house.count(news).await, 0);
    house.running.stop().await;
}

#[tokio::test]
async fn versions_of_a_file_are_those_of_the_backups_that_hold_it() {
    let house = House::new().await;
    target(&house).await;
    let (mut node, _) = Node::hello(&house.config.node_socket).await;
    shop(&house, &mut node, json!({})).await;
    for copy in ["c1", "c2"] {
        backup(&house, &mut node, copy).await;
    }
    let newest = backup(&house, &mut node, "c3").await;
    let line = |bytes: u64| {
        format!(
            "{{\"name\":\"x.php\",\"is\":\"file\",\"bytes\":{bytes},\"modified\":\"2026-01-01T00:00:00Z\",\"mode\":420}}\n"
        )
    };
    let asked = house.call("GET", "/v1/solutions/shop/versions?path=files/x.php", Value::Null);
    let told = async {
        // Newest first; in the oldest there was no such folder.
        for (bytes, end) in
            [(line(9), VerbState::done()), (line(9), VerbState::done()), (String::new(), failed("no-such-path", 404))]
        {
            let order = loop {
                if let (order, Verb::BackupRead { what, .. }) = node.verb().await {
                    assert_eq!(what, Reading::Folder { path: "files".to_owned() });
                    break order;
                }
            };
            Node::give(&house.config.node_socket, order, bytes.as_bytes()).await;
            node.progress(order, end).await;
        }
    };
    let (said, ()) = tokio::join!(asked, told);
    let said = said.is(200);
    let versions: Vec<_> = said["items"].as_array().unwrap().iter().map(|one| (&one["bytes"], &one["same"])).collect();
    assert_eq!(versions, [(&json!(9), &json!(true)), (&json!(9), &json!(false))]);

    // As long as the deletion can be undone, its backups are looked into; nothing is put back into what is not there.
    house.call("DELETE", "/v1/solutions/shop", Value::Null).await.is(200);
    let path = format!("/v1/solutions/shop/backups/{newest}/files?path=files");
    let asked = house.send(house.request(&house.account, "GET", &path, None));
    let told = async {
        let order = loop {
            if let (order, Verb::BackupRead { .. }) = node.verb().await {
                break order;
            }
        };
        Node::give(&house.config.node_socket, order, line(9).as_bytes()).await;
        node.progress(order, VerbState::done()).await;
    };
    let (said, ()) = tokio::join!(asked, told);
    assert_eq!(said.is(200)["entries"][0]["name"], "x.php");
    let restore = format!("/v1/solutions/shop/backups/{newest}/restore");
    house.call("POST", &restore, json!({ "only": "everything" })).await.refused(409, "is-deleted");
    house.running.stop().await;
}
