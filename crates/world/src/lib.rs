//! Tests of the whole house: the platform on real engines, and with faults.
