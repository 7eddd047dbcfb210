//! What `up` and `down` tell whoever waits: one line a step, with the seconds it took.

use anyhow::Error;
use std::io::Write;
use std::time::Instant;

/// Says what is being done. Lines that nobody reads any more are dropped: work does not stop because a terminal closed.
#[derive(Debug)]
pub(crate) struct Progress {
    began: Instant,
    step: Instant,
}

impl Progress {
    /// Starts the clock.
    pub(crate) fn new() -> Self {
        let now = Instant::now();
        Self { began: now, step: now }
    }

    /// A step begins; only its end is told, unless it takes long and says so by [`Progress::meanwhile`].
    pub(crate) fn begin(&mut self) {
        self.step = Instant::now();
    }

    /// A step is done.
    pub(crate) fn done(&mut self, what: &str) {
        let seconds = self.step.elapsed().as_secs_f64();
        line(&format!("  ok {seconds:6.1} s  {what}"));
        self.step = Instant::now();
    }

    /// A step goes on.
    pub(crate) fn meanwhile(&self, what: &str) {
        let seconds = self.step.elapsed().as_secs_f64();
        line(&format!("   … {seconds:6.1} s  {what}"));
    }

    /// Something the reader should know that stops nothing.
    pub(crate) fn note(&self, what: &str) {
        line(&format!("   !           {what}"));
    }

    /// Seconds since the beginning.
    pub(crate) fn seconds(&self) -> f64 {
        self.began.elapsed().as_secs_f64()
    }
}

/// One line on standard output.
pub(crate) fn line(text: &str) {
    let mut out = std::io::stdout().lock();
    let _ = writeln!(out, "{text}");
    let _ = out.flush();
}

/// An error with its causes, on one line. Many errors say their cause themselves; it is not said again.
pub(crate) fn told(error: &Error) -> String {
    let mut text = String::new();
    for cause in error.chain().map(ToString::to_string) {
        if !text.contains(&cause) {
            text += if text.is_empty() { "" } else { ": " };
            text += &cause;
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use anyhow::anyhow;

    #[test]
    fn a_cause_is_told_once() {
        let error = anyhow!("no such table").context("migrating: no such table").context("starting control");
        assert_eq!(told(&error), "starting control: migrating: no such table");
        assert_eq!(told(&anyhow!("refused").context("connecting")), "connecting: refused");
    }
}
