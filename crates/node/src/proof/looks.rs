//! Carrying out one look: a task in a sandbox, of which it is what it says that counts.

use crate::Node;
use crate::causes::{causes, last_words};
use crate::sandbox::Streamed;
use husorden_base::Number;
use husorden_kinds::opening::SAID_BYTES_MAX;
use husorden_kinds::{Said, Task, TaskSight};
use std::io::{self, Read};
use std::time::Duration;

/// Pause between two looks at it.
const PAUSE: Duration = Duration::from_millis(30);
/// Characters of what it said last that are told.
const WORDS_CHARS_MAX: usize = 600;

/// Why a look has no answer.
#[derive(Debug)]
pub(crate) enum Mute<S> {
    /// It failed: its last words.
    Failed(String),
    /// It was called off.
    Stopped(S),
}

/// Has a task look and hears what it says; `stop` is asked again and again whether it is to go on.
pub(crate) fn look<S>(
    node: &Node,
    number: Number,
    task: &Task,
    mut stop: impl FnMut() -> Option<S>,
) -> Result<Said, Mute<S>> {
    let broken = |error: io::Error| Mute::Failed(error.to_string());
    let (reader, writer) = io::pipe().map_err(broken)?;
    // Whoever says more than that is not heard to the end, and fails of it.
    let hearing = std::thread::Builder::new().name("look".to_owned()).spawn(move || {
        let mut text = Vec::new();
        reader.take(SAID_BYTES_MAX).read_to_end(&mut text).map(|_| text)
    });
    let hearing = hearing.map_err(broken)?;
    let streamed = Streamed { stdin: None, stdout: Some(writer.into()) };
    node.sandboxes.task_start_with(number, task, streamed).map_err(|error| Mute::Failed(causes(&error)))?;
    let mut stopped = None;
    let failed = loop {
        std::thread::sleep(PAUSE);
        match node.sandboxes.sight(number).tasks.remove(&task.name) {
            Some(TaskSight { failed: None, .. }) => {}
            Some(TaskSight { failed: Some(reason), .. }) => break Some(reason),
            None => break None,
        }
        if stopped.is_none() {
            stopped = stop();
        }
        if stopped.is_some() {
            // It ends, and goes then.
            let _ = node.sandboxes.task_forget(number, &task.name);
        }
    };
    if failed.is_some() {
        // With it goes the end of the pipe that it held.
        let _ = node.sandboxes.task_forget(number, &task.name);
    }
    let text = hearing.join();
    if let Some(stopped) = stopped {
        return Err(Mute::Stopped(stopped));
    }
    if let Some(reason) = failed {
        return Err(Mute::Failed(last_words(&reason, WORDS_CHARS_MAX)));
    }
    let text = text.map_err(|_| Mute::Failed("the thread that heard it died".to_owned()))?.map_err(broken)?;
    Said::read(&String::from_utf8_lossy(&text)).map_err(Mute::Failed)
}
