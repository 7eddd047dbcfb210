//! The SQL and settings that are generated.

use super::super::engine::{self, Engine, Mode};
use super::super::people;
use super::super::spec::Spec;
use super::order;
use serde_json::json;

#[test]
fn a_name_with_an_underscore_grants_no_other_database() {
    let order = order(
        &json!({"engine": "mariadb-11.8", "databases": {"a_b": {}}, "users": {"u": {"grants": {"a_b": "read"}}}}),
    );
    let spec = Spec::stored(&order.spec).expect("it was parsed");
    let sql = people::mariadb(&order, &spec);
    assert!(sql.contains("GRANT SELECT, SHOW VIEW ON `a\\_b`.* TO 'u'@'%'"), "{sql}");
}

#[test]
fn a_change_of_the_list_is_taken_up_without_a_restart() {
    let of = |form: serde_json::Value| {
        let spec = Spec::stored(&super::spec(&form)).expect("it was parsed");
        engine::service(&spec, Engine::Postgres17, Mode::Serving)
    };
    let before = of(json!({}));
    for (form, live) in [
        (json!({"allow": [{"net": "192.0.2.0/24"}]}), true),
        (json!({"parameters": {"work_mem": 4096}}), true),
        (json!({"memory": "2 GiB"}), false),
        (json!({"connections": 99}), false),
    ] {
        let after = of(form.clone());
        assert_ne!(before.digest(), after.digest(), "{form}");
        assert_eq!(crate::same_but_live(&before.digest(), &after.digest()), live, "{form}");
    }
}

#[test]
fn who_is_not_on_the_list_has_no_line() {
    let form = json!({"allow": [{"net": "192.0.2.0/24"}, {"net": "2001:db8::/48"}]});
    let spec = Spec::stored(&super::spec(&form)).expect("it was parsed");
    let service = engine::service(&spec, Engine::Postgres17, Mode::Serving);
    assert_eq!(
        service.live.files["pg_hba.conf"],
        "local all husorden peer map=platform\n\
         host all husorden all reject\n\
         hostssl all all 192.0.2.0/24 scram-sha-256\n\
         hostssl all all 2001:db8::/48 scram-sha-256\n"
    );
}
