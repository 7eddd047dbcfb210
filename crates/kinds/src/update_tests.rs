//! Updates of every kind, from every state that a crash leaves, on builds that hold, that do not start, and that spoil the data.

use crate::builds::{End, Stage};
use crate::fake::{Fake, ONLY_BUILD};
use crate::harness;
use crate::harness::{Start, Tally, crashes, survives_on};
use crate::{Aim, Credential, Halt, Host, KINDS, Kind, Order, Outcome, Sight, Step, Trouble, Waiting, pass};
use husorden_base::{SolutionId, Text};
use serde_json::{Value, json};
use std::collections::BTreeSet;

/// A machine on which what a step stands on goes on ending for a while.
struct Slow {
    fake: Fake,
    left: u32,
}

impl Host for Slow {
    fn look(&mut self) -> Result<Sight, Trouble> {
        self.fake.look()
    }

    fn apply(&mut self, step: &Step) -> Result<(), Halt> {
        if self.left > 0 {
            self.left -= 1;
            return Err(Halt::Ending(Text::new("slutter", "ending")));
        }
        self.fake.apply(step)
    }
}

/// What is slow to end is waited for, and is nobody's trouble; then it goes on where it was.
#[test]
fn what_is_slow_to_end_is_waited_for() {
    for (kind, form) in forms() {
        let order = order(kind, &form);
        let mut slow = Slow { fake: Fake::default(), left: 3 };
        for _ in 0..3 {
            let outcome = pass(kind, &order, &mut slow);
            assert!(
                matches!(&outcome, Outcome::Waits(_, Waiting::Work { text }) if text.en == "ending"),
                "{outcome:?}"
            );
            assert!(slow.fake.done.is_empty(), "nothing that comes after it is done");
        }
        pass(kind, &order, &mut slow);
        assert!(!slow.fake.done.is_empty(), "it goes on");
    }
}

const NEW: &str = "bbbbbbbbbbbb";

/// What each kind offers, with the fields that nobody can offer for its owner.
fn forms() -> Vec<(&'static dyn Kind, Value)> {
    let filled = |kind: &'static dyn Kind, mut form: Value| {
        if kind.schema()["properties"]["domains"].is_object() {
            form["domains"] = json!(["a.example"]);
        }
        if form["app"].is_object() {
            form["app"]["admin_email"] = json!("anna@shop.example");
        }
        (kind, form)
    };
    KINDS.into_iter().flat_map(|kind| kind.offers().into_iter().map(move |offer| filled(kind, offer.spec))).collect()
}

fn order(kind: &dyn Kind, form: &Value) -> Order {
    let spec = kind.parse(form, None).expect("the form holds");
    let credentials = kind.credentials(&spec).into_iter().map(|login| {
        let hash = "$2y$10$abcdefghijklmnopqrstuuWXYZ0123456789abcdefghijklmnopqrs".to_owned();
        (login.name, Credential { username: login.username, hash, generation: 1 })
    });
    let solution = SolutionId(uuid::Uuid::from_u128(77));
    Order { solution, credentials: credentials.collect(), window: true, ..harness::order(spec) }
}

/// A solution that stands as wished, with its services running on the build that it began with.
fn settled(kind: &dyn Kind, order: &Order) -> Sight {
    let mut fake = Fake::default();
    for _ in 0..24 {
        if let Outcome::Settled(_) = pass(kind, order, &mut fake) {
            crate::Host::apply(&mut fake, &Step::Wake).expect("they start");
            return fake.sight;
        }
        fake.time_passes();
    }
    panic!("it never settles");
}

/// The same, with a newer build of everything on the shelf.
fn stale(kind: &dyn Kind, order: &Order) -> Sight {
    let mut sight = settled(kind, order);
    for builds in sight.shelf.values_mut() {
        *builds = vec![NEW.to_owned(), ONLY_BUILD.to_owned()];
    }
    sight
}

/// Walks from a stale solution, and says of each runtime what it ended on and how its updates ended.
fn walk(ready: impl Fn(&mut Fake) + Copy, expected: &str, end: impl Fn(&End) -> bool + Copy) {
    let mut steps = 0;
    for (kind, form) in forms() {
        let order = order(kind, &form);
        let sight = stale(kind, &order);
        let count = sight.builds.pins.len();
        let judge = |fake: &Fake| {
            let builds = &fake.sight.builds;
            let pins: BTreeSet<&str> = builds.pins.values().map(|pin| pin.build.as_str()).collect();
            if pins.iter().any(|pin| *pin != expected) || builds.pins.len() != count {
                return Err(format!("it runs on {:?}", builds.pins));
            }
            if builds.past.len() != count || !builds.past.iter().all(|past| end(&past.end)) {
                return Err(format!("it ended as {:?}", builds.past));
            }
            Ok(())
        };
        let tally: Tally =
            survives_on(kind, &order, [Start::of(sight)], ready, judge).unwrap_or_else(|why| panic!("{why}"));
        steps += tally.steps;
    }
    assert!(steps > 200, "{steps} steps are no walk");
}

#[test]
fn a_build_that_holds_is_taken_in_the_window() {
    walk(|_| {}, NEW, |end| *end == End::Held);
}

#[test]
fn a_build_that_does_not_start_is_left_again() {
    walk(
        |fake| fake.broken = BTreeSet::from([NEW.to_owned()]),
        ONLY_BUILD,
        |end| matches!(end, End::RolledBack { restored: false, serves: true, .. }),
    );
}

#[test]
fn data_that_only_the_new_build_opens_comes_back_with_the_snapshot() {
    walk(
        |fake| {
            fake.broken.insert(NEW.to_owned());
            fake.spoiling.insert(NEW.to_owned());
        },
        ONLY_BUILD,
        |end| matches!(end, End::RolledBack { restored: true, serves: true, .. }),
    );
}

#[test]
fn nothing_moves_outside_the_window_unless_somebody_asks() {
    for (kind, form) in forms() {
        let order = Order { window: false, ..order(kind, &form) };
        let sight = stale(kind, &order);
        let mut fake = Fake::with(sight.clone());
        assert!(matches!(pass(kind, &order, &mut fake), Outcome::Settled(_)));
        assert_eq!(fake.done, [], "nothing is due");
        // Who waits for another to try first is asked for by hand all the same.
        let mut asked = sight;
        asked.waits = asked.shelf.keys().cloned().collect();
        let waits = Order { window: true, ..order.clone() };
        assert!(matches!(pass(kind, &waits, &mut Fake::with(asked.clone())), Outcome::Settled(_)));
        asked.builds.asked = true;
        let judge = |fake: &Fake| {
            let builds = &fake.sight.builds;
            let moved = builds.pins.values().all(|pin| pin.build == NEW) && !builds.asked;
            if moved { Ok(()) } else { Err(format!("{builds:?}")) }
        };
        survives_on(kind, &order, [Start::of(asked)], |_| {}, judge).unwrap_or_else(|why| panic!("{why}"));
    }
}

#[test]
fn a_refused_build_is_not_tried_again_until_a_newer_one_is_there() {
    for (kind, form) in forms() {
        let order = order(kind, &form);
        let mut fake = Fake::with(stale(kind, &order));
        fake.broken.insert(NEW.to_owned());
        let rest = |fake: &mut Fake| {
            for _ in 0..24 {
                if let Outcome::Settled(_) = pass(kind, &order, fake) {
                    return;
                }
                fake.time_passes();
            }
            panic!("it never settles");
        };
        rest(&mut fake);
        let (count, done) = (fake.sight.builds.refused.len(), fake.done.len());
        assert_eq!(count, fake.sight.builds.pins.len());
        fake.sight.builds.asked = true;
        rest(&mut fake);
        assert!(fake.done[done..].iter().all(|step| matches!(step, Step::Builds { step: crate::Move::Answered })));
        for builds in fake.sight.shelf.values_mut() {
            builds.insert(0, "cccccccccccc".to_owned());
        }
        rest(&mut fake);
        assert!(fake.sight.builds.pins.values().all(|pin| pin.build == "cccccccccccc" && pin.proved));
        assert!(fake.sight.builds.refused.is_empty(), "what holds is refused no more");
    }
}

/// A measure, a stop or a deletion in the middle of an update: it goes no further, and goes on afterwards.
#[test]
fn what_is_not_to_be_served_is_not_updated() {
    for (kind, form) in forms() {
        let open = order(kind, &form);
        let breaks = |fake: &mut Fake| fake.broken = BTreeSet::from([NEW.to_owned()]);
        let mut middle = crashes(kind, &open, &Start::of(stale(kind, &open)), |_| {});
        middle.extend(crashes(kind, &open, &Start::of(stale(kind, &open)), breaks));
        let stages: BTreeSet<String> = middle
            .iter()
            .filter_map(|start| start.sight.builds.update.as_ref())
            .map(|update| format!("{:?}", std::mem::discriminant::<Stage>(&update.stage)))
            .collect();
        if kind.proof(&open, &stale(kind, &open)).is_some() {
            assert_eq!(stages.len(), 4, "every stage but that of spoilt data is met");
        }
        for (aim, closed) in [(Aim::Run, true), (Aim::Stop, false), (Aim::Gone, false)] {
            let held = Order { aim, closed: closed.then(|| "2026-17".to_owned()), ..open.clone() };
            for start in &middle {
                let builds = start.sight.builds.clone();
                let judge = |fake: &Fake| {
                    if fake.sight.builds == builds { Ok(()) } else { Err(format!("{:?}", fake.sight.builds)) }
                };
                survives_on(kind, &held, [start.clone()], |_| {}, judge).unwrap_or_else(|why| panic!("{why}"));
            }
        }
    }
}
