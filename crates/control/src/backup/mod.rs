//! Backups: the plan of a solution, its backups and proofs, what is put back of them, and what is read in them.
//!
//! A backup is written and proven by nodes, which are told by orders. What they say at the end is kept by the database itself
//! (`0051_backup_orders.sql`), so that an order ends once however often it is said.

pub(crate) mod away;
pub(crate) mod finding;
pub(crate) mod path;
pub(crate) mod plan;
pub(crate) mod proof;
pub(crate) mod read;
pub(crate) mod restore;
pub(crate) mod round;
pub(crate) mod schedule;
pub(crate) mod target;

use crate::answer::Answer;
use crate::app::App;
use crate::caller::{Caller, Trail};
use crate::doors::TenantTx;
use crate::fault::Fault;
use crate::form::IfMatch;
use crate::order::{self, Asked};
use crate::store::backup::{BackupRow, NewBackup};
use crate::store::solution::SolutionRow;
use crate::store::target::TargetNamed;
use crate::{solution, store};
use husorden_base::{BackupId, Language, Refusal, SolutionId, Text};
use husorden_wire::api;
use husorden_wire::node::{Verb, VerbState};
use sqlx::PgConnection;
use uuid::Uuid;

/// A backup as the API shows it.
pub(crate) fn shown(row: BackupRow, language: Language, staff: bool) -> api::Backup {
    let message = match (&row.refusal, &row.progress) {
        (Some(refusal), _) => Some(format!("{}: {}", refusal.title.get(language), refusal.detail.get(language))),
        (None, Some(VerbState::Running { text, .. })) => Some(text.get(language).to_owned()),
        (None, _) => None,
    };
    api::Backup {
        id: row.id.to_string(),
        solution: row.solution.to_string(),
        target: row.target_name,
        reason: row.reason,
        state: row.state,
        taken: row.taken.unwrap_or(row.asked),
        files: row.files,
        bytes: row.bytes,
        bytes_read: row.bytes_read,
        bytes_sent: row.bytes_sent,
        took_ms: row.took_ms,
        order: row.order_id.to_string(),
        message,
        noted: row.noted,
        proof: row.proof.map(|proof| proof::shown(proof, language, staff)),
    }
}

/// Asks for a backup now.
pub(crate) async fn create(app: &App, caller: &Caller, text: &str) -> Result<Answer, Fault> {
    let (mut tx, row) = solution::open(app, caller, text, &IfMatch::default()).await?;
    order::refuse_gone(&row)?;
    let target = target_of(app, tx.conn(), row.id).await?;
    if let Some(writing) = store::backup::newest(tx.conn(), row.id, "writing").await? {
        return Err(under_way(&writing).into());
    }
    let id = BackupId::new();
    let repository = store::backup::repository(tx.conn(), row.id, target.id).await?;
    let asked = Asked::just(Verb::BackUp { backup: id, repository: Box::new(repository) });
    let new = NewBackup {
        id,
        of: (row.id, row.account),
        target: target.id,
        order: asked.id,
        reason: "asked",
        spec: &row.spec,
    };
    store::backup::insert(tx.conn(), &new).await?;
    let mut trail = Trail::default();
    order::queue(&mut tx, &row, asked, &mut trail).await?;
    let made = store::backup::get(tx.conn(), row.id, id.0).await?.ok_or(sqlx::Error::RowNotFound)?;
    let answer = Answer::accepted(shown(made, caller.language, caller.is_staff()))
        .at(format!("/v1/solutions/{}/backups/{id}", row.id));
    trail.finish(app, caller, tx, answer).await
}

/// The target that a solution goes to.
async fn target_of(app: &App, conn: &mut PgConnection, solution: SolutionId) -> Result<TargetNamed, Fault> {
    let found = store::target::of(conn, solution, &app.config().backup.target).await?;
    Ok(found.ok_or_else(|| {
        Refusal::new(
            "no-target",
            409,
            Text::new("Der er intet sted at lægge en backup", "There is no place to put a backup"),
            Text::new(
                "Udbyderen skal først sætte et mål op: husorden target create.",
                "The provider must set a target up first: husorden target create.",
            ),
        )
    })?)
}

fn under_way(row: &BackupRow) -> Refusal {
    let mut refusal = Refusal::new(
        "backup-under-way",
        409,
        Text::new("En backup er allerede i gang", "A backup is under way already"),
        Text::new("Vent, til den er færdig.", "Wait until it has ended."),
    );
    refusal.since = Some(row.asked);
    refusal
}

/// A backup of a solution that can be used: it is ready, and has a name in its repository.
async fn ready(tx: &mut TenantTx, row: &SolutionRow, text: &str) -> Result<(BackupRow, String), Fault> {
    let id = text.parse::<Uuid>().map_err(|_| Refusal::not_found(text))?;
    let mut found = store::backup::get(tx.conn(), row.id, id).await?.ok_or_else(|| Refusal::not_found(text))?;
    match found.copy.take() {
        Some(copy) if found.state == "ready" => Ok((found, copy)),
        _ => Err(Refusal::new(
            "backup-not-ready",
            409,
            Text::new("Backuppen kan ikke bruges", "The backup cannot be used"),
            Text::new(format!("Dens tilstand er {}.", found.state), format!("Its state is {}.", found.state)),
        )
        .into()),
    }
}
