//! The sweep: everything that stands on the machine is matched with who owns it, both ways. It finds; it never removes, for
//! absent is not gone.

use crate::Node;
use crate::nobody::Nobody;
use husorden_base::Number;
use husorden_kinds::NetworkNumber;
use serde::Serialize;
use std::collections::BTreeSet;

/// Something without its counterpart.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct Odd {
    /// Where it was found.
    pub(crate) wall: &'static str,
    /// Its number on this installation, as a solution or as a network.
    pub(crate) number: u32,
    /// What is odd about it.
    pub(crate) what: &'static str,
}

/// What a sweep found.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub(crate) struct Found {
    /// Solutions that are wished.
    pub(crate) solutions: usize,
    /// Volumes.
    pub(crate) volumes: usize,
    /// Ports with a machine part.
    pub(crate) ports: usize,
    /// Sandboxes that run.
    pub(crate) sandboxes: usize,
    /// What has no counterpart.
    pub(crate) odd: Vec<Odd>,
}

/// Matches volumes, quota groups, namespaces, links, firewall elements, sandboxes and routes with the wishes, both ways.
///
/// # Errors
/// When something could not be seen; what could not be seen is not called absent.
pub(crate) fn find(node: &Node) -> Result<Found, String> {
    let wished: BTreeSet<Number> = node.register.solutions().into_iter().map(|(_, number, _)| number).collect();
    // What lies open for a proof is nobody's, and goes with it.
    let anybodys = |number: &Number| Nobody::of(*number).is_none();
    let volumes: BTreeSet<Number> =
        node.pool.numbers().map_err(|error| text(&error))?.into_iter().filter(anybodys).collect();
    let groups: BTreeSet<Number> =
        node.pool.groups().map_err(|error| text(&error))?.into_iter().filter(anybodys).collect();
    let ports = node.ports.list().map_err(|error| text(&error))?;
    let sandboxes: BTreeSet<Number> = node.sandboxes.occupied().into_iter().filter(anybodys).collect();
    let routes: BTreeSet<Number> = node.register.routes().into_iter().map(|(number, _)| number).collect();
    let mut odd = Vec::new();
    let mut match_up = |wall, what, these: &BTreeSet<Number>, those: &BTreeSet<Number>| {
        odd.extend(these.difference(those).map(|number| Odd { wall, number: number.get(), what }));
    };
    match_up("volume", "a volume that nobody wishes", &volumes, &wished);
    match_up("volume", "a quota group without a volume", &groups, &volumes);
    match_up("volume", "a volume without a quota group", &volumes, &groups);
    match_up("port", "a record that nobody wishes", &ports.records, &wished);
    match_up("port", "a namespace without a record", &ports.namespaces, &ports.records);
    match_up("port", "a link without a namespace", &ports.links, &ports.namespaces);
    match_up("port", "a namespace without a link", &ports.namespaces, &ports.links);
    match_up("port", "firewall elements without a record", &ports.elements, &ports.records);
    let strays = ports.networks.difference(&ports.networks_wished);
    let stray = |network: &NetworkNumber| Odd {
        wall: "port",
        number: network.get(),
        what: "the namespace of a private network that nobody is in",
    };
    let strays: Vec<Odd> = strays.map(stray).collect();
    match_up("sandbox", "a sandbox that nobody wishes", &sandboxes, &wished);
    match_up("sandbox", "a sandbox without a volume", &sandboxes, &volumes);
    match_up("route", "a route that nobody wishes", &routes, &wished);
    odd.extend(strays);
    Ok(Found {
        solutions: wished.len(),
        volumes: volumes.len(),
        ports: ports.namespaces.len(),
        sandboxes: sandboxes.len(),
        odd,
    })
}

fn text(error: &dyn std::error::Error) -> String {
    crate::causes::causes(error)
}
