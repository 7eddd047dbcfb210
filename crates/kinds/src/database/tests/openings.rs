//! What is noted when a backup is written, and how it is opened again.

use super::super::engine::ENGINES;
use super::super::opening;
use super::order;
use crate::segments::REPLAY;
use crate::{Io, Network, Place, Reach};
use serde_json::json;
use std::collections::BTreeMap;

#[test]
fn what_is_noted_is_asked_again_of_a_server_that_reaches_nothing() {
    for (word, _) in ENGINES {
        let order = order(&json!({ "engine": word, "users": {} }));
        let mut marks = BTreeMap::from([("engine".to_owned(), format!("{word} of {}", order.solution))]);
        let opening = opening::opening(&order, &marks).expect("there is data");
        let noting = opening::noting(&order, &marks);
        assert!(noting.still.is_empty());
        for noted in &noting.around {
            let look = opening.looks.iter().find(|look| look.task.name == noted.name).expect("it is asked again");
            let (mut one, mut other) = (noted.sandbox.clone(), look.task.sandbox.clone());
            assert_eq!(
                (one.env.remove("LIMIT_MS"), other.env.remove("LIMIT_MS")),
                (Some("5000".into()), Some("0".into()))
            );
            assert_eq!(one, other, "by the same task");
        }
        let servers = opening.services.values().map(|service| &service.sandbox);
        for sandbox in servers.chain(opening.looks.iter().map(|look| &look.task.sandbox)) {
            assert_eq!((sandbox.network, sandbox.limits.io), (Network::Nothing, Io::BACKGROUND));
            let own = |place: &Place| matches!(place, Place::Folder(_) | Place::Sockets | Place::Listen);
            assert!(sandbox.binds.iter().all(|bind| own(&bind.from)), "{:?}", sandbox.binds);
        }
        assert!(opening.services.values().all(|service| service.reach == Reach::Own && service.fill.is_empty()));
        assert!(opening.looks.iter().all(|look| look.task.marks.is_empty()));
        assert!(opening.looks[0].first && opening.looks.len() == 3);
        // What its log is still to be carried out on is not yet what it will be.
        marks.insert(REPLAY.to_owned(), "2026-01-01T00:00:00Z".to_owned());
        assert!(opening::opening(&order, &marks).is_none() && opening::noting(&order, &marks).around.is_empty());
        assert!(opening::opening(&order, &BTreeMap::new()).is_none());
    }
}
