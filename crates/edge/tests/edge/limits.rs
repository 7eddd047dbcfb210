//! Limits and time-outs, and the way the edge stops.

use crate::house::{House, PATIENCE, nothing, read_to_end, request, soon, talk, whole};
use crate::program::Program;
use bytes::Bytes;
use http_body_util::{BodyExt as _, StreamBody};
use hyper::body::Frame;
use std::time::Duration;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

#[tokio::test]
async fn clients_that_dawdle_are_cut_off() {
    let mut house = House::start_with(|config| {
        config.limits.header_ms_max = 300;
        config.limits.handshake_ms_max = 1_500;
        config.limits.keep_alive_ms_max = 1_500;
        config.limits.body_idle_ms_max = 300;
        config.limits.write_stall_ms_max = 300;
    })
    .await;
    let socket = house.path("php.sock");
    let _program = Program::start(&socket);
    let site = house.php_site(1, "slow.example", &socket);
    std::fs::File::create(site.root.join("large.bin")).unwrap().set_len(64 << 20).unwrap();
    house.node.table(&[site]).await;

    // A header that never ends, however busily it is sent; an idle connection; a handshake that does not begin.
    let mut dribbling = house.tls("slow.example", "http/1.1").await;
    dribbling.write_all(b"GET / HTTP/1.1\r\nHost: slow.example\r\n").await.unwrap();
    soon("the slow header is cut", async {
        loop {
            if dribbling.write_all(b"X-A: b\r\n").await.is_err() {
                return;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    })
    .await;
    assert_eq!(talk(house.tls("slow.example", "http/1.1").await, b"").await, "");
    let mut mute = TcpStream::connect(house.https).await.unwrap();
    assert_eq!(soon("the mute one is cut", mute.read(&mut [0])).await.unwrap_or(0), 0);

    // A body that stops, before the program is asked and while it streams there.
    for length in [10, 1_000_000] {
        let stopped = format!("POST /form HTTP/1.1\r\nHost: slow.example\r\nContent-Length: {length}\r\n\r\nabc");
        let answer = talk(house.tls("slow.example", "http/1.1").await, stopped.as_bytes()).await;
        assert!(answer.starts_with("HTTP/1.1 408 "), "{length}: {answer}");
    }

    // A reader that stops, on either protocol.
    for h2 in [false, true] {
        let mut client = if h2 { house.client_h2("slow.example").await } else { house.client("slow.example").await };
        let answer = client.open(request("GET", "/large.bin", &[], nothing())).await.unwrap();
        // Read again only once the edge has given it up, which is when it logs it.
        let version = if h2 { "HTTP/2.0" } else { "HTTP/1.1" };
        house.log_with("1/access.log", &format!("GET /large.bin {version}")).await;
        let (bytes, whole) = read_to_end(answer.into_body()).await;
        assert!(!whole, "{bytes} bytes, whole, on HTTP/2: {h2}");
    }
}

#[tokio::test]
async fn what_is_too_large_is_refused_by_name() {
    let mut house = House::start().await;
    let socket = house.path("php.sock");
    let _program = Program::start(&socket);
    let mut site = house.php_site(1, "big.example", &socket);
    site.body_bytes_max = 1_000;
    house.node.table(&[site]).await;
    let mut h1 = house.client("big.example").await;
    let mut h2 = house.client_h2("big.example").await;
    let long = format!("/{}", "a".repeat(9_000));
    assert_eq!(h1.get(&long).await.status, 414);
    assert_eq!(h2.get(&long).await.status, 414);
    let large = "b".repeat(40_000);
    assert_eq!(house.client("big.example").await.get_with("/", &[("x-large", &large)]).await.status, 431);
    assert_eq!(house.client_h2("big.example").await.get_with("/", &[("x-large", &large)]).await.status, 431);
    // Beyond what is read at all, too. Where it came so fast that it was read whole, the answer is the ordinary one, after which the
    // connection would stay.
    let head =
        format!("GET / HTTP/1.1\r\nHost: big.example\r\nConnection: close\r\nX: {}\r\n\r\n", "c".repeat(400_000));
    let mut stream = house.tls("big.example", "http/1.1").await;
    let _ = tokio::time::timeout(PATIENCE, stream.write_all(head.as_bytes())).await;
    let mut answer = Vec::new();
    let _ = soon("the end", stream.read_to_end(&mut answer)).await;
    assert!(answer.is_empty() || answer.starts_with(b"HTTP/1.1 431 "), "{}", String::from_utf8_lossy(&answer));

    assert_eq!(h1.send(request("POST", "/", &[], whole(vec![0; 1_000]))).await.status, 200);
    assert_eq!(
        house.client("big.example").await.send(request("POST", "/", &[], whole(vec![0; 1_001]))).await.status,
        413
    );
    for h2 in [false, true] {
        let mut client = if h2 { house.client_h2("big.example").await } else { house.client("big.example").await };
        let pieces = (0..20).map(|_| Ok::<_, std::io::Error>(Frame::data(Bytes::from_static(&[0; 100]))));
        let body = StreamBody::new(tokio_stream::iter(pieces.collect::<Vec<_>>())).boxed();
        assert_eq!(client.send(request("POST", "/", &[], body)).await.status, 413, "HTTP/2: {h2}");
    }
}

#[tokio::test]
async fn one_address_has_only_so_many_connections() {
    let mut house = House::start_with(|config| config.limits.connections_per_address_max = 2).await;
    let site = house.site(1, "few.example");
    std::fs::write(site.root.join("index.html"), "page").unwrap();
    house.node.table(&[site]).await;
    let mut first = house.client("few.example").await;
    let _second = house.client("few.example").await;
    let mut third = TcpStream::connect(house.https).await.unwrap();
    assert_eq!(soon("the third is closed", third.read(&mut [0])).await.unwrap_or(0), 0);
    assert_eq!(first.get("/").await.status, 200);
}

#[tokio::test]
async fn a_running_download_finishes_before_the_edge_stops() {
    let mut house = House::start().await;
    let site = house.site(1, "one.example");
    std::fs::File::create(site.root.join("large.bin")).unwrap().set_len(32 << 20).unwrap();
    house.node.table(&[site]).await;
    let mut idle = house.client("one.example").await;
    assert_eq!(idle.get("/none").await.status, 404);
    for h2 in [false, true] {
        let mut client = if h2 { house.client_h2("one.example").await } else { house.client("one.example").await };
        let answer = client.open(request("GET", "/large.bin", &[], nothing())).await.unwrap();
        if h2 {
            house.ask_to_stop();
            // New connections are refused while the running one goes on.
            soon("the listener closes", async {
                while TcpStream::connect(house.https).await.is_ok() {
                    tokio::time::sleep(Duration::from_millis(10)).await;
                }
            })
            .await;
        }
        let (bytes, whole) = read_to_end(answer.into_body()).await;
        assert_eq!((bytes, whole), (32 << 20, true), "HTTP/2: {h2}");
    }
    house.stop().await;
}
