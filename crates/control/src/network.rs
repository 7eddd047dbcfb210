//! Private networks: the verbs on them, and what the networks in a server's spec come to. A network of the account is found by name or id; its
//! servers' addresses are claimed as domains are, so that each is one server's, through restarts and rebuilds, until it leaves or is buried.

use crate::answer::Answer;
use crate::app::App;
use crate::caller::{Caller, Trail};
use crate::doors::TenantTx;
use crate::fault::Fault;
use crate::form::check_name;
use crate::store;
use crate::store::event::NewEvent;
use crate::store::evidence::{Awaits, NewEvidence};
use crate::store::network::{NetworkRow, TakenRow};
use husorden_base::{AccountId, FieldError, NetworkId, Refusal, SolutionId, Text};
use husorden_kinds::network::{self, Join};
use husorden_wire::api;
use ipnet::Ipv6Net;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::net::{Ipv4Addr, Ipv6Addr};
use uuid::Uuid;

/// Servers in one network.
const MEMBERS_MAX: usize = 100;

pub(crate) fn shown(row: NetworkRow) -> api::Network {
    let member = |member: store::network::MemberRow| api::NetworkMember {
        solution: member.solution.to_string(),
        name: member.name,
        address: member.address.to_string(),
        address6: network::address6(row.prefix, member.address).to_string(),
        deleted: member.deleted,
    };
    api::Network {
        id: row.id.to_string(),
        account: row.account.to_string(),
        name: row.name,
        range: row.range.to_string(),
        prefix: row.prefix.to_string(),
        gateway: network::gateway(row.range).to_string(),
        members: row.members.into_iter().map(member).collect(),
        created: row.created,
    }
}

/// The one network a caller means, by id or by name.
async fn find(app: &App, caller: &Caller, text: &str) -> Result<NetworkRow, Fault> {
    let mut tx = caller.read(app).await?;
    let mut found = store::network::find(tx.conn(), text).await?;
    match (found.pop(), found.pop()) {
        (Some(one), None) => Ok(one),
        (None, _) => Err(Refusal::not_found(text).into()),
        (Some(_), Some(_)) => Err(Refusal::new(
            "ambiguous",
            409,
            Text::new("Flere konti har et netværk med det navn", "Several accounts have a network with that name"),
            Text::new("Brug netværkets id.", "Use the network's id."),
        )
        .into()),
    }
}

/// Shows a network with its servers.
pub(crate) async fn get(app: &App, caller: &Caller, text: &str) -> Result<Answer, Fault> {
    let found = find(app, caller, text).await?;
    let mut tx = caller.read(app).await?;
    let rows = store::network::list(tx.conn(), Some(found.account), None, i64::MAX).await?;
    let row = rows.into_iter().find(|row| row.id == found.id).ok_or_else(|| Refusal::not_found(text))?;
    Ok(Answer::ok(shown(row)))
}

/// Makes a network.
pub(crate) async fn create(app: &App, caller: &Caller, form: api::NetworkCreate) -> Result<Answer, Fault> {
    let range = network::parse_range(&form.range);
    let wrong: Vec<FieldError> = [
        check_name(&form.name).err(),
        range.as_ref().err().map(|detail| FieldError { pointer: "/range".to_owned(), detail: detail.clone() }),
    ]
    .into_iter()
    .flatten()
    .collect();
    let Ok(range) = range.map_err(drop) else { return Err(Refusal::fields(wrong).into()) };
    if !wrong.is_empty() {
        return Err(Refusal::fields(wrong).into());
    }
    let account = caller.account_for(app, form.account.as_deref()).await?;
    let mut tx = caller.tenant(app, account, None).await?;
    let count_max = app.config().limits.networks_per_account_max;
    let count = store::network::count_to_create(tx.conn(), account).await?;
    if count >= i64::from(count_max) {
        return Err(too_many(count, count_max).into());
    }
    let id = NetworkId::new();
    let row = store::network::insert(tx.conn(), id, account, &form.name, (range, fresh_prefix())).await?;
    let details = json!({ "network": id, "name": row.name, "range": row.range, "prefix": row.prefix });
    let answer = Answer::created(shown(row)).at(format!("/v1/networks/{id}"));
    let trail = left(account, ("network.create", "network.created"), &form.name, details);
    trail.finish(app, caller, tx, answer).await
}

/// Gives a network another name.
pub(crate) async fn change(app: &App, caller: &Caller, text: &str, form: api::NetworkChange) -> Result<Answer, Fault> {
    let found = find(app, caller, text).await?;
    check_name(&form.name).map_err(|wrong| Refusal::fields(vec![wrong]))?;
    let mut tx = caller.tenant(app, found.account, None).await?;
    let mut row = locked(&mut tx, found.id, text).await?;
    let details = json!({ "network": row.id, "name": form.name, "before": row.name });
    store::network::rename(tx.conn(), row.id, &form.name).await?;
    row.name.clone_from(&form.name);
    let trail = left(row.account, ("network.rename", "network.changed"), &form.name, details);
    trail.finish(app, caller, tx, Answer::ok(shown(row))).await
}

/// Deletes a network that nobody is in.
pub(crate) async fn delete(app: &App, caller: &Caller, text: &str) -> Result<Answer, Fault> {
    let found = find(app, caller, text).await?;
    let mut tx = caller.tenant(app, found.account, None).await?;
    let row = locked(&mut tx, found.id, text).await?;
    let taken = store::network::taken(tx.conn(), row.id).await?;
    if !taken.is_empty() {
        return Err(has_servers(&taken).into());
    }
    store::network::delete(tx.conn(), row.id).await?;
    let details = json!({ "network": row.id, "name": row.name, "range": row.range });
    let trail = left(row.account, ("network.delete", "network.deleted"), &row.name, details);
    trail.finish(app, caller, tx, Answer::empty()).await
}

async fn locked(tx: &mut TenantTx, id: NetworkId, text: &str) -> Result<NetworkRow, Fault> {
    Ok(store::network::lock(tx.conn(), id).await?.ok_or_else(|| Refusal::not_found(text))?)
}

/// The line of evidence and the event of a change.
fn left(account: AccountId, (act, kind): (&'static str, &'static str), name: &str, details: Value) -> Trail {
    let mut trail = Trail::default();
    trail.evidence(NewEvidence {
        act,
        account: Some(account),
        solution: None,
        before: details,
        awaits: Awaits::Nothing,
        visible_from: None,
    });
    let data = json!({ "name": name });
    trail.event(NewEvent { account: Some(account), solution: None, kind, data, visible_from: None });
    trail
}

/// A prefix of unique local addresses that nobody else has (RFC 4193).
fn fresh_prefix() -> Ipv6Net {
    // The bytes of a random id that its form does not fix.
    let random = Uuid::new_v4().into_bytes();
    let mut bytes = [0; 16];
    bytes[0] = 0xfd;
    bytes[1..8].copy_from_slice(&random[9..]);
    Ipv6Net::new_assert(Ipv6Addr::from(bytes), network::PREFIX6)
}

/// Somebody names networks by their names: the spec keeps ids.
pub(crate) async fn named(tx: &mut TenantTx, form: &mut Value) -> Result<(), Fault> {
    let Some(items) = form.get_mut("networks").and_then(Value::as_array_mut) else { return Ok(()) };
    for (index, item) in items.iter_mut().enumerate().take(network::NETWORKS_MAX) {
        let place = if item.is_object() { &mut item["network"] } else { item };
        let Some(name) = place.as_str().map(str::trim).filter(|name| name.parse::<Uuid>().is_err()) else { continue };
        let found = store::network::find(tx.conn(), name).await?.pop().ok_or_else(|| missing(index, name))?;
        *place = json!(found.id);
    }
    Ok(())
}

/// What a copy is in: the networks of the other that are still there, with addresses of its own.
pub(crate) async fn inherited(tx: &mut TenantTx, spec: &mut Value) -> Result<(), Fault> {
    let mut kept = Vec::new();
    for join in network::of(spec) {
        if store::network::lock(tx.conn(), join.network).await?.is_some() {
            kept.push(Join { address: None, ..join });
        }
    }
    if spec.get("networks").is_some() {
        spec["networks"] = json!(kept);
    }
    Ok(())
}

/// Judges the networks that a spec names, and gives the solution an address where it has none.
pub(crate) async fn settle(
    caller: &Caller,
    tx: &mut TenantTx,
    (solution, node): (SolutionId, &str),
    before: Option<&Value>,
    spec: &mut Value,
) -> Result<(), Fault> {
    let mut joins = network::of(spec);
    let was = before.map(network::of).unwrap_or_default();
    if joins == was {
        return Ok(());
    }
    if caller.is_staff() {
        // It opens the account's other servers to this one: a grant on this one alone is none for that.
        let account = tx.account();
        let found = store::grant::usable(tx.conn(), account, None, caller.holder()).await?;
        found.ok_or_else(crate::grant::needed)?;
    }
    // In the order of their ids, so that two servers that join the same wait for each other in one direction only.
    let mut rows = BTreeMap::new();
    for (network, index) in joins.iter().zip(0..).map(|(join, index)| (join.network, index)).collect::<BTreeMap<_, _>>()
    {
        let row = store::network::lock(tx.conn(), network).await?;
        rows.insert(network, row.ok_or_else(|| missing(index, &network.to_string()))?);
    }
    for (index, join) in joins.iter().enumerate() {
        let row = &rows[&join.network];
        let other = joins[..index]
            .iter()
            .map(|join| &rows[&join.network])
            .find(|other| network::overlap(other.range, row.range));
        if let Some(other) = other {
            return Err(overlapping(index, row, other).into());
        }
    }
    for (index, join) in joins.iter_mut().enumerate() {
        let row = &rows[&join.network];
        let taken = store::network::taken(tx.conn(), join.network).await?;
        let others: Vec<&TakenRow> = taken.iter().filter(|taken| taken.solution != solution).collect();
        join.address = Some(place(index, row, *join, &others, node)?);
    }
    spec["networks"] = json!(joins);
    Ok(())
}

/// The address that a solution has in a network.
fn place(index: usize, row: &NetworkRow, join: Join, others: &[&TakenRow], node: &str) -> Result<Ipv4Addr, Refusal> {
    if let Some(other) = others.iter().find(|other| other.node != node) {
        return Err(elsewhere(index, row, other));
    }
    if others.len() >= MEMBERS_MAX {
        return Err(full(index, row));
    }
    let holder = |address: Ipv4Addr| others.iter().find(|other| other.address == address);
    let Some(address) = join.address else {
        return network::addresses(row.range)
            .find(|address| holder(*address).is_none())
            .ok_or_else(|| full(index, row));
    };
    let pointer = format!("/spec/networks/{index}/address");
    if let Some(why) = network::address_wrong(row.range, address) {
        return Err(Refusal::field(pointer, why));
    }
    match holder(address) {
        None => Ok(address),
        Some(other) => Err(Refusal::field(
            pointer,
            Text::new(
                format!("{address} er {}s. En slettet server beholder sin, så længe den kan fortrydes.", other.name),
                format!("{address} is {}'s. A deleted server keeps its own as long as that can be undone.", other.name),
            ),
        )),
    }
}

fn missing(index: usize, what: &str) -> Refusal {
    at(
        index,
        format!("{what:?} findes ikke blandt kontoens private netværk."),
        format!("{what:?} is not among the account's private networks."),
    )
}

fn overlapping(index: usize, row: &NetworkRow, other: &NetworkRow) -> Refusal {
    at(
        index,
        format!(
            "{} ({}) overlapper {} ({}), som serveren også skal være i.",
            row.name, row.range, other.name, other.range
        ),
        format!(
            "{} ({}) overlaps {} ({}), which the server is to be in too.",
            row.name, row.range, other.name, other.range
        ),
    )
}

fn elsewhere(index: usize, row: &NetworkRow, other: &TakenRow) -> Refusal {
    at(
        index,
        format!("{} når kun over én maskine, og {} ligger på en anden end denne server.", row.name, other.name),
        format!("{} reaches over one machine only, and {} lies on another one than this server.", row.name, other.name),
    )
}

fn full(index: usize, row: &NetworkRow) -> Refusal {
    at(
        index,
        format!("{} er fuldt: der er ikke plads til flere servere (højst {MEMBERS_MAX}).", row.name),
        format!("{} is full: there is room for no more servers (at most {MEMBERS_MAX}).", row.name),
    )
}

fn at(index: usize, da: String, en: String) -> Refusal {
    Refusal::field(format!("/spec/networks/{index}"), Text::new(da, en))
}

fn has_servers(taken: &[TakenRow]) -> Refusal {
    let mut names: Vec<&str> = taken.iter().map(|taken| taken.name.as_str()).collect();
    names.dedup();
    let names = names.join(", ");
    Refusal::new(
        "network-in-use",
        409,
        Text::new("Der er servere i netværket", "There are servers in the network"),
        Text::new(
            format!("Tag dem ud først: {names}. En slettet server er i det, så længe den kan fortrydes."),
            format!("Take them out first: {names}. A deleted server is in it as long as that can be undone."),
        ),
    )
}

fn too_many(count: i64, count_max: u32) -> Refusal {
    Refusal::new(
        "too-many-networks",
        409,
        Text::new("Kontoen har så mange netværk, som den må", "The account has as many networks as it may"),
        Text::new("Slet først et, der ikke bruges mere.", "Delete one that is no longer used first."),
    )
    .with_limit(format!("{count} networks"), format!("{count_max} networks"))
}
