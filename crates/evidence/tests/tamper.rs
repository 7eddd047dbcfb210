//! A log that is built, exported, and tampered with in every way that the verifier must see.

#![allow(clippy::expect_used, clippy::unwrap_used, reason = "a test may panic")]

use husorden_evidence::export::{Consistency, ExportedLeaf, Header, Record};
use husorden_evidence::leaf::Opened;
use husorden_evidence::verify::{Finding, Outside, Report, Why, verify};
use husorden_evidence::{Checkpoint, Hash, Leaf, Line, PublicKey, SigningKey, Stage, Tiles, leaf, proof};
use jiff::Timestamp;
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use uuid::Uuid;

const ORIGIN: &str = "husorden.test/log";
const ACCOUNT: Uuid = Uuid::from_u128(7);

fn second(n: i64) -> Timestamp {
    Timestamp::from_second(1_800_000_000 + n).unwrap()
}

/// Lines with what is visible of them, and the notes signed over them.
#[derive(Clone, Default)]
struct Log {
    leaves: Vec<(Line, Leaf)>,
    notes: Vec<String>,
    /// Line, path: what was erased.
    erased: BTreeSet<(u64, String)>,
}

fn key() -> SigningKey {
    SigningKey::new(ORIGIN, &[7; 32]).unwrap()
}

fn line(number: u64, at: i64) -> Line {
    Line {
        line: number,
        stage: Stage::Whole,
        noted: second(at),
        begun: second(at),
        ended: Some(second(at)),
        act: "member.invite".to_owned(),
        who: format!("account:{number}"),
        account: (number.is_multiple_of(2)).then_some(ACCOUNT),
        solution: None,
        node: None,
        serial: None,
        before: Some(json!({ "role": "admin", "email": format!("m{number}@mail.example") })),
        after: Some(json!({})),
    }
}

impl Log {
    /// Ten lines a minute and a checkpoint at its end, for some minutes.
    fn minutes(minutes: i64) -> Self {
        let mut log = Self::default();
        for n in 0..minutes * 10 {
            log.add(line(n.unsigned_abs() + 1, n * 6));
            if n % 10 == 9 {
                log.sign(n * 6 + 3);
            }
        }
        log
    }

    fn add(&mut self, line: Line) {
        let mut n = 0;
        let number = line.line.to_be_bytes();
        let leaf = Leaf::seal(&line, || {
            n += 1;
            let mut salt = [n; 16];
            salt[..8].copy_from_slice(&number);
            salt
        });
        self.leaves.push((line, leaf));
    }

    fn tiles(&self) -> Tiles {
        let mut tiles = Tiles::default();
        for (n, (_, leaf)) in (0..).zip(&self.leaves) {
            tiles.append(n, leaf.hash(), &mut BTreeSet::new());
        }
        tiles
    }

    fn sign(&mut self, at: i64) {
        let size = self.leaves.len() as u64;
        let root = self.tiles().hash((0, size)).unwrap();
        self.notes.push(Checkpoint { origin: ORIGIN.to_owned(), size, root, at: second(at) }.sign(&key()));
    }

    /// Whoever holds the key signs the same moments anew over what the tree is now.
    fn sign_anew(&mut self) {
        let old: Vec<Checkpoint> = self.notes.drain(..).map(|note| Checkpoint::unsigned(&note).unwrap()).collect();
        let tiles = self.tiles();
        for mut checkpoint in old {
            checkpoint.size = checkpoint.size.min(self.leaves.len() as u64);
            checkpoint.root = tiles.hash((0, checkpoint.size)).unwrap();
            self.notes.push(checkpoint.sign(&key()));
        }
    }

    fn outside(&self) -> Vec<Outside> {
        self.notes.iter().map(|note| Outside { place: "outside".to_owned(), note: note.clone() }).collect()
    }

    fn records(&self, account: Option<Uuid>, made: i64) -> Vec<Record> {
        let (size, tiles) = (self.leaves.len() as u64, self.tiles());
        let keys = vec![key().public().to_string()];
        let header = Header { version: 1, origin: ORIGIN.to_owned(), keys, made: second(made), size, account };
        let mut records = vec![Record::Header(header)];
        records.extend(self.notes.iter().cloned().map(Record::Checkpoint));
        if account.is_some() {
            for note in &self.notes {
                let from = Checkpoint::unsigned(note).unwrap().size;
                let proof = tiles.hashes(&proof::consistency(from, size)).unwrap();
                records.push(Record::Consistency(Consistency { from, proof }));
            }
        }
        let mut leaves = 0;
        for (index, (line, leaf)) in (0..).zip(&self.leaves) {
            if account.is_some() && line.account != account && line.act != "evidence.erased" {
                continue;
            }
            let body: Value = serde_json::from_str(&leaf.body).unwrap();
            let (who, before) = (json!(line.who), line.before.clone().unwrap());
            let (mut open, mut erased) = (BTreeMap::new(), BTreeMap::new());
            for (path, salt) in &leaf.salts {
                if self.erased.contains(&(line.line, path.clone())) {
                    erased.insert(path.clone(), "platform".to_owned());
                    continue;
                }
                let value = leaf::value(path, &who, &before, &Value::Null).unwrap().clone();
                open.insert(path.clone(), Opened { salt: salt.clone(), value });
            }
            let proof =
                if account.is_some() { tiles.hashes(&proof::inclusion(index, size)).unwrap() } else { Vec::new() };
            records.push(Record::Leaf(Box::new(ExportedLeaf { index, body, open, erased, proof })));
            leaves += 1;
        }
        records.push(Record::End { leaves });
        records
    }

    fn check(&self, account: Option<Uuid>, outside: &[Outside]) -> Report {
        check(&self.records(account, 600), outside)
    }
}

fn check(records: &[Record], outside: &[Outside]) -> Report {
    let text: String = records.iter().map(|record| serde_json::to_string(record).unwrap() + "\n").collect();
    let keys: [PublicKey; 1] = [key().public()];
    verify(text.as_bytes(), outside, &keys).expect("it is an export")
}

const BOTH: [Option<Uuid>; 2] = [None, Some(ACCOUNT)];

#[test]
fn what_was_not_touched_holds() {
    let log = Log::minutes(4);
    for account in BOTH {
        let report = log.check(account, &log.outside());
        assert!(report.holds(), "{:?}", report.findings);
        assert_eq!((report.outside, report.outside_agreed), (4, 4));
        assert_eq!(report.protected, Some((40, second(39 * 6 + 3))));
        assert_eq!(report.unprotected_s, 600 - (39 * 6 + 3));
        assert_eq!(report.leaves, if account.is_some() { 20 } else { 40 });
    }
}

/// What somebody with the database, the disk and the key does, and what is seen of it.
fn rebuilt(change: impl Fn(&mut Vec<(Line, Leaf)>)) -> Report {
    let log = Log::minutes(4);
    let mut forged = log.clone();
    change(&mut forged.leaves);
    let lines: Vec<Line> = forged.leaves.drain(..).map(|(line, _)| line).collect();
    lines.into_iter().for_each(|line| forged.add(line));
    forged.sign_anew();
    assert!(forged.check(None, &forged.outside()).outside_agreed >= 4, "the forger's own checkpoints agree with him");
    let partial = forged.check(Some(ACCOUNT), &log.outside());
    assert!(!partial.holds(), "an account's export shows it too");
    forged.check(None, &log.outside())
}

#[track_caller]
fn rewritten(report: &Report, from: u64, to: u64) {
    let Some(Finding::Rewritten { from: f, to: t, outside: true, .. }) = report.findings.first() else {
        panic!("{:?}", report.findings);
    };
    assert_eq!((*f, *t), (from, to), "{:?}", report.findings);
}

#[test]
fn a_rebuilt_and_signed_tree_is_told_by_what_lies_outside() {
    // The 25th line lies between the second checkpoint and the third.
    let changed = rebuilt(|leaves| leaves[24].0.before = Some(json!({ "role": "owner", "email": "x@mail.example" })));
    rewritten(&changed, 20, 30);
    assert!(matches!(changed.findings[0], Finding::Rewritten { lines: Some((21, 30)), .. }), "{:?}", changed.findings);
    assert_eq!(changed.unprotected_since, Some(second(19 * 6 + 3)), "from the checkpoint before it on");
    assert_eq!(changed.unprotected_s, 600 - (19 * 6 + 3));

    let moved = rebuilt(|leaves| leaves.swap(21, 27));
    rewritten(&moved, 20, 30);

    let dated_back = rebuilt(|leaves| leaves[35].0.noted = second(10));
    rewritten(&dated_back, 30, 40);

    let removed = rebuilt(|leaves| drop(leaves.remove(24)));
    rewritten(&removed, 20, 30);
    let shrunk = |finding: &Finding| matches!(finding, Finding::Shrunk { size: 40, now: 39, .. });
    assert!(removed.findings.iter().any(shrunk), "{:?}", removed.findings);

    let first = rebuilt(|leaves| leaves[0].0.act = "nothing".to_owned());
    rewritten(&first, 0, 10);
    assert_eq!(first.protected, None);
}

#[test]
fn what_was_added_late_with_an_early_date_is_told() {
    let mut log = Log::minutes(4);
    log.add(Line { account: Some(ACCOUNT), ..line(41, 60) });
    log.sign(300);
    for account in BOTH {
        let report = log.check(account, &log.outside());
        let found = |f: &Finding| matches!(f, Finding::Leaf { line: 41, why: Why::BackDated { .. }, .. });
        assert!(report.findings.iter().any(found), "{:?}", report.findings);
    }
    // A node's own date may be older than its arrival; ours may not.
    let mut log = Log::minutes(4);
    log.add(Line { begun: second(-5000), node: Some("local".to_owned()), serial: Some(1), ..line(41, 250) });
    log.sign(300);
    assert!(log.check(None, &log.outside()).holds());
    log.add(Line { begun: second(-5000), ..line(42, 301) });
    log.sign(302);
    assert!(!log.check(None, &log.outside()).holds());
}

/// Applies a change to the records of both kinds of export; says what was found.
fn altered(change: impl Fn(&mut Vec<Record>)) -> [Vec<Finding>; 2] {
    BOTH.map(|account| {
        let log = Log::minutes(4);
        let mut records = log.records(account, 600);
        change(&mut records);
        check(&records, &log.outside()).findings
    })
}

fn leaf_of(records: &mut [Record], line: u64) -> (usize, &mut ExportedLeaf) {
    let found = records.iter_mut().enumerate().find_map(|(at, record)| match record {
        Record::Leaf(leaf) if leaf.body["line"] == line => Some((at, &mut **leaf)),
        _ => None,
    });
    found.expect("the line")
}

#[test]
fn an_altered_file_is_told() {
    let visible = altered(|records| leaf_of(records, 24).1.open.get_mut("who").unwrap().value = json!("account:other"));
    for found in visible {
        assert_eq!(found, [Finding::Leaf { index: 23, line: 24, why: Why::Value("who".to_owned()) }]);
    }
    let gone = altered(|records| {
        let leaf = leaf_of(records, 24).1;
        leaf.open.remove("who");
        leaf.erased.insert("who".to_owned(), "platform".to_owned());
    });
    for found in gone {
        assert_eq!(found, [Finding::Leaf { index: 23, line: 24, why: Why::Gone("who".to_owned()) }]);
    }
    let [whole, partial] = altered(|records| leaf_of(records, 24).1.body["act"] = json!("nothing"));
    assert!(matches!(whole[0], Finding::Rewritten { from: 20, to: 30, .. }), "{whole:?}");
    assert_eq!(partial, [Finding::Leaf { index: 23, line: 24, why: Why::NotInTree }]);
    let [whole, partial] = altered(|records| {
        let at = leaf_of(records, 24).0;
        records.remove(at);
    });
    assert!(whole.contains(&Finding::Missing { from: 23, to: 24 }), "{whole:?}");
    assert_eq!(partial, [Finding::Cut { leaves: 19 }], "an account's export counts its leaves");
    for found in altered(|records| drop(records.pop())) {
        assert!(matches!(found[..], [Finding::Cut { .. }]), "{found:?}");
    }
    let [whole, partial] = altered(|records| {
        let (one, other) = (leaf_of(records, 24).0, leaf_of(records, 28).0);
        records.swap(one, other);
    });
    assert!(whole.iter().any(|f| matches!(f, Finding::Leaf { why: Why::Order, .. })), "{whole:?}");
    assert!(partial.iter().any(|f| matches!(f, Finding::Leaf { why: Why::Order, .. })), "{partial:?}");
}

#[test]
fn halves_belong_together() {
    let mut log = Log::minutes(1);
    log.add(Line { stage: Stage::Before, ended: None, ..line(11, 62) });
    log.add(Line { stage: Stage::After, ..line(11, 65) });
    log.sign(66);
    assert!(log.check(None, &log.outside()).holds());
    log.add(Line { stage: Stage::After, ..line(11, 67) });
    log.add(Line { stage: Stage::After, ..line(12, 68) });
    log.sign(69);
    let found = log.check(None, &log.outside()).findings;
    let leaf = |index, line, why| Finding::Leaf { index, line, why };
    assert_eq!(found, [leaf(12, 11, Why::Twice), leaf(13, 12, Why::NoBefore)]);
}

#[test]
fn erasure_holds_when_a_line_says_so() {
    let mut log = Log::minutes(4);
    for number in [2, 4] {
        log.erased.insert((number, "before.email".to_owned()));
    }
    let before = Some(json!({ "class": "contact", "through": 4 }));
    log.add(Line { act: "evidence.erased".to_owned(), account: None, before, ..line(41, 250) });
    log.sign(251);
    for account in BOTH {
        let report = log.check(account, &log.outside());
        assert!(report.holds(), "{:?}", report.findings);
        assert_eq!(report.erased, 2);
    }
    // Line 6 lies beyond what that erasure reached, and who acted is of another class.
    log.erased.insert((6, "before.email".to_owned()));
    log.erased.insert((2, "who".to_owned()));
    let found = log.check(None, &log.outside()).findings;
    let gone = |index, line, path: &str| Finding::Leaf { index, line, why: Why::Gone(path.to_owned()) };
    assert_eq!(found, [gone(1, 2, "who"), gone(5, 6, "before.email")]);
}

#[test]
fn checkpoints_of_others_and_forged_ones_are_told() {
    let log = Log::minutes(2);
    let note = |origin: &str, key: &SigningKey| {
        let root = log.tiles().hash((0, 20)).unwrap();
        let note = Checkpoint { origin: origin.to_owned(), size: 20, root, at: second(130) }.sign(key);
        [Outside { place: "there".to_owned(), note }]
    };
    let stranger = SigningKey::new(ORIGIN, &[8; 32]).unwrap();
    let found = log.check(None, &note(ORIGIN, &stranger)).findings;
    assert!(matches!(&found[..], [Finding::Signature { .. }]), "{found:?}");
    let found = log.check(None, &note("another.test/log", &key())).findings;
    assert!(matches!(&found[..], [Finding::OtherLog { .. }]), "{found:?}");
    // One that is younger than the export says nothing against it.
    let mut later = log.clone();
    later.add(line(21, 700));
    later.sign(701);
    let report = log.check(None, &later.outside());
    assert!(report.holds() && report.outside_younger == 1, "{report:?}");
    // With nothing from outside the whole log is unprotected.
    let report = log.check(None, &[]);
    assert!(report.holds() && report.protected.is_none());
    assert_eq!(report.unprotected_s, 600);
}

#[test]
fn nonsense_is_no_export() {
    let keys = [key().public()];
    for text in ["", "{}\n", "nonsense", "{\"end\":{\"leaves\":0}}\n"] {
        assert!(verify(text.as_bytes(), &[], &keys).is_err(), "{text:?}");
    }
    let hash = Hash::of(b"x");
    assert!(Leaf { body: "x".to_owned(), salts: BTreeMap::new() }.hash() != hash);
}
