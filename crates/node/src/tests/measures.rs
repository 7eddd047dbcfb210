//! A measure is in force when the edge has said so, not before, and it is tried until then.

use super::edge::Edge;
use super::{Heard, measure, on_a_node, route, until, wish};
use crate::measures;
use husorden_rules::Measure;
use husorden_wire::node::{FromNode, MeasureState};
use jiff::Timestamp;
use std::time::Duration;

fn states(heard: &[FromNode]) -> Vec<MeasureState> {
    heard
        .iter()
        .filter_map(|line| match line {
            FromNode::Measured { state, .. } => Some(*state),
            _ => None,
        })
        .collect()
}

fn acts(heard: &[FromNode], act: &str) -> usize {
    heard.iter().filter(|line| matches!(line, FromNode::Evidence(line) if line.act == act)).count()
}

#[test]
fn a_measure_is_tried_until_the_edge_says_so_and_in_force_only_then() {
    on_a_node(|node| {
        let (wish, measure) = (wish(7), measure(&wish(7)));
        node.register.take_wish(wish.clone()).expect("taken");
        node.routes.set(wish.solution, wish.number, &route(7)).expect("set");
        measures::start(node).expect("bailiffs");
        let mut heard = Heard::of(node);
        let mut said = Vec::new();
        let mut edge = Edge::of(node);
        measures::take(node, measure.clone()).expect("kept");
        edge.hear();
        // The edge has heard it and does not say that it is done: the try comes to its end without it.
        until("the first try ends", || {
            said.extend(heard.all());
            acts(&said, "measure.close.end") == 1
        });
        assert_eq!(states(&said), [MeasureState::Kept], "kept is not in force");
        assert!(!node.bailiff.is_done(&measure));
        assert!(node.ports.list().expect("ports").closed.contains(&wish.number), "what can be cut is cut meanwhile");

        // Nothing is tried before its time, and at its time it is, with no second line before the act.
        let since = measures::look_after(node, Timestamp::now(), false);
        std::thread::sleep(Duration::from_millis(50));
        said.extend(heard.all());
        assert_eq!((states(&said).len(), acts(&said, "measure.close.end")), (1, 1));
        measures::look_after(node, since, true);
        edge.hear();
        edge.apply();
        until("in force", || node.bailiff.is_done(&measure));
        until("it is said", || {
            said.extend(heard.all());
            states(&said) == [MeasureState::Kept, MeasureState::InForce]
        });
        until("its evidence is whole", || {
            said.extend(heard.all());
            acts(&said, "measure.close.end") == 2
        });
        assert_eq!(acts(&said, "measure.close.begin"), 1, "a second try is the same act");

        // In force is in force: the clock leaves it alone; a control that comes again hears it again.
        measures::look_after(node, Timestamp::now(), true);
        std::thread::sleep(Duration::from_millis(50));
        heard = Heard::of(node);
        measures::take(node, measure.clone()).expect("the same again");
        let mut again = Vec::new();
        until("it is said again", || {
            again.extend(heard.all());
            states(&again) == [MeasureState::Kept, MeasureState::InForce]
        });
        assert_eq!(acts(&again, "measure.close.end"), 0, "and is not done again");

        let lifted = Measure { revision: 2, lifted: Some(Timestamp::now()), ..measure };
        measures::take(node, lifted.clone()).expect("lifted");
        until("lifted", || node.bailiff.is_done(&lifted));
        assert!(!node.ports.list().expect("ports").closed.contains(&wish.number));
    });
}

#[test]
fn without_an_edge_nothing_is_in_force() {
    on_a_node(|node| {
        let (wish, measure) = (wish(7), measure(&wish(7)));
        node.register.take_wish(wish.clone()).expect("taken");
        node.routes.set(wish.solution, wish.number, &route(7)).expect("set");
        let heard = Heard::of(node);
        node.register.take_measure(measure.clone()).expect("kept");
        measures::carry_out(node, measure.id);
        assert_eq!(states(&heard.all()), []);
        assert!(!node.bailiff.is_done(&measure));
    });
}
