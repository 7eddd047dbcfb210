//! What the register must not forget, and what it must not take.

use super::*;
use husorden_kinds::Aim;
use husorden_rules::{Access, Fates, Scope};

fn wish(number: u32, generation: u64) -> Wish {
    Wish {
        solution: SolutionId(uuid::Uuid::from_u128(u128::from(number))),
        number: Number::new(number).expect("a number"),
        account: AccountId(uuid::Uuid::from_u128(9)),
        name: format!("s{number}").parse().expect("a name"),
        kind: husorden_kinds::KINDS[0].name().to_owned(),
        aim: Aim::Run,
        spec: serde_json::json!({}),
        credentials: BTreeMap::new(),
        networks: Vec::new(),
        from: None,
        public: husorden_kinds::Public::default(),
        rules: Vec::new(),
        mail_out: None,
        from_backup: None,
        retain_until: None,
        released: None,
        epoch: 1,
        generation,
    }
}

fn measure(revision: u64) -> Measure {
    Measure {
        id: MeasureId(uuid::Uuid::from_u128(5)),
        revision,
        case: None,
        case_number: "S-1".to_owned(),
        clause: "network.attack".parse().expect("a clause"),
        scope: Scope::Account { id: AccountId(uuid::Uuid::from_u128(9)) },
        access: Access::Decision,
        fates: Fates::default(),
        starts: Timestamp::UNIX_EPOCH,
        ends: None,
        silent_until: None,
        lifted: (revision > 1).then(Timestamp::now),
    }
}

#[test]
fn what_is_acknowledged_is_there_after_a_death() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("register");
    let now = Timestamp::now();
    {
        let register = Register::open(&path).expect("it opens");
        assert!(register.take_wish(wish(1, 1)).expect("taken"));
        assert!(!register.take_wish(wish(1, 1)).expect("the same again is nothing new"));
        assert!(register.take_measure(measure(1)).expect("taken"));
        assert_eq!(register.witness("act.begin", None, serde_json::json!({})).expect("a line").serial, 1);
    }
    let register = Register::open(&path).expect("it opens again");
    let kept = register.wish(wish(1, 1).solution).expect("the wish is there");
    assert!(register.held(kept.solution, kept.account, now).is_some());
    assert!(!register.take_measure(measure(1)).expect("nothing new"));
    assert!(register.take_measure(measure(2)).expect("lifted"));
    assert!(register.held(kept.solution, kept.account, now).is_none());
    assert!(!register.take_measure(measure(1)).expect("an older state never replaces a newer"));
    assert!(register.held(kept.solution, kept.account, now).is_none());
    assert_eq!(register.witness("act.end", None, serde_json::json!({})).expect("a line").serial, 2);
    assert_eq!(register.evidence(0, 10).expect("lines").len(), 2);
    register.evidence_kept(1).expect("let go");
    assert_eq!(register.evidence(0, 10).expect("lines")[0].serial, 2);
}

#[test]
fn older_wishes_and_taken_numbers_are_refused() {
    let folder = tempfile::tempdir().expect("a folder");
    let register = Register::open(&folder.path().join("register")).expect("it opens");
    register.take_wish(wish(1, 3)).expect("taken");
    assert!(matches!(register.take_wish(wish(1, 2)), Err(WishError::Older { generation: 3, .. })));
    let newer_epoch = Wish { epoch: 2, ..wish(1, 1) };
    assert!(register.take_wish(newer_epoch).expect("a newer epoch beats any generation"));
    let thief = Wish { solution: SolutionId(uuid::Uuid::from_u128(77)), ..wish(1, 1) };
    assert!(matches!(register.take_wish(thief.clone()), Err(WishError::NumberTaken { .. })));
    register.forget_wish(wish(1, 1).solution).expect("forgotten");
    let risen = register.take_wish(wish(1, 9));
    assert!(
        matches!(risen, Err(WishError::Older { epoch: 2, .. })),
        "what was destroyed does not come back by an older wish"
    );
    assert_eq!(register.epoch(), 2);
    assert!(matches!(register.take_wish(thief), Err(WishError::NumberTaken { .. })), "a number is never given twice");
    let unknown = Wish { kind: "castle".to_owned(), ..wish(2, 1) };
    assert!(matches!(register.take_wish(unknown), Err(WishError::UnknownKind(_))));
}

#[test]
fn wishes_that_come_together_are_judged_in_their_order() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("register");
    let thief = Wish { solution: SolutionId(uuid::Uuid::from_u128(77)), ..wish(1, 1) };
    let unknown = Wish { kind: "castle".to_owned(), ..wish(2, 1) };
    {
        let register = Register::open(&path).expect("it opens");
        let batch = vec![wish(1, 2), wish(1, 1), thief, unknown, wish(3, 1), wish(3, 1), wish(1, 3)];
        let said = register.take_wishes(batch).expect("written");
        assert!(matches!(
            said[..],
            [
                Ok(true),
                Err(WishError::Older { generation: 2, .. }),
                Err(WishError::NumberTaken { .. }),
                Err(WishError::UnknownKind(_)),
                Ok(true),
                Ok(false),
                Ok(true)
            ]
        ));
    }
    let register = Register::open(&path).expect("it opens again");
    assert_eq!(register.wish(wish(1, 3).solution).expect("the newest").generation, 3);
    assert_eq!(register.solutions().len(), 2);
    assert_eq!(register.owner(wish(3, 1).number), Some(wish(3, 1).solution));
    assert_eq!(register.owner(wish(2, 1).number), None);
}

#[test]
fn generations_for_the_edge_only_grow() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("register");
    let first = Register::open(&path).and_then(|register| register.boot_generation()).expect("a generation");
    let second = Register::open(&path).and_then(|register| register.boot_generation()).expect("a generation");
    assert!(second > first + 1_000_000_000);
}

#[test]
fn the_spec_of_what_was_brought_back_is_awaited_over_a_death() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("register");
    let order = |seconds: u64| OrderId(uuid::Uuid::from_u128(u128::from(seconds) << 80));
    let held = wish(1, 1);
    {
        let register = Register::open(&path).expect("it opens");
        assert!(!register.awaits_release(&held));
        register.await_release(held.solution, Some(order(7))).expect("noted");
    }
    let register = Register::open(&path).expect("it opens again");
    assert!(register.awaits_release(&held));
    // Neither a change of who may connect, nor what an earlier order released, is the spec that was waited for; another solution waits for nothing.
    let changed = Wish { spec: serde_json::json!({ "allow": [] }), released: Some(order(6)), ..wish(1, 2) };
    assert!(register.awaits_release(&changed) && !register.awaits_release(&wish(2, 1)));
    // It may say the same as the one before.
    assert!(!register.awaits_release(&Wish { released: Some(order(7)), ..wish(1, 3) }));
    assert!(!register.awaits_release(&wish(1, 4)), "it has come");
    register.await_release(held.solution, Some(order(8))).expect("noted");
    assert!(!register.awaits_release(&Wish { released: Some(order(9)), ..wish(1, 5) }), "a later one says as much");
    register.await_release(held.solution, Some(order(10))).expect("noted");
    register.await_release(held.solution, None).expect("it came to nothing");
    assert!(!register.awaits_release(&held));
}
