//! The port wall: a routed link in a network namespace of its own, under nftables.
