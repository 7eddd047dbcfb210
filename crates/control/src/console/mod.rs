//! Consoles: what a solution shows on its screen and takes from its keys, carried between whoever may and the node it lies on. It is the
//! customer's own, so staff need a grant; nothing of it is kept, and that it was opened and closed, by whom and from where, is a line of
//! evidence each.

mod carry;
mod hands;

pub(crate) use carry::carry;

use crate::answer::Answer;
use crate::app::App;
use crate::caller::{Caller, Trail};
use crate::fault::Fault;
use crate::gives::Given;
use crate::store::evidence::{Awaits, NewEvidence};
use crate::store::solution::SolutionView;
use crate::visitor::Visitor;
use crate::{solution, store};
use bytes::{Bytes, BytesMut};
use husorden_base::{AccountId, QuestionId, Refusal, SolutionId, Text};
use husorden_wire::node::{NoScreen, Question};
use serde_json::json;
use std::time::Duration;
use tokio::io::AsyncReadExt;
use tokio::time::Instant;

/// How long a node is waited for, and between two looks at what it says.
const WAIT: Duration = Duration::from_secs(15);
const LOOK: Duration = Duration::from_millis(40);
/// How long it is waited for the reason where a node hands out nothing.
const REASON_WAIT: Duration = Duration::from_secs(2);
/// Bytes of a picture at most: a large screen full of noise has less.
const PICTURE_BYTES_MAX: usize = 16 << 20;
/// Bytes that are read at a time.
const PIECE_BYTES: usize = 64 << 10;

/// Who sits at which screen, and where they sit.
#[derive(Clone)]
pub(crate) struct Seat {
    caller: Caller,
    account: AccountId,
    solution: SolutionId,
    visitor: Visitor,
}

/// A screen that a node hands out.
pub(crate) struct Reached {
    pub(crate) seat: Seat,
    /// What came first: never nothing.
    first: Bytes,
    given: Given,
}

impl Seat {
    /// Writes down that a console was closed.
    pub(crate) async fn close(&self, app: &App, open: Duration, why: &str) {
        let detail = json!({ "from": self.visitor.0, "seconds": open.as_secs(), "why": why });
        if let Err(error) = self.write(app, self.line("console.close", detail)).await {
            tracing::warn!(%error, solution = %self.solution, "no line of evidence that a console was closed");
        }
    }

    async fn write(&self, app: &App, line: NewEvidence) -> Result<(), Fault> {
        let mut tx = app.doors().tenant(self.account).await?;
        store::evidence::insert(tx.conn(), &self.caller.signature(), &line).await?;
        tx.commit().await?;
        app.wake();
        Ok(())
    }

    fn line(&self, act: &'static str, before: serde_json::Value) -> NewEvidence {
        let (account, solution) = (Some(self.account), Some(self.solution));
        NewEvidence { act, account, solution, before, awaits: Awaits::Nothing, visible_from: None }
    }
}

/// The solution, if the caller may come to its screen as things stand.
pub(crate) async fn find(app: &App, caller: &Caller, text: &str) -> Result<SolutionView, Fault> {
    let found = solution::find(app, caller, text).await?;
    let mut tx = caller.tenant(app, found.account, Some(found.id)).await?;
    if app.kind(&found.kind).and_then(|kind| kind.console(&found.spec)).is_none() {
        return Err(no_console().into());
    }
    if !caller.is_staff()
        && let Some(held) = store::solution::held_on(tx.conn(), found.id).await?
        && !held.leaves_console()
    {
        return Err(held.refusal(false).into());
    }
    Ok(found)
}

impl Reached {
    /// Asks the node for a screen, and waits until it shows something.
    pub(crate) async fn ask(
        app: &App,
        caller: Caller,
        text: &str,
        visitor: Visitor,
        about: Question,
    ) -> Result<Self, Fault> {
        let found = find(app, &caller, text).await?;
        let seat = Seat { caller, account: found.account, solution: found.id, visitor };
        let question = QuestionId::new();
        let mut waiting = app.gives().wait(question.0);
        let mut tx = seat.caller.tenant(app, seat.account, Some(seat.solution)).await?;
        store::question::ask(tx.conn(), question, seat.solution, &about).await?;
        let mut trail = Trail::default();
        let console = about == Question::Console;
        // Who may see it any day is told of in the log when they sit down at it; staff also when they look.
        if console || seat.caller.is_staff() {
            let act = if console { "console.open" } else { "screen.read" };
            trail.evidence(seat.line(act, json!({ "from": visitor.0 })));
        }
        trail.finish(app, &seat.caller, tx, Answer::empty()).await?;
        let answer = attached(app, &found, question, &mut waiting.stream).await;
        forget(app, found.account, question).await?;
        match answer {
            Ok((first, given)) => Ok(Self { seat, first, given }),
            Err(fault) => {
                if console {
                    let why = if let Fault::Refused(refusal) = &fault { refusal.code.as_str() } else { "broken" };
                    seat.close(app, Duration::ZERO, why).await;
                }
                Err(fault)
            }
        }
    }
}

/// What the node hands out, with the first of it; or why it does not.
async fn attached(
    app: &App,
    found: &SolutionView,
    question: QuestionId,
    stream: &mut tokio::sync::oneshot::Receiver<Given>,
) -> Result<(Bytes, Given), Fault> {
    let until = Instant::now() + WAIT;
    let mut given = loop {
        tokio::select! {
            given = &mut *stream => break given.map_err(|_| silent())?,
            () = tokio::time::sleep(LOOK) => {}
        }
        if let Some(why) = said(app, found, question).await? {
            return Err(refused(why).into());
        }
        if Instant::now() > until {
            return Err(silent().into());
        }
    };
    if !given.first.is_empty() {
        return Ok((std::mem::take(&mut given.first), given));
    }
    let mut first = BytesMut::with_capacity(PIECE_BYTES);
    let read = tokio::time::timeout_at(until, given.rest.read_buf(&mut first)).await;
    if matches!(read, Ok(Ok(1..))) {
        return Ok((first.freeze(), given));
    }
    let until = Instant::now() + REASON_WAIT;
    while Instant::now() < until {
        if let Some(why) = said(app, found, question).await? {
            return Err(refused(why).into());
        }
        tokio::time::sleep(LOOK).await;
    }
    Err(silent().into())
}

/// Why the node hands out nothing, where it has said so.
async fn said(app: &App, found: &SolutionView, question: QuestionId) -> Result<Option<NoScreen>, Fault> {
    let mut tx = app.doors().tenant(found.account).await?;
    let answer = store::question::answer(tx.conn(), question).await?;
    Ok(answer.map(|word| word.as_deref().and_then(NoScreen::parse).unwrap_or(NoScreen::Off)))
}

async fn forget(app: &App, account: AccountId, question: QuestionId) -> Result<(), Fault> {
    let mut tx = app.doors().tenant(account).await?;
    store::question::forget(tx.conn(), question).await?;
    Ok(tx.commit().await?)
}

/// The whole of a picture.
pub(crate) async fn picture(reached: Reached) -> Result<Bytes, Fault> {
    let Reached { first, given, .. } = reached;
    let mut picture = BytesMut::from(&first[..]);
    let mut rest = given.rest.take((PICTURE_BYTES_MAX - first.len()) as u64);
    let read = async {
        while rest.read_buf(&mut picture).await? > 0 {}
        std::io::Result::Ok(())
    };
    let read = tokio::time::timeout(WAIT, read).await.map_err(|_| silent())?;
    read.map_err(|error| Fault::broken("reading a picture of a screen")(error.into()))?;
    if picture.len() < PICTURE_BYTES_MAX { Ok(picture.freeze()) } else { Err(silent().into()) }
}

fn no_console() -> Refusal {
    Refusal::new(
        "no-console",
        409,
        Text::new("Der er ingen konsol", "There is no console"),
        Text::new("Denne slags løsning har ingen skærm.", "This kind of solution has no screen."),
    )
}

fn refused(why: NoScreen) -> Refusal {
    match why {
        NoScreen::Off => Refusal::new(
            "console-off",
            409,
            Text::new("Den kører ikke", "It does not run"),
            Text::new(
                "Skærmen er der, når den er tændt. Start den, og prøv igen.",
                "The screen is there when it is on. Start it, and try again.",
            ),
        ),
        NoScreen::Without => Refusal::new(
            "console-without",
            409,
            Text::new("Den har ingen skærm endnu", "It has no screen yet"),
            Text::new(
                "Den blev startet, før der var skærme. Stop den, og start den igen.",
                "It was started before there were screens. Stop it, and start it again.",
            ),
        ),
        NoScreen::Busy => Refusal::new(
            "console-busy",
            429,
            Text::new("Der er for mange konsoller åbne", "Too many consoles are open"),
            Text::new("Luk en anden, eller prøv igen om lidt.", "Close another one, or try again in a moment."),
        ),
        NoScreen::Held => Refusal::new(
            "console-held",
            403,
            Text::new("Konsollen er afbrudt af en afgørelse", "The console is cut by a decision"),
            Text::new("Læs afgørelsen under /v1/measures.", "Read the decision at /v1/measures."),
        ),
    }
}

fn silent() -> Refusal {
    Refusal::new(
        "node-silent",
        503,
        Text::new("Serveren svarede ikke i tide", "The node did not answer in time"),
        Text::new(
            "Prøv igen om lidt. Løsningen kan sagtens være i drift.",
            "Try again in a moment. The solution may well be serving.",
        ),
    )
}
