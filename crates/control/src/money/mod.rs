//! Plans, subscriptions, the ledger, and what an account may use by what it subscribes to.

pub(crate) mod breach;
pub(crate) mod export;
pub(crate) mod ledger;
pub(crate) mod plan;
pub(crate) mod quota;
pub(crate) mod renewal;
pub(crate) mod subscription;
