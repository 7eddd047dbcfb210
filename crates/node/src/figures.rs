//! Figures of what runs, read once a minute and said to control. Nothing is woken for it, and nothing is kept awake by it; a line that
//! is lost is not said again.

use crate::Node;
use crate::sandbox::Command;
use husorden_base::{Number, SolutionId};
use husorden_kinds::{figure, kind};
use husorden_wire::node::{FromNode, SAMPLES_MAX, Sample, Wish};
use jiff::Timestamp;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tracing::debug;

/// Longest time that a service may take to answer.
const LIMIT: Duration = Duration::from_secs(8);
/// Most that it may say.
const SAID_BYTES_MAX: usize = 8 << 10;
/// Microseconds of a processor's time that are one percent of a second.
const CPU_PERCENT_US: f64 = 10_000.0;

/// Numbers as they were read, and when.
type Readings = BTreeMap<SolutionId, (Instant, BTreeMap<String, f64>)>;

/// Starts it.
///
/// # Errors
/// When a thread can't be made.
pub(crate) fn start(node: &Arc<Node>) -> std::io::Result<()> {
    let node = Arc::clone(node);
    let pause = Duration::from_secs(node.config.care.measure_s.max(1));
    std::thread::Builder::new().name("figures".to_owned()).spawn(move || {
        let (mut readings, mut next) = (Readings::new(), Instant::now() + pause);
        while !node.ending() {
            if Instant::now() < next {
                std::thread::sleep(Duration::from_millis(200));
                continue;
            }
            next = Instant::now() + pause;
            round(&node, &mut readings);
        }
    })?;
    Ok(())
}

/// Reads all that runs. What does not run any more is forgotten: when it is back, its counters begin anew.
fn round(node: &Node, readings: &mut Readings) {
    let mut samples = Vec::new();
    let before = std::mem::take(readings);
    let counters = node.ports.counters().unwrap_or_default();
    for number in node.sandboxes.occupied() {
        let wish = node.register.owner(number).and_then(|solution| node.register.wish(solution));
        let Some(wish) = wish.filter(|_| !node.ending()) else { continue };
        // What stands still answers nobody, and whoever asked would stand still too.
        if node.register.held(wish.solution, wish.account, Timestamp::now()).is_some() {
            continue;
        }
        let Some(mut now) = numbers(node, number, &wish) else { continue };
        if let Some(port) = counters.get(&number) {
            now.insert("received".to_owned(), port.received.bytes as f64);
            now.insert("sent".to_owned(), port.sent.bytes as f64);
            now.insert("mail-refused".to_owned(), port.mail.packets as f64);
        }
        let Some(kind) = kind(&wish.kind) else { continue };
        let mut all = figure::common();
        all.extend(kind.figures());
        let at = Instant::now();
        let last = before.get(&wish.solution).map(|(when, numbers)| (numbers, at.duration_since(*when).as_secs_f64()));
        let values = figure::figures(&all, last, &now);
        readings.insert(wish.solution, (at, now));
        samples.push(Sample { solution: wish.solution, at: Timestamp::now(), values });
        if samples.len() == SAMPLES_MAX {
            node.voice.say(&FromNode::Samples { samples: std::mem::take(&mut samples) });
        }
    }
    if !samples.is_empty() {
        node.voice.say(&FromNode::Samples { samples });
    }
}

/// What the walls count of a solution, and what its service says. None when nothing of it runs.
fn numbers(node: &Node, number: Number, wish: &Wish) -> Option<BTreeMap<String, f64>> {
    let usage = node.sandboxes.usage(number);
    if usage.is_empty() {
        return None;
    }
    let gauges = kind(&wish.kind).map(|kind| kind.gauges(&wish.spec)).unwrap_or_default();
    let mut numbers = BTreeMap::new();
    for gauge in gauges.into_iter().filter(|gauge| usage.contains_key(&gauge.role)) {
        let command = Command { argv: gauge.argv, stdin: gauge.stdin, limit: LIMIT, output_bytes_max: SAID_BYTES_MAX };
        match node.sandboxes.ask(number, &gauge.role, &command) {
            Ok(done) if done.code == Some(0) => numbers.extend(figure::read(&String::from_utf8_lossy(&done.stdout))),
            // It may be ending, or have too much to do: then there is a gap in its curves.
            Ok(done) => {
                debug!(%number, words = %String::from_utf8_lossy(&done.stderr), timed_out = done.timed_out, "a service said no figures");
            }
            Err(error) => debug!(%number, error = crate::causes::causes(&error), "a service was not asked for figures"),
        }
    }
    let sum = |of: fn(&crate::sandbox::Usage) -> u64| usage.values().map(of).sum::<u64>() as f64;
    numbers.insert("memory".to_owned(), sum(|usage| usage.memory_bytes));
    numbers.insert("cpu".to_owned(), sum(|usage| usage.cpu_us) / CPU_PERCENT_US);
    if let Ok(used) = node.volume(number).used() {
        numbers.insert("disk".to_owned(), used.0 as f64);
    }
    Some(numbers)
}
