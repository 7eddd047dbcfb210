//! People in the panel's tests: each logs in by the pages, as everybody does.

use crate::client::{Client, HOST, Page, STAFF, between};
use crate::house::House;
use crate::visitors::{PASSWORD, Phone};
use axum::Router;
use husorden_base::AccountId;
use husorden_wire::api::{Role, StaffRole};
use std::sync::atomic::{AtomicU32, Ordering};

static NEXT: AtomicU32 = AtomicU32::new(1);

/// A mailbox that nobody has had before.
fn mailbox(at: &str) -> String {
    format!("p{}@{at}.example", NEXT.fetch_add(1, Ordering::Relaxed))
}

impl Client {
    /// Address and password at the door.
    pub async fn knock(&mut self, email: &str) -> Page {
        self.submit("/log-in", "/log-in", &[("/email", email), ("/password", PASSWORD)]).await
    }

    /// Through the door, and past the house rules where they are asked for.
    pub async fn log_in(&mut self, email: &str) {
        let page = self.knock(email).await;
        if page.leads().starts_with("/rules/accept") {
            let asked = self.get("/rules/accept").await.is(200);
            let version = between(&asked.body, "name=\"version\" value=\"", "\"").expect("a version").to_owned();
            self.post("/rules/accept", &asked.token(), &[("version", &version)]).await.leads();
        }
        self.get("/").await.is(200);
    }

    /// A second factor is set up by the pages.
    pub async fn enrol(&mut self) -> Phone {
        let shown = self.submit("/security/totp", "/security/totp", &[]).await.is(200);
        let secret =
            between(&shown.body, "name=\"_secret\" value=\"", "\"").expect("the secret is in the form").to_owned();
        let mut phone = Phone::new(&secret);
        let code = phone.code();
        let fields = [("/code", code.as_str()), ("_secret", &secret)];
        let kept = self.post("/security/totp/confirm", &shown.token(), &fields).await.is(200);
        kept.says("Keep your recovery codes");
        phone
    }
}

/// An owner of an account, logged in.
pub async fn owner(house: &House, router: &Router, account: AccountId) -> Client {
    let email = mailbox("customers");
    house.person(&email, Some((account, Role::Owner)), &[]).await;
    let mut client = Client::new(router, HOST);
    client.log_in(&email).await;
    client
}

/// Somebody of staff with every role, logged in with the second factor.
pub async fn officer(house: &House, router: &Router) -> Client {
    let email = mailbox("desk");
    house.person(&email, None, &StaffRole::ALL).await;
    let mut client = Client::new(router, STAFF);
    assert!(client.knock(&email).await.leads().starts_with("/security/totp"), "staff set up a second factor first");
    client.enrol().await;
    client.get("/").await.is(200);
    client
}

/// A session of one origin in a browser at the other.
pub fn carried(from: &Client, to: &'static str) -> Client {
    Client { host: to, ..from.clone() }
}
