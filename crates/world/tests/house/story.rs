//! What a newcomer sees: a WordPress site that answers, a second one on another PHP, snapshots and undo, sleep and waking, and
//! nothing left behind.

use super::{pids, site, upload};
use husorden_world::{House, Who, text};
use serde_json::json;
use std::process::Command;

#[test]
fn a_newcomer_gets_a_working_house_and_gets_rid_of_it() {
    let house = House::up("story").expect("the house comes up");

    // The site of the first look answers with its own theme and takes its administrator's log-in.
    let front = house.get("blog.demo-sites.test", "/", &[]).expect("curl runs");
    assert_eq!(front.status, 200, "{front:?}");
    assert!(front.body.contains("/wp-content/themes/"), "the theme is named: {}", front.body);
    let style =
        front.body.split("/wp-content/themes/").nth(1).and_then(|rest| rest.split('/').next()).expect("a theme");
    let sheet =
        house.get("blog.demo-sites.test", &format!("/wp-content/themes/{style}/style.css"), &[]).expect("curl runs");
    assert_eq!((sheet.status, sheet.body.contains("Theme Name")), (200, true));
    log_in(&house, "blog.demo-sites.test");

    // Another beside it, on the older PHP: both are what they say.
    let made = site(
        &house,
        "older",
        json!({
            "domains": ["older.demo-sites.test", "www.older.demo-sites.test"],
            "runtime": "php-8.2",
            "app": { "name": "wordpress", "title": "Older", "admin_email": "owner@older.example", "admin_user": "owner" }
        }),
    );
    assert!(made["credentials"][0]["password"].as_str().is_some_and(|password| password.len() >= 16), "{made}");
    let number = made["solution"]["number"].as_u64().expect("a number");
    assert_eq!(upload(&house, "older", &[("v.php", b"<?php echo PHP_VERSION;")])["state"], "done");
    assert_eq!(upload(&house, "blog", &[("v.php", b"<?php echo PHP_VERSION;")])["state"], "done");
    let version = |domain: &str| house.get(domain, "/v.php", &[]).expect("curl runs").body;
    assert!(version("older.demo-sites.test").starts_with("8.2."));
    assert!(version("blog.demo-sites.test").starts_with("8.4."));
    // A second name leads to the first, and a permalink, which is no file, is answered.
    let other_name = house.get("www.older.demo-sites.test", "/?p=1", &[]).expect("curl runs");
    let target = other_name
        .headers
        .lines()
        .find_map(|line| line.to_ascii_lowercase().strip_prefix("location: ").map(str::to_owned));
    let target = target.unwrap_or_else(|| panic!("a redirect: {other_name:?}"));
    let link = target.strip_prefix("https://older.demo-sites.test").expect("to the main name");
    assert!(link.len() > 2 && !link.contains('?'), "{link} is a permalink");
    assert_eq!(house.get("older.demo-sites.test", link, &[]).expect("curl runs").status, 200, "{link}");

    // A static site needs no engine.
    site(&house, "plain", json!({ "domains": ["plain.demo-sites.test"], "runtime": "static" }));
    assert_eq!(upload(&house, "plain", &[("index.html", b"<h1>plain</h1>"), ("a/b.txt", b"deep")])["state"], "done");
    assert_eq!(house.get("plain.demo-sites.test", "/a/b.txt", &[]).expect("curl runs").body, "deep");

    snapshots_and_undo(&house);
    sleep_and_wake(&house, number);
    moved_to_another_runtime(&house);
    deleted_and_brought_back(&house);
    leaves_nothing(&house);
}

fn log_in(house: &House, domain: &str) {
    let path = house.status()["demo"]["credentials"].as_str().expect("credentials");
    let credentials: toml::Table = std::fs::read_to_string(path).expect("they are read").parse().expect("toml");
    let admin = |key: &str| credentials["site"][key].as_str().expect("an admin").to_owned();
    let jar = tempfile::NamedTempFile::new().expect("a cookie jar");
    let jar = jar.path().display().to_string();
    let form = format!("pwd={}", admin("admin_password"));
    let user = format!("log={}", admin("admin_user"));
    let (cookies, test) = (["-c", &jar, "-b", &jar], "wordpress_test_cookie=WP%20Cookie%20check");
    let mut arguments = vec!["--data-urlencode", &user, "--data-urlencode", &form, "-d", "testcookie=1", "-H"];
    let header = format!("Cookie: {test}");
    arguments.push(&header);
    arguments.extend(["-c", &jar]);
    let answer = house.get(domain, "/wp-login.php", &arguments).expect("curl runs");
    assert_eq!(answer.status, 302, "the log-in is taken: {answer:?}");
    let dashboard = house.get(domain, "/wp-admin/", &cookies).expect("curl runs");
    assert_eq!(dashboard.status, 200);
    assert!(dashboard.body.contains("wpadminbar"), "the administrator's bar is there");
}

fn snapshots_and_undo(house: &House) {
    let order = house
        .api(Who::Account, "POST", "/v1/solutions/plain/snapshots", Some(&json!({ "label": "before the storm" })))
        .expect("the API answers");
    assert_eq!(order.status, 202, "{:?}", order.body);
    let done = house.wait_order(order.body["id"].as_str().expect("an id")).expect("it ends");
    assert_eq!(done["state"], "done");
    let snapshot = done["snapshot"].as_str().expect("a snapshot").to_owned();
    assert_eq!(upload(house, "plain", &[("index.html", b"<h1>changed</h1>")])["state"], "done");
    let front = || house.get("plain.demo-sites.test", "/", &[]).expect("curl runs").body;
    assert_eq!(front(), "<h1>changed</h1>");
    let restore = format!("/v1/solutions/plain/snapshots/{snapshot}/restore");
    let order = house.api(Who::Account, "POST", &restore, None).expect("the API answers");
    assert_eq!(house.wait_order(order.body["id"].as_str().expect("an id")).expect("it ends")["state"], "done");
    assert_eq!(front(), "<h1>plain</h1>");
    let order = house.api(Who::Account, "POST", "/v1/solutions/plain/undo", None).expect("the API answers");
    assert_eq!(order.status, 202, "{:?}", order.body);
    assert_eq!(house.wait_order(order.body["id"].as_str().expect("an id")).expect("it ends")["state"], "done");
    assert_eq!(front(), "<h1>changed</h1>", "undo brings back what the restore took away");
}

fn sleep_and_wake(house: &House, number: u64) {
    assert_eq!(house.get("older.demo-sites.test", "/", &[]).expect("curl runs").status, 200);
    assert!(!pids(house, number, "php").is_empty() && !pids(house, number, "db").is_empty());
    let order = house.api(Who::Account, "POST", "/v1/solutions/older/sleep", None).expect("the API answers");
    assert_eq!(house.wait_order(order.body["id"].as_str().expect("an id")).expect("it ends")["state"], "done");
    assert_eq!((pids(house, number, "php"), pids(house, number, "db")), (vec![], vec![]), "asleep it costs no process");
    // A static file does not wake it; a page does, and nobody sees more than a slow answer.
    assert_eq!(
        house.get("older.demo-sites.test", "/wp-includes/css/dashicons.min.css", &[]).expect("curl runs").status,
        200
    );
    assert!(pids(house, number, "php").is_empty());
    assert_eq!(house.get("older.demo-sites.test", "/", &[]).expect("curl runs").status, 200);
    assert!(!pids(house, number, "php").is_empty());
    // Told to sleep while it is still starting, it does.
    for verb in ["sleep", "wake", "sleep"] {
        let order =
            house.api(Who::Account, "POST", &format!("/v1/solutions/older/{verb}"), None).expect("the API answers");
        let ended = house.wait_order(order.body["id"].as_str().expect("an id")).expect("it ends");
        assert_eq!(ended["state"], "done", "{verb}: {ended}");
    }
    // It may wake once more: a knock that nobody had answered when it fell asleep is still a knock.
}

fn moved_to_another_runtime(house: &House) {
    let now = house.api(Who::Account, "GET", "/v1/solutions/older", None).expect("the API answers");
    let etag = format!("\"{}\"", now.etag.expect("an etag"));
    let change = json!({ "spec": { "runtime": "php-8.4" } }).to_string();
    let headers = [("content-type", "application/json"), ("if-match", etag.as_str())];
    let changed = house
        .api_raw(Who::Account, "PATCH", "/v1/solutions/older", &headers, change.as_bytes())
        .expect("the API answers");
    assert_eq!(changed.status, 200, "{:?}", changed.body);
    house.wait_state("older", "running").expect("it runs on the new one");
    let version = || house.get("older.demo-sites.test", "/v.php", &[]).expect("curl runs").body;
    assert!(version().starts_with("8.4."), "{}", version());
    // Two writers at once: the second, who saw the older state, is told.
    let stale = house
        .api_raw(Who::Account, "PATCH", "/v1/solutions/older", &headers, change.as_bytes())
        .expect("the API answers");
    assert_eq!(stale.status, 412, "{:?}", stale.body);
}

fn deleted_and_brought_back(house: &House) {
    let gone = house.api(Who::Account, "DELETE", "/v1/solutions/plain", None).expect("the API answers");
    assert!(matches!(gone.status, 200 | 202), "{:?}", gone.body);
    house.wait_state("plain", "deleted").expect("it goes");
    assert!(!house.get("plain.demo-sites.test", "/", &[]).expect("curl runs").body.contains("changed"));
    let back = house.api(Who::Account, "POST", "/v1/solutions/plain/undo", None).expect("the API answers");
    assert!(matches!(back.status, 200 | 202), "{:?}", back.body);
    house.wait_state("plain", "running").expect("it is back");
    assert_eq!(house.get("plain.demo-sites.test", "/", &[]).expect("curl runs").body, "<h1>changed</h1>");
}

fn leaves_nothing(house: &House) {
    let again = std::time::Instant::now();
    let second = house.run(&["up", "--demo", "--detach"]).expect("it runs");
    assert!(second.status.success(), "{}", text(&second.stderr));
    eprintln!("a second up took {:?}", again.elapsed());
    let down = house.down().expect("it runs");
    assert!(down.status.success(), "{}{}", text(&down.stdout), text(&down.stderr));
    let shell = |command: &str| text(&Command::new("sh").args(["-c", command]).output().expect("a shell").stdout);
    for (what, command) in [
        ("namespaces", format!("ls /run/husorden-netns 2>/dev/null | grep -e '^hus-{}'", house.instance)),
        ("loop devices", format!("losetup -ln -O BACK-FILE | grep {}", house.home().display())),
        ("mounts", format!("grep -e husorden/{i} -e {h} /proc/mounts", i = house.instance, h = house.home().display())),
        ("cgroups", format!("find /sys/fs/cgroup -type d -path '*husorden/{}*'", house.instance)),
        ("processes", format!("pgrep -af 'husorden.*{}' | grep -v -e pgrep -e 'sh -c'", house.home().display())),
        ("links", format!("ip -o link | grep -e hus-{}", house.instance)),
    ] {
        assert_eq!(shell(&command), "", "{what} are left");
    }
}
