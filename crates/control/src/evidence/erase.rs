//! Erasing: personal fields go when their days are over, or when a person who left asks for it, with their salts; a line says
//! so, and the tree still holds.

use crate::app::App;
use crate::store::erasure::{self, Fields, Wanted};
use crate::store::log::{self, LoadError, OpenedRow};
use husorden_evidence::{Class, leaf};
use serde_json::Value;
use std::collections::BTreeMap;
use uuid::Uuid;

/// Leaves in one step, and steps in one run; the next run goes on.
const BATCH: i32 = 500;
const STEPS_MAX: usize = 20;

/// Erases what is due.
pub(crate) async fn due(app: &App) -> Result<(), LoadError> {
    let system = app.doors().system();
    for class in Class::ALL {
        for _ in 0..STEPS_MAX {
            // What waited for a seal to end. Who dies before it is let go of erases it once more, which changes nothing.
            let released = log::released(system, class.word(), BATCH).await?;
            if released.leaves.is_empty() {
                break;
            }
            let (from, _) = log::to_erase(system, class.word(), class.days_kept()).await?;
            log::erase(system, class.word(), from, &released.leaves, &released.paths).await?;
            log::let_go(system, class.word(), &released).await?;
        }
        for _ in 0..STEPS_MAX {
            let (from, to) = log::to_erase(system, class.word(), class.days_kept()).await?;
            let rows = if from < to { log::opened(system, from, to, BATCH).await? } else { Vec::new() };
            let Some(last) = rows.last() else { break };
            let through = last.index + 1;
            let (mut leaves, mut paths) = (Vec::new(), Vec::new());
            for row in &rows {
                let body: Value = serde_json::from_str(&row.body).unwrap_or_default();
                for (path, _) in leaf::hidden(&body) {
                    if leaf::class(&path) == class && !row.erased.contains_key(&path) {
                        leaves.push(i64::try_from(row.index).unwrap_or(i64::MAX));
                        paths.push(path);
                    }
                }
            }
            if !leaves.is_empty() {
                tracing::info!(
                    class = class.word(),
                    through,
                    fields = leaves.len(),
                    "evidence is erased, its days are over"
                );
            }
            let sealed = log::sealed(system, &leaves).await?;
            let fields = leaves.into_iter().zip(paths);
            let (held, due): (Vec<_>, Vec<_>) = fields.partition(|(leaf, _)| sealed.contains(leaf));
            let (leaves, paths): (Vec<i64>, Vec<String>) = held.into_iter().unzip();
            log::hold(system, class.word(), &leaves, &paths).await?;
            let (leaves, paths): (Vec<i64>, Vec<String>) = due.into_iter().unzip();
            log::erase(system, class.word(), through, &leaves, &paths).await?;
        }
    }
    app.wake();
    Ok(())
}

/// Leaves looked at in one transaction.
const LEAVES: usize = 500;

/// What became of an erasure on request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    Done,
    /// What it was asked of is sealed; it waits.
    Held,
}

/// Erases what names a person, as was asked. What was erased before is passed by, so that it may be begun again.
pub(crate) async fn person(app: &App, id: Uuid) -> Result<Outcome, LoadError> {
    let system = app.doors().system();
    let Some(wanted) = erasure::wanted(system, id).await? else { return Ok(Outcome::Done) };
    if wanted.held {
        return Ok(Outcome::Held);
    }
    // What is not in the tree yet has no salt that could go.
    super::sequence::drain(app).await?;
    let leaves = erasure::leaves(system, wanted.person, wanted.account).await?;
    for some in leaves.chunks(LEAVES) {
        let mut fields: BTreeMap<&'static str, Fields> = BTreeMap::new();
        for row in erasure::opened(system, some).await? {
            for path in naming(&wanted, &row) {
                let of_class = fields.entry(leaf::class(&path).word()).or_default();
                let index = i64::try_from(row.index).unwrap_or(i64::MAX);
                of_class.through = of_class.through.max(index + 1);
                of_class.leaves.push(index);
                of_class.paths.push(path);
                of_class.lines.push(row.line);
            }
        }
        if !fields.is_empty() {
            erasure::erase(system, id, fields.into_iter()).await?;
        }
    }
    erasure::done(system, id).await?;
    tracing::info!(erasure = %id, lines = leaves.len(), "what named a person in evidence was erased on request");
    app.wake();
    Ok(Outcome::Done)
}

/// The hidden fields of a leaf that name the person: the signature and the origin of what the person did, contact details in lines
/// about the person, and whatever is the person's address or name. Reasons and specs stay: they are the account's.
fn naming(wanted: &Wanted, row: &OpenedRow) -> Vec<String> {
    let who = row.who.as_str().unwrap_or_default();
    let person = wanted.person.to_string();
    let by = who.rsplit(':').next() == Some(&person);
    let by_another = !by && (who.contains(":person:") || who.contains(":token:"));
    let about =
        [&row.before, &row.after].into_iter().any(|part| part.get("person").and_then(Value::as_str) == Some(&person));
    let is_name = |value: &Value| {
        value.as_str().is_some_and(|text| [&wanted.email, &wanted.name].into_iter().flatten().any(|name| text == name))
    };
    let body: Value = serde_json::from_str(&row.body).unwrap_or_default();
    let hidden = leaf::hidden(&body).into_iter().map(|(path, _)| path);
    hidden
        .filter(|path| !row.erased.contains_key(path))
        .filter(|path| match leaf::class(path) {
            Class::Who => by,
            Class::Origin => !by_another,
            Class::Contact => about || row.value(path).is_some_and(is_name),
            Class::Detail => row.value(path).is_some_and(is_name),
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use husorden_evidence::{Leaf, Line};
    use serde_json::json;

    #[test]
    fn what_names_a_person_goes_and_what_is_the_accounts_stays() {
        let person = Uuid::from_u128(7);
        let other = Uuid::from_u128(8);
        let wanted = Wanted {
            person,
            account: None,
            email: Some("bo@ours.example".to_owned()),
            name: Some("Bo Test".to_owned()),
            held: false,
        };
        for (who, before, expected) in [
            // What the person did: the signature and the origin, and not the solution's name and spec.
            (
                format!("account:person:{person}"),
                json!({ "name": "shop", "spec": { "x": 1 }, "network": "192.0.2.0/24" }),
                vec!["before.network", "who"],
            ),
            // What another did about the person: the contact details; the other's signature and origin stay.
            (
                format!("account:person:{other}"),
                json!({ "person": person, "name": "Bo Test", "network": "192.0.2.0/24", "note": "x" }),
                vec!["before.name"],
            ),
            (format!("account:token:{other}"), json!({ "person": person, "ip": "192.0.2.7" }), vec![]),
            // The person's own log-in, by nobody known.
            (
                "account:unknown".to_owned(),
                json!({ "person": person, "network": "192.0.2.0/24" }),
                vec!["before.network"],
            ),
            ("mailbox".to_owned(), json!({ "person": person, "network": "192.0.2.0/24" }), vec!["before.network"]),
            // The name or address, wherever it stands.
            (
                format!("account:person:{other}"),
                json!({ "to": "bo@ours.example", "label": "Bo Test", "name": "shop" }),
                vec!["before.label", "before.to"],
            ),
        ] {
            let line: Line = serde_json::from_value(json!({
                "line": 1, "stage": "whole", "noted": "2026-01-02T03:04:05Z", "begun": "2026-01-02T03:04:05Z", "act": "x", "who": who,
                "before": before, "after": {},
            }))
            .expect("a line");
            let body = Leaf::seal(&line, || [1; 16]).body;
            let row = |erased: Value| -> OpenedRow {
                serde_json::from_value(
                    json!({ "index": 1, "line": 1, "body": body, "salts": {}, "who": who, "before": before,
                    "after": {}, "erased": erased }),
                )
                .expect("a row")
            };
            assert_eq!(naming(&wanted, &row(json!({}))), expected, "{who} {before}");
            let gone: serde_json::Map<String, Value> =
                expected.iter().map(|path| ((*path).to_owned(), json!("x"))).collect();
            assert!(naming(&wanted, &row(json!(gone))).is_empty(), "what is gone is passed by");
        }
    }
}
