//! What a solution runs on, and how it is updated, as its owner sees it.

use crate::answer::Answer;
use crate::app::App;
use crate::caller::Caller;
use crate::fault::Fault;
use crate::store::solution::SolutionView;
use crate::{solution, store};
use husorden_base::{RuntimeName, Text};
use husorden_kinds::builds::{Builds, End, Pin};
use husorden_kinds::{Finding, Severity, Window};
use husorden_wire::api;
use husorden_wire::node::{BuildHealth, RuntimeHealth};

/// What a solution runs on, when it may be updated, and what came of it.
pub(crate) async fn show(app: &App, caller: &Caller, text: &str) -> Result<Answer, Fault> {
    let view = solution::find(app, caller, text).await?;
    let mut tx = caller.read(app).await?;
    let runtimes = store::node::runtimes_of(tx.conn(), view.id).await?;
    Ok(Answer::ok(shown(&view, &runtimes)))
}

fn shown(view: &SolutionView, runtimes: &[RuntimeHealth]) -> api::Updates {
    let none = Builds::default();
    let builds = view.seen.as_ref().map_or(&none, |seen| &seen.builds);
    let window = Window::of(&view.spec);
    let (opens, closes) = window.next(view.number, view.now).unzip();
    api::Updates {
        window: api::UpdateWindow {
            start: window.start(view.number).strftime("%H:%M").to_string(),
            zone: window.zone.clone(),
            open: window.is_open(view.number, view.now),
            opens,
            closes,
        },
        under_way: builds.update.as_ref().map(|update| update.runtime.to_string()),
        runs: builds.pins.iter().map(|(name, pin)| runs(name, pin, builds, runtimes)).collect(),
        past: builds.past.iter().rev().map(past).collect(),
    }
}

fn runs(name: &RuntimeName, pin: &Pin, builds: &Builds, runtimes: &[RuntimeHealth]) -> api::RunsOn {
    let all = runtimes.iter().find(|runtime| runtime.name == name.as_str()).map_or(&[][..], |found| &found.builds);
    let own = all.iter().find(|build| build.build == pin.build);
    let newer = all.first().filter(|newest| newest.build != pin.build);
    let refused = builds.refused.get(name);
    api::RunsOn {
        runtime: name.to_string(),
        build: pin.build.clone(),
        since: pin.since,
        packages: own.map(|build| build.packages.clone()).unwrap_or_default(),
        newer: newer.map(|newest| newer_build(newest, own)),
        refused: refused.map(|refused| api::BuildRefused {
            build: refused.build.clone(),
            at: refused.at,
            reason: refused.reason.clone(),
        }),
    }
}

/// A newer build, with what is other in it than in the one that runs; all of it where that is not known.
fn newer_build(newest: &BuildHealth, own: Option<&BuildHealth>) -> api::NewerBuild {
    let other = |name: &String, version: &String| own.is_none_or(|own| own.packages.get(name) != Some(version));
    let packages = newest.packages.iter().filter(|(name, version)| other(name, version));
    api::NewerBuild {
        build: newest.build.clone(),
        built: newest.built_at,
        packages: packages.map(|(name, version)| (name.clone(), version.clone())).collect(),
    }
}

fn past(past: &husorden_kinds::builds::Past) -> api::UpdateEnded {
    let (held, reason, restored) = match &past.end {
        End::Held => (true, None, false),
        End::RolledBack { reason, restored, .. } => (false, Some(reason.clone()), *restored),
    };
    api::UpdateEnded {
        runtime: past.runtime.to_string(),
        from: past.from.clone(),
        to: past.to.clone(),
        at: past.at,
        held,
        reason,
        restored,
        snapshot: past.id.to_string(),
    }
}

/// That a build did not hold is said until a newer one does.
pub(crate) fn findings(builds: &Builds) -> Vec<Finding> {
    let finding = |(name, refused): (&RuntimeName, &husorden_kinds::builds::Refused)| Finding {
        name: "update-rolled-back",
        severity: Severity::Warning,
        title: Text::new(
            format!("Opdateringen af {name} holdt ikke og er rullet tilbage"),
            format!("The update of {name} did not hold and was rolled back"),
        ),
        advice: Text::new(
            format!(
                "Den gamle udgave er i brug, og den nye prøves igen, når der er en nyere. Det sidste, der blev sagt: {}",
                refused.reason
            ),
            format!(
                "The old build serves, and the update is tried again when a newer one is there. The last words: {}",
                refused.reason
            ),
        ),
        until: None,
    };
    builds.refused.iter().map(finding).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use husorden_kinds::Move;
    use jiff::Timestamp;
    use std::collections::BTreeMap;

    #[test]
    fn only_what_is_other_in_a_newer_build_is_told() {
        let name: RuntimeName = "php-8.4".parse().expect("a name");
        let build = |id: &str, version: &str| BuildHealth {
            build: id.to_owned(),
            built_at: Timestamp::UNIX_EPOCH,
            packages: BTreeMap::from([
                ("php8.4-fpm".to_owned(), version.to_owned()),
                ("php8.4-gd".to_owned(), "1".to_owned()),
            ]),
        };
        let health = RuntimeHealth {
            name: name.to_string(),
            state: "ready".to_owned(),
            text: String::new(),
            build: Some("b".to_owned()),
            packages: BTreeMap::new(),
            builds: vec![build("b", "8.4.9"), build("a", "8.4.8")],
            image: None,
        };
        let mut builds = Builds::default();
        let pin = Move::Pin { builds: BTreeMap::from([(name.clone(), "a".to_owned())]) };
        builds.make(&pin, Timestamp::UNIX_EPOCH, husorden_base::SnapshotId::new());
        let shown = runs(&name, &builds.pins[&name], &builds, std::slice::from_ref(&health));
        assert_eq!(shown.packages["php8.4-fpm"], "8.4.8");
        let newer = shown.newer.expect("there is one");
        assert_eq!(newer.packages, BTreeMap::from([("php8.4-fpm".to_owned(), "8.4.9".to_owned())]));
        assert!(findings(&builds).is_empty());
    }
}
