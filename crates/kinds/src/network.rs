//! Private networks: servers of one account speak with each other, apart from everybody else.
//!
//! What a server is in stands in its spec, as `networks`, with the address it has in each. Control gives addresses and sees that nobody else
//! of the network has one; everything else follows from the network and the address, and is said here once for the port wall, the machine
//! and its guest: the names of links, the hardware address, the gateway, and the address in IPv6.
//!
//! A network is routed, and nobody is on anybody's link: a guest sees the whole range on its card, but what it asks for there the port's own
//! namespace answers.

use crate::form::Form;
use crate::schema::field;
use husorden_base::{NetworkId, Text};
use ipnet::{Ipv4Net, Ipv6Net};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use std::fmt;
use std::net::{Ipv4Addr, Ipv6Addr};

/// Networks that one server is in.
pub const NETWORKS_MAX: usize = 4;
/// Longest prefix of a range: room for a gateway and some servers.
pub const PREFIX_MAX: u8 = 28;
/// Shortest prefix of a range.
pub const PREFIX_MIN: u8 = 16;
/// Length of the prefix in IPv6.
pub const PREFIX6: u8 = 64;
/// Longest name or id of a network in a form.
const NAME_CHARS_MAX: usize = 63;

/// The ranges that networks are parts of (RFC 1918).
const PRIVATE: [Ipv4Net; 3] = [
    Ipv4Net::new_assert(Ipv4Addr::new(10, 0, 0, 0), 8),
    Ipv4Net::new_assert(Ipv4Addr::new(172, 16, 0, 0), 12),
    Ipv4Net::new_assert(Ipv4Addr::new(192, 168, 0, 0), 16),
];
/// The range that servers have their other address from.
const OWN: Ipv4Net = Ipv4Net::new_assert(Ipv4Addr::new(100, 64, 0, 0), 10);

/// A small number that an installation gives to one network and never again; the names of links are made from it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "u32", into = "u32")]
pub struct NetworkNumber(u32);

impl NetworkNumber {
    /// The largest number: what fits the second half of a hardware address.
    pub const MAX: u32 = (1 << 24) - 1;

    /// The number, if it is one: 1 to [`Self::MAX`].
    #[must_use]
    pub const fn new(number: u32) -> Option<Self> {
        if number >= 1 && number <= Self::MAX { Some(Self(number)) } else { None }
    }

    /// The number.
    #[must_use]
    pub const fn get(self) -> u32 {
        self.0
    }

    /// The tap of a server that is in it, in the namespace of the server's port.
    #[must_use]
    pub fn tap(self) -> String {
        format!("t{self}")
    }

    /// The link from the namespace of a server's port to that of the network.
    #[must_use]
    pub fn link(self) -> String {
        format!("n{self}")
    }

    /// The hardware address of a server's card in it. Nobody sees it but the server itself, so it need only differ from its others.
    #[must_use]
    pub fn mac(self) -> [u8; 6] {
        let [_, high, middle, low] = self.0.to_be_bytes();
        [0x02, 0x48, 0x77, high, middle, low]
    }

    /// The same as people and machines write it.
    #[must_use]
    pub fn mac_text(self) -> String {
        self.mac().map(|byte| format!("{byte:02x}")).join(":")
    }
}

impl fmt::Display for NetworkNumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl TryFrom<u32> for NetworkNumber {
    type Error = String;
    fn try_from(number: u32) -> Result<Self, String> {
        Self::new(number).ok_or_else(|| format!("{number} is no number of a network"))
    }
}

impl From<NetworkNumber> for u32 {
    fn from(number: NetworkNumber) -> Self {
        number.0
    }
}

/// What a server has in one network, as a node is told and as its port has it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Membership {
    /// The network's number.
    pub number: NetworkNumber,
    /// Its range.
    pub range: Ipv4Net,
    /// Its prefix in IPv6.
    pub prefix: Ipv6Net,
    /// The server's address in it.
    pub address: Ipv4Addr,
}

impl Membership {
    /// The server's address in IPv6.
    #[must_use]
    pub fn address6(&self) -> Ipv6Addr {
        address6(self.prefix, self.address)
    }

    /// Who answers for everybody else of the range: the server's own port.
    #[must_use]
    pub fn gateway(&self) -> Ipv4Addr {
        gateway(self.range)
    }
}

/// The first address of a range, which no server is given.
#[must_use]
pub fn gateway(range: Ipv4Net) -> Ipv4Addr {
    Ipv4Addr::from_bits(range.network().to_bits() + 1)
}

/// The address in IPv6 that goes with one in IPv4: the prefix of the network, and the other address at the end.
#[must_use]
pub fn address6(prefix: Ipv6Net, address: Ipv4Addr) -> Ipv6Addr {
    Ipv6Addr::from_bits(prefix.network().to_bits() | u128::from(address.to_bits()))
}

/// The addresses that servers of a range are given, the lowest first: neither the network's own, the gateway, nor the last.
pub fn addresses(range: Ipv4Net) -> impl Iterator<Item = Ipv4Addr> {
    range.hosts().skip(1)
}

/// Why a server cannot have an address in a range; none when it can.
#[must_use]
pub fn address_wrong(range: Ipv4Net, address: Ipv4Addr) -> Option<Text> {
    let is_host = range.contains(&address) && address != range.network() && address != range.broadcast();
    if !is_host {
        return Some(Text::new(
            format!("Her ventes en adresse i {range}, og hverken den første eller den sidste."),
            format!("An address in {range} is expected here, and neither the first nor the last."),
        ));
    }
    (address == gateway(range)).then(|| {
        Text::new(
            format!("{address} er netværkets egen; serverne får adresserne efter den."),
            format!("{address} is the network's own; servers have the addresses after it."),
        )
    })
}

/// Reads the range of a network.
///
/// # Errors
/// What is wrong with it.
pub fn parse_range(text: &str) -> Result<Ipv4Net, Text> {
    let range: Ipv4Net = text.trim().parse().map_err(|_| {
        Text::new(
            "Her ventes et IPv4-område, såsom 10.20.0.0/24.",
            "An IPv4 range is expected here, such as 10.20.0.0/24.",
        )
    })?;
    let whole = range.trunc();
    if range != whole {
        return Err(Text::new(
            format!("{range} begynder midt i et område: skriv {whole}."),
            format!("{range} begins within a range: write {whole}."),
        ));
    }
    if !(PREFIX_MIN..=PREFIX_MAX).contains(&range.prefix_len()) {
        return Err(Text::new(
            format!("Et område er fra /{PREFIX_MAX} (det mindste) til /{PREFIX_MIN} (det største)."),
            format!("A range is from /{PREFIX_MAX} (the smallest) to /{PREFIX_MIN} (the largest)."),
        ));
    }
    if OWN.contains(&range) {
        return Err(Text::new(
            format!(
                "I {OWN} har serverne deres andre adresser. Vælg et område i 10.0.0.0/8, 172.16.0.0/12 eller 192.168.0.0/16."
            ),
            format!(
                "Servers have their other addresses in {OWN}. Choose a range in 10.0.0.0/8, 172.16.0.0/12 or 192.168.0.0/16."
            ),
        ));
    }
    if !PRIVATE.iter().any(|private| private.contains(&range)) {
        return Err(Text::new(
            "Et privat netværk ligger i 10.0.0.0/8, 172.16.0.0/12 eller 192.168.0.0/16.",
            "A private network lies in 10.0.0.0/8, 172.16.0.0/12 or 192.168.0.0/16.",
        ));
    }
    Ok(range)
}

/// Whether two ranges have an address in common.
#[must_use]
pub fn overlap(one: Ipv4Net, other: Ipv4Net) -> bool {
    one.contains(&other) || other.contains(&one)
}

/// A network that a server is in, as its spec keeps it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Join {
    /// The network.
    pub network: NetworkId,
    /// The server's address in it; control gives one where none was asked for.
    #[serde(default)]
    pub address: Option<Ipv4Addr>,
}

/// The networks that a stored spec names.
#[must_use]
pub fn of(spec: &Value) -> Vec<Join> {
    spec.get("networks").and_then(|joins| Vec::deserialize(joins).ok()).unwrap_or_default()
}

/// Where the addresses of a network's servers are claimed.
pub const SPACE: &str = "network";

/// The name that a server claims for its address, so that nobody else of the network has it.
#[must_use]
pub fn claim(network: NetworkId, address: Ipv4Addr) -> String {
    format!("{network} {address}")
}

/// A spec of earlier in the networks of now: what is brought back is data, and others may have its addresses since.
#[must_use]
pub fn keep(earlier: &Value, now: &Value) -> Value {
    let mut spec = earlier.clone();
    if let (Some(joins), true) = (now.get("networks"), spec.is_object()) {
        spec["networks"] = joins.clone();
    }
    spec
}

/// Whether specs of this schema name networks.
#[must_use]
pub fn stands_in(schema: &Value) -> bool {
    schema["properties"]["networks"].is_object()
}

/// The field as JSON Schema, for a kind's properties. It has a place of its own on people's pages.
#[must_use]
pub fn schema() -> Value {
    let mut networks = field(
        json!({"type": "array", "maxItems": NETWORKS_MAX, "default": [], "items": {"type": ["string", "object"], "maxLength": NAME_CHARS_MAX}}),
        (
            "Private networks",
            "Networks of the account that the server is in, each by name or id, or as an object with `network` and, where one is to be had, `address`. It is kept as ids with the addresses that were given. A change turns the server off and on.",
        ),
        (
            "Private netværk",
            "De netværk på kontoen, serveren er i, hvert ved navn eller id, eller som et objekt med `network` og, hvor en bestemt ønskes, `address`. De gemmes som id med de adresser, der blev givet. En ændring slukker og tænder serveren.",
        ),
    );
    networks["x-place"] = json!("networks");
    networks
}

/// Reads the field of a form, in which every network is named by its id. One that it does not name is as before; a network that the
/// server was in keeps its address where no other is asked for.
pub fn read(form: &mut Form<'_>, before: Option<&Value>) -> Vec<Join> {
    let before = before.map(of).unwrap_or_default();
    let Some(value) = form.get("networks") else {
        return if form.names("networks") { Vec::new() } else { before };
    };
    let Some(items) = value.as_array().filter(|items| items.len() <= NETWORKS_MAX) else {
        form.refuse(
            "/networks",
            format!("Her ventes en liste med højst {NETWORKS_MAX} netværk."),
            format!("A list of at most {NETWORKS_MAX} networks is expected here."),
        );
        return Vec::new();
    };
    let mut joins: Vec<Join> = Vec::new();
    for (index, item) in items.iter().enumerate() {
        let at = format!("/networks/{index}");
        let Some(mut join) = read_join(form, item, &at) else { continue };
        if joins.iter().any(|other| other.network == join.network) {
            form.refuse(&at, "Netværket står her to gange.", "The network stands here twice.");
            continue;
        }
        let was = before.iter().find(|was| was.network == join.network);
        join.address = join.address.or_else(|| was.and_then(|was| was.address));
        joins.push(join);
    }
    joins
}

fn read_join(form: &mut Form<'_>, item: &Value, at: &str) -> Option<Join> {
    if let Some(text) = item.as_str() {
        let network = text.parse();
        if network.is_err() {
            form.refuse(at, "Her ventes et netværk på kontoen.", "A network of the account is expected here.");
        }
        return Some(Join { network: network.ok()?, address: None });
    }
    let mut inner = Form::new(item, at);
    let network = inner.text("network").unwrap_or_default().parse::<NetworkId>();
    if network.is_err() {
        inner.refuse("/network", "Her ventes et netværk på kontoen.", "A network of the account is expected here.");
    }
    let address = inner.text("address").map(str::trim).filter(|text| !text.is_empty()).map(str::parse::<Ipv4Addr>);
    if matches!(address, Some(Err(_))) {
        inner.refuse("/address", "Her ventes en IPv4-adresse.", "An IPv4 address is expected here.");
    }
    form.absorb(inner.finish());
    Some(Join { network: network.ok()?, address: address.and_then(Result::ok) })
}

#[cfg(test)]
#[path = "network_tests.rs"]
mod tests;
