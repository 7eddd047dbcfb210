//! Grants: without one staff see metadata and change nothing of a customer's solutions. An account gives one for a time; in an
//! emergency one of staff breaks the glass, with a reason. Each use of either is a line of evidence and an event of the account.

use crate::answer::Answer;
use crate::app::App;
use crate::caller::{Caller, Trail};
use crate::fault::Fault;
use crate::solution;
use crate::store;
use crate::store::event::NewEvent;
use crate::store::evidence::{Awaits, NewEvidence};
use crate::store::grant::{GrantRow, GrantUsed, NewGrant};
use husorden_base::{AccountId, GrantId, Refusal, SolutionId, Text};
use husorden_wire::api;
use jiff::Timestamp;
use serde_json::json;
use uuid::Uuid;

const MINUTES_MIN: u32 = 5;
/// A week: who needs longer is let in again.
const MINUTES_MAX: u32 = 7 * 24 * 60;
const MINUTES: u32 = 60;
const BREAK_GLASS_MINUTES: u32 = 60;
const REASON_CHARS_MAX: usize = 500;
/// A reason for breaking the glass is a sentence.
const BREAK_GLASS_CHARS_MIN: usize = 10;
/// Grants of one account that may be open at once.
const OPEN_MAX: i64 = 32;

/// Gives or takes leave.
pub(crate) async fn create(app: &App, caller: &Caller, form: api::GrantCreate) -> Result<Answer, Fault> {
    let of = match &form.solution {
        Some(text) => Some(solution::find(app, caller, text).await?),
        None => None,
    };
    let solution = of.as_ref().map(|of| of.id);
    match caller.account() {
        Some(account) => give(app, caller, account, solution, &form).await,
        None => {
            let account = match (&of, form.account.as_deref()) {
                (Some(of), None) => of.account,
                (_, named) => caller.account_for(app, named).await?,
            };
            if of.is_some_and(|of| of.account != account) {
                return Err(Refusal::field(
                    "/solution",
                    Text::new("Kontoen har den ikke", "The account does not have it"),
                )
                .into());
            }
            break_glass(app, caller, account, solution, &form).await
        }
    }
}

async fn give(
    app: &App,
    caller: &Caller,
    account: AccountId,
    solution: Option<SolutionId>,
    form: &api::GrantCreate,
) -> Result<Answer, Fault> {
    if form.break_glass.is_some() || form.account.is_some() {
        let (pointer, text) = ("/break_glass", Text::new("Kun personale bryder glasset", "Only staff break the glass"));
        return Err(Refusal::field(pointer, text).into());
    }
    let minutes = form.minutes.unwrap_or(MINUTES);
    if !(MINUTES_MIN..=MINUTES_MAX).contains(&minutes) {
        let text = Text::new(
            format!("{MINUTES_MIN} til {MINUTES_MAX} minutter"),
            format!("{MINUTES_MIN} to {MINUTES_MAX} minutes"),
        );
        return Err(Refusal::field("/minutes", text).into());
    }
    let reason = reason(form.reason.as_deref().unwrap_or_default(), "/reason", 1)?;
    let mut tx = app.doors().tenant_narrowed(account, &caller.narrow).await?;
    if store::grant::open(tx.conn(), account).await? >= OPEN_MAX {
        return Err(too_many().into());
    }
    let by = caller.signature();
    let new = NewGrant {
        id: GrantId::new(),
        account,
        solution,
        holder: None,
        reason: &reason,
        by: &by,
        minutes: whole(minutes),
    };
    let row = store::grant::insert(tx.conn(), &new).await?;
    let trail = left("grant.give", "grant.given", &row);
    trail.finish(app, caller, tx, Answer::created(shown(&row))).await
}

async fn break_glass(
    app: &App,
    caller: &Caller,
    account: AccountId,
    solution: Option<SolutionId>,
    form: &api::GrantCreate,
) -> Result<Answer, Fault> {
    let Some(why) = &form.break_glass else {
        let text = Text::new(
            "Kun kontoen lukker personale ind; ellers brydes glasset med en grund",
            "Only the account lets staff in; else the glass is broken, with a reason",
        );
        return Err(Refusal::field("/break_glass", text).into());
    };
    if form.minutes.is_some() || form.reason.is_some() {
        let text = Text::new(
            format!("Et brudt glas gælder i {BREAK_GLASS_MINUTES} minutter, og grunden står i break_glass"),
            format!("A broken glass holds for {BREAK_GLASS_MINUTES} minutes, and its reason stands in break_glass"),
        );
        return Err(Refusal::field("/minutes", text).into());
    }
    let reason = reason(why, "/break_glass", BREAK_GLASS_CHARS_MIN)?;
    let mut tx = app.doors().staff().await?;
    if store::grant::open(tx.conn(), account).await? >= OPEN_MAX {
        return Err(too_many().into());
    }
    let by = caller.signature();
    let new = NewGrant {
        id: GrantId::new(),
        account,
        solution,
        holder: Some(caller.holder()),
        reason: &reason,
        by: &by,
        minutes: whole(BREAK_GLASS_MINUTES),
    };
    let row = store::grant::insert(tx.conn(), &new).await?;
    let trail = left("grant.break", "grant.broken", &row);
    trail.finish_staff(app, caller, tx, Answer::created(shown(&row))).await
}

/// Ends a grant before its time.
pub(crate) async fn end(app: &App, caller: &Caller, text: &str) -> Result<Answer, Fault> {
    let id = text.parse::<Uuid>().map_err(|_| Refusal::not_found(text))?;
    match caller.account() {
        Some(account) => {
            let mut tx = app.doors().tenant_narrowed(account, &caller.narrow).await?;
            let row = store::grant::end(tx.conn(), id).await?.ok_or_else(|| Refusal::not_found(text))?;
            left("grant.end", "grant.ended", &row).finish(app, caller, tx, Answer::empty()).await
        }
        None => {
            let mut tx = app.doors().staff().await?;
            let row = store::grant::end(tx.conn(), id).await?.ok_or_else(|| Refusal::not_found(text))?;
            left("grant.end", "grant.ended", &row).finish_staff(app, caller, tx, Answer::empty()).await
        }
    }
}

/// What a change made under a grant leaves behind beside its own lines: that the grant was used, and for what.
pub(crate) fn used(trail: &mut Trail, account: AccountId, grant: &GrantUsed) {
    let (acts, solution) = trail.acts();
    trail.evidence(NewEvidence {
        act: "grant.use",
        account: Some(account),
        solution,
        before: json!({ "grant": grant.id, "break_glass": grant.broken, "reason": grant.reason, "acts": acts }),
        awaits: Awaits::Nothing,
        visible_from: None,
    });
    trail.event(NewEvent {
        account: Some(account),
        solution,
        kind: "grant.used",
        data: json!({ "reason": grant.reason, "acts": acts.join(", ") }),
        visible_from: None,
    });
}

/// Staff have no leave to do this.
pub(crate) fn needed() -> Refusal {
    Refusal::new(
        "grant-needed",
        403,
        Text::new("Personale mangler kontoens tilladelse", "Staff lack the account's leave"),
        Text::new(
            "Bed kontoen lukke personale ind, eller bryd glasset med en grund: POST /v1/grants. Kontoen ser hver brug.",
            "Ask the account to let staff in, or break the glass with a reason: POST /v1/grants. The account sees each use.",
        ),
    )
}

fn too_many() -> Refusal {
    Refusal::new(
        "too-many-grants",
        409,
        Text::new("Der er for mange åbne tilladelser", "There are too many open grants"),
        Text::new("Afslut en først.", "End one first."),
    )
    .with_limit(format!("{OPEN_MAX} grants"), format!("{OPEN_MAX} grants"))
}

fn reason(text: &str, pointer: &str, chars_min: usize) -> Result<String, Refusal> {
    let text = text.trim();
    if !(chars_min..=REASON_CHARS_MAX).contains(&text.chars().count()) || text.chars().any(char::is_control) {
        let text = Text::new(
            format!("Skriv hvorfor, med {chars_min} til {REASON_CHARS_MAX} tegn"),
            format!("Say why, in {chars_min} to {REASON_CHARS_MAX} characters"),
        );
        return Err(Refusal::field(pointer, text));
    }
    Ok(text.to_owned())
}

fn whole(minutes: u32) -> i32 {
    i32::try_from(minutes).unwrap_or(i32::MAX)
}

fn left(act: &'static str, kind: &'static str, row: &GrantRow) -> Trail {
    let mut trail = Trail::default();
    let (account, solution) = (Some(row.account), row.solution);
    trail.evidence(NewEvidence {
        act,
        account,
        solution,
        before: json!({ "grant": row.id, "reason": row.reason, "break_glass": row.holder.is_some(), "ends": row.ends }),
        awaits: Awaits::Nothing,
        visible_from: None,
    });
    let data = json!({ "reason": row.reason, "until": row.ends });
    trail.event(NewEvent { account, solution, kind, data, visible_from: None });
    trail
}

/// A grant as the API shows it.
pub(crate) fn shown(row: &GrantRow) -> api::Grant {
    api::Grant {
        id: row.id.to_string(),
        account: row.account.to_string(),
        solution: row.solution.map(|id| id.to_string()),
        reason: row.reason.clone(),
        break_glass: row.holder.is_some(),
        by: row.by.clone(),
        by_whom: row.by_whom.clone(),
        open: row.ended.is_none() && row.ends > Timestamp::now(),
        starts: row.starts,
        ends: row.ended.unwrap_or(row.ends),
    }
}
