//! What the panel is told: the answers to its requests, what this machine and its servers are, and what flows while
//! somebody looks.

pub(crate) mod reply_cache;
pub(crate) mod reporter;
pub(crate) mod subscriptions;
