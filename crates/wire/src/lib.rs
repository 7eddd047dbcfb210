//! Types of the public API and of the protocol between control and node.
