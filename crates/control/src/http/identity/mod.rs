//! Log-in, persons, members, staff, and the account itself.

pub(crate) mod account;
pub(crate) mod members;
pub(crate) mod persons;
pub(crate) mod rescues;
pub(crate) mod sessions;
pub(crate) mod staff;
