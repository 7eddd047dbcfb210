//! The pages over an API that answers what a real one seldom does: failed proofs, expired backups, folders of thousands, names that are no
//! text. The API is played at its door; the pages are the whole pages, in both languages.

use crate::pages::solution::played::{Played, SOLUTION, backup, page, plan, proof, says, session, solution};
use http::{Method, StatusCode};
use husorden_wire::api;
use serde_json::{Value, json};

#[tokio::test]
async fn the_tab_says_how_it_stands_and_what_can_be_done() {
    let mut played = Played::new();
    let shown = played.get("/solutions/shop/backups", "en").await;
    says(
        &shown,
        &[
            "Back up now",
            "42 s",
            "Opened",
            "12\u{202f}345 files",
            "3.2 GiB",
            "13.4 MiB",
            "Each day between 01:00 and 05:00",
            "/backups/b3/restore",
        ],
    );
    says(
        &played.get("/solutions/shop/backups", "da").await,
        &["Tag backup nu", "Åbnet", "Daglig · offsite", "Bestilt", "kl. 01.00 og 05.00"],
    );

    // Under way: how far it is, and no second one is offered.
    let mut busy = plan();
    busy["under_way"] = backup("b4", 4);
    played.on(&format!("{SOLUTION}/backup-plan"), busy);
    played.on(&format!("{SOLUTION}/orders"), page(&[json!({ "id": "o4", "solution": "x", "verb": "back-up", "state": "running", "percent": 61, "message": "Reading", "created": "2026-11-24T01:00:00Z" })]));
    let shown = played.get("/solutions/shop/backups", "en").await;
    says(&shown, &["A backup is being made", "value=\"61\"", "Reading"]);
    assert!(!shown.contains("Back up now"), "one at a time");

    // A restore that is done can be undone; looking into a backup since does not hide that.
    let order = |id: &str, verb: &str, state: &str| json!({ "id": id, "solution": "x", "verb": verb, "state": state, "created": "2026-11-24T01:00:00Z", "ended": "2026-11-24T01:01:00Z" });
    played.on(
        &format!("{SOLUTION}/orders"),
        page(&[order("1", "backup-restore", "done"), order("2", "backup-read", "done")]),
    );
    says(&played.get("/solutions/shop/backups", "en").await, &["The restore is done", "/solutions/shop/undo"]);
    played
        .on(&format!("{SOLUTION}/orders"), page(&[order("1", "backup-restore", "done"), order("2", "update", "done")]));
    assert!(
        !played.get("/solutions/shop/backups", "en").await.contains("The restore is done"),
        "another change came since"
    );

    // None yet, nowhere to put them, and a plan that is off.
    played.on(
        &format!("{SOLUTION}/backup-plan"),
        json!({ "on": false, "required": false, "reason": "It is a copy", "hour": 1, "hours": 4, "zone": "UTC" }),
    );
    played.on(&format!("{SOLUTION}/backups"), page(&[]));
    let shown = played.get("/solutions/shop/backups", "en").await;
    says(&shown, &["None yet", "Turned off", "It is a copy", "no place to put backups"]);
    assert!(!shown.contains("Back up now"));

    // Who may only read sees how it stands, and no more.
    let mut reader = Played::new();
    reader.on("/v1/session", session(&["own", "read"]));
    let shown = reader.get("/solutions/shop/backups", "en").await;
    for text in ["Back up now", "/restore", "/files", "Save the plan"] {
        assert!(!shown.contains(text), "{text}");
    }
}

#[tokio::test]
async fn a_backup_made_now_and_a_plan_are_ordered() {
    let mut played = Played::new();
    played.on(&format!("{SOLUTION}/backups"), page(&[]));
    assert_eq!(played.post("/solutions/shop/backups", "/solutions/shop/backups", "").await, "/solutions/shop/backups");
    assert_eq!(played.last(&Method::POST).0, format!("{SOLUTION}/backups"));
    let form = "_plan=yes&%2Fhour=3&%2Fhours=2&%2Fzone=UTC&%2Freason=A+copy";
    assert_eq!(
        played.post("/solutions/shop/backups", "/solutions/shop/backups/plan", form).await,
        "/solutions/shop/backups"
    );
    let (path, body) = played.last(&Method::PUT);
    assert_eq!(
        (path, body),
        (
            format!("{SOLUTION}/backup-plan"),
            json!({ "on": false, "reason": "A copy", "hour": 3, "hours": 2, "zone": "UTC" })
        )
    );
    played.post("/solutions/shop/backups", "/solutions/shop/backups/plan", &format!("{form}&%2Fon=on")).await;
    let asked: api::BackupPlanChange = serde_json::from_value(played.last(&Method::PUT).1).expect("what the API takes");
    assert_eq!((asked.on, asked.reason), (Some(true), None));
}

#[tokio::test]
async fn what_is_put_back_is_what_was_chosen() {
    let mut played = Played::new();
    let at = "/solutions/shop/backups/b2/restore";
    let shown = played.get(at, "en").await;
    says(
        &shown,
        &[
            "data-dialog-content",
            "Everything, in place",
            "The file that somebody came in by",
            "placeholder=\"files/…\"",
            "Beside, as a new solution",
            "One database",
            "stats",
            "A snapshot is taken first",
            "It keeps its addresses",
            "value=\"shop-1122\"",
        ],
    );
    says(&played.get(at, "da").await, &["Alt, på stedet", "Ved siden af", "En database"]);
    let order = json!({ "order": { "id": "o", "solution": "x", "verb": "backup-restore", "state": "queued", "created": "2026-11-24T01:00:00Z" }, "before": "s" });
    played.on(&format!("{SOLUTION}/backups/b2/restore"), order);
    for (form, body) in [
        ("only=everything&%2Fhole=", json!({ "only": "everything" })),
        ("only=everything&%2Fhole=files%2Fup.php", json!({ "only": "everything", "hole": "files/up.php" })),
        ("only=part&%2Fpart=stats", json!({ "only": "part", "part": "stats" })),
        ("only=path&%2Fpath=files%2F+a", json!({ "only": "path", "path": "files/ a" })),
    ] {
        assert_eq!(played.post(at, at, form).await, "/solutions/shop/backups");
        let (path, sent) = played.last(&Method::POST);
        assert_eq!((path, &sent), (format!("{SOLUTION}/backups/b2/restore"), &body));
        serde_json::from_value::<api::BackupRestore>(sent).expect("what the API takes");
    }
    // Which file is chosen in the tree.
    assert_eq!(played.post(at, at, "only=path").await, "/solutions/shop/backups/b2/files");
    let made = json!({ "solution": solution(), "credentials": [] });
    played.on("/v1/solutions", made);
    assert_eq!(played.post(at, at, "only=beside&%2Fname=shop-old&_key=k").await, "/solutions/shop/made");
    let (path, body) = played.last(&Method::POST);
    assert_eq!(
        (path.as_str(), &body),
        (
            "/v1/solutions",
            &json!({ "kind": "none", "name": "shop-old", "from": { "solution": "0190shop", "backup": "b2" } })
        )
    );
    // What two of a kind never share is asked for.
    let mut site = Played::new();
    let mut blog = solution();
    blog["kind"] = json!("website");
    site.on("/v1/solutions/shop", blog.clone());
    says(&site.get(at, "en").await, &["Domains", "name=\"/spec/domains\""]);
    site.on("/v1/solutions", json!({ "solution": blog, "credentials": [] }));
    let form = "only=beside&%2Fname=old&%2Fspec%2Fdomains=old.shop.example&_key=k";
    assert_eq!(site.post(at, at, form).await, "/solutions/shop/made");
    assert_eq!(site.last(&Method::POST).1["spec"], json!({ "domains": ["old.shop.example"] }));
    // Into what is deleted nothing is put back; beside, it can come back.
    let mut gone = Played::new();
    let mut deleted = solution();
    deleted["aim"] = json!("gone");
    gone.on("/v1/solutions/shop", deleted);
    let shown = gone.get(at, "en").await;
    says(&shown, &["Beside, as a new solution", "The deleted one is not touched"]);
    assert!(!shown.contains("Everything, in place") && !shown.contains("One file or folder"), "{shown}");
    // From the tree it is known which file; the page says what will happen.
    let shown = played.get(&format!("{at}?path=files%2Fwp-config.php"), "en").await;
    says(
        &shown,
        &[
            "Restore wp-config.php?",
            "name=\"/path\" value=\"files/wp-config.php\"",
            "The rest of the solution is not touched",
        ],
    );
}

#[tokio::test]
async fn a_backup_is_a_tree() {
    let mut played = Played::new();
    let entry = |name: &str, kind: &str, bytes: u64| json!({ "name": name, "kind": kind, "bytes": bytes, "modified": "2026-11-20T10:00:00Z" });
    let mut entries = vec![
        entry("zz.php", "file", 2048),
        entry("b<script>", "file", 1),
        entry("uploads", "folder", 0),
        entry("bad\u{fffd}name", "file", 7),
        entry("tom & co", "folder", 0),
    ];
    entries.push(json!({ "name": "current", "kind": "link", "bytes": 0, "link": "releases/7" }));
    played.on(
        &format!("{SOLUTION}/backups/b3/files"),
        json!({ "backup": "b3", "path": "files/wp content", "entries": entries, "more": false }),
    );
    let at = "/solutions/shop/backups/b3/files?path=files%2Fwp+content";
    let shown = played.get(at, "en").await;
    says(
        &shown,
        &[
            "b&lt;script&gt;",
            "files/wp+content%2Ftom+%26+co".replace("files/", "files%2F").as_str(),
            "→ releases/7",
            "aria-label=\"Get: files/wp content/zz.php\"",
            "as=folder",
            "2 KiB",
        ],
    );
    assert!(shown.find("uploads").expect("there") < shown.find("zz.php").expect("there"), "folders come first");
    assert!(!shown.contains("Get: files/wp content/bad"), "a name that is no text can't be asked for");
    says(&played.get(at, "da").await, &["Hent som tar", "Gendan mappen"]);
    assert_eq!(
        played
            .sent
            .lock()
            .expect("nobody panics")
            .iter()
            .rev()
            .find(|(_, path, _)| path.contains("/files"))
            .map(|(_, path, _)| path.clone()),
        Some(format!("{SOLUTION}/backups/b3/files?path=files%2Fwp+content"))
    );

    // Thousands are pages, and can be searched.
    let many: Vec<Value> = (0..1_000).map(|number| entry(&format!("image-{number:04}.jpg"), "file", 10)).collect();
    played.on(
        &format!("{SOLUTION}/backups/b3/files"),
        json!({ "backup": "b3", "path": "", "entries": many, "more": true }),
    );
    let shown = played.get("/solutions/shop/backups/b3/files?from=400", "en").await;
    says(
        &shown,
        &[
            "image-0400.jpg",
            "image-0599.jpg",
            "401–600 of 1\u{202f}000",
            "There are more than can be shown",
            "from=600",
        ],
    );
    assert!(!shown.contains("image-0600.jpg"));
    let shown = played.get("/solutions/shop/backups/b3/files?q=IMAGE-099&from=999999", "en").await;
    says(&shown, &["image-0999.jpg", "image-0990.jpg"]);
    assert!(!shown.contains("image-0400.jpg"));
    played.on(
        &format!("{SOLUTION}/backups/b3/files"),
        json!({ "backup": "b3", "path": "", "entries": [], "more": false }),
    );
    says(&played.get("/solutions/shop/backups/b3/files", "en").await, &["The folder is empty"]);
}

#[tokio::test]
async fn what_changed_leads_to_each_file_and_back_to_how_it_was() {
    let mut played = Played::new();
    let change = |path: &str, change: &str, before: u64, after: u64| json!({ "path": path, "change": change, "kind": "file", "bytes": after, "bytes_before": before, "modified": "2026-11-22T03:00:00Z" });
    let changes = [
        change("files/shell.php", "added", 0, 900),
        change("files/index.php", "changed", 400, 5_000),
        change("files/.htaccess", "removed", 200, 0),
        change("files/run.sh", "rights", 70, 70),
    ];
    played.on(
        &format!("{SOLUTION}/backups/b3/changes"),
        json!({ "backup": "b3", "since": "b1", "path": "", "changes": changes, "more": false }),
    );
    let at = "/solutions/shop/backups/b3/changes";
    let shown = played.get(&format!("{at}?since=b1"), "en").await;
    // What came is fetched from the newer; what was changed or removed is put back from the older.
    says(
        &shown,
        &[
            "shell.php",
            "/backups/b1/restore?path=files%2Findex.php",
            "/backups/b1/content?path=files%2F.htaccess",
            "/backups/b3/content?path=files%2Fshell.php",
            "4.9 KiB",
            "Rights only",
            "value=\"b1\" selected",
        ],
    );
    assert!(!shown.contains("restore?path=files%2Fshell.php"), "there is no former state of what came");
    assert!(
        played
            .sent
            .lock()
            .expect("nobody panics")
            .iter()
            .any(|(_, path, _)| path == &format!("{SOLUTION}/backups/b3/changes?since=b1"))
    );
    let shown = played.get(&format!("{at}?since=b1&change=added"), "da").await;
    says(&shown, &["shell.php", "Nyt"]);
    assert!(!shown.contains("<a class=\"main\" href=\"/solutions/shop/backups/versions?path=files%2Findex.php"));
    says(&played.get(&format!("{at}?since=b1&q=nothing"), "en").await, &["Nothing fits"]);
    // Left out, it is the one before; of the oldest there is none.
    played.get(at, "en").await;
    assert!(played.sent.lock().expect("nobody panics").iter().any(|(_, path, _)| path.ends_with("/changes?since=b2")));
    says(&played.get("/solutions/shop/backups/b1/changes", "en").await, &["nothing to compare with"]);

    let version = |backup: &str, day: u32, bytes: u64, same: bool| json!({ "backup": backup, "taken": format!("2026-11-{day}T01:14:00Z"), "bytes": bytes, "modified": "2026-11-22T03:00:00Z", "same": same });
    played.on(
        &format!("{SOLUTION}/versions"),
        page(&[version("b3", 23, 5_000, false), version("b2", 22, 400, true), version("b1", 21, 400, false)]),
    );
    let shown = played.get("/solutions/shop/backups/versions?path=files%2Findex.php", "en").await;
    says(&shown, &["index.php", "unchanged", "oldest that is shown", "/backups/b2/restore?path=files%2Findex.php"]);
    says(&played.get("/solutions/shop/backups/versions?path=files%2Findex.php", "da").await, &["Versioner", "uændret"]);
}

#[tokio::test]
async fn a_proof_says_what_was_done_and_what_did_not_hold() {
    let mut played = Played::new();
    let shown = played.get("/solutions/shop/backups/proofs", "en").await;
    says(
        &shown,
        &[
            "<svg",
            "class=\"mark good\"",
            "class=\"mark bad\"",
            "Measured time of recovery",
            "The table app.public.orders is empty",
        ],
    );
    let shown = played.get("/solutions/shop/backups/proofs/p2", "en").await;
    says(
        &shown,
        &[
            "Step by step",
            "Restored from the target",
            "31 s",
            "The table app.public.orders is empty",
            "1\u{202f}200–1\u{202f}204",
            "Restored",
            "/evidence?q=p2",
        ],
    );
    assert!(
        shown.find("<code>app.public.orders").expect("there") < shown.find("<code>front page").expect("there"),
        "what does not agree comes first"
    );
    says(
        &played.get("/solutions/shop/backups/proofs/p2", "da").await,
        &["Trin for trin", "Ikke bestået", "Tabellen app.public.orders er tom"],
    );
    says(&played.get("/solutions/shop/backups/proofs/p1", "en").await, &["Passed", "42 s"]);
    let (status, _) = played.send(Method::GET, "/solutions/shop/backups/proofs/none", "en", "").await;
    assert_eq!(status, StatusCode::NOT_FOUND);
    says(
        &played.get("/solutions/shop/backups/b3", "en").await,
        &["Noted when it was made", "app.public.orders", "/evidence?q=b3"],
    );
    played.on(&format!("{SOLUTION}/proofs"), page(&[]));
    says(&played.get("/solutions/shop/backups/proofs", "en").await, &["No proofs yet"]);
}

#[tokio::test]
async fn the_page_for_an_auditor_begins_with_what_is_not_proven() {
    let mut played = Played::new();
    let line = |name: &str, state: &str, proof: Option<Value>| json!({ "solution": name, "name": name, "kind": "none", "account_name": "Customers", "on": state != "off", "backed_up": "2026-11-23T01:14:00Z", "proven": "2026-11-23T03:00:42Z", "state": state, "proof": proof });
    let lines = [
        line("good", "proven", Some(proof("p1", 3, true))),
        line("broken", "failed", Some(proof("p2", 3, false))),
        line("copy", "off", None),
        line("new", "waiting", None),
        line("old", "late", None),
    ];
    played.on("/v1/proofs", page(&lines));
    let shown = played.get("/proofs", "en").await;
    says(
        &shown,
        &[
            "1 of 5 were proven within two days, 4 were not",
            "The table app.public.orders is empty",
            "data-print",
            "on-paper",
            "husorden evidence verify",
            "Waits for its first",
        ],
    );
    let place = |name: &str| shown.find(&format!("href=\"/solutions/{name}/backups\"")).expect("there");
    assert!(
        place("broken") < place("old")
            && place("old") < place("copy")
            && place("copy") < place("new")
            && place("new") < place("good")
    );
    says(
        &played.get("/proofs", "da").await,
        &["1 af 5 er prøvet inden for to døgn, 4 er ikke", "Hvad niveauerne betyder"],
    );
    played.on("/v1/proofs", page(&[line("good", "proven", Some(proof("p1", 3, true)))]));
    says(&played.get("/proofs", "en").await, &["Proven within two days"]);
    played.on("/v1/proofs", page(&[]));
    says(&played.get("/proofs", "en").await, &["no solutions here yet"]);
}

#[tokio::test]
async fn staff_make_change_and_retire_targets() {
    let mut played = Played::new();
    let mut staff = session(&["own", "staff-read", "node-operate"]);
    staff["realm"] = json!("staff");
    staff["account"] = Value::Null;
    played.on("/v1/session", staff);
    played.on("/v1/nodes", page(&[]));
    let target = json!({ "id": "t1", "name": "offsite", "address": { "kind": "sftp", "host": "backups.example", "port": 22, "user": "backups", "host_key": "ssh-ed25519 AAAA", "path": "/backups" },
                         "state": "open", "default": true, "with_machine": false, "backups": 1_234, "bytes_sent": 9_000_000_000_u64, "newest": "2026-11-23T01:14:00Z", "made": "2026-01-01T00:00:00Z", "bytes_per_second": 1_048_576 });
    let local = json!({ "id": "t2", "name": "here", "address": { "kind": "folder", "path": "/srv/backups" }, "state": "open", "default": false, "with_machine": true, "backups": 0, "bytes_sent": 0, "made": "2026-01-01T00:00:00Z" });
    played.on("/v1/targets", page(&[target.clone(), local]));
    played.on("/v1/targets/t1", target.clone());
    played.on("/v1/targets/t1/retire", target);
    let shown = played.get("/targets", "en").await;
    says(
        &shown,
        &[
            "backups@backups.example:/backups",
            "1\u{202f}234",
            "1 MiB/s",
            "It lies on the machine that it is to protect from",
            "/targets/t1/retire",
        ],
    );
    says(&played.get("/targets", "da").await, &["Backupmål", "Luk for nye"]);
    says(&played.get("/targets/new", "en").await, &["kind=sftp", "kind=rest", "kind=folder"]);
    let form = "kind=sftp&%2Fname=other&%2Faddress%2Fhost=h.example&%2Faddress%2Fport=2222&%2Faddress%2Fuser=u&%2Faddress%2Fhost_key=k&%2Faddress%2Fpath=p&%2Fsecret=KEY%0A&%2Fbytes_per_second=";
    assert_eq!(played.post("/targets/new?kind=sftp", "/targets/new", form).await, "/targets");
    let (_, body) = played.last(&Method::POST);
    assert_eq!(
        body,
        json!({ "name": "other", "address": { "kind": "sftp", "host": "h.example", "port": 2222, "user": "u", "host_key": "k", "path": "p" }, "secret": "KEY\n" })
    );
    assert_eq!(
        played.post("/targets/t1", "/targets/t1", "%2Fname=offsite&%2Fbytes_per_second=&%2Fsecret=").await,
        "/targets"
    );
    assert_eq!(played.last(&Method::PATCH), ("/v1/targets/t1".to_owned(), json!({ "bytes_per_second": 0 })));
    says(&played.get("/targets/t1/retire", "en").await, &["The 1234 backups that lie here can be fetched"]);
    assert_eq!(played.post("/targets/t1/retire", "/targets/t1/retire", "").await, "/targets");
    // What was typed of a secret is never in a page again.
    let mut refusing = played.clone();
    refusing.off("/v1/targets/t1");
    let again = refusing.post("/targets/t1", "/targets/t1", "%2Fname=offsite&%2Fsecret=TOPSECRET").await;
    says(&again, &["data-summary"]);
    assert!(!again.contains("TOPSECRET"));
}
