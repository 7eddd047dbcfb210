//! Attachments of solutions to others of their account, as specs name them: what is named is there and fits, and what is used does
//! not go while it is used. Who is attached to what stands in the specs alone; the node works out everything else from them.

use crate::app::App;
use crate::caller::Caller;
use crate::doors::TenantTx;
use crate::fault::Fault;
use crate::store;
use crate::store::solution::SolutionRow;
use husorden_base::{Language, Refusal, Text};
use husorden_kinds::{Aim, Attach, Kind, Served};
use serde_json::{Value, json};
use uuid::Uuid;

/// Somebody names what to attach by its name: the spec keeps the id.
pub(crate) async fn named(tx: &mut TenantTx, form: &mut Value) -> Result<(), Fault> {
    let Some(name) = form.pointer("/attach/solution").and_then(Value::as_str) else { return Ok(()) };
    if name.parse::<Uuid>().is_ok() {
        return Ok(());
    }
    let found = store::solution::find(tx.conn(), name).await?.pop().ok_or_else(|| missing(name))?;
    form["attach"]["solution"] = json!(found.id);
    Ok(())
}

/// Refuses an attachment that leads to nothing, or to what its kind does not speak with. What was attached before is not asked
/// again, so that a solution can be changed while the other is away. What is attached is locked, so that it does not go meanwhile.
pub(crate) async fn check(
    app: &App,
    caller: &Caller,
    tx: &mut TenantTx,
    (kind, node): (&'static dyn Kind, &str),
    (before, after): (Option<&Value>, &Value),
) -> Result<(), Fault> {
    let Some(attach) = Attach::of(after) else { return Ok(()) };
    let was = before.and_then(Attach::of);
    let same = |was: &Attach| (was.solution, &was.database) == (attach.solution, &attach.database);
    if was.is_some_and(|was| same(&was) && (was.holds || !attach.holds)) {
        return Ok(());
    }
    let text = attach.solution.to_string();
    let row = store::solution::lock(tx.conn(), attach.solution).await?.ok_or_else(|| missing(&text))?;
    if row.aim == Aim::Gone {
        return Err(missing(&text).into());
    }
    if caller.is_staff() {
        // It opens the other's data to this one: a grant on this one alone is none for that.
        let found = store::grant::usable(tx.conn(), row.account, Some(row.id), caller.holder()).await?;
        found.ok_or_else(crate::grant::needed)?;
    }
    let served = serves(app, &row.kind, &row.spec).filter(|served| kind.accepts().contains(&served.protocol));
    let Some(served) = served else {
        return Err(field(
            "/spec/attach/solution",
            format!("{} er ikke noget, denne løsning kan bruge.", row.name),
            format!("{} is nothing that this solution can use.", row.name),
        )
        .into());
    };
    if attach.holds && !kind.holds_in().contains(&served.protocol) {
        let (is, title) = (served.protocol.title(), kind.title());
        let fit: Vec<&str> = kind.holds_in().iter().map(|protocol| protocol.title()).collect();
        let fit = fit.join(", ");
        return Err(field(
            "/spec/attach/holds",
            format!(
                "{} er {is}, og egne data for {title} kan kun ligge i {fit}. Tilknyt den uden at flytte data (din egen kode kan bruge den), eller vælg en instans af {fit}.",
                row.name,
                title = title.get(Language::Da).to_lowercase(),
            ),
            format!(
                "{} is {is}, and the data of a {title} itself can lie in {fit} only. Attach it without moving data (code of your own can use it), or choose an instance of {fit}.",
                row.name,
                title = title.get(Language::En).to_lowercase(),
            ),
        )
        .into());
    }
    if row.node != node {
        return Err(field(
            "/spec/attach/solution",
            format!("{} ligger på en anden server. Tilknyttes kan kun det, der ligger på den samme.", row.name),
            format!("{} lies on another node. Only what lies on the same one can be attached.", row.name),
        )
        .into());
    }
    if !served.databases.contains(&attach.database) {
        let there = served.databases.join(", ");
        return Err(field(
            "/spec/attach/database",
            format!("{} har ingen database {}. Den har: {there}.", row.name, attach.database),
            format!("{} has no database {}. It has: {there}.", row.name, attach.database),
        )
        .into());
    }
    Ok(())
}

/// Refuses a change that would take away what others of the account use.
pub(crate) async fn keeps(
    app: &App,
    tx: &mut TenantTx,
    row: &SolutionRow,
    (before, after): (&Value, Option<&Value>),
) -> Result<(), Fault> {
    if serves(app, &row.kind, before).is_none() {
        return Ok(());
    }
    let left = after.and_then(|after| serves(app, &row.kind, after));
    let mut losing: Vec<String> = store::solution::attached_to(tx.conn(), row.id)
        .await?
        .into_iter()
        .filter(|by| left.as_ref().is_none_or(|left| !left.databases.contains(&by.database)))
        .map(|by| by.name)
        .collect();
    if losing.is_empty() {
        return Ok(());
    }
    losing.sort();
    let losing = losing.join(", ");
    Err(Refusal::new(
        "is-attached",
        409,
        Text::new("Noget er tilknyttet det, der skal væk", "Something is attached to what is to go"),
        Text::new(
            format!("Tag først tilknytningen af: {losing}."),
            format!("Take the attachment off first: {losing}."),
        ),
    )
    .into())
}

/// The spec that a copy begins with: it inherits no attachment. Where the data of the original lies in what is attached, a copy of
/// its volume would be a copy without data.
pub(crate) fn not_inherited(spec: &mut Value) -> Result<(), Refusal> {
    let Some(attach) = Attach::of(spec) else { return Ok(()) };
    if attach.holds {
        return Err(field(
            "/from/solution",
            "Dens data ligger i en tilknyttet database og følger ikke med. Flyt dem hjem først, eller kopiér et øjebliksbillede fra før.",
            "Its data lies in an attached database and would not come along. Move it back first, or copy a snapshot from before.",
        ));
    }
    spec["attach"] = Value::Null;
    Ok(())
}

fn serves(app: &App, kind: &str, spec: &Value) -> Option<Served> {
    app.kind(kind)?.serves(spec)
}

fn missing(what: &str) -> Refusal {
    field(
        "/spec/attach/solution",
        format!("{what:?} findes ikke på kontoen."),
        format!("{what:?} is not there on the account."),
    )
}

fn field(pointer: &str, da: impl Into<String>, en: impl Into<String>) -> Refusal {
    Refusal::field(pointer, Text::new(da, en))
}
