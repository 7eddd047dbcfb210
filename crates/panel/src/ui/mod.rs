//! The parts that pages are put together from. Each is a function that returns markup; all text is escaped by maud.

pub(crate) mod chart;
pub(crate) mod form;
pub(crate) mod icon;
pub(crate) mod parts;
pub(crate) mod places;
pub(crate) mod refusal;
pub(crate) mod shell;
pub(crate) mod spec;

pub(crate) use form::{Field, Wrong};
pub(crate) use parts::*;
