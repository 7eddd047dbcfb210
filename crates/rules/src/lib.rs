//! The house rules with their texts and versions, decisions and measures: pure functions over facts.
//!
//! No measure without a decision, no decision without a clause and reasons; nothing here is automatic about content.

pub mod clause;
pub mod decision;
pub mod difference;
pub mod folder;
pub mod house;
pub mod load;
pub mod measure;
pub mod settlement;
pub mod statement;

pub use clause::Clause;
pub use decision::{Decision, DecisionForm};
pub use difference::{Difference, difference};
pub use house::{ClauseText, Owner, Rules, UsualMeasure};
pub use load::{Wrong, load, shipped};
pub use measure::{Access, Fates, Held, Measure, Scope, hold};
