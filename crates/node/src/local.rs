//! Verbs on this machine, over a socket only root may open: they work with control dead, and control hears of them later.

mod images;

use crate::runtime::ImportAsk;
use crate::{Node, measures};
use husorden_base::{MeasureId, Refusal, RuntimeName, Text};
use husorden_rules::{DecisionForm, Measure, Scope};
use husorden_wire::node::FromNode;
use jiff::Timestamp;
use serde::Deserialize;
use serde_json::{Value, json};
use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use tracing::warn;

/// Longest request in bytes.
const REQUEST_BYTES_MAX: u64 = 64 << 10;
/// How long an answer waits for a measure to be in force.
const CARRY_OUT_WAIT: Duration = Duration::from_secs(3);
/// How long a request may take to arrive.
const REQUEST_WAIT: Duration = Duration::from_secs(5);

#[derive(Deserialize)]
#[serde(tag = "do", rename_all = "kebab-case", deny_unknown_fields)]
enum Request {
    Suspend { solution: String, clause: String, reasons: String },
    Lift { solution: String },
    Status,
    State,
    Scrub,
    Sweep,
    Images,
    ImageBuild { name: RuntimeName, anew: bool },
    ImageImport { ask: Box<ImportAsk> },
    ImageRemove { name: RuntimeName },
    Close,
}

/// Listens for verbs.
///
/// # Errors
/// When the socket can't be bound.
pub(crate) fn listen(node: &Arc<Node>, socket: &Path) -> std::io::Result<()> {
    let listener = crate::lines::bind(socket, 0o600, None)?;
    let node = Arc::clone(node);
    std::thread::Builder::new().name("local".to_owned()).spawn(move || {
        for stream in listener.incoming().flatten() {
            let node = Arc::clone(&node);
            drop(std::thread::spawn(move || {
                if let Err(error) = answer(&node, stream) {
                    warn!(%error, "a local verb was not answered");
                }
            }));
        }
    })?;
    Ok(())
}

fn answer(node: &Arc<Node>, stream: UnixStream) -> std::io::Result<()> {
    stream.set_read_timeout(Some(REQUEST_WAIT))?;
    let mut line = String::new();
    BufReader::new((&stream).take(REQUEST_BYTES_MAX)).read_line(&mut line)?;
    let answer = match serde_json::from_str::<Request>(&line) {
        Ok(request) => carry_out(node, request),
        Err(error) => refusal(
            "no-such-verb",
            400,
            Text::new(format!("Noden har intet sådant verbum: {error}"), format!("The node has no such verb: {error}")),
        ),
    };
    writeln!(&stream, "{answer}")
}

fn carry_out(node: &Arc<Node>, request: Request) -> Value {
    match request {
        Request::Suspend { solution, clause, reasons } => suspend(node, &solution, clause, reasons),
        Request::Lift { solution } => lift(node, &solution),
        Request::Status => json!({ "ok": node.health() }),
        // What the platform's own backup keeps of it.
        Request::State => json!({ "ok": node.register.known() }),
        Request::Scrub => match node.pool.scrub().and_then(|()| node.pool.health()) {
            Ok(health) => json!({ "ok": { "scrub": health.last_scrub, "device_errors": health.device_errors } }),
            Err(error) => failed(&crate::causes::causes(&error)),
        },
        Request::Sweep => match crate::sweep::find(node) {
            Ok(odd) => json!({ "ok": odd }),
            Err(error) => failed(&error),
        },
        Request::Images => json!({ "ok": images::all(node) }),
        Request::ImageBuild { name, anew } => images::build(node, &name, anew),
        Request::ImageImport { ask } => images::import(node, *ask),
        Request::ImageRemove { name } => images::remove(node, &name),
        Request::Close => {
            node.end();
            while !node.closed.load(std::sync::atomic::Ordering::Relaxed) {
                std::thread::sleep(Duration::from_millis(20));
            }
            json!({ "ok": "everything is closed" })
        }
    }
}

fn suspend(node: &Arc<Node>, who: &str, clause: String, reasons: String) -> Value {
    let Some(wish) = node.register.find(who) else { return unknown(who) };
    let form = DecisionForm {
        clause,
        reasons,
        facts: None,
        scope: Scope::Solution { id: wish.solution },
        access: husorden_rules::Access::default(),
        fates: husorden_rules::Fates::default(),
        ends: None,
        silent_until: None,
        forfeits: Vec::new(),
    };
    let now = Timestamp::now();
    let decision = match form.check(now) {
        Ok(decision) => decision,
        Err(refusal) => return json!({ "refusal": refusal }),
    };
    let id = MeasureId::new();
    // Control gives the case its number; until then strangers see one that only this node can have given.
    let suffix = id.to_string();
    let measure = Measure {
        id,
        revision: 1,
        case: None,
        case_number: format!("N-{}", &suffix[suffix.len() - 8..]),
        clause: decision.clause,
        scope: decision.scope,
        access: decision.access,
        fates: decision.fates,
        starts: now,
        ends: None,
        silent_until: None,
        lifted: None,
    };
    // The reasons are part of the line that is written before the act, and of what control hears.
    let told = json!({ "measure": measure, "reasons": decision.reasons });
    if let Err(error) = node.register.witness("measure.taken-on-node", Some(wish.solution), told) {
        return failed(&error.to_string());
    }
    if let Err(error) = measures::take(node, measure.clone()) {
        return refusal(
            "not-kept",
            500,
            Text::new(
                format!("Foranstaltningen kunne ikke skrives ned og gælder ikke: {error}"),
                format!("The measure could not be written down and is not in force: {error}"),
            ),
        );
    }
    let in_force = measures::wait(node, id, CARRY_OUT_WAIT);
    node.voice.say(&FromNode::MeasureTaken { measure: Box::new(measure.clone()), reasons: decision.reasons });
    json!({ "ok": { "measure": measure.id, "case_number": measure.case_number, "in_force": in_force, "solution": wish.solution, "name": wish.name } })
}

fn lift(node: &Arc<Node>, who: &str) -> Value {
    let Some(wish) = node.register.find(who) else { return unknown(who) };
    let now = Timestamp::now();
    let here: Vec<Measure> = node
        .register
        .measures()
        .into_iter()
        .filter(|measure| {
            measure.case.is_none() && measure.covers(wish.solution, wish.account) && measure.in_force(now)
        })
        .collect();
    if here.is_empty() {
        return refusal(
            "no-measure",
            404,
            Text::new(
                "Ingen foranstaltning, der er truffet på denne node, holder den; én fra en sag ophæves der: husorden measure lift",
                "No measure taken on this node holds it; one decided in a case is lifted there: husorden measure lift",
            ),
        );
    }
    let ids: Vec<MeasureId> = here.iter().map(|measure| measure.id).collect();
    for measure in here {
        let lifted = Measure { revision: measure.revision + 1, lifted: Some(now), ..measure };
        if let Err(error) = measures::take(node, lifted.clone()) {
            return refusal(
                "not-kept",
                500,
                Text::new(
                    format!("Ophævelsen kunne ikke skrives ned: {error}"),
                    format!("The lifting could not be written down: {error}"),
                ),
            );
        }
        node.voice.say(&FromNode::MeasureTaken { measure: Box::new(lifted), reasons: "lifted on the node".to_owned() });
    }
    json!({ "ok": { "lifted": ids } })
}

fn unknown(who: &str) -> Value {
    refusal(
        "no-such-solution",
        404,
        Text::new(
            format!(
                "Ingen løsning, eller mere end én, passer til {who:?}; giv dens id eller nummer: husorden solution list"
            ),
            format!("No solution, or more than one, fits {who:?}; give its id or number: husorden solution list"),
        ),
    )
}

fn refusal(code: &str, status: u16, detail: Text) -> Value {
    let title = Text::new("Det kunne ikke gøres", "It could not be done");
    json!({ "refusal": Refusal::new(code, status, title, detail) })
}

/// What failed on this machine; the words are the operator's to look up, and stand as they came.
fn failed(why: &str) -> Value {
    refusal("failed", 500, Text::new(format!("Det mislykkedes: {why}"), format!("It failed: {why}")))
}
