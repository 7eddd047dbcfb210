//! What a caller may do: capabilities, and the roles that are sets of them. Every route of the API names one.

use husorden_base::Text;
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;
use std::fmt;
use std::str::FromStr;
use utoipa::ToSchema;

/// One thing that a caller may do. The first ten are an account's, the rest staff's; `own` is everybody's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Capability {
    /// See oneself: who one is, one's own log-in and sessions. Everybody who is let in has it.
    Own,
    /// See what the account has.
    Read,
    /// Make solutions.
    SolutionCreate,
    /// Change, start, stop, restore and wake solutions.
    SolutionChange,
    /// Delete solutions and their snapshots.
    SolutionDelete,
    /// Invite members, give them roles and send them away.
    MemberManage,
    /// Change the account itself: holder, language, what is required of members.
    AccountManage,
    /// See, make and revoke tokens, and let staff in.
    TokenManage,
    /// Order plans and see what is paid.
    BillingManage,
    /// Complain of a decision.
    Complain,
    /// See accounts, solutions, cases and nodes as staff.
    StaffRead,
    /// Make and change accounts, and answer for what belongs to them.
    AccountAdminister,
    /// Open cases and note facts.
    CaseHandle,
    /// Decide in cases, and lift measures.
    CaseDecide,
    /// Run nodes.
    NodeOperate,
    /// Speak for a backup target's own side: tell what went there, and have what opens a repository while it is tidied.
    TargetKeep,
    /// Set plans and prices, and see all that is paid.
    MoneyHandle,
    /// Search and export all evidence.
    EvidenceAudit,
    /// Manage staff, their roles and their tokens.
    StaffManage,
}

use Capability as C;

impl Capability {
    /// Every one, in the order of the enum.
    pub const ALL: [Self; 19] = [
        C::Own,
        C::Read,
        C::SolutionCreate,
        C::SolutionChange,
        C::SolutionDelete,
        C::MemberManage,
        C::AccountManage,
        C::TokenManage,
        C::BillingManage,
        C::Complain,
        C::StaffRead,
        C::AccountAdminister,
        C::CaseHandle,
        C::CaseDecide,
        C::NodeOperate,
        C::TargetKeep,
        C::MoneyHandle,
        C::EvidenceAudit,
        C::StaffManage,
    ];

    /// Its word, as tokens and roles name it.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            C::Own => "own",
            C::Read => "read",
            C::SolutionCreate => "solution-create",
            C::SolutionChange => "solution-change",
            C::SolutionDelete => "solution-delete",
            C::MemberManage => "member-manage",
            C::AccountManage => "account-manage",
            C::TokenManage => "token-manage",
            C::BillingManage => "billing-manage",
            C::Complain => "complain",
            C::StaffRead => "staff-read",
            C::AccountAdminister => "account-administer",
            C::CaseHandle => "case-handle",
            C::CaseDecide => "case-decide",
            C::NodeOperate => "node-operate",
            C::TargetKeep => "target-keep",
            C::MoneyHandle => "money-handle",
            C::EvidenceAudit => "evidence-audit",
            C::StaffManage => "staff-manage",
        }
    }

    /// What it lets one do, for people: fits after "may" and "må".
    #[must_use]
    pub fn title(self) -> Text {
        let (da, en) = match self {
            C::Own => ("se sig selv", "see oneself"),
            C::Read => ("læse", "read"),
            C::SolutionCreate => ("oprette løsninger", "make solutions"),
            C::SolutionChange => ("ændre løsninger", "change solutions"),
            C::SolutionDelete => ("slette løsninger og øjebliksbilleder", "delete solutions and snapshots"),
            C::MemberManage => ("styre medlemmer", "manage members"),
            C::AccountManage => ("ændre kontoen", "change the account"),
            C::TokenManage => ("styre tokens og adgang for personale", "manage tokens and access by staff"),
            C::BillingManage => ("styre abonnementer", "manage subscriptions"),
            C::Complain => ("klage over afgørelser", "complain of decisions"),
            C::StaffRead => ("læse som personale", "read as staff"),
            C::AccountAdminister => ("administrere konti", "administer accounts"),
            C::CaseHandle => ("behandle sager", "handle cases"),
            C::CaseDecide => ("afgøre sager", "decide cases"),
            C::NodeOperate => ("drive servere", "operate nodes"),
            C::TargetKeep => ("tale for et backupmål", "speak for a backup target"),
            C::MoneyHandle => ("styre priser og regnskab", "handle prices and ledgers"),
            C::EvidenceAudit => ("gennemgå hele bevisloggen", "audit all evidence"),
            C::StaffManage => ("styre personale", "manage staff"),
        };
        Text::new(da, en)
    }

    /// Whether it belongs to staff; `own` belongs to both sides.
    #[must_use]
    pub const fn is_staffs(self) -> bool {
        matches!(
            self,
            C::StaffRead
                | C::AccountAdminister
                | C::CaseHandle
                | C::CaseDecide
                | C::NodeOperate
                | C::TargetKeep
                | C::MoneyHandle
                | C::EvidenceAudit
                | C::StaffManage
        )
    }

    /// What staff need on a route that asks an account for this; any one of them is enough. Writing to a customer's solution
    /// takes a grant besides.
    #[must_use]
    pub const fn of_staff(self) -> &'static [Self] {
        match self {
            C::Own => &[C::Own],
            C::Read | C::StaffRead => &[C::StaffRead],
            C::SolutionCreate | C::SolutionChange | C::SolutionDelete => {
                &[C::AccountAdminister, C::CaseHandle, C::NodeOperate]
            }
            C::MemberManage | C::AccountManage | C::AccountAdminister => &[C::AccountAdminister],
            // Breaking the glass is for whoever may have to act on a solution; which tokens are whose to make is looked at closer.
            C::TokenManage => &[C::AccountAdminister, C::StaffManage, C::CaseHandle, C::NodeOperate],
            C::BillingManage | C::MoneyHandle => &[C::MoneyHandle],
            // Who decides does not complain of it.
            C::Complain => &[],
            C::CaseHandle => &[C::CaseHandle],
            C::CaseDecide => &[C::CaseDecide],
            C::NodeOperate => &[C::NodeOperate],
            C::TargetKeep => &[C::TargetKeep],
            C::EvidenceAudit => &[C::EvidenceAudit],
            C::StaffManage => &[C::StaffManage],
        }
    }

    /// Whether it is one of the verbs on solutions, which staff use under a grant only.
    #[must_use]
    pub const fn changes_solutions(self) -> bool {
        matches!(self, C::SolutionCreate | C::SolutionChange | C::SolutionDelete)
    }
}

impl fmt::Display for Capability {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.word())
    }
}

impl FromStr for Capability {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::ALL.into_iter().find(|one| one.word() == text).ok_or_else(|| {
            let words: Vec<&str> = Self::ALL.iter().map(|one| one.word()).collect();
            format!("{text:?} is no capability; there are {}", words.join(", "))
        })
    }
}

/// A set of capabilities. As JSON it is a list of words, each once and in a fixed order.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "BTreeSet<Capability>", into = "BTreeSet<Capability>")]
pub struct Capabilities(u32);

impl Capabilities {
    /// None.
    pub const NONE: Self = Self(0);

    /// These.
    #[must_use]
    pub const fn of(list: &[Capability]) -> Self {
        let (mut bits, mut at) = (0, 0);
        while at < list.len() {
            bits |= 1 << list[at] as u32;
            at += 1;
        }
        Self(bits)
    }

    /// All that an account can have.
    #[must_use]
    pub fn of_account() -> Self {
        Role::Owner.capabilities()
    }

    /// All that staff can have.
    #[must_use]
    pub fn of_staff() -> Self {
        Capability::ALL.into_iter().filter(|one| one.is_staffs() || *one == C::Own).collect()
    }

    /// Whether this one is among them.
    #[must_use]
    pub const fn has(self, one: Capability) -> bool {
        self.0 & (1 << one as u32) != 0
    }

    /// Whether any of these is among them.
    #[must_use]
    pub fn has_any(self, of: &[Capability]) -> bool {
        of.iter().any(|one| self.has(*one))
    }

    /// With this one.
    #[must_use]
    pub const fn with(self, one: Capability) -> Self {
        Self(self.0 | 1 << one as u32)
    }

    /// Those of either.
    #[must_use]
    pub const fn and(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// Those of this set that the other lacks.
    #[must_use]
    pub const fn beyond(self, other: Self) -> Self {
        Self(self.0 & !other.0)
    }

    /// Whether there are none.
    #[must_use]
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// Each of them, in the order of the enum.
    pub fn iter(self) -> impl Iterator<Item = Capability> {
        Capability::ALL.into_iter().filter(move |one| self.has(*one))
    }

    /// Their words, parted by commas.
    #[must_use]
    pub fn words(self) -> String {
        self.iter().map(Capability::word).collect::<Vec<_>>().join(", ")
    }
}

impl FromIterator<Capability> for Capabilities {
    fn from_iter<I: IntoIterator<Item = Capability>>(list: I) -> Self {
        list.into_iter().fold(Self::NONE, Self::with)
    }
}

impl From<BTreeSet<Capability>> for Capabilities {
    fn from(list: BTreeSet<Capability>) -> Self {
        list.into_iter().collect()
    }
}

impl From<Capabilities> for BTreeSet<Capability> {
    fn from(set: Capabilities) -> Self {
        set.iter().collect()
    }
}

/// The role of a member in an account.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Role {
    /// Everything; an account always has one.
    Owner,
    /// Everything but the account itself.
    Admin,
    /// Solutions and tokens.
    Technical,
    /// Subscriptions.
    Billing,
    /// Only looks.
    ReadOnly,
}

impl Role {
    /// Every role.
    pub const ALL: [Self; 5] = [Self::Owner, Self::Admin, Self::Technical, Self::Billing, Self::ReadOnly];

    /// Its word.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Owner => "owner",
            Self::Admin => "admin",
            Self::Technical => "technical",
            Self::Billing => "billing",
            Self::ReadOnly => "read-only",
        }
    }

    /// What it may.
    #[must_use]
    pub const fn capabilities(self) -> Capabilities {
        const ADMIN: Capabilities = Capabilities::of(&[
            C::Own,
            C::Read,
            C::SolutionCreate,
            C::SolutionChange,
            C::SolutionDelete,
            C::MemberManage,
            C::TokenManage,
            C::BillingManage,
            C::Complain,
        ]);
        match self {
            Self::Owner => ADMIN.with(C::AccountManage),
            Self::Admin => ADMIN,
            Self::Technical => Capabilities::of(&[
                C::Own,
                C::Read,
                C::SolutionCreate,
                C::SolutionChange,
                C::SolutionDelete,
                C::TokenManage,
            ]),
            Self::Billing => Capabilities::of(&[C::Own, C::Read, C::BillingManage]),
            Self::ReadOnly => Capabilities::of(&[C::Own, C::Read]),
        }
    }
}

/// A role of staff. One may have several.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub enum StaffRole {
    /// Helps customers.
    Support,
    /// Handles and decides cases.
    Abuse,
    /// Runs the machines, and manages staff.
    Operations,
    /// Plans, prices and ledgers.
    Finance,
    /// Looks at everything and changes nothing.
    Auditor,
}

impl StaffRole {
    /// Every role.
    pub const ALL: [Self; 5] = [Self::Support, Self::Abuse, Self::Operations, Self::Finance, Self::Auditor];

    /// Its word.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Support => "support",
            Self::Abuse => "abuse",
            Self::Operations => "operations",
            Self::Finance => "finance",
            Self::Auditor => "auditor",
        }
    }

    /// What people call it, within a sentence.
    #[must_use]
    pub fn title(self) -> Text {
        let (da, en) = match self {
            Self::Support => ("support", "support"),
            Self::Abuse => ("misbrug", "abuse"),
            Self::Operations => ("drift", "operations"),
            Self::Finance => ("økonomi", "finance"),
            Self::Auditor => ("revision", "audit"),
        };
        Text::new(da, en)
    }

    /// What it may.
    #[must_use]
    pub const fn capabilities(self) -> Capabilities {
        const LOOKS: Capabilities = Capabilities::of(&[C::Own, C::StaffRead]);
        match self {
            Self::Support => LOOKS.with(C::AccountAdminister),
            Self::Abuse => LOOKS.with(C::CaseHandle).with(C::CaseDecide),
            Self::Operations => LOOKS.with(C::NodeOperate).with(C::TargetKeep).with(C::StaffManage),
            Self::Finance => LOOKS.with(C::MoneyHandle),
            Self::Auditor => LOOKS.with(C::EvidenceAudit),
        }
    }
}

macro_rules! worded {
    ($($role:ident),+) => {$(
        impl fmt::Display for $role {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(self.word())
            }
        }

        impl FromStr for $role {
            type Err = String;
            fn from_str(text: &str) -> Result<Self, Self::Err> {
                Self::ALL.into_iter().find(|one| one.word() == text).ok_or_else(|| {
                    let words: Vec<&str> = Self::ALL.iter().map(|one| one.word()).collect();
                    format!("{text:?} is no role; there are {}", words.join(", "))
                })
            }
        }
    )+};
}

worded!(Role, StaffRole);

/// The roles of one side that have any of these capabilities, as words.
#[must_use]
pub fn roles_with(staff: bool, any: &[Capability]) -> Vec<&'static str> {
    if staff {
        StaffRole::ALL.iter().filter(|role| role.capabilities().has_any(any)).map(|role| role.word()).collect()
    } else {
        Role::ALL.iter().filter(|role| role.capabilities().has_any(any)).map(|role| role.word()).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_the_same_in_json_and_in_text() {
        for one in Capability::ALL {
            assert_eq!(serde_json::to_string(&one).expect("JSON"), format!("\"{one}\""));
            assert_eq!(one.word().parse(), Ok(one));
        }
        for role in Role::ALL {
            assert_eq!(serde_json::to_string(&role).expect("JSON"), format!("\"{role}\""));
            assert_eq!(role.word().parse(), Ok(role));
        }
        for role in StaffRole::ALL {
            assert_eq!(serde_json::to_string(&role).expect("JSON"), format!("\"{role}\""));
            assert_eq!(role.word().parse(), Ok(role));
        }
        assert!("read ".parse::<Capability>().is_err());
    }

    #[test]
    fn a_set_is_a_list_in_order() {
        let set: Capabilities = serde_json::from_str(r#"["solution-delete", "read", "read"]"#).expect("a set");
        assert_eq!(serde_json::to_string(&set).expect("JSON"), r#"["read","solution-delete"]"#);
        assert!(set.has(C::Read) && !set.has(C::Own));
        assert_eq!(set.beyond(Role::Technical.capabilities()), Capabilities::NONE);
        assert!(serde_json::from_str::<Capabilities>(r#"["everything"]"#).is_err());
    }

    /// The whole matrix as text, so that a change of what a role may is seen.
    #[test]
    fn roles_are_these_sets() {
        let members: Vec<String> =
            Role::ALL.iter().map(|role| format!("{role}: {}", role.capabilities().words())).collect();
        assert_eq!(
            members,
            [
                "owner: own, read, solution-create, solution-change, solution-delete, member-manage, account-manage, token-manage, billing-manage, complain",
                "admin: own, read, solution-create, solution-change, solution-delete, member-manage, token-manage, billing-manage, complain",
                "technical: own, read, solution-create, solution-change, solution-delete, token-manage",
                "billing: own, read, billing-manage",
                "read-only: own, read",
            ]
        );
        let staff: Vec<String> =
            StaffRole::ALL.iter().map(|role| format!("{role}: {}", role.capabilities().words())).collect();
        assert_eq!(
            staff,
            [
                "support: own, staff-read, account-administer",
                "abuse: own, staff-read, case-handle, case-decide",
                "operations: own, staff-read, node-operate, target-keep, staff-manage",
                "finance: own, staff-read, money-handle",
                "auditor: own, staff-read, evidence-audit",
            ]
        );
    }

    #[test]
    fn the_two_sides_share_nothing_but_oneself() {
        assert_eq!(Capabilities::of_account().and(Capabilities::of_staff()).iter().count(), Capability::ALL.len());
        let shared: Vec<C> =
            Capabilities::of_account().iter().filter(|one| Capabilities::of_staff().has(*one)).collect();
        assert_eq!(shared, [C::Own]);
        for one in Capability::ALL {
            assert!(one.of_staff().iter().all(|of| Capabilities::of_staff().has(*of)), "{one}");
            assert!(!roles_with(one.is_staffs(), &[one]).is_empty(), "a role has {one}");
        }
        assert!(!StaffRole::Auditor.capabilities().has_any(C::SolutionChange.of_staff()));
    }
}
