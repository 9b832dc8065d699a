//! What the agent sends to the panel: answers to requests, the state of the machine and its servers, and subscribed
//! data.

pub(crate) mod reply_cache;
pub(crate) mod reporter;
pub(crate) mod subscriptions;
