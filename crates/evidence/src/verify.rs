//! The verifier of an export, offline: every leaf in its place, in order and at its time, every checkpoint on the way, and
//! above all those that lie outside the house.
//!
//! Whoever holds the database and control's disk can build another tree and sign it. What he can't do is take back a
//! checkpoint that has left: the tree must still have that root at that size. The report says from where on it has not, and
//! how long the log stood unprotected.

mod finding;
mod report;

pub use finding::{Finding, Why};
pub use report::Report;

use crate::canonical;
use crate::checkpoint::Checkpoint;
use crate::export::{Consistency, ERASED_ACT, ExportedLeaf, Header, LINE_BYTES_MAX, Record, VERSION};
use crate::field::Class;
use crate::hash::Hash;
use crate::leaf::{class, hidden, opens};
use crate::lines;
use crate::note::{NoteError, PublicKey};
use crate::proof::{PROOF_HASHES_MAX, is_consistent, root_by_inclusion};
use crate::tree::Frontier;
use jiff::{SignedDuration, Timestamp};
use serde_json::Value;
use std::collections::{BTreeMap, HashSet};
use std::io::{self, BufRead, Read};

/// How far times may lie apart before it is said that a line is dated back: transactions overlap, and clocks are corrected.
const SKEW: SignedDuration = SignedDuration::from_secs(60);
/// How long a transaction may have lasted when it wrote its line.
const TRANSACTION_MAX: SignedDuration = SignedDuration::from_mins(15);
/// Most findings that are kept; what follows is counted.
const FINDINGS_MAX: usize = 1_000;

/// A note from outside the house, with a word on where it came from.
#[derive(Clone, Debug)]
pub struct Outside {
    /// Such as the file it lay in.
    pub place: String,
    /// The note.
    pub note: String,
}

/// Why a file could not be looked at.
#[derive(Debug, thiserror::Error)]
pub enum VerifyError {
    /// It could not be read.
    #[error("reading the export: {0}")]
    Io(#[from] io::Error),
    /// A line is none of an export.
    #[error("line {line} of the file is none of an export: {why}")]
    Line {
        /// Counted from one.
        line: u64,
        /// What is wrong.
        why: String,
    },
    /// The file begins otherwise.
    #[error("the file does not begin as an export of version {VERSION}")]
    Header,
    /// The keys that the file names are none.
    #[error("a key of the export: {0}")]
    Key(NoteError),
}

/// A checkpoint and what became of it.
#[derive(Debug)]
struct Known {
    checkpoint: Checkpoint,
    outside: bool,
    /// Whether the tree has this root at this size; none when it can't be said.
    holds: Option<bool>,
}

/// A hidden value that is not there, until an erasure is found that excuses it.
struct Absent {
    index: u64,
    line: u64,
    path: String,
    class: Class,
    account: Option<String>,
    said: bool,
}

struct Erasure {
    class: Option<Class>,
    through: u64,
    line: Option<u64>,
    /// The lines it took something from, where it names them.
    lines: Option<Vec<(u64, u64)>>,
    account: Option<String>,
}

struct Verifier {
    header: Header,
    known: Vec<Known>,
    consistency: BTreeMap<u64, Vec<Hash>>,
    /// The root at the header's size, in an export of some leaves.
    anchor: Option<Hash>,
    frontier: Frontier,
    /// In `known`, sorted by size: those before are passed.
    passed: usize,
    leaves: u64,
    last_index: Option<u64>,
    newest: Option<Timestamp>,
    first: Option<Timestamp>,
    begun: HashSet<u64>,
    ended: HashSet<u64>,
    absent: Vec<Absent>,
    erasures: Vec<Erasure>,
    /// Leaf and line since the newest outside checkpoint that holds.
    since: Vec<(u64, u64)>,
    findings: Vec<Finding>,
    more: u64,
}

/// Verifies an export against checkpoints from outside. With no keys given those that the file names are believed, which is
/// said in the report.
///
/// # Errors
/// When the file is none. What is wrong with the log itself is not an error but a finding of the report.
pub fn verify(reader: impl BufRead, outside: &[Outside], keys: &[PublicKey]) -> Result<Report, VerifyError> {
    let mut records = Records { reader, line: 0 };
    let Some(Record::Header(header)) = records.next()? else { return Err(VerifyError::Header) };
    if header.version != VERSION {
        return Err(VerifyError::Header);
    }
    let believed: Vec<PublicKey> = match keys {
        [] => header.keys.iter().map(|key| key.parse()).collect::<Result<_, _>>().map_err(VerifyError::Key)?,
        given => given.to_vec(),
    };
    let mut verifier = Verifier::new(header);
    for one in outside {
        verifier.checkpoint(&one.note, Some(&one.place), &believed);
    }
    let mut prepared = false;
    let mut said = None;
    while let Some(record) = records.next()? {
        let wrong = |why: &str| VerifyError::Line { line: records.line, why: why.to_owned() };
        match record {
            _ if said.is_some() => return Err(wrong("something stands after the end")),
            Record::Header(_) => return Err(wrong("a second header")),
            Record::Checkpoint(note) if !prepared => verifier.checkpoint(&note, None, &believed),
            Record::Consistency(Consistency { from, proof }) if !prepared => {
                if proof.len() > PROOF_HASHES_MAX {
                    return Err(wrong("the proof is too long"));
                }
                verifier.consistency.insert(from, proof);
            }
            Record::Checkpoint(_) | Record::Consistency(_) => {
                return Err(wrong("the checkpoints come before the leaves"));
            }
            Record::Leaf(leaf) => {
                if !prepared {
                    verifier.prepare();
                    prepared = true;
                }
                verifier.leaf(*leaf);
            }
            Record::End { leaves } => said = Some(leaves),
        }
    }
    if !prepared {
        verifier.prepare();
    }
    Ok(verifier.end(said, keys.is_empty()))
}

struct Records<R> {
    reader: R,
    line: u64,
}

impl<R: BufRead> Records<R> {
    fn next(&mut self) -> Result<Option<Record>, VerifyError> {
        let mut bytes = Vec::new();
        let read = Read::by_ref(&mut self.reader).take(LINE_BYTES_MAX as u64 + 1).read_until(b'\n', &mut bytes)?;
        if read == 0 {
            return Ok(None);
        }
        self.line += 1;
        let wrong = |why: String| VerifyError::Line { line: self.line, why };
        if read > LINE_BYTES_MAX {
            return Err(wrong(format!("it is longer than {LINE_BYTES_MAX} bytes")));
        }
        serde_json::from_slice(&bytes).map(Some).map_err(|error| wrong(error.to_string()))
    }
}

impl Verifier {
    fn new(header: Header) -> Self {
        Self {
            header,
            known: Vec::new(),
            consistency: BTreeMap::new(),
            anchor: None,
            frontier: Frontier::default(),
            passed: 0,
            leaves: 0,
            last_index: None,
            newest: None,
            first: None,
            begun: HashSet::new(),
            ended: HashSet::new(),
            absent: Vec::new(),
            erasures: Vec::new(),
            since: Vec::new(),
            findings: Vec::new(),
            more: 0,
        }
    }

    const fn whole(&self) -> bool {
        self.header.account.is_none()
    }

    fn find(&mut self, finding: Finding) {
        if self.findings.len() < FINDINGS_MAX {
            self.findings.push(finding);
        } else {
            self.more += 1;
        }
    }

    fn checkpoint(&mut self, note: &str, place: Option<&str>, keys: &[PublicKey]) {
        let place_text = place.unwrap_or("export").to_owned();
        match Checkpoint::open(note, keys) {
            Ok(checkpoint) if checkpoint.origin == self.header.origin => {
                self.known.push(Known { checkpoint, outside: place.is_some(), holds: None });
            }
            Ok(checkpoint) => self.find(Finding::OtherLog { place: place_text, origin: checkpoint.origin }),
            Err(error) => self.find(Finding::Signature { place: place_text, why: error.to_string() }),
        }
    }

    /// All checkpoints are read: in an export of some leaves they are judged now, by the proofs between them.
    fn prepare(&mut self) {
        self.known.sort_by_key(|k| (k.checkpoint.size, k.checkpoint.at));
        // Trees that only grow never have a smaller size at a later time.
        let mut by_time: Vec<(Timestamp, u64, bool)> =
            self.known.iter().map(|k| (k.checkpoint.at, k.checkpoint.size, k.outside)).collect();
        by_time.sort_unstable();
        let shrunk =
            by_time.windows(2).find(|pair| pair[1].1 < pair[0].1 && pair[1].0.duration_since(pair[0].0) > SKEW);
        if let Some(pair) = shrunk {
            let finding = Finding::Shrunk { size: pair[0].1, at: pair[0].0, now: pair[1].1 };
            self.find(finding);
        }
        if self.whole() {
            self.pass();
            return;
        }
        let size = self.header.size;
        self.anchor = self.known.iter().find(|k| !k.outside && k.checkpoint.size == size).map(|k| k.checkpoint.root);
        let Some(anchor) = self.anchor else {
            self.find(Finding::NoAnchor { size });
            return;
        };
        for known in &mut self.known {
            let (from, root) = (known.checkpoint.size, known.checkpoint.root);
            known.holds = if from == size {
                Some(root == anchor)
            } else {
                self.consistency.get(&from).map(|proof| is_consistent((from, root), (size, anchor), proof))
            };
        }
    }

    /// In a whole export: judges the checkpoints of the size that is reached.
    fn pass(&mut self) {
        let size = self.frontier.size();
        let mut root = None;
        while let Some(known) = self.known.get_mut(self.passed).filter(|known| known.checkpoint.size <= size) {
            let root = root.get_or_insert_with(|| self.frontier.root());
            let holds = known.checkpoint.root == *root;
            known.holds = Some(holds);
            if holds && known.outside {
                self.since.clear();
            }
            self.passed += 1;
        }
    }

    fn leaf(&mut self, leaf: ExportedLeaf) {
        let number = |name: &str| leaf.body.get(name).and_then(Value::as_u64);
        let text = |name: &str| leaf.body.get(name).and_then(Value::as_str).unwrap_or_default();
        let time = |name: &str| text(name).parse::<Timestamp>().ok();
        let index = leaf.index;
        let line = number("line").unwrap_or(0);
        let at = |why| Finding::Leaf { index, line, why };
        let hash = Hash::leaf(canonical::text(&leaf.body).as_bytes());

        let expected = self.last_index.map_or(0, |last| last + 1);
        if index < expected {
            self.find(at(Why::Order));
        } else if self.whole() && index > expected {
            self.find(Finding::Missing { from: expected, to: index });
        }
        self.last_index = Some(index.max(expected));
        self.leaves += 1;

        let (noted, begun) = (time("noted"), time("begun"));
        match noted {
            None => self.find(at(Why::Shape)),
            Some(noted) => self.dated(index, line, noted, begun, leaf.body.get("node").is_some()),
        }
        match text("stage") {
            "before" | "whole" => {
                if !self.begun.insert(line) {
                    self.find(at(Why::Twice));
                }
            }
            "after" => {
                if !self.begun.contains(&line) {
                    self.find(at(Why::NoBefore));
                }
                if !self.ended.insert(line) {
                    self.find(at(Why::Twice));
                }
            }
            _ => self.find(at(Why::Shape)),
        }
        if let Some(account) = self.header.account
            && text("account") != account.to_string()
            && text("act") != ERASED_ACT
        {
            self.find(at(Why::OtherAccount));
        }

        for (path, hash) in hidden(&leaf.body) {
            match leaf.open.get(&path) {
                Some(opened) if opens(hash, &opened.salt, &opened.value) => {}
                Some(_) => self.find(at(Why::Value(path))),
                None => self.absent.push(Absent {
                    index,
                    line,
                    class: class(&path),
                    account: leaf.body.get("account").and_then(Value::as_str).map(str::to_owned),
                    said: leaf.erased.contains_key(&path),
                    path,
                }),
            }
        }
        if text("act") == ERASED_ACT && text("stage") == "whole" {
            let detail = |name: &str| leaf.body.get("before").and_then(|before| before.get(name));
            self.erasures.push(Erasure {
                class: detail("class").and_then(Value::as_str).and_then(Class::from_word),
                through: detail("through").and_then(Value::as_u64).unwrap_or(0).min(index),
                line: detail("line").and_then(Value::as_u64),
                lines: detail("lines_erased").map(|text| lines::ranges(text.as_str().unwrap_or_default())),
                account: detail("account").and_then(Value::as_str).map(str::to_owned),
            });
        }

        self.since.push((index, line));
        if self.whole() {
            self.frontier.push(hash);
            self.pass();
        } else if let Some(anchor) = self.anchor
            && (leaf.proof.len() > PROOF_HASHES_MAX
                || root_by_inclusion(hash, index, self.header.size, &leaf.proof) != Some(anchor))
        {
            self.find(at(Why::NotInTree));
        }
    }

    /// A line's time against its neighbours and against the checkpoints around it.
    fn dated(&mut self, index: u64, line: u64, noted: Timestamp, begun: Option<Timestamp>, of_node: bool) {
        let at = |why| Finding::Leaf { index, line, why };
        self.first.get_or_insert(noted);
        if self.newest.is_some_and(|newest| newest.duration_since(noted) > SKEW) {
            self.find(at(Why::Order));
        }
        self.newest = Some(self.newest.map_or(noted, |newest| newest.max(noted)));
        // What a node did is dated by the node, and is heard when it is heard.
        if let Some(begun) = begun.filter(|_| !of_node)
            && (noted.duration_since(begun) > TRANSACTION_MAX || begun.duration_since(noted) > SKEW)
        {
            self.find(at(Why::BackDated { noted: begun, not_before: noted }));
        }
        let split = self.known.partition_point(|known| known.checkpoint.size <= index);
        let before = self.known[..split].iter().rev().find(|known| known.holds == Some(true)).map(|k| k.checkpoint.at);
        if let Some(not_before) = before.filter(|before| before.duration_since(noted) > SKEW) {
            self.find(at(Why::BackDated { noted, not_before }));
        }
        let after = self.known[split..].iter().find(|known| known.holds != Some(false)).map(|k| k.checkpoint.at);
        if let Some(not_after) = after.filter(|after| noted.duration_since(*after) > SKEW) {
            self.find(at(Why::DatedAhead { noted, not_after }));
        }
    }

    fn end(mut self, said: Option<u64>, key_from_export: bool) -> Report {
        if said != Some(self.leaves) {
            let finding = Finding::Cut { leaves: self.leaves };
            self.find(finding);
        }
        if self.whole() && self.frontier.size() < self.header.size {
            let finding = Finding::Missing { from: self.frontier.size(), to: self.header.size };
            self.find(finding);
        }
        let mut erased = 0;
        for absent in std::mem::take(&mut self.absent) {
            let excused = self.erasures.iter().any(|erasure| {
                erasure.through > absent.index
                    && erasure.class.is_none_or(|class| class == absent.class)
                    && erasure.line.is_none_or(|line| line == absent.line)
                    && erasure
                        .lines
                        .as_ref()
                        .is_none_or(|lines| lines.iter().any(|(first, last)| (*first..=*last).contains(&absent.line)))
                    && (erasure.account.is_none() || erasure.account == absent.account)
            });
            if excused && absent.said {
                erased += 1;
            } else {
                self.find(Finding::Leaf { index: absent.index, line: absent.line, why: Why::Gone(absent.path) });
            }
        }
        self.judge(erased, key_from_export)
    }
}
