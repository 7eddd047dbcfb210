//! Firewalls: sets of rules of an account that say what is let in at the public addresses of its solutions, read strictly and in one way.
//!
//! Nobody is let in who no rule names. Several sets may hold for one solution; what any of them opens is open. What they come to together is
//! worked out here ([`passages`]) as pieces that do not overlap, which is what the table of the port wall can hold.
//!
//! Nothing here knows which solutions a set holds for: control says so.

use crate::allow::{self, NOTE_CHARS_MAX};
use crate::finding::{Finding, Severity};
use crate::form::Form;
use husorden_base::{FieldError, Text};
use ipnet::IpNet;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::str::FromStr;

#[cfg(test)]
#[path = "firewall_tests.rs"]
mod tests;

/// Rules of one set.
pub const RULES_MAX: usize = 50;
/// Addresses and ranges of one rule.
pub const FROM_MAX: usize = 100;
/// Pieces that all sets of one solution may come to.
pub const PASSAGES_MAX: usize = 2_000;

/// Ports by which machines are managed, and what people call what listens there.
const MANAGEMENT: [(u16, &str); 11] = [
    (22, "SSH"),
    (23, "Telnet"),
    (445, "SMB"),
    (2375, "Docker"),
    (2376, "Docker"),
    (3389, "Remote Desktop"),
    (5900, "VNC"),
    (5985, "WinRM"),
    (5986, "WinRM"),
    (6443, "Kubernetes"),
    (10250, "Kubelet"),
];

/// What a rule lets in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Protocol {
    /// Connections of TCP.
    Tcp,
    /// Packets of UDP.
    Udp,
    /// The echo of ICMP, in IPv4 and IPv6. Errors about what is under way need no rule.
    Icmp,
}

/// Words of the form, in the order they are shown.
pub const PROTOCOLS: [(&str, Protocol); 3] = [("tcp", Protocol::Tcp), ("udp", Protocol::Udp), ("icmp", Protocol::Icmp)];

impl Protocol {
    /// Its word.
    #[must_use]
    pub fn word(self) -> &'static str {
        PROTOCOLS.iter().find(|(_, protocol)| *protocol == self).map_or("", |(word, _)| word)
    }
}

/// A port or a range of ports, written as `443` or `8000-8100`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Ports {
    /// The first.
    pub first: u16,
    /// The last.
    pub last: u16,
}

impl FromStr for Ports {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (first, last) = text.split_once('-').unwrap_or((text, text));
        let port = |text: &str| text.trim().parse::<u16>().ok().filter(|port| *port > 0);
        match (port(first), port(last)) {
            (Some(first), Some(last)) if first <= last => Ok(Self { first, last }),
            _ => Err(format!("{text:?} is no port or range of ports, such as 443 or 8000-8100")),
        }
    }
}

impl TryFrom<String> for Ports {
    type Error = String;
    fn try_from(text: String) -> Result<Self, String> {
        text.parse()
    }
}

impl From<Ports> for String {
    fn from(ports: Ports) -> Self {
        ports.to_string()
    }
}

impl fmt::Display for Ports {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.first == self.last { write!(f, "{}", self.first) } else { write!(f, "{}-{}", self.first, self.last) }
    }
}

/// One rule.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rule {
    /// What it lets in.
    pub protocol: Protocol,
    /// At which ports; none for ICMP, which has none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ports: Option<Ports>,
    /// From where.
    pub from: Vec<IpNet>,
    /// Why, for people.
    #[serde(default)]
    pub note: String,
}

/// A piece of what is let in, that overlaps no other. Of ICMP both ports are 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Passage {
    /// What.
    pub protocol: Protocol,
    /// The first port.
    pub first: u16,
    /// The last.
    pub last: u16,
    /// From where.
    pub net: IpNet,
}

impl Passage {
    /// Whether it lets this in.
    #[must_use]
    pub fn admits(&self, protocol: Protocol, port: u16, from: std::net::IpAddr) -> bool {
        self.protocol == protocol && (self.first..=self.last).contains(&port) && self.net.contains(&from)
    }
}

/// Reads the list of rules of a form, which lies at `/rules`.
///
/// # Errors
/// Everything that is wrong, with the place of it.
pub fn read(value: &Value) -> Result<Vec<Rule>, Vec<FieldError>> {
    let refused = |detail| vec![FieldError { pointer: "/rules".to_owned(), detail }];
    let Some(items) = value.as_array() else {
        return Err(refused(Text::new("Her ventes en liste af regler.", "A list of rules is expected here.")));
    };
    if items.len() > RULES_MAX {
        return Err(refused(Text::new(format!("Højst {RULES_MAX} regler."), format!("At most {RULES_MAX} rules."))));
    }
    let (mut rules, mut wrong) = (Vec::new(), Vec::new());
    for (index, item) in items.iter().enumerate() {
        let (rule, found) = rule(item, &format!("/rules/{index}"));
        rules.extend(rule.filter(|_| found.is_empty()));
        wrong.extend(found);
    }
    if wrong.is_empty() { Ok(rules) } else { Err(wrong) }
}

fn rule(item: &Value, at: &str) -> (Option<Rule>, Vec<FieldError>) {
    let mut form = Form::new(item, at);
    if !item.is_object() {
        return (None, form.finish());
    }
    if item["protocol"].is_null() {
        form.refuse(
            "/protocol",
            "En protokol skal nævnes: tcp, udp eller icmp.",
            "A protocol is needed: tcp, udp or icmp.",
        );
    }
    let protocol = form.choice("protocol", &PROTOCOLS, Protocol::Tcp);
    let said = form.text("ports").map(str::trim).filter(|text| !text.is_empty());
    let ports = match (protocol, said) {
        (Protocol::Icmp, None) => None,
        (Protocol::Icmp, Some(_)) => {
            form.refuse("/ports", "ICMP har ingen porte.", "ICMP has no ports.");
            None
        }
        (Protocol::Tcp | Protocol::Udp, said) => {
            let ports = said.and_then(|text| text.parse::<Ports>().ok());
            if ports.is_none() {
                form.refuse(
                    "/ports",
                    "Her ventes en port såsom 443 eller et område såsom 8000-8100.",
                    "A port such as 443 or a range such as 8000-8100 is expected here.",
                );
            }
            ports
        }
    };
    let from = from(&mut form);
    let note = form.text("note").unwrap_or_default().trim().to_owned();
    if note.chars().count() > NOTE_CHARS_MAX || note.chars().any(char::is_control) {
        form.refuse(
            "/note",
            format!("En note er én linje med højst {NOTE_CHARS_MAX} tegn."),
            format!("A note is one line of at most {NOTE_CHARS_MAX} characters."),
        );
    }
    (Some(Rule { protocol, ports, from, note }), form.finish())
}

fn from(form: &mut Form<'_>) -> Vec<IpNet> {
    let items = form.get("from").and_then(Value::as_array).filter(|items| (1..=FROM_MAX).contains(&items.len()));
    let Some(items) = items else {
        form.refuse(
            "/from",
            format!("Her ventes 1 til {FROM_MAX} adresser eller områder; 0.0.0.0/0 og ::/0 er alle."),
            format!("1 to {FROM_MAX} addresses or ranges are expected here; 0.0.0.0/0 and ::/0 are everybody."),
        );
        return Vec::new();
    };
    let mut nets: Vec<IpNet> = Vec::new();
    for (index, item) in items.iter().enumerate() {
        match allow::parse_net(item.as_str().unwrap_or_default()) {
            Ok(net) if nets.contains(&net) => {}
            Ok(net) => nets.push(net),
            Err(why) => form.refuse(&format!("/from/{index}"), why.da, why.en),
        }
    }
    nets
}

/// The first and last port of a rule, and from where.
type Range<'a> = (u16, u16, &'a [IpNet]);

/// What rules come to together, in pieces that do not overlap.
#[must_use]
pub fn passages<'a>(rules: impl IntoIterator<Item = &'a Rule>) -> Vec<Passage> {
    let mut by_protocol: BTreeMap<Protocol, Vec<Range<'_>>> = BTreeMap::new();
    for rule in rules {
        let (first, last) = rule.ports.map_or((0, 0), |ports| (ports.first, ports.last));
        by_protocol.entry(rule.protocol).or_default().push((first, last, &rule.from));
    }
    by_protocol.into_iter().flat_map(|(protocol, ranges)| pieces(protocol, &ranges)).collect()
}

/// Ranges of ports are cut where any of them begins or ends; each cut has the sources of all that cover it, and neighbours with the same
/// sources are one again.
fn pieces(protocol: Protocol, ranges: &[Range<'_>]) -> Vec<Passage> {
    let begins = ranges.iter().map(|(first, ..)| u32::from(*first));
    let ends = ranges.iter().map(|(_, last, _)| u32::from(*last) + 1);
    let cuts: Vec<u32> = begins.chain(ends).collect::<BTreeSet<_>>().into_iter().collect();
    let mut joined: Vec<(u32, u32, Vec<IpNet>)> = Vec::new();
    for cut in cuts.windows(2) {
        let covers = ranges.iter().filter(|(first, last, _)| u32::from(*first) <= cut[0] && cut[0] <= u32::from(*last));
        let sources: Vec<IpNet> = covers.flat_map(|(.., from)| from.iter().map(IpNet::trunc)).collect();
        let sources = IpNet::aggregate(&sources);
        match joined.last_mut() {
            Some((_, end, same)) if *end == cut[0] && *same == sources => *end = cut[1],
            _ if sources.is_empty() => {}
            _ => joined.push((cut[0], cut[1], sources)),
        }
    }
    let port = |number: u32| u16::try_from(number).unwrap_or(u16::MAX);
    joined
        .into_iter()
        .flat_map(|(first, end, nets)| {
            nets.into_iter().map(move |net| Passage { protocol, first: port(first), last: port(end - 1), net })
        })
        .collect()
}

/// What an owner should see of the rules that hold for a solution: ports by which machines are managed, open to all.
#[must_use]
pub fn findings(passages: &[Passage]) -> Vec<Finding> {
    let open: Vec<String> = MANAGEMENT
        .iter()
        .filter(|(port, _)| {
            let there =
                passages.iter().filter(|one| one.protocol == Protocol::Tcp && (one.first..=one.last).contains(port));
            allow::reaches_everyone(there.map(|one| one.net))
        })
        .map(|(port, name)| format!("{port} ({name})"))
        .collect();
    if open.is_empty() {
        return Vec::new();
    }
    let open = open.join(", ");
    vec![Finding {
        name: "management-open",
        severity: Severity::Danger,
        title: Text::new(
            format!("Administration er åben for alle: {open}"),
            format!("Management is open to all: {open}"),
        ),
        advice: Text::new(
            "En regel i en firewall slipper enhver på internettet ind dér. Nævn i stedet de adresser, der administrerer.",
            "A rule of a firewall lets anyone on the internet in there. Name the addresses that manage it instead.",
        ),
        until: None,
    }]
}

/// One rule as JSON Schema, for forms.
#[must_use]
pub fn schema() -> Value {
    json!({
        "type": "object",
        "additionalProperties": false,
        "required": ["protocol", "from"],
        "properties": {
            "protocol": {"enum": PROTOCOLS.map(|(word, _)| word)},
            "ports": {"type": "string", "description": "443, or 8000-8100; ICMP has none."},
            "from": {"type": "array", "minItems": 1, "maxItems": FROM_MAX, "items": {"type": "string", "maxLength": 49}},
            "note": {"type": "string", "maxLength": NOTE_CHARS_MAX, "default": ""},
        }
    })
}
