//! What control and the vault say to each other: one line of JSON each way, on a connection of its own, over the vault's unix socket.
//!
//! The vault holds what opens backups and knows nothing else: no accounts, no orders, no database. The kernel tells it who asks. Control
//! asks for everything but [`Ask::SetRecovery`], [`Ask::SetPlatform`] and [`Ask::Platform`], which are root's alone: who has captured
//! control can't have keys written to a paper of their own, nor open what the whole platform is rebuilt from.

use husorden_base::{Number, Secret, SolutionId, TargetId};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// Longest line either side accepts, in bytes.
pub const LINE_BYTES_MAX: usize = 64 << 10;
/// Longest secret of a target, in bytes: a private key of OpenSSH has less.
pub const SECRET_BYTES_MAX: usize = 16 << 10;

/// What is asked of the vault.
#[derive(Debug, Serialize, Deserialize)]
#[serde(tag = "ask", rename_all = "kebab-case", deny_unknown_fields)]
pub enum Ask {
    /// Release a solution's key, sealed to whoever is to use it, with a target's secret; [`Answer::Released`].
    Release {
        /// The solution.
        solution: SolutionId,
        /// Its number.
        number: Number,
        /// Make the key when there is none. One that was destroyed is never made anew.
        make: bool,
        /// The key of its log alone, which tells nothing of the other.
        #[serde(default)]
        log: bool,
        /// The target whose secret goes along, where it has one.
        target: Option<TargetId>,
        /// An age recipient.
        recipient: String,
    },
    /// Keep a target's secret, in the place of the one before; [`Answer::Done`].
    Keep {
        /// The target.
        target: TargetId,
        /// Its secret.
        secret: Secret,
    },
    /// Forget a target's secret; [`Answer::Done`], also when there is none.
    Forget {
        /// The target.
        target: TargetId,
    },
    /// Destroy a solution's key; [`Answer::Destroyed`], the same however often it is asked.
    Destroy {
        /// The solution.
        solution: SolutionId,
        /// Its number.
        number: Number,
    },
    /// A solution's key as it is written for the recovery key; [`Answer::Recovery`].
    Recovery {
        /// The solution.
        solution: SolutionId,
        /// Its number.
        number: Number,
    },
    /// How the vault is; [`Answer::Status`].
    Status,
    /// From now on the recovery key is the one whose public half this is, and everything is written for it anew; [`Answer::Done`].
    SetRecovery {
        /// An age recipient.
        recipient: String,
        /// In the place of the one there is.
        replace: bool,
    },
    /// From now on the platform's own backups are written with this key; [`Answer::Done`].
    SetPlatform {
        /// The password of their repository.
        key: Secret,
        /// The public half of the recovery key that it was made for, which must be the one there is.
        recipient: String,
        /// In the place of the one there is.
        replace: bool,
    },
    /// Release the key of the platform's own backups, sealed to whoever is to use it, with a target's secret; [`Answer::Released`].
    Platform {
        /// The target whose secret goes along, where it has one.
        target: Option<TargetId>,
        /// An age recipient.
        recipient: String,
    },
}

/// What the vault answers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "is", rename_all = "kebab-case")]
pub enum Answer {
    /// It is released.
    Released {
        /// [`crate::node::Secrets`] as JSON, in an age file for the recipient, in base64.
        sealed: String,
    },
    /// It is done.
    Done,
    /// It is destroyed.
    Destroyed {
        /// What was destroyed.
        receipt: Receipt,
    },
    /// The key as it is written for the recovery key.
    Recovery {
        /// An age file, in base64.
        file: String,
    },
    /// How the vault is.
    Status {
        /// How it is.
        status: Status,
    },
    /// It is not done.
    Refused {
        /// Why.
        why: Refused,
    },
}

/// That a key is destroyed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Receipt {
    /// Whose key it was.
    pub solution: SolutionId,
    /// The solution's number.
    pub number: Number,
    /// When the key was made; none when there never was one.
    pub made: Option<Timestamp>,
    /// When it was destroyed.
    pub destroyed: Timestamp,
    /// The time by which no copy remains: until then copies of the vault's folder and what was written for the recovery key may lie where
    /// the operator keeps them.
    pub gone_by: Timestamp,
}

/// How the vault is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Status {
    /// Keys of solutions.
    pub keys: u64,
    /// Keys that were destroyed.
    pub destroyed: u64,
    /// Targets whose secret it keeps.
    pub targets: u64,
    /// The public half of the recovery key; none when there is no recovery key on paper yet.
    pub recovery: Option<String>,
    /// Whether there is a key of the platform's own backups that opens with the recovery key there is.
    #[serde(default)]
    pub platform: bool,
}

/// Why the vault does not do it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[serde(tag = "of", rename_all = "kebab-case")]
pub enum Refused {
    /// There is no such key, and none was to be made.
    #[error("there is no key")]
    NoKey,
    /// It was destroyed.
    #[error("the key was destroyed at {at}")]
    Destroyed {
        /// When.
        at: Timestamp,
    },
    /// The number is another solution's.
    #[error("the number belongs to another solution")]
    OtherSolution,
    /// The recipient is none.
    #[error("the recipient does not begin with age1, or was mistyped")]
    BadRecipient,
    /// The secret is too long, or empty.
    #[error("the secret is empty or longer than 16 KiB")]
    BadSecret,
    /// There is no recovery key yet.
    #[error("there is no recovery key yet")]
    NoRecovery,
    /// There is a recovery key already.
    #[error("there is a recovery key already")]
    HasRecovery,
    /// There is no key of the platform's own backups yet, or it was made for another recovery key.
    #[error(
        "there is no key of the platform's own backups for this recovery key yet: `husorden vault platform` makes it"
    )]
    NoPlatform,
    /// There is a key of the platform's own backups already.
    #[error("there is a key of the platform's own backups already")]
    HasPlatform,
    /// The line was none of these.
    #[error("the line does not ask for anything that is known")]
    BadAsk,
    /// Who asked may not.
    #[error("whoever asked may not")]
    Forbidden,
    /// The vault's own disk, or what lies on it, is at fault.
    #[error("{text}")]
    Trouble {
        /// What is wrong, without any secret.
        text: String,
    },
}
