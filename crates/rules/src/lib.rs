//! Clauses, measures and decisions of the house rules: pure functions over facts.
