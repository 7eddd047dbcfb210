//! The sandbox wall: OCI containers run by crun.
