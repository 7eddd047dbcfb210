//! The account's own disk images in the spec of a server: found by the name that people use, and judged where the server is to lie.

use crate::app::App;
use crate::doors::TenantTx;
use crate::fault::Fault;
use crate::store;
use crate::store::own_image::OwnImageRow;
use husorden_base::{Refusal, Text};
use husorden_kinds::schema::IMAGES_OF_NODES;
use husorden_kinds::{Aim, Kind, own_image};
use serde_json::{Value, json};

/// Where a server's spec names its image.
const FIELD: &str = "image";

/// Puts the name that servers are made by in the place of an image's own name or id, and gives that image. What the catalogue and the nodes
/// call so goes first.
pub(crate) async fn named(
    app: &App,
    tx: &mut TenantTx,
    kind: &dyn Kind,
    form: &mut Value,
) -> Result<Option<OwnImageRow>, Fault> {
    let schema = &kind.schema()["properties"][FIELD];
    let Some(word) = form.get(FIELD).and_then(Value::as_str).map(|word| word.trim().to_owned()) else {
        return Ok(None);
    };
    if schema["x-more"] != IMAGES_OF_NODES {
        return Ok(None);
    }
    if let Some(number) = word.parse().ok().and_then(|name| own_image::number_of(&name)) {
        return Ok(store::own_image::numbered(tx.conn(), number).await?);
    }
    let known = schema["x-known"].as_array().into_iter().flatten().any(|known| known == &word);
    if known || store::node::images(app.doors().system()).await?.contains_key(&word) {
        return Ok(None);
    }
    let found = store::own_image::find(tx.conn(), &word).await?;
    if let Some(image) = &found {
        form[FIELD] = json!(own_image::name(image.number));
    }
    Ok(found)
}

/// Judges the image of the account's own that a spec names anew: it is there and open, lies on the server's node, and fits its disk.
pub(crate) async fn check(
    tx: &mut TenantTx,
    kind: &dyn Kind,
    node: &str,
    before: Option<&Value>,
    spec: &Value,
) -> Result<(), Fault> {
    let Some(name) = kind.image(spec).filter(own_image::is_reserved) else { return Ok(()) };
    if before.and_then(|before| kind.image(before)).as_ref() == Some(&name) {
        return Ok(());
    }
    let found = match own_image::number_of(&name) {
        Some(number) => store::own_image::numbered(tx.conn(), number).await?,
        None => None,
    };
    let wrong =
        |field: &str, da: String, en: String| Fault::from(Refusal::field(format!("/spec/{field}"), Text::new(da, en)));
    let Some(image) = found.filter(|image| image.aim == Aim::Run) else {
        return Err(wrong(
            FIELD,
            format!("Kontoen har intet diskaftryk, der hedder {name}, og som kan bruges."),
            format!("The account has no disk image called {name} that can be used."),
        ));
    };
    if let Some(held) = store::solution::held_on(tx.conn(), image.id).await? {
        return Err(held.refusal(false).into());
    }
    if image.node != node {
        return Err(wrong(
            FIELD,
            format!("{} ligger på en anden maskine end serveren.", image.name),
            format!("{} lies on another machine than the server.", image.name),
        ));
    }
    if spec["disk"].as_u64().is_some_and(|disk| disk < image.disk.0) {
        return Err(wrong(
            "disk",
            format!("{} skal have mindst {}.", image.name, image.disk),
            format!("{} needs at least {}.", image.name, image.disk),
        ));
    }
    Ok(())
}

/// That a solution of this kind is made of another one, and of which kind that is.
pub(crate) fn begins_at(of: &str) -> Refusal {
    Refusal::field(
        "/from",
        Text::new(
            format!("Her ventes en løsning af slagsen {of}, som det laves af."),
            format!("A solution of the kind {of} that it is made of is expected here."),
        ),
    )
}
