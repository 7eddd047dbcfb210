//! The gate: who opens or closes by the register of measures reads it behind the gate, so that no older reading wins.

use super::{measure, on_a_node, until, wish};
use husorden_kinds::Host;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

#[test]
fn a_pass_that_waits_at_the_gate_sees_the_measure_that_came_meanwhile() {
    on_a_node(|node| {
        let wish = wish(7);
        node.register.take_wish(wish.clone()).expect("taken");
        node.enforce(&wish);
        let shut = || node.ports.list().expect("ports").closed.contains(&wish.number);
        assert!(!shut());
        let (begun, through) = (AtomicBool::new(false), AtomicBool::new(false));
        std::thread::scope(|scope| {
            let gate = node.gate();
            scope.spawn(|| {
                begun.store(true, Ordering::Relaxed);
                node.enforce(&wish);
                through.store(true, Ordering::Relaxed);
            });
            until("the pass has come to the gate", || begun.load(Ordering::Relaxed));
            std::thread::sleep(Duration::from_millis(100));
            assert!(!through.load(Ordering::Relaxed), "it waits there");
            // As a bailiff does it, behind the gate.
            node.register.take_measure(measure(&wish)).expect("kept");
            node.ports.close(wish.number).expect("closed");
            drop(gate);
        });
        assert!(shut(), "what the pass had read before counts for nothing");
    });
}

#[test]
fn a_plan_that_is_older_than_a_measure_starts_nothing() {
    on_a_node(|node| {
        let wish = wish(7);
        node.register.take_wish(wish.clone()).expect("taken");
        node.register.take_measure(measure(&wish)).expect("kept");
        let mut walls = crate::host::Walls::new(node, &wish);
        let task = husorden_kinds::Task {
            name: "welcome".to_owned(),
            sandbox: husorden_kinds::Sandbox {
                runtime: "php-8.4".parse().expect("a name"),
                argv: vec!["/bin/true".to_owned()],
                env: std::collections::BTreeMap::new(),
                cwd: "/".to_owned(),
                binds: Vec::new(),
                files: std::collections::BTreeMap::new(),
                limits: husorden_kinds::Limits {
                    memory: husorden_base::Bytes::mib(16),
                    cpu_percent: 10,
                    pids: 4,
                    io: husorden_kinds::Io::default(),
                },
                network: husorden_kinds::Network::Nothing,
            },
            stdin: String::new(),
            marks: vec![("welcome".to_owned(), "1".to_owned())],
            limit_s: 1,
        };
        let refused = walls.apply(&husorden_kinds::Step::Task { task: Box::new(task) }).expect_err("it is held");
        assert!(format!("{refused:?}").contains("a measure holds"), "{refused:?}");
        assert!(node.sandboxes.sight(wish.number).tasks.is_empty());
    });
}
