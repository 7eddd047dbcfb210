//! Notifications: mails by SMTP or into a folder, and webhooks, as jobs of a lane of their own, so that a mail server that
//! sleeps delays no measure.

pub(crate) mod failed;
pub(crate) mod lane;
pub(crate) mod mail;
pub(crate) mod post;
pub(crate) mod sign;
pub(crate) mod texts;
pub(crate) mod webhook;
