//! Consoles: what a service shows on its screen and takes from its keys, for whoever control lets in. The connection to control is the standard
//! input and output of a command in the solution's own sandbox, so nothing of it passes through here; what is kept here is how many there are,
//! for how long, and the word of measures.

use crate::Node;
use crate::causes::causes;
use crate::sandbox::{Beside, SandboxError};
use husorden_base::{Number, QuestionId, SolutionId};
use husorden_kinds::{Console, kind};
use husorden_wire::node::{FromNode, NoScreen, Wish};
use jiff::Timestamp;
use std::net::Shutdown;
use std::os::unix::net::UnixStream;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};
use tracing::{debug, warn};

/// Consoles of one solution at a time, and of all. Pictures count as consoles for the moment that they take.
const OF_ONE_MAX: usize = 4;
const MAX: usize = 32;
/// A console ends after so long in any case; control ends it earlier.
const CONSOLE_MAX: Duration = Duration::from_secs(24 * 3600);
/// A picture is there after so long, or there is none.
const PICTURE_MAX: Duration = Duration::from_secs(15);
/// Pause between two looks at one.
const LOOK: Duration = Duration::from_secs(1);

/// What is wanted of a screen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum View {
    /// What it shows now.
    Picture,
    /// All of it, and its keys.
    Console,
}

/// Those that are open.
#[derive(Debug, Default)]
pub(crate) struct Consoles(Mutex<Vec<Open>>);

#[derive(Debug)]
struct Open {
    question: QuestionId,
    number: Number,
    /// The connection to control, when it stands.
    stream: Option<UnixStream>,
}

/// A place among those that may be open.
struct Seat<'a> {
    consoles: &'a Consoles,
    question: QuestionId,
}

impl Consoles {
    fn lock(&self) -> MutexGuard<'_, Vec<Open>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn enter(&self, question: QuestionId, number: Number) -> Option<Seat<'_>> {
        let mut open = self.lock();
        let of_one = open.iter().filter(|one| one.number == number).count();
        if of_one >= OF_ONE_MAX || open.len() >= MAX {
            return None;
        }
        open.push(Open { question, number, stream: None });
        Some(Seat { consoles: self, question })
    }

    /// How many of a solution are open.
    #[cfg(test)]
    pub(crate) fn open(&self, number: Number) -> usize {
        self.lock().iter().filter(|one| one.number == number).count()
    }

    /// Cuts all of a solution off.
    fn cut(&self, number: Number) {
        for one in self.lock().iter().filter(|one| one.number == number) {
            if let Some(stream) = &one.stream {
                // Who is at the other end hears that it is over, and so does the command.
                let _ = stream.shutdown(Shutdown::Both);
            }
        }
    }
}

impl Seat<'_> {
    /// From here on it can be cut off.
    fn connected(&self, stream: &UnixStream) -> std::io::Result<()> {
        let kept = stream.try_clone()?;
        if let Some(one) = self.consoles.lock().iter_mut().find(|one| one.question == self.question) {
            one.stream = Some(kept);
        }
        Ok(())
    }
}

impl Drop for Seat<'_> {
    fn drop(&mut self) {
        self.consoles.lock().retain(|one| one.question != self.question);
    }
}

/// Cuts off who sits at a solution's screen where a measure says so.
pub(crate) fn judge(node: &Node, wish: &Wish) {
    if held(node, wish) {
        node.consoles.cut(wish.number);
    }
}

fn held(node: &Node, wish: &Wish) -> bool {
    node.register.held(wish.solution, wish.account, Timestamp::now()).is_some_and(|held| !held.console)
}

/// Hands a screen out, on a thread of its own; why it does not, control hears as the question's answer.
pub(crate) fn attach(node: &Arc<Node>, question: QuestionId, solution: SolutionId, view: View) {
    let asked = Arc::clone(node);
    let spawned = std::thread::Builder::new().name("console".to_owned()).spawn(move || {
        if let Err(why) = hand(&asked, question, solution, view) {
            asked.voice.say(&FromNode::Answer { question, text: Some(why.word().to_owned()) });
        }
    });
    if let Err(error) = spawned {
        warn!(%solution, %error, "no thread for a console");
    }
}

fn hand(node: &Node, question: QuestionId, solution: SolutionId, view: View) -> Result<(), NoScreen> {
    let wish = node.register.wish(solution).ok_or(NoScreen::Off)?;
    let console = kind(&wish.kind).and_then(|kind| kind.console(&wish.spec)).ok_or(NoScreen::Without)?;
    if node.sandboxes.pid(wish.number, &console.role).is_none() {
        return Err(NoScreen::Off);
    }
    let seat = node.consoles.enter(question, wish.number).ok_or(NoScreen::Busy)?;
    let broken = |error: std::io::Error| {
        warn!(%solution, %error, "a screen could not be handed out");
        NoScreen::Off
    };
    let stream = crate::control::attach(&node.config.control_socket, &node.config.name, question).map_err(broken)?;
    seat.connected(&stream).map_err(broken)?;
    // After it can be cut off: a measure that was written down before this is seen here, and one after it cuts.
    if held(node, &wish) {
        return Err(NoScreen::Held);
    }
    let beside = start(node, wish.number, &console, view, stream).map_err(|error| {
        debug!(%solution, error = causes(&error), "nothing shows a screen");
        NoScreen::Off
    })?;
    let most = match view {
        View::Picture => PICTURE_MAX,
        View::Console => CONSOLE_MAX,
    };
    let until = Instant::now() + most;
    while !beside.wait(LOOK) {
        if Instant::now() >= until || node.ending() || held(node, &wish) {
            return Ok(());
        }
    }
    match beside.end().map_err(broken)? {
        None => Ok(()),
        Some(words) => {
            debug!(%solution, words, "a screen was not shown to its end");
            Err(NoScreen::Without)
        }
    }
}

/// The command, with the connection as its standard input and output; nobody else holds it open but who may cut it.
fn start(
    node: &Node,
    number: Number,
    console: &Console,
    view: View,
    stream: UnixStream,
) -> Result<Beside, SandboxError> {
    let argv = match view {
        View::Picture => &console.picture,
        View::Console => &console.attach,
    };
    let other = stream.try_clone().map_err(|source| SandboxError::Machine { what: "sharing a connection", source })?;
    node.sandboxes.beside(number, &console.role, argv, [stream.into(), other.into()])
}
