//! What the platform can host: one folder per kind, all on the same four walls.
