//! How a solution stands in one word, from the wish, the node's last report and the measures. Pure.
//!
//! "Settled" counts only when the node says it of the current epoch and generation; a node that is silent makes the state
//! unknown, never gone.

use crate::app::App;
use crate::store::solution::SolutionView;
use crate::{backup, public, update};
use husorden_base::{Bytes, Language, Text};
use husorden_kinds::hole::{self, Hole};
use husorden_kinds::{Aim, Finding, Waiting, firewall};
use husorden_wire::api;
use husorden_wire::node::{Seen, SeenState};
use jiff::{SignedDuration, Timestamp};
use std::collections::BTreeMap;

/// After how many seconds of silence the state of a node's solutions is unknown.
pub(crate) const SILENCE_S_MAX: i64 = 30;

/// State and message.
pub(crate) fn of(view: &SolutionView) -> (&'static str, Option<Text>) {
    if view.deleted.is_some() {
        return ("deleted", None);
    }
    let seen = view.seen.as_ref();
    let current = seen.filter(|seen| seen.epoch == view.epoch && seen.generation == view.generation);
    let settled = current.is_some_and(|seen| seen.state == SeenState::Settled);
    if view.aim == Aim::Gone && settled {
        return ("deleted", None);
    }
    let heard = view.heard.map_or(view.changed, |heard| heard.max(view.changed));
    if view.now.duration_since(heard) > SignedDuration::from_secs(SILENCE_S_MAX) {
        let text = Text::new(
            "Serveren, den ligger på, har ikke meldt sig; den kan sagtens være i drift",
            "The node it lies on has not been heard; it may well be serving",
        );
        return ("unknown", Some(text));
    }
    let trouble = current.filter(|seen| seen.state == SeenState::Trouble).map(|seen| ("trouble", waiting(seen)));
    if view.aim == Aim::Gone {
        return trouble.unwrap_or(("deleting", current.and_then(waiting)));
    }
    if view.closed == Some(true) {
        let case = view.case_number.clone().unwrap_or_default();
        let text = Text::new(format!("Lukket, sag {case}"), format!("Closed, case {case}"));
        return ("closed", Some(text));
    }
    if view.hold_for.is_some() {
        let text = Text::new("Ændringen venter på, at en ordre bliver færdig", "The change waits for an order to end");
        return ("working", Some(text));
    }
    if let Some(trouble) = trouble {
        return trouble;
    }
    match (settled, view.aim) {
        // What the node said last was of a measure that is over: it is at work on opening it again.
        (true, Aim::Run) if current.is_some_and(|seen| seen.closed) => {
            ("working", Some(Text::new("Åbnes igen", "Opening again")))
        }
        (true, Aim::Run) => ("running", None),
        (true, Aim::Stop) => ("stopped", None),
        (true, Aim::Gone) => ("deleted", None),
        (false, _) => ("working", current.and_then(waiting)),
    }
}

fn waiting(seen: &Seen) -> Option<Text> {
    seen.waiting.as_ref().map(|waiting| match waiting {
        Waiting::Work { text } | Waiting::Trouble { text } => text.clone(),
    })
}

/// What an owner should see of a spec and of the disk, in the reader's language; what is over by itself is left out.
fn findings(app: &App, view: &SolutionView, language: Language) -> Vec<api::Finding> {
    let Some(kind) = app.kind(&view.kind) else { return Vec::new() };
    let mut found = kind.findings(&view.spec);
    if let Some(usage) = view.seen.as_ref().and_then(|seen| seen.usage) {
        let used = Bytes(usage.live + usage.snapshots);
        found.extend(husorden_kinds::finding::filled(used, Bytes(usage.limit), usage.full, &kind.when_full()));
    }
    found.extend(view.seen.iter().flat_map(|seen| update::findings(&seen.builds)));
    found.extend(view.seen.iter().flat_map(|seen| kind.findings_of_machine(&seen.virtualisation)));
    let hole = view.seen.as_ref().and_then(|seen| Hole::open(seen.marks.get(hole::MARK)?));
    found.extend(hole.map(|hole| hole.finding()));
    if let Some(log) = view.seen.as_ref().and_then(|seen| seen.log.as_ref()).filter(|log| log.broken) {
        found.push(husorden_kinds::finding::log_broken(log.from));
    }
    // What is on its way out is not backed up any more, and nobody is to do anything about that.
    let plan = view.backups.iter().filter(|_| view.aim != Aim::Gone);
    found.extend(plan.flat_map(|plan| backup::finding::findings(plan, view.now)));
    found.extend(backup::away::finding(view));
    if !view.public.is_none() {
        found.extend(firewall::findings(&firewall::passages(&view.rules)));
    }
    let stands = found.iter().filter(|finding| finding.until.is_none_or(|until| view.now < until));
    stands.map(|one| finding(one, language)).collect()
}

/// A finding as the API shows it.
pub(crate) fn finding(finding: &Finding, language: Language) -> api::Finding {
    api::Finding {
        name: finding.name.to_owned(),
        severity: finding.severity.word().to_owned(),
        title: finding.title.get(language).to_owned(),
        advice: finding.advice.get(language).to_owned(),
    }
}

/// Longest time from a write to a log until a node of the release before, which does not say up to when what it told holds, has told of it.
const UNSEEN: SignedDuration = SignedDuration::from_secs(10);

/// Up to when all that was written is kept, where its node said last that everything is. Of what was written since its node looked nobody has
/// said anything yet.
pub(crate) fn told(view: &SolutionView) -> Timestamp {
    let reported = || view.seen.as_ref().map(|seen| seen.at - UNSEEN);
    view.told.or_else(reported).unwrap_or(Timestamp::UNIX_EPOCH).min(view.now)
}

/// Which seconds of it can be had again. None where none can be, or not yet: it is kept less far than its oldest snapshot was taken.
fn window(view: &SolutionView) -> Option<api::LogWindow> {
    let log = view.seen.as_ref()?.log.as_ref()?;
    let heard = view.heard.unwrap_or(view.now).min(view.now);
    // What a node says of now holds for when it was last heard.
    let fresh = view.now.duration_since(heard) <= SignedDuration::from_secs(SILENCE_S_MAX);
    let known = if fresh { view.now } else { heard };
    let to = log.to.unwrap_or_else(|| told(view));
    if to < log.from {
        return None;
    }
    let behind = view.now.duration_since(log.to.unwrap_or(known)).as_secs();
    let span = |(from, to): &(jiff::Timestamp, jiff::Timestamp)| api::TimeSpan { from: *from, to: *to };
    Some(api::LogWindow {
        from: log.from,
        to,
        behind_s: u64::try_from(behind).unwrap_or(0),
        holes: log.holes.iter().map(span).collect(),
        bytes: log.bytes,
        room: log.room,
    })
}

/// A solution as the API shows it.
pub(crate) fn shown(app: &App, view: &SolutionView, language: Language) -> api::Solution {
    let (state, message) = of(view);
    let named = app.kind(&view.kind).filter(|kind| kind.host());
    let host = named.and_then(|kind| husorden_base::host(kind.name(), view.number, &app.config().zone));
    let seen = view.seen.as_ref();
    api::Solution {
        id: view.id.to_string(),
        number: view.number.get(),
        account: view.account.to_string(),
        account_name: view.account_name.clone(),
        name: view.name.clone(),
        kind: view.kind.clone(),
        aim: aim_word(view.aim).to_owned(),
        state: state.to_owned(),
        message: message.map(|text| text.get(language).to_owned()),
        spec: view.spec.clone(),
        findings: findings(app, view, language),
        labels: view.labels.clone(),
        protected: view.protected,
        usage: seen.and_then(|seen| seen.usage).map(|usage| {
            BTreeMap::from([
                ("live".to_owned(), usage.live),
                ("snapshots".to_owned(), usage.snapshots),
                ("limit".to_owned(), usage.limit),
            ])
        }),
        log: window(view),
        log_away: backup::away::shown(view, language),
        addresses: public::shown(&view.public, &view.names),
        image: view.image.clone(),
        host: host.map(|host| host.to_string()),
        seen: seen.map_or_else(
            || serde_json::json!({}),
            |seen| serde_json::json!({ "at": seen.at, "marks": seen.marks, "services": seen.services }),
        ),
        generation: view.generation,
        seen_generation: view.seen_generation,
        case: view.case_number.clone(),
        retain_until: view.retain_until,
        created: view.created,
        changed: view.changed,
    }
}

pub(crate) const fn aim_word(aim: Aim) -> &'static str {
    match aim {
        Aim::Run => "run",
        Aim::Stop => "stop",
        Aim::Gone => "gone",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use husorden_base::{AccountId, Number, SolutionId};

    fn view() -> SolutionView {
        let at = |second| Timestamp::from_second(second).expect("a second");
        SolutionView {
            id: SolutionId::new(),
            number: Number::new(7).expect("7"),
            account: AccountId::new(),
            account_name: "ours".to_owned(),
            name: "shop".to_owned(),
            kind: "tiny".to_owned(),
            aim: Aim::Run,
            spec: serde_json::json!({}),
            labels: BTreeMap::new(),
            protected: false,
            epoch: 1,
            generation: 3,
            hold_for: None,
            seen: Some(Seen {
                solution: SolutionId::new(),
                report: 1,
                epoch: 1,
                generation: 3,
                looked: true,
                state: SeenState::Settled,
                closed: false,
                waiting: None,
                usage: None,
                snapshots: Vec::new(),
                marks: BTreeMap::new(),
                services: BTreeMap::new(),
                builds: husorden_kinds::Builds::default(),
                log: None,
                virtualisation: husorden_kinds::Virtualisation::default(),
                away: None,
                at: at(1000),
            }),
            seen_generation: 3,
            retain_until: None,
            deleted: None,
            created: at(900),
            changed: at(950),
            heard: Some(at(1000)),
            told: None,
            now: at(1010),
            case_number: None,
            closed: None,
            backups: None,
            public: husorden_kinds::Public::default(),
            rules: Vec::new(),
            names: Vec::new(),
            image: None,
        }
    }

    #[test]
    fn one_word_for_each_state() {
        type Change = fn(&mut SolutionView);
        let set = |state| -> Change {
            match state {
                SeenState::Working => |v| v.seen.as_mut().expect("seen").state = SeenState::Working,
                SeenState::Trouble => |v| v.seen.as_mut().expect("seen").state = SeenState::Trouble,
                SeenState::Settled => |_| {},
            }
        };
        let cases: [(&str, Change, &str); 13] = [
            ("settled", set(SeenState::Settled), "running"),
            ("working", set(SeenState::Working), "working"),
            ("trouble", set(SeenState::Trouble), "trouble"),
            ("never seen", |v| v.seen = None, "working"),
            ("settled on the generation before", |v| v.generation = 4, "working"),
            ("settled in the epoch before", |v| v.epoch = 2, "working"),
            ("stopped", |v| v.aim = Aim::Stop, "stopped"),
            ("silent", |v| v.now = Timestamp::from_second(1031).expect("a second"), "unknown"),
            (
                "going",
                |v| {
                    v.aim = Aim::Gone;
                    v.generation = 4;
                },
                "deleting",
            ),
            ("gone", |v| v.aim = Aim::Gone, "deleted"),
            ("closed", |v| v.closed = Some(true), "closed"),
            ("no longer, and not looked at since", |v| v.seen.as_mut().expect("seen").closed = true, "working"),
            ("held", |v| v.hold_for = Some(husorden_base::OrderId::new()), "working"),
        ];
        for (name, change, expected) in cases {
            let mut view = view();
            change(&mut view);
            assert_eq!(of(&view).0, expected, "{name}");
        }
    }
}
