//! A proof from the repository to the last comparison.

use super::bench::{Bench, compared, step};
use super::{Turn, compare, pressure};
use crate::Node;
use crate::backup::job::{Came, VOLUME, Work};
use crate::backup::{About, Errand, Urgency, folders, run};
use husorden_base::{AccountId, Number, Refusal, SolutionId, Text};
use husorden_kinds::Aim;
use husorden_wire::node::{Level, Opened, ProofStep, Proven, Repository, Secrets, Wish};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Longest time of one proof's part.
const LIMIT: Duration = Duration::from_secs(24 * 3600);
/// Findings that are told one by one.
const FINDINGS_TOLD: usize = 5;
/// The note beside a backup's volume that says whose it is.
const ABOUT: &str = crate::backup::job::ABOUT;

/// What is to be proven.
pub(crate) struct Asked<'a> {
    /// Whose backup it is.
    pub(crate) solution: SolutionId,
    /// Whose uid the repository's files have.
    pub(crate) number: Number,
    pub(crate) repository: &'a Repository,
    pub(crate) secrets: &'a Secrets,
    pub(crate) copy: &'a str,
    pub(crate) level: Level,
    /// Asked again and again: why it is to stop.
    pub(crate) stop: &'a dyn Fn() -> Option<Refusal>,
}

/// A proof under way.
struct Proof<'a> {
    node: &'a Arc<Node>,
    asked: &'a Asked<'a>,
    told: &'a mut dyn FnMut(&Text),
    began: Instant,
    steps: Vec<ProofStep>,
    level: Option<Level>,
    found: Opened,
    bytes: u64,
}

/// Proves it.
///
/// # Errors
/// When it neither passed nor failed: the target was away, the machine short of something, or it was called off.
pub(crate) fn prove(node: &Arc<Node>, asked: &Asked<'_>, told: &mut dyn FnMut(&Text)) -> Result<Proven, Refusal> {
    // Waiting for others is no part of a recovery.
    let turn = node.proofs.turn();
    // Those that wait for their turn hold up no backup.
    let none = || pressure::postponed(&Text::new("Der var ingen plads.", "There was no place."));
    let Some(_slot) = node.slots.take(Urgency::Background, || (asked.stop)().is_some()) else {
        return Err((asked.stop)().unwrap_or_else(none));
    };
    let (steps, found) = (Vec::new(), Opened::default());
    let mut proof = Proof { node, asked, told, began: Instant::now(), steps, level: None, found, bytes: 0 };
    let passed = proof.all(turn)?;
    Ok(Proven {
        passed,
        level: proof.level,
        steps: proof.steps,
        found: proof.found,
        bytes: proof.bytes,
        took_ms: u64::try_from(proof.began.elapsed().as_millis()).unwrap_or(u64::MAX),
    })
}

impl Proof<'_> {
    /// Every step in turn; the first that fails is the last, but for those that look at what was opened.
    fn all(&mut self, turn: Turn<'_>) -> Result<bool, Refusal> {
        let Some((about, folders)) = self.look()? else { return Ok(false) };
        for (level, hashes) in [(Level::Hashes, true), (Level::Pieces, false)] {
            let last = self.asked.level == level;
            // What is put back is read piece by piece, so that looking at it beforehand would read all of it twice.
            if (last || (level == Level::Pieces && self.asked.level > level)) && !self.check(hashes, last)? {
                return Ok(false);
            }
            if last {
                self.level = Some(level);
                return Ok(true);
            }
        }
        let wish = wish(&about);
        let bench = Bench::lay(self.node, turn, &wish, &folders, &about.marks)?;
        if !self.restore(&bench, &folders)? {
            return Ok(false);
        }
        self.level = Some(Level::Restored);
        if self.asked.level == Level::Restored {
            return Ok(true);
        }
        let opened = bench.open(&mut self.steps, self.told, self.asked.stop)?;
        let last = compared(&about.noted, &opened.said);
        self.found = compare::found(&about.noted, &opened.said);
        let passed = opened.whole && last.failed.is_none();
        self.steps.push(last);
        if passed && opened.opened {
            self.level = Some(Level::Opened);
        }
        Ok(passed)
    }

    /// Has a child do something; a fault of the backup itself is an answer, every other one is not.
    fn child(
        &mut self,
        what: Text,
        work: Work,
        binds: Vec<crate::sandbox::ResolvedBind>,
    ) -> Result<Option<(Came, Instant, Text)>, Refusal> {
        (self.told)(&what);
        let began = Instant::now();
        let errand = Errand {
            number: self.asked.number,
            name: "prove",
            repository: self.asked.repository,
            secrets: self.asked.secrets,
            work,
            binds,
            into: None,
            limit: LIMIT,
            stop: self.asked.stop,
        };
        match run(self.node, errand, &mut |_, _| ()) {
            Ok(came) => Ok(Some((came, began, what))),
            Err(refusal) => {
                let why = fault_of_backup(&refusal).ok_or(refusal)?;
                self.steps.push(step(what, Some(why), began));
                Ok(None)
            }
        }
    }

    /// What lies beside the volume in the backup, and the folders of the volume.
    fn look(&mut self) -> Result<Option<(About, Vec<String>)>, Refusal> {
        let what = Text::new(
            "Backuppen findes hos backupmålet og åbnes med sin nøgle",
            "The backup is found at its target and opens with its key",
        );
        let work = Work::Look { copy: self.asked.copy.to_owned(), hole: None };
        let Some((came, began, what)) = self.child(what, work, Vec::new())? else { return Ok(None) };
        let Came::Looked { mut notes, folders } = came else { return Err(strange(&came)) };
        let about: Option<About> = serde_json::from_str(&notes.remove(ABOUT).unwrap_or_default()).ok();
        let why = match &about {
            None => Some(Text::new(
                "Noten ved siden af dens filer kan ikke læses",
                "The note beside its files does not read",
            )),
            Some(about) if about.solution != self.asked.solution => {
                Some(Text::new("Det er en anden løsnings backup", "It is another solution's backup"))
            }
            Some(_) => None,
        };
        let about = about.filter(|_| why.is_none());
        self.steps.push(step(what, why, began));
        Ok(about.map(|about| (about, folders)))
    }

    /// Whether the repository is whole, as far as this backup depends on it.
    fn check(&mut self, hashes: bool, contents: bool) -> Result<bool, Refusal> {
        let what = match (hashes, contents) {
            (true, _) => Text::new(
                "Hvert objekt hos backupmålet er, hvad dets navn siger (SHA-256)",
                "Every object at the target is what its name says (SHA-256)",
            ),
            (false, true) => Text::new(
                "Hvert stykke hos backupmålet læses og åbnes med nøglen",
                "Every piece at the target is read and opens with the key",
            ),
            (false, false) => Text::new(
                "Alt, backuppen består af, er hos backupmålet",
                "Everything that the backup is made of is at the target",
            ),
        };
        let copy = Some(self.asked.copy.to_owned());
        let contents = (contents && !hashes).then_some((1, 1));
        let Some((came, began, what)) = self.child(what, Work::Check { copy, hashes, contents }, Vec::new())? else {
            return Ok(false);
        };
        let Came::Checked { findings, wrong, .. } = came else { return Err(strange(&came)) };
        let told: Vec<String> =
            findings.iter().take(FINDINGS_TOLD).map(|(place, what)| format!("{place}: {what}")).collect();
        let told = told.join("; ");
        let why = (wrong > 0).then(|| {
            Text::new(
                format!("{wrong} ting er ikke, som de skal være: {told}"),
                format!("{wrong} things are not as they must be: {told}"),
            )
        });
        let whole = why.is_none();
        self.steps.push(step(what, why, began));
        Ok(whole)
    }

    /// Puts everything back.
    fn restore(&mut self, bench: &Bench<'_>, names: &[String]) -> Result<bool, Refusal> {
        let refused = |error| crate::host::refused(&error);
        let volume = bench.volume();
        // Whose files the repository's are fills it, and nobody else could.
        volume.hand_over(self.asked.number, names).map_err(refused)?;
        let what = Text::new(
            "Alt lægges tilbage fra backupmålet; hvert stykke er, hvad dets navn siger (SHA-256)",
            "Everything is put back from the target; each piece is what its name says (SHA-256)",
        );
        let work = Work::Restore { copy: self.asked.copy.to_owned(), folders: names.to_vec() };
        let binds = folders(&volume.folder(""), names, VOLUME, true);
        let Some((came, began, what)) = self.child(what, work, binds)? else { return Ok(false) };
        let Came::Restored { bytes, .. } = came else { return Err(strange(&came)) };
        volume.take_back(self.asked.number).map_err(refused)?;
        self.bytes = bytes;
        self.steps.push(step(what, None, began));
        Ok(true)
    }
}

/// The solution as the backup says it was, for its kind to be asked.
pub(crate) fn wish(about: &About) -> Wish {
    Wish {
        public: husorden_kinds::Public::default(),
        rules: Vec::new(),
        mail_out: None,
        solution: about.solution,
        number: super::number(),
        account: AccountId(uuid::Uuid::nil()),
        name: about.name.clone(),
        kind: about.kind.clone(),
        aim: Aim::Run,
        spec: about.spec.clone(),
        credentials: BTreeMap::new(),
        networks: Vec::new(),
        from: None,
        from_backup: None,
        retain_until: None,
        released: None,
        epoch: 0,
        generation: 0,
    }
}

/// What a child's refusal says against the backup itself; none where it says nothing of it.
fn fault_of_backup(refusal: &Refusal) -> Option<Text> {
    let against = ["backup-missing", "backup-damaged", "backup-key", "not-in-backup"];
    let words = refusal.measured.as_deref().map(|words| format!(" ({words})")).unwrap_or_default();
    against
        .contains(&refusal.code.as_str())
        .then(|| Text::new(format!("{}{words}", refusal.title.da), format!("{}{words}", refusal.title.en)))
}

fn strange(came: &Came) -> Refusal {
    pressure::postponed(&Text::new(
        format!("Barnet svarede noget andet: {came:?}"),
        format!("The child answered something else: {came:?}"),
    ))
}
