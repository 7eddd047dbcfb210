//! The renewal: settles periods that are over and begins the next. Each subscription is one transaction of the database, so a
//! worker that dies in between leaves some done and some to do, and doing it again changes nothing.

use crate::app::App;
use crate::store;
use crate::store::money::DueRow;
use husorden_rules::settlement::{Remainder, Settlement, Span, settle};

/// Subscriptions looked at in one go.
const BATCH: i32 = 200;
/// Goes in one run of the job; what is left waits for the next.
const ROUNDS_MAX: usize = 50;

/// Renews what is due. A subscription that missed several periods, because control was away, is brought up to date one by one.
pub(crate) async fn run(app: &App) -> Result<(), sqlx::Error> {
    let system = app.doors().system();
    for _ in 0..ROUNDS_MAX {
        let due = store::money::due(system, BATCH).await?;
        let mut moved = false;
        for one in &due {
            let (net, vat) = shares(one);
            match store::money::renew(system, one, net, vat).await {
                Ok(done) => moved |= done,
                // One that cannot be renewed does not keep the others waiting.
                Err(error) => {
                    tracing::error!(%error, subscription = %one.subscription, "a subscription is not renewed")
                }
            }
        }
        if !moved {
            break;
        }
    }
    Ok(())
}

/// A whole period is used, less what is credited for load.
fn shares(due: &DueRow) -> (Settlement, Settlement) {
    let period = Span { starts: due.starts, ends: due.ends };
    let of = |paid| settle(paid, period, due.ends, &due.held, Remainder::Kept);
    (of(due.net_minor), of(due.vat_minor))
}
