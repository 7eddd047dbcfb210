//! Clauses, decisions and measures of the house rules: pure functions over facts.
//!
//! No measure without a decision, no decision without a clause and reasons; nothing here is automatic about content.

pub mod clause;
pub mod decision;
pub mod measure;
pub mod statement;

pub use clause::Clause;
pub use decision::{Decision, DecisionForm};
pub use measure::{Access, Fates, Held, Measure, Scope, hold};
