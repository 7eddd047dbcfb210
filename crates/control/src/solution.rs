//! The verbs on solutions: create, change, start, stop, delete. One set for all kinds.
//!
//! Everything a verb writes is one transaction of the tenant door, bound to the account the solution belongs to; also when
//! staff do it. What destroys is preceded by an order for a snapshot, and the node is shown the change when it is taken.

use crate::answer::Answer;
use crate::app::App;
use crate::attachment;
use crate::caller::{Caller, Trail};
use crate::copy::{self, Made};
use crate::doors::TenantTx;
use crate::fault::Fault;
use crate::form::{self, IfMatch};
use crate::merge::merge;
use crate::money::quota;
use crate::network;
use crate::order;
use crate::store::event::NewEvent;
use crate::store::evidence::{Awaits, NewEvidence};
use crate::store::solution::{NewSolution, SolutionRow, SolutionView};
use crate::{firewall, licence, login, own_image, public, state, store, undo};
use husorden_base::{AccountId, FieldError, OrderId, Refusal, SolutionId, Text};
use husorden_kinds::{Aim, Kind, allow};
use husorden_rules::Access;
use husorden_wire::api;
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};
use std::collections::BTreeMap;

const LABELS_MAX: usize = 32;
const LABEL_CHARS_MAX: usize = 63;
const SPEC_BYTES_MAX: usize = 128 << 10;

/// The one solution a caller means, by id or by name.
pub(crate) async fn find(app: &App, caller: &Caller, text: &str) -> Result<SolutionView, Fault> {
    let mut tx = caller.read(app).await?;
    let mut found = store::solution::find(tx.conn(), text).await?;
    match (found.pop(), found.pop()) {
        (Some(one), None) => Ok(one),
        (None, _) => Err(Refusal::not_found(text).into()),
        (Some(_), Some(_)) => Err(Refusal::new(
            "ambiguous",
            409,
            Text::new("Flere konti har en løsning med det navn", "Several accounts have a solution with that name"),
            Text::new("Brug løsningens id.", "Use the solution's id."),
        )
        .into()),
    }
}

/// Opens a solution for a change: found, locked, not held by a measure, and as the caller believes it is.
pub(crate) async fn open(
    app: &App,
    caller: &Caller,
    text: &str,
    if_match: &IfMatch,
) -> Result<(TenantTx, SolutionRow), Fault> {
    let found = find(app, caller, text).await?;
    let mut tx = caller.tenant(app, found.account, Some(found.id)).await?;
    let Some(row) = store::solution::lock(tx.conn(), found.id).await? else {
        return Err(Refusal::not_found(text).into());
    };
    if !caller.is_staff()
        && let Some(held) = store::solution::held_on(tx.conn(), row.id).await?
    {
        return Err(held.refusal(false).into());
    }
    if_match.check(("Løsningen", "The solution"), row.generation)?;
    Ok((tx, row))
}

/// Opens a solution for taking its data out: as [`open`] does, and also where a measure leaves its owner that.
pub(crate) async fn open_to_take_out(app: &App, caller: &Caller, text: &str) -> Result<(TenantTx, SolutionRow), Fault> {
    let found = find(app, caller, text).await?;
    let mut tx = caller.tenant(app, found.account, Some(found.id)).await?;
    let Some(row) = store::solution::lock(tx.conn(), found.id).await? else {
        return Err(Refusal::not_found(text).into());
    };
    if !caller.is_staff()
        && let Some(held) = store::solution::held_on(tx.conn(), row.id).await?
        && held.access != Access::DataOut
    {
        return Err(held.refusal(false).into());
    }
    Ok((tx, row))
}

/// Makes a solution.
pub(crate) async fn create(app: &App, caller: &Caller, form: api::SolutionCreate) -> Result<Answer, Fault> {
    let kind = app.kind(&form.kind).ok_or_else(|| no_kind(app, &form.kind))?;
    let mut wrong = check_labels(&form.labels);
    if let Err(field) = check_name(kind, &form.name) {
        wrong.push(field);
    }
    if let (None, Some(of)) = (&form.from, kind.made_of()) {
        return Err(own_image::begins_at(of).into());
    }
    let mut form_spec = if form.spec.is_null() { json!({}) } else { form.spec };
    let account = caller.account_for(app, form.account.as_deref()).await?;
    let id = SolutionId::new();
    let mut tx = caller.tenant(app, account, None).await?;
    let mut source = match &form.from {
        Some(from) => Some(copy::source(&mut tx, from, kind).await?),
        None => None,
    };
    if let Some(source) = &mut source {
        network::inherited(&mut tx, &mut source.spec).await?;
    }
    attachment::named(&mut tx, &mut form_spec).await?;
    network::named(&mut tx, &mut form_spec).await?;
    let image = own_image::named(app, &mut tx, kind, &mut form_spec).await?;
    let mut spec = match &source {
        Some(source) => parse(kind, &merge(&source.spec, &form_spec), Some(&source.spec), wrong)?,
        None => parse(kind, &form_spec, None, wrong)?,
    };
    let (mut credentials, shown) = login::credentials(kind.credentials(&spec)).await?;
    let mut trail = Trail::default();
    let made = match &source {
        Some(source) => {
            for (name, old) in &source.row.credentials {
                // What was copied holds the other's passwords; these are newer.
                if let Some(new) = credentials.get_mut(name) {
                    new.generation = old.generation + 1;
                }
            }
            source.origin(app, &mut tx, &form.name, &mut trail).await?
        }
        None => Made::default(),
    };
    let (count, count_max) =
        (store::solution::count_to_create(tx.conn(), account).await?, app.config().limits.solutions_per_account_max);
    if count >= i64::from(count_max) {
        return Err(too_many(count, count_max).into());
    }
    quota::check(app, tx.conn(), account, id, kind.name(), &spec).await?;
    // A copy lies where what it was copied from lies, and what is made from an image where that does.
    let beside = source.as_ref().map(|source| &source.row.node).or(image.as_ref().map(|image| &image.node));
    let node = beside.map_or(app.config().default_node.as_str(), String::as_str);
    own_image::check(&mut tx, kind, node, source.as_ref().map(|source| &source.spec), &spec).await?;
    network::settle(caller, &mut tx, (id, node), None, &mut spec).await?;
    let new = NewSolution {
        id,
        account,
        node,
        name: &form.name,
        kind: kind.name(),
        spec: &spec,
        credentials: &credentials,
        labels: &form.labels,
        protected: form.protected,
        from: made.from,
        from_backup: made.backup.as_ref(),
    };
    attachment::check(app, caller, &mut tx, (kind, new.node), (None, &spec)).await?;
    licence::check(&mut tx, kind, id, None, &spec).await?;
    store::solution::insert(tx.conn(), &new).await?;
    claim(&mut tx, kind, id, account, &spec, false).await?;
    public::bring(app, &mut tx, (id, new.node), &spec).await?;
    firewall::check(&mut tx, (account, id), &form.name, (&spec, &form.labels)).await?;

    let solution = state::shown(app, &store::solution::get(tx.conn(), id).await?, caller.language);
    acknowledged(&mut trail, (account, id), &Value::Null, &spec);
    trail.evidence(NewEvidence {
        act: "solution.create",
        account: Some(account),
        solution: Some(id),
        before: json!({ "kind": kind.name(), "name": form.name, "number": solution.number, "spec": spec, "from": made.told() }),
        awaits: Awaits::Generation(1),
        visible_from: None,
    });
    trail.event(event(account, id, "solution.created", json!({ "name": form.name })));
    let kept = api::SolutionCreated { solution: solution.clone(), credentials: login::unseen(&shown) };
    let answer = Answer::created(api::SolutionCreated { solution, credentials: shown })
        .keeping(kept)
        .tagged(1)
        .at(format!("/v1/solutions/{id}"));
    trail.finish(app, caller, tx, answer).await
}

/// Changes name, spec, labels or protection.
pub(crate) async fn change(
    app: &App,
    caller: &Caller,
    text: &str,
    if_match: &IfMatch,
    mut form: api::SolutionChange,
) -> Result<Answer, Fault> {
    let (mut tx, mut row) = open(app, caller, text, if_match).await?;
    order::refuse_gone(&row)?;
    let kind = app.kind(&row.kind).ok_or_else(|| no_kind(app, &row.kind))?;
    let mut wrong = form.labels.as_ref().map(check_labels).unwrap_or_default();
    if let Some(name) = &form.name
        && let Err(field) = check_name(kind, name)
    {
        wrong.push(field);
    }
    let before = row.clone();
    let (mut hold, mut shown) = (None, Vec::new());
    let mut trail = Trail::default();
    if let Some(patch) = &mut form.spec {
        attachment::named(&mut tx, patch).await?;
        network::named(&mut tx, patch).await?;
        own_image::named(app, &mut tx, kind, patch).await?;
        // What has not come true can be taken back: the change is one of the spec as the data has it.
        let held = row.seen.as_ref().map_or_else(|| before.spec.clone(), |seen| kind.held(&before.spec, &seen.marks));
        row.spec = parse(kind, &merge(&before.spec, patch), Some(&held), wrong)?;
    } else if !wrong.is_empty() {
        return Err(Refusal::fields(wrong).into());
    }
    if row.spec != before.spec {
        network::settle(caller, &mut tx, (row.id, &row.node), Some(&before.spec), &mut row.spec).await?;
        own_image::check(&mut tx, kind, &row.node, Some(&before.spec), &row.spec).await?;
        licence::check(&mut tx, kind, row.id, Some(&before.spec), &row.spec).await?;
        let specs = (Some(&before.spec), &row.spec);
        attachment::check(app, caller, &mut tx, (kind, &row.node), specs).await?;
        attachment::keeps(app, &mut tx, &before, (&before.spec, Some(&row.spec))).await?;
        store::solution::count_to_create(tx.conn(), row.account).await?;
        quota::check(app, tx.conn(), row.account, row.id, kind.name(), &row.spec).await?;
        let destroys = kind.destructive(&before.spec, &row.spec) && row.has_volume();
        if let (true, Some(order)) = (destroys, row.hold_for) {
            // The snapshot that a change waits for holds for the next one too; what is being brought back stands in none yet.
            let waits = store::order::get(tx.conn(), order.0).await?;
            if waits.is_some_and(|order| matches!(order.verb.as_str(), "restore" | "backup-restore")) {
                undo::refuse_waiting(&row)?;
            }
        }
        if destroys && row.hold_for.is_none() {
            hold = Some(order::snapshot_before_change(&mut tx, &before, &mut trail).await?);
        }
        let held = hold.is_some() || before.hold_for.is_some();
        claim(&mut tx, kind, row.id, row.account, &row.spec, held).await?;
        shown = login::logins(&mut row, kind, &before.spec).await?;
    }
    for (name, password) in &form.passwords {
        let pointer = format!("/passwords/{}", name.replace('~', "~0").replace('/', "~1"));
        let login = kind.credentials(&row.spec).into_iter().find(|login| login.name == *name);
        let login = login.ok_or_else(|| {
            Refusal::field(&pointer, Text::new("Der er ingen bruger med det navn.", "There is no login of that name."))
        })?;
        let hash = login::chosen(app, &row, &login, &pointer, password).await?;
        login::renew(&mut row, &login, hash);
        // Whoever chose one is not shown another.
        shown.retain(|one: &api::CredentialShown| one.name != *name);
        // Whether it was carried out is told by the line of the change itself.
        login::password_changed(&mut trail, &row, name, Awaits::Nothing);
    }
    acknowledged(&mut trail, (row.account, row.id), &before.spec, &row.spec);
    row.name = form.name.unwrap_or(row.name);
    row.labels = form.labels.unwrap_or(row.labels);
    row.protected = form.protected.unwrap_or(row.protected);
    public::bring(app, &mut tx, (row.id, &row.node), &row.spec).await?;
    firewall::check(&mut tx, (row.account, row.id), &row.name, (&row.spec, &row.labels)).await?;
    let details = json!({
        "from": { "name": before.name, "spec": before.spec, "labels": before.labels, "protected": before.protected },
        "to": { "name": row.name, "spec": row.spec, "labels": row.labels, "protected": row.protected },
    });
    for one in &shown {
        login::password_changed(&mut trail, &row, &one.name, Awaits::Nothing);
    }
    let how = ("solution.change", "solution.changed", details);
    let (solution, generation) = write(app, caller, &mut tx, &row, hold, &mut trail, how).await?;
    let kept = api::SolutionChanged { solution: solution.clone(), credentials: login::unseen(&shown) };
    let answer = Answer::ok(api::SolutionChanged { solution, credentials: shown }).keeping(kept).tagged(generation);
    trail.finish(app, caller, tx, answer).await
}

/// That somebody opened a solution to all, and said so, is a line of its own.
fn acknowledged(trail: &mut Trail, (account, solution): (AccountId, SolutionId), before: &Value, after: &Value) {
    let open = |spec: &Value| allow::Access::of(spec).is_some_and(|access| access.open_to_all);
    if open(after) && !open(before) {
        trail.evidence(NewEvidence {
            act: "access.open-to-all",
            account: Some(account),
            solution: Some(solution),
            before: json!({ "allow": after["allow"] }),
            awaits: Awaits::Nothing,
            visible_from: None,
        });
    }
}

/// Starts or stops a solution.
pub(crate) async fn aim(app: &App, caller: &Caller, text: &str, if_match: &IfMatch, aim: Aim) -> Result<Answer, Fault> {
    let (mut tx, mut row) = open(app, caller, text, if_match).await?;
    order::refuse_gone(&row)?;
    if row.aim == aim {
        return shown(app, &mut tx, &row, caller).await;
    }
    row.aim = aim;
    let (act, kind) = match aim {
        Aim::Stop | Aim::Gone => ("solution.stop", "solution.stopped"),
        Aim::Run => ("solution.start", "solution.started"),
    };
    save(app, caller, tx, &row, None, Trail::default(), act, kind, json!({})).await
}

/// Deletes a solution: it goes, a snapshot of it stays for the retention time, and so do its names.
pub(crate) async fn delete(app: &App, caller: &Caller, text: &str, if_match: &IfMatch) -> Result<Answer, Fault> {
    let (mut tx, mut row) = open(app, caller, text, if_match).await?;
    if row.aim == Aim::Gone {
        return shown(app, &mut tx, &row, caller).await;
    }
    if row.protected {
        return Err(protected(&row).into());
    }
    attachment::keeps(app, &mut tx, &row, (&row.spec, None)).await?;
    row.aim_before = row.aim;
    row.aim = Aim::Gone;
    let until = Timestamp::now() + SignedDuration::from_hours(24 * i64::from(app.config().retention_days));
    row.retain_until = Some(until);
    let details = json!({ "until": until });
    save(app, caller, tx, &row, None, Trail::default(), "solution.delete", "solution.deleted", details).await
}

/// The end of each verb that writes a new wish.
#[allow(clippy::too_many_arguments, reason = "the parts of one change, each named at its one kind of call")]
pub(crate) async fn save(
    app: &App,
    caller: &Caller,
    mut tx: TenantTx,
    row: &SolutionRow,
    hold: Option<OrderId>,
    mut trail: Trail,
    act: &'static str,
    kind: &'static str,
    details: Value,
) -> Result<Answer, Fault> {
    let (solution, generation) = write(app, caller, &mut tx, row, hold, &mut trail, (act, kind, details)).await?;
    trail.finish(app, caller, tx, Answer::ok(solution).tagged(generation)).await
}

/// Writes a new wish down: as the API shows it now, and its generation.
async fn write(
    app: &App,
    caller: &Caller,
    tx: &mut TenantTx,
    row: &SolutionRow,
    hold: Option<OrderId>,
    trail: &mut Trail,
    (act, kind, mut details): (&'static str, &'static str, Value),
) -> Result<(api::Solution, u64), Fault> {
    let generation = store::solution::save(tx.conn(), row, hold).await?;
    details["name"] = json!(row.name);
    details["generation"] = json!(generation);
    let mut data = json!({ "name": row.name });
    for name in ["until", "net"] {
        if let Some(value) = details.get(name) {
            data[name] = value.clone();
        }
    }
    trail.evidence(NewEvidence {
        act,
        account: Some(row.account),
        solution: Some(row.id),
        before: details,
        awaits: Awaits::Generation(generation),
        visible_from: None,
    });
    trail.event(event(row.account, row.id, kind, data));
    let view = store::solution::get(tx.conn(), row.id).await?;
    Ok((state::shown(app, &view, caller.language), generation))
}

/// The answer to a verb that had nothing to do.
async fn shown(app: &App, tx: &mut TenantTx, row: &SolutionRow, caller: &Caller) -> Result<Answer, Fault> {
    let view = store::solution::get(tx.conn(), row.id).await?;
    Ok(Answer::ok(state::shown(app, &view, caller.language)).tagged(view.generation))
}

pub(crate) fn event(account: AccountId, solution: SolutionId, kind: &'static str, data: Value) -> NewEvent {
    NewEvent { account: Some(account), solution: Some(solution), kind, data, visible_from: None }
}

/// Brings the names a solution holds in line with its spec. While a change is held, both the old and the new ones are kept.
pub(crate) async fn claim(
    tx: &mut TenantTx,
    kind: &'static dyn Kind,
    id: SolutionId,
    account: AccountId,
    spec: &Value,
    held: bool,
) -> Result<(), Fault> {
    let mut wanted: BTreeMap<(String, String), bool> =
        kind.claims(spec).into_iter().map(|(space, key)| ((space.to_owned(), key), false)).collect();
    for (space, key, state) in store::solution::claims(tx.conn(), id).await? {
        let name = (space.as_str(), key.as_str());
        let wants = wanted.get_mut(&(space.clone(), key.clone())).map(|there| *there = true).is_some();
        let next = match (wants, state.as_str(), held) {
            (true, "going", _) => Some(Some("held")),
            (false, "held", true) => Some(Some("going")),
            (false, "going", true) | (true, _, _) => None,
            (false, _, _) => Some(None),
        };
        if let Some(next) = next {
            store::solution::claim_state(tx.conn(), id, name, next).await?;
        }
    }
    // In the order of the keys, so that two solutions that want the same names wait for each other in one direction only.
    let mut taken = Vec::new();
    for (space, key) in wanted.into_iter().filter(|(_, there)| !there).map(|(name, _)| name) {
        if !store::solution::claim(tx.conn(), (id, account), (&space, &key), held).await? {
            taken.push((space, key));
        }
    }
    if taken.is_empty() { Ok(()) } else { Err(claim_taken(spec, &taken).into()) }
}

fn claim_taken(spec: &Value, taken: &[(String, String)]) -> Refusal {
    let fields = taken
        .iter()
        .map(|(space, key)| FieldError {
            pointer: pointer_to(spec, key).map_or_else(|| "/spec".to_owned(), |at| format!("/spec{at}")),
            detail: Text::new(
                format!("{key} ({space}) bruges af en anden løsning"),
                format!("{key} ({space}) is used by another solution"),
            ),
        })
        .collect();
    Refusal {
        fields,
        ..Refusal::new(
            "claim-taken",
            409,
            Text::new("Et navn er optaget", "A name is taken"),
            Text::new(
                "Hvert navn kan kun bruges af én løsning. En slettet løsning beholder sine, så længe den kan fortrydes.",
                "Each name can be used by one solution only. A deleted solution keeps its own as long as the deletion can be undone.",
            ),
        )
    }
}

/// Where a text stands in a spec.
fn pointer_to(value: &Value, text: &str) -> Option<String> {
    match value {
        Value::String(here) => (here == text).then(String::new),
        Value::Array(items) => items
            .iter()
            .enumerate()
            .find_map(|(index, item)| pointer_to(item, text).map(|rest| format!("/{index}{rest}"))),
        Value::Object(members) => members.iter().find_map(|(name, item)| {
            pointer_to(item, text).map(|rest| format!("/{}{rest}", name.replace('~', "~0").replace('/', "~1")))
        }),
        Value::Null | Value::Bool(_) | Value::Number(_) => None,
    }
}

/// The kind reads a spec; its pointers are put under `/spec`, beside what else is wrong.
pub(crate) fn parse(
    kind: &'static dyn Kind,
    form: &Value,
    before: Option<&Value>,
    mut wrong: Vec<FieldError>,
) -> Result<Value, Refusal> {
    let mut spec = match kind.parse(form, before) {
        Ok(spec) => spec,
        Err(fields) => {
            wrong.extend(
                fields.into_iter().map(|field| FieldError { pointer: format!("/spec{}", field.pointer), ..field }),
            );
            return Err(Refusal::fields(wrong));
        }
    };
    let ended = allow::settle(&mut spec, before, Timestamp::now());
    wrong.extend(ended.into_iter().map(|field| FieldError { pointer: format!("/spec{}", field.pointer), ..field }));
    if spec.to_string().len() > SPEC_BYTES_MAX {
        let text = Text::new("Specifikationen er for stor", "The spec is too large");
        wrong.push(FieldError { pointer: "/spec".to_owned(), detail: text });
    }
    if wrong.is_empty() { Ok(spec) } else { Err(Refusal::fields(wrong)) }
}

pub(crate) fn check_name(kind: &dyn Kind, name: &str) -> Result<(), FieldError> {
    if let Some(detail) = kind.name_wrong(name) {
        return Err(FieldError { pointer: "/name".to_owned(), detail });
    }
    form::check_name(name)
}

pub(crate) fn check_labels(labels: &BTreeMap<String, String>) -> Vec<FieldError> {
    let mut wrong = Vec::new();
    if labels.len() > LABELS_MAX {
        wrong.push(FieldError {
            pointer: "/labels".to_owned(),
            detail: Text::new(format!("Højst {LABELS_MAX} mærkater"), format!("At most {LABELS_MAX} labels")),
        });
    }
    for (name, value) in labels {
        let fine = |text: &str| text.chars().count() <= LABEL_CHARS_MAX && !text.chars().any(char::is_control);
        if name.is_empty() || name.contains('=') || !fine(name) || !fine(value) {
            wrong.push(FieldError {
                pointer: format!("/labels/{}", name.replace('~', "~0").replace('/', "~1")),
                detail: Text::new(
                    format!("Navn og værdi har højst {LABEL_CHARS_MAX} synlige tegn, og navnet intet ="),
                    format!("Name and value have at most {LABEL_CHARS_MAX} visible characters, and the name no ="),
                ),
            });
        }
    }
    wrong
}

pub(crate) fn no_kind(app: &App, name: &str) -> Refusal {
    let names: Vec<&str> = app.kinds().iter().map(|kind| kind.name()).collect();
    let names = names.join(", ");
    Refusal::field(
        "/kind",
        Text::new(
            format!("{name:?} findes ikke; der er: {names}"),
            format!("{name:?} does not exist; there are: {names}"),
        ),
    )
}

fn too_many(count: i64, count_max: u32) -> Refusal {
    Refusal::new(
        "solutions-limit",
        409,
        Text::new("Kontoen har så mange løsninger, som den må", "The account has as many solutions as it may"),
        Text::new(
            "Slet først nogle, der ikke bruges mere. En slettet løsning tæller med, så længe den kan fortrydes.",
            "Delete some that are no longer used first. A deleted solution counts as long as the deletion can be undone.",
        ),
    )
    .with_limit(format!("{count} solutions"), format!("{count_max} solutions"))
}

fn protected(row: &SolutionRow) -> Refusal {
    Refusal::new(
        "protected",
        409,
        Text::new("Løsningen er beskyttet mod sletning", "The solution is protected from deletion"),
        Text::new(
            format!("Fjern først beskyttelsen: PATCH /v1/solutions/{} med {{\"protected\": false}}.", row.id),
            format!("Take the protection off first: PATCH /v1/solutions/{} with {{\"protected\": false}}.", row.id),
        ),
    )
}
