//! The pages that a kind's schema asks for, as a customer uses them whose browser runs no script: users, databases, rights and
//! parameters of a real kind.

use crate::client::{Client, between, panel};
use crate::house::House;
use crate::people::owner;
use serde_json::{Value, json};

const DISKS: &str = "/solutions/box/places/disks";
const PEOPLE: &str = "/solutions/shop/places/people";
const PARAMETERS: &str = "/solutions/shop/places/parameters";

async fn made(house: &House, spec: Value) {
    let form = json!({ "kind": "database", "name": "shop", "spec": spec });
    house.call("POST", "/v1/solutions", form).await.is(201);
}

async fn spec(house: &House) -> Value {
    house.get("/v1/solutions/shop").await["spec"].clone()
}

/// Fills in the form of a page as it is now, with the version it was made from.
async fn send(client: &mut Client, page: &str, fields: &[(&str, &str)]) -> crate::client::Page {
    let form = client.get(page).await.is(200);
    let seen = between(&form.body, "name=\"_generation\" value=\"", "\"").unwrap_or_default().to_owned();
    let fields: Vec<(&str, &str)> =
        [("_generation", seen.as_str())].into_iter().chain(fields.iter().copied()).collect();
    client.post(page, &form.token(), &fields).await
}

/// The disks of a server beside its first: made, grown, taken off and deleted by forms.
#[tokio::test]
async fn disks_of_a_server_are_made_changed_and_dropped_without_script() {
    let house = House::hosting(&husorden_kinds::KINDS, |_| {}).await;
    let router = panel(&house);
    let mut client = owner(&house, &router, house.ours).await;
    house.call("POST", "/v1/solutions", json!({ "kind": "server", "name": "box" })).await.is(201);
    let disks = async || house.get("/v1/solutions/box").await["spec"]["disks"].clone();
    client.get("/solutions/box").await.is(200).says(DISKS);
    client.get(DISKS).await.is(200).says("New disk").says("None yet");

    let add = format!("{DISKS}/disks");
    client.get(&add).await.is(200).says("value=\"10 GiB\"").says("unmount it there first").says("a letter first");
    let on = ("/entry/attached", "on");
    let wrong = send(&mut client, &add, &[("/name", "Data"), ("/entry/size", "20 GiB"), on]).await.is(200);
    wrong.says("href=\"#f-name\"").says("value=\"20 GiB\"");
    let wrong = send(&mut client, &add, &[("/name", "data"), ("/entry/size", "0"), on]).await.is(200);
    wrong.says("href=\"#f-entry-size\"");
    assert_eq!(send(&mut client, &add, &[("/name", "data"), ("/entry/size", "20 GiB"), on]).await.leads(), DISKS);
    assert_eq!(disks().await, json!({ "data": { "size": 20_u64 << 30, "attached": true } }));
    let page = client.get(DISKS).await.is(200);
    page.says("Copy /dev/disk/by-id/scsi-0QEMU_QEMU_HARDDISK_data").says("20 GiB").says(">Yes<");
    client.get("/solutions/box").await.is(200).says("/dev/disk/by-id/scsi-0QEMU_QEMU_HARDDISK_data");

    let change = format!("{DISKS}/disks/data");
    send(&mut client, &change, &[("/entry/size", "10 GiB"), on]).await.is(200).says("A disk can only grow");
    assert_eq!(send(&mut client, &change, &[("/entry/size", "30 GiB")]).await.leads(), DISKS);
    assert_eq!(disks().await, json!({ "data": { "size": 30_u64 << 30, "attached": false } }));
    client.get(DISKS).await.is(200).says("30 GiB").says(">No<");

    let drop = format!("{change}/drop");
    client.get(&drop).await.is(200).says("Drop disk data?").says("We take a snapshot first").says("room for snapshots");
    assert_eq!(send(&mut client, &drop, &[]).await.leads(), DISKS);
    assert_eq!(disks().await, json!({}));
    client.submit("/", "/choices", &[("language", "da"), ("then", "/")]).await;
    client.get(DISKS).await.is(200).says("Ny disk").says("Ekstra diske");
}

#[tokio::test]
async fn users_and_databases_are_made_changed_and_dropped_without_script() {
    let house = House::hosting(&husorden_kinds::KINDS, |_| {}).await;
    let router = panel(&house);
    let mut client = owner(&house, &router, house.ours).await;
    made(&house, json!({})).await;
    client.get("/solutions/shop").await.is(200).says(PEOPLE).says(PARAMETERS).says("Connect as ").says("/ca.pem");
    let page = client.get(PEOPLE).await.is(200);
    page.says("Users and databases").says("New user").says("New database").says("<code>app</code> Own");

    // A database with extensions; what is not on the list is refused at its field, and what was typed stays.
    let add = format!("{PEOPLE}/databases");
    client.get(&add).await.is(200).says("pg_trgm").says("a letter first");
    let wrong = send(&mut client, &add, &[("/name", "Stats"), ("/entry/extensions", "citext")]).await.is(200);
    wrong.says("href=\"#f-name\"").says("value=\"Stats\"").says("value=\"citext\" checked");
    let wrong = send(&mut client, &add, &[("/name", "stats"), ("/entry/extensions", "plpython3u")]).await.is(200);
    wrong.says("That extension is not offered").says("href=\"#f-entry-extensions-0\"");
    let done = send(
        &mut client,
        &add,
        &[("/name", "stats"), ("/entry/extensions", "citext"), ("/entry/extensions", "hstore")],
    )
    .await;
    assert_eq!(done.leads(), PEOPLE);
    assert_eq!(spec(&house).await["databases"]["stats"]["extensions"], json!(["citext", "hstore"]));
    send(&mut client, &add, &[("/name", "app")]).await.is(200).says("There is one of that name already");

    // A user with rights. The password is made, and shown once with how to connect.
    let add = format!("{PEOPLE}/users");
    client.get(&add).await.is(200).says("name=\"/entry/grants/stats\"").says("name=\"/password\"");
    let user = [("/name", "report"), ("/entry/grants/app", "read"), ("/entry/grants/stats", ""), ("/password", "")];
    let shown = send(&mut client, &add, &user).await.is(200);
    shown.says("Keep the password now").says("sslmode=verify-full").says("user=report");
    assert_eq!(spec(&house).await["users"]["report"]["grants"], json!({ "app": "read" }));
    // One of their own choice is judged at the field; the user is not made without it.
    let weak = [("/name", "etl"), ("/entry/grants/app", "write"), ("/password", "password12345678")];
    let wrong = send(&mut client, &add, &weak).await.is(200);
    wrong.says("href=\"#f-password\"").says("value=\"etl\"").says("<option value=\"write\" selected>");
    assert!(!wrong.body.contains("password12345678"), "a password is not said again");
    assert_eq!(spec(&house).await["users"].get("etl"), None);
    let good = [("/name", "etl"), ("/entry/grants/app", "write"), ("/password", "viaduct-marmalade-orbit-7")];
    assert_eq!(send(&mut client, &add, &good).await.leads(), PEOPLE);
    client.get(PEOPLE).await.is(200).says("<code>etl</code> Read and change");

    // Rights change, and are taken away.
    let change = format!("{PEOPLE}/users/report");
    client.get(&change).await.is(200).says("<option value=\"read\" selected>");
    let rights = [("/entry/grants/app", ""), ("/entry/grants/stats", "owner")];
    assert_eq!(send(&mut client, &change, &rights).await.leads(), PEOPLE);
    assert_eq!(spec(&house).await["users"]["report"]["grants"], json!({ "stats": "owner" }));
    assert_eq!(send(&mut client, &change, &rights).await.leads(), PEOPLE);
    client.get(PEOPLE).await.is(200).says("Nothing was changed");

    // A new password: made, or chosen and judged.
    let credential = "/solutions/shop/credentials/report";
    client.get(credential).await.is(200).says("A new password for report").says("The old one stops working");
    client.submit(credential, credential, &[("/password", "report-shop")]).await.is(200).says("href=\"#f-password\"");
    client.submit(credential, credential, &[("/password", "")]).await.is(200).says("Keep the password now");
    let chosen = client.submit(credential, credential, &[("/password", "viaduct-marmalade-orbit-8")]).await;
    assert_eq!(chosen.leads(), PEOPLE);

    // Of two who change it at once, the second is told.
    let page = client.get(&change).await.is(200);
    let stale = [("_generation", "1"), ("/entry/grants/app", "read")];
    client.post(&change, &page.token(), &stale).await.is(200).says("note warn");

    // What is dropped goes after a page that says what is lost and what can be undone.
    let drop = format!("{PEOPLE}/databases/stats/drop");
    client
        .get(&drop)
        .await
        .is(200)
        .says("Drop database stats?")
        .says("all its tables")
        .says("We take a snapshot first");
    assert_eq!(send(&mut client, &drop, &[]).await.leads(), PEOPLE);
    let left = spec(&house).await;
    assert_eq!((left["databases"].get("stats"), &left["users"]["report"]["grants"]), (None, &json!({})));
    client.get(&drop).await.is(404);
    for gone in ["/solutions/shop/places/none", &format!("{PEOPLE}/none"), &format!("{PEOPLE}/users/none")] {
        client.get(gone).await.is(404);
    }
    // Names that would steer a page are text; those of another account are not there.
    send(&mut client, &add, &[("/name", "<script>x</script>/~")]).await.is(200).says("&lt;script&gt;");
    owner(&house, &router, house.theirs).await.get(PEOPLE).await.is(404);
    client.submit("/", "/choices", &[("language", "da"), ("then", "/")]).await;
    client.get(PEOPLE).await.is(200).says("Brugere og databaser").says("Ny bruger").says("Læse og ændre");
    house.running.stop().await;
}

#[tokio::test]
async fn parameters_are_shown_with_unit_bounds_and_default_and_set() {
    let house = House::hosting(&husorden_kinds::KINDS, |_| {}).await;
    let router = panel(&house);
    let mut client = owner(&house, &router, house.ours).await;
    made(&house, json!({ "engine": "postgresql-17" })).await;
    let page = client.get(PARAMETERS).await.is(200);
    page.says("work_mem")
        .says("From 64 to 1\u{202f}048\u{202f}576 kB.")
        .says("Default: 1\u{202f}000 ms.")
        .says("at once")
        .says("restart");
    assert!(!page.body.contains("wait_timeout\""), "the other make's are not asked about");
    let fields = |work: &'static str, slow: &'static str, connections: &'static str| {
        [
            ("/spec/parameters/work_mem", work),
            ("/spec/parameters/log_min_duration_statement", slow),
            ("/spec/connections", connections),
        ]
    };
    let wrong = send(&mut client, PARAMETERS, &fields("12", "much", "60")).await.is(200);
    wrong.says("A whole number from 64 to 1048576 kB is expected here").says("value=\"much\"").says("value=\"60\"");
    assert_eq!(spec(&house).await["parameters"], json!({}));
    assert_eq!(send(&mut client, PARAMETERS, &fields("8192", "-1", "60")).await.leads(), PARAMETERS);
    let held = spec(&house).await;
    assert_eq!(held["parameters"], json!({ "work_mem": 8192, "log_min_duration_statement": -1 }));
    assert_eq!(held["connections"], 60);
    // What is emptied is as the engine has it again.
    assert_eq!(send(&mut client, PARAMETERS, &fields("8192", "", "60")).await.leads(), PARAMETERS);
    assert_eq!(spec(&house).await["parameters"], json!({ "work_mem": 8192 }));
    client.get(PARAMETERS).await.is(200).says("name=\"/spec/parameters/work_mem\" value=\"8192\"");
    house.running.stop().await;
}
