//! The house rules in control: published when control starts, shown to anybody, accepted by accounts.

use crate::answer::Answer;
use crate::app::App;
use crate::caller::{Caller, Trail};
use crate::fault::Fault;
use crate::store;
use crate::store::event::NewEvent;
use crate::store::evidence::{Awaits, NewEvidence};
use crate::store::rules::VersionRow;
use husorden_base::{Refusal, Text};
use husorden_rules::house::{Owner, UsualMeasure};
use husorden_rules::{ClauseText, Rules, difference};
use husorden_wire::api;
use serde_json::json;

/// Publishes a version that is new. A text that was published stays as it was, whatever the folder says now: customers
/// accepted it.
pub(crate) async fn publish(app: &App, rules: &Rules) -> Result<(), sqlx::Error> {
    if !store::rules::publish(app.doors().system(), rules).await? {
        tracing::error!(
            version = rules.version,
            "the house rules were changed without a new version; the published text holds: raise `version` in rules.toml"
        );
    }
    Ok(())
}

/// The version that holds now; before the first is published, the one that comes with the product.
pub(crate) async fn in_force(app: &App) -> Result<Rules, Fault> {
    match store::rules::read(app.doors().system(), None).await? {
        Some(row) => parsed(&row),
        None => Ok(husorden_rules::shipped()),
    }
}

/// One version, with what changed from the version before it; with none named, the one that holds now.
pub(crate) async fn version(app: &App, version: Option<u32>) -> Result<Answer, Fault> {
    let named = || version.map_or_else(|| "rules".to_owned(), |version| version.to_string());
    let system = app.doors().system();
    let row = store::rules::read(system, version).await?.ok_or_else(|| Refusal::not_found(&named()))?;
    let rules = parsed(&row)?;
    let changed = match row.before {
        Some(before) => {
            let old = store::rules::read(system, Some(before)).await?.ok_or(sqlx::Error::RowNotFound)?;
            Some(difference(&parsed(&old)?, &rules))
        }
        None => None,
    };
    Ok(Answer::ok(shown(&row, rules, changed)).tagged(row.version.into()))
}

/// Every version, without its texts.
pub(crate) async fn versions(app: &App) -> Result<Answer, Fault> {
    let mut items = Vec::new();
    for row in store::rules::list(app.doors().system()).await? {
        items.push(api::RulesVersion {
            version: row.version,
            summary: parsed(&row)?.summary,
            effective: row.effective,
            published: row.published,
            hash: row.hash,
            in_force: row.in_force,
        });
    }
    Ok(Answer::ok(api::Page { items, next: None }))
}

/// What an account accepted, and whether the version that holds now is among it.
pub(crate) async fn acceptance(app: &App, caller: &Caller, account: Option<&str>) -> Result<Answer, Fault> {
    let account = caller.account_for(app, account).await?;
    let now = store::rules::read(app.doors().system(), None).await?;
    let mut tx = caller.read(app).await?;
    let items = store::rules::acceptances(tx.conn(), account).await?;
    let in_force = now.as_ref().map(|row| row.version);
    let accepted = in_force.is_none_or(|version| items.iter().any(|one| one.version >= version));
    Ok(Answer::ok(api::RulesAccepted { in_force, next: now.and_then(|row| row.next), accepted, items }))
}

/// The account accepts a version: the one that holds now, or one that is to follow it. Accepting twice changes nothing.
pub(crate) async fn accept(app: &App, caller: &Caller, form: &api::RulesAccept) -> Result<Answer, Fault> {
    let account = caller.account_for(app, None).await?;
    let system = app.doors().system();
    let now = store::rules::read(system, None).await?.ok_or_else(|| Refusal::not_found("rules"))?;
    let row = match store::rules::read(system, Some(form.version)).await? {
        Some(row) if row.version >= now.version => row,
        Some(_) | None => return Err(other_version(now.version).into()),
    };
    let mut tx = app.doors().tenant(account).await?;
    let Some(made) = store::rules::accept(tx.conn(), account, row.version, &caller.signature()).await? else {
        let there = store::rules::acceptances(tx.conn(), account).await?;
        let there = there.into_iter().find(|one| one.version == row.version).ok_or(sqlx::Error::RowNotFound)?;
        return Ok(Answer::ok(there));
    };
    let mut trail = Trail::default();
    trail.evidence(NewEvidence {
        act: "rules.accept",
        account: Some(account),
        solution: None,
        before: json!({ "version": row.version, "hash": row.hash, "effective": row.effective }),
        awaits: Awaits::Nothing,
        visible_from: None,
    });
    trail.event(NewEvent {
        account: Some(account),
        solution: None,
        kind: "rules.accepted",
        data: json!({ "version": row.version }),
        visible_from: None,
    });
    trail.finish(app, caller, tx, Answer::created(made)).await
}

fn parsed(row: &VersionRow) -> Result<Rules, Fault> {
    row.rules().map_err(|error| Fault::broken("reading a stored version of the house rules")(Box::new(error)))
}

fn shown(row: &VersionRow, rules: Rules, changed: Option<husorden_rules::Difference>) -> api::Rules {
    api::Rules {
        version: row.version,
        summary: rules.summary,
        effective: row.effective,
        published: row.published,
        hash: row.hash.clone(),
        in_force: row.in_force,
        next: row.next,
        kinds: rules.kinds,
        clauses: rules.clauses.into_iter().map(clause).collect(),
        difference: changed,
    }
}

fn clause(clause: ClauseText) -> api::RulesClause {
    let owner = |owner: Owner| api::Worded { word: owner.word().to_owned(), title: owner.title() };
    let usual = |measure: UsualMeasure| api::Worded { word: measure.word().to_owned(), title: measure.title() };
    api::RulesClause {
        id: clause.id,
        title: clause.title,
        says: clause.says,
        we: clause.we,
        you: clause.you,
        kinds: clause.kinds,
        answers: owner(clause.answers),
        measures: clause.measures.into_iter().map(usual).collect(),
        criminal: clause.criminal,
    }
}

fn other_version(version: u32) -> Refusal {
    Refusal::field(
        "/version",
        Text::new(
            format!("Den udgave kan ikke accepteres; version {version} gælder nu"),
            format!("That version cannot be accepted; version {version} holds now"),
        ),
    )
}
