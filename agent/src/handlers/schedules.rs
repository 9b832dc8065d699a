//! Schedules of a server.

use protocol::{ScheduleRunNow, SchedulesSet, ServerRef};

use super::parts::Parts;
use crate::panel::reply_cache::Reply;

pub(super) fn schedules_set(agent: &Parts, set: Box<SchedulesSet>, reply: Reply) {
    let Some((_, reply)) = agent.server(&set.server_id, reply) else { return };
    agent.schedules.set(set, reply);
}

pub(super) fn schedule_run(agent: &Parts, run: ScheduleRunNow, reply: Reply) {
    let Some((_, reply)) = agent.server(&run.server_id, reply) else { return };
    agent.schedules.run_now(&run, reply);
}

pub(super) fn schedules_query(agent: &Parts, server: ServerRef, reply: Reply) {
    let Some((_, reply)) = agent.server(&server.server_id, reply) else { return };
    agent.schedules.report(&server.server_id, reply);
}
