//! Bulk data: the bytes of an uploaded archive, for the node that is to unpack it.

use super::LinkError;
use crate::app::App;
use crate::store;
use husorden_base::OrderId;
use std::io;
use std::time::Duration;
use tokio::io::AsyncWriteExt;
use tokio::net::unix::OwnedWriteHalf;

/// Longest time for one archive of the largest size.
const FETCH_WAIT: Duration = Duration::from_secs(1800);

/// Sends the bytes and closes. The node knows the size from the order, so a short answer is found out.
pub(super) async fn send(app: &App, node: &str, order: OrderId, mut write: OwnedWriteHalf) -> Result<(), LinkError> {
    let Some(name) = store::node::spool(app.doors().system(), node, order).await? else {
        tracing::warn!(node, %order, "a node asked for bytes that no open order of its own has");
        return Ok(());
    };
    let mut file = tokio::fs::File::open(app.config().spool.join(name)).await?;
    let copied = tokio::time::timeout(FETCH_WAIT, tokio::io::copy(&mut file, &mut write)).await;
    copied.map_err(|_| io::Error::from(io::ErrorKind::TimedOut))??;
    write.shutdown().await?;
    Ok(())
}
