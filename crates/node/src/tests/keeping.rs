//! Up to when a log is said to be kept, on a real engine: never further than what was written then is kept.

use super::proof::{inside, serve};
use super::{on_a_node_with_engines, until};
use crate::segment::{self, keep};
use rustix::fs::{FlockOperation, flock};
use serde_json::json;
use std::fs::File;

/// Somebody looks while the server has ended a file of its log and whoever keeps it has not come to it. What is written then is in the next.
#[test]
fn what_is_written_while_the_file_before_it_is_being_kept_is_not_said_to_be() {
    on_a_node_with_engines(|node| {
        let engine = "mariadb-11.8";
        let wish = serve(node, "database", &json!({ "engine": engine, "size": "1 GiB", "users": {} }));
        node.sandboxes.wake(wish.number).expect("it wakes");
        until("it runs", || node.sandboxes.pid(wish.number, "db").is_some());
        let client = ["/usr/bin/mariadb", "--no-defaults", "--socket=/run/husorden/db.sock", "--user=site", "app"];
        let sql = |sql: &str| inside(node, wish.number, "db", &client, sql);
        sql("CREATE TABLE t (n INT);\n");
        crate::keeping::start(node).expect("it keeps");
        let kept = || node.log_seen(&wish).map(|seen| seen.to);
        until("all is kept, and there is something to begin from", || kept() == Some(None));

        let volume = node.volume(wish.number);
        let store = volume.line().expect("seen").expect("a line").folder;
        let data = File::open(volume.folder(&format!("db/{engine}"))).expect("its data");
        let has_ended = || keep::has_ended(&data, "binlog.").expect("its files");
        let newest = || keep::newest(&segment::list(&store).expect("a store"));
        assert!(!has_ended(), "what is kept is let go");
        let before = newest();
        let lock = File::open(store.join("lock")).expect("a store has a lock");
        flock(&lock, FlockOperation::LockExclusive).expect("nobody keeps anything");
        sql("INSERT INTO t VALUES (1);\n");
        until("its server has ended the file", has_ended);
        sql("INSERT INTO t VALUES (2);\n");
        let written = jiff::Timestamp::now();
        node.look_at_log(wish.solution);
        drop(lock);
        until("the file is kept", || newest() > before);
        node.look_at_log(wish.solution);
        if newest() == before + 1 {
            let to = kept().expect("there is something to begin from");
            assert!(to.is_some_and(|to| to < written), "{written} is not kept, and is said to be, up to {to:?}");
        }
        until("the next is too", || kept() == Some(None));
        assert!(newest() > before + 1);
    });
}
