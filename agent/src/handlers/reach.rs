//! How players reach a server.

use protocol::{RouterAllow, ServerRef};

use super::parts::Parts;
use crate::panel::reply_cache::Reply;

pub(super) fn reach_query(agent: &Parts, server: ServerRef, reply: Reply) {
    let Some((handle, reply)) = agent.server(&server.server_id, reply) else { return };
    agent.reach.query(server.server_id, &handle, reply);
}

pub(super) fn router_allow(agent: &Parts, wish: RouterAllow, reply: Reply) {
    let Some((_, reply)) = agent.server(&wish.server_id, reply) else { return };
    agent.reach.allow(&wish, reply);
}
