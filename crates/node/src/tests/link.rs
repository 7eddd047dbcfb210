//! The link to control: evidence arrives once each time it is said, and what is confirmed is confirmed on this connection.

use super::{Heard, PATIENCE, ago, measure, on_a_node, until, wish};
use crate::control;
use husorden_kinds::Aim;
use husorden_rules::Measure;
use husorden_wire::node::{FromNode, ToNode, VERSION, Wish};
use serde_json::json;
use std::io::{BufRead, BufReader, Write};
use std::os::unix::net::{UnixListener, UnixStream};
use std::sync::Arc;
use std::sync::atomic::Ordering;

fn serials(said: Vec<FromNode>) -> Vec<u64> {
    said.into_iter()
        .filter_map(|line| match line {
            FromNode::Evidence(line) => Some(line.serial),
            _ => None,
        })
        .collect()
}

#[test]
fn a_batch_is_said_once_on_a_connection_and_again_on_the_next() {
    on_a_node(|node| {
        for number in 0..3 {
            node.register.witness("act", None, json!({ "number": number })).expect("a line");
        }
        control::say_evidence(node);
        let heard = Heard::of(node);
        control::say_evidence(node);
        // The clock and every act ask for it again, long before control has kept the first batch.
        control::say_evidence(node);
        node.register.witness("act", None, json!({})).expect("a line");
        control::say_evidence(node);
        assert_eq!(serials(heard.all()), [1, 2, 3, 4], "each line once");
        node.register.evidence_kept(2).expect("let go");
        // What was said and not kept is said again to whoever comes next; what was kept is not.
        let next = Heard::of(node);
        control::say_evidence(node);
        assert_eq!(serials(next.all()), [3, 4]);
    });
}

/// A control by hand.
struct Control {
    lines: BufReader<UnixStream>,
}

impl Control {
    fn accept(listener: &UnixListener) -> Self {
        let (stream, _) = listener.accept().expect("the node connects");
        stream.set_read_timeout(Some(PATIENCE)).expect("a time-out");
        let mut control = Self { lines: BufReader::new(stream) };
        assert!(matches!(control.hear(), FromNode::Hello { .. }));
        control.say(&ToNode::Welcome { version: VERSION, epoch: 1 });
        control
    }

    fn say(&mut self, line: &ToNode) {
        writeln!(self.lines.get_mut(), "{}", serde_json::to_string(line).expect("a line")).expect("the node listens");
    }

    fn hear(&mut self) -> FromNode {
        let mut line = String::new();
        self.lines.read_line(&mut line).expect("the node says something");
        serde_json::from_str(&line).expect("a line of the protocol")
    }

    fn evidence(&mut self) -> u64 {
        loop {
            if let FromNode::Evidence(line) = self.hear() {
                return line.serial;
            }
        }
    }
}

#[test]
fn batches_follow_each_other_as_they_are_kept_and_a_word_counts_on_its_connection_only() {
    on_a_node(|node| {
        // More than one batch holds.
        for number in 0..520 {
            node.register.witness("act", None, json!({ "number": number })).expect("a line");
        }
        let listener = UnixListener::bind(&node.config.control_socket).expect("a socket");
        let talking = Arc::clone(node);
        let talk = std::thread::spawn(move || control::talk(&talking));
        let mut control = Control::accept(&listener);
        let gone = Wish { aim: Aim::Gone, retain_until: Some(ago(60)), generation: 2, ..wish(7) };
        control.say(&ToNode::Wish { wish: Box::new(gone.clone()) });
        until("the wish is taken", || node.register.wish(gone.solution).is_some());
        assert!(!node.order(&gone).expired, "control has not said all yet");
        control.say(&ToNode::ThatIsAll);
        for serial in 1..=500 {
            assert_eq!(control.evidence(), serial);
        }
        assert!(node.order(&gone).expired);
        control.say(&ToNode::EvidenceKept { serial: 499 });
        control.say(&ToNode::EvidenceKept { serial: 500 });
        for serial in 501..=520 {
            assert_eq!(control.evidence(), serial, "the next batch, without doubles");
        }
        // Control goes, and nobody listens in its place.
        let away = node.config.control_socket.with_extension("away");
        std::fs::rename(&node.config.control_socket, &away).expect("moved");
        drop(control);
        until("the word is over with the connection", || !node.confirmed.load(Ordering::Relaxed));
        assert!(!node.order(&gone).expired);
        std::fs::rename(&away, &node.config.control_socket).expect("moved back");

        // Another control, or the same again: it has not said all, so nothing is confirmed; it hears what was not kept.
        let mut control = Control::accept(&listener);
        assert!(!node.confirmed.load(Ordering::Relaxed));
        control.say(&ToNode::ThatIsAll);
        assert_eq!(control.evidence(), 501);
        node.end();
        drop(control);
        talk.join().expect("it ends");
    });
}

/// A control that was brought back from a backup knows less than the node: nothing is lost on the node, and control is told.
#[test]
fn what_control_does_not_name_stands_and_is_told() {
    on_a_node(|node| {
        let (known, ahead) = (wish(7), wish(8));
        for wish in [&known, &ahead] {
            node.register.take_wish(wish.clone()).expect("taken");
        }
        let case = Some(husorden_base::CaseId::new());
        let (named, unnamed) = (Measure { case, ..measure(&known) }, Measure { case, ..measure(&ahead) });
        let over = Measure { case, lifted: Some(ago(1)), ..measure(&ahead) };
        for measure in [&named, &unnamed, &over] {
            node.register.take_measure(measure.clone()).expect("taken");
        }
        let listener = UnixListener::bind(&node.config.control_socket).expect("a socket");
        let talking = Arc::clone(node);
        let talk = std::thread::spawn(move || control::talk(&talking));
        let mut control = Control::accept(&listener);
        control.say(&ToNode::Measure { measure: Box::new(named.clone()) });
        let raised = Wish { epoch: 2, ..known.clone() };
        control.say(&ToNode::Wish { wish: Box::new(raised) });
        control.say(&ToNode::ThatIsAll);
        let mut taken = Vec::new();
        let strays = loop {
            match control.hear() {
                FromNode::MeasureTaken { measure, .. } => taken.push(measure.id),
                FromNode::Health(health) => break health.strays,
                _ => {}
            }
        };
        assert_eq!(taken, [unnamed.id], "neither one that control named nor one that is over");
        assert_eq!(strays, [format!("8 s8 ({}) {}", ahead.kind, ahead.solution)]);
        assert!(node.register.wish(ahead.solution).is_some(), "it is held as before");
        assert_eq!(node.register.wish(known.solution).map(|wish| wish.epoch), Some(2), "a newer epoch is taken");
        node.end();
        drop(control);
        talk.join().expect("it ends");
    });
}
