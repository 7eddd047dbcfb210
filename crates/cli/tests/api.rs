//! The way to the API against a small server that follows a script: what is sent, and how refusals read.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

use husorden_base::{FieldError, Language, Refusal, Secret, Text};
use husorden_cli::Failure;
use husorden_cli::api::{Ask, Client};
use serde_json::{Value, json};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpListener;
use std::thread::JoinHandle;

/// Answers one request with a status and a body, and gives back what was sent.
fn serve(status: u16, body: String) -> (String, JoinHandle<(String, String)>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    let server = std::thread::spawn(move || {
        let (stream, _) = listener.accept().unwrap();
        let mut reader = BufReader::new(&stream);
        let (mut head, mut length) = (String::new(), 0);
        loop {
            let mut line = String::new();
            reader.read_line(&mut line).unwrap();
            if line.trim().is_empty() {
                break;
            }
            if let Some(value) = line.to_lowercase().strip_prefix("content-length:") {
                length = value.trim().parse().unwrap();
            }
            head += &line.to_lowercase();
        }
        let mut sent = vec![0; length];
        reader.read_exact(&mut sent).unwrap();
        write!(&stream, "HTTP/1.1 {status} X\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}", body.len())
            .unwrap();
        (head, String::from_utf8(sent).unwrap())
    });
    (address, server)
}

#[test]
fn a_change_carries_token_generation_and_language() {
    let (address, server) = serve(200, json!({ "fine": true }).to_string());
    let client = Client::new(&address, Some(Secret::new("secret-token")), Language::Da, None).unwrap();
    let body = json!({ "name": "shop" });
    let answer: Value = client.ask(&Ask::post("/v1/solutions", &body).if_match(7)).unwrap();
    assert_eq!(answer, json!({ "fine": true }));
    let (head, sent) = server.join().unwrap();
    assert!(head.starts_with("post /v1/solutions http/1.1"), "{head}");
    for header in ["authorization: bearer secret-token", "if-match: \"7\"", "idempotency-key: ", "accept-language: da"]
    {
        assert!(head.contains(header), "{header:?} in {head}");
    }
    assert_eq!(serde_json::from_str::<Value>(&sent).unwrap(), body);
}

#[test]
fn a_refusal_reads_as_words_and_an_exit_status() {
    let mut refusal = Refusal::fields(vec![FieldError {
        pointer: "/spec/names/0".to_owned(),
        detail: Text::new("Er taget", "Is taken"),
    }]);
    refusal.limit = Some("1 name".to_owned());
    let problem = refusal.problem(Language::En, Some("/requests/1"));
    let (address, server) = serve(422, serde_json::to_string(&problem).unwrap());
    let client = Client::new(&address, None, Language::En, None).unwrap();
    let failure = client.get::<Value>("/v1/solutions").unwrap_err();
    server.join().unwrap();
    assert_eq!(failure.exit_code(), 3);
    let text = failure.text(Language::En, &|pointer| pointer.replace("/spec/names/0", "--names"));
    insta::assert_snapshot!(text, @r"
    error: Something in the request is wrong
      Mend the fields named and send again; nothing was changed.
      --names: Is taken
      limit: 1 name
      request: /requests/1
    ");
}

#[test]
fn every_failure_has_its_exit_status() {
    for (status, code) in [(404, 4), (401, 6), (403, 6), (412, 7), (429, 3), (500, 3)] {
        let refusal = Refusal::new("x", status, Text::new("a", "a"), Text::new("b", "b"));
        let (address, server) = serve(status, serde_json::to_string(&refusal.problem(Language::En, None)).unwrap());
        let client = Client::new(&address, None, Language::En, None).unwrap();
        assert_eq!(client.get::<Value>("/").unwrap_err().exit_code(), code, "{status}");
        server.join().unwrap();
    }
    let (address, server) = serve(502, "<html>a proxy</html>".to_owned());
    let client = Client::new(&address, None, Language::En, None).unwrap();
    assert!(matches!(client.get::<Value>("/").unwrap_err(), Failure::Odd(_)));
    server.join().unwrap();
    // Nobody listens there any more.
    for (language, words) in [(Language::En, "nobody listens"), (Language::Da, "ingen lytter")] {
        let failure = Client::new(&address, None, language, None).unwrap().get::<Value>("/").unwrap_err();
        assert_eq!(failure.exit_code(), 5);
        let text = failure.text(language, &str::to_owned);
        assert!(text.contains(words) && !text.contains("io:"), "{text}");
    }
}
