//! Identifiers: UUIDs of version 7 (RFC 9562), each in a type of its own so that one cannot be taken for another.

use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;
use uuid::Uuid;

macro_rules! ids {
    ($($(#[$doc:meta])* $name:ident),+ $(,)?) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(pub Uuid);

        impl $name {
            /// A fresh id; later ids sort after earlier ones.
            #[must_use]
            #[allow(clippy::new_without_default, reason = "a default id would look like a constant")]
            pub fn new() -> Self {
                Self(Uuid::now_v7())
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }

        impl FromStr for $name {
            type Err = uuid::Error;
            fn from_str(text: &str) -> Result<Self, Self::Err> {
                Uuid::parse_str(text).map(Self)
            }
        }
    )+};
}

ids! {
    /// One thing a customer has: a site, a database, a server.
    SolutionId,
    /// The account of one account holder.
    AccountId,
    /// A case at the desk.
    CaseId,
    /// A measure that a decision orders.
    MeasureId,
    /// Something asked of a node once: a snapshot, a restore, an upload.
    OrderId,
    /// A snapshot of a solution's volume.
    SnapshotId,
    /// An API token.
    TokenId,
    /// A human being who logs in.
    PersonId,
    /// One log-in of a person, from one device.
    SessionId,
    /// An invitation to become a member of an account.
    InvitationId,
    /// A plan that an account has ordered.
    SubscriptionId,
    /// Leave for staff to act on an account's solutions.
    GrantId,
    /// A question to a node.
    QuestionId,
    /// A place where backups go.
    TargetId,
    /// A backup of a solution.
    BackupId,
    /// A proof that a backup can be restored and opened.
    ProofId,
    /// A private network of an account.
    NetworkId,
}

/// A small number that one installation gives to one solution and never again; interface names, uids, quota groups and
/// internal addresses are derived from it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "u32", into = "u32")]
pub struct Number(u32);

impl Number {
    /// The largest number: what fits the internal IPv4 range 100.64.0.0/10, less its ends.
    pub const MAX: u32 = (1 << 22) - 2;

    /// `None` for zero and for numbers above [`Number::MAX`].
    #[must_use]
    pub const fn new(number: u32) -> Option<Self> {
        if number == 0 || number > Self::MAX { None } else { Some(Self(number)) }
    }

    /// The number itself.
    #[must_use]
    pub const fn get(self) -> u32 {
        self.0
    }

    /// The uid and gid of everything that runs for the solution. The range starts far above what Debian gives out.
    #[must_use]
    pub const fn uid(self) -> u32 {
        1_000_000 + self.0
    }

    /// The port's internal IPv4 address, from the shared address space of RFC 6598.
    #[must_use]
    pub fn ipv4(self) -> std::net::Ipv4Addr {
        std::net::Ipv4Addr::from(0x6440_0000 + self.0)
    }

    /// The port's internal IPv6 address, from a unique local prefix (RFC 4193).
    #[must_use]
    pub fn ipv6(self) -> std::net::Ipv6Addr {
        std::net::Ipv6Addr::from(0xfd48_7573_6f72_0000_0000_0000_0000_0000_u128 + u128::from(self.0))
    }
}

impl fmt::Display for Number {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl TryFrom<u32> for Number {
    type Error = String;
    fn try_from(number: u32) -> Result<Self, Self::Error> {
        Self::new(number).ok_or_else(|| format!("{number} is no solution number: 1 to {} are", Self::MAX))
    }
}

impl From<Number> for u32 {
    fn from(number: Number) -> Self {
        number.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_stays_inside_its_ranges() {
        assert!(Number::new(0).is_none());
        let last = Number::new(Number::MAX).expect("the largest number is a number");
        assert_eq!(last.ipv4().to_string(), "100.127.255.254");
        assert_eq!(Number::new(7).expect("7").ipv6().to_string(), "fd48:7573:6f72::7");
        assert!(Number::new(Number::MAX + 1).is_none());
    }

    #[test]
    fn ids_are_distinct_and_sorted_by_time() {
        let (first, second) = (SolutionId::new(), SolutionId::new());
        assert!(first < second);
        assert_eq!(first.to_string().parse::<SolutionId>().expect("its own text"), first);
    }
}
