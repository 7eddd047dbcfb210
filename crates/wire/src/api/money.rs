//! Types of plans, subscriptions and the ledger in the API. Amounts are whole minor units of a currency.

use husorden_base::{Money, Text};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// A plan that accounts can subscribe to, or an add-on to one.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct Plan {
    /// Its id.
    pub id: String,
    /// Its short name for programs.
    pub code: String,
    /// What people call it.
    #[schema(value_type = Object)]
    pub name: Text,
    /// What it gives.
    #[schema(value_type = Object)]
    pub about: Text,
    /// It adds to another plan and cannot stand alone.
    pub addon: bool,
    /// Price of one period, without VAT.
    #[schema(value_type = Object)]
    pub price: Money,
    /// VAT that is added, in hundredths of a percent: 2500 is 25 %.
    pub vat_bp: u32,
    /// `month` or `year`; paid in advance.
    pub period: String,
    /// What an ending before its time gives back, when it is not for a breach: `remainder` or `none`.
    pub refund: String,
    /// What an account with it may use.
    pub quota: Quota,
    /// The kinds that may be made on it; none is every kind.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kinds: Option<Vec<String>>,
    /// Whether it can be ordered.
    pub sold: bool,
}

/// What an account may use. What is left out is not limited by a plan, and not raised by an add-on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Quota {
    /// Solutions.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub solutions: Option<u64>,
    /// Disk of all solutions together, in bytes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub disk_bytes: Option<u64>,
    /// Memory of all solutions together, in bytes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub memory_bytes: Option<u64>,
    /// Processor of all solutions together, in percent of one core.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cpu_percent: Option<u64>,
}

/// An order for a plan; staff only.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct PlanCreate {
    /// Its short name: 2 to 40 of a-z, 0-9 and inner hyphens.
    pub code: String,
    /// What people call it.
    #[schema(value_type = Object)]
    pub name: Text,
    /// What it gives.
    #[schema(value_type = Object)]
    pub about: Text,
    /// It adds to another plan.
    #[serde(default)]
    pub addon: bool,
    /// Price of one period, without VAT.
    #[schema(value_type = Object)]
    pub price: Money,
    /// VAT that is added, in hundredths of a percent.
    #[serde(default)]
    pub vat_bp: u32,
    /// `month` or `year`.
    pub period: String,
    /// `remainder` or `none`.
    pub refund: String,
    /// What an account with it may use.
    #[serde(default)]
    pub quota: Quota,
    /// The kinds that may be made on it; none is every kind.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kinds: Option<Vec<String>>,
}

/// A change of a plan; staff only. What is left out stays. A price holds from the next period.
#[derive(Clone, Debug, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct PlanChange {
    /// What people call it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Object>)]
    pub name: Option<Text>,
    /// What it gives.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Object>)]
    pub about: Option<Text>,
    /// Price of one period, in the plan's currency.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Object>)]
    pub price: Option<Money>,
    /// VAT that is added, in hundredths of a percent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub vat_bp: Option<u32>,
    /// `remainder` or `none`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub refund: Option<String>,
    /// What an account with it may use, whole.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub quota: Option<Quota>,
    /// The kinds that may be made on it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kinds: Option<Vec<String>>,
    /// Whether it can be ordered.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sold: Option<bool>,
}

/// What an account has ordered: a plan or an add-on, with its newest period.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct Subscription {
    /// Its id.
    pub id: String,
    /// Whose it is.
    pub account: String,
    /// The plan's code.
    pub plan: String,
    /// What people call the plan.
    #[schema(value_type = Object)]
    pub name: Text,
    /// It is an add-on.
    pub addon: bool,
    /// How many of it.
    pub quantity: u32,
    /// `active` or `ended`.
    pub state: String,
    /// Whether another period follows this one.
    pub renews: bool,
    /// Since when.
    #[schema(value_type = String)]
    pub started: Timestamp,
    /// When it ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub ended: Option<Timestamp>,
    /// Why it ended: `customer`, `provider`, `breach` or `lapsed`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ending: Option<String>,
    /// The case of an ending for breach.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub case: Option<String>,
    /// The newest period.
    pub period: SubscriptionPeriod,
    /// What one of it gives.
    pub quota: Quota,
    /// The kinds that may be made on it; none is every kind.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kinds: Option<Vec<String>>,
}

/// A period of a subscription, paid in advance.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct SubscriptionPeriod {
    /// Its number, from 1.
    pub number: u32,
    /// Its begin.
    #[schema(value_type = String)]
    pub starts: Timestamp,
    /// Its end.
    #[schema(value_type = String)]
    pub ends: Timestamp,
    /// Its price without VAT.
    #[schema(value_type = Object)]
    pub net: Money,
    /// The VAT.
    #[schema(value_type = Object)]
    pub vat: Money,
}

/// An order of a plan.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SubscriptionCreate {
    /// The plan, by code or id.
    pub plan: String,
    /// How many; only of add-ons more than one.
    #[serde(default = "one")]
    pub quantity: u32,
    /// For staff: for which account.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub account: Option<String>,
}

const fn one() -> u32 {
    1
}

/// How a subscription is ended.
#[derive(Clone, Debug, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SubscriptionEnd {
    /// `period-end` (the default): it runs out. `now`: it ends at once. `never`: it renews after all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub when: Option<String>,
    /// For staff, with `now`: `provider` (the default) or `breach`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub why: Option<String>,
    /// For staff: the case of a breach.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub case: Option<String>,
}

/// What an ending means in money.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct Ending {
    /// Of which subscription.
    pub subscription: String,
    /// `customer`, `provider` or `breach`.
    pub why: String,
    /// At which moment.
    #[schema(value_type = String)]
    pub at: Timestamp,
    /// What was paid for the period, without VAT.
    #[schema(value_type = Object)]
    pub paid: Money,
    /// What was used of it.
    #[schema(value_type = Object)]
    pub used: Money,
    /// What is credited for time suspended for load.
    #[schema(value_type = Object)]
    pub credited: Money,
    /// What is forfeited.
    #[schema(value_type = Object)]
    pub forfeited: Money,
    /// What is refunded of the days that are left.
    #[schema(value_type = Object)]
    pub refunded: Money,
    /// What goes back to the account in all, with VAT.
    #[schema(value_type = Object)]
    pub back: Money,
    /// The same as a sentence for a decision.
    #[schema(value_type = Object)]
    pub statement: Text,
}

/// What a decision forfeits: a subscription that ended for breach of the house rules (clause `money.breach`). Amounts are with VAT.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct Forfeit {
    /// The subscription.
    pub subscription: String,
    /// The plan's code.
    pub plan: String,
    /// What people call the plan.
    #[schema(value_type = Object)]
    pub name: Text,
    /// When it ended.
    #[schema(value_type = String)]
    pub ended: Timestamp,
    /// What is forfeited of what was paid.
    #[schema(value_type = Object)]
    pub lost: Money,
    /// What is credited all the same.
    #[schema(value_type = Object)]
    pub back: Money,
    /// When the amount was given back, because a complaint was upheld.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub returned: Option<Timestamp>,
    /// The same as a sentence.
    #[schema(value_type = Object)]
    pub statement: Text,
}

/// An entry of the ledger.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct LedgerEntry {
    /// Its number.
    pub id: u64,
    /// When.
    #[schema(value_type = String)]
    pub at: Timestamp,
    /// `period`, `settlement`, `payment` or `return`.
    pub kind: String,
    /// Whose.
    pub account: String,
    /// Of which subscription.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub subscription: Option<String>,
    /// Of which period.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub period: Option<u32>,
    /// What it is about.
    pub text: String,
    /// Who made it.
    pub by: String,
    /// Its postings, which come to zero.
    pub postings: Vec<Posting>,
}

/// A line of an entry: above zero a debit, below a credit.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct Posting {
    /// `receivable`, `unearned`, `revenue`, `forfeited`, `vat` or `bank`.
    pub ledger: String,
    /// How much.
    #[schema(value_type = Object)]
    pub amount: Money,
}

/// Money that came in, or went back when it is below zero; staff only.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Payment {
    /// From which account.
    pub account: String,
    /// How much.
    #[schema(value_type = Object)]
    pub amount: Money,
    /// The bank's or provider's reference; the same one is entered once.
    pub reference: String,
}
