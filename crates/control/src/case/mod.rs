//! Cases: staff's half of the house rules. A case is opened on a solution or an account under a clause, gathers notes and
//! decisions, and is closed when nothing in it waits any more.

pub(crate) mod complaint;
pub(crate) mod decision;

use crate::answer::Answer;
use crate::app::App;
use crate::caller::{Caller, Trail};
use crate::doors::StaffTx;
use crate::fault::Fault;
use crate::form::IfMatch;
use crate::store::case::CaseRow;
use crate::store::evidence::{Awaits, NewEvidence};
use crate::{account, rules, store};
use husorden_base::{AccountId, CaseId, Refusal, SolutionId, Text};
use husorden_rules::Clause;
use husorden_rules::decision::{REASONS_CHARS_MAX, REASONS_CHARS_MIN};
use husorden_wire::api;
use serde_json::{Value, json};

/// What a refusal calls a case, as a sentence begins.
const NAMED: (&str, &str) = ("Sagen", "The case");

/// Opens a case.
pub(crate) async fn open(app: &App, caller: &Caller, form: api::CaseCreate) -> Result<Answer, Fault> {
    let clause: Clause = form.clause.parse().map_err(|said: String| {
        Refusal::field("/clause", Text::new(format!("{:?} er intet punkt i husordenen", form.clause), said))
    })?;
    let facts = text(&form.facts, "/facts", 1)?;
    let mut tx = app.doors().staff().await?;
    let (account, solution) = match (&form.solution, &form.account) {
        (Some(solution), None) => {
            let (id, account) = solution_named(&mut tx, solution).await?;
            (account, Some(id))
        }
        (None, Some(name)) => (account::named(tx.conn(), name, "/account").await?, None),
        (Some(_), Some(_)) | (None, None) => {
            let text = Text::new("Nævn enten løsningen eller kontoen", "Name either the solution or the account");
            return Err(Refusal::field("/solution", text).into());
        }
    };
    let id = CaseId::new();
    store::case::insert(tx.conn(), id, (account, solution), clause.id(), (facts, &caller.signature())).await?;
    let case = whole(&mut tx, id).await?;
    let mut trail = Trail::default();
    trail.evidence(private("case.open", &case, json!({ "clause": clause, "account": account, "facts": facts })));
    trail.finish_staff(app, caller, tx, tagged(case, true)).await
}

/// Adds a note.
pub(crate) async fn note(app: &App, caller: &Caller, case: &str, form: api::CaseNoteCreate) -> Result<Answer, Fault> {
    let noted = text(&form.text, "/text", 1)?;
    let mut tx = app.doors().staff().await?;
    let case = locked(&mut tx, case).await?;
    store::case::note(tx.conn(), case.id, &caller.signature(), noted).await?;
    let mut trail = Trail::default();
    trail.evidence(private("case.note", &case, json!({ "text": noted })));
    let case = whole(&mut tx, case.id).await?;
    trail.finish_staff(app, caller, tx, tagged(case, true)).await
}

/// Closes a case in which nothing holds and nothing waits. Under a criminal clause it must be on record whether the police
/// were told, or why not.
pub(crate) async fn close(
    app: &App,
    caller: &Caller,
    case: &str,
    seen: &IfMatch,
    form: api::CaseClose,
) -> Result<Answer, Fault> {
    let reasons = text(&form.reasons, "/reasons", 1)?;
    let rules = rules::in_force(app).await?;
    let mut tx = app.doors().staff().await?;
    let case = locked(&mut tx, case).await?;
    // A clause that the rules no longer hold says nothing of itself; then the stricter is asked for.
    let criminal = rules.clause(&case.clause).is_none_or(|clause| clause.criminal);
    seen.check(NAMED, case.version)?;
    refuse_closed(&case)?;
    if case.measures.iter().any(|measure| measure.state() != "lifted") {
        return Err(still_open(
            "En foranstaltning i sagen er ikke ophævet",
            "A measure in the case is not lifted",
            ("Ophæv den først, eller lad sagen stå.", "Lift it first, or leave the case open."),
        ));
    }
    if case.complaints.iter().any(|complaint| complaint.outcome.is_none()) {
        return Err(still_open(
            "En klage venter på svar",
            "A complaint waits for its answer",
            ("Svar på klagen først.", "Answer the complaint first."),
        ));
    }
    match &form.referral {
        None if criminal => {
            let said = Text::new(
                "Punktet kan være strafbart: skriv, hvortil sagen er meldt, eller hvorfor den ikke skulle meldes",
                "The clause may be a crime: say where the case was reported, or why no report was due",
            );
            return Err(Refusal::field("/referral", said).with_clause("law.police").into());
        }
        Some(api::Referral::Made { reference }) => drop(text(reference, "/referral/reference", 1)?),
        Some(api::Referral::NotDue { reason }) => drop(text(reason, "/referral/reason", REASONS_CHARS_MIN)?),
        None => {}
    }
    store::case::close(tx.conn(), case.id, (reasons, &caller.signature()), form.referral.as_ref()).await?;
    let mut trail = Trail::default();
    trail.evidence(private("case.close", &case, json!({ "reasons": reasons, "referral": form.referral })));
    let case = whole(&mut tx, case.id).await?;
    trail.finish_staff(app, caller, tx, tagged(case, false)).await
}

/// A text of a form, trimmed and of a length that can be kept.
fn text<'a>(said: &'a str, pointer: &str, chars_min: usize) -> Result<&'a str, Refusal> {
    let said = said.trim();
    let length = said.chars().count();
    if (chars_min..=REASONS_CHARS_MAX).contains(&length) {
        return Ok(said);
    }
    let detail = Text::new(
        format!("{chars_min} til {REASONS_CHARS_MAX} tegn; her er {length}"),
        format!("{chars_min} to {REASONS_CHARS_MAX} characters; there are {length}"),
    );
    Err(Refusal::field(pointer, detail))
}

/// A line that is staff's own: until something is decided in a case, the account does not hear of it.
fn private(act: &'static str, case: &CaseRow, mut before: Value) -> NewEvidence {
    before["case"] = json!(case.number);
    NewEvidence { act, account: None, solution: case.solution, before, awaits: Awaits::Nothing, visible_from: None }
}

fn tagged(case: CaseRow, made: bool) -> Answer {
    let (version, at) = (case.version, format!("/v1/cases/{}", case.id));
    let shown = case.shown();
    if made { Answer::created(shown).tagged(version).at(at) } else { Answer::ok(shown).tagged(version) }
}

fn refuse_closed(case: &CaseRow) -> Result<(), Fault> {
    if case.closed.is_none() {
        return Ok(());
    }
    Err(Refusal::new(
        "case-closed",
        409,
        Text::new("Sagen er lukket", "The case is closed"),
        Text::new("Åbn en ny sag, hvis der er mere.", "Open another case if there is more."),
    )
    .into())
}

fn still_open(da: &str, en: &str, (what_da, what_en): (&str, &str)) -> Fault {
    Refusal::new("case-still-open", 409, Text::new(da, en), Text::new(what_da, what_en)).into()
}

/// The case with this id or number, as it stands now, for whoever looks.
pub(crate) async fn named(tx: &mut StaffTx, text: &str) -> Result<CaseRow, Fault> {
    store::case::named(tx.conn(), text).await?.ok_or_else(|| Refusal::not_found(text).into())
}

/// The same, for who changes it: nobody else changes it until the transaction ends.
async fn locked(tx: &mut StaffTx, text: &str) -> Result<CaseRow, Fault> {
    let id = store::case::lock(tx.conn(), text).await?.ok_or_else(|| Refusal::not_found(text))?;
    whole(tx, id).await
}

async fn whole(tx: &mut StaffTx, id: CaseId) -> Result<CaseRow, Fault> {
    named(tx, &id.to_string()).await
}

async fn solution_named(tx: &mut StaffTx, text: &str) -> Result<(SolutionId, AccountId), Fault> {
    let mut found = store::solution::find(tx.conn(), text).await?;
    match (found.pop(), found.pop()) {
        (Some(one), None) if one.deleted.is_none() => Ok((one.id, one.account)),
        _ => Err(Refusal::field(
            "/solution",
            Text::new(format!("Der er ikke én løsning {text:?}"), format!("There is no single solution {text:?}")),
        )
        .into()),
    }
}
