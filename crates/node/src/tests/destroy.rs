//! Nothing is destroyed on an old word: control must have said just now that it is wished so, the grace must be over, and no
//! seal may have come meanwhile.

use super::{ago, measure, on_a_node, wish};
use husorden_base::Bytes;
use husorden_kinds::{Aim, Host, Step, VolumeSight};
use husorden_rules::Access;
use husorden_wire::node::Wish;
use jiff::{SignedDuration, Timestamp};
use std::sync::atomic::Ordering;

fn gone(retain_until: Timestamp) -> Wish {
    Wish { aim: Aim::Gone, retain_until: Some(retain_until), generation: 2, ..wish(7) }
}

#[test]
fn a_retention_ends_when_control_has_confirmed_it_and_the_grace_is_over() {
    on_a_node(|node| {
        let expired = |wish: &Wish| node.order(wish).expired;
        let over = gone(ago(6));
        assert!(!expired(&over), "control has said nothing on this connection");
        node.confirmed.store(true, Ordering::Relaxed);
        assert!(expired(&over));
        assert!(!expired(&gone(ago(4))), "an undo may be on its way");
        assert!(!expired(&gone(Timestamp::now() + SignedDuration::from_mins(1))));
        assert!(!expired(&Wish { aim: Aim::Stop, ..over.clone() }), "only what is to go expires");
        assert!(!expired(&Wish { retain_until: None, ..over.clone() }));
        let mut seal = measure(&over);
        node.register.take_measure(seal.clone()).expect("kept");
        assert!(expired(&over), "a measure that is no seal does not keep it");
        (seal.access, seal.revision) = (Access::None, 2);
        node.register.take_measure(seal).expect("kept");
        assert!(!expired(&over), "a legal hold beats deletion");
        // The next pass is due when the grace is over, and not a moment's spinning before.
        let due = node.until_due(&gone(ago(0))).expect("it is due");
        assert!(due > std::time::Duration::from_secs(290) && due <= std::time::Duration::from_secs(300), "{due:?}");
    });
}

#[test]
fn a_plan_that_would_destroy_is_judged_again_before_it_acts() {
    on_a_node(|node| {
        let over = gone(ago(6));
        node.register.take_wish(over.clone()).expect("taken");
        let volume = node.volume(over.number);
        volume.create(Bytes::mib(20), &["www".to_owned()]).expect("a volume");
        let destroy = |wish: &Wish| crate::host::Walls::new(node, wish).apply(&Step::VolumeDestroy);
        let there = || volume.look().expect("a look") != VolumeSight::Absent;
        // The plan was made while control was there; by the time it acts, control is gone again.
        destroy(&over).expect_err("not confirmed");
        node.confirmed.store(true, Ordering::Relaxed);
        // An undo came in between: the wish that was planned from is no longer the one that is held.
        node.register.take_wish(Wish { generation: 3, ..wish(7) }).expect("the undo");
        destroy(&over).expect_err("it is wished again");
        destroy(&Wish { generation: 3, ..wish(7) }).expect_err("and what is wished does not go");
        assert!(there());
        let again = Wish { generation: 4, ..over };
        node.register.take_wish(again.clone()).expect("deleted again");
        destroy(&again).expect("now it goes");
        assert!(!there());
        let acts: Vec<String> =
            node.register.evidence(0, 10).expect("lines").into_iter().map(|line| line.act).collect();
        assert_eq!(
            acts,
            ["volume.destroy.begin", "volume.destroy.end"],
            "with a line before and after, and none for what was refused"
        );
    });
}
