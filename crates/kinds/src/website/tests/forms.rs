//! Forms: what holds, what does not, and what is said about it.

use super::super::Website;
use super::{spec, wordpress};
use crate::Kind;
use husorden_base::Bytes;
use serde_json::{Value, json};

#[test]
fn every_default_is_filled_in() {
    assert_eq!(
        spec(&json!({"domains": ["WWW.Shop.example."]})),
        json!({
            "domains": ["www.shop.example"], "runtime": "php-8.4", "database": "none", "app": null, "attach": null, "docroot": "",
            "https_only": true, "size": 2_147_483_648_u64, "memory": 536_870_912, "cpu_percent": 100,
            "php": {"memory_mb": 128, "max_execution_s": 60, "upload_mb": 64, "workers": 4, "max_input_vars": 3000},
            "maintenance": {"days": [], "start": null, "minutes": 60, "zone": "Europe/Copenhagen"},
        })
    );
    let with_app = spec(&wordpress());
    assert_eq!(with_app["database"], "mariadb-11.8");
    assert_eq!(
        with_app["app"],
        json!({"name": "wordpress", "title": "Shop", "admin_email": "anna@shop.example", "admin_user": "admin", "language": "da_DK"})
    );
    let fixed = spec(&json!({"domains": ["a.example"], "runtime": "static", "app": "none", "size": "1 GiB"}));
    assert_eq!((&fixed["database"], &fixed["size"]), (&json!("none"), &json!(1_u64 << 30)));
}

/// The pointers that a form is refused with.
fn refused(form: &Value, before: Option<&Value>) -> Vec<String> {
    let Err(wrong) = Website.parse(form, before) else {
        return Vec::new();
    };
    assert!(!wrong.is_empty(), "a refusal names a field: {form}");
    for field in &wrong {
        assert!(!field.detail.da.is_empty() && !field.detail.en.is_empty());
        assert_ne!(field.detail.da, field.detail.en);
    }
    wrong.into_iter().map(|field| field.pointer).collect()
}

#[test]
fn what_is_wrong_is_named_where_it_stands() {
    let with = |field: &str, value: Value| {
        let mut form = wordpress();
        form[field] = value;
        form
    };
    let app = |field: &str, value: Value| {
        let mut form = wordpress();
        form["app"][field] = value;
        form
    };
    let many: Vec<String> = (0..21).map(|n| format!("a{n}.example")).collect();
    let unknown = json!({"domains": ["a.example"], "colour": 1, "a/b~c": 2});
    for (form, expected) in [
        (json!([]), &["", "/domains"][..]),
        (json!({}), &["/domains"]),
        (json!({"domains": null}), &["/domains"]),
        (unknown, &["/a~1b~0c", "/colour"]),
        (with("domains", json!("shop.example")), &["/domains"]),
        (with("domains", json!([])), &["/domains"]),
        (with("domains", json!(many)), &["/domains"]),
        (
            with("domains", json!(["a.example", "*.a.example", 7, "A.example"])),
            &["/domains/1", "/domains/2", "/domains/3"],
        ),
        (with("runtime", json!("php-5.6")), &["/runtime"]),
        (with("runtime", json!(84)), &["/runtime"]),
        (with("runtime", json!("static")), &["/database", "/runtime"]),
        (with("database", json!("none")), &["/database"]),
        (with("database", json!("postgresql-17")), &["/database"]),
        (with("docroot", json!("public")), &["/docroot"]),
        (with("docroot", json!(1)), &["/docroot"]),
        (with("https_only", json!("yes")), &["/https_only"]),
        (with("size", json!("255 MiB")), &["/size"]),
        (with("size", json!("201 GiB")), &["/size"]),
        (with("size", json!(-1)), &["/size"]),
        (with("size", json!("2 parsecs")), &["/size"]),
        (with("memory", json!("64 MiB")), &["/memory"]),
        (with("cpu_percent", json!(9)), &["/cpu_percent"]),
        (with("php", json!(4)), &["/php"]),
        (
            with("php", json!({"workers": 0, "upload_mb": 513, "memory_mb": "128", "ini": ""})),
            &["/php/memory_mb", "/php/upload_mb", "/php/workers", "/php/ini"],
        ),
        (
            with("php", json!({"max_execution_s": 301, "max_input_vars": 1.5})),
            &["/php/max_execution_s", "/php/max_input_vars"],
        ),
        (with("app", json!("wordpress")), &["/app", "/app/name", "/app/admin_email"]),
        (with("app", json!({})), &["/app/name", "/app/admin_email"]),
        (app("name", json!("drupal")), &["/app/name"]),
        (app("title", json!(" ")), &["/app/title"]),
        (app("title", json!("a\nb")), &["/app/title"]),
        (app("admin_email", json!("anna@shop.example\nbcc: x")), &["/app/admin_email"]),
        (app("admin_email", json!("anna")), &["/app/admin_email"]),
        (app("admin_user", json!("Anna Karenina")), &["/app/admin_user"]),
        (app("language", json!("tlh")), &["/app/language"]),
        (app("password", json!("secret")), &["/app/password"]),
    ] {
        assert_eq!(refused(&form, None), expected, "{form}");
    }
    let greedy = json!({"domains": ["a.example"], "memory": "128 MiB", "php": {"memory_mb": 256}});
    assert_eq!(refused(&greedy, None), ["/php/memory_mb"]);
}

#[test]
fn a_docroot_stays_within_the_site() {
    for (text, expected) in [
        ("", Some("")),
        ("public", Some("public")),
        ("a-b/c_d/e.f/", Some("a-b/c_d/e.f")),
        ("/etc", None),
        ("../x", None),
        ("a/../b", None),
        ("a//b", None),
        (".git", None),
        ("a b", None),
        ("a;b", None),
        ("a\nb", None),
        ("blåbær", None),
    ] {
        let parsed = Website.parse(&json!({"domains": ["a.example"], "docroot": text}), None);
        let docroot = parsed.ok().map(|spec| spec["docroot"].clone());
        assert_eq!(docroot, expected.map(|text| json!(text)), "{text:?}");
    }
}

#[test]
fn a_change_keeps_what_it_does_not_name() {
    let mut before = spec(&wordpress());
    before["php"]["workers"] = json!(9);
    let after = Website
        .parse(&json!({"runtime": "php-8.2", "php": {"upload_mb": 10}}), Some(&before))
        .expect("the change holds");
    let mut expected = before.clone();
    expected["runtime"] = json!("php-8.2");
    expected["php"]["upload_mb"] = json!(10);
    assert_eq!(after, expected);
    assert_eq!(Website.parse(&before, Some(&before)), Ok(before.clone()));
    assert!(Website.destructive(&before, &after));
    let mut smaller = before.clone();
    smaller["size"] = json!("1 GiB");
    assert!(!Website.destructive(&before, &spec(&smaller)));
}

#[test]
fn an_application_is_chosen_once_and_a_database_goes_up() {
    let with_app = spec(&wordpress());
    assert_eq!(refused(&json!({"app": null}), Some(&with_app)), ["/app"]);
    let mut other = wordpress();
    other["app"]["title"] = json!("Other");
    assert_eq!(refused(&other, Some(&with_app)), ["/app"]);
    assert_eq!(refused(&json!({"database": "mariadb-10.11"}), Some(&with_app)), ["/database"]);
    let plain = spec(&json!({"domains": ["a.example"], "database": "mariadb-10.11"}));
    assert_eq!(refused(&wordpress(), Some(&plain)), ["/app"]);
    for fine in ["none", "mariadb-10.11", "mariadb-11.8"] {
        assert!(refused(&json!({"database": fine}), Some(&plain)).is_empty());
    }
}

#[test]
fn claims_volume_and_credentials() {
    let spec = spec(&wordpress());
    assert_eq!(
        Website.claims(&spec),
        [("domain", "www.shop.example".to_owned()), ("domain", "shop.example".to_owned())]
    );
    assert_eq!(Website.volume(&spec), Bytes::gib(2));
    let logins: Vec<_> = Website.credentials(&spec).into_iter().map(|login| (login.name, login.username)).collect();
    assert_eq!(logins, [("admin".to_owned(), "admin".to_owned())]);
    assert!(Website.credentials(&super::spec(&json!({"domains": ["a.example"]}))).is_empty());
}

#[test]
fn the_schema_names_exactly_the_fields_of_the_spec() {
    let schema = Website.schema();
    let keys =
        |value: &Value| -> Vec<String> { value.as_object().map_or_else(Vec::new, |map| map.keys().cloned().collect()) };
    let spec = spec(&wordpress());
    let properties = &schema["properties"];
    assert_eq!(keys(properties), keys(&spec));
    assert_eq!(keys(&properties["php"]["properties"]), keys(&spec["php"]));
    assert_eq!(keys(&properties["app"]["properties"]), keys(&spec["app"]));
    for field in keys(properties) {
        let field = &properties[&field];
        for text in [&field["title"], &field["description"], &field["x-da"]["title"], &field["x-da"]["description"]] {
            assert!(text.is_string(), "{field}");
        }
    }
}
