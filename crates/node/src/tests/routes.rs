//! A plan is older than a measure: it never opens what the measure has closed.

use super::edge::Edge;
use super::{measure, on_a_node, route, wish};
use husorden_base::site::Standing;
use husorden_rules::Measure;

fn closed() -> Standing {
    Standing::Closed { case: "S-1".to_owned() }
}

#[test]
fn a_stale_plan_never_opens_a_closed_route() {
    on_a_node(|node| {
        let (wish, measure) = (wish(7), measure(&wish(7)));
        node.register.take_wish(wish.clone()).expect("taken");
        let mut edge = Edge::of(node);
        node.routes.set(wish.solution, wish.number, &route(7)).expect("set");
        edge.hear();
        assert_eq!(edge.standing(wish.number), Some(Standing::Open));

        // The measure is written down and the edge told; a pass that had planned before sets its route after.
        node.register.take_measure(measure.clone()).expect("kept");
        node.routes.close(&[wish.number], &measure.case_number).expect("closed");
        edge.hear();
        let mut changed = route(7);
        changed.https_only = false;
        node.routes.set(wish.solution, wish.number, &changed).expect("set");
        edge.hear();
        assert_eq!(edge.standing(wish.number), Some(closed()), "the change came, and it stays closed");
        assert_eq!(node.register.route(wish.number).map(|route| route.standing), Some(closed()), "on disk too");

        // The same, when the plan comes between the measure's writing and the telling of the edge.
        let second = super::wish(8);
        node.register.take_wish(second.clone()).expect("taken");
        node.register.take_measure(super::measure(&second)).expect("kept");
        node.routes.set(second.solution, second.number, &route(8)).expect("set");
        edge.hear();
        assert_eq!(edge.standing(second.number), Some(closed()), "never open, not for a moment");

        node.register.take_measure(Measure { revision: 2, lifted: Some(super::ago(0)), ..measure }).expect("lifted");
        node.routes.set(wish.solution, wish.number, &route(7)).expect("set");
        edge.hear();
        assert_eq!(edge.standing(wish.number), Some(Standing::Open), "a lift opens it");
    });
}
