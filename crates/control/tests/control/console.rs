//! A console through control: a real WebSocket on the one side and the node's own connection on the other. Who is let in, what ends it, and
//! what is written down.

use crate::house::House;
use crate::node::{Node, until};
use husorden_wire::node::{FromNode, NoScreen, Question, ToNode};
use serde_json::{Value, json};
use std::time::Duration;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpStream, UnixStream};

/// The longest wait for anything here.
const PATIENCE: Duration = Duration::from_secs(300);
/// What a screen says first, and a viewer answers.
const GREETING: &[u8] = b"RFB 003.008\n";

/// A visitor's end of a WebSocket (RFC 6455).
struct Socket(BufReader<TcpStream>);

impl Socket {
    /// Knocks; the status and, where it is refused, the refusal's code.
    async fn knock(house: &House, token: &str) -> (Self, u16, String) {
        let mut stream = TcpStream::connect(house.running.address).await.expect("the API listens");
        let head = format!(
            "GET /v1/solutions/db/console HTTP/1.1\r\nhost: api.test\r\nauthorization: Bearer {token}\r\nconnection: Upgrade\r\n\
             upgrade: websocket\r\nsec-websocket-version: 13\r\nsec-websocket-key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n"
        );
        stream.write_all(head.as_bytes()).await.expect("it is sent");
        let mut stream = BufReader::new(stream);
        let mut said = String::new();
        let mut length = 0;
        loop {
            let mut line = String::new();
            stream.read_line(&mut line).await.expect("an answer");
            if let Some(text) = line.to_ascii_lowercase().strip_prefix("content-length:") {
                length = text.trim().parse().expect("a length");
            }
            if line == "\r\n" {
                break;
            }
            said += &line;
        }
        let status = said.split(' ').nth(1).and_then(|text| text.parse().ok()).expect("a status");
        let mut body = vec![0; length];
        stream.read_exact(&mut body).await.expect("a body");
        let body: Value = serde_json::from_slice(&body).unwrap_or_default();
        (Self(stream), status, body["refusal"]["code"].as_str().unwrap_or_default().to_owned())
    }

    async fn say(&mut self, said: &[u8]) {
        // A mask of zeros leaves it as it is.
        let frame = [&[0x82, 0x80 | u8::try_from(said.len()).expect("short"), 0, 0, 0, 0], said].concat();
        self.0.get_mut().write_all(&frame).await.expect("it is sent");
    }

    /// The next message: its kind and what it holds.
    async fn hear(&mut self) -> (u8, Vec<u8>) {
        let read = async {
            let mut head = [0; 2];
            self.0.read_exact(&mut head).await.expect("a frame");
            let length = match head[1] {
                126 => self.0.read_u16().await.expect("a length").into(),
                127 => panic!("nothing here is that long"),
                short => usize::from(short),
            };
            let mut body = vec![0; length];
            self.0.read_exact(&mut body).await.expect("its body");
            (head[0] & 0x0f, body)
        };
        tokio::time::timeout(PATIENCE, read).await.expect("something is heard")
    }

    /// Waits for the end, and says why.
    async fn ended(&mut self) -> (u16, String) {
        loop {
            if let (8, body) = self.hear().await {
                return (u16::from_be_bytes([body[0], body[1]]), String::from_utf8_lossy(&body[2..]).into_owned());
            }
        }
    }
}

/// The node hands a screen out.
async fn attach(house: &House, node: &mut Node, wanted: Question) -> UnixStream {
    let question = loop {
        if let ToNode::Ask { question, about, .. } = node.next().await {
            assert_eq!(about, wanted);
            break question;
        }
    };
    let mut stream = UnixStream::connect(&house.config.node_socket).await.expect("control listens");
    let line = serde_json::to_string(&FromNode::Attach { node: "local".to_owned(), question }).expect("JSON");
    stream.write_all(format!("{line}\n").as_bytes()).await.expect("it is sent");
    stream
}

/// A console that stands: the visitor's end and the node's.
async fn open(house: &House, node: &mut Node, token: &str) -> (Socket, UnixStream) {
    let screen = async {
        let mut screen = attach(house, node, Question::Console).await;
        screen.write_all(GREETING).await.expect("it greets");
        screen
    };
    let ((mut socket, status, code), screen) = tokio::join!(Socket::knock(house, token), screen);
    assert_eq!((status, code.as_str()), (101, ""));
    assert_eq!(socket.hear().await, (2, GREETING.to_vec()));
    (socket, screen)
}

async fn lines(house: &House, act: &str) -> Vec<Value> {
    house.get(&format!("/v1/evidence?act={act}&limit=50")).await["items"].as_array().expect("lines").clone()
}

#[tokio::test]
async fn a_console_is_carried_both_ways_and_ends_with_what_opened_it() {
    let house = House::new().await;
    let (mut node, _) = Node::hello(&house.config.node_socket).await;
    house.create("shop", json!({})).await;
    let made = house.call("POST", "/v1/solutions", json!({ "kind": "gated", "name": "db" })).await.is(201);
    let id = made["solution"]["id"].clone();

    // Nobody, somebody else, who only reads, and what has no screen.
    assert_eq!(Socket::knock(&house, "").await.1, 401);
    assert_eq!(Socket::knock(&house, &house.other).await.1, 404);
    let reader =
        house.call("POST", "/v1/tokens", json!({ "label": "r", "scope": { "capabilities": ["read"] } })).await.is(201);
    let reader = reader["token"].as_str().expect("a token");
    let (_, status, code) = Socket::knock(&house, reader).await;
    assert_eq!((status, code.as_str()), (403, "capability-missing"));
    house.call("GET", "/v1/solutions/shop/console", Value::Null).await.refused(409, "no-console");
    house.call("GET", "/v1/solutions/db/console", Value::Null).await.refused(426, "no-websocket");
    assert_eq!(Socket::knock(&house, &house.staff).await.2, "grant-needed");
    assert!(lines(&house, "console.open").await.is_empty(), "nobody sat down");

    // What is said on one side is heard on the other, piece by piece.
    let writer = house
        .call("POST", "/v1/tokens", json!({ "label": "w", "scope": { "capabilities": ["read", "solution-change"] } }))
        .await
        .is(201);
    let (token, secret) = (writer["id"].as_str().expect("an id"), writer["token"].as_str().expect("a token"));
    let (mut socket, mut screen) = open(&house, &mut node, secret).await;
    socket.say(GREETING).await;
    socket.say(&[1, 1]).await;
    let mut heard = [0; 14];
    screen.read_exact(&mut heard).await.expect("it is heard");
    assert_eq!((&heard[..12], &heard[12..]), (GREETING, &[1, 1][..]));
    let pixels = vec![7; 9_000];
    screen.write_all(&pixels).await.expect("it is sent");
    let mut seen = Vec::new();
    while seen.len() < pixels.len() {
        let (kind, said) = socket.hear().await;
        assert_eq!(kind, 2);
        seen.extend(said);
    }
    assert_eq!(seen, pixels);
    let opened = lines(&house, "console.open").await;
    assert_eq!((opened.len(), &opened[0]["solution"], &opened[0]["before"]["from"]), (1, &id, &json!("127.0.0.1")));

    // It ends with the token that it was opened with; the node hears it too.
    house.call("DELETE", &format!("/v1/tokens/{token}"), Value::Null).await;
    assert_eq!(socket.ended().await, (4001, "logged-out".to_owned()));
    assert_eq!(screen.read(&mut heard).await.expect("an end"), 0);
    let closed = until("it is written down", async || {
        let lines = lines(&house, "console.close").await;
        (!lines.is_empty()).then_some(lines)
    })
    .await;
    assert_eq!(
        (&closed[0]["before"]["why"], &closed[0]["before"]["from"]),
        (&json!("logged-out"), &json!("127.0.0.1"))
    );
    assert_eq!(closed[0]["who"], format!("account:token:{token}"));

    // With the screen.
    let (mut socket, screen) = open(&house, &mut node, &house.account).await;
    drop(screen);
    assert_eq!(socket.ended().await, (4005, "off".to_owned()));

    // A measure that leaves it lets it go on, and one that cuts it ends it.
    let (mut socket, mut screen) = open(&house, &mut node, &house.account).await;
    let scope = json!({ "of": "solution", "id": id });
    let leaves = house.decide(scope.clone(), json!({ "access": "data-out" })).await;
    let (_other, _) = open(&house, &mut node, &house.account).await;
    screen.write_all(b"on").await.expect("it goes on");
    assert_eq!(socket.hear().await, (2, b"on".to_vec()));
    let lift = format!("/v1/measures/{}/lift", leaves["id"].as_str().expect("an id"));
    house.staff("POST", &lift, json!({ "reasons": "It was looked at and found to be in order." })).await.is(200);
    house.decide(scope, json!({})).await;
    assert_eq!(socket.ended().await, (4002, "held".to_owned()));
    assert_eq!(Socket::knock(&house, &house.account).await.2, "solution-held");
    house.running.stop().await;
}

#[tokio::test]
async fn a_picture_is_the_nodes_and_what_it_refuses_is_said() {
    let house = House::new().await;
    let (mut node, _) = Node::hello(&house.config.node_socket).await;
    house.call("POST", "/v1/solutions", json!({ "kind": "gated", "name": "db" })).await.is(201);
    let path = "/v1/solutions/db/screen";
    house.send(house.request(&house.other, "GET", path, None)).await.refused(404, "not-found");
    let picture = async {
        let mut screen = attach(&house, &mut node, Question::Screen).await;
        screen.write_all(b"\x89PNG and so on").await.expect("it is sent");
    };
    let (said, ()) = tokio::join!(house.call("GET", path, Value::Null), picture);
    assert_eq!(
        (said.status.as_u16(), &said.headers["content-type"]),
        (200, &http::HeaderValue::from_static("image/png"))
    );
    assert_eq!(said.headers["cache-control"], "no-store");
    for (why, status, code) in [
        (NoScreen::Off, 409, "console-off"),
        (NoScreen::Without, 409, "console-without"),
        (NoScreen::Busy, 429, "console-busy"),
        (NoScreen::Held, 403, "console-held"),
    ] {
        // Before it attaches, or after it found that there is nothing to be shown.
        for attaches in [false, true] {
            let answer = async {
                let question = loop {
                    if let ToNode::Ask { question, .. } = node.next().await {
                        break question;
                    }
                };
                if attaches {
                    let mut stream = UnixStream::connect(&house.config.node_socket).await.expect("control listens");
                    let line = FromNode::Attach { node: "local".to_owned(), question };
                    let line = serde_json::to_string(&line).expect("JSON");
                    stream.write_all(format!("{line}\n").as_bytes()).await.expect("it is sent");
                }
                node.say(&FromNode::Answer { question, text: Some(why.word().to_owned()) }).await;
            };
            let (said, ()) = tokio::join!(house.call("GET", path, Value::Null), answer);
            said.refused(status, code);
        }
    }
    assert!(lines(&house, "screen.read").await.is_empty(), "who may look any day is not written down");
    house.running.stop().await;
}
