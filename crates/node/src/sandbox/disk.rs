//! Limits on reading and writing the disk: what this machine can enforce, and on which device.
//!
//! On pure cgroup v2 the bounds hold for all that is written; on v1 for reads and for what is written directly or synced, because
//! there the kernel writes back what lies in memory in nobody's name. `doctor` says which it is.

use serde::{Deserialize, Serialize};
use std::fs;
use std::path::{Path, PathBuf};

/// A whole block device, by the kernel's numbers: bounds cannot be set on a partition.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Disk {
    /// Major number.
    pub major: u64,
    /// Minor number.
    pub minor: u64,
}

impl Disk {
    /// The disk that a block device is, or is a part of; none when sysfs, mounted at `sys`, does not know the device.
    #[must_use]
    pub fn of(sys: &Path, major: u64, minor: u64) -> Option<Self> {
        let device = fs::canonicalize(sys.join("dev/block").join(format!("{major}:{minor}"))).ok()?;
        let whole = if device.join("partition").exists() { device.parent()?.to_owned() } else { device };
        let text = fs::read_to_string(whole.join("dev")).ok()?;
        let (major, minor) = text.trim().split_once(':')?;
        Some(Self { major: major.parse().ok()?, minor: minor.parse().ok()? })
    }
}

/// What a machine's cgroups can do about reading and writing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Means {
    /// Bytes and operations a second can be bounded.
    pub bounds: bool,
    /// The bounds also hold for what the kernel writes back later.
    pub buffered: bool,
    /// A weight can be set; whether the disk's scheduler heeds it is another matter.
    pub weight: bool,
}

impl Means {
    /// Of a pure v2 tree.
    #[must_use]
    pub(crate) fn unified(root: &Path) -> Self {
        let controllers = fs::read_to_string(root.join("cgroup.controllers")).unwrap_or_default();
        let io = controllers.split_whitespace().any(|controller| controller == "io");
        // Only the root has this file, and only where its children have io.weight.
        Self { bounds: io, buffered: io, weight: io && root.join("io.cost.qos").exists() }
    }

    /// Of the v1 controller for block devices, if it is mounted.
    #[must_use]
    pub(crate) fn old(blkio: Option<&PathBuf>) -> Self {
        let bounds = blkio.is_some_and(|blkio| blkio.join("blkio.throttle.write_bps_device").exists());
        Self { bounds, buffered: false, weight: false }
    }
}

/// Whether something heeds weights on this disk: the cost model of v2, or a scheduler that shares by weight.
#[must_use]
pub(crate) fn weighed(sys: &Path, root: &Path, disk: Disk) -> bool {
    let Disk { major, minor } = disk;
    let device = format!("{major}:{minor}");
    let qos = fs::read_to_string(root.join("io.cost.qos")).unwrap_or_default();
    let costed = qos.lines().any(|line| {
        let mut words = line.split_whitespace();
        words.next() == Some(&device) && words.any(|word| word == "enable=1")
    });
    let scheduler = sys.join("dev/block").join(&device).join("queue/scheduler");
    costed || fs::read_to_string(scheduler).is_ok_and(|text| text.contains("[bfq]"))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may panic")]
    use super::*;

    fn put(path: &Path, text: &str) {
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    #[test]
    fn a_partition_is_bounded_by_its_disk() {
        let folder = tempfile::tempdir().unwrap();
        let sys = folder.path();
        put(&sys.join("devices/pci/block/sda/dev"), "8:0\n");
        put(&sys.join("devices/pci/block/sda/sda2/dev"), "8:2\n");
        put(&sys.join("devices/pci/block/sda/sda2/partition"), "2\n");
        put(&sys.join("devices/virtual/block/dm-3/dev"), "252:3\n");
        fs::create_dir_all(sys.join("dev/block")).unwrap();
        for (name, to) in [
            ("8:0", "devices/pci/block/sda"),
            ("8:2", "devices/pci/block/sda/sda2"),
            ("252:3", "devices/virtual/block/dm-3"),
        ] {
            std::os::unix::fs::symlink(sys.join(to), sys.join("dev/block").join(name)).unwrap();
        }
        for (major, minor, expected) in
            [(8, 0, Some((8, 0))), (8, 2, Some((8, 0))), (252, 3, Some((252, 3))), (9, 9, None)]
        {
            let disk = Disk::of(sys, major, minor).map(|disk| (disk.major, disk.minor));
            assert_eq!(disk, expected, "{major}:{minor}");
        }
    }

    #[test]
    fn means_are_read_off_the_tree() {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path();
        put(&root.join("cgroup.controllers"), "cpuset cpu memory pids\n");
        assert_eq!(Means::unified(root), Means::default());
        put(&root.join("cgroup.controllers"), "cpuset cpu io memory pids\n");
        assert_eq!(Means::unified(root), Means { bounds: true, buffered: true, weight: false });
        put(&root.join("io.cost.qos"), "");
        assert_eq!(Means::unified(root), Means { bounds: true, buffered: true, weight: true });
        let blkio = root.join("blkio");
        assert_eq!(Means::old(Some(&blkio)), Means::default());
        assert_eq!(Means::old(None), Means::default());
        put(&blkio.join("blkio.throttle.write_bps_device"), "");
        assert_eq!(Means::old(Some(&blkio)), Means { bounds: true, buffered: false, weight: false });
    }

    #[test]
    fn weights_count_where_something_heeds_them() {
        let folder = tempfile::tempdir().unwrap();
        let (sys, root) = (folder.path().join("sys"), folder.path().join("cgroup"));
        let disk = Disk { major: 8, minor: 0 };
        assert!(!weighed(&sys, &root, disk));
        let scheduler = sys.join("dev/block/8:0/queue/scheduler");
        put(&scheduler, "none [mq-deadline] kyber bfq\n");
        assert!(!weighed(&sys, &root, disk));
        put(&root.join("io.cost.qos"), "8:16 enable=1 ctrl=auto\n8:0 enable=0 ctrl=auto\n");
        assert!(!weighed(&sys, &root, disk));
        put(&root.join("io.cost.qos"), "8:0 enable=1 ctrl=auto rpct=0.00\n");
        assert!(weighed(&sys, &root, disk));
        put(&root.join("io.cost.qos"), "");
        put(&scheduler, "none mq-deadline kyber [bfq]\n");
        assert!(weighed(&sys, &root, disk));
    }
}
