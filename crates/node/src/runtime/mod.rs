//! The runtime wall: immutable subvolumes built from the catalogue.
