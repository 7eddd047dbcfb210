//! Over real HTTP: streams of events, limits on the head, where control refuses to listen.

use crate::cluster;
use crate::house::{House, config};
use crate::tiny::KINDS;
use husorden_control::start;
use serde_json::json;
use std::time::Duration;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;

#[tokio::test]
async fn events_are_streamed_from_where_the_reader_was() {
    let house = House::new().await;
    house.create("before", json!({})).await;
    let mut stream = TcpStream::connect(house.running.address).await.unwrap();
    let head = format!(
        "GET /v1/events HTTP/1.1\r\nHost: control.test\r\nAuthorization: Bearer {}\r\nAccept: text/event-stream\r\nLast-Event-ID: 0\r\n\r\n",
        house.account
    );
    stream.write_all(head.as_bytes()).await.unwrap();
    let mut lines = BufReader::new(stream).lines();
    let mut next = async || loop {
        let line = tokio::time::timeout(Duration::from_secs(300), lines.next_line())
            .await
            .expect("an event")
            .unwrap()
            .expect("open");
        if let Some(data) = line.strip_prefix("data: ") {
            return serde_json::from_str::<serde_json::Value>(data).unwrap();
        }
    };
    let first = next().await;
    assert_eq!((&first["kind"], &first["message"]), (&json!("solution.created"), &json!("before was ordered")));
    house.create("after", json!({})).await;
    let second = next().await;
    assert_eq!(second["message"], "after was ordered");
    assert!(second["id"].as_u64() > first["id"].as_u64());
    house.running.stop().await;
}

#[tokio::test]
async fn a_head_beyond_the_limit_is_refused() {
    let house = House::new().await;
    let mut stream = TcpStream::connect(house.running.address).await.unwrap();
    let head = format!("GET /healthz HTTP/1.1\r\nHost: control.test\r\nX-Big: {}\r\n\r\n", "x".repeat(100 << 10));
    // Control may close while we still write.
    let _ = stream.write_all(head.as_bytes()).await;
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer).await;
    let answer = String::from_utf8_lossy(&answer);
    assert!(answer.is_empty() || answer.starts_with("HTTP/1.1 431"), "{answer}");
    house.running.stop().await;
}

#[tokio::test]
async fn control_does_not_listen_in_the_open() {
    let folder = cluster::folder();
    let mut config = config(cluster::database().await, &folder);
    config.listen = "0.0.0.0:0".parse().unwrap();
    let error = start(config, &KINDS).await.expect_err("it is refused");
    assert!(error.to_string().contains("behind_tls_proxy"), "{error}");
}

#[tokio::test]
async fn a_socket_left_by_a_dead_control_is_replaced_and_a_living_one_is_not() {
    let house = House::new().await;
    let mut second = house.config.clone();
    second.listen = "127.0.0.1:0".parse().unwrap();
    let error = start(second.clone(), &KINDS).await.expect_err("somebody listens");
    assert!(error.to_string().contains("another control"), "{error}");
    house.running.stop().await;
    let left = std::os::unix::net::UnixListener::bind(&second.node_socket).unwrap();
    drop(left);
    start(second, &KINDS).await.expect("the dead one's socket is replaced").stop().await;
}
