//! Each route of the table as nobody, as another account, with a token that only reads, as an account, and as whoever may. A route
//! that is new is walked too; one whose path has a parameter this test does not know fails it.

use crate::house::House;
use crate::node::until;
use crate::people::Browser;
use axum::body::Body;
use http::Request;
use husorden_control::doors::Role;
use husorden_control::routes::{Reach, table};
use husorden_wire::api::{self, StaffRole};
use serde_json::{Value, json};

/// Stands in every text that our account's things have.
pub const MARK: &str = "zqmark";

/// Ids that exist, by the name of the path's parameter.
pub struct Things(Vec<(&'static str, String)>);

impl Things {
    pub fn path(&self, path: &str) -> String {
        let mut filled = path.to_owned();
        for (name, value) in &self.0 {
            filled = filled.replace(&format!("{{{name}}}"), value);
        }
        assert!(!filled.contains('{'), "the walk has nothing to put into {path}: add it");
        if filled.ends_with("/archive") {
            filled + "?format=zip"
        } else if filled.ends_with("/dump") || filled.ends_with("/load") {
            filled + "?part=app"
        } else if filled.ends_with("/content") || filled.ends_with("/versions") {
            filled + "?path=files"
        } else if filled.ends_with("/changes") {
            filled + "?since=" + self.get("backup")
        } else {
            filled
        }
    }

    pub fn get(&self, name: &str) -> &str {
        self.0.iter().find(|(of, _)| *of == name).map(|(_, value)| value.as_str()).expect("a thing")
    }

    /// Ids and numbers that are our account's alone.
    pub fn ids(&self) -> impl Iterator<Item = &str> {
        self.0
            .iter()
            .filter(|(name, _)| !["credential", "version", "plan", "pool", "target"].contains(name))
            .map(|(_, value)| value.as_str())
    }
}

/// One of each thing, of our account, with the mark in each text.
pub async fn things(house: &House) -> Things {
    let marked = |text: &str| format!("{text} {MARK}");
    let form = json!({ "kind": "tiny", "name": format!("walked-{MARK}"), "spec": { "names": [format!("{MARK}.example")] },
        "labels": { MARK: MARK } });
    let id = house.call("POST", "/v1/solutions", form).await.is(201)["solution"]["id"].as_str().unwrap().to_owned();
    let snapshot = json!({ "label": marked("snapshot") });
    let order = house.call("POST", &format!("/v1/solutions/{id}/snapshots"), snapshot).await.is(202);
    let token = house.call("POST", "/v1/tokens", json!({ "label": marked("token") })).await.is(201);
    let form = json!({ "solution": id, "reason": marked("look into it") });
    let grant = house.call("POST", "/v1/grants", form).await.is(201);
    house.call("DELETE", &format!("/v1/grants/{}", grant["id"].as_str().unwrap()), Value::Null).await.is(204);
    let form =
        json!({ "reason": marked("look at another"), "solution": house.create("granted", json!({})).await["id"] });
    let grant = house.call("POST", "/v1/grants", form).await.is(201);
    let other = house.create(&format!("measured-{MARK}"), json!({})).await;
    let reasons = json!({ "reasons": marked("It scanned 192.0.2.0/24 for open ports.") });
    let measure = house.decide(json!({ "of": "solution", "id": other["id"] }), reasons).await;
    let complaints = format!("/v1/measures/{}/complaints", measure["id"].as_str().unwrap());
    let complaint = json!({ "text": marked("The wrong site was taken for the right one.") });
    let complaint = house.call("POST", &complaints, complaint).await.is(201);
    house.staff("POST", "/v1/plans", crate::money::plan("walked", 0)).await.is(201);
    let health = json!({ "runtimes": [{ "name": "php-8.4", "state": "ready", "text": "", "build": "b1", "packages": {} }],
        "pool": { "data_used": 1, "data_total": 2, "meta_used": 1, "meta_total": 2, "errors": 0 }, "sandboxes": 0, "strays": [] });
    house.sql(&format!("insert into node (name, health) values ('walked', '{health}')")).await;
    let subscription = house.call("POST", "/v1/subscriptions", json!({ "plan": "walked" })).await.is(201);
    let webhook = json!({ "label": "walked", "url": "https://hooks.ours.example/", "events": ["tea.boiled"] });
    let webhook = house.call("POST", "/v1/webhooks", webhook).await.is(201);
    let person =
        house.person("walked@ours.example", Some((house.ours, api::Role::ReadOnly)), &[StaffRole::Support]).await;
    let invitation = json!({ "email": "walked@invited.example", "role": "billing" });
    let invitation = house.call("POST", "/v1/invitations", invitation).await.is(201);
    house.member("walking@ours.example", api::Role::Owner).await;
    house.person("stranger@theirs.example", Some((house.theirs, api::Role::Owner)), &[]).await;
    house.person("rescued@ours.example", Some((house.ours, api::Role::ReadOnly)), &[]).await;
    house.sql("update person set totp = '\\x00' where email = 'rescued@ours.example'").await;
    let wish = json!({ "email": "rescued@ours.example", "realm": "account" });
    house.send(house.request("", "POST", "/v1/rescues", Some(&wish))).await.is(202);
    let rescue = until("the wish is noted", async || {
        let list = house.staff("GET", "/v1/rescues", Value::Null).await.is(200);
        list["items"][0]["id"].as_str().map(str::to_owned)
    })
    .await;
    let session = Browser::new(house, "192.0.2.1").log_in("walking@ours.example", "account").await;
    let mut owner = crate::cluster::connect(&house.config.database, Role::Owner).await;
    let sql = "insert into refused (solution, account, net, port, attempts, first, last)
               values ($1::uuid, $2, '203.0.113.7/32', 5432, 1, now(), now()) returning id::text";
    let proposal: String = sqlx::query_scalar(sql).bind(&id).bind(house.ours.0).fetch_one(&mut owner).await.unwrap();
    let network = json!({ "name": format!("walked-{MARK}"), "range": "10.20.0.0/24" });
    let network = house.call("POST", "/v1/networks", network).await.is(201);
    let target = json!({ "name": "walked", "address": { "kind": "folder", "path": "/srv/walked" } });
    house.staff("POST", "/v1/targets", target).await.is(201);
    let sql = "insert into backup (id, solution, account, target, order_id, reason, state, spec, refusal)
               select gen_random_uuid(), $1::uuid, $2, id, gen_random_uuid(), 'asked', 'failed', '{}',
                      jsonb_build_object('code', 'x', 'status', 503, 'title', jsonb_build_object('da', $3::text, 'en', $3::text),
                                         'detail', jsonb_build_object('da', $3::text, 'en', $3::text)) from target returning id::text";
    let backup = sqlx::query_scalar(sql).bind(&id).bind(house.ours.0).bind(MARK);
    let backup: String = backup.fetch_one(&mut owner).await.unwrap();
    let stray = husorden_base::SolutionId::new().to_string();
    let sql = "update node set health = health || jsonb_build_object('unwished', jsonb_build_array(jsonb_build_object(
                   'solution', $1, 'number', 4000, 'account', $2, 'name', 'stray', 'kind', 'tiny')))";
    sqlx::query(sql).bind(&stray).bind(house.ours.0).execute(&mut owner).await.unwrap();
    house.staff("PUT", "/v1/licences/walked", json!({ "seats": 1, "note": marked("pool") })).await.is(200);
    let text = |value: &Value| value.as_str().expect("a text").to_owned();
    let firewall = json!({ "name": format!("walked-{MARK}"), "labels": { MARK: MARK },
        "rules": [{ "protocol": "tcp", "ports": "443", "from": ["192.0.2.0/24"], "note": marked("rule") }] });
    let firewall = house.call("POST", "/v1/firewalls", firewall).await.is(201);
    let asked = json!({ "per_week": 200, "purpose": marked("receipts") });
    let agreement = house.call("POST", &format!("/v1/solutions/{id}/agreements"), asked).await.is(201);
    Things(vec![
        ("agreement", text(&agreement["id"])),
        ("firewall", text(&firewall["id"])),
        ("solution", id),
        ("snapshot", text(&order["snapshot"])),
        ("backup", backup),
        ("target", "walked".to_owned()),
        ("pool", "walked".to_owned()),
        ("network", text(&network["id"])),
        ("order", text(&order["id"])),
        ("proposal", proposal),
        ("credential", "admin".to_owned()),
        ("token", text(&token["id"])),
        ("grant", text(&grant["id"])),
        ("case", text(&measure["case_number"])),
        ("measure", text(&measure["id"])),
        ("version", "1".to_owned()),
        ("plan", "walked".to_owned()),
        ("subscription", text(&subscription["id"])),
        ("webhook", text(&webhook["id"])),
        ("account", house.ours.to_string()),
        ("person", person),
        ("invitation", text(&invitation["id"])),
        ("session", text(&session["id"])),
        ("complaint", text(&complaint["id"])),
        ("rescue", rescue),
        ("stray", stray),
    ])
}

fn request(house: &House, token: &str, method: &http::Method, path: &str) -> Request<Body> {
    let takes = [http::Method::POST, http::Method::PATCH, http::Method::PUT].contains(method);
    // Forms that must hold before anything is looked for.
    let body = takes.then(|| match path.split('/').nth(2) {
        Some("members") if path.ends_with("/notifications") => json!({ "mail": {} }),
        Some("members") => json!({ "role": "billing" }),
        Some("solutions") if path.ends_with("/restore") && path.contains("/backups/") => {
            json!({ "only": "everything" })
        }
        Some("staff") if method == http::Method::PATCH => json!({ "roles": ["support"] }),
        _ => json!({}),
    });
    house.request(token, method.as_str(), path, body.as_ref())
}

/// Routes that write and ask nobody who it is, for nobody is anybody yet; each is refused without its form.
const OPEN_TO_WRITE: [&str; 10] = [
    "/v1/person/email/confirm",
    "/v1/person/email/undo",
    "/v1/rescues",
    "/v1/rescues/stop",
    "/v1/rescues/use",
    "/v1/sessions",
    "/v1/password-resets",
    "/v1/password-resets/use",
    "/v1/invitations/look",
    "/v1/invitations/accept",
];

/// A fresh session of one of ours and of a stranger: some routes end the one they are asked with.
async fn sessions(house: &House) -> (String, String) {
    let (mut ours, mut theirs) = (Browser::new(house, "192.0.2.1"), Browser::new(house, "192.0.2.2"));
    ours.log_in("walking@ours.example", "account").await;
    theirs.log_in("stranger@theirs.example", "account").await;
    (ours.session, theirs.session)
}

#[tokio::test]
async fn every_route_asks_who_it_is() {
    let house = House::new().await;
    let things = things(&house).await;
    let read_only = house.call("POST", "/v1/tokens", json!({ "label": "reader" })).await.is(201);
    let read_only = read_only["token"].as_str().unwrap().to_owned();
    let own = [
        "{solution}",
        "{subscription}",
        "{order}",
        "{token}",
        "{grant}",
        "{webhook}",
        "{network}",
        "{firewall}",
        "/members/{person}",
        "/v1/invitations/{invitation}",
    ];
    let routes = table();
    assert!(routes.len() > 30);
    // What ends a thing comes last, so that the others still find it.
    let (last, first): (Vec<_>, Vec<_>) = routes.into_iter().partition(|route| route.method == http::Method::DELETE);
    for route in first.into_iter().chain(last) {
        let path = things.path(route.path);
        let say = format!("{} {}", route.method, route.path);
        let status = async |token: &str| house.send(request(&house, token, &route.method, &path)).await.status.as_u16();
        if route.permission.reach == Reach::Anybody {
            assert_eq!(route.permission.writes, OPEN_TO_WRITE.contains(&route.path), "{say} writes and asks nobody");
            assert_eq!(status("").await, if route.permission.writes { 422 } else { 200 }, "{say} is for anybody");
            continue;
        }
        assert_eq!(status("").await, 401, "{say} as nobody");
        assert_eq!(status("hus_account_nonsense").await, 401, "{say} with nonsense");
        if route.permission.person {
            assert_eq!(status(&house.account).await, 403, "{say} with a token");
            let (mut ours, theirs) = sessions(&house).await;
            if route.permission.reach == Reach::Staff {
                assert_eq!(status(&ours).await, 403, "{say} as an account");
                house.person("desk@house.example", None, &StaffRole::ALL).await;
                let mut desk = Browser::new(&house, "192.0.2.3");
                desk.log_in("desk@house.example", "staff").await;
                desk.enrol().await;
                ours = desk.session;
            }
            if route.path.contains("{session}") {
                assert_eq!(status(&theirs).await, 404, "{say} as another person");
            }
            let got = status(&ours).await;
            assert!(![401, 403, 404, 405, 500].contains(&got), "{say} as oneself: {got}");
            continue;
        }
        if route.permission.reach == Reach::Staff {
            assert_eq!(status(&house.account).await, 403, "{say} as an account");
        }
        if own.iter().any(|part| route.path.contains(part)) {
            assert_eq!(status(&house.other).await, 404, "{say} as another account");
        }
        if route.permission.writes {
            assert_eq!(status(&read_only).await, 403, "{say} with a token that only reads");
        }
        let right = if route.permission.reach == Reach::Staff { &house.staff } else { &house.account };
        let got = status(right).await;
        assert!(![401, 403, 404, 405, 500].contains(&got), "{say} as the right one: {got}");
    }
    house.running.stop().await;
}

#[tokio::test]
async fn the_description_holds_every_route() {
    let house = House::new().await;
    let document = house.send(house.request("", "GET", "/v1/openapi.json", None)).await.is(200);
    assert_eq!(document["openapi"], "3.1.0");
    for route in table() {
        let operation = &document["paths"][route.path][route.method.as_str().to_ascii_lowercase()];
        assert!(operation["summary"].is_string(), "{} {}", route.method, route.path);
    }
    // Every reference leads somewhere.
    let text = document.to_string();
    for part in text.split("#/components/schemas/").skip(1) {
        let name = part.split('"').next().unwrap();
        assert!(document["components"]["schemas"][name].is_object(), "{name}");
    }
    house.running.stop().await;
}
