//! A disk that is used up under what nobody but its owner can be told of: the owner hears of it by itself, and again when there is room.

use super::proof::serve;
use super::{Heard, on_a_node_with_engines, until};
use crate::{filling, keeper};
use husorden_wire::node::FromNode;
use serde_json::json;
use std::io::Write;

#[test]
fn a_disk_that_is_used_up_under_a_server_is_told_of() {
    on_a_node_with_engines(|node| {
        let form = json!({ "image": "tiny", "memory": "128 MiB", "disk": "128 MiB", "snapshot_room": "128 MiB" });
        let wish = serve(node, "server", &form);
        let heard = Heard::of(node);
        // Workers pass over what is put in their queue, and a solution that is settled is put there by nobody else in this test.
        keeper::start(node).expect("workers");
        filling::start(node).expect("it looks");
        let said = |full: bool| {
            let says = |line: &FromNode| match line {
                FromNode::Seen(seen) => seen.usage.as_ref().is_some_and(|usage| usage.full == full),
                _ => false,
            };
            until(if full { "it is told" } else { "there is room" }, || heard.all().iter().any(says));
        };
        let noise = node.volume(wish.number).folder("vm").join("noise");
        let mut file = std::fs::File::create(&noise).expect("a file");
        let piece = vec![7; 1 << 20];
        let full = (0..1 << 10).find_map(|_| file.write_all(&piece).and_then(|()| file.sync_data()).err());
        assert!(full.is_some(), "its volume has an end");
        said(true);
        drop(file);
        std::fs::remove_file(&noise).expect("it goes");
        said(false);
    });
}
