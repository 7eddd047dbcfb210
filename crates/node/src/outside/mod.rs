//! Measures as strangers meet them: after one is in force, or lifted, a probe in a network of its own asks the edge for what
//! the measure covers, and control is told what it met.
//!
//! ```text
//!   called ──▶ due ──▶ asked ──▶ met as it should be ──▶ told, a line of evidence
//!               ▲        │
//!               └────────┘ not so, or no answer: told with why, tried again after a pause that doubles
//! ```
//!
//! Nothing waits for it and nothing is decided by it: that the edge has said so is what puts a measure in force.

mod visit;

pub use visit::inside;

use crate::Node;
use crate::ca::Ca;
use crate::network::NodeNet;
use crate::port::link::Links;
use husorden_base::{MeasureId, Text};
use husorden_kinds::{Aim, Probe, kind};
use husorden_rules::Measure;
use husorden_wire::node::{FromNode, MeasureSeen, Outside as What};
use jiff::Timestamp;
use serde_json::json;
use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::net::{IpAddr, SocketAddr};
use std::process::{Command, Stdio};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};
use tracing::{info, warn};
use visit::{Met, Question, Visit};

/// Measures looked for at a time.
const LOOKERS: usize = 2;
/// Pause after the first look that did not see it; doubled with each further one.
const PAUSE: Duration = Duration::from_millis(100);
/// Longest pause.
const PAUSE_MAX: Duration = Duration::from_secs(30);
/// Longest answer of the probe, in bytes.
const ANSWER_BYTES_MAX: u64 = 16 << 20;

/// Who looks from outside.
#[derive(Default)]
pub(crate) struct Outside {
    docket: Mutex<Docket>,
    called: Condvar,
    /// Held while the probe's network is made.
    network: Mutex<()>,
}

#[derive(Default)]
struct Docket {
    /// When each measure is looked for next, and how often it was not seen as it should be.
    due: BTreeMap<MeasureId, (Instant, u32)>,
    /// What was said last of each, to be said again to a control that has just come back.
    said: BTreeMap<MeasureId, MeasureSeen>,
}

impl Outside {
    fn lock(&self) -> MutexGuard<'_, Docket> {
        self.docket.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Has a measure looked for now.
    pub(crate) fn look(&self, id: MeasureId) {
        self.lock().due.insert(id, (Instant::now(), 0));
        self.called.notify_one();
    }

    /// Everything said so far, for a control that has just come back.
    pub(crate) fn said(&self) -> Vec<MeasureSeen> {
        self.lock().said.values().cloned().collect()
    }

    fn next(&self) -> (MeasureId, u32) {
        let mut docket = self.lock();
        loop {
            let now = Instant::now();
            let first =
                docket.due.iter().min_by_key(|(_, (when, _))| *when).map(|(id, (when, tries))| (*id, *when, *tries));
            let pause = match first {
                Some((id, when, tries)) if when <= now => {
                    docket.due.remove(&id);
                    return (id, tries);
                }
                Some((_, when, _)) => when - now,
                None => Duration::from_secs(60),
            };
            docket = self.called.wait_timeout(docket, pause).unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    /// Tries again later, unless it was called for meanwhile.
    fn again(&self, id: MeasureId, tries: u32) {
        let pause = PAUSE.saturating_mul(1 << tries.min(16)).min(PAUSE_MAX);
        self.lock().due.entry(id).or_insert((Instant::now() + pause, tries.saturating_add(1)));
        self.called.notify_one();
    }
}

/// Starts those who look.
///
/// # Errors
/// When a thread can't be made.
pub(crate) fn start(node: &Arc<Node>) -> std::io::Result<()> {
    for number in 0..LOOKERS {
        let node = Arc::clone(node);
        std::thread::Builder::new().name(format!("outside-{number}")).spawn(move || {
            while !node.ending() {
                let (id, tries) = node.outside.next();
                if !node.ending() && !one(&node, id) {
                    node.outside.again(id, tries);
                }
            }
        })?;
    }
    Ok(())
}

/// Takes the probe's network off the machine.
pub(crate) fn close(node: &Node) -> Result<(), crate::port::Error> {
    let _network = node.outside.network.lock().unwrap_or_else(PoisonError::into_inner);
    NodeNet::unmake_probe(&node.config.ground.instance)
}

/// Looks for one measure. False when it is to be looked for again.
fn one(node: &Arc<Node>, id: MeasureId) -> bool {
    let Some(measure) = node.register.measure(id) else { return true };
    let now = Timestamp::now();
    if measure.starts > now {
        // It is carried out when it begins, and looked for then.
        return true;
    }
    let over = !measure.in_force(now);
    let sites = covered(node, &measure, now);
    let (what, status, why) = match met(node, &sites) {
        Ok((status, None)) => (if over { What::Open } else { What::Closed }, status, None),
        Ok((status, Some(why))) => (What::NotSeen, status, Some(why)),
        Err(error) => {
            warn!(measure = %id, error, "the probe could not ask");
            let why = Text::new(
                "Sonden kunne ikke spørge; noden prøver igen",
                "The probe could not ask; the node tries again",
            );
            (What::NotSeen, None, Some(why))
        }
    };
    if node
        .register
        .measure(id)
        .is_none_or(|held| held.revision != measure.revision || held.in_force(Timestamp::now()) == over)
    {
        // It has turned meanwhile, and what was met says nothing of what holds now.
        return false;
    }
    let seen = MeasureSeen {
        measure: id,
        revision: measure.revision,
        what,
        at: Timestamp::now(),
        by: format!("{}/probe", node.config.name),
        status,
        asked: u32::try_from(sites.len()).unwrap_or(u32::MAX),
        why,
    };
    tell(node, &measure, seen);
    what != What::NotSeen
}

fn tell(node: &Arc<Node>, measure: &Measure, seen: MeasureSeen) {
    let before = node.outside.lock().said.insert(measure.id, seen.clone());
    let same = before.is_some_and(|before| MeasureSeen { at: seen.at, ..before } == seen);
    if same {
        return;
    }
    if let Some(why) = &seen.why {
        warn!(measure = %measure.id, why = why.en, "not seen from outside as it should be; tried again");
    } else {
        info!(measure = %measure.id, what = ?seen.what, asked = seen.asked, "seen from outside");
        let detail = json!({ "measure": measure.id, "case": measure.case_number, "what": seen.what, "by": seen.by, "asked": seen.asked, "status": seen.status });
        let solution = match measure.scope {
            husorden_rules::Scope::Solution { id } => Some(id),
            husorden_rules::Scope::Account { .. } => None,
        };
        if let Err(error) = node.register.witness("measure.seen", solution, detail) {
            warn!(%error, "no line of evidence of what was seen from outside");
        }
    }
    node.voice.say(&FromNode::MeasureSeen(Box::new(seen)));
    crate::control::say_evidence(node);
}

/// One solution that is asked for.
struct Site {
    domain: husorden_base::Domain,
    /// Strangers are to meet the closed page.
    closed: bool,
    /// The case number that tells it from a refusal of the site's own.
    needle: String,
}

/// What of a measure strangers can meet: the solutions it covers that are routed at the edge. What goes is served to nobody
/// anyway.
fn covered(node: &Node, measure: &Measure, now: Timestamp) -> Vec<Site> {
    let mut sites = Vec::new();
    for (solution, number, account) in node.register.solutions() {
        let Some(wish) = measure.covers(solution, account).then(|| node.register.wish(solution)).flatten() else {
            continue;
        };
        if wish.aim == Aim::Gone || node.register.route(number).is_none() {
            continue;
        }
        if let Some(Probe::Https { domain }) = kind(&wish.kind).and_then(|kind| kind.probe(&wish.spec)) {
            // Another measure may hold it too, and its number may be the one that is shown.
            let held = node.register.held(solution, account, now);
            let closed = held.is_some();
            let needle = held.map_or_else(|| measure.case_number.clone(), |held| held.case_number);
            sites.push(Site { domain, closed, needle });
        }
    }
    sites
}

/// Asks for all of them; the status of the last, and why it is not as it should be, if so.
fn met(node: &Node, sites: &[Site]) -> Result<(Option<u16>, Option<Text>), String> {
    if sites.is_empty() {
        return Ok((None, None));
    }
    let edge = &node.config.edge;
    let uplink = || addresses(node.config.uplink.interface.as_str());
    let (tls, plain) = (reached(&edge.https, uplink), reached(&edge.http, uplink));
    let visits = sites.iter().map(|site| {
        // A name that the local authority does not certify is asked for without TLS: that it is closed is shown there too.
        let tls_here = Ca::covers(&site.domain) || plain.is_none();
        let at = if tls_here { tls } else { plain }.ok_or("where the edge is reached is not known")?;
        Ok(Visit { at, domain: site.domain.to_string(), tls: tls_here, needle: site.needle.clone() })
    });
    let visits = visits.collect::<Result<Vec<_>, String>>()?;
    let answers = ask(node, visits)?;
    let mut status = None;
    for (site, met) in sites.iter().zip(answers) {
        match met {
            Met::Page { status: code, found } => {
                status = Some(code);
                if (code == 403 && found) != site.closed {
                    return Ok((status, Some(other(site, code))));
                }
            }
            Met::Nothing { why } => return Ok((None, Some(why))),
        }
    }
    Ok((status, None))
}

fn other(site: &Site, code: u16) -> Text {
    let Site { domain, closed, .. } = site;
    if *closed {
        Text::new(
            format!("{domain} svarede {code} og viser ikke sagens nummer"),
            format!("{domain} answered {code} and does not show the case number"),
        )
    } else {
        Text::new(format!("{domain} viser stadig, at siden er lukket"), format!("{domain} still shows the closed page"))
    }
}

/// Where strangers reach the edge: the first address it listens on; one of the uplink's, where it listens on all.
fn reached(listens: &[SocketAddr], uplink: impl Fn() -> Vec<IpAddr>) -> Option<SocketAddr> {
    let first = listens.first()?;
    if !first.ip().is_unspecified() {
        return Some(*first);
    }
    let own = uplink();
    // An edge that listens on all of IPv6 listens on IPv4 too; one on all of IPv4 has nothing else.
    let fits = |address: &&IpAddr| address.is_ipv4() || first.is_ipv6();
    let found = own.iter().find(|address| address.is_ipv4()).or_else(|| own.iter().find(fits))?;
    Some(SocketAddr::new(*found, first.port()))
}

/// The addresses of a link that strangers can use.
fn addresses(interface: &str) -> Vec<IpAddr> {
    let seen = Links::open().and_then(|mut links| match links.find(interface)? {
        Some(link) => links.addresses(link.index),
        None => Ok(Vec::new()),
    });
    let found = seen.unwrap_or_default().into_iter().map(|(address, _)| address);
    found.filter(|address| !matches!(address, IpAddr::V6(six) if six.is_unicast_link_local())).collect()
}

/// Runs the probe once.
fn ask(node: &Node, visits: Vec<Visit>) -> Result<Vec<Met>, String> {
    let said = |doing: &str, error: &dyn std::fmt::Display| format!("{doing}: {error}");
    let network = {
        let _network = node.outside.network.lock().unwrap_or_else(PoisonError::into_inner);
        if node.ending() {
            return Err("the node is ending".to_owned());
        }
        NodeNet::make_probe(&node.config.ground.instance)
            .map_err(|error| format!("making the probe's network: {}", crate::causes::causes(&error)))?
            .namespace
    };
    let authority = node.certificates.authority();
    let question = serde_json::to_vec(&Question { authority, visits }).map_err(|error| said("asking", &error))?;
    let mut child = Command::new("/proc/self/exe")
        .args(["probe", "--network", &network])
        .env_clear()
        .current_dir("/")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .map_err(|error| said("starting the probe", &error))?;
    // It reads everything before it says anything, so neither waits for the other. A child that is gone shows by its exit.
    let asked = child.stdin.take().map_or(Ok(()), |mut stdin| stdin.write_all(&question));
    let mut answer = Vec::new();
    let heard = child.stdout.take().map(|stdout| stdout.take(ANSWER_BYTES_MAX).read_to_end(&mut answer)).transpose();
    let mut words = String::new();
    if let Some(stderr) = child.stderr.take() {
        let _ = stderr.take(4096).read_to_string(&mut words);
    }
    let exit = child.wait().map_err(|error| said("waiting for the probe", &error))?;
    if !exit.success() {
        return Err(format!("the probe ended with {exit}: {}", words.trim()));
    }
    asked.map_err(|error| said("asking the probe", &error))?;
    heard.map_err(|error| said("hearing the probe", &error))?;
    serde_json::from_slice(&answer).map_err(|error| said("reading the probe's answer", &error))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn strangers_use_an_address_that_the_edge_listens_on() {
        let uplink = || vec!["2001:db8::2".parse().expect("one"), "192.0.2.2".parse().expect("another")];
        for (listens, expected) in [
            (&["203.0.113.7:443", "[::]:444"][..], Some("203.0.113.7:443")),
            (&["[::]:443"], Some("192.0.2.2:443")),
            (&["0.0.0.0:8443"], Some("192.0.2.2:8443")),
            (&[], None),
        ] {
            let listens: Vec<SocketAddr> = listens.iter().map(|text| text.parse().expect("an address")).collect();
            let expected = expected.map(|text| text.parse().expect("an address"));
            assert_eq!(reached(&listens, uplink), expected, "{listens:?}");
        }
        let six = || vec!["2001:db8::2".parse().expect("one")];
        assert_eq!(reached(&["[::]:443".parse().expect("all")], six), "[2001:db8::2]:443".parse().ok());
        assert_eq!(reached(&["0.0.0.0:443".parse().expect("all")], six), None, "it does not listen on IPv6");
    }
}
