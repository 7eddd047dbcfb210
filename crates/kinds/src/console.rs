//! A console: a screen and keys that something which runs has, carried to whoever may see and press them.
//!
//! What carries it is a command beside the service, in its own sandbox, so that nobody of the platform listens to what the other side says.

use crate::Role;

/// How a service's screen is reached. What both commands lead to speaks RFB (RFC 6143), and asks nobody for a password: who may come is
/// judged by whoever runs them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Console {
    /// Which service.
    pub role: Role,
    /// Carries its standard input to the screen, and what the screen says to standard output, until either ends; or until nobody holds the
    /// other end of its standard error, on which it gives a sign of life.
    pub attach: Vec<String>,
    /// Says on standard output what the screen shows now, as a PNG.
    pub picture: Vec<String>,
}
