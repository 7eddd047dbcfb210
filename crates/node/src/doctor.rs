//! What this machine can do and lacks, with the remedy.
