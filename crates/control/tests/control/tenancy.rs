//! What one account may know of another, and staff of both, walked over the whole table with good forms: nothing of ours is in
//! any byte that another account is answered, staff change no solution without a grant, and a held account's token is dead on
//! every route. A route that takes a form this test does not know fails it, and so does a stream it does not read.

use crate::house::{House, Said};
use crate::node::{Node, until};
use crate::walk::{MARK, Things, things};
use axum::body::Body;
use futures_util::StreamExt;
use http::{Method, Request};
use husorden_base::MeasureId;
use husorden_control::doors::Role;
use husorden_control::routes::{Reach, Route, table};
use husorden_rules::{Access, Fates, Measure, Scope};
use husorden_wire::node::{EvidenceLine, FromNode, MeasureState, Refused, SeenState, ToNode, VerbState};
use jiff::Timestamp;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tower::ServiceExt;

/// A form that whoever may would get through with.
fn form(route: &Route, house: &House) -> Option<Value> {
    let reasons = "It was looked at and found to be in order.";
    let version = json!(1);
    Some(match (route.method.as_str(), route.path) {
        ("POST", "/v1/solutions") => json!({ "kind": "tiny", "name": "fresh" }),
        ("PATCH", "/v1/solutions/{solution}") => json!({ "labels": { "x": "y" } }),
        ("POST", "/v1/solutions/{solution}/snapshots") => json!({ "label": "x" }),
        ("POST", "/v1/solutions/{solution}/credentials/{credential}") => json!({}),
        ("POST", "/v1/solutions/{solution}/proposals/{proposal}/accept") => json!({ "note": "x" }),
        ("POST", "/v1/solutions/{solution}/access") => json!({ "minutes": 60 }),
        ("POST", "/v1/solutions/{solution}/log") => json!({ "search": "x" }),
        ("PUT", "/v1/solutions/{solution}/snapshot-schedule") => json!({ "every": "daily", "keep": 3 }),
        ("PUT", "/v1/solutions/{solution}/backup-plan") => json!({ "hour": 3 }),
        ("POST", "/v1/solutions/{solution}/backups/{backup}/restore") => json!({ "only": "everything" }),
        ("POST", "/v1/networks") => json!({ "name": "fresh", "range": "10.20.0.0/24" }),
        ("PUT", "/v1/licences/{pool}") => json!({ "seats": 3, "note": "a contract" }),
        ("PATCH", "/v1/networks/{network}") => json!({ "name": "renamed" }),
        ("POST", "/v1/targets") => json!({ "name": "fresh", "address": { "kind": "folder", "path": "/srv/fresh" } }),
        ("POST", "/v1/solutions/{solution}/rebuild") => json!({}),
        ("POST", "/v1/targets/{target}/rounds") => json!({ "folder": "1" }),
        ("PATCH", "/v1/targets/{target}") => json!({ "bytes_per_second": 1_000_000 }),
        ("POST", "/v1/accounts") => json!({ "name": "third" }),
        ("POST", "/v1/tokens") => json!({ "label": "x" }),
        ("POST", "/v1/grants") => json!({ "reason": "x" }),
        ("POST", "/v1/cases") => {
            json!({ "clause": "mail.spam", "facts": "Many messages were sent at night.", "account": house.ours })
        }
        ("POST", "/v1/cases/{case}/notes") => json!({ "text": "Somebody called about it." }),
        ("POST", "/v1/cases/{case}/close") => json!({ "reasons": reasons }),
        ("POST", "/v1/cases/{case}/decisions") => json!({ "clause": "network.attack", "reasons": reasons,
            "scope": { "of": "account", "id": house.ours }, "access": "full" }),
        ("POST", "/v1/measures/{measure}/complaints") => {
            json!({ "text": "The wrong site was taken for the right one." })
        }
        ("POST", "/v1/measures/{measure}/lift") => json!({ "reasons": reasons }),
        ("POST", "/v1/complaints/{complaint}/answer") => json!({ "outcome": "rejected", "reasons": reasons }),
        ("POST", "/v1/strays/{stray}/take") => json!({}),
        ("POST", "/v1/builds") => json!({ "node": "walked", "runtime": "php-8.4" }),
        ("POST", "/v1/plans") => crate::money::plan("fresh", 0),
        ("PATCH", "/v1/plans/{plan}") => json!({ "vat_bp": 2500 }),
        ("POST", "/v1/subscriptions") => json!({ "plan": "walked" }),
        ("POST", "/v1/subscriptions/{subscription}/end") => json!({}),
        ("POST", "/v1/ledger/payments") => {
            json!({ "account": house.ours, "amount": { "minor": 500, "currency": "DKK" }, "reference": "bank 1" })
        }
        ("POST", "/v1/firewalls") => json!({ "name": "fresh" }),
        ("PATCH", "/v1/firewalls/{firewall}") => json!({ "rules": [{ "protocol": "icmp", "from": ["192.0.2.7"] }] }),
        ("PUT", "/v1/solutions/{solution}/reverse-names") => json!({ "address": "192.0.2.7", "name": "fresh.example" }),
        ("POST", "/v1/solutions/{solution}/agreements") => {
            json!({ "per_week": 200, "purpose": "Receipts to customers." })
        }
        ("POST", "/v1/agreements/{agreement}/decide") => json!({ "agree": true }),
        ("POST", "/v1/agreements/{agreement}/end") => json!({ "reason": "It was looked at again." }),
        ("POST", "/v1/webhooks") => json!({ "label": "x", "url": "https://hooks.fresh.example/" }),
        ("PATCH", "/v1/webhooks/{webhook}") => json!({ "label": "y" }),
        ("POST", "/v1/rules/acceptance") => json!({ "version": version }),
        ("POST", "/v1/sessions") => {
            json!({ "email": "nobody@fresh.example", "password": "walnut ledger orbit", "realm": "account" })
        }
        ("POST", "/v1/session/second-factor") => json!({ "code": "000000" }),
        ("POST", "/v1/session/step-up") => json!({ "password": "walnut ledger orbit" }),
        ("PUT", "/v1/session/account") => json!({ "account": "fresh" }),
        ("PATCH", "/v1/person") => json!({ "language": "da" }),
        ("POST", "/v1/person/password") => json!({ "old": "walnut ledger orbit", "new": "marble kettle tunnel" }),
        ("POST", "/v1/person/totp/confirm") => json!({ "code": "000000" }),
        ("POST", "/v1/erasures") => json!({ "person": house.ours }),
        ("POST", "/v1/person/email") => json!({ "email": "other@fresh.example" }),
        ("POST", "/v1/person/email/confirm" | "/v1/person/email/undo") => json!({ "secret": "none" }),
        ("POST", "/v1/rescues") => json!({ "email": "nobody@fresh.example", "realm": "account" }),
        ("POST", "/v1/rescues/stop" | "/v1/rescues/use") => json!({ "secret": "none" }),
        ("POST", "/v1/rescues/{rescue}/checks") => {
            json!({ "how": "video", "note": "The passport and the face agree." })
        }
        ("POST", "/v1/password-resets") => json!({ "email": "nobody@fresh.example", "realm": "account" }),
        ("POST", "/v1/password-resets/use") => json!({ "secret": "none", "password": "marble kettle tunnel" }),
        ("PATCH", "/v1/account" | "/v1/accounts/{account}") => json!({ "language": "da" }),
        ("PATCH", "/v1/members/{person}") => json!({ "role": "billing" }),
        ("PATCH", "/v1/notifications" | "/v1/members/{person}/notifications") => json!({ "mail": { "work": true } }),
        ("POST", "/v1/invitations") => json!({ "email": "new@fresh.example", "role": "billing" }),
        ("POST", "/v1/accounts/{account}/invitations") => json!({ "email": "new@fresh.example", "role": "owner" }),
        ("POST", "/v1/invitations/look" | "/v1/invitations/accept") => json!({ "secret": "none" }),
        ("POST", "/v1/staff") => json!({ "email": "new@fresh.example", "roles": ["support"] }),
        ("PATCH", "/v1/staff/{person}") => json!({ "roles": ["support"] }),
        _ if route.takes_form() => panic!("the walk has no form for {} {}: add it", route.method, route.path),
        _ if route.method == Method::GET || route.method == Method::DELETE => return None,
        _ => json!({}),
    })
}

/// An answer as it goes over the wire.
async fn raw(house: &House, request: Request<Body>) -> (u16, String) {
    let response = house.router.clone().oneshot(request).await.expect("the router answers");
    let (parts, body) = response.into_parts();
    let bytes = axum::body::to_bytes(body, 16 << 20).await.expect("a body");
    let mut text = String::from_utf8_lossy(&bytes).into_owned();
    for (name, value) in &parts.headers {
        text += &format!("\n{name}: {}", String::from_utf8_lossy(value.as_bytes()));
    }
    (parts.status.as_u16(), text)
}

/// Nothing of ours stands in what another was answered, but what they wrote themselves.
#[track_caller]
fn tells_nothing(say: &str, asked: &str, answered: &str, house: &House, things: &Things) {
    let account = house.ours.to_string();
    for needle in things.ids().chain([MARK, account.as_str()]) {
        assert!(!answered.contains(needle) || asked.contains(needle), "{say} tells of {needle}: {answered}");
    }
}

#[tokio::test]
async fn no_byte_of_ours_reaches_another_account() {
    let house = House::new().await;
    let things = things(&house).await;
    for route in table() {
        let (say, path) = (format!("{} {}", route.method, route.path), things.path(route.path));
        let form = form(&route, &house);
        let mut asked = vec![path.clone()];
        for name in route.query {
            let value = match *name {
                "account" => house.ours.to_string(),
                "solution" => things.get("solution").to_owned(),
                "q" | "label" => MARK.to_owned(),
                "kind" => "tiny".to_owned(),
                "clause" => "network.attack".to_owned(),
                _ => continue,
            };
            asked.push(format!("{path}{}{name}={value}", if path.contains('?') { '&' } else { '?' }));
        }
        let ours_in_path = asked[0].split(['/', '?']).any(|part| things.ids().any(|id| id == part));
        for path in asked {
            let request = house.request(&house.other, route.method.as_str(), &path, form.as_ref());
            let (status, answered) = raw(&house, request).await;
            assert!(status < 500, "{say}: {status} {answered}");
            let written = format!("{path}{}", form.clone().unwrap_or_default());
            tells_nothing(&say, &written, &answered, &house, &things);
            if route.permission.reach != Reach::Anybody && ours_in_path {
                // What is about a person is refused to every token.
                let refused = route.permission.reach == Reach::Staff || route.permission.person;
                let wanted = if refused { 403 } else { 404 };
                assert_eq!(status, wanted, "{say} on what is ours: {answered}");
            }
        }
    }
    // Naming our account or our things in a form gets nobody into it.
    for (path, form) in [
        ("/v1/solutions", json!({ "kind": "tiny", "name": "x", "account": house.ours })),
        ("/v1/tokens", json!({ "label": "x", "account": house.ours })),
        ("/v1/tokens", json!({ "label": "x", "scope": { "solutions": [things.get("solution")] } })),
        ("/v1/grants", json!({ "reason": "x", "account": house.ours })),
        ("/v1/grants", json!({ "reason": "x", "solution": things.get("solution") })),
    ] {
        let (status, answered) = raw(&house, house.request(&house.other, "POST", path, Some(&form))).await;
        assert!([404, 422].contains(&status), "{path} {form}: {status}");
        tells_nothing(path, &form.to_string(), &answered, &house, &things);
    }
    house.running.stop().await;
}

/// Each stream is read from its very beginning to something of the reader's own that came after all of ours.
#[tokio::test]
async fn streams_carry_the_readers_own_and_no_more() {
    let house = House::new().await;
    let things = things(&house).await;
    let form = json!({ "kind": "tiny", "name": "their-own" });
    house.send(house.request(&house.other, "POST", "/v1/solutions", Some(&form))).await.is(201);
    let streams: Vec<Route> = table().into_iter().filter(|route| route.summary.contains("stream")).collect();
    assert!(streams.len() >= 2);
    for route in streams {
        let path = things.path(route.path);
        let mut request = house.request(&house.other, "GET", &path, None);
        request.headers_mut().insert("accept", "text/event-stream".parse().unwrap());
        request.headers_mut().insert("last-event-id", "0".parse().unwrap());
        let response = house.router.clone().oneshot(request).await.unwrap();
        if route.path.contains('{') {
            assert_eq!(response.status().as_u16(), 404, "{path}");
            continue;
        }
        assert_eq!(response.headers()["content-type"], "text/event-stream", "{path}: add how it is read");
        let (mut body, mut read) = (response.into_body().into_data_stream(), String::new());
        while !read.contains("their-own was ordered") {
            read += &String::from_utf8_lossy(&body.next().await.expect("it goes on").unwrap());
        }
        tells_nothing(&path, "", &read, &house, &things);
    }
    house.running.stop().await;
}

#[tokio::test]
async fn who_only_reads_changes_nothing_and_staff_need_a_grant() {
    let house = House::new().await;
    let things = things(&house).await;
    let reader = house.call("POST", "/v1/tokens", json!({ "label": "reader" })).await.is(201);
    let reader = reader["token"].as_str().unwrap().to_owned();
    let auditor = json!({ "label": "auditor", "scope": { "capabilities": ["staff-read", "evidence-audit"] } });
    let auditor = house.staff("POST", "/v1/tokens", auditor).await.is(201)["token"].as_str().unwrap().to_owned();
    let ask = async |token: &str, route: &Route, form: &Option<Value>| -> Said {
        house.send(house.request(token, route.method.as_str(), &things.path(route.path), form.as_ref())).await
    };
    for route in table() {
        let Some(capability) = route.permission.capability else { continue };
        let (say, mut form) = (format!("{} {}", route.method, route.path), form(&route, &house));
        if route.permission.writes {
            for (who, token) in [("a reader", &reader), ("an auditor", &auditor)] {
                let said = ask(token, &route, &form).await;
                let code = said.body["refusal"]["code"].as_str().unwrap_or_default().to_owned();
                assert_eq!(said.status.as_u16(), 403, "{say} as {who}: {}", said.body);
                let expected = ["capability-missing", "staff-only", "account-only", "no-person"];
                assert!(expected.contains(&code.as_str()), "{say} as {who}: {code}");
            }
        }
        if capability.changes_solutions() {
            let names_account = ["/v1/solutions", "/v1/networks", "/v1/firewalls"].contains(&route.path);
            if let Some(form) = form.as_mut().filter(|_| names_account) {
                form["account"] = json!(house.ours);
            }
            // The one grant there is is on another solution.
            ask(&house.staff, &route, &form).await.refused(403, "grant-needed");
        }
    }
    // Nothing of it happened.
    let solution = house.get(&format!("/v1/solutions/{}", things.get("solution"))).await;
    assert_eq!((&solution["generation"], &solution["aim"]), (&json!(1), &json!("run")));
    house.running.stop().await;
}

/// The same forms in the right hands go through, so that what others were refused was not refused for its form.
#[tokio::test]
async fn the_right_one_is_let_through_and_a_held_account_by_nothing() {
    let house = House::new().await;
    let things = things(&house).await;
    let (last, first): (Vec<_>, Vec<_>) = table().into_iter().partition(|route| route.method == Method::DELETE);
    // Log-ins, and what nobody needs one for, are walked with people in them elsewhere.
    let by_token = |route: &&Route| {
        !(route.permission.person || route.permission.reach == Reach::Anybody && route.permission.writes)
    };
    for route in first.iter().chain(&last).filter(by_token) {
        let form = form(route, &house);
        let right = if route.permission.reach == Reach::Staff { &house.staff } else { &house.account };
        let request = house.request(right, route.method.as_str(), &things.path(route.path), form.as_ref());
        let said = house.send(request).await;
        let status = said.status.as_u16();
        // Of a node that says nothing nothing is taken over.
        let silent = status == 503 && route.path == "/v1/strays/{stray}/take";
        let conflict = status == 409 || (status == 422 && !route.takes_form()) || silent;
        assert!(said.status.is_success() || conflict, "{} {}: {status} {}", route.method, route.path, said.body);
    }
    house
        .decide(
            json!({ "of": "account", "id": house.theirs }),
            json!({ "reasons": "It scanned 192.0.2.0/24 all night." }),
        )
        .await;
    for route in first.iter().chain(&last).filter(|route| route.permission.capability.is_some()) {
        let form = form(route, &house);
        let request = house.request(&house.other, route.method.as_str(), &things.path(route.path), form.as_ref());
        house.send(request).await.refused(403, "account-held");
    }
    house.running.stop().await;
}

/// A node is believed about what stands on it. One that speaks of another's solutions changes no row of theirs.
#[tokio::test]
async fn a_node_has_no_say_in_what_stands_on_another() {
    let house = House::new().await;
    let (mut own, _) = Node::hello(&house.config.node_socket).await;
    let solution = house.create("shop", json!({})).await;
    let wish = own.wish().await;
    own.settled(&wish).await;
    let id = solution["id"].as_str().unwrap();
    let mut upload = house.request(&house.account, "POST", &format!("/v1/solutions/{id}/archive?format=zip"), None);
    *upload.body_mut() = Body::from("bytes of ours");
    house.send(upload).await.is(202);
    let (order, _) = own.verb().await;
    let decided = house.decide(json!({ "of": "solution", "id": id }), json!({})).await;
    let measure = own.measure().await;
    assert_eq!(decided["id"], json!(measure.id));

    let mut owner = crate::cluster::connect(&house.config.database, Role::Owner).await;
    let mut rows = async || -> Value {
        let sql = "select jsonb_build_object(
            'solution', (select jsonb_agg(to_jsonb(t) order by t.id) from solution t),
            'snapshot', (select jsonb_agg(to_jsonb(t) order by t.id) from snapshot t),
            'order', (select jsonb_agg(to_jsonb(t) order by t.id) from verb_order t),
            'measure', (select jsonb_agg(to_jsonb(t) order by t.id) from measure t),
            'measure_node', (select jsonb_agg(to_jsonb(t) order by t.node) from measure_node t),
            'case', (select jsonb_agg(to_jsonb(t) order by t.id) from case_file t),
            'refused', (select jsonb_agg(to_jsonb(t) order by t.id) from refused t),
            'event', (select jsonb_agg(to_jsonb(t) order by t.id) from event t),
            'evidence', (select jsonb_agg(to_jsonb(t) order by t.id) from evidence t where account is not null))";
        sqlx::query_scalar(sql).fetch_one(&mut owner).await.unwrap()
    };
    let before = rows().await;
    let (mut other, _) = Node::hello_as(&house.config.node_socket, "other").await;
    other.seen(&wish, SeenState::Trouble, |seen| seen.generation += 1).await;
    other.progress(order, VerbState::done()).await;
    other.measured(&measure, MeasureState::InForce).await;
    other
        .say(&FromNode::WishRefused {
            solution: wish.solution,
            epoch: wish.epoch,
            generation: wish.generation,
            why: "no".to_owned(),
        })
        .await;
    for scope in [Scope::Solution { id: wish.solution }, Scope::Account { id: wish.account }] {
        let taken = Measure {
            id: MeasureId::new(),
            revision: 1,
            case: None,
            case_number: "N-other-1".to_owned(),
            clause: "network.attack".parse().unwrap(),
            scope,
            access: Access::None,
            fates: Fates::default(),
            starts: Timestamp::now(),
            ends: None,
            silent_until: None,
            lifted: None,
        };
        other.say(&FromNode::MeasureTaken { measure: Box::new(taken), reasons: "Said by another".to_owned() }).await;
    }
    let refused = Refused {
        solution: wish.solution,
        port: 22,
        net: "192.0.2.1/32".parse().unwrap(),
        attempts: 1,
        first: Timestamp::now(),
        last: Timestamp::now(),
    };
    other.say(&FromNode::Refused { refused: vec![refused] }).await;
    let line = EvidenceLine {
        serial: 1,
        at: Timestamp::now(),
        act: "forged".to_owned(),
        solution: Some(wish.solution),
        detail: json!({}),
        previous: None,
    };
    other.say(&FromNode::Evidence(Box::new(line))).await;
    // Lines are taken in the order they came, so that once this one is kept the others were heard.
    until("it was heard", async || matches!(other.next().await, ToNode::EvidenceKept { .. }).then_some(())).await;
    assert_eq!(rows().await, before);

    // Bytes go to the node that the order is for.
    for (node, bytes) in [("other", ""), ("local", "bytes of ours")] {
        let mut stream = tokio::net::UnixStream::connect(&house.config.node_socket).await.unwrap();
        let fetch = serde_json::to_string(&FromNode::Fetch { node: node.to_owned(), order }).unwrap();
        stream.write_all(format!("{fetch}\n").as_bytes()).await.unwrap();
        let mut got = String::new();
        stream.read_to_string(&mut got).await.unwrap();
        assert_eq!(got, bytes, "as {node}");
    }
    house.running.stop().await;
}
