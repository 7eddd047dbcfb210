//! The volume wall: btrfs subvolumes in a pool, all of a solution in one quota group.
