//! Forms that hold, and what is said of those that don't.

use super::super::Database;
use super::spec;
use crate::Kind;
use serde_json::{Value, json};

/// Pointers of what is wrong, in order.
fn wrong(form: &Value, before: Option<&Value>) -> Vec<String> {
    let fields = Database.parse(form, before).expect_err("it is wrong");
    for field in &fields {
        assert!(!field.detail.da.is_empty() && !field.detail.en.is_empty(), "{}", field.pointer);
    }
    fields.into_iter().map(|field| field.pointer).collect()
}

#[test]
fn an_empty_form_is_a_database_with_its_owner() {
    let spec = spec(&json!({}));
    assert_eq!(spec["engine"], "postgresql-17");
    assert_eq!(spec["databases"], json!({"app": {"extensions": []}}));
    assert_eq!(spec["users"], json!({"app": {"grants": {"app": "owner"}}}));
    assert_eq!(spec["allow"], json!([]), "nobody may connect");
    assert_eq!(Database.parse(&spec, Some(&spec)).expect("it holds"), spec, "what is stored is read back");
    let logins: Vec<String> = Database.credentials(&spec).into_iter().map(|login| login.username).collect();
    assert_eq!(logins, ["app"]);
}

#[test]
fn a_field_that_is_wrong_is_named() {
    for (form, pointers) in [
        (json!({"databases": {"App": {}}}), vec!["/databases/App"]),
        (json!({"databases": {"a'; DROP TABLE x; --": {}}}), vec!["/databases/a'; DROP TABLE x; --"]),
        (json!({"databases": {"bl\u{e5}": {}, "a/b": {}}}), vec!["/databases/a~1b", "/databases/bl\u{e5}"]),
        (json!({"databases": {"app": {"extensions": ["dblink"]}}}), vec!["/databases/app/extensions/0"]),
        (json!({"users": {"postgres": {}}}), vec!["/users/postgres"]),
        (json!({"users": {"bob": {"grants": {"app": "root"}}}}), vec!["/users/bob/grants/app"]),
        (json!({"users": {"bob": {"grants": {"none": "read"}}}}), vec!["/users/bob/grants/none"]),
        (json!({"users": {"bob": {"password": "x"}}}), vec!["/users/bob/password"]),
        (json!({"users": []}), vec!["/users"]),
        (json!({"parameters": {"shared_preload_libraries": 1}}), vec!["/parameters/shared_preload_libraries"]),
        (json!({"parameters": {"work_mem": 1}}), vec!["/parameters/work_mem"]),
        (json!({"parameters": {"work_mem": "64MB"}}), vec!["/parameters/work_mem"]),
        (json!({"parameters": {"wait_timeout": 60}}), vec!["/parameters/wait_timeout"]),
        (json!({"engine": "oracle-23"}), vec!["/engine"]),
        (json!({"size": "1 KiB", "memory": "1 MiB", "connections": 0}), vec!["/connections", "/size", "/memory"]),
        (json!({"allow": [{"net": "0.0.0.0/0"}]}), vec!["/allow/0/net"]),
        (json!({"pooler": "statement"}), vec!["/pooler"]),
        (json!({"pooler": "session", "engine": "mariadb-11.8"}), vec!["/pooler"]),
        (json!({"pooler": "session", "pooler_size": 21, "connections": 20}), vec!["/pooler_size"]),
        (json!({"users": {"husorden_pool": {}}}), vec!["/users/husorden_pool"]),
        (json!({"superuser": true}), vec!["/superuser"]),
    ] {
        assert_eq!(wrong(&form, None), pointers, "{form}");
    }
}

#[test]
fn what_was_stored_before_there_were_poolers_has_none() {
    let mut old = spec(&json!({"connections": 10}));
    let fields = old.as_object_mut().expect("an object");
    fields.remove("pooler").expect("it is kept");
    fields.remove("pooler_size").expect("it is kept");
    let now = Database.parse(&json!({}), Some(&old)).expect("it is read");
    assert_eq!((&now["pooler"], &now["pooler_size"]), (&json!("off"), &json!(20)));
    assert_eq!(spec(&json!({"connections": 10, "pooler": "session"}))["pooler_size"], 10, "no more than there are");
}

#[test]
fn an_instance_goes_up_in_version_and_never_to_another_make() {
    let old = spec(&json!({"engine": "postgresql-15"}));
    let new = Database.parse(&json!({"engine": "postgresql-17"}), Some(&old)).expect("up");
    assert!(!Database.destructive(&old, &new), "the plan takes its snapshot when the data is about to change");
    // While the data is of the old version still, the old one can be chosen again; afterwards it can't.
    let marks =
        |engine: &str| std::collections::BTreeMap::from([("engine".to_owned(), format!("{engine} of somebody"))]);
    let before = Database.held(&new, &marks("postgresql-15"));
    assert!(Database.parse(&json!({"engine": "postgresql-15"}), Some(&before)).is_ok());
    assert_eq!(Database.held(&new, &marks("postgresql-17")), new);
    assert_eq!(Database.held(&old, &marks("postgresql-17")), old);
    assert_eq!(wrong(&json!({"engine": "postgresql-15"}), Some(&new)), ["/engine"]);
    assert_eq!(wrong(&json!({"engine": "mariadb-11.8"}), Some(&new)), ["/engine"]);
}

#[test]
fn a_snapshot_comes_before_what_drops_something() {
    let before =
        spec(&json!({"databases": {"a": {}, "b": {}}, "users": {"ann": {"grants": {"a": "owner", "b": "read"}}}}));
    let after = |form: Value| Database.parse(&form, Some(&before)).expect("it holds");
    assert!(Database.destructive(&before, &after(json!({"databases": {"a": {}}}))));
    assert!(Database.destructive(&before, &after(json!({"users": {}}))));
    assert!(!Database.destructive(&before, &after(json!({"users": {"ann": {}, "bob": {}}}))));
    assert!(!Database.destructive(&before, &after(json!({"allow": [{"net": "192.0.2.1"}], "memory": "1 GiB"}))));
    let rights = after(json!({"databases": {"a": {}}}));
    assert_eq!(rights["users"]["ann"]["grants"], json!({"a": "owner"}), "a right goes with its database");
}

#[test]
fn the_schema_knows_every_field_of_the_spec() {
    let (schema, spec) = (Database.schema(), spec(&json!({})));
    let fields: Vec<&String> = spec.as_object().expect("an object").keys().collect();
    let known: Vec<&String> = schema["properties"].as_object().expect("an object").keys().collect();
    assert_eq!(fields.len(), known.len(), "{fields:?} {known:?}");
    for field in fields {
        let one = &schema["properties"][field];
        assert!(one["title"].is_string() && one["x-da"]["title"].is_string(), "{field}");
    }
    for offer in Database.offers() {
        Database.parse(&offer.spec, None).expect(offer.name);
    }
}
