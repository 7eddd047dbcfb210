//! Proofs as they are shown: one by one, and for each solution how it stands.

use crate::store::backup::{PlanRow, ProofRow, StandingRow};
use husorden_base::Language;
use husorden_wire::api;
use jiff::{SignedDuration, Timestamp};

/// After how many hours without a proof that passed it is late.
pub(crate) const UNPROVEN_HOURS_MAX: i64 = 48;

/// A proof as the API shows it.
pub(crate) fn shown(row: ProofRow, language: Language, staff: bool) -> api::Proof {
    let message =
        row.refusal.map(|refusal| format!("{}: {}", refusal.title.get(language), refusal.detail.get(language)));
    api::Proof {
        id: row.id.to_string(),
        solution: row.solution.to_string(),
        solution_name: row.solution_name,
        kind: row.kind,
        backup: row.backup.to_string(),
        taken: row.taken.unwrap_or(row.made),
        state: row.state,
        level: row.level,
        steps: row.steps,
        noted: row.noted,
        found: row.found,
        bytes: row.bytes,
        took_ms: row.took_ms,
        node: staff.then_some(row.node),
        message,
        made: row.made,
        ended: row.ended,
    }
}

/// How a solution stands with its proofs, in one word.
pub(crate) fn state(plan: &PlanRow, now: Timestamp) -> &'static str {
    let waited = now.duration_since(plan.proven.unwrap_or(plan.since));
    match plan {
        _ if !plan.enabled => "off",
        PlanRow { proof_failed: Some(_), .. } => "failed",
        _ if waited > SignedDuration::from_hours(UNPROVEN_HOURS_MAX) => "late",
        PlanRow { proven: Some(_), .. } => "proven",
        PlanRow { proven: None, .. } => "waiting",
    }
}

/// A line of the page of proofs.
pub(crate) fn line(row: StandingRow, language: Language, staff: bool) -> api::SolutionProof {
    api::SolutionProof {
        solution: row.id.to_string(),
        name: row.name,
        kind: row.kind,
        account_name: row.account_name,
        on: row.backups.enabled,
        backed_up: row.backups.newest,
        proven: row.backups.proven,
        state: state(&row.backups, row.now).to_owned(),
        proof: row.proof.map(|proof| shown(proof, language, staff)),
    }
}
