//! A measure, from the decision to the closed site and back: over every role's death, with control dead, on an account.

use super::{pids, site, upload};
use husorden_world::{House, PATIENCE, Who, text};
use serde_json::{Value, json};
use std::io::Read;
use std::time::{Duration, Instant};

const WHY: &str = "The site answered requests with a page that asks visitors for their bank's password.";

#[test]
fn a_measure_holds_over_everything() {
    let house = House::up("measure").expect("the house comes up");
    let made =
        site(&house, "shop", json!({ "domains": ["shop.demo-sites.test"], "runtime": "php-8.4", "database": "none" }));
    let (id, number) =
        (made["solution"]["id"].as_str().expect("an id"), made["solution"]["number"].as_u64().expect("a number"));
    let slow = b"<?php header('Content-Type: text/plain'); while (ob_get_level()) ob_end_flush(); for ($i = 0; $i < 600; $i++) { echo \"tick $i\\n\"; flush(); usleep(100000); }";
    let files: &[(&str, &[u8])] = &[("index.php", b"<?php echo 'open for business';"), ("slow.php", slow)];
    assert_eq!(upload(&house, "shop", files)["state"], "done");
    assert_eq!(house.get("shop.demo-sites.test", "/", &[]).expect("curl runs").body, "open for business");

    let measure = cut_while_open(&house, id, number);
    survives_every_death(&house, number);
    lift(&house, &measure);
    a_probe_that_is_cut_off(&house, id);
    with_control_dead(&house);
    whole_account(&house, made["solution"]["account"].as_str().expect("an account"));
}

pub(crate) fn decide(house: &House, scope: &Value) -> Value {
    let target =
        if scope["of"] == "account" { json!({ "account": scope["id"] }) } else { json!({ "solution": scope["id"] }) };
    let mut case = json!({ "clause": "network.attack", "facts": "Seen by two banks." });
    case.as_object_mut().expect("an object").extend(target.as_object().expect("an object").clone());
    let opened = house.api(Who::Staff, "POST", "/v1/cases", Some(&case)).expect("the API answers");
    assert_eq!(opened.status, 201, "{:?}", opened.body);
    let path = format!("/v1/cases/{}/decisions", opened.body["id"].as_str().expect("an id"));
    // A decision without reasons is none.
    let bare = json!({ "clause": "network.attack", "reasons": "bad", "scope": scope });
    assert_eq!(house.api(Who::Staff, "POST", &path, Some(&bare)).expect("the API answers").status, 422);
    let decision = json!({ "clause": "network.attack", "reasons": WHY, "scope": scope });
    // The account can't decide in its own case.
    let own = house.api(Who::Account, "POST", &path, Some(&decision)).expect("the API answers");
    assert!(matches!(own.status, 403 | 404), "{:?}", own.body);
    let decided = house.api(Who::Staff, "POST", &path, Some(&decision)).expect("the API answers");
    assert_eq!(decided.status, 201, "{:?}", decided.body);
    decided.body
}

fn wait_measure(house: &House, measure: &str, state: &str) -> Value {
    let end = Instant::now() + PATIENCE;
    loop {
        let list = house.api(Who::Staff, "GET", "/v1/measures", None).expect("the API answers");
        let found =
            list.body["items"].as_array().and_then(|items| items.iter().find(|item| item["id"] == measure)).cloned();
        match found {
            Some(found) if found["state"] == state => return found,
            other if Instant::now() > end => panic!("the measure is not {state}: {other:?}"),
            Some(_) | None => std::thread::sleep(Duration::from_millis(20)),
        }
    }
}

fn wait_seen(house: &House, measure: &Value, what: &str) -> Value {
    let end = Instant::now() + PATIENCE;
    loop {
        let list = house.api(Who::Staff, "GET", "/v1/measures", None).expect("the API answers");
        let found =
            list.body["items"].as_array().and_then(|items| items.iter().find(|item| item["id"] == measure["id"]));
        let seen = found.map(|found| found["seen"].clone()).unwrap_or_default();
        if seen["what"] == what {
            return seen;
        }
        assert!(Instant::now() < end, "the measure is not seen {what} from outside: {found:?}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// A running response is cut in the middle, and the page that strangers see names the case and nothing else.
fn cut_while_open(house: &House, solution: &str, number: u64) -> Value {
    let mut open = house
        .curl("shop.demo-sites.test", "/slow.php")
        .args(["-sN", "--max-time", "600"])
        .stdout(std::process::Stdio::piped())
        .spawn()
        .expect("curl starts");
    let mut answer = open.stdout.take().expect("a pipe");
    answer.read_exact(&mut [0; 5]).expect("it has begun");
    let measure = decide(house, &json!({ "of": "solution", "id": solution }));
    let mut rest = String::new();
    answer.read_to_string(&mut rest).expect("it is read");
    let ended = open.wait().expect("curl ends");
    assert!(!rest.contains("tick 599"), "the open answer was cut, not waited for");
    assert!(!ended.success(), "an answer that was cut does not look whole");
    wait_measure(house, measure["id"].as_str().expect("an id"), "in-force");
    assert_closed(house);
    // A probe in a network of its own met the closed page over TLS, as a stranger does.
    let seen = wait_seen(house, &measure, "closed");
    assert_eq!((&seen["status"], &seen["asked"]), (&json!(403), &json!(1)), "{seen}");
    let closed = house.get("shop.demo-sites.test", "/", &["-H", "Accept-Language: da"]).expect("curl runs");
    assert!(closed.body.contains(measure["case_number"].as_str().expect("a number")), "{}", closed.body);
    assert!(!closed.body.contains("network.attack") && !closed.body.contains("password"), "strangers see no reasons");
    assert!(closed.body.contains("lang=\"da\""), "{}", closed.body);
    house.wait_state("shop", "closed").expect("the API says so too");
    let end = Instant::now() + PATIENCE;
    while !pids(house, number, "php").is_empty() {
        assert!(Instant::now() < end, "nothing of a closed site runs");
        std::thread::sleep(Duration::from_millis(50));
    }
    let refused = house.api(Who::Account, "POST", "/v1/solutions/shop/start", None).expect("the API answers");
    assert_eq!(refused.status, 403, "{:?}", refused.body);
    assert!(
        refused.body["refusal"]["clause"].is_string() && refused.body["refusal"]["complain"].is_string(),
        "{:?}",
        refused.body
    );
    measure
}

fn assert_closed(house: &House) {
    let page = house.get("shop.demo-sites.test", "/", &[]).expect("curl runs");
    assert_eq!(page.status, 403, "{page:?}");
    assert!(!page.body.contains("open for business"));
}

/// Each role dies in turn; while it is away and when it is back, the site is never open.
fn survives_every_death(house: &House, number: u64) {
    for role in ["control", "node", "edge"] {
        let old = house.kill(role).expect("it ran");
        let end = Instant::now() + Duration::from_secs(3);
        while Instant::now() < end {
            let page = house.get("shop.demo-sites.test", "/", &["--max-time", "2"]).expect("curl runs");
            assert!(matches!(page.status, 0 | 403), "open after the death of {role}: {page:?}");
            std::thread::sleep(Duration::from_millis(100));
        }
        house.wait_reborn(role, old).expect("it is back");
        let end = Instant::now() + PATIENCE;
        while house.get("shop.demo-sites.test", "/", &[]).expect("curl runs").status != 403 {
            assert!(Instant::now() < end, "the edge answers again");
        }
        assert_closed(house);
        assert!(pids(house, number, "php").is_empty());
    }
}

fn lift(house: &House, measure: &Value) {
    let path = format!("/v1/measures/{}/lift", measure["id"].as_str().expect("an id"));
    let lifted = house
        .api(Who::Staff, "POST", &path, Some(&json!({ "reasons": "The page was removed and the hole was closed." })))
        .expect("the API answers");
    assert!(matches!(lifted.status, 200 | 202), "{:?}", lifted.body);
    wait_open(house);
    wait_measure(house, measure["id"].as_str().expect("an id"), "lifted");
    wait_seen(house, measure, "open");
}

fn wait_open(house: &House) {
    let end = Instant::now() + PATIENCE;
    loop {
        let page = house.get("shop.demo-sites.test", "/", &[]).expect("curl runs");
        if page.status == 200 && page.body == "open for business" {
            return;
        }
        assert!(Instant::now() < end, "it is served again: {page:?}");
        std::thread::sleep(Duration::from_millis(50));
    }
}

/// With control stopped dead the sites are served, and a node closes one by itself; control hears of it when it is back.
fn with_control_dead(house: &House) {
    let control = house.pid("control").expect("it runs");
    let pid = nix::unistd::Pid::from_raw(control);
    nix::sys::signal::kill(pid, nix::sys::signal::Signal::SIGSTOP).expect("it is stopped");
    wait_open(house);
    let taken =
        house.run(&["node", "suspend", "shop", "--clause", "network.attack", "--reasons", WHY]).expect("it runs");
    assert!(taken.status.success(), "{}{}", text(&taken.stdout), text(&taken.stderr));
    assert_closed(house);
    let lifted = house.run(&["node", "lift", "shop"]).expect("it runs");
    assert!(lifted.status.success(), "{}{}", text(&lifted.stdout), text(&lifted.stderr));
    wait_open(house);
    let taken =
        house.run(&["node", "suspend", "shop", "--clause", "network.attack", "--reasons", WHY]).expect("it runs");
    assert!(taken.status.success(), "{}{}", text(&taken.stdout), text(&taken.stderr));
    nix::sys::signal::kill(pid, nix::sys::signal::Signal::SIGCONT).expect("it goes on");
    let end = Instant::now() + PATIENCE;
    let heard = loop {
        let list = house.api(Who::Staff, "GET", "/v1/measures", None).expect("the API answers");
        let items = list.body["items"].as_array().cloned().unwrap_or_default();
        if let Some(heard) = items.into_iter().find(|item| item["state"] == "in-force") {
            break heard;
        }
        assert!(Instant::now() < end, "control hears what the node did: {:?}", list.body);
        std::thread::sleep(Duration::from_millis(100));
    };
    assert_closed(house);
    // It has a case now, and is lifted there.
    lift(house, &heard);
}

/// While the probe can't reach the edge the measure is in force and not seen, and says why; then it is seen by itself.
fn a_probe_that_is_cut_off(house: &House, solution: &str) {
    let rule = |verb: &str| {
        let network = format!("--net=/run/husorden-netns/hus-{}", house.instance);
        let script = match verb {
            "add" => format!(
                "nft add table inet stop; nft 'add chain inet stop in {{ type filter hook input priority -5; }}'; nft add rule inet stop in iifname hus-{}-p drop",
                house.instance
            ),
            _ => "nft delete table inet stop".to_owned(),
        };
        let done = std::process::Command::new("nsenter").args([network.as_str(), "sh", "-c", &script]).status();
        assert!(done.expect("nsenter runs").success(), "{script}");
    };
    rule("add");
    let measure = decide(house, &json!({ "of": "solution", "id": solution }));
    wait_measure(house, measure["id"].as_str().expect("an id"), "in-force");
    let seen = wait_seen(house, &measure, "not-seen");
    assert!(seen["why"]["en"].as_str().is_some_and(|why| why.contains("No connection to")), "{seen}");
    rule("delete");
    wait_seen(house, &measure, "closed");
    lift(house, &measure);
}

/// An account's measure closes all it has, and what it makes meanwhile; its token is dead and says by which decision.
fn whole_account(house: &House, account: &str) {
    let measure = decide(house, &json!({ "of": "account", "id": account }));
    wait_measure(house, measure["id"].as_str().expect("an id"), "in-force");
    assert_closed(house);
    assert_eq!(house.get("blog.demo-sites.test", "/", &[]).expect("curl runs").status, 403);
    let refused = house.api(Who::Account, "GET", "/v1/solutions", None).expect("the API answers");
    assert_eq!(refused.status, 403, "{:?}", refused.body);
    let own = house.api(Who::Account, "GET", "/v1/measures", None).expect("the API answers");
    assert_eq!((own.status, &own.body["refusal"]["case"]), (403, &measure["case_number"]), "{:?}", own.body);
    let glass = json!({ "account": account, "break_glass": "A site is made while the account is held" });
    let broken = house.api(Who::Staff, "POST", "/v1/grants", Some(&glass)).expect("the API answers");
    assert_eq!(broken.status, 201, "{:?}", broken.body);
    let body = json!({ "kind": "website", "name": "late", "account": account, "spec": { "domains": ["late.demo-sites.test"], "runtime": "static" } });
    let late = house.api(Who::Staff, "POST", "/v1/solutions", Some(&body)).expect("the API answers");
    assert_eq!(late.status, 201, "{:?}", late.body);
    let end = Instant::now() + PATIENCE;
    while house.get("late.demo-sites.test", "/", &[]).expect("curl runs").status != 403 {
        assert!(Instant::now() < end, "what an account makes under a measure is born closed");
        std::thread::sleep(Duration::from_millis(200));
    }
    lift(house, &measure);
    super::eventually(house, "blog.demo-sites.test", "/", 200);
}
