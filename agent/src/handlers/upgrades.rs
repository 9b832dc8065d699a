//! Upgrades of the agent's own program.

use protocol::UpgradeReceive;

use super::parts::Parts;
use crate::panel::reply_cache::Reply;

pub(super) fn upgrade_receive(agent: &Parts, upgrade: UpgradeReceive, reply: Reply) {
    agent.upgrades.receive(upgrade, reply);
}
