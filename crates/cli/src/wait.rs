//! Waiting for work: a moving line on a terminal, plain lines elsewhere, and an end when patience is over.

use crate::api::segment;
use crate::context::Context;
use crate::failure::Failure;
use crate::output;
use husorden_base::Language;
use husorden_wire::api::{Order, Solution};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use std::io::IsTerminal;
use std::time::{Duration, Instant};

/// First pause between two looks; grows to [`PAUSE_MAX`].
const PAUSE_MIN: Duration = Duration::from_millis(100);
/// Longest pause between two looks.
const PAUSE_MAX: Duration = Duration::from_secs(2);

/// How long trouble must last before waiting ends: what one pass of the node cannot do, the next may.
const TROUBLE_PATIENCE: Duration = Duration::from_secs(10);

/// How far something is.
pub(crate) enum Far {
    /// Not there yet: what is being done, and the share in percent.
    Working(String, Option<u8>),
    /// There.
    There,
    /// It does not go on as it is, though it is tried again.
    Trouble(String),
    /// It will not get there.
    Failed(String),
}

/// Looks again and again until it is there.
pub(crate) fn until<T>(
    context: &Context,
    what: &str,
    mut look: impl FnMut() -> Result<T, Failure>,
    far: impl Fn(&T) -> Far,
) -> Result<T, Failure> {
    let patience = Duration::from_secs(context.wait_s_max.unwrap_or(0));
    let began = Instant::now();
    let mut pause = PAUSE_MIN;
    let mut teller = Teller::new(what);
    let mut trouble: Option<Instant> = None;
    loop {
        let seen = look()?;
        match far(&seen) {
            Far::There => return Ok(seen),
            Far::Failed(why) => return Err(Failure::Work(format!("{what}: {why}"))),
            Far::Trouble(why) => {
                if trouble.get_or_insert_with(Instant::now).elapsed() >= TROUBLE_PATIENCE {
                    return Err(Failure::Trouble(format!("{what}: {why}")));
                }
                teller.tell(&why, None);
            }
            Far::Working(text, percent) => {
                trouble = None;
                teller.tell(&text, percent);
            }
        }
        if began.elapsed() >= patience {
            return Err(Failure::Impatient(format!(
                "{what}: {} {} s",
                context.word("ikke færdig efter", "not done after"),
                patience.as_secs()
            )));
        }
        std::thread::sleep(pause.min(patience.saturating_sub(began.elapsed())));
        pause = (pause * 2).min(PAUSE_MAX);
    }
}

/// Waits for an order to end.
pub(crate) fn order(context: &Context, order: Order) -> Result<Order, Failure> {
    if context.wait_s_max.is_none() {
        return Ok(order);
    }
    let path = format!("/v1/orders/{}", segment(&order.id));
    let what = output::verb(&order.verb, context.language).to_owned();
    until(
        context,
        &what,
        || context.api.get::<Order>(&path),
        |order| {
            let text =
                order.message.clone().unwrap_or_else(|| output::state(&order.state, context.language).to_owned());
            match order.state.as_str() {
                "done" => Far::There,
                "failed" => Far::Failed(text),
                _ => Far::Working(text, order.percent),
            }
        },
    )
}

/// Waits until a node has settled on what is wished of a solution.
pub(crate) fn solution(context: &Context, solution: Solution) -> Result<Solution, Failure> {
    if context.wait_s_max.is_none() {
        return Ok(solution);
    }
    let path = format!("/v1/solutions/{}", segment(&solution.id));
    let (name, generation) = (solution.name.clone(), solution.generation);
    until(context, &name, || context.api.get::<Solution>(&path), |seen| how_far(seen, generation, context.language))
}

/// How far a solution is with a change that has this generation, or a later one.
fn how_far(seen: &Solution, generation: u64, language: Language) -> Far {
    let text = seen.message.clone().unwrap_or_else(|| output::state(&seen.state, language).to_owned());
    match seen.state.as_str() {
        // Said of the newest change only; it is not settled, for it did not get there.
        "trouble" => Far::Trouble(text),
        "working" | "unknown" | "deleting" => Far::Working(text, None),
        // A later change by somebody else is waited for too: what is asked for here is then part of it.
        _ if seen.seen_generation >= generation.max(seen.generation) => Far::There,
        _ => Far::Working(text, None),
    }
}

/// Tells how far something is, without saying the same twice.
pub(crate) struct Teller {
    what: String,
    began: Instant,
    bar: Option<ProgressBar>,
    last: String,
}

impl Teller {
    pub(crate) fn new(what: &str) -> Self {
        let bar = std::io::stderr().is_terminal().then(|| {
            let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr());
            if let Ok(style) = ProgressStyle::with_template("{spinner} {prefix} {elapsed}  {msg}") {
                bar.set_style(style);
            }
            bar.set_prefix(what.to_owned());
            bar.enable_steady_tick(Duration::from_millis(100));
            bar
        });
        Self { what: what.to_owned(), began: Instant::now(), bar, last: String::new() }
    }

    pub(crate) fn tell(&mut self, text: &str, percent: Option<u8>) {
        let text = crate::output::plain(text);
        let text = match percent {
            Some(percent) => format!("{text} ({percent} %)"),
            None => text,
        };
        if text == self.last {
            return;
        }
        match &self.bar {
            Some(bar) => bar.set_message(text.clone()),
            #[allow(clippy::print_stderr, reason = "progress is for whoever waits")]
            None => eprintln!("{} {:6.1} s  {text}", self.what, self.began.elapsed().as_secs_f64()),
        }
        self.last = text;
    }
}

impl Drop for Teller {
    fn drop(&mut self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_solution_is_there_when_its_newest_change_is() {
        for (state, seen_generation, far) in [
            ("running", 2, "there"),
            ("running", 1, "working"),
            ("working", 2, "working"),
            ("stopped", 3, "there"),
            // A change that got into trouble never settles.
            ("trouble", 1, "trouble"),
            ("trouble", 2, "trouble"),
            ("deleting", 2, "working"),
            ("unknown", 2, "working"),
        ] {
            let seen: Solution = serde_json::from_value(json!({
                "id": "1", "number": 1, "name": "shop", "kind": "website", "account": "2", "spec": {}, "aim": "run",
                "state": state, "generation": 2, "seen_generation": seen_generation, "labels": {}, "protected": false, "seen": null,
                "created": "2027-01-01T00:00:00Z", "changed": "2027-01-01T00:00:00Z",
            }))
            .expect("a solution");
            let found = match how_far(&seen, 2, Language::En) {
                Far::There => "there",
                Far::Working(..) => "working",
                Far::Trouble(_) => "trouble",
                Far::Failed(_) => "failed",
            };
            assert_eq!(found, far, "{state} {seen_generation}");
        }
    }
}
