//! Alarms: checks of the house's health that stay bad are told to operators by mail, once, again each day while they last, and once
//! more when they are over. What is told is decided in [`plan`], which is pure.

use crate::app::App;
use crate::store::alarm::{self, Alarm};
use husorden_base::Text;
use husorden_wire::api::{Condition, HealthCheck};
use jiff::{SignedDuration, Timestamp};
use serde::Serialize;
use std::collections::BTreeMap;

/// For how long a check is bad before anybody is told: a role that starts again is no news.
const PATIENCE: SignedDuration = SignedDuration::from_secs(90);
/// After how long one that is still bad is told of again.
const AGAIN: SignedDuration = SignedDuration::from_hours(24);

/// What a mail tells.
#[derive(Debug, Default, PartialEq, Serialize)]
pub(crate) struct Told {
    pub(crate) bad: Vec<Text>,
    /// What was told of before, and no longer is bad.
    pub(crate) over: Vec<Text>,
}

/// Looks at the house's health and tells what is new of it.
pub(crate) async fn round(app: &App) -> Result<(), sqlx::Error> {
    let system = app.doors().system();
    let known = alarm::known(system).await?;
    let health = crate::health::look(app).await;
    let (alarms, told) = plan(known, &health.checks, health.at);
    alarm::keep(system, &alarms, told.as_ref()).await
}

fn plan(known: Vec<Alarm>, checks: &[HealthCheck], now: Timestamp) -> (Vec<Alarm>, Option<Told>) {
    let mut known: BTreeMap<String, Alarm> = known.into_iter().map(|alarm| (alarm.name.clone(), alarm)).collect();
    let (mut alarms, mut told) = (Vec::new(), Told::default());
    for check in checks.iter().filter(|check| check.state == Condition::Bad) {
        let fresh = || Alarm { name: check.name.clone(), since: now, told: None };
        let mut alarm = known.remove(&check.name).unwrap_or_else(fresh);
        let due = match alarm.told {
            None => now.duration_since(alarm.since) >= PATIENCE,
            Some(at) => now.duration_since(at) >= AGAIN,
        };
        if due {
            alarm.told = Some(now);
            told.bad.push(check.text.clone());
        }
        alarms.push(alarm);
    }
    for alarm in known.into_values().filter(|alarm| alarm.told.is_some()) {
        // What there is no check of any more is over too, and says its name.
        let check = checks.iter().find(|check| check.name == alarm.name);
        told.over.push(check.map_or_else(|| Text::new(&alarm.name, &alarm.name), |check| check.text.clone()));
    }
    let nothing = told.bad.is_empty() && told.over.is_empty();
    (alarms, (!nothing).then_some(told))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(name: &str, state: Condition) -> HealthCheck {
        HealthCheck { name: name.to_owned(), state, text: Text::new(format!("{name} da"), format!("{name} en")) }
    }

    fn after(seconds: i64) -> Timestamp {
        Timestamp::UNIX_EPOCH + SignedDuration::from_secs(seconds)
    }

    #[test]
    fn what_stays_bad_is_told_once_then_daily_and_when_it_is_over() {
        let bad = [check("disk", Condition::Bad), check("jobs", Condition::Degraded)];
        let fine = [check("disk", Condition::Fine)];
        let text = |name: &str| vec![Text::new(format!("{name} da"), format!("{name} en"))];
        let (mut known, mut said) = (Vec::new(), Vec::new());
        for (at, checks) in [(0, &bad[..]), (60, &bad), (120, &bad), (180, &bad), (120 + 86_400, &bad), (90_000, &fine)]
        {
            let (alarms, told) = plan(known, checks, after(at));
            known = alarms;
            said.extend(told.map(|told| (at, told)));
        }
        let bad = || Told { bad: text("disk"), over: Vec::new() };
        let over = Told { bad: Vec::new(), over: text("disk") };
        assert_eq!(said, [(120, bad()), (86_520, bad()), (90_000, over)]);
        assert_eq!(known, []);
    }

    #[test]
    fn what_passes_by_is_no_news_and_what_is_gone_is_over() {
        let bad = [check("node:a", Condition::Bad)];
        let (known, told) = plan(Vec::new(), &bad, after(0));
        assert_eq!(told, None);
        assert_eq!(plan(known, &[check("node:a", Condition::Fine)], after(60)), (Vec::new(), None));
        let told = Alarm { name: "node:a".to_owned(), since: after(0), told: Some(after(90)) };
        let over = Told { bad: Vec::new(), over: vec![Text::new("node:a", "node:a")] };
        assert_eq!(plan(vec![told], &[], after(120)), (Vec::new(), Some(over)));
    }
}
