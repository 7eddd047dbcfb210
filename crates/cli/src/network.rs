//! `husorden network`: private networks of an account, and which servers are in them.

use crate::api::{Ask, segment};
use crate::context::Context;
use crate::failure::Failure;
use crate::output::{self, Row};
use crate::solution::{get, send};
use crate::wait;
use husorden_wire::api::{Network, NetworkChange, NetworkCreate, NetworkMember, Solution, SolutionChange};
use serde_json::{Value, json};
use ureq::http::Method;

/// What can be done with private networks.
#[derive(Debug, clap::Subcommand)]
pub enum Verb {
    /// List networks
    #[command(visible_alias = "ls")]
    List,
    /// Make a network
    Create {
        /// Its name: 1 to 63 of a-z, 0-9 and hyphens
        name: String,
        /// Its range, a /16 to a /28 of private addresses; it stays
        #[arg(long, default_value = "10.20.0.0/24")]
        range: String,
        /// For this account (staff)
        #[arg(long)]
        account: Option<String>,
    },
    /// Show a network and the servers in it
    Show {
        /// The network's name or id
        network: String,
    },
    /// Give a network another name
    Rename {
        /// The network's name or id
        network: String,
        /// The new name
        name: String,
    },
    /// Put a server into a network; it is turned off and on
    Join {
        /// The network's name or id
        network: String,
        /// The server's name or id
        server: String,
        /// The address it is to have; left out, the first that is free
        #[arg(long)]
        address: Option<String>,
    },
    /// Take a server out of a network; it is turned off and on
    Leave {
        /// The network's name or id
        network: String,
        /// The server's name or id
        server: String,
    },
    /// Delete a network that no server is in
    Delete {
        /// The network's name or id
        network: String,
    },
}

impl Verb {
    pub(crate) fn run(self, context: &Context) -> Result<(), Failure> {
        match self {
            Self::List => output::list(context.format, &context.api.all::<Network>("/v1/networks")?),
            Self::Create { name, range, account } => {
                let made: Network = context.api.post("/v1/networks", &NetworkCreate { account, name, range })?;
                let text = format!("{}: {} · {}", made.name, made.range, made.prefix);
                output::done(context.format, &made.name, &made, &text)
            }
            Self::Show { network } => show(context, &one(context, &network)?),
            Self::Rename { network, name } => {
                let body = crate::api::to_value(&NetworkChange { name })?;
                let changed: Network = context.api.ask(&Ask::new(Method::PATCH, &path(&network)).with(&body))?;
                let text = format!("{} {}", context.word("hedder nu", "is now called"), changed.name);
                output::done(context.format, &changed.name, &changed, &text)
            }
            Self::Join { network, server, address } => {
                let network = one(context, &network)?;
                let mut joins = others(context, &server, &network)?;
                joins.1.push(json!({ "network": network.id, "address": address }));
                put(context, joins, &network, context.word("er i", "is in"))
            }
            Self::Leave { network, server } => {
                let network = one(context, &network)?;
                let joins = others(context, &server, &network)?;
                put(context, joins, &network, context.word("er ikke længere i", "is no longer in"))
            }
            Self::Delete { network } => {
                let found = one(context, &network)?;
                context.confirm(&format!(
                    "{} {} {}",
                    context.word("Netværket", "The network"),
                    found.name,
                    context.word(
                        "slettes. Et nyt får et andet IPv6-område.",
                        "is deleted. A new one has another IPv6 range."
                    )
                ))?;
                let _: Value = context.api.ask(&Ask::new(Method::DELETE, &path(&found.id)))?;
                let text = format!("{}: {}", found.name, context.word("slettet", "deleted"));
                output::done(context.format, &found.id, &json!({ "id": found.id }), &text)
            }
        }
    }
}

fn path(network: &str) -> String {
    format!("/v1/networks/{}", segment(network))
}

fn one(context: &Context, network: &str) -> Result<Network, Failure> {
    context.api.get(&path(network))
}

fn show(context: &Context, network: &Network) -> Result<(), Failure> {
    if context.format == output::Format::Table {
        let word = |da, en| context.word(da, en);
        output::put(&format!(
            "{}\n  {:<9} {}\n  {:<9} {}\n  {:<9} {}\n",
            network.name,
            "IPv4",
            network.range,
            "IPv6",
            network.prefix,
            word("gateway", "gateway"),
            network.gateway
        ))?;
        return output::list(context.format, &network.members);
    }
    output::one(context.format, &network.name, network)
}

/// A server, and what it is in beside a network.
fn others(context: &Context, server: &str, network: &Network) -> Result<(Solution, Vec<Value>), Failure> {
    let server = get(context, server)?;
    let joins = joins(&server).filter(|join| join["network"] != network.id.as_str()).cloned().collect();
    Ok((server, joins))
}

/// What a server is in, as its spec has it.
fn joins(server: &Solution) -> impl Iterator<Item = &Value> {
    server.spec["networks"].as_array().into_iter().flatten()
}

fn put(
    context: &Context,
    (server, joined): (Solution, Vec<Value>),
    network: &Network,
    said: &str,
) -> Result<(), Failure> {
    let change = SolutionChange { spec: Some(json!({ "networks": joined })), ..SolutionChange::default() };
    let seen = wait::solution(context, send(context, &server, &change)?)?;
    let own = joins(&seen).find(|join| join["network"] == network.id.as_str());
    let address = own.and_then(|join| join["address"].as_str()).map(|address| format!(" · {address}"));
    let text = format!("{} {said} {}{}", seen.name, network.name, address.unwrap_or_default());
    output::done(context.format, &seen.name, &seen, &text)
}

impl Row for Network {
    const COLUMNS: &'static [&'static str] = &["name", "range", "prefix", "members", "created", "id"];

    fn cells(&self) -> Vec<String> {
        vec![
            self.name.clone(),
            self.range.clone(),
            self.prefix.clone(),
            self.members.len().to_string(),
            output::moment(self.created),
            self.id.clone(),
        ]
    }

    fn name(&self) -> String {
        self.name.clone()
    }
}

impl Row for NetworkMember {
    const COLUMNS: &'static [&'static str] = &["name", "address", "address6", "deleted"];

    fn cells(&self) -> Vec<String> {
        let deleted = if self.deleted { "*".to_owned() } else { String::new() };
        vec![self.name.clone(), self.address.clone(), self.address6.clone(), deleted]
    }

    fn name(&self) -> String {
        self.name.clone()
    }
}
