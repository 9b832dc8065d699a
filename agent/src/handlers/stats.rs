//! Stats of servers and of the machine.

use protocol::{ServerRef, StatsHistory, StatsSubscribe, ToPanel};

use super::parts::Parts;
use crate::panel::reply_cache::Reply;

pub(super) fn stats_subscribe(agent: &Parts, stats: StatsSubscribe, reply: Reply) {
    agent.wanted.replace(stats.server_ids, stats.node);
    reply.ack(None);
}

pub(super) fn stats_history(agent: &Parts, server: ServerRef, reply: Reply) {
    let samples = agent.sampler.history(&server.server_id);
    reply.answer(ToPanel::StatsHistory(StatsHistory { server_id: server.server_id, samples }));
}
