//! The words every role shares: ids, names, sizes, bilingual texts, refusals, problems and the edge's table.
//!
//! Nothing here does I/O, reads a clock or is async. What stands here is parsed once, at the door, into types that cannot be wrong.

pub mod certificate;
pub mod host;
pub mod id;
pub mod money;
pub mod name;
pub mod refusal;
pub mod secret;
pub mod site;
pub mod size;
pub mod text;

pub use host::{host, zone};
pub use id::{
    AccountId, BackupId, CaseId, GrantId, InvitationId, MeasureId, NetworkId, Number, OrderId, PersonId, ProofId,
    QuestionId, SessionId, SnapshotId, SolutionId, SubscriptionId, TargetId, TokenId,
};
pub use money::{Currency, Money, MoneyError};
pub use name::{Domain, Name, RuntimeName};
pub use refusal::{FieldError, Problem, Refusal};
pub use secret::Secret;
pub use size::Bytes;
pub use text::{Language, Text};
