//! Who logs in: persons with a password and a second factor, their sessions, and what they are to an account or to staff.
//!
//! [`session`] says what a session may; the database only keeps it. [`log_in`] is the way in; [`person`] is what people do with
//! their own log-in; [`member`] and [`staff`] are what they do with each other's; [`holder`] reads who the agreement is with.

pub(crate) mod holder;
pub(crate) mod log_in;
pub(crate) mod mail;
pub(crate) mod mailbox;
pub(crate) mod member;
pub(crate) mod password;
pub(crate) mod person;
pub(crate) mod rescue;
pub(crate) mod reset;
pub(crate) mod seal;
pub(crate) mod seat;
pub(crate) mod session;
pub(crate) mod throttle;
pub(crate) mod totp;
pub(crate) mod words;

pub use password::HashCost;
pub use session::Timeout;
