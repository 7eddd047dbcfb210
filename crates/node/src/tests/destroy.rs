//! Nothing is destroyed on an old word: control must have said just now that it is wished so, the grace must be over, and no
//! seal may have come meanwhile.

use super::{Heard, ago, measure, on_a_node, wish};
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
fn what_the_edge_wrote_of_a_site_goes_with_it_and_not_before() {
    on_a_node(|node| {
        let over = gone(ago(6));
        node.register.take_wish(over.clone()).expect("taken");
        let logs = node.config.site_logs.clone().expect("a folder");
        let (ours, other) = (logs.join("7"), logs.join("8"));
        for folder in [&ours, &other] {
            std::fs::create_dir_all(folder).expect("a folder");
            for name in ["access.log", "access.log.1", "error.log"] {
                std::fs::write(folder.join(name), "192.0.2.7 - - a visitor\n").expect("a log");
            }
        }
        node.bury(&over);
        assert!(ours.exists(), "control has not been told that nothing is left");
        let _heard = Heard::of(node);
        node.bury(&over);
        assert!(ours.exists(), "control has not confirmed that it is to go");
        assert!(node.register.wish(over.solution).is_some(), "and the node has not forgotten it");
        node.confirmed.store(true, Ordering::Relaxed);
        let mut seal = measure(&over);
        seal.access = Access::None;
        node.register.take_measure(seal.clone()).expect("kept");
        node.bury(&over);
        assert!(ours.exists(), "a seal keeps it");
        (seal.lifted, seal.revision) = (Some(Timestamp::now()), 2);
        node.register.take_measure(seal).expect("kept");

        node.bury(&over);
        assert!(!ours.exists() && other.join("access.log").exists(), "its own, and nobody else's");
        assert!(node.register.wish(over.solution).is_none(), "nothing is left of it");
        let lines = node.register.evidence(0, 10).expect("lines");
        let acts: Vec<&str> = lines.iter().map(|line| line.act.as_str()).collect();
        assert_eq!(acts, ["log.destroy.begin", "log.destroy.end"]);
        assert!(lines.iter().all(|line| line.solution == Some(over.solution)));
        assert_eq!(lines[1].detail["of"]["files"], 3);
        assert_eq!(lines[1].detail["error"], serde_json::Value::Null);
    });
}

#[test]
fn a_link_in_the_place_of_a_log_is_not_followed() {
    on_a_node(|node| {
        let over = gone(ago(6));
        node.register.take_wish(over.clone()).expect("taken");
        let logs = node.config.site_logs.clone().expect("a folder");
        let elsewhere = logs.with_file_name("elsewhere");
        for folder in [&logs, &elsewhere] {
            std::fs::create_dir_all(folder).expect("a folder");
        }
        std::fs::write(elsewhere.join("kept"), "not the edge's").expect("a file");
        std::os::unix::fs::symlink(&elsewhere, logs.join("7")).expect("a link");
        let _heard = Heard::of(node);
        node.confirmed.store(true, Ordering::Relaxed);
        node.bury(&over);
        assert!(elsewhere.join("kept").exists() && std::fs::symlink_metadata(logs.join("7")).is_err());
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
