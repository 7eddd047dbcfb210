//! What a solution's owner should see of its backups: that there are none, that the last is old, that none was proven. Pure.

use super::proof;
use crate::store::backup::PlanRow;
use husorden_base::Text;
use husorden_kinds::{Finding, Severity};
use jiff::{SignedDuration, Timestamp};

/// After how many hours a backup is late: a day, and what it takes to write one.
const LATE_HOURS_MAX: i64 = 26;

/// What stands now.
pub(crate) fn findings(plan: &PlanRow, now: Timestamp) -> Vec<Finding> {
    if !plan.enabled {
        return vec![off(plan)];
    }
    let older = |at: Timestamp, hours| now.duration_since(at) > SignedDuration::from_hours(hours);
    let mut found = Vec::new();
    if older(plan.newest.unwrap_or(plan.since), LATE_HOURS_MAX) {
        found.push(late(plan));
    }
    if plan.newest.is_some() && matches!(proof::state(plan, now), "failed" | "late") {
        found.push(unproven(plan));
    }
    found
}

fn day(at: Timestamp) -> String {
    at.strftime("%Y-%m-%d %H:%M UTC").to_string()
}

fn off(plan: &PlanRow) -> Finding {
    let reason = plan.reason.as_deref().unwrap_or_default();
    Finding {
        name: "no-backup",
        severity: Severity::Warning,
        title: Text::new("Der tages ingen backup", "It is not backed up"),
        advice: Text::new(
            format!("Slå den til under Backup. Den blev slået fra med ordene: {reason}"),
            format!("Turn it on under Backups. It was turned off with the words: {reason}"),
        ),
        until: None,
    }
}

fn late(plan: &PlanRow) -> Finding {
    let title = match plan.newest {
        Some(at) => {
            Text::new(format!("Den nyeste backup er fra {}", day(at)), format!("The newest backup is of {}", day(at)))
        }
        None => Text::new("Der er ingen backup endnu", "There is no backup yet"),
    };
    let advice = if plan.failed.is_some() {
        Text::new(
            "Den sidste mislykkedes; hvorfor, står under Backup. Den prøves igen hver time. Bliver den ved, så skriv til os.",
            "The last one failed; why stands under Backups. It is tried again each hour. Write to us if it goes on.",
        )
    } else {
        Text::new(
            "Den skulle være taget. Tag en nu under Backup, eller skriv til os.",
            "It should have been taken. Take one now under Backups, or write to us.",
        )
    };
    Finding { name: "backup-late", severity: Severity::Danger, title, advice, until: None }
}

fn unproven(plan: &PlanRow) -> Finding {
    let (title, severity) = match (plan.proof_failed, plan.proven) {
        (Some(at), _) => (
            Text::new(
                format!("Prøven af backuppen mislykkedes {}", day(at)),
                format!("The proof of the backup failed on {}", day(at)),
            ),
            Severity::Danger,
        ),
        (None, Some(at)) => (
            Text::new(
                format!("Backuppen er sidst prøvet {}", day(at)),
                format!("The backup was last proven on {}", day(at)),
            ),
            Severity::Warning,
        ),
        (None, None) => (Text::new("Ingen backup er prøvet endnu", "No backup was proven yet"), Severity::Warning),
    };
    Finding {
        name: "backup-unproven",
        severity,
        title,
        advice: Text::new(
            "Hvad prøven fandt, står under Backup. Den sidste, der bestod, slettes ikke. Tag en ny backup, eller skriv til os.",
            "What the proof found stands under Backups. The last one that passed is kept. Take a new backup, or write to us.",
        ),
        until: None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_thing_is_said_when_it_is_so() {
        let now = Timestamp::UNIX_EPOCH + SignedDuration::from_hours(1000);
        let ago = |hours| now - SignedDuration::from_hours(hours);
        let fine = PlanRow {
            enabled: true,
            reason: None,
            target: None,
            hour: 1,
            hours: 4,
            zone: "UTC".to_owned(),
            due: None,
            since: ago(500),
            newest: Some(ago(20)),
            failed: None,
            proven: Some(ago(19)),
            proof_failed: None,
            bases: Vec::new(),
        };
        for (plan, expected) in [
            (fine.clone(), &[][..]),
            // What is new is expected first; nothing is late yet.
            (PlanRow { since: ago(20), newest: None, proven: None, ..fine.clone() }, &[]),
            (PlanRow { since: ago(40), proven: None, ..fine.clone() }, &[]),
            (PlanRow { since: ago(27), newest: None, proven: None, ..fine.clone() }, &["backup-late"]),
            (PlanRow { newest: Some(ago(27)), ..fine.clone() }, &["backup-late"]),
            (
                PlanRow { newest: Some(ago(60)), proven: Some(ago(59)), ..fine.clone() },
                &["backup-late", "backup-unproven"],
            ),
            (PlanRow { proven: Some(ago(49)), ..fine.clone() }, &["backup-unproven"]),
            (PlanRow { proven: None, ..fine.clone() }, &["backup-unproven"]),
            (PlanRow { proof_failed: Some(ago(1)), ..fine.clone() }, &["backup-unproven"]),
            (PlanRow { enabled: false, reason: Some("Why.".to_owned()), newest: None, ..fine.clone() }, &["no-backup"]),
        ] {
            let names: Vec<&str> = findings(&plan, now).iter().map(|finding| finding.name).collect();
            assert_eq!(names, expected, "{plan:?}");
        }
    }
}
