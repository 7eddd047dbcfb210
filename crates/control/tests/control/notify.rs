//! What leaves the house: mails in a folder, webhooks at a real receiver, what is given up, and what operators see.

use crate::cluster::connect;
use crate::house::House;
use crate::node::until;
use base64::prelude::{BASE64_STANDARD, Engine};
use husorden_control::doors::Role;
use ring::hmac;
use serde_json::{Value, json};
use std::sync::{Arc, Mutex};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

/// A receiver of webhooks: it keeps requests whole, and answers them from the list, the last one for ever.
struct Receiver {
    url: String,
    heard: Arc<Mutex<Vec<String>>>,
}

impl Receiver {
    async fn new(answers: &'static [&'static str]) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/hook", listener.local_addr().unwrap());
        let heard = Arc::new(Mutex::new(Vec::new()));
        let keeps = Arc::clone(&heard);
        tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                let mut bytes = Vec::new();
                let mut buffer = [0; 4096];
                let request = loop {
                    let read = stream.read(&mut buffer).await.unwrap_or(0);
                    bytes.extend_from_slice(&buffer[..read]);
                    let text = String::from_utf8_lossy(&bytes).into_owned();
                    let length = header(&text, "content-length").and_then(|length| length.parse::<usize>().ok());
                    let body = text.split_once("\r\n\r\n").map(|(_, body)| body.len());
                    if read == 0 || (body.is_some() && body >= length) {
                        break text;
                    }
                };
                let answer = {
                    let mut heard = keeps.lock().unwrap();
                    heard.push(request);
                    answers[(heard.len() - 1).min(answers.len() - 1)]
                };
                let _ = stream.write_all(format!("HTTP/1.1 {answer}\r\ncontent-length: 0\r\n\r\n").as_bytes()).await;
            }
        });
        Self { url, heard }
    }

    fn heard(&self) -> Vec<String> {
        self.heard.lock().unwrap().clone()
    }
}

fn header(request: &str, name: &str) -> Option<String> {
    let head = request.split("\r\n\r\n").next()?;
    head.lines().find_map(|line| {
        let (found, value) = line.split_once(": ")?;
        found.eq_ignore_ascii_case(name).then(|| value.to_owned())
    })
}

/// As a receiver checks it who knows nothing but the scheme and the secret.
fn is_signed(request: &str, secret: &str) -> bool {
    let key = BASE64_STANDARD.decode(secret.strip_prefix("whsec_").unwrap()).unwrap();
    let (id, at) = (header(request, "webhook-id").unwrap(), header(request, "webhook-timestamp").unwrap());
    let body = request.split_once("\r\n\r\n").unwrap().1;
    let tag = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, &key), format!("{id}.{at}.{body}").as_bytes());
    header(request, "webhook-signature").unwrap() == format!("v1,{}", BASE64_STANDARD.encode(tag))
}

async fn with_loopback() -> House {
    House::with(|config| config.notify.allow = vec!["127.0.0.0/8".parse().unwrap()]).await
}

/// What waits is due now, so that no test waits for a back-off.
async fn hurry(house: &House) {
    let mut owner = connect(&house.config.database, Role::Owner).await;
    sqlx::raw_sql("update job set due = now() where kind in ('mail', 'webhook')").execute(&mut owner).await.unwrap();
}

#[tokio::test]
async fn an_event_reaches_its_webhook_signed_and_is_tried_again() {
    let house = with_loopback().await;
    let receiver = Receiver::new(&["500 No", "302 Found", "200 OK"]).await;
    let form = json!({ "label": "shop", "url": receiver.url, "events": ["solution.*"] });
    let webhook = house.call("POST", "/v1/webhooks", form).await.is(201);
    let (path, secret) =
        (format!("/v1/webhooks/{}", webhook["id"].as_str().unwrap()), webhook["secret"].as_str().unwrap());
    assert!(house.get(&path).await["secret"].is_null(), "shown once");
    house.create("blog", json!({})).await;
    for tries in 1..=3 {
        until("it was tried", async || (receiver.heard().len() == tries).then_some(())).await;
        until("the try is kept", async || {
            let deliveries = house.get(&format!("{path}/deliveries")).await;
            (deliveries["items"][0]["tries"] == tries).then_some(())
        })
        .await;
        // The lane says how the try ended a moment after the receiver heard it.
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
        hurry(&house).await;
    }
    let heard = receiver.heard();
    let ids: std::collections::HashSet<_> = heard.iter().map(|request| header(request, "webhook-id")).collect();
    assert_eq!(ids.len(), 1, "the same delivery has the same id");
    for request in &heard {
        assert!(request.starts_with("POST /hook HTTP/1.1") && is_signed(request, secret), "{request}");
        assert!(!is_signed(&request.replace("blog", "glob"), secret));
    }
    let body: Value = serde_json::from_str(heard[2].split_once("\r\n\r\n").unwrap().1).unwrap();
    assert_eq!((&body["type"], &body["data"]["kind"]), (&json!("solution.created"), &json!("solution.created")));
    let delivery = &house.get(&format!("{path}/deliveries")).await["items"][0];
    assert_eq!((&delivery["state"], &delivery["status"]), (&json!("delivered"), &json!(200)));
    // Another secret signs from now on, and what is not wanted is not sent.
    let fresh = house.call("PATCH", &path, json!({ "new_secret": true })).await.is(200);
    assert_ne!(fresh["secret"], webhook["secret"]);
    house.call("POST", &format!("{path}/test"), Value::Null).await.is(202);
    until("the test came", async || (receiver.heard().len() == 4).then_some(())).await;
    let last = receiver.heard()[3].clone();
    assert!(last.contains("webhook.test") && is_signed(&last, fresh["secret"].as_str().unwrap()), "{last}");
    house.running.stop().await;
}

#[tokio::test]
async fn a_webhook_goes_to_the_public_internet_or_nowhere() {
    let house = House::new().await;
    for url in [
        "https://127.0.0.1/",
        "https://[::1]/",
        "https://169.254.169.254/latest",
        "https://10.0.0.1/",
        "http://hooks.shop.example/",
        "https://name:word@hooks.shop.example/",
        "file:///etc/passwd",
        "",
    ] {
        let said = house.call("POST", "/v1/webhooks", json!({ "label": "x", "url": url })).await;
        assert_eq!(said.refused(422, "invalid-fields")["refusal"]["fields"][0]["pointer"], "/url", "{url}");
    }
    for form in [
        json!({ "label": "", "url": "https://a.example/" }),
        json!({ "label": "x", "url": "https://a.example/", "events": ["Solution"] }),
        json!({ "label": "x", "url": "https://a.example/", "events": ["solution.*; drop"] }),
        json!({ "label": "x", "url": "https://a.example/", "tea": 1 }),
    ] {
        house.call("POST", "/v1/webhooks", form).await.is(422);
    }
    // A name that leads home passes the door and is refused when it is asked for.
    let webhook = json!({ "label": "x", "url": "https://localhost:9/" });
    let webhook = house.call("POST", "/v1/webhooks", webhook).await.is(201);
    let path = format!("/v1/webhooks/{}", webhook["id"].as_str().unwrap());
    house.call("POST", &format!("{path}/test"), Value::Null).await.is(202);
    let error = until("it was refused", async || {
        let deliveries = house.get(&format!("{path}/deliveries")).await;
        deliveries["items"][0]["error"].as_str().map(str::to_owned)
    })
    .await;
    assert!(error.contains("not an address of the public Internet"), "{error}");
    // What waits dies with the webhook.
    house.call("DELETE", &path, Value::Null).await.is(204);
    house.call("GET", &path, Value::Null).await.is(404);
    house.running.stop().await;
}

#[tokio::test]
async fn other_accounts_hear_nothing() {
    let house = with_loopback().await;
    let receiver = Receiver::new(&["200 OK"]).await;
    let form = json!({ "label": "theirs", "url": receiver.url });
    house.send(house.request(&house.other, "POST", "/v1/webhooks", Some(&form))).await.is(201);
    house.create("secret-plans", json!({})).await;
    let theirs = json!({ "kind": "tiny", "name": "theirs", "spec": {} });
    house.send(house.request(&house.other, "POST", "/v1/solutions", Some(&theirs))).await.is(201);
    until("theirs came", async || (!receiver.heard().is_empty()).then_some(())).await;
    tokio::time::sleep(std::time::Duration::from_millis(300)).await;
    assert!(receiver.heard().iter().all(|request| !request.contains("secret-plans")), "{:?}", receiver.heard());
    house.running.stop().await;
}

fn mail(to: &str) -> Value {
    json!({ "to": to, "language": "da", "template": "new-device", "data": { "address": "192.0.2.9", "agent": "Browser", "at": "2026-01-02T03:04:05Z" } })
}

async fn with_folder() -> House {
    House::with(|config| {
        let folder = config.spool.parent().unwrap().join("mail");
        config.notify.mail = husorden_control::MailWay::Folder { folder };
    })
    .await
}

async fn ask_for(house: &House, subject: &Value) -> i64 {
    let mut owner = connect(&house.config.database, Role::Owner).await;
    sqlx::query_scalar("insert into job (kind, subject) values ('mail', $1) returning id")
        .bind(sqlx::types::Json(subject))
        .fetch_one(&mut owner)
        .await
        .unwrap()
}

#[tokio::test]
async fn a_mail_is_sent_once_and_what_it_said_is_forgotten() {
    let house = with_folder().await;
    let job = ask_for(&house, &mail("karen@shop.example")).await;
    let path = house.config.spool.parent().unwrap().join("mail").join(format!("{job:08}.eml"));
    let text = until("the mail is there", async || std::fs::read_to_string(&path).ok()).await;
    assert!(text.contains("To: karen@shop.example") && text.contains("Subject: Log ind fra en ny enhed"), "{text}");
    let mut owner = connect(&house.config.database, Role::Owner).await;
    let subject: Value = until("the job is done", async || {
        let row: Option<sqlx::types::Json<Value>> =
            sqlx::query_scalar("select subject from job where id = $1 and done is not null")
                .bind(job)
                .fetch_optional(&mut owner)
                .await
                .unwrap();
        row.map(|row| row.0)
    })
    .await;
    assert_eq!(subject, json!({ "language": "da", "template": "new-device" }));
    house.running.stop().await;
}

#[tokio::test]
async fn what_can_never_be_sent_is_given_up_and_told() {
    let house = with_folder().await;
    for subject in [mail("karen@shop.example\r\nBcc: all@other.example"), json!({ "to": "karen@shop.example" })] {
        let job = ask_for(&house, &subject).await;
        let event = until("staff are told", async || {
            let events = house.staff("GET", "/v1/events?limit=200", Value::Null).await.is(200);
            let found = events["items"].as_array().unwrap().iter().filter(|event| event["kind"] == "mail.dead").count();
            (found > 0).then_some(events)
        })
        .await;
        assert!(!event.to_string().contains("karen@"), "the alarm names no mailbox: {event}");
        let mut owner = connect(&house.config.database, Role::Owner).await;
        let tries: i32 =
            sqlx::query_scalar("select attempts from job where id = $1").bind(job).fetch_one(&mut owner).await.unwrap();
        assert!(tries <= 1, "it is not tried again");
    }
    house.running.stop().await;
}

#[tokio::test]
async fn three_days_of_trying_are_enough() {
    // A folder that is a file: no mail can land there.
    let house = House::with(|config| {
        let place = config.spool.parent().unwrap().join("no-folder");
        std::fs::write(&place, "").unwrap();
        config.notify.mail = husorden_control::MailWay::Folder { folder: place };
    })
    .await;
    let job = ask_for(&house, &mail("karen@shop.example")).await;
    let mut owner = connect(&house.config.database, Role::Owner).await;
    let mut look = async || -> (bool, Option<String>) {
        sqlx::query_as("select dead is not null, last_error from job where id = $1")
            .bind(job)
            .fetch_one(&mut owner)
            .await
            .unwrap()
    };
    let (dead, error) = until("it failed", async || Some(look().await).filter(|(_, error)| error.is_some())).await;
    assert!(!dead && error.unwrap().contains("putting a mail into its folder"));
    let health = house.staff("GET", "/v1/health", Value::Null).await.is(200);
    assert!(health["checks"].as_array().unwrap().iter().any(|check| check["name"] == "outbox"), "{health}");
    let mut other = connect(&house.config.database, Role::Owner).await;
    let old = "update job set created = now() - interval '3 days 1 minute', due = now() where kind = 'mail'";
    sqlx::raw_sql(old).execute(&mut other).await.unwrap();
    until("it is given up", async || Some(look().await).filter(|(dead, _)| *dead)).await;
    let health = house.staff("GET", "/v1/health", Value::Null).await.is(200);
    let outbox = health["checks"].as_array().unwrap().iter().find(|check| check["name"] == "outbox").unwrap();
    assert_eq!(outbox["state"], "degraded", "{outbox}");
    house.running.stop().await;
}

#[tokio::test]
async fn metrics_are_for_this_machine() {
    let address = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let house = House::with(|config| config.metrics = Some(address)).await;
    house.get("/v1/me").await;
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(b"GET /metrics HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n").await.unwrap();
    let mut text = String::new();
    stream.read_to_string(&mut text).await.unwrap();
    for part in [
        "text/plain; version=0.0.4",
        r#"husorden_requests_total{route="/v1/me",method="GET",status="200"} 1"#,
        "husorden_database_up 1",
        r#"husorden_jobs{kind="sweep-jobs",state="open"} 1"#,
        r#"husorden_node_connected{node="local"} 0"#,
        "husorden_measures_not_in_force 0",
    ] {
        assert!(text.contains(part), "{part} in\n{text}");
    }
    house.running.stop().await;
}
