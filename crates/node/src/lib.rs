//! The only role that is root: pools, sandboxes, ports, runtimes, and the pass that brings them to what is wished.
