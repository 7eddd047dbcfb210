//! Who may connect: the allow-list that every kind with a port of its own has in its spec, read strictly and in one way.
//!
//! A kind puts [`schema`] among its properties, [`read`] into its reader of forms, keeps `allow` and `open_to_all` in its
//! spec as [`Access`] has them, and gives [`Access::ports`] to its port. Nobody may connect who does not stand on the list.
//! Entries may overlap, for they may end at different times: who stands on any of them may connect. An entry that has ended
//! lets nobody through on the node from that moment; it leaves the spec at the next change.
//!
//! Nothing here reads a clock. What depends on the time is told the time.

use crate::finding::{Finding, Severity};
use crate::form::Form;
use crate::schema::field;
use crate::step::Allow;
use husorden_base::{FieldError, Text};
use ipnet::{IpNet, Ipv4Net};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use std::net::IpAddr;

#[cfg(test)]
#[path = "allow_tests.rs"]
mod tests;

/// Entries of one list.
pub const ENTRIES_MAX: usize = 200;
/// Characters of a note.
pub const NOTE_CHARS_MAX: usize = 200;
/// The shortest IPv4 prefix that is not as good as everyone.
const PREFIX4_MIN: u8 = 8;
/// The shortest IPv6 prefix that is not as good as everyone: the largest range a registry has given to one network.
const PREFIX6_MIN: u8 = 19;

/// One entry of an allow-list.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Entry {
    /// Who.
    pub net: IpNet,
    /// Why, for people.
    #[serde(default)]
    pub note: String,
    /// When it ends by itself; none for one that stays.
    #[serde(default)]
    pub until: Option<Timestamp>,
}

/// Who may connect, as a spec keeps it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Access {
    /// The list.
    pub allow: Vec<Entry>,
    /// The owner has said that the list may be as good as everyone. It is never kept longer than the list is.
    #[serde(default)]
    pub open_to_all: bool,
}

impl Access {
    /// The allow-list of a stored spec; none where its kind has no such list.
    #[must_use]
    pub fn of(spec: &Value) -> Option<Self> {
        spec.get("allow")?;
        Self::deserialize(spec).ok()
    }

    /// What the port wall is told: every entry, for each of these TCP ports of the solution.
    #[must_use]
    pub fn ports(&self, tcp: &[u16]) -> Vec<Allow> {
        let entries =
            |port: u16| self.allow.iter().map(move |entry| Allow { port, net: entry.net, until: entry.until });
        tcp.iter().flat_map(|port| entries(*port)).collect()
    }

    /// Whether this address may connect at this time.
    #[must_use]
    pub fn admits(&self, address: IpAddr, now: Timestamp) -> bool {
        self.allow.iter().any(|entry| entry.lasts(now) && entry.net.contains(&address))
    }
}

impl Entry {
    /// Whether it is in force at this time.
    #[must_use]
    pub fn lasts(&self, now: Timestamp) -> bool {
        self.until.is_none_or(|until| now < until)
    }
}

/// Whether a spec of this schema has an allow-list.
#[must_use]
pub fn stands_in(schema: &Value) -> bool {
    schema["properties"]["allow"].is_object()
}

/// The two fields as JSON Schema, for a kind's properties. They have a place of their own on people's pages.
#[must_use]
pub fn schema() -> [(&'static str, Value); 2] {
    let entry = json!({
        "type": "object",
        "additionalProperties": false,
        "required": ["net"],
        "properties": {
            "net": field(
                json!({"type": "string", "maxLength": 49}),
                ("Address", "An IPv4 or IPv6 address, or a range such as 192.0.2.0/24."),
                ("Adresse", "En IPv4- eller IPv6-adresse, eller et område såsom 192.0.2.0/24."),
            ),
            "note": field(
                json!({"type": "string", "maxLength": NOTE_CHARS_MAX, "default": ""}),
                ("Note", "Who it is, for yourself."),
                ("Note", "Hvem det er, til dig selv."),
            ),
            "until": field(
                json!({"type": ["string", "null"], "format": "date-time"}),
                ("Until", "When it ends by itself. Left out, it stays."),
                ("Indtil", "Hvornår den ophører af sig selv. Udeladt bliver den stående."),
            ),
        }
    });
    let mut allow = field(
        json!({"type": "array", "maxItems": ENTRIES_MAX, "default": [], "items": entry}),
        ("Who may connect", "Addresses that may connect. Everybody else is refused."),
        ("Hvem må forbinde", "Adresser, der må forbinde. Alle andre afvises."),
    );
    let mut open = field(
        json!({"type": "boolean", "default": false}),
        ("Open to all", "Say yes to let the list be as good as everyone."),
        ("Åben for alle", "Sig ja for at lade listen være så godt som alle."),
    );
    for schema in [&mut allow, &mut open] {
        schema["x-place"] = json!("access");
    }
    [("allow", allow), ("open_to_all", open)]
}

/// Reads both fields of a form; one that the form does not name is as it was in the spec before.
pub fn read(form: &mut Form<'_>, before: Option<&Value>) -> Access {
    let before = before.and_then(Access::of).unwrap_or_default();
    let open_to_all = form.flag("open_to_all", !form.names("open_to_all") && before.open_to_all);
    let allow = match form.get("allow") {
        Some(value) => list(form, value),
        None if form.names("allow") => Vec::new(),
        None => before.allow,
    };
    let everyone = reaches_everyone(allow.iter().map(|entry| entry.net));
    if everyone && !open_to_all {
        refuse_everyone(form, &allow);
    }
    // The acknowledgement goes with what it was given for.
    Access { allow, open_to_all: open_to_all && everyone }
}

fn list(form: &mut Form<'_>, value: &Value) -> Vec<Entry> {
    let items = value.as_array().filter(|items| items.len() <= ENTRIES_MAX);
    let Some(items) = items else {
        form.refuse(
            "/allow",
            format!("Her ventes en liste med højst {ENTRIES_MAX} adresser."),
            format!("A list of at most {ENTRIES_MAX} addresses is expected here."),
        );
        return Vec::new();
    };
    let mut entries: Vec<Entry> = Vec::new();
    for (index, item) in items.iter().enumerate() {
        let at = format!("/allow/{index}");
        let (entry, wrong) = read_entry(item, &at);
        form.absorb(wrong);
        let Some(entry) = entry else { continue };
        if entries.iter().any(|before| before.net == entry.net) {
            let net = short(entry.net);
            form.refuse(&format!("{at}/net"), format!("{net} står her to gange."), format!("{net} stands here twice."));
            continue;
        }
        entries.push(entry);
    }
    entries
}

fn read_entry(item: &Value, at: &str) -> (Option<Entry>, Vec<FieldError>) {
    let mut inner = Form::new(item, at);
    let net = match inner.text("net") {
        Some(text) => parse_net(text).map_err(|why| inner.refuse("/net", why.da, why.en)).ok(),
        None => {
            if item.is_object() && item["net"].is_null() {
                inner.refuse("/net", "En adresse skal nævnes.", "An address is needed.");
            }
            None
        }
    };
    let note = inner.text("note").unwrap_or_default().trim().to_owned();
    if note.chars().count() > NOTE_CHARS_MAX || note.chars().any(char::is_control) {
        inner.refuse(
            "/note",
            format!("En note er én linje med højst {NOTE_CHARS_MAX} tegn."),
            format!("A note is one line of at most {NOTE_CHARS_MAX} characters."),
        );
    }
    let until = inner.text("until").and_then(|text| {
        let read = text.trim().parse::<Timestamp>();
        read.map_err(|_| {
            inner.refuse(
                "/until",
                "Her ventes et tidspunkt med tidszone, såsom 2030-01-31T16:00:00Z.",
                "A time with its zone is expected here, such as 2030-01-31T16:00:00Z.",
            );
        })
        .ok()
    });
    let entry = net.map(|net| Entry { net, note, until });
    (entry, inner.finish())
}

fn refuse_everyone(form: &mut Form<'_>, allow: &[Entry]) {
    let mut found = false;
    for (index, entry) in allow.iter().enumerate().filter(|(_, entry)| reaches_everyone([entry.net])) {
        found = true;
        let net = entry.net;
        form.refuse(
            &format!("/allow/{index}/net"),
            format!("{net} er så godt som alle. Er det meningen, så bekræft det med open_to_all."),
            format!("{net} is as good as everyone. If that is meant, acknowledge it with open_to_all."),
        );
    }
    if !found {
        form.refuse(
            "/allow",
            "Områderne er tilsammen så godt som alle. Er det meningen, så bekræft det med open_to_all.",
            "Together these ranges are as good as everyone. If that is meant, acknowledge it with open_to_all.",
        );
    }
}

/// Reads an address or a range. An IPv4 address written as IPv6 (`::ffff:192.0.2.7`) is the IPv4 address.
///
/// # Errors
/// What is wrong with it.
pub fn parse_net(text: &str) -> Result<IpNet, Text> {
    let text = text.trim();
    let address = || text.parse::<IpAddr>().map(IpNet::from);
    let net = text.parse::<IpNet>().or_else(|_| address()).map_err(|_| {
        Text::new(
            "Her ventes en IPv4- eller IPv6-adresse, såsom 203.0.113.7, eller et område, såsom 192.0.2.0/24.",
            "An IPv4 or IPv6 address is expected here, such as 203.0.113.7, or a range, such as 192.0.2.0/24.",
        )
    })?;
    let net = unmapped(net)?;
    let whole = net.trunc();
    if net != whole {
        return Err(Text::new(
            format!(
                "{net} begynder midt i et område: skriv {whole} for hele området eller {} for den ene adresse.",
                net.addr()
            ),
            format!("{net} begins within a range: write {whole} for all of it, or {} for the one address.", net.addr()),
        ));
    }
    let first = net.addr();
    if net.prefix_len() >= PREFIX4_MIN && (first.is_multicast() || first.is_loopback() || first.is_unspecified()) {
        return Err(Text::new(
            format!("Fra {} kommer ingen forbindelser.", short(net)),
            format!("No connection comes from {}.", short(net)),
        ));
    }
    Ok(net)
}

/// The IPv4 range that an IPv6 one stands for, or the range as it is.
fn unmapped(net: IpNet) -> Result<IpNet, Text> {
    let IpNet::V6(six) = net else { return Ok(net) };
    let Some(four) = six.addr().to_ipv4_mapped() else { return Ok(net) };
    six.prefix_len().checked_sub(96).and_then(|prefix| Ipv4Net::new(four, prefix).ok()).map(IpNet::V4).ok_or_else(
        || {
            Text::new(
                "Her står IPv4-adresser skrevet som IPv6: skriv dem som IPv4.",
                "These are IPv4 addresses written as IPv6: write them as IPv4.",
            )
        },
    )
}

/// As people write it: one address without its prefix.
#[must_use]
pub fn short(net: IpNet) -> String {
    if net.prefix_len() == net.max_prefix_len() { net.addr().to_string() } else { net.to_string() }
}

/// Whether these nets together are as good as everyone: more than one IPv4 /8, or more than one IPv6 /19.
#[must_use]
pub fn reaches_everyone(nets: impl IntoIterator<Item = IpNet>) -> bool {
    let nets: Vec<IpNet> = nets.into_iter().collect();
    let (mut four, mut six) = (0_u128, 0_u128);
    for net in IpNet::aggregate(&nets) {
        match net {
            IpNet::V4(net) => four += 1 << (32 - net.prefix_len()),
            // Counted in /64s, so that all of IPv6 is a number too.
            IpNet::V6(net) => six += 1 << (64 - net.prefix_len().min(64)),
        }
    }
    four > 1 << (32 - PREFIX4_MIN) || six > 1 << (64 - PREFIX6_MIN)
}

/// What the time says of a spec that was just read: an entry that has ended already is refused, unless the spec before held
/// it; then it is taken off. The pointers are relative to the spec.
pub fn settle(spec: &mut Value, before: Option<&Value>, now: Timestamp) -> Vec<FieldError> {
    let Some(mut access) = Access::of(spec) else { return Vec::new() };
    let held = before.and_then(Access::of).unwrap_or_default().allow;
    let known = |entry: &Entry| held.iter().any(|held| (held.net, held.until) == (entry.net, entry.until));
    let wrong = access.allow.iter().enumerate().filter(|(_, entry)| !entry.lasts(now) && !known(entry));
    let wrong: Vec<FieldError> = wrong
        .map(|(index, _)| FieldError {
            pointer: format!("/allow/{index}/until"),
            detail: Text::new("Det tidspunkt er passeret.", "That time has passed."),
        })
        .collect();
    let count = access.allow.len();
    access.allow.retain(|entry| entry.lasts(now));
    if access.allow.len() != count {
        access.open_to_all &= reaches_everyone(access.allow.iter().map(|entry| entry.net));
        spec["allow"] = json!(access.allow);
        spec["open_to_all"] = json!(access.open_to_all);
    }
    wrong
}

/// A spec of earlier with the allow-list of now: bringing data back must let nobody in who was taken off since.
#[must_use]
pub fn keep(earlier: &Value, now: &Value) -> Value {
    let mut spec = earlier.clone();
    if let Some(access) = Access::of(now).filter(|_| spec.get("allow").is_some()) {
        spec["allow"] = json!(access.allow);
        spec["open_to_all"] = json!(access.open_to_all);
    }
    spec
}

/// What an owner should see of an allow-list.
#[must_use]
pub fn findings(spec: &Value) -> Vec<Finding> {
    let Some(access) = Access::of(spec) else { return Vec::new() };
    let mut nets: Vec<IpNet> =
        access.allow.iter().filter(|entry| entry.until.is_none()).map(|entry| entry.net).collect();
    let mut ending: Vec<(Timestamp, IpNet)> =
        access.allow.iter().filter_map(|entry| Some((entry.until?, entry.net))).collect();
    ending.sort();
    let mut until = None;
    while !reaches_everyone(nets.iter().copied()) {
        // The one that lasts longest first: open to all is over with the last one it needs.
        let Some((last, net)) = ending.pop() else { return Vec::new() };
        nets.push(net);
        until = Some(last);
    }
    vec![Finding {
        name: "open-to-all",
        severity: Severity::Danger,
        title: Text::new("Åben for alle", "Open to all"),
        advice: Text::new(
            "Enhver på internettet kan forsøge at forbinde. Fjern det brede område fra listen, og tilføj de adresser, der skal have adgang.",
            "Anyone on the internet can try to connect. Take the wide range off the list, and add the addresses that need access.",
        ),
        until,
    }]
}
