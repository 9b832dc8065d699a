//! Who plays.

use protocol::PlayersQuery;

use super::parts::Parts;
use crate::panel::reply_cache::Reply;

pub(super) fn players_query(agent: &Parts, query: PlayersQuery, reply: Reply) {
    let Some((handle, reply)) = agent.server(&query.server_id, reply) else { return };
    agent.players.query(&handle, query, reply);
}
