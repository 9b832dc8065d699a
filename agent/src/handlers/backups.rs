//! Backups of a server.

use protocol::{BackupAction, BackupQuery, BackupRun};

use super::parts::Parts;
use crate::panel::reply_cache::Reply;

pub(super) fn backup_run(agent: &Parts, run: Box<BackupRun>, reply: Reply) {
    // Backups of a server that was transferred away can still be deleted; the others are about the repository.
    if matches!(
        run.action,
        BackupAction::Delete { .. }
            | BackupAction::Test {}
            | BackupAction::Check { .. }
            | BackupAction::Prune {}
    ) {
        return agent.backups.run(None, *run, reply);
    }
    let Some(server_id) = &run.server_id else { return agent.backups.run(None, *run, reply) };
    let Some((handle, reply)) = agent.server(server_id, reply) else { return };
    agent.backups.run(Some(handle), *run, reply);
}

pub(super) fn backup_query(agent: &Parts, job: BackupQuery, reply: Reply) {
    agent.backups.report(&job, reply);
}

pub(super) fn backup_cancel(agent: &Parts, job: BackupQuery, reply: Reply) {
    agent.backups.cancel(&job, reply);
}
