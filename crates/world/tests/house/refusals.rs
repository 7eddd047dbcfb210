//! Bad input and bad neighbours: what is refused, with which words, and that nothing is lost by it.

use super::{site, upload, upload_raw};
use husorden_world::{House, PATIENCE, Who, text};
use serde_json::{Value, json};
use std::io::{Read, Write};
use std::time::{Duration, Instant};

#[test]
fn bad_input_is_named_at_its_field_and_bad_code_hurts_nobody() {
    let house = House::up("refuse").expect("the house comes up");
    forms(&house);
    site(
        &house,
        "bad",
        json!({ "domains": ["bad.demo-sites.test"], "runtime": "php-8.4", "database": "none", "size": 300 << 20 }),
    );
    site(&house, "good", json!({ "domains": ["good.demo-sites.test"], "runtime": "php-8.4", "database": "none" }));
    assert_eq!(
        upload(&house, "good", &[("secret.txt", b"only mine"), ("index.php", b"<?php echo 'fine';")])["state"],
        "done"
    );
    archives(&house);
    links_and_hidden_files(&house);
    loops_and_memory(&house);
    mail_is_refused_with_a_reason(&house);
    slow_headers(&house);
    full_volume(&house);
    // After all of it the neighbour has noticed nothing.
    assert_eq!(house.get("good.demo-sites.test", "/", &[]).expect("curl runs").body, "fine");
}

fn forms(house: &House) {
    let create = |spec: Value| {
        let body = json!({ "kind": "website", "name": "form", "spec": spec });
        house.api(Who::Account, "POST", "/v1/solutions", Some(&body)).expect("the API answers")
    };
    let long = format!("{}.example", "a".repeat(64));
    for (spec, pointer) in [
        (json!({ "domains": ["*.shop.example"] }), "/spec/domains/0"),
        (json!({ "domains": ["ok.demo-sites.test", "no dots"] }), "/spec/domains/1"),
        (json!({ "domains": [long] }), "/spec/domains/0"),
        (json!({ "domains": [] }), "/spec/domains"),
        (json!({ "domains": ["ok.demo-sites.test"], "colour": "red" }), "/spec/colour"),
        (json!({ "domains": ["ok.demo-sites.test"], "runtime": "php-5.6" }), "/spec/runtime"),
        // The demo's own site has it.
        (json!({ "domains": ["blog.demo-sites.test"] }), "/spec/domains/0"),
    ] {
        let answer = create(spec.clone());
        assert!(matches!(answer.status, 409 | 422), "{spec}: {:?}", answer.body);
        let fields = answer.body["refusal"]["fields"].as_array().cloned().unwrap_or_default();
        assert!(fields.iter().any(|field| field["pointer"] == pointer), "{spec} names {pointer}: {:?}", answer.body);
    }
    // An international name is taken in its ASCII form.
    let made = create(json!({ "domains": ["blåbær.demo-sites.test"], "runtime": "static" }));
    assert_eq!(made.status, 201, "{:?}", made.body);
    assert_eq!(made.body["solution"]["spec"]["domains"][0], "xn--blbr-roah.demo-sites.test");
    let unknown = json!({ "kind": "castle", "name": "form2", "spec": {} });
    assert_eq!(house.api(Who::Account, "POST", "/v1/solutions", Some(&unknown)).expect("the API answers").status, 422);
    assert_eq!(house.api(Who::Nobody, "GET", "/v1/solutions", None).expect("the API answers").status, 401);
    // The same words reach a person on the command line.
    let said = house
        .cli(Who::Account, &["website", "create", "form3", "--domains", "*.shop.example", "--yes"])
        .expect("the command line runs");
    assert!(!said.status.success());
    assert!(text(&said.stderr).contains("wildcard"), "{}", text(&said.stderr));
}

fn archives(house: &House) {
    let shell = |script: &str| std::process::Command::new("sh").args(["-c", script]).output().expect("a shell").stdout;
    let escape = shell("cd $(mktemp -d) && touch x && tar -cPf - --transform 's,x,../../escape,' x");
    let link = shell("cd $(mktemp -d) && ln -s /etc/passwd l && tar -cf - l");
    let bomb = shell("cd $(mktemp -d) && head -c 100M /dev/zero >z && tar -czf - z");
    for (archive, format, code) in [
        (escape, "tar", "archive-path"),
        (link, "tar", "archive-link"),
        (bomb, "tar.gz", "archive-bomb"),
        (b"junk".to_vec(), "zip", "archive-damaged"),
    ] {
        let order = upload_raw(house, "bad", format, &archive);
        assert_eq!(order["state"], "failed", "{code}: {order}");
        let message = order["message"].as_str().unwrap_or_default();
        assert!(message.contains("Nothing was changed"), "{code}: {order}");
    }
    let found = std::process::Command::new("find")
        .args([&format!("/run/husorden/{}/pools/main/solutions", house.instance), "-name", "escape"])
        .output()
        .expect("find");
    assert_eq!(text(&found.stdout), "", "nothing of a refused archive lies anywhere");
}

/// Code on one site makes links to a neighbour's file; neither the edge nor PHP gets there.
fn links_and_hidden_files(house: &House) {
    let neighbour =
        house.api(Who::Account, "GET", "/v1/solutions/good", None).expect("the API answers").body["number"].clone();
    let run = format!("/run/husorden/{}/pools/main/solutions/{neighbour}/live/www/secret.txt", house.instance);
    let script = format!(
        "<?php @symlink('{run}', __DIR__.'/a.txt'); @symlink('../../../{neighbour}/live/www/secret.txt', __DIR__.'/b.txt'); @symlink('/etc/passwd', __DIR__.'/c.txt'); echo @file_get_contents('{run}') === false ? 'shut' : 'open';"
    );
    let files: &[(&str, &[u8])] = &[
        ("links.php", script.as_bytes()),
        (".env", b"SECRET=1"),
        ("sub/.git/config", b"x"),
        ("wp-config.php", b"<?php 'x';"),
    ];
    assert_eq!(upload(house, "bad", files)["state"], "done");
    assert_eq!(house.get("bad.demo-sites.test", "/links.php", &[]).expect("curl runs").body, "shut");
    for path in ["/a.txt", "/b.txt", "/c.txt", "/.env", "/sub/.git/config", "/wp-config.php", "/..%2f..%2fetc/passwd"] {
        let page = house.get("bad.demo-sites.test", path, &["--path-as-is"]).expect("curl runs");
        assert!(matches!(page.status, 400 | 403 | 404), "{path}: {page:?}");
        assert!(
            !page.body.contains("only mine") && !page.body.contains("root:") && !page.body.contains("SECRET"),
            "{path}"
        );
    }
    assert_eq!(house.get("good.demo-sites.test", "/secret.txt", &[]).expect("curl runs").body, "only mine");
}

fn loops_and_memory(house: &House) {
    let files: &[(&str, &[u8])] = &[
        ("loop.php", b"<?php while (true) {}"),
        ("eat.php", b"<?php ini_set('memory_limit', '-1'); $a = []; while (true) { $a[] = str_repeat('x', 1 << 20); }"),
        ("ok.php", b"<?php echo 'still here';"),
    ];
    assert_eq!(upload(house, "bad", files)["state"], "done");
    let change = json!({ "spec": { "php": { "max_execution_s": 2 } } });
    assert_eq!(
        house.api(Who::Account, "PATCH", "/v1/solutions/bad", Some(&change)).expect("the API answers").status,
        200
    );
    house.wait_state("bad", "running").expect("it is changed");
    let endless = house.get("bad.demo-sites.test", "/loop.php", &[]).expect("curl runs");
    assert!(endless.status >= 500 || endless.body.contains("Maximum execution time"), "{endless:?}");
    let hungry = house.get("bad.demo-sites.test", "/eat.php", &[]).expect("curl runs");
    assert!(hungry.status >= 500 || hungry.body.contains("memory"), "{hungry:?}");
    let end = Instant::now() + PATIENCE;
    loop {
        let page = house.get("bad.demo-sites.test", "/ok.php", &[]).expect("curl runs");
        if page.body == "still here" {
            break;
        }
        assert!(Instant::now() < end, "the site is back after its own greed: {page:?}");
        std::thread::sleep(Duration::from_millis(200));
    }
}

fn mail_is_refused_with_a_reason(house: &House) {
    let script = b"<?php var_dump(mail('a@shop.example', 's', 'b'));";
    assert_eq!(upload(house, "bad", &[("mail.php", script)])["state"], "done");
    let page = house.get("bad.demo-sites.test", "/mail.php", &[]).expect("curl runs");
    assert!(page.body.contains("bool(false)"), "{page:?}");
}

/// A client that never finishes its headers is let go, and others are served meanwhile.
fn slow_headers(house: &House) {
    let edge = house.status()["addresses"]["edge"].as_str().expect("an address").to_owned();
    let edge: std::net::IpAddr = edge.trim_matches(['[', ']']).parse().expect("an address");
    let mut slow = std::net::TcpStream::connect((edge, 80)).expect("it connects");
    slow.write_all(b"GET / HTTP/1.1\r\nHost: good.demo-sites.test\r\nX-").expect("it sends");
    assert_eq!(house.get("good.demo-sites.test", "/", &[]).expect("curl runs").body, "fine");
    slow.set_read_timeout(Some(PATIENCE)).expect("a time-out");
    let mut rest = Vec::new();
    match slow.read_to_end(&mut rest) {
        Ok(_) => {}
        // Cut without a word is an end too; a time-out of the test's own is not.
        Err(error) => {
            assert_eq!(error.kind(), std::io::ErrorKind::ConnectionReset, "the edge ends it before the test does")
        }
    }
    assert!(rest.is_empty() || rest.starts_with(b"HTTP/1.1 408"), "{}", text(&rest));
}

/// A site fills its volume: it gets an error it can read, and what was there stays; room made is room.
fn full_volume(house: &House) {
    let script = b"<?php $n = 0; $f = fopen(__DIR__.'/big.bin', 'w'); $block = random_bytes(1 << 20); while ($n < 600) { if (@fwrite($f, $block) !== strlen($block) || !@fflush($f)) { break; } $n++; } echo $n < 600 ? 'full' : 'endless';";
    let files: &[(&str, &[u8])] =
        &[("fill.php", script), ("free.php", b"<?php echo unlink(__DIR__.'/big.bin') ? 'freed' : 'kept';")];
    assert_eq!(upload(house, "bad", files)["state"], "done");
    assert_eq!(
        house
            .api(
                Who::Account,
                "PATCH",
                "/v1/solutions/bad",
                Some(&json!({ "spec": { "php": { "max_execution_s": 60 } } }))
            )
            .expect("the API answers")
            .status,
        200
    );
    house.wait_state("bad", "running").expect("it is changed");
    assert_eq!(house.get("bad.demo-sites.test", "/fill.php", &[]).expect("curl runs").body, "full");
    // Asleep and woken with a full volume it still answers.
    let order = house.api(Who::Account, "POST", "/v1/solutions/bad/sleep", None).expect("the API answers");
    house.wait_order(order.body["id"].as_str().expect("an id")).expect("it ends");
    assert_eq!(house.get("bad.demo-sites.test", "/ok.php", &[]).expect("curl runs").body, "still here");
    let order = upload_raw(house, "bad", "tar", &tar_of_random(64 << 20));
    assert_eq!(order["state"], "failed", "{order}");
    assert!(
        order["message"].as_str().is_some_and(|message| message.contains("room") || message.contains("space")),
        "{order}"
    );
    assert_eq!(house.get("bad.demo-sites.test", "/free.php", &[]).expect("curl runs").body, "freed");
}

fn tar_of_random(bytes: usize) -> Vec<u8> {
    let script = format!("cd $(mktemp -d) && head -c {bytes} /dev/urandom >r && tar -cf - r && rm r");
    std::process::Command::new("sh").args(["-c", &script]).output().expect("a shell").stdout
}
