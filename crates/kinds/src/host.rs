//! The one seam to the machine: a look, and a step. The node implements it on the real walls; [`crate::fake`] in memory.

use crate::{Sight, Step, Waiting};
use husorden_base::Text;
use serde::{Deserialize, Serialize};

/// One solution's place on a machine.
pub trait Host {
    /// What stands on the walls now.
    ///
    /// # Errors
    /// When anything could not be seen. Not knowing is not absence: the pass takes no step then.
    fn look(&mut self) -> Result<Sight, Trouble>;

    /// Long work of the machine's own that no plan can go past: a volume is being fetched. Asked after each look.
    fn busy(&mut self) -> Option<Waiting> {
        None
    }

    /// Carries out one step; returns within two seconds. Long work is started here and seen by a later look.
    ///
    /// # Errors
    /// When the step was not carried out; the pass ends, and the next begins with a fresh look.
    fn apply(&mut self, step: &Step) -> Result<(), Halt>;
}

/// Why a step was not carried out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Halt {
    /// What it stands on was told to end and has not yet: it is carried out by a later pass, and nobody has to mend anything.
    Ending(Text),
    /// It failed.
    Failed(Trouble),
}

impl From<Trouble> for Halt {
    fn from(trouble: Trouble) -> Self {
        Self::Failed(trouble)
    }
}

/// A look or a step that failed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Trouble {
    /// For the customer: what does not work, and what happens next.
    pub text: Text,
    /// For staff and the log: what was being done, and the error with its causes.
    pub detail: String,
}

impl std::fmt::Display for Trouble {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} ({})", self.text.en, self.detail)
    }
}

impl std::error::Error for Trouble {}

impl Trouble {
    /// Trouble that the platform itself must mend; the customer is told only that.
    pub fn ours(detail: impl Into<String>) -> Self {
        Self {
            text: Text::new(
                "Noget på vores side virkede ikke; det prøves igen af sig selv.",
                "Something on our side did not work; it is tried again by itself.",
            ),
            detail: detail.into(),
        }
    }
}
