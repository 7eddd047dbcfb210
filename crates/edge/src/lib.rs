//! TLS, HTTP and the way to each site: a straight function with named phases.
