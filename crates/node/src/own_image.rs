//! Disk images of accounts, as servers of the same account are made from them: where the disk lies on this node, asked each time.

use crate::Node;
use husorden_base::{Bytes, RuntimeName};
use husorden_kinds::{Aim, VolumeSight, kind, own_image};
use husorden_wire::node::Wish;
use jiff::Timestamp;
use std::path::PathBuf;

/// The folder that holds the disk and the disk's size, for who wishes to be made from it. None where that is nobody's image, another
/// account's, one that a measure holds, or one that is not finished or is on its way out.
pub(crate) fn of(node: &Node, wish: &Wish, name: &RuntimeName) -> Option<(PathBuf, Bytes)> {
    let number = own_image::number_of(name)?;
    let image = node.register.wish(node.register.owner(number)?)?;
    let held = node.register.held(image.solution, image.account, Timestamp::now()).is_some();
    if image.account != wish.account || image.aim != Aim::Run || held {
        return None;
    }
    let volume = node.volume(number);
    let VolumeSight::Live { .. } = volume.look().ok()? else { return None };
    let (folder, disk) = kind(&image.kind)?.gives_disk(&volume.marks().ok()?)?;
    Some((volume.folder(folder), disk))
}
