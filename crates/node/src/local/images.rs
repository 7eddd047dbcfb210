//! Verbs for images on this machine: what there is, building one of the catalogue, importing one, and taking that away again.

use super::{failed, refusal};
use crate::Node;
use crate::runtime::ImportAsk;
use husorden_base::{RuntimeName, Text};
use husorden_kinds::{RuntimeSight, kind};
use serde_json::{Value, json};
use std::sync::Arc;

/// How many servers are named where an image is in use.
const NAMED_MAX: usize = 5;

/// What there is of images, and how each stands.
pub(super) fn all(node: &Arc<Node>) -> Vec<Value> {
    let told = node.runtimes.images().into_iter().map(|image| {
        let entry = image.entry;
        let (state, text) = match entry.sight {
            RuntimeSight::Absent => ("absent", String::new()),
            RuntimeSight::Building if image.imported.is_some() => ("importing", String::new()),
            RuntimeSight::Building => ("building", entry.progress.unwrap_or_default()),
            RuntimeSight::Ready => ("ready", String::new()),
            RuntimeSight::Failed { reason } => ("failed", reason),
        };
        let mut told = json!({
            "name": entry.name, "title": entry.title, "system": image.system, "architecture": image.architecture,
            "licence": image.licence, "state": state, "text": text, "build": entry.build, "built_at": entry.built_at,
            "size": entry.size, "seconds": entry.seconds, "packages": entry.packages, "disk": image.disk,
            "firmware": image.firmware,
        });
        if let Some((source, sha256)) = image.imported {
            told["imported"] =
                json!({ "source": source, "sha256": sha256, "progress": image.progress, "refusal": image.refusal });
        }
        told
    });
    told.collect()
}

fn named(node: &Arc<Node>, name: &RuntimeName) -> Option<Value> {
    all(node).into_iter().find(|image| image["name"] == name.as_str())
}

pub(super) fn build(node: &Arc<Node>, name: &RuntimeName, anew: bool) -> Value {
    let images = node.runtimes.images();
    let Some(image) = images.iter().find(|image| image.entry.name == *name) else {
        let known: Vec<String> = images.iter().map(|image| image.entry.name.to_string()).collect();
        let known = known.join(", ");
        return refusal(
            "no-such-image",
            404,
            Text::new(
                format!("Kataloget har intet aftryk med navnet {name}. Der er: {known}."),
                format!("The catalogue has no image named {name}. There are: {known}."),
            ),
        );
    };
    if image.imported.is_some() {
        return refusal(
            "imported",
            409,
            Text::new(
                format!("{name} er importeret og bygges ikke. Fjern det, og importér det igen, for at få et nyere."),
                format!("{name} was imported and is not built. Remove it and import it again to have a newer one."),
            ),
        );
    }
    let asked = if anew { node.runtimes.rebuild(name) } else { node.runtimes.ensure(name) };
    match asked {
        Ok(()) => json!({ "ok": named(node, name) }),
        Err(error) => failed(&crate::causes::causes(&error)),
    }
}

pub(super) fn import(node: &Arc<Node>, ask: ImportAsk) -> Value {
    let name = match node.runtimes.import(ask) {
        Ok(name) => name,
        Err(refusal) => return json!({ "refusal": refusal }),
    };
    let told = named(node, &name);
    let line = json!({ "image": name, "imported": told.as_ref().map(|told| &told["imported"]) });
    if let Err(error) = node.register.witness("image.import", None, line) {
        tracing::warn!(%error, "no line of evidence of an import");
    }
    json!({ "ok": told })
}

/// Takes an imported image away. A server that names it may have to be made anew from it, so it stays while one does.
pub(super) fn remove(node: &Arc<Node>, name: &RuntimeName) -> Value {
    let mut users: Vec<String> = Vec::new();
    for (solution, ..) in node.register.solutions() {
        let Some(wish) = node.register.wish(solution) else { continue };
        if kind(&wish.kind).and_then(|kind| kind.image(&wish.spec)).as_ref() == Some(name) {
            users.push(wish.name.to_string());
        }
    }
    if !users.is_empty() {
        users.sort();
        let (count, some) = (users.len(), users[..users.len().min(NAMED_MAX)].join(", "));
        return refusal(
            "image-in-use",
            409,
            Text::new(
                format!("{count} servere er lavet af {name} og kan skulle laves om fra det: {some}."),
                format!("{count} servers are made from {name} and may have to be made anew from it: {some}."),
            ),
        );
    }
    if let Err(refusal) = node.runtimes.remove_import(name) {
        return json!({ "refusal": refusal });
    }
    if let Err(error) = node.register.witness("image.remove", None, json!({ "image": name })) {
        tracing::warn!(%error, "no line of evidence of an image that was removed");
    }
    json!({ "ok": { "removed": name } })
}
