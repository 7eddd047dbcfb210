//! Leave to reach TCP port 25 outside, which an agreement gives to one solution. Without it the port is closed for all.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// Leave to reach TCP port 25 outside.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct MailOut {
    /// When the node ends it by itself, live connections and all; none for what stays.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<Timestamp>,
}

impl MailOut {
    /// Whether it is in force at this time.
    #[must_use]
    pub fn lasts(&self, now: Timestamp) -> bool {
        self.until.is_none_or(|until| now < until)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_lasts_up_to_its_end() {
        let at = |second| Timestamp::from_second(second).expect("a time");
        let ends = MailOut { until: Some(at(1_000)) };
        assert!(ends.lasts(at(999)) && !ends.lasts(at(1_000)));
        assert!(MailOut::default().lasts(Timestamp::MAX));
        let read = |text: &str| serde_json::from_str::<MailOut>(text).expect("it is read");
        assert_eq!(read("{}"), MailOut::default());
        assert_eq!(read(&serde_json::to_string(&ends).expect("it is written")), ends);
    }
}
