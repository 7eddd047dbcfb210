//! A purge before its time: an order that people sign, and that one person alone can't have carried out at once.

use crate::id::Id;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ed25519_dalek::{Signature, VerifyingKey};
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;

/// What stands before an order when it is signed, so that no other signed text can be taken for one.
const SIGNED: &[u8] = b"husorden purge v1\0";
/// How long a host with one staff member waits.
const ALONE: SignedDuration = SignedDuration::from_hours(7 * 24);
/// People that an order needs where there are several.
const APPROVALS: usize = 2;

/// What is to be purged, and why.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Order {
    /// The repository's id.
    pub repository: Id,
    /// Which backups.
    pub snapshots: Vec<Id>,
    /// The reason, as it stands in evidence.
    pub reason: String,
    /// When it was given.
    pub given: Timestamp,
}

/// One person's word for an order.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Approval {
    /// The person's public key, base64.
    pub key: String,
    /// Their signature over the order's text, base64.
    pub signature: String,
}

/// Who may approve, as the target's side has it: not from control.
#[derive(Clone, Debug, Default)]
pub struct Staff {
    /// Public keys of people.
    pub keys: Vec<VerifyingKey>,
}

impl Staff {
    /// Reads keys, base64, one a line; empty lines and lines that begin with `#` say nothing.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let lines = text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#'));
        let key = |line: &str| VerifyingKey::from_bytes(&STANDARD.decode(line).ok()?.try_into().ok()?).ok();
        lines.map(key).collect::<Option<Vec<_>>>().map(|keys| Self { keys })
    }
}

/// Why an order is not carried out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum OrderRefused {
    /// It can't be read.
    #[error("this is no order to purge")]
    Unreadable,
    /// It is about another repository.
    #[error("the order is about another repository")]
    OtherRepository,
    /// Nothing may be touched.
    #[error("the solution is sealed; nothing of it may be purged")]
    Sealed,
    /// A legal hold is on one of them.
    #[error("a legal hold is on one of these backups; it goes before every order")]
    Held,
    /// Too few people who may have signed it.
    #[error("two members of staff must sign the order; {0} did")]
    Approvals(usize),
    /// One person alone: it is done when the time is over.
    #[error("the only member of staff signed it; it is carried out after seven days, at {0}")]
    Waits(Timestamp),
}

/// How the repository stands that an order is about.
pub struct Standing<'a> {
    /// Its id.
    pub repository: Id,
    /// Whether a legal hold is on a backup.
    pub held: &'a dyn Fn(&Id) -> bool,
    /// Whether nothing may be touched.
    pub sealed: bool,
}

impl Order {
    /// Reads and judges an order. `first_seen` is when this side first saw this very text.
    ///
    /// # Errors
    /// Why it is not carried out.
    pub fn judge(
        text: &[u8],
        approvals: &[Approval],
        staff: &Staff,
        repository: &Standing<'_>,
        (first_seen, now): (Timestamp, Timestamp),
    ) -> Result<Self, OrderRefused> {
        let order: Self = serde_json::from_slice(text).map_err(|_| OrderRefused::Unreadable)?;
        if order.repository != repository.repository {
            return Err(OrderRefused::OtherRepository);
        }
        if repository.sealed {
            return Err(OrderRefused::Sealed);
        }
        if order.snapshots.iter().any(repository.held) {
            return Err(OrderRefused::Held);
        }
        match (Self::signers(text, approvals, staff).len(), staff.keys.len()) {
            (APPROVALS.., _) => Ok(order),
            (1, 1) if now >= first_seen + ALONE => Ok(order),
            (1, 1) => Err(OrderRefused::Waits(first_seen + ALONE)),
            (count, _) => Err(OrderRefused::Approvals(count)),
        }
    }

    /// The public keys of the members of staff who signed this very text, each once, in base64.
    #[must_use]
    pub fn signers(text: &[u8], approvals: &[Approval], staff: &Staff) -> BTreeSet<String> {
        let signed = Self::to_sign(text);
        let signer = |approval: &Approval| {
            let key: [u8; 32] = STANDARD.decode(&approval.key).ok()?.try_into().ok()?;
            let known = staff.keys.iter().find(|known| known.as_bytes() == &key)?;
            let signature = Signature::from_slice(&STANDARD.decode(&approval.signature).ok()?).ok()?;
            known.verify_strict(&signed, &signature).ok()?;
            Some(STANDARD.encode(key))
        };
        approvals.iter().filter_map(signer).collect()
    }

    /// The bytes that a person signs.
    #[must_use]
    pub fn to_sign(text: &[u8]) -> Vec<u8> {
        [SIGNED, text].concat()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ed25519_dalek::{Signer, SigningKey};

    #[test]
    fn nobody_purges_alone() {
        let people: Vec<SigningKey> = [1, 2, 3].map(|seed| SigningKey::from_bytes(&[seed; 32])).into();
        let staff = |count: usize| Staff { keys: people[..count].iter().map(SigningKey::verifying_key).collect() };
        let now: Timestamp = "2026-11-28T12:00:00Z".parse().expect("a time");
        let repository = Id([9; 32]);
        let order = Order { repository, snapshots: vec![Id([1; 32])], reason: "asked for".to_owned(), given: now };
        let text = serde_json::to_vec(&order).expect("JSON");
        let sign = |who: usize, text: &[u8]| Approval {
            key: STANDARD.encode(people[who].verifying_key().as_bytes()),
            signature: STANDARD.encode(people[who].sign(&Order::to_sign(text)).to_bytes()),
        };
        let judge = |approvals: &[Approval], staff: &Staff, held: bool, sealed: bool, days: i64| {
            let later = now + SignedDuration::from_hours(24 * days);
            Order::judge(&text, approvals, staff, &Standing { repository, held: &|_| held, sealed }, (now, later))
                .map(drop)
        };
        let (one, two) = (sign(0, &text), sign(1, &text));
        assert_eq!(judge(&[one.clone(), two.clone()], &staff(3), false, false, 0), Ok(()));
        assert_eq!(
            judge(&[one.clone(), one.clone()], &staff(3), false, false, 30),
            Err(OrderRefused::Approvals(1)),
            "twice the same"
        );
        assert_eq!(
            judge(&[one.clone(), sign(2, &text)], &staff(2), false, false, 0),
            Err(OrderRefused::Approvals(1)),
            "a stranger"
        );
        assert_eq!(
            judge(&[one.clone(), sign(1, b"other")], &staff(3), false, false, 0),
            Err(OrderRefused::Approvals(1))
        );
        assert_eq!(judge(&[one.clone(), two.clone()], &staff(3), true, false, 0), Err(OrderRefused::Held));
        assert_eq!(judge(&[one.clone(), two], &staff(3), false, true, 0), Err(OrderRefused::Sealed));
        assert!(matches!(judge(std::slice::from_ref(&one), &staff(1), false, false, 6), Err(OrderRefused::Waits(_))));
        assert_eq!(judge(&[one], &staff(1), false, false, 7), Ok(()));
        assert_eq!(judge(&[], &staff(1), false, false, 7), Err(OrderRefused::Approvals(0)));
    }
}
