//! How far the stream of an order is: whoever passes its bytes on counts them, and says so now and then. What a dump will come to nobody
//! knows before it is made: the former one says it best, and where there is none the size of the data does.

use crate::app::App;
use crate::doors::TenantTx;
use crate::fault::Fault;
use crate::store;
use crate::store::solution::SolutionRow;
use husorden_base::OrderId;
use husorden_kinds::StreamFormat;
use std::time::{Duration, Instant};

/// Pause between two times that it is written down.
const SAY_PAUSE: Duration = Duration::from_secs(1);

/// A stream that is passed on.
#[derive(Debug)]
pub(crate) struct Count {
    app: App,
    order: OrderId,
    expected: Option<u64>,
    bytes: u64,
    said: Instant,
}

impl Count {
    /// Begins at nothing.
    pub(crate) fn new(app: &App, order: OrderId, expected: Option<u64>) -> Self {
        Self { app: app.clone(), order, expected, bytes: 0, said: Instant::now() }
    }

    /// So many more went through.
    pub(crate) async fn add(&mut self, bytes: usize) {
        self.bytes += bytes as u64;
        if self.said.elapsed() >= SAY_PAUSE {
            self.say().await;
        }
    }

    /// Writes down how many it is. That nobody reads how far it is does not hold it up.
    pub(crate) async fn say(&mut self) {
        let system = self.app.doors().system();
        if let Err(error) = store::order::flow(system, self.order, self.bytes, self.expected).await {
            tracing::warn!(%error, order = %self.order, "how far a stream is could not be written down");
        }
        self.said = Instant::now();
    }
}

/// About how many bytes a part will be in a format, where anything is known of it.
pub(crate) async fn expected(
    app: &App,
    tx: &mut TenantTx,
    row: &SolutionRow,
    part: &str,
    format: StreamFormat,
) -> Result<Option<u64>, Fault> {
    if let Some(former) = store::order::dumped(tx.conn(), row.id, part, format.word).await? {
        return Ok(Some(former));
    }
    let Some(kind) = app.kind(&row.kind) else { return Ok(None) };
    // The figure is of all parts together, so it says nothing of one among several.
    let (Some(figure), [_]) = (kind.parts_figure(), kind.parts(&row.spec).as_slice()) else { return Ok(None) };
    let data = store::sample::newest(tx.conn(), row.id, figure).await?;
    Ok(data.map(|data| data / 100 * u64::from(format.share_percent)))
}
