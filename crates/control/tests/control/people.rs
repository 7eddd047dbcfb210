//! People for tests: log-ins with known passwords, browsers that hold a session, and the app that shows codes.

use crate::house::{House, Said};
use http::Request;
use husorden_base::{AccountId, Language, Secret};
use husorden_control::bootstrap::{Bootstrap, NewLogIn};
use husorden_wire::api::{Role, StaffRole};
use ring::hmac;
use serde_json::{Value, json};
use std::net::IpAddr;

pub const PASSWORD: &str = "walnut ledger orbit";

/// The codes of a second factor, each step given once: what was used is refused.
pub struct Phone {
    secret: Vec<u8>,
    next: i64,
}

impl Phone {
    pub fn new(base32: &str) -> Self {
        let (mut bits, mut held, mut secret) = (0, 0_u32, Vec::new());
        for letter in base32.bytes() {
            let value = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567".iter().position(|one| *one == letter).expect("base32");
            held = held << 5 | u32::try_from(value).expect("five bits");
            bits += 5;
            if bits >= 8 {
                bits -= 8;
                secret.push(u8::try_from(held >> bits & 0xff).expect("a byte"));
            }
        }
        Self { secret, next: jiff::Timestamp::now().as_second() / 30 - 1 }
    }

    pub fn code_of(&self, step: i64) -> String {
        let key = hmac::Key::new(hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY, &self.secret);
        let tag = hmac::sign(&key, &step.to_be_bytes());
        let at = usize::from(tag.as_ref()[19] & 0xf);
        let four: [u8; 4] = tag.as_ref()[at..at + 4].try_into().expect("four bytes");
        format!("{:06}", (u32::from_be_bytes(four) & 0x7fff_ffff) % 1_000_000)
    }

    /// The next code that was not given yet; there are three around each moment. The oldest is not given in its last seconds, for who checks it
    /// may be slow.
    pub fn code(&mut self) -> String {
        let oldest = || jiff::Timestamp::now().as_second() / 30 - 1;
        while self.next <= oldest() && jiff::Timestamp::now().as_second() % 30 >= 22 {
            std::thread::sleep(std::time::Duration::from_millis(200));
        }
        let oldest = oldest();
        let step = self.next.max(oldest);
        assert!(step <= oldest + 2, "the test wants more codes than there are around now");
        self.next = step + 1;
        self.code_of(step)
    }
}

/// A browser with a session, perhaps.
#[derive(Clone)]
pub struct Browser<'a> {
    pub house: &'a House,
    pub session: String,
    pub device: Option<String>,
    pub from: IpAddr,
}

impl<'a> Browser<'a> {
    pub fn new(house: &'a House, from: &str) -> Self {
        Self { house, session: String::new(), device: None, from: from.parse().expect("an address") }
    }

    pub async fn say(&self, method: &str, path: &str, body: Value) -> Said {
        let body = (!body.is_null()).then_some(body);
        let mut request: Request<_> = self.house.request(&self.session, method, path, body.as_ref());
        request.extensions_mut().insert(husorden_control::Visitor(self.from));
        self.house.send(request).await
    }

    /// Says something whose answer gives the session a new secret.
    pub async fn moves(&mut self, method: &str, path: &str, body: Value) -> Value {
        let said = self.say(method, path, body).await;
        let status = said.status.as_u16();
        assert!(status == 200 || status == 201, "{path}: {}", said.body);
        let opened = if said.body["session"].is_object() { &said.body["session"] } else { &said.body };
        self.session = opened["session"].as_str().expect("a secret").to_owned();
        if let Some(device) = opened["device"].as_str() {
            self.device = Some(device.to_owned());
        }
        said.body
    }

    pub async fn try_log_in(&self, email: &str, password: &str, realm: &str) -> Said {
        let mut form = json!({ "email": email, "password": password, "realm": realm });
        if let Some(device) = &self.device {
            form["device"] = json!(device);
        }
        self.say("POST", "/v1/sessions", form).await
    }

    pub async fn log_in(&mut self, email: &str, realm: &str) -> Value {
        let opened = self.try_log_in(email, PASSWORD, realm).await.is(201);
        self.session = opened["session"].as_str().expect("a secret").to_owned();
        if let Some(device) = opened["device"].as_str() {
            self.device = Some(device.to_owned());
        }
        opened
    }

    /// Sets up a second factor.
    pub async fn enrol(&mut self) -> (Phone, Vec<String>) {
        let begun = self.say("POST", "/v1/person/totp", json!({})).await.is(201);
        let mut phone = Phone::new(begun["secret"].as_str().expect("a secret"));
        let confirmed = self.moves("POST", "/v1/person/totp/confirm", json!({ "code": phone.code() })).await;
        let codes = confirmed["recovery_codes"].as_array().expect("codes");
        (phone, codes.iter().map(|code| code.as_str().expect("a code").to_owned()).collect())
    }
}

impl House {
    pub async fn bootstrap(&self) -> Bootstrap {
        Bootstrap::connect(&self.config.database).await.expect("the owner is let in")
    }

    /// A person with the usual password, in an account or on staff.
    pub async fn person(&self, email: &str, account: Option<(AccountId, Role)>, staff: &[StaffRole]) -> String {
        let new = NewLogIn {
            email,
            name: "Anna Test",
            language: Language::En,
            password: &Secret::new(PASSWORD),
            account,
            staff,
            second_factor: false,
        };
        let made = self.bootstrap().await.ensure_person(&self.config.identity, &new).await.expect("a person");
        made.person.to_string()
    }

    pub async fn member(&self, email: &str, role: Role) -> String {
        self.person(email, Some((self.ours, role)), &[]).await
    }

    /// A statement by the owner of the database; how tests move the clock.
    pub async fn sql(&self, sql: &str) {
        let mut owner = husorden_control::doors::owner(&self.config.database).await.expect("the owner is let in");
        sqlx::raw_sql(sqlx::AssertSqlSafe(sql.to_owned())).execute(&mut owner).await.expect("a statement");
    }

    /// Rows of a statement that selects nothing, `select from …`.
    pub async fn count(&self, sql: &str) -> i64 {
        let mut owner = husorden_control::doors::owner(&self.config.database).await.expect("the owner is let in");
        let sql = format!("select count(*) from ({sql}) x");
        sqlx::query_scalar(sqlx::AssertSqlSafe(sql)).fetch_one(&mut owner).await.expect("a statement")
    }

    pub async fn exists(&self, sql: &str) -> bool {
        self.count(sql).await > 0
    }

    /// The mails to be sent to somebody, newest last, each with the secret of its link.
    pub async fn mails(&self, to: &str, template: &str) -> Vec<(Value, Option<Secret>)> {
        let mut owner = husorden_control::doors::owner(&self.config.database).await.expect("the owner is let in");
        let subjects: Vec<sqlx::types::Json<Value>> = sqlx::query_scalar(
            "select subject from job where kind = 'mail' and subject->>'to' = $1 and subject->>'template' = $2 order by id",
        )
        .bind(to)
        .bind(template)
        .fetch_all(&mut owner)
        .await
        .expect("jobs");
        subjects.into_iter().map(|subject| (subject.0.clone(), self.running.app().mail_secret(&subject.0))).collect()
    }

    /// The same, when there are as many: what a mail is sent for may happen beside the answer.
    pub async fn awaited_mails(&self, to: &str, template: &str, count: usize) -> Vec<String> {
        for _ in 0..30_000 {
            let mails = self.mails(to, template).await;
            if mails.len() >= count {
                return mails.into_iter().map(|mail| mail.1.expect("a secret").reveal().to_owned()).collect();
            }
            tokio::time::sleep(std::time::Duration::from_millis(10)).await;
        }
        panic!("{count} mails {template} to {to}")
    }
}
