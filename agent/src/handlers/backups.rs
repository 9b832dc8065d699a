//! Backups of a server.

use protocol::{BackupAction, BackupList, BackupQuery, BackupRun, ErrorCode};

use super::parts::Parts;
use crate::panel::reply_cache::Reply;

pub(super) fn backup_run(agent: &Parts, run: Box<BackupRun>, reply: Reply) {
    if matches!(run.action, BackupAction::RestoreNew { .. }) {
        // It is asked for again after a break: then the server may be made already.
        let there = run.server_id.as_deref().is_some_and(|id| agent.servers.get(id).is_some());
        if there {
            return reply.refuse(ErrorCode::Conflict, "There is a server of this id on this node already.");
        }
        return agent.backups.run(None, *run, reply);
    }
    // Backups of a server that was transferred away can still be deleted; the others are about the repository.
    if matches!(
        run.action,
        BackupAction::Delete { .. }
            | BackupAction::Test {}
            | BackupAction::Adopt { .. }
            | BackupAction::Check { .. }
            | BackupAction::Prune {}
    ) {
        return agent.backups.run(None, *run, reply);
    }
    let Some(server_id) = &run.server_id else { return agent.backups.run(None, *run, reply) };
    let Some((handle, reply)) = agent.server(server_id, reply) else { return };
    agent.backups.run(Some(handle), *run, reply);
}

pub(super) fn backup_list(agent: &Parts, list: Box<BackupList>, reply: Reply) {
    agent.backups.list(*list, reply);
}

pub(super) fn backup_query(agent: &Parts, job: BackupQuery, reply: Reply) {
    agent.backups.report(&job, reply);
}

pub(super) fn backup_cancel(agent: &Parts, job: BackupQuery, reply: Reply) {
    agent.backups.cancel(&job, reply);
}
