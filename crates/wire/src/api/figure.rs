//! Figures: what was measured of a solution while it ran.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// A curve.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct Figure {
    /// Its name, such as `connections`.
    pub name: String,
    /// What people call it, in the language that was asked for.
    pub title: String,
    /// `count`, `bytes`, `percent`, `per-second` or `seconds`.
    pub unit: String,
    /// What was measured, oldest first; where it slept there is nothing.
    pub points: Vec<FigurePoint>,
}

/// A point of a curve.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct FigurePoint {
    /// The beginning of the time it is the average of.
    #[schema(value_type = String)]
    pub at: Timestamp,
    /// The average.
    pub value: f64,
}
