//! The verbs on firewalls: rule sets of an account that say what is let in at the public addresses of its solutions.
//!
//! A set holds for the solutions that have its labels, and for those it names; what any set opens is open. A change has the nodes of all
//! solutions it held for or holds for now told again, in the transaction that makes it. What all sets of one solution come to is bounded here,
//! where somebody can be told which field is wrong, and on the node, which takes no more.

use crate::answer::Answer;
use crate::app::App;
use crate::caller::{Caller, Trail};
use crate::doors::TenantTx;
use crate::fault::Fault;
use crate::form::{IfMatch, check_name};
use crate::solution::check_labels;
use crate::state;
use crate::store::event::NewEvent;
use crate::store::evidence::{Awaits, NewEvidence};
use crate::store::firewall::{self as rows, FirewallRow, Holder};
use crate::store::solution as solutions;
use husorden_base::{AccountId, FieldError, Language, Refusal, SolutionId, Text};
use husorden_kinds::firewall::{self, PASSAGES_MAX};
use husorden_kinds::public::Wants;
use husorden_kinds::{Rule, allow};
use husorden_wire::api::{self, FirewallChange, FirewallCreate, FirewallHolder, FirewallRule};
use jiff::Timestamp;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use uuid::Uuid;

/// Firewalls of one account.
const FIREWALLS_MAX: i64 = 50;
/// Solutions that one names; by labels it holds for any number.
const NAMED_MAX: usize = 200;
/// Addresses and ranges in all rules that hold for one solution.
const ENTRIES_MAX: usize = 2_000;

/// The one firewall a caller means, by id or by name.
async fn find(app: &App, caller: &Caller, text: &str) -> Result<FirewallRow, Fault> {
    let mut tx = caller.read(app).await?;
    let mut found = rows::find(tx.conn(), text).await?;
    match (found.pop(), found.pop()) {
        (Some(one), None) => Ok(one),
        (None, _) => Err(Refusal::not_found(text).into()),
        (Some(_), Some(_)) => Err(Refusal::new(
            "ambiguous",
            409,
            Text::new("Flere konti har en firewall med det navn", "Several accounts have a firewall with that name"),
            Text::new("Brug firewallens id.", "Use the firewall's id."),
        )
        .into()),
    }
}

/// Opens one for a change: found, locked, and as the caller believes it is.
async fn open(app: &App, caller: &Caller, text: &str, if_match: &IfMatch) -> Result<(TenantTx, FirewallRow), Fault> {
    let found = find(app, caller, text).await?;
    let mut tx = caller.tenant(app, found.account, None).await?;
    let Some(row) = rows::lock(tx.conn(), found.id).await? else { return Err(Refusal::not_found(text).into()) };
    if_match.check(("Firewallen", "The firewall"), row.generation)?;
    Ok((tx, row))
}

/// Shows one.
pub(crate) async fn show(app: &App, caller: &Caller, text: &str) -> Result<Answer, Fault> {
    let row = find(app, caller, text).await?;
    let mut tx = caller.read(app).await?;
    let holders = rows::holders(tx.conn(), row.id).await?;
    Ok(Answer::ok(shown(&row, &holders, caller.language)).tagged(row.generation))
}

/// Makes one.
pub(crate) async fn create(app: &App, caller: &Caller, form: FirewallCreate) -> Result<Answer, Fault> {
    let account = caller.account_for(app, form.account.as_deref()).await?;
    let mut tx = caller.tenant(app, account, None).await?;
    let count = rows::count(tx.conn(), account).await?;
    if count >= FIREWALLS_MAX {
        return Err(too_many(count).into());
    }
    let row = FirewallRow {
        id: Uuid::now_v7(),
        account,
        name: String::new(),
        rules: Vec::new(),
        labels: BTreeMap::new(),
        solutions: Vec::new(),
        generation: 0,
        created: Timestamp::now(),
        changed: Timestamp::now(),
    };
    let rules = if form.rules.is_null() { json!([]) } else { form.rules };
    let change = FirewallChange {
        name: Some(form.name),
        rules: Some(rules),
        labels: Some(form.labels),
        solutions: Some(form.solutions),
    };
    let row = laid_over(&mut tx, row, change).await?;
    save(app, caller, tx, None, row).await
}

/// Changes one.
pub(crate) async fn change(
    app: &App,
    caller: &Caller,
    text: &str,
    if_match: &IfMatch,
    form: FirewallChange,
) -> Result<Answer, Fault> {
    let (mut tx, before) = open(app, caller, text, if_match).await?;
    let after = laid_over(&mut tx, before.clone(), form).await?;
    save(app, caller, tx, Some(before), after).await
}

/// Deletes one; what it alone opened is closed.
pub(crate) async fn delete(app: &App, caller: &Caller, text: &str, if_match: &IfMatch) -> Result<Answer, Fault> {
    let (mut tx, row) = open(app, caller, text, if_match).await?;
    let holders = rows::holders(tx.conn(), row.id).await?;
    rows::delete(tx.conn(), row.id).await?;
    rows::tell(tx.conn(), &ids(&holders)).await?;
    let trail = left(&row, ("firewall.delete", "firewall.deleted"), json!({ "from": told(&row) }));
    trail.finish(app, caller, tx, Answer::empty()).await
}

/// A set with what a form says laid over it; every field that is wrong is named.
async fn laid_over(tx: &mut TenantTx, mut row: FirewallRow, form: FirewallChange) -> Result<FirewallRow, Fault> {
    let mut wrong = Vec::new();
    if let Some(name) = form.name {
        wrong.extend(check_name(&name).err());
        row.name = name;
    }
    if let Some(rules) = &form.rules {
        match firewall::read(rules) {
            Ok(rules) => row.rules = rules,
            Err(fields) => wrong.extend(fields),
        }
    }
    if let Some(labels) = form.labels {
        wrong.extend(check_labels(&labels));
        row.labels = labels;
    }
    if let Some(named) = form.solutions {
        row.solutions = Vec::new();
        if named.len() > NAMED_MAX {
            let text = Text::new(format!("Højst {NAMED_MAX} løsninger."), format!("At most {NAMED_MAX} solutions."));
            wrong.push(FieldError { pointer: "/solutions".to_owned(), detail: text });
        }
        for (index, text) in named.iter().take(NAMED_MAX).enumerate() {
            match guarded(tx, row.account, text).await? {
                Ok(id) if row.solutions.contains(&id) => {}
                Ok(id) => row.solutions.push(id),
                Err(detail) => wrong.push(FieldError { pointer: format!("/solutions/{index}"), detail }),
            }
        }
    }
    if wrong.is_empty() { Ok(row) } else { Err(Refusal::fields(wrong).into()) }
}

/// The solution that a set is to hold for, if it can have public addresses.
async fn guarded(tx: &mut TenantTx, account: AccountId, text: &str) -> Result<Result<SolutionId, Text>, Fault> {
    let found =
        solutions::find(tx.conn(), text).await?.pop().filter(|one| one.account == account && one.deleted.is_none());
    Ok(match found {
        None => Err(Text::new(format!("{text} findes ikke."), format!("{text} does not exist."))),
        Some(one) if Wants::of(&one.spec).is_none() => Err(Text::new(
            format!("{} er ikke noget, der kan have offentlige adresser.", one.name),
            format!("{} is nothing that can have public addresses.", one.name),
        )),
        Some(one) => Ok(one.id),
    })
}

async fn save(
    app: &App,
    caller: &Caller,
    mut tx: TenantTx,
    before: Option<FirewallRow>,
    mut row: FirewallRow,
) -> Result<Answer, Fault> {
    if before.as_ref() == Some(&row) {
        let holders = rows::holders(tx.conn(), row.id).await?;
        return Ok(Answer::ok(shown(&row, &holders, caller.language)).tagged(row.generation));
    }
    let held_for = match &before {
        Some(before) => rows::holders(tx.conn(), before.id).await?,
        None => Vec::new(),
    };
    row.generation += 1;
    if let Err(error) = rows::put(tx.conn(), &row).await {
        return Err(named_twice(error));
    }
    let holders = rows::holders(tx.conn(), row.id).await?;
    if let Some(full) = holders.iter().find(|holder| is_too_much(&holder.rules)) {
        return Err(too_much("/rules", &full.name).into());
    }
    let mut again = ids(&held_for);
    again.extend(ids(&holders));
    again.sort_unstable();
    again.dedup();
    rows::tell(tx.conn(), &again).await?;
    let words = if before.is_some() {
        ("firewall.change", "firewall.changed")
    } else {
        ("firewall.create", "firewall.created")
    };
    let details = json!({ "from": before.as_ref().map(told), "to": told(&row), "solutions": again });
    let trail = left(&row, words, details);
    let id = row.id;
    let shown = shown(&row, &holders, caller.language);
    let answer =
        if before.is_some() { Answer::ok(shown) } else { Answer::created(shown).at(format!("/v1/firewalls/{id}")) };
    trail.finish(app, caller, tx, answer.tagged(row.generation)).await
}

/// Refuses labels by which more would hold for a solution than its port can be told.
pub(crate) async fn check(
    tx: &mut TenantTx,
    of: (AccountId, SolutionId),
    name: &str,
    (spec, labels): (&Value, &BTreeMap<String, String>),
) -> Result<(), Fault> {
    if Wants::of(spec).is_none() {
        return Ok(());
    }
    let rules = rows::rules(tx.conn(), of, labels).await?;
    if is_too_much(&rules) { Err(too_much("/labels", name).into()) } else { Ok(()) }
}

fn is_too_much(rules: &[Rule]) -> bool {
    let entries: usize = rules.iter().map(|rule| rule.from.len()).sum();
    entries > ENTRIES_MAX || firewall::passages(rules).len() > PASSAGES_MAX
}

fn too_much(pointer: &str, name: &str) -> Refusal {
    Refusal::field(
        pointer,
        Text::new(
            format!(
                "De regler, der gælder for {name}, er tilsammen for mange: højst {ENTRIES_MAX} adresser, og højst {PASSAGES_MAX} forskellige kombinationer af porte og adresser."
            ),
            format!(
                "The rules that hold for {name} are too many together: at most {ENTRIES_MAX} addresses, and at most {PASSAGES_MAX} different combinations of ports and addresses."
            ),
        ),
    )
}

fn too_many(count: i64) -> Refusal {
    Refusal::new(
        "too-many-firewalls",
        409,
        Text::new("Kontoen har så mange firewalls, som den må", "The account has as many firewalls as it may"),
        Text::new("Slet en, der ikke bruges mere.", "Delete one that is no longer used."),
    )
    .with_limit(format!("{count} firewalls"), format!("{FIREWALLS_MAX} firewalls"))
}

fn named_twice(error: sqlx::Error) -> Fault {
    let taken = error.as_database_error().and_then(|error| error.constraint()) == Some("firewall_name_taken");
    if !taken {
        return error.into();
    }
    let text =
        Text::new("Kontoen har allerede en firewall med det navn.", "The account has a firewall of that name already.");
    Refusal::field("/name", text).into()
}

fn ids(holders: &[Holder]) -> Vec<SolutionId> {
    holders.iter().map(|holder| holder.id).collect()
}

/// As evidence keeps it.
fn told(row: &FirewallRow) -> Value {
    json!({ "name": row.name, "rules": row.rules, "labels": row.labels, "solutions": row.solutions })
}

fn left(row: &FirewallRow, (act, kind): (&'static str, &'static str), mut details: Value) -> Trail {
    let mut trail = Trail::default();
    details["firewall"] = json!(row.id);
    trail.evidence(NewEvidence {
        act,
        account: Some(row.account),
        solution: None,
        before: details,
        awaits: Awaits::Nothing,
        visible_from: None,
    });
    let data = json!({ "name": row.name });
    trail.event(NewEvent { account: Some(row.account), solution: None, kind, data, visible_from: None });
    trail
}

/// A firewall as the API shows it.
pub(crate) fn shown(row: &FirewallRow, holders: &[Holder], language: Language) -> api::Firewall {
    let rule = |rule: &Rule| FirewallRule {
        protocol: rule.protocol.word().to_owned(),
        ports: rule.ports.map(|ports| ports.to_string()),
        from: rule.from.iter().map(|net| allow::short(*net)).collect(),
        note: rule.note.clone(),
    };
    let holder = |holder: &Holder| FirewallHolder {
        id: holder.id.to_string(),
        name: holder.name.clone(),
        addresses: holder.public.nets().into_iter().map(allow::short).collect(),
    };
    let findings = firewall::findings(&firewall::passages(&row.rules));
    api::Firewall {
        id: row.id.to_string(),
        account: row.account.to_string(),
        name: row.name.clone(),
        rules: row.rules.iter().map(rule).collect(),
        labels: row.labels.clone(),
        solutions: row.solutions.iter().map(ToString::to_string).collect(),
        holds_for: holders.iter().map(holder).collect(),
        findings: findings.iter().map(|finding| state::finding(finding, language)).collect(),
        generation: row.generation,
        created: row.created,
        changed: row.changed,
    }
}
