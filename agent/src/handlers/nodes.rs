//! Messages about the machine.

use protocol::{HostCheck, RegistryLogin};

use super::parts::Parts;
use crate::panel::reply_cache::Reply;

pub(super) fn system_info_request(agent: &Parts, reply: Reply) {
    agent.reporter.tell_system_info(|info| reply.answer(info));
    agent.reporter.tell_sync();
}

pub(super) fn registry_login(agent: &Parts, login: RegistryLogin, reply: Reply) {
    agent.checks.log_in(login);
    reply.ack(None);
}

pub(super) fn host_check(agent: &Parts, check: HostCheck, reply: Reply) {
    agent.checks.check(check, reply);
}
