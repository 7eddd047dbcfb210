//! Targets: where checkpoints go, so that nobody of the house can take them back. A folder on another machine's mount, whose
//! files are only appended to, or a URL that takes a POST.

use super::alarm;
use crate::app::App;
use husorden_evidence::Checkpoint;
use jiff::Timestamp;
use serde_json::json;
use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;

const POST_WAIT: Duration = Duration::from_secs(10);
const RETRY: Duration = Duration::from_secs(2);
const RETRY_MAX: Duration = Duration::from_secs(30);
/// A target that fails for longer than this raises an alarm.
const ALARM_AFTER_S: i64 = 120;

/// A target that can't be one.
#[derive(Debug, thiserror::Error)]
#[error("{0:?} is no target of checkpoints: an http:// or https:// URL without a user name, or an absolute folder")]
pub struct BadTarget(String);

/// Where checkpoints go.
#[derive(Clone, Debug)]
pub(super) enum Target {
    /// A file a day in a folder, appended to.
    Folder(PathBuf),
    /// A POST for each.
    Url(String),
}

/// The configured targets.
pub(super) fn parse(folders: &[PathBuf], urls: &[String]) -> Result<Vec<Target>, BadTarget> {
    let folders = folders.iter().map(|folder| {
        if folder.is_absolute() {
            Ok(Target::Folder(folder.clone()))
        } else {
            Err(BadTarget(folder.display().to_string()))
        }
    });
    let urls = urls.iter().map(|url| {
        let fine = url.parse::<http::Uri>().is_ok_and(|uri| {
            matches!(uri.scheme_str(), Some("http" | "https"))
                && uri.authority().is_some_and(|host| !host.as_str().contains('@'))
        });
        if fine { Ok(Target::Url(url.clone())) } else { Err(BadTarget(url.clone())) }
    });
    folders.chain(urls).collect()
}

impl Target {
    /// Its name for people: of a URL only whose it is, for its path may be a secret.
    pub(super) fn shown(&self) -> String {
        match self {
            Self::Folder(folder) => folder.display().to_string(),
            Self::Url(url) => {
                let uri = url.parse::<http::Uri>().unwrap_or_default();
                format!("{}://{}", uri.scheme_str().unwrap_or("http"), uri.authority().map_or("", |host| host.as_str()))
            }
        }
    }

    fn deliver(&self, note: &str) -> io::Result<()> {
        match self {
            Self::Folder(folder) => append(folder, note),
            Self::Url(url) => post(url, note),
        }
    }
}

/// Appends to the day's file, and returns when it is on the disk.
fn append(folder: &Path, note: &str) -> io::Result<()> {
    let day = Timestamp::now().to_zoned(jiff::tz::TimeZone::UTC).date();
    let path = folder.join(format!("checkpoints-{day}.txt"));
    let mut file = fs::OpenOptions::new().append(true).create(true).open(path)?;
    // One write, so that two controls never mix their notes.
    file.write_all(format!("{note}\n").as_bytes())?;
    file.sync_data()
}

fn post(url: &str, note: &str) -> io::Result<()> {
    let agent: ureq::Agent = ureq::Agent::config_builder()
        .timeout_global(Some(POST_WAIT))
        .max_redirects(0)
        .http_status_as_error(false)
        .build()
        .into();
    let answer = agent.post(url).content_type("text/plain; charset=utf-8").send(note).map_err(io::Error::other)?;
    if answer.status().is_success() {
        Ok(())
    } else {
        Err(io::Error::other(format!("it answered {}", answer.status())))
    }
}

/// Delivers what is signed, the newest first and only: it stands for all before it.
pub(super) async fn keep(app: App, place: usize, target: Target, mut signed: watch::Receiver<Option<Arc<str>>>) {
    let target = Arc::new(target);
    let mut wait = RETRY;
    let mut alarmed = false;
    loop {
        let Some(note) = signed.borrow_and_update().clone() else {
            if signed.changed().await.is_err() {
                return;
            }
            continue;
        };
        let at = Checkpoint::unsigned(&note).map(|checkpoint| checkpoint.at).ok();
        let outcome = tokio::task::spawn_blocking({
            let (target, note) = (Arc::clone(&target), Arc::clone(&note));
            move || target.deliver(&note)
        })
        .await
        .unwrap_or_else(|error| Err(io::Error::other(error)));
        match outcome {
            Ok(()) => {
                app.log().note(|health| {
                    if let Some(health) = health.targets.get_mut(place) {
                        health.delivered = at;
                        health.failing = None;
                    }
                });
                if std::mem::take(&mut alarmed) {
                    let detail = json!({ "is": "target-back", "target": target.shown() });
                    alarm(&app, "evidence.well", &detail).await;
                }
                wait = RETRY;
                if signed.changed().await.is_err() {
                    return;
                }
            }
            Err(error) => {
                let now = Timestamp::now();
                let mut since = now;
                app.log().note(|health| {
                    if let Some(health) = health.targets.get_mut(place) {
                        since = health.failing.as_ref().map_or(now, |(since, _)| *since);
                        health.failing = Some((since, error.to_string()));
                    }
                });
                tracing::warn!(target = target.shown(), %error, "a checkpoint could not be delivered");
                let late = now.as_second() - since.as_second() >= ALARM_AFTER_S;
                if late && !std::mem::replace(&mut alarmed, true) {
                    let detail = json!({ "is": "target-failing", "target": target.shown(), "since": since });
                    alarm(&app, "evidence.alarm", &detail).await;
                }
                tokio::time::sleep(wait).await;
                wait = (wait * 2).min(RETRY_MAX);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn targets_are_judged_at_the_start() {
        for (url, fine) in [
            ("https://log.example/checkpoints?x=1", true),
            ("http://192.0.2.1:8080/", true),
            ("https://user:secret@log.example/", false),
            ("ftp://log.example/", false),
            ("log.example", false),
            ("", false),
        ] {
            assert_eq!(parse(&[], &[url.to_owned()]).is_ok(), fine, "{url}");
        }
        assert!(parse(&[PathBuf::from("relative")], &[]).is_err());
        let shown = Target::Url("https://log.example/a-secret-path".to_owned()).shown();
        assert_eq!(shown, "https://log.example");
    }

    #[test]
    fn a_days_file_is_appended_to() {
        let folder = tempfile::tempdir().expect("a folder");
        for note in ["one\n", "two\n"] {
            append(folder.path(), note).expect("appended");
        }
        let file = fs::read_dir(folder.path()).expect("a folder").next().expect("a file").expect("a file");
        assert_eq!(fs::read_to_string(file.path()).expect("a text"), "one\n\ntwo\n\n");
    }
}
