//! Waiting for work: a moving line on a terminal, plain lines elsewhere, and an end when patience is over.

use crate::api::segment;
use crate::context::Context;
use crate::failure::Failure;
use husorden_wire::api::{Order, Solution};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use std::io::IsTerminal;
use std::time::{Duration, Instant};

/// First pause between two looks; grows to [`PAUSE_MAX`].
const PAUSE_MIN: Duration = Duration::from_millis(100);
/// Longest pause between two looks.
const PAUSE_MAX: Duration = Duration::from_secs(2);

/// How far something is.
pub(crate) enum Far {
    /// Not there yet: what is being done, and the share in percent.
    Working(String, Option<u8>),
    /// There.
    There,
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
    loop {
        let seen = look()?;
        match far(&seen) {
            Far::There => return Ok(seen),
            Far::Failed(why) => return Err(Failure::Work(format!("{what}: {why}"))),
            Far::Working(text, percent) => teller.tell(&text, percent),
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
    let what = order.verb.clone();
    until(
        context,
        &what,
        || context.api.get::<Order>(&path),
        |order| {
            let text = order.message.clone().unwrap_or_else(|| order.state.clone());
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
    until(
        context,
        &name,
        || context.api.get::<Solution>(&path),
        |seen| {
            let text = seen.message.clone().unwrap_or_else(|| seen.state.clone());
            // A later change by somebody else is waited for too: what is asked for here is then part of it.
            let settled = seen.seen_generation >= generation.max(seen.generation);
            match seen.state.as_str() {
                "trouble" if settled => Far::Failed(text),
                "working" | "unknown" | "trouble" | "deleting" => Far::Working(text, None),
                _ if settled => Far::There,
                _ => Far::Working(text, None),
            }
        },
    )
}

/// Tells how far something is, without saying the same twice.
struct Teller {
    what: String,
    began: Instant,
    bar: Option<ProgressBar>,
    last: String,
}

impl Teller {
    fn new(what: &str) -> Self {
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

    fn tell(&mut self, text: &str, percent: Option<u8>) {
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
