//! The evidence log's machinery: lines become leaves of a tree ([`sequence`]), the tree is signed ([`sign`]), what is signed
//! leaves the house ([`target`]), what is kept too long is erased ([`erase`]), and everybody may carry their part away
//! ([`export`]).
//!
//! Any number of controls do this at once: adding to the tree goes under a lock in PostgreSQL, and each control signs with a
//! key of its own what it has seen grow.

pub(crate) mod erase;
pub(crate) mod export;
mod health;
mod sequence;
mod sign;
mod target;

use crate::app::App;
use crate::config;
use crate::doors::Doors;
use crate::store;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{Mutex, watch};

pub(crate) use health::{Health, TargetHealth};
pub use sign::SignError;
pub(crate) use sign::Signer;
pub use target::BadTarget;

/// How long a closing control waits for its last checkpoint to arrive.
const CLOSE_WAIT: Duration = Duration::from_secs(5);
/// While nothing can be signed it is tried again after this long.
const SIGN_AGAIN: Duration = Duration::from_secs(5);

/// What of the log is shared by control's tasks and handlers.
#[derive(Debug, Default)]
pub(crate) struct Log {
    signer: Mutex<Option<Signer>>,
    health: std::sync::Mutex<Health>,
    /// The newest note, for the targets.
    signed: watch::Sender<Option<Arc<str>>>,
}

impl Log {
    /// How it is now.
    pub(crate) fn health(&self) -> Health {
        self.health.lock().unwrap_or_else(std::sync::PoisonError::into_inner).clone()
    }

    fn note(&self, change: impl FnOnce(&mut Health)) {
        change(&mut self.health.lock().unwrap_or_else(std::sync::PoisonError::into_inner));
    }
}

/// Opens the key and what was signed last, before control serves.
pub(crate) async fn open(config: &config::Evidence, doors: &Doors) -> Result<Signer, SignError> {
    let head = store::log::head(doors.system()).await?;
    let signer = Signer::open(&config.folder, &head.origin)?;
    let first = store::log::keep_key(doors.system(), &signer.public().to_string()).await?;
    if !first && !signer.remembers() && head.size > 0 {
        tracing::error!("control has forgotten what it signed last: {} is gone", config.folder.display());
        let detail = serde_json::json!({ "is": "memory-lost", "size": head.size });
        store::log::alarm(doors.system(), "evidence.alarm", &detail).await?;
    }
    Ok(signer)
}

/// Gives the signer to the app and starts the targets; done once, at the start.
pub(crate) async fn begin(app: &App, signer: Signer, tasks: &mut tokio::task::JoinSet<()>) -> Result<(), BadTarget> {
    let config = &app.config().evidence;
    let targets = target::parse(&config.folders, &config.urls)?;
    app.log().note(|health| {
        health.key = signer.public().to_string();
        health.targets = targets.iter().map(|target| TargetHealth::new(target.shown())).collect();
    });
    *app.log().signer.lock().await = Some(signer);
    for (place, target) in targets.into_iter().enumerate() {
        tasks.spawn(target::keep(app.clone(), place, target, app.log().signed.subscribe()));
    }
    tasks.spawn(sequence::work(app.clone()));
    tasks.spawn(work(app.clone()));
    Ok(())
}

/// Signs every minute, for ever.
async fn work(app: App) {
    let every = Duration::from_secs(app.config().evidence.every_s.max(1));
    loop {
        let wait = match sign(&app).await {
            Ok(()) => every,
            // Both are in the log and in the health page already.
            Err(_) => SIGN_AGAIN.min(every),
        };
        tokio::time::sleep(wait).await;
    }
}

/// Puts into the tree what is not in it, checks that the tree has only grown, and signs it.
pub(crate) async fn sign(app: &App) -> Result<(), SignError> {
    let mut held = app.log().signer.lock().await;
    let Some(signer) = held.as_mut() else { return Ok(()) };
    let outcome = async {
        // Before anything is added: what is added to a tree that was cut off would only hide it.
        signer.not_smaller(&store::log::head(app.doors().system()).await?)?;
        sequence::drain(app).await?;
        signer.sign(app.doors().system()).await
    }
    .await;
    match outcome {
        Ok(signed) => {
            let was = app.log().health().refused.is_some();
            app.log().note(|health| {
                health.refused = None;
                health.size = signed.checkpoint.size;
                health.signed = Some(signed.checkpoint.at);
            });
            if was {
                alarm(app, "evidence.well", &serde_json::json!({ "is": "signed-again" })).await;
            }
            if let Some(first) = signed.changed.first() {
                let count = signed.changed.len();
                tracing::error!(line = first.line, why = first.why, count, "a line of evidence is not what was sealed");
                let detail =
                    serde_json::json!({ "is": "changed", "line": first.line, "why": first.why, "count": count });
                alarm(app, "evidence.alarm", &detail).await;
            }
            app.log().signed.send_replace(Some(signed.note.into()));
            Ok(())
        }
        Err(error) => {
            if let SignError::Refused(why) = &error {
                let new = app.log().health().refused.as_deref() != Some(why.as_str());
                app.log().note(|health| health.refused = Some(why.clone()));
                if new {
                    tracing::error!(why, "control does not sign the evidence log");
                    alarm(app, "evidence.alarm", &serde_json::json!({ "is": "refused", "why": why })).await;
                }
            } else {
                tracing::warn!(%error, "the evidence log could not be signed");
            }
            Err(error)
        }
    }
}

/// A line and an event for staff. That it could not be written is in the log; what it is about is there too.
async fn alarm(app: &App, act: &'static str, detail: &serde_json::Value) {
    match store::log::alarm(app.doors().system(), act, detail).await {
        Ok(()) => app.wake(),
        Err(error) => tracing::error!(%error, act, %detail, "an alarm could not be written down"),
    }
}

/// The last checkpoint of a control that closes, and a moment for it to arrive.
pub(crate) async fn close(app: &App) {
    if sign(app).await.is_err() {
        return;
    }
    let signed = app.log().health().signed;
    let arrived = async {
        while app.log().health().targets.iter().any(|target| target.delivered < signed) {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    if tokio::time::timeout(CLOSE_WAIT, arrived).await.is_err() {
        tracing::warn!("the last checkpoint did not arrive everywhere before control closed");
    }
}
