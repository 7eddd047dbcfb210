//! The command line: the same API as everybody.
