//! Tokens: an account makes and revokes its own; staff make any.

use super::{Paging, id, one_more, page};
use crate::answer::Answer;
use crate::app::App;
use crate::caller::{Caller, Trail};
use crate::doors::Narrow;
use crate::fault::Fault;
use crate::form::{Ask, Form};
use crate::store::event::NewEvent;
use crate::store::evidence::{Awaits, NewEvidence};
use crate::store::token::{NewToken, TokenRow};
use crate::{rights, solution, store, token};
use axum::extract::{Path, State};
use husorden_base::{AccountId, Refusal, TargetId, Text, TokenId};
use husorden_wire::api::{self, Capabilities, Capability};
use ipnet::IpNet;
use jiff::Timestamp;
use serde_json::json;
use std::net::IpAddr;

const LABEL_CHARS_MAX: usize = 100;
const CIDRS_MAX: usize = 32;
const SOLUTIONS_MAX: usize = 100;

fn shown(row: TokenRow) -> api::Token {
    api::Token {
        id: row.id.to_string(),
        label: row.label,
        role: row.role,
        account: row.account.map(|account| account.to_string()),
        scope: api::Scope {
            capabilities: row.capabilities,
            kinds: row.narrow.kinds,
            solutions: row.narrow.solutions.iter().map(ToString::to_string).collect(),
            targets: row.narrow.targets.iter().map(ToString::to_string).collect(),
        },
        cidrs: row.cidrs.iter().map(ToString::to_string).collect(),
        used: row.used,
        token: None,
        created: row.created,
        expires: row.expires,
    }
}

pub(crate) async fn list(State(app): State<App>, caller: Caller, Ask(ask): Ask<Paging>) -> Result<Answer, Fault> {
    // Of staff, each sees the tokens that are theirs to make; leave to break the glass is no leave to read what they are for.
    let makes = |needed| !caller.is_staff() || caller.may.has(needed);
    let of = match (makes(Capability::AccountAdminister), makes(Capability::StaffManage)) {
        (true, true) => None,
        (true, false) => Some(token::Role::Account),
        (false, true) => Some(token::Role::Staff),
        (false, false) => return Err(rights::missing(Capability::AccountAdminister, true, caller.credential).into()),
    };
    let mut tx = caller.read(&app).await?;
    let rows = store::token::list(tx.conn(), of, ask.after, one_more(ask.limit)).await?;
    Ok(Answer::ok(page(rows, ask.limit, |row| row.id.to_string(), shown)))
}

fn check(form: &api::TokenCreate) -> Result<(), Refusal> {
    let length = form.label.chars().count();
    if length == 0 || length > LABEL_CHARS_MAX || form.label.chars().any(char::is_control) {
        let text = Text::new(
            format!("Skriv, hvad tokenet er til, med 1 til {LABEL_CHARS_MAX} tegn"),
            format!("Say what the token is for, in 1 to {LABEL_CHARS_MAX} characters"),
        );
        return Err(Refusal::field("/label", text));
    }
    if form.expires.is_some_and(|at| at <= Timestamp::now()) {
        let text = Text::new("Tidspunktet er passeret", "That moment has passed");
        return Err(Refusal::field("/expires", text));
    }
    Ok(())
}

pub(crate) async fn create(
    State(app): State<App>,
    caller: Caller,
    Form(form): Form<api::TokenCreate>,
) -> Result<Answer, Fault> {
    check(&form)?;
    let account = match (caller.account(), form.account.as_deref()) {
        (None, None) => None,
        (_, named) => Some(caller.account_for(&app, named).await?),
    };
    needs(&caller, account)?;
    let capabilities = scoped(&caller, account, form.scope.capabilities)?;
    let narrow = narrowed(&app, &caller, account, &form.scope, capabilities).await?;
    let cidrs = networks(&form.cidrs)?;
    let role = if account.is_some() { token::Role::Account } else { token::Role::Staff };
    let secret = token::generate(role);
    let new = NewToken {
        id: TokenId::new(),
        digest: token::digest(secret.reveal()),
        role: role.word(),
        account,
        label: &form.label,
        capabilities,
        narrow: &narrow,
        cidrs: &cidrs,
        expires: form.expires,
    };
    let mut trail = left(account, "token.create", "token.created", new.id, &form.label);
    trail.evidence(NewEvidence {
        act: "token.rights",
        account,
        solution: None,
        before: json!({ "token": new.id, "capabilities": capabilities, "kinds": narrow.kinds, "solutions": narrow.solutions, "targets": narrow.targets, "cidrs": cidrs, "expires": form.expires }),
        awaits: Awaits::Nothing,
        visible_from: None,
    });
    let made = |row: TokenRow| {
        let kept = shown(row);
        let told = api::Token { token: Some(secret.reveal().to_owned()), ..kept.clone() };
        Answer::created(told).keeping(kept)
    };
    // An account's token is written through its own door, so that row-level security says yes to it too.
    match account {
        Some(account) => {
            let mut tx = caller.tenant(&app, account, None).await?;
            let limit = app.config().limits.tokens_per_account_max;
            let count = store::token::list(tx.conn(), None, None, i64::from(limit)).await?.len();
            if count >= limit as usize {
                return Err(too_many(count, limit).into());
            }
            let row = store::token::insert(tx.conn(), &new).await?;
            trail.finish(&app, &caller, tx, made(row)).await
        }
        None => {
            let mut tx = app.doors().staff().await?;
            let row = store::token::insert(tx.conn(), &new).await?;
            trail.finish_staff(&app, &caller, tx, made(row)).await
        }
    }
}

/// Staff's own tokens are for who manages staff; an account's are for who administers accounts.
fn needs(caller: &Caller, account: Option<AccountId>) -> Result<(), Refusal> {
    let needed = if account.is_some() { Capability::AccountAdminister } else { Capability::StaffManage };
    if caller.is_staff() && !caller.may.has(needed) {
        return Err(rights::missing(needed, true, caller.credential));
    }
    Ok(())
}

/// What of the account the new token is narrowed to. It is then for solutions and nothing else of the account.
async fn narrowed(
    app: &App,
    caller: &Caller,
    account: Option<AccountId>,
    scope: &api::Scope,
    may: Capabilities,
) -> Result<Narrow, Fault> {
    let field = |pointer: String, da: &str, en: &str| Fault::from(Refusal::field(pointer, Text::new(da, en)));
    let mut narrow = Narrow::default();
    for (at, name) in scope.kinds.iter().enumerate() {
        let kind = app.kind(name).ok_or_else(|| {
            field(format!("/scope/kinds/{at}"), "Den slags løsninger findes ikke", "There is no such kind of solution")
        })?;
        narrow.kinds.push(kind.name().to_owned());
    }
    if scope.solutions.len() > SOLUTIONS_MAX {
        return Err(field("/scope/solutions".to_owned(), "Højst 100 løsninger", "At most 100 solutions"));
    }
    for (at, text) in scope.solutions.iter().enumerate() {
        let found = solution::find(app, caller, text).await.ok().filter(|found| Some(found.account) == account);
        let found = found.ok_or_else(|| {
            field(format!("/scope/solutions/{at}"), "Kontoen har ikke den løsning", "The account has no such solution")
        })?;
        narrow.solutions.push(found.id);
    }
    narrow.targets = targets(app, account, scope, may).await?;
    if narrow.is_open() {
        // Who is narrowed makes no one who is not.
        return if caller.narrow.is_open() { Ok(narrow) } else { Ok((*caller.narrow).clone()) };
    }
    let solutions = Capabilities::of(&[
        Capability::Read,
        Capability::SolutionCreate,
        Capability::SolutionChange,
        Capability::SolutionDelete,
    ]);
    let beyond = may.beyond(solutions);
    if account.is_none() || !beyond.is_empty() {
        let (da, en) = (
            "Et token til bestemte slags eller løsninger kan kun read og solution-…, og er en kontos",
            "A token for certain kinds or solutions can only read and solution-…, and is an account's",
        );
        return Err(field("/scope/capabilities".to_owned(), da, en));
    }
    if !narrow.solutions.is_empty() && may.has(Capability::SolutionCreate) {
        let (da, en) = ("Et token til bestemte løsninger opretter ingen", "A token for certain solutions makes none");
        return Err(field("/scope/capabilities".to_owned(), da, en));
    }
    Ok(narrow)
}

/// The backup targets that a token speaks for.
async fn targets(
    app: &App,
    account: Option<AccountId>,
    scope: &api::Scope,
    may: Capabilities,
) -> Result<Vec<TargetId>, Fault> {
    let field = |pointer: String, da: &str, en: &str| Fault::from(Refusal::field(pointer, Text::new(da, en)));
    if scope.targets.is_empty() {
        return Ok(Vec::new());
    }
    if account.is_some() || may != Capabilities::of(&[Capability::TargetKeep]) {
        let (da, en) = (
            "Et token til bestemte backupmål er driftens og kan kun target-keep",
            "A token for certain backup targets is staff's and can only target-keep",
        );
        return Err(field("/scope/capabilities".to_owned(), da, en));
    }
    let mut tx = app.doors().staff().await?;
    let rows = store::target::list(tx.conn()).await?;
    let named = |text: &String| rows.iter().find(|row| row.name == *text || row.id.to_string() == *text);
    let mut found = Vec::new();
    for (at, text) in scope.targets.iter().enumerate() {
        let row = named(text).ok_or_else(|| {
            field(format!("/scope/targets/{at}"), "Det backupmål findes ikke", "There is no such backup target")
        })?;
        if !found.contains(&row.id) {
            found.push(row.id);
        }
    }
    Ok(found)
}

/// Networks or single addresses.
fn networks(texts: &[String]) -> Result<Vec<IpNet>, Refusal> {
    if texts.len() > CIDRS_MAX {
        let text = Text::new(format!("Højst {CIDRS_MAX} net"), format!("At most {CIDRS_MAX} networks"));
        return Err(Refusal::field("/cidrs", text));
    }
    let one = |text: &String| {
        text.parse::<IpNet>().ok().or_else(|| text.parse::<IpAddr>().ok().map(IpNet::from)).map(|net| net.trunc())
    };
    texts
        .iter()
        .enumerate()
        .map(|(at, text)| {
            one(text).ok_or_else(|| {
                let text = Text::new(
                    "Et net som 192.0.2.0/24, eller en adresse",
                    "A network such as 192.0.2.0/24, or an address",
                );
                Refusal::field(format!("/cidrs/{at}"), text)
            })
        })
        .collect()
}

/// What the new token may do: what was asked, if it fits whom the token is for and if who makes it may as much.
fn scoped(caller: &Caller, account: Option<AccountId>, asked: Capabilities) -> Result<Capabilities, Refusal> {
    let staffs = account.is_none();
    let asked = match (asked.is_empty(), staffs) {
        (false, _) => asked,
        (true, true) => Capabilities::of(&[Capability::StaffRead]),
        (true, false) => Capabilities::of(&[Capability::Read]),
    };
    let whole = if staffs { Capabilities::of_staff() } else { Capabilities::of_account() };
    // Staff who may make tokens for accounts give them any capability of an account, none of which is staff's own.
    let giver = if caller.is_staff() && !staffs { whole } else { caller.may };
    let beyond = asked.beyond(whole).and(asked.beyond(giver));
    if beyond.is_empty() {
        return Ok(asked);
    }
    Err(Refusal::field(
        "/scope/capabilities",
        Text::new(
            format!("Et token kan ikke mere end den, der laver det: {} kan ikke gives", beyond.words()),
            format!("A token can do no more than whoever makes it: {} cannot be given", beyond.words()),
        ),
    ))
}

pub(crate) async fn revoke(State(app): State<App>, caller: Caller, Path(text): Path<String>) -> Result<Answer, Fault> {
    let id = id(&text)?;
    match caller.account() {
        Some(account) => {
            let mut tx = app.doors().tenant(account).await?;
            let row = store::token::revoke(tx.conn(), id).await?.ok_or_else(|| Refusal::not_found(&text))?;
            let trail = left(Some(account), "token.revoke", "token.revoked", row.id, &row.label);
            trail.finish(&app, &caller, tx, Answer::empty()).await
        }
        None => {
            let mut tx = app.doors().staff().await?;
            let row = store::token::revoke(tx.conn(), id).await?.ok_or_else(|| Refusal::not_found(&text))?;
            needs(&caller, row.account)?;
            let trail = left(row.account, "token.revoke", "token.revoked", row.id, &row.label);
            trail.finish_staff(&app, &caller, tx, Answer::empty()).await
        }
    }
}

fn left(account: Option<AccountId>, act: &'static str, kind: &'static str, id: TokenId, label: &str) -> Trail {
    let mut trail = Trail::default();
    trail.evidence(NewEvidence {
        act,
        account,
        solution: None,
        before: json!({ "token": id, "label": label }),
        awaits: Awaits::Nothing,
        visible_from: None,
    });
    trail.event(NewEvent { account, solution: None, kind, data: json!({ "name": label }), visible_from: None });
    trail
}

fn too_many(count: usize, limit: u32) -> Refusal {
    Refusal::new(
        "too-many-tokens",
        409,
        Text::new("Der er for mange tokens", "There are too many tokens"),
        Text::new("Tilbagekald et først.", "Revoke one first."),
    )
    .with_limit(format!("{count} tokens"), format!("{limit} tokens"))
}
