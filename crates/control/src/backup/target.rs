//! Targets: where backups lie. Staff make, change and retire them. What a target is opened with goes to the vault and is kept nowhere else.

use crate::answer::Answer;
use crate::app::App;
use crate::caller::{Caller, Trail};
use crate::doors::StaffTx;
use crate::fault::Fault;
use crate::form::check_name;
use crate::store;
use crate::store::event::NewEvent;
use crate::store::evidence::{Awaits, NewEvidence};
use crate::store::target::TargetRow;
use crate::vault;
use husorden_base::{FieldError, Refusal, TargetId, Text};
use husorden_wire::api;
use husorden_wire::node::Address;
use serde_json::{Value, json};

/// The slowest that still writes a large backup in a day, in bytes a second.
const BYTES_PER_SECOND_MIN: u64 = 64 << 10;
/// Longest text of a field of an address, in bytes.
const FIELD_BYTES_MAX: usize = 1024;
/// What is the target's own word for a server's key.
const HOST_KEYS: [&str; 5] =
    ["ssh-ed25519", "ecdsa-sha2-nistp256", "ecdsa-sha2-nistp384", "ecdsa-sha2-nistp521", "ssh-rsa"];

/// Lists them.
pub(crate) async fn list(app: &App) -> Result<Answer, Fault> {
    let mut tx = app.doors().staff().await?;
    let rows = store::target::list(tx.conn()).await?;
    Ok(Answer::ok(api::Page { items: rows.into_iter().map(|row| shown(app, row)).collect(), next: None }))
}

fn shown(app: &App, row: TargetRow) -> api::Target {
    api::Target {
        id: row.id.to_string(),
        default: row.state == "open" && row.name == app.config().backup.target,
        with_machine: matches!(row.address, Address::Folder { .. }),
        name: row.name,
        address: row.address,
        bytes_per_second: row.bytes_per_second,
        state: row.state,
        backups: row.backups,
        bytes_sent: row.bytes_sent,
        newest: row.newest,
        heard: row.heard,
        made: row.made,
        retired: row.retired,
    }
}

/// Makes one.
pub(crate) async fn create(app: &App, caller: &Caller, form: api::TargetCreate) -> Result<Answer, Fault> {
    let mut wrong = Vec::new();
    let mut bad = |pointer: &str, da: String, en: String| {
        wrong.push(FieldError { pointer: pointer.to_owned(), detail: Text::new(da, en) });
    };
    name(&form.name, &mut bad);
    pace(form.bytes_per_second, &mut bad);
    let address = address(&form.address, &mut bad);
    let Some(address) = address.filter(|_| wrong.is_empty()) else { return Err(Refusal::fields(wrong).into()) };
    secret(&address, form.secret.is_some())?;
    let id = TargetId::new();
    // Before the row: a target that is there can be opened. What the vault keeps for one that was not made after all is never asked for.
    if let Some(secret) = form.secret {
        vault::keep(app, id, secret).await?;
    }
    let mut tx = app.doors().staff().await?;
    store::target::insert(tx.conn(), id, &form.name, &address, form.bytes_per_second).await?;
    let details =
        json!({ "target": id, "name": form.name, "address": address, "bytes_per_second": form.bytes_per_second });
    end(app, caller, tx, id, ("target.create", "target.created"), details, 201).await
}

/// Changes one.
pub(crate) async fn change(app: &App, caller: &Caller, text: &str, form: api::TargetChange) -> Result<Answer, Fault> {
    let mut tx = app.doors().staff().await?;
    let before = found(&mut tx, text).await?;
    let mut wrong = Vec::new();
    let mut bad = |pointer: &str, da: String, en: String| {
        wrong.push(FieldError { pointer: pointer.to_owned(), detail: Text::new(da, en) });
    };
    if let Some(new) = &form.name {
        name(new, &mut bad);
    }
    let pace_wanted = match form.bytes_per_second {
        None => before.bytes_per_second,
        Some(0) => None,
        Some(bytes) => Some(bytes),
    };
    pace(pace_wanted, &mut bad);
    if !wrong.is_empty() {
        return Err(Refusal::fields(wrong).into());
    }
    if form.secret.is_some() {
        secret(&before.address, true)?;
    }
    let renamed = form.name.as_ref().is_some_and(|new| *new != before.name);
    if renamed && before.name == app.config().backup.target {
        return Err(is_default(&before.name).into());
    }
    if let Some(secret) = form.secret {
        vault::keep(app, before.id, secret).await?;
    }
    let new = form.name.unwrap_or_else(|| before.name.clone());
    store::target::change(tx.conn(), before.id, &new, pace_wanted).await?;
    let details = json!({ "target": before.id, "name": new,
        "from": { "name": before.name, "bytes_per_second": before.bytes_per_second }, "to": { "name": new, "bytes_per_second": pace_wanted } });
    end(app, caller, tx, before.id, ("target.change", "target.changed"), details, 200).await
}

/// Takes one out of use: what lies there is read still, and nothing is added.
pub(crate) async fn retire(app: &App, caller: &Caller, text: &str) -> Result<Answer, Fault> {
    let mut tx = app.doors().staff().await?;
    let before = found(&mut tx, text).await?;
    if before.state == "open" && before.name == app.config().backup.target {
        return Err(is_default(&before.name).into());
    }
    let planned = store::target::planned(tx.conn(), before.id).await?;
    if planned > 0 {
        return Err(Refusal::new(
            "target-in-use",
            409,
            Text::new("Målet er i brug", "The target is in use"),
            Text::new(
                format!("{planned} løsningers planer nævner det. Giv dem et andet mål først."),
                format!("The plans of {planned} solutions name it. Give them another target first."),
            ),
        )
        .into());
    }
    store::target::retire(tx.conn(), before.id).await?;
    let details = json!({ "target": before.id, "name": before.name });
    end(app, caller, tx, before.id, ("target.retire", "target.retired"), details, 200).await
}

async fn found(tx: &mut StaffTx, text: &str) -> Result<TargetRow, Fault> {
    let rows = store::target::list(tx.conn()).await?;
    let wanted = |row: &TargetRow| row.name == text || row.id.to_string() == text;
    Ok(rows.into_iter().find(wanted).ok_or_else(|| Refusal::not_found(text))?)
}

async fn end(
    app: &App,
    caller: &Caller,
    mut tx: StaffTx,
    id: TargetId,
    (act, kind): (&'static str, &'static str),
    details: Value,
    status: u16,
) -> Result<Answer, Fault> {
    let row = found(&mut tx, &id.to_string()).await?;
    let mut trail = Trail::default();
    let data = json!({ "name": row.name, "target": id });
    trail.evidence(NewEvidence {
        act,
        account: None,
        solution: None,
        before: details,
        awaits: Awaits::Nothing,
        visible_from: None,
    });
    trail.event(NewEvent { account: None, solution: None, kind, data, visible_from: None });
    let shown = shown(app, row);
    let answer = if status == 201 { Answer::created(shown) } else { Answer::ok(shown) };
    trail.finish_staff(app, caller, tx, answer).await
}

fn is_default(name: &str) -> Refusal {
    Refusal::new(
        "target-is-default",
        409,
        Text::new("Målet er installationens eget", "The target is the installation's own"),
        Text::new(
            format!("Planer uden mål går til {name}. Nævn et andet under [backup] target i husorden.toml først."),
            format!("Plans without a target go to {name}. Name another under [backup] target in husorden.toml first."),
        ),
    )
}

fn name(text: &str, bad: &mut impl FnMut(&str, String, String)) {
    if let Err(FieldError { pointer, detail }) = check_name(text) {
        bad(&pointer, detail.da, detail.en);
    }
}

fn pace(bytes: Option<u64>, bad: &mut impl FnMut(&str, String, String)) {
    if bytes.is_some_and(|bytes| bytes < BYTES_PER_SECOND_MIN || i64::try_from(bytes).is_err()) {
        bad(
            "/bytes_per_second",
            format!("Fra {BYTES_PER_SECOND_MIN} byte i sekundet, eller uden grænse"),
            format!("From {BYTES_PER_SECOND_MIN} bytes a second, or without a limit"),
        );
    }
}

/// Whether a secret can be kept for a target of this kind.
fn secret(address: &Address, given: bool) -> Result<(), Refusal> {
    match (address, given) {
        (Address::Folder { .. }, true) => {
            let text = Text::new("En mappe åbnes uden hemmelighed", "A folder is opened without a secret");
            Err(Refusal::field("/secret", text))
        }
        (Address::Sftp { .. }, false) => {
            let text = Text::new("Kontoens private nøgle mangler", "The account's private key is missing");
            Err(Refusal::field("/secret", text))
        }
        (Address::S3 { .. }, false) => {
            let text = Text::new("Kontoens hemmelige nøgle mangler", "The account's secret key is missing");
            Err(Refusal::field("/secret", text))
        }
        (Address::Sftp { .. } | Address::Rest { .. } | Address::S3 { .. }, true)
        | (Address::Folder { .. } | Address::Rest { .. }, false) => Ok(()),
    }
}

fn address(form: &Value, bad: &mut impl FnMut(&str, String, String)) -> Option<Address> {
    let address: Address = match serde_json::from_value(form.clone()) {
        Ok(address) => address,
        Err(error) => {
            bad("/address", format!("Adressen kan ikke læses ({error})"), error.to_string());
            return None;
        }
    };
    let mut fine = true;
    let mut wrong = |field: &str, da: &str, en: &str| {
        fine = false;
        bad(&format!("/address/{field}"), da.to_owned(), en.to_owned());
    };
    let plain = |text: &str| {
        !text.is_empty() && text.len() <= FIELD_BYTES_MAX && !text.chars().any(|c| c.is_control() || c.is_whitespace())
    };
    match &address {
        Address::Folder { path } => {
            if !folder(path) || !path.starts_with('/') || path == "/" {
                wrong("path", "En absolut sti uden ..", "An absolute path without ..");
            }
        }
        Address::Sftp { host, port, user, host_key, path } => {
            // Names go to `ssh` as arguments: what begins with a hyphen would be an option.
            let word = |text: &str| {
                plain(text)
                    && text.chars().all(|c| c.is_ascii_alphanumeric() || "._-:".contains(c))
                    && !text.starts_with('-')
            };
            if !word(host) {
                wrong("host", "Et navn eller en adresse", "A name or an address");
            }
            if !word(user) || user.contains(':') {
                wrong("user", "Et brugernavn", "A user's name");
            }
            if *port == 0 {
                wrong("port", "1 til 65535", "1 to 65535");
            }
            let mut words = host_key.split_ascii_whitespace();
            let known = words.next().is_some_and(|kind| HOST_KEYS.contains(&kind));
            let bytes = words.next().is_some_and(|key| {
                key.len() >= 40 && key.chars().all(|c| c.is_ascii_alphanumeric() || "+/=".contains(c))
            });
            if !known
                || !bytes
                || words.count() > 1
                || host_key.len() > FIELD_BYTES_MAX
                || host_key.chars().any(char::is_control)
            {
                wrong(
                    "host_key",
                    "Serverens offentlige nøgle, som ssh-ed25519 AAAA…",
                    "The server's public key, such as ssh-ed25519 AAAA…",
                );
            }
            if !folder(path) {
                wrong("path", "En sti uden ..", "A path without ..");
            }
        }
        Address::Rest { url, user } => {
            if !plain(url) || !server(url) {
                wrong("url", URL.0, URL.1);
            }
            if user.as_deref().is_some_and(|user| !plain(user) || user.contains(':')) {
                wrong("user", "Et brugernavn", "A user's name");
            }
        }
        Address::S3 { url, bucket, region, access_key, path } => {
            if !plain(url) || !server(url) {
                wrong("url", URL.0, URL.1);
            }
            let letters = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit();
            let name = bucket.len() >= 3
                && bucket.len() <= 63
                && bucket.starts_with(letters)
                && bucket.ends_with(letters)
                && bucket.chars().all(|c| letters(c) || ".-".contains(c))
                && !bucket.contains("..");
            if !name {
                wrong(
                    "bucket",
                    "3 til 63 tegn af a-z, 0-9, punktum og bindestreg",
                    "3 to 63 of a-z, 0-9, dots and hyphens",
                );
            }
            let word = |text: &str| plain(text) && text.chars().all(|c| c.is_ascii_alphanumeric() || "._-".contains(c));
            if !word(region) {
                wrong("region", "Et navn som eu-north-1", "A name such as eu-north-1");
            }
            if !word(access_key) {
                wrong("access_key", "Kontoens adgangsnøgle", "The account's access key");
            }
            let key = |path: &str| {
                folder(path)
                    && !path.starts_with('/')
                    && path.chars().all(|c| c.is_ascii_alphanumeric() || "._-/".contains(c))
                    && !path.split('/').any(|part| part.is_empty() || part == ".")
            };
            if path.as_deref().is_some_and(|path| !key(path)) {
                wrong("path", "En mappe som backups/node1", "A folder such as backups/node1");
            }
        }
    }
    fine.then_some(address)
}

/// What is said of a server's address that is none.
const URL: (&str, &str) = (
    "https://…, uden konto, spørgsmål og mærke; http:// kun på denne maskine",
    "https://…, without account, query and fragment; http:// on this machine alone",
);

/// Whether it is the address of a server that a secret may be told.
fn server(url: &str) -> bool {
    let Ok(parsed) = url.parse::<http::Uri>() else { return false };
    let own = matches!(parsed.host(), Some("127.0.0.1" | "[::1]" | "localhost"));
    let safe = parsed.scheme_str() == Some("https") || (parsed.scheme_str() == Some("http") && own);
    let without_user = parsed.authority().is_some_and(|to| !to.as_str().contains('@'));
    parsed.host().is_some() && safe && without_user && !url.contains(['?', '#'])
}

/// A path of another machine, or of this one.
fn folder(path: &str) -> bool {
    !path.is_empty()
        && path.len() <= FIELD_BYTES_MAX
        && !path.starts_with('-')
        && !path.chars().any(char::is_control)
        && !path.split('/').any(|part| part == "..")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_judged_at_the_door() {
        let key = format!("ssh-ed25519 {}", "A".repeat(68));
        let sftp = |field: &str, value: Value| {
            let mut form =
                json!({ "kind": "sftp", "host": "backup.example", "user": "backups", "host_key": key, "path": "srv" });
            form[field] = value;
            form
        };
        let fields = |form: &Value| {
            let mut wrong = Vec::new();
            address(form, &mut |pointer: &str, _, _| wrong.push(pointer.to_owned()));
            wrong
        };
        let s3 = |field: &str, value: Value| {
            let mut form =
                json!({ "kind": "s3", "url": "https://s3.backup.example", "bucket": "backups", "access_key": "NODE1" });
            form[field] = value;
            form
        };
        for (form, expected) in [
            (s3("region", json!("eu-north-1")), ""),
            (s3("path", json!("all/node1")), ""),
            (s3("url", json!("http://127.0.0.1:8000")), ""),
            (s3("url", json!("http://s3.backup.example")), "/address/url"),
            (s3("bucket", json!("Backups")), "/address/bucket"),
            (s3("bucket", json!("../b")), "/address/bucket"),
            (s3("region", json!("a b")), "/address/region"),
            (s3("access_key", json!("")), "/address/access_key"),
            (s3("path", json!("../other")), "/address/path"),
            (s3("path", json!("/top")), "/address/path"),
            (json!({ "kind": "folder", "path": "/srv/backups" }), ""),
            (json!({ "kind": "folder", "path": "srv" }), "/address/path"),
            (json!({ "kind": "folder", "path": "/" }), "/address/path"),
            (json!({ "kind": "folder", "path": "/srv/../etc" }), "/address/path"),
            (json!({ "kind": "folder", "path": "/srv", "more": 1 }), "/address"),
            (json!({ "kind": "tape" }), "/address"),
            (json!(null), "/address"),
            (sftp("port", json!(2222)), ""),
            (sftp("port", json!(0)), "/address/port"),
            (sftp("host", json!("-oProxyCommand=x")), "/address/host"),
            (sftp("user", json!("a b")), "/address/user"),
            (sftp("host_key", json!("ssh-ed25519")), "/address/host_key"),
            (sftp("host_key", json!(format!("{key}\nssh-rsa AAAA"))), "/address/host_key"),
            (sftp("path", json!("../other")), "/address/path"),
            (json!({ "kind": "rest", "url": "https://backup.example/" }), ""),
            (json!({ "kind": "rest", "url": "http://127.0.0.1:8000/", "user": "node1" }), ""),
            (json!({ "kind": "rest", "url": "http://backup.example/" }), "/address/url"),
            (json!({ "kind": "rest", "url": "https://me:secret@backup.example/" }), "/address/url"),
            (json!({ "kind": "rest", "url": "https://backup.example/?x" }), "/address/url"),
            (json!({ "kind": "rest", "url": "https://backup.example/", "user": "a:b" }), "/address/user"),
        ] {
            assert_eq!(fields(&form).join(" "), expected, "{form}");
        }
    }
}
