//! Bulk data: the bytes of an uploaded archive, for the node that is to unpack it.

use super::LinkError;
use crate::app::App;
use crate::store;
use crate::stream::Count;
use husorden_base::OrderId;
use std::io;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::unix::OwnedWriteHalf;

/// Longest time for one archive of the largest size.
const FETCH_WAIT: Duration = Duration::from_secs(1800);
/// Bytes that are passed on at a time.
const PIECE_BYTES: usize = 256 << 10;

/// Sends the bytes and closes. The node knows the size from the order, so a short answer is found out.
pub(super) async fn send(app: &App, node: &str, order: OrderId, mut write: OwnedWriteHalf) -> Result<(), LinkError> {
    let Some(name) = store::node::spool(app.doors().system(), node, order).await? else {
        tracing::warn!(node, %order, "a node asked for bytes that no open order of its own has");
        return Ok(());
    };
    let mut file = tokio::fs::File::open(app.config().spool.join(name)).await?;
    let expected = file.metadata().await.map(|data| data.len()).ok();
    let mut count = Count::new(app, order, expected);
    let passed_on = tokio::time::timeout(FETCH_WAIT, pass_on(&mut file, &mut write, &mut count)).await;
    passed_on.map_err(|_| io::Error::from(io::ErrorKind::TimedOut))??;
    write.shutdown().await?;
    Ok(())
}

/// Everything from one to the other, counted.
async fn pass_on(file: &mut tokio::fs::File, write: &mut OwnedWriteHalf, count: &mut Count) -> io::Result<()> {
    let mut piece = vec![0; PIECE_BYTES];
    loop {
        let length = file.read(&mut piece).await?;
        if length == 0 {
            count.say().await;
            return Ok(());
        }
        write.write_all(&piece[..length]).await?;
        count.add(length).await;
    }
}
