//! What an account may use by what it subscribes to, and the refusal that says which plan would do.
//!
//! An account without a subscription is held by the installation's own limits only.

use crate::app::App;
use crate::fault::Fault;
use crate::store;
use crate::store::money::{PlanRow, SubscriptionRow};
use husorden_base::{AccountId, Bytes, Refusal, SolutionId, Text};
use husorden_kinds::Demand;
use husorden_wire::api::Quota;
use serde_json::Value;
use sqlx::PgConnection;

/// What is used, or would be.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Used {
    solutions: u64,
    disk: u64,
    memory: u64,
    cpu: u64,
}

impl Used {
    fn with(self, demand: Demand) -> Self {
        Self {
            solutions: self.solutions.saturating_add(1),
            disk: self.disk.saturating_add(demand.disk.0),
            memory: self.memory.saturating_add(demand.memory.0),
            cpu: self.cpu.saturating_add(demand.cpu_percent.into()),
        }
    }
}

/// A thing that is counted: how much of it, in words and in a quota.
struct Counted {
    name: Text,
    used: fn(&Used) -> u64,
    quota: fn(&Quota) -> Option<u64>,
    shown: fn(u64) -> String,
}

fn counted() -> [Counted; 4] {
    [
        Counted {
            name: Text::new("løsninger", "solutions"),
            used: |used| used.solutions,
            quota: |quota| quota.solutions,
            shown: |count| format!("{count} solutions"),
        },
        Counted {
            name: Text::new("disk", "disk"),
            used: |used| used.disk,
            quota: |quota| quota.disk_bytes,
            shown: |bytes| Bytes(bytes).to_string(),
        },
        Counted {
            name: Text::new("hukommelse", "memory"),
            used: |used| used.memory,
            quota: |quota| quota.memory_bytes,
            shown: |bytes| Bytes(bytes).to_string(),
        },
        Counted {
            name: Text::new("processor", "processor"),
            used: |used| used.cpu,
            quota: |quota| quota.cpu_percent,
            shown: |percent| format!("{percent} % of a core"),
        },
    ]
}

/// What subscriptions give together of one thing; none is without limit.
fn given(active: &[SubscriptionRow], quota: fn(&Quota) -> Option<u64>) -> Option<u64> {
    active.iter().try_fold(0_u64, |sum, row| match (quota(&row.quota), row.addon) {
        (Some(value), _) => Some(sum.saturating_add(value.saturating_mul(row.quantity.into()))),
        (None, true) => Some(sum),
        (None, false) => None,
    })
}

/// Checks a solution that is to be made, or changed from what it is. The account's count is locked by the caller.
pub(crate) async fn check(
    app: &App,
    conn: &mut PgConnection,
    account: AccountId,
    id: SolutionId,
    kind: &str,
    spec: &Value,
) -> Result<(), Fault> {
    let active = store::money::active(conn, account).await?;
    if active.is_empty() {
        return Ok(());
    }
    let demand = |kind: &str, spec: &Value| app.kind(kind).map_or_else(Demand::default, |kind| kind.demand(spec));
    let (mut others, mut before) = (Used::default(), Used::default());
    let mut fresh = true;
    for (of, kind, spec) in store::solution::demands(conn, account).await? {
        before = before.with(demand(&kind, &spec));
        if of == id {
            fresh = false;
        } else {
            others = others.with(demand(&kind, &spec));
        }
    }
    let after = others.with(demand(kind, spec));
    let Some(no) = judge(&active, fresh.then_some(kind), before, after) else { return Ok(()) };
    let plans = store::money::plans(conn).await?;
    Err(no.refusal(enough(&plans, &active, kind, after)).into())
}

/// Why not.
enum No {
    Kind(String),
    More { name: Text, measured: String, limit: String },
}

/// What would be too much: only what grows is held against a limit, so that an account above it can still shrink.
fn judge(active: &[SubscriptionRow], fresh: Option<&str>, before: Used, after: Used) -> Option<No> {
    if let Some(kind) = fresh {
        let allows = |row: &SubscriptionRow| row.kinds.as_ref().is_none_or(|kinds| kinds.iter().any(|one| one == kind));
        if !active.iter().any(|row| !row.addon && allows(row)) {
            return Some(No::Kind(kind.to_owned()));
        }
    }
    counted().into_iter().find_map(|thing| {
        let (was, is) = ((thing.used)(&before), (thing.used)(&after));
        let limit = given(active, thing.quota)?;
        (is > limit && is > was).then(|| No::More {
            name: thing.name,
            measured: (thing.shown)(is),
            limit: (thing.shown)(limit),
        })
    })
}

/// The cheapest plan that is sold and would hold all of it alone, besides those the account has.
fn enough<'a>(plans: &'a [PlanRow], active: &[SubscriptionRow], kind: &str, after: Used) -> Option<&'a PlanRow> {
    let currency = active.first().map(|row| row.currency);
    plans
        .iter()
        .filter(|plan| plan.sold && !plan.addon && Some(plan.currency) == currency)
        .filter(|plan| plan.kinds.as_ref().is_none_or(|kinds| kinds.iter().any(|one| one == kind)))
        .filter(|plan| {
            counted().iter().all(|thing| (thing.quota)(&plan.quota).is_none_or(|limit| (thing.used)(&after) <= limit))
        })
        .min_by_key(|plan| if plan.period == "year" { plan.price_minor } else { plan.price_minor.saturating_mul(12) })
}

impl No {
    fn refusal(self, enough: Option<&PlanRow>) -> Refusal {
        let detail = match enough {
            Some(plan) => {
                use husorden_base::Language::{Da, En};
                let (da, en) = if plan.period == "year" { ("om året", "a year") } else { ("om måneden", "a month") };
                Text::new(
                    format!(
                        "Planen {} ({}) kan rumme det: {} {da} uden moms.",
                        plan.name.da,
                        plan.code,
                        plan.price().in_words(Da)
                    ),
                    format!(
                        "The plan {} ({}) would do: {} {en} without VAT.",
                        plan.name.en,
                        plan.code,
                        plan.price().in_words(En)
                    ),
                )
            }
            None => Text::new(
                "Slet eller formindsk noget først, bestil et tilkøb, eller spørg os om en aftale.",
                "Delete or shrink something first, order an add-on, or ask us for an agreement.",
            ),
        };
        match self {
            Self::Kind(kind) => Refusal::new(
                "plan-kind",
                409,
                Text::new(
                    format!("Kontoens plan giver ikke ret til {kind}"),
                    format!("The account's plan does not allow {kind}"),
                ),
                detail,
            ),
            Self::More { name, measured, limit } => Refusal::new(
                "plan-limit",
                409,
                Text::new(
                    format!("Det er mere, end kontoens plan giver: {}", name.da),
                    format!("That is more than the account's plan gives: {}", name.en),
                ),
                detail,
            )
            .with_limit(measured, limit),
        }
    }
}
