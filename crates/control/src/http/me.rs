//! Who asks, what kinds there are, the API's own description, whose certificates to trust, and whether we are alive.

use crate::answer::Answer;
use crate::app::App;
use crate::caller::{Caller, Who};
use crate::fault::Fault;
use crate::{openapi, store};
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::header;
use husorden_base::{Refusal, Text};
use husorden_kinds::{Aim, own_image, schema};
use husorden_wire::api;
use husorden_wire::node::ImageHealth;
use std::collections::BTreeMap;

pub(crate) async fn me(caller: Caller) -> Answer {
    let (role, account) = match caller.who {
        Who::Staff => ("staff", None),
        Who::Account(account) => ("account", Some(account)),
    };
    Answer::ok(api::Me { role: role.to_owned(), account, capabilities: caller.may })
}

/// The kinds, each with the form of its spec, completed with the images that nodes have and with the account's own: control's own code knows
/// the catalogue's alone.
pub(crate) async fn kinds(State(app): State<App>, caller: Caller) -> Result<Answer, Fault> {
    let images = store::node::images(app.doors().system()).await?;
    let mut images: BTreeMap<String, Text> = images.into_iter().map(|(name, image)| (name, called(&image))).collect();
    if !caller.is_staff() {
        let mut tx = caller.read(&app).await?;
        for image in store::own_image::list(tx.conn()).await?.into_iter().filter(|image| image.aim == Aim::Run) {
            let (name, disk) = (&image.name, image.disk);
            let called = Text::new(format!("{name} (fra {disk})"), format!("{name} (from {disk})"));
            images.insert(own_image::name(image.number).to_string(), called);
        }
    }
    let items: Vec<api::Kind> = app
        .kinds()
        .iter()
        .map(|kind| {
            let mut spec = kind.schema();
            schema::add_known(&mut spec, schema::IMAGES_OF_NODES, &images);
            api::Kind { name: kind.name().to_owned(), title: kind.title(), spec }
        })
        .collect();
    Ok(Answer::ok(api::Page { items, next: None }))
}

/// An image as people choose it: what it needs stands beside its name.
fn called(image: &ImageHealth) -> Text {
    let firmware = image.firmware.as_ref().map(|firmware| format!("{}, ", firmware.to_uppercase())).unwrap_or_default();
    let (title, disk) = (&image.title, image.disk);
    Text::new(format!("{} ({firmware}fra {disk})", title.da), format!("{} ({firmware}from {disk})", title.en))
}

pub(crate) async fn document(State(app): State<App>) -> Response {
    let text = app.document(|| openapi::document(&app)).to_owned();
    ([(header::CONTENT_TYPE, "application/json")], text).into_response()
}

/// The certificate of the installation's own authority, as a file to verify names by.
pub(crate) async fn authority(State(app): State<App>) -> Result<Response, Fault> {
    let path = app.config().authority.as_deref().ok_or_else(|| Refusal::not_found("authority.pem"))?;
    let pem = tokio::fs::read(path).await.map_err(|error| Fault::broken("reading the authority")(error.into()))?;
    let headers = [
        (header::CONTENT_TYPE, "application/x-pem-file"),
        (header::CONTENT_DISPOSITION, "attachment; filename=\"ca.pem\""),
    ];
    Ok((headers, pem).into_response())
}

/// Alive means that the database answers.
pub(crate) async fn health(State(app): State<App>) -> Result<Answer, Fault> {
    sqlx::query("select epoch_now()").execute(app.doors().system()).await?;
    Ok(Answer::ok(serde_json::json!({ "status": "ok" })))
}
