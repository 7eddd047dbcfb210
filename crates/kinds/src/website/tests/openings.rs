//! What is noted when a backup is written, and how it is opened again.

use super::super::opening;
use super::{order, wordpress};
use crate::{Network, Place};
use serde_json::json;
use std::collections::BTreeMap;

fn names(tasks: &[crate::Task]) -> Vec<&str> {
    tasks.iter().map(|task| task.name.as_str()).collect()
}

#[test]
fn files_database_and_front_page_are_noted_and_opened() {
    let order = order(&wordpress());
    let mark = |key: &str, value: &str| (key.to_owned(), value.to_owned());
    let marks = BTreeMap::from([mark("db", "mariadb-11.8"), mark("runtime", "php-8.4"), mark("app", "wordpress")]);
    let noting = opening::noting(&order, &marks);
    assert_eq!((names(&noting.around), names(&noting.still)), (vec!["look-count", "look-page"], vec!["look-files"]));
    let still = &noting.still[0].sandbox.binds;
    assert!(still.iter().all(|bind| matches!(bind.from, Place::Snapshot(_)) && !bind.write), "{still:?}");
    let opening = opening::opening(&order, &marks).expect("there is data");
    let looks: Vec<&str> = opening.looks.iter().map(|look| look.task.name.as_str()).collect();
    assert_eq!(looks, ["look-files", "look-start", "look-check", "look-count", "look-page"]);
    assert_eq!(opening.services.keys().collect::<Vec<_>>(), ["db"]);
    let servers = opening.services.values().map(|service| &service.sandbox);
    let all = servers.chain(opening.looks.iter().map(|look| &look.task.sandbox));
    assert!(all.clone().all(|sandbox| sandbox.network == Network::Nothing));
}

#[test]
fn what_lies_elsewhere_is_not_asked() {
    let away = BTreeMap::from([("db", "mariadb-11.8"), ("runtime", "php-8.4"), ("away", "0190 app")]);
    let away = away.into_iter().map(|(key, value)| (key.to_owned(), value.to_owned())).collect();
    let noting = opening::noting(&order(&wordpress()), &away);
    assert_eq!((names(&noting.around), names(&noting.still)), (vec![], vec!["look-files"]));
    // A site of files alone has its front page among them.
    let files = order(&json!({ "domains": ["shop.example"], "runtime": "static", "database": "none" }));
    let opening = opening::opening(&files, &BTreeMap::new()).expect("there are files");
    assert!(opening.services.is_empty() && opening.looks.len() == 1);
    assert_eq!(opening.looks[0].task.sandbox.env["PAGE"], "file");
}
