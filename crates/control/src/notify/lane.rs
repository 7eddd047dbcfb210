//! The lane of what leaves the house: mails and webhooks are claimed, sent and counted apart from the platform's own jobs.
//! What fails comes again, later each time; after three days it is given up, and that is an alarm.

use super::failed::Failed;
use super::texts::{Asked, Places, Template};
use super::{mail, post};
use crate::app::App;
use crate::config::MailWay;
use crate::store;
use crate::store::job::{self, Job};
use futures_util::future::join_all;
use serde_json::Value;
use std::time::Duration;
use uuid::Uuid;

const LEASE_S: i32 = 120;
/// Longest time for one try; shorter than the lease.
const TRY_WAIT: Duration = Duration::from_secs(90);
/// What is under way at once.
const BATCH: i32 = 8;
const IDLE_WAIT: Duration = Duration::from_secs(1);
const RETRY_S_MIN: i32 = 15;
const RETRY_S_MAX: i32 = 3600;
/// After this long nothing is tried any more.
const GIVE_UP_S: i32 = 3 * 24 * 3600;

/// Works for ever.
pub(crate) async fn work(app: App) {
    let worker = Uuid::now_v7();
    loop {
        match round(&app, worker).await {
            Ok(0) => tokio::time::sleep(IDLE_WAIT).await,
            Ok(_) => {}
            Err(error) => {
                tracing::warn!(%error, "mails and webhooks cannot be claimed");
                tokio::time::sleep(IDLE_WAIT * 5).await;
            }
        }
    }
}

async fn round(app: &App, worker: Uuid) -> Result<usize, sqlx::Error> {
    let kinds: &[&str] = match app.config().notify.mail {
        MailWay::Hold => &["webhook"],
        MailWay::Folder { .. } | MailWay::Smtp { .. } => &["mail", "webhook"],
    };
    let jobs = job::claim_outside(app.doors().system(), worker, LEASE_S, BATCH, kinds).await?;
    let ended = join_all(jobs.iter().map(|one| one_job(app, worker, one))).await;
    ended.into_iter().collect::<Result<Vec<()>, _>>()?;
    Ok(jobs.len())
}

async fn one_job(app: &App, worker: Uuid, one: &Job) -> Result<(), sqlx::Error> {
    let outcome = tokio::time::timeout(TRY_WAIT, carry_out(app, one)).await;
    let failed = match outcome {
        Ok(Ok(())) => None,
        Ok(Err(failed)) => Some(failed),
        Err(_) => Some(Failed { text: "it took too long".to_owned(), is_final: false }),
    };
    let system = app.doors().system();
    let Some(failed) = failed else {
        if !job::outside_done(system, one.id, worker).await? {
            tracing::warn!(job = one.id, kind = one.kind, "a job was done after its lease was lost");
        }
        return Ok(());
    };
    let give_up_s = if failed.is_final { 0 } else { GIVE_UP_S };
    let retry_s = retry_s(one);
    let dead = job::outside_failed(system, one.id, worker, &failed.text, retry_s, give_up_s).await?;
    if dead {
        tracing::error!(job = one.id, kind = one.kind, error = failed.text, "a mail or webhook was given up");
        app.wake();
    } else {
        tracing::warn!(
            job = one.id,
            kind = one.kind,
            error = failed.text,
            retry_s,
            "a mail or webhook will be tried again"
        );
    }
    Ok(())
}

/// Twice as long each time, and not for all at the same moment.
fn retry_s(one: &Job) -> i32 {
    let doubled = RETRY_S_MIN.saturating_mul(1 << one.attempts.clamp(1, 12).saturating_sub(1)).min(RETRY_S_MAX);
    let spread = i32::try_from(one.id.rem_euclid(16)).unwrap_or_default();
    doubled + doubled * spread / 64
}

async fn carry_out(app: &App, one: &Job) -> Result<(), Failed> {
    match one.kind.as_str() {
        "mail" => mail(app, one).await,
        "webhook" => super::webhook::deliver(app, one).await,
        other => Err(Failed::for_good(format!("nothing leaves the house as {other:?}"))),
    }
}

async fn mail(app: &App, one: &Job) -> Result<(), Failed> {
    let Some(asked) = asked(app, one).await? else { return Ok(()) };
    let config = &app.config().notify;
    let places = Places { panel: config.panel.clone(), desk: config.desk.clone() };
    let secret = app.mail_secret(&one.subject);
    let letter = mail::letter(&asked, secret.as_ref(), &places);
    post::send(config, &asked.to, letter, one.id)
        .await
        .map_err(|error| Failed { text: error.to_string(), is_final: error.is_final() })
}

/// What a job asks for. One of an event names the event and the reader; none, when the reader is to be told no more.
async fn asked(app: &App, one: &Job) -> Result<Option<Asked>, Failed> {
    let Some(event) = one.subject.get("event").and_then(Value::as_i64) else {
        return serde_json::from_value(one.subject.clone()).map(Some).map_err(Failed::for_good);
    };
    let person = one.subject.get("person").and_then(Value::as_str).map(str::parse).transpose();
    let parcel = store::mail::parcel(app.doors().system(), event, person.map_err(Failed::for_good)?)
        .await
        .map_err(|error| Failed { text: error.to_string(), is_final: false })?;
    Ok(parcel.map(|parcel| Asked {
        to: parcel.to,
        language: parcel.language,
        template: Template::of_event(&parcel.kind),
        data: parcel.data,
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tries_come_later_each_time() {
        let wait = |attempts| retry_s(&Job { id: 0, kind: String::new(), subject: serde_json::Value::Null, attempts });
        assert_eq!([1, 2, 3, 9, 50].map(wait), [15, 30, 60, 3600, 3600]);
        let spread: std::collections::HashSet<i32> = (0..16)
            .map(|id| retry_s(&Job { id, kind: String::new(), subject: serde_json::Value::Null, attempts: 5 }))
            .collect();
        assert!(spread.len() > 10 && spread.iter().all(|wait| (240..=300).contains(wait)), "{spread:?}");
    }
}
