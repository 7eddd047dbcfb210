//! Log-ins of solutions: passwords that are made with one, asked for, or chosen, and shown once.

use crate::answer::Answer;
use crate::app::App;
use crate::caller::{Caller, Trail};
use crate::fault::Fault;
use crate::form::IfMatch;
use crate::store::evidence::{Awaits, NewEvidence};
use crate::store::solution::SolutionRow;
use crate::{order, passphrase, solution, store};
use husorden_base::Refusal;
use husorden_kinds::{Credential, Kind, Login};
use husorden_wire::api;
use jiff::Timestamp;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::collections::btree_map::Entry;

/// A new password for a credential: made at random and shown once, or the one that is asked for.
pub(crate) async fn credential(
    app: &App,
    caller: &Caller,
    text: &str,
    name: &str,
    form: api::CredentialForm,
) -> Result<Answer, Fault> {
    let (mut tx, mut row) = solution::open(app, caller, text, &IfMatch::default()).await?;
    order::refuse_gone(&row)?;
    let login =
        app.kind(&row.kind).and_then(|kind| kind.credentials(&row.spec).into_iter().find(|one| one.name == name));
    let login = login.ok_or_else(|| Refusal::not_found(name))?;
    let (password, hash) = match &form.password {
        None => passphrase::make(login.scheme).await.map(|(password, hash)| (Some(password), hash))?,
        Some(password) => (None, chosen(app, &row, &login, "/password", password).await?),
    };
    renew(&mut row, &login, hash);
    let shown = api::CredentialShown {
        name: login.name,
        username: login.username,
        password: password.map(|password| password.reveal().to_owned()),
    };
    let generation = store::solution::save(tx.conn(), &row, None).await?;
    let mut trail = Trail::default();
    password_changed(&mut trail, &row, name, Awaits::Generation(generation));
    let kept = api::CredentialShown { password: None, ..shown.clone() };
    let answer = Answer::ok(shown).keeping(kept).tagged(generation);
    trail.finish(app, caller, tx, answer).await
}

/// The hash of a password that somebody chose for a login, judged at its field.
pub(crate) async fn chosen(
    app: &App,
    row: &SolutionRow,
    login: &Login,
    pointer: &str,
    password: &str,
) -> Result<String, Fault> {
    passphrase::chosen(app, pointer, password, &[&row.name, &login.username], login.scheme).await
}

/// Puts a new hash in the place of the one there is; a spec that was brought back may name a login that has none.
pub(crate) fn renew(row: &mut SolutionRow, login: &Login, hash: String) {
    let credential = row.credentials.entry(login.name.clone()).or_insert_with(|| Credential {
        username: login.username.clone(),
        hash: String::new(),
        generation: newer(),
    });
    credential.hash = hash;
    credential.generation += 1;
}

/// A generation for a login of which there may have been one before: this one is newer, whatever that was.
fn newer() -> u64 {
    u64::try_from(Timestamp::now().as_second()).unwrap_or(1)
}

/// That a password was changed, as evidence and as an event.
pub(crate) fn password_changed(trail: &mut Trail, row: &SolutionRow, name: &str, awaits: Awaits) {
    trail.evidence(NewEvidence {
        act: "credential.change",
        account: Some(row.account),
        solution: Some(row.id),
        before: json!({ "credential": name }),
        awaits,
        visible_from: None,
    });
    let data = json!({ "name": row.name, "credential": name });
    trail.event(solution::event(row.account, row.id, "credential.changed", data));
}

/// Passwords for the log-ins of a new solution, with what is shown of them once.
pub(crate) async fn credentials(
    wanted: Vec<Login>,
) -> Result<(BTreeMap<String, Credential>, Vec<api::CredentialShown>), Fault> {
    let (mut kept, mut shown) = (BTreeMap::new(), Vec::new());
    for Login { name, username, scheme, .. } in wanted {
        let (password, hash) = passphrase::make(scheme).await?;
        kept.insert(name.clone(), Credential { username: username.clone(), hash, generation: 1 });
        shown.push(api::CredentialShown { name, username, password: Some(password.reveal().to_owned()) });
    }
    Ok((kept, shown))
}

/// The same without the passwords, for whoever asks again.
pub(crate) fn unseen(shown: &[api::CredentialShown]) -> Vec<api::CredentialShown> {
    shown.iter().cloned().map(|one| api::CredentialShown { password: None, ..one }).collect()
}

/// Brings the credentials in line with the spec: the passwords that are shown for it. Any other new user has a password that nobody knows, until
/// one is asked for.
pub(crate) async fn logins(
    row: &mut SolutionRow,
    kind: &'static dyn Kind,
    before: &Value,
) -> Result<Vec<api::CredentialShown>, Fault> {
    let mut shown = Vec::new();
    let (wanted, had) = (kind.credentials(&row.spec), kind.credentials(before));
    row.credentials.retain(|name, _| wanted.iter().any(|login| login.name == *name));
    for Login { name, username, scheme, at_once } in wanted {
        // What begins with this change has a new one, whatever was left of an earlier time; what has begun without one goes on so.
        let begins = !had.iter().any(|login| login.name == name);
        if at_once && begins {
            row.credentials.remove(&name);
        }
        if let Entry::Vacant(place) = row.credentials.entry(name.clone())
            && (begins || !at_once)
        {
            let (password, hash) = passphrase::make(scheme).await?;
            place.insert(Credential { username: username.clone(), hash, generation: newer() });
            if at_once {
                shown.push(api::CredentialShown { name, username, password: Some(password.reveal().to_owned()) });
            }
        }
    }
    Ok(shown)
}
