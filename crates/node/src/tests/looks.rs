//! A look that failed tells nothing of what is there: it is reported as failed, and no absence may be concluded from it.

use super::{Heard, on_a_node, wish};
use husorden_base::{Bytes, SnapshotId, Text};
use husorden_kinds::{Outcome, Sight, Trouble, VolumeSight};
use husorden_wire::node::{FromNode, Seen, SeenState};

fn only(heard: &Heard) -> Seen {
    let mut said = heard.all();
    match (said.pop(), said.is_empty()) {
        (Some(FromNode::Seen(seen)), true) => *seen,
        other => panic!("one report: {other:?}"),
    }
}

#[test]
fn a_failed_look_is_reported_as_failed() {
    on_a_node(|node| {
        let wish = wish(7);
        node.register.take_wish(wish.clone()).expect("taken");
        let volume = node.volume(wish.number);
        volume.create(Bytes::mib(20), &["www".to_owned()]).expect("a volume");
        let id = SnapshotId(uuid::Uuid::from_u128(1));
        volume.snapshot(&id, crate::volume::Why::Customer, Some("mine".to_owned())).expect("a snapshot");
        let heard = Heard::of(node);
        let sight = || Sight { volume: VolumeSight::Live { limit: Bytes::mib(20) }, ..Sight::default() };

        node.report(&wish, false, &Outcome::Settled(sight()));
        let seen = only(&heard);
        assert_eq!((seen.looked, seen.state, seen.snapshots.len()), (true, SeenState::Settled, 1));

        let text = Text::new("Kunne ikke se", "Could not see");
        node.report(&wish, false, &Outcome::Blind(Trouble { text: text.clone(), detail: "the disk".to_owned() }));
        let seen = only(&heard);
        assert_eq!((seen.looked, seen.state), (false, SeenState::Trouble));
        node.report(&wish, false, &Outcome::Failed(Trouble { text, detail: "a step".to_owned() }));
        assert!(heard.all().iter().all(|line| matches!(line, FromNode::Seen(seen) if !seen.looked)));

        // The pass saw the volume, and then its snapshots could not be listed: that is no list without snapshots.
        let snapshots = volume.folder("www").parent().and_then(|live| live.parent()).expect("a holder").join("snap");
        let hidden = snapshots.with_extension("away");
        std::fs::rename(&snapshots, &hidden).expect("hidden");
        std::fs::write(&snapshots, "no folder").expect("something else in its place");
        node.report(&wish, false, &Outcome::Settled(sight()));
        let seen = only(&heard);
        assert_eq!((seen.looked, seen.snapshots.len()), (false, 0), "nothing may be concluded from it");
        std::fs::remove_file(&snapshots).expect("removed");
        std::fs::rename(&hidden, &snapshots).expect("back");

        // A volume that a look showed to be absent is absent.
        node.report(&wish, false, &Outcome::Settled(Sight::default()));
        let seen = only(&heard);
        assert_eq!((seen.looked, seen.usage.is_none()), (true, true));
    });
}
