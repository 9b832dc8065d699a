//! Restore tests: the backup is written to a separate folder, and the game is started from there.

use std::os::unix::fs::{MetadataExt, chown};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use protocol::{BackupProof, BackupRun, BackupState, ErrorCode, ServerCreate, ServerId, ToPanel};

use super::place::Failed;
use super::worker::{Outcome, Work};
use super::{Backups, Job};
use crate::server::{Handle, folder, restore_test};

/// How long a server may take to tell its settings.
const SOON: Duration = Duration::from_secs(20);

impl Backups {
    /// Tests a backup; `None` if cancelled.
    pub(super) async fn restore_test(
        &self,
        job: &Job,
        handle: &Handle,
        run: &BackupRun,
        backup_id: &str,
    ) -> Result<Option<Outcome>, Failed> {
        let turn = tokio::select! {
            () = job.cancel.cancelled() => return Ok(None),
            turn = self.testing.acquire() => turn,
        };
        let Ok(_turn) = turn else { return Ok(None) };
        let spec = self.settings(handle).await?;
        restore_test::has_memory(&spec)?;
        // What an earlier one left is being removed.
        restore_test::sweep(&self.context).await;
        let done = self.written_and_started(job, run, &spec, backup_id).await;
        restore_test::discard(&self.context, &spec.server_id).await;
        done
    }

    async fn written_and_started(
        &self,
        job: &Job,
        run: &BackupRun,
        spec: &ServerCreate,
        backup_id: &str,
    ) -> Result<Option<Outcome>, Failed> {
        let destination = folder::testing(&self.context.data_dir, &spec.server_id);
        let work = Work::Restore {
            backup_id: backup_id.to_owned(),
            destination: destination.clone(),
            paths: Vec::new(),
        };
        let written = {
            let turn = tokio::select! {
                () = job.cancel.cancelled() => return Ok(None),
                turn = self.turn.acquire() => turn,
            };
            let Ok(_turn) = turn else { return Ok(None) };
            job.report().state = BackupState::Running;
            self.child(job, &run.repository, run.limits, work).await
        };
        let outcome = match written {
            Ok(Some(outcome)) => outcome,
            Ok(None) => return Ok(None),
            // That there is no room for a test says nothing of the backup.
            Err((code @ (ErrorCode::DiskFull | ErrorCode::Busy), why)) => return Err((code, why)),
            Err((_, why)) => {
                let proof = BackupProof {
                    ok: false,
                    reason: format!("Its files could not be read. {why}"),
                    lines: Vec::new(),
                };
                return Ok(Some(Outcome { proof: Some(proof), ..Outcome::default() }));
            }
        };
        self.give(&spec.server_id, &destination).await;
        let proof = restore_test::run(&self.context, spec, &job.cancel).await?;
        Ok(proof.map(|proof| Outcome { proof: Some(proof), ..outcome }))
    }

    /// The folder itself is whose the server's is: a backup says nothing of it.
    async fn give(&self, server_id: &ServerId, destination: &Path) {
        let (of, to) = (folder::of(&self.context.data_dir, server_id), destination.to_owned());
        let work = move || {
            let old = std::fs::symlink_metadata(of)?;
            std::fs::set_permissions(&to, old.permissions())?;
            if folder::may_give() { chown(&to, Some(old.uid()), Some(old.gid())) } else { Ok(()) }
        };
        if let Ok(Err(error)) = tokio::task::spawn_blocking(work).await {
            tracing::warn!(server = %server_id, %error, "the folder of a restore test");
        }
    }

    async fn settings(&self, handle: &Handle) -> Result<Arc<ServerCreate>, Failed> {
        let (reply, answer) = self.answers.here();
        handle.with(reply, |server, reply| {
            let (spec, suspended) = server.settings();
            let description = protocol::ServerDescription { spec: spec.clone(), suspended };
            reply.answer(ToPanel::ServerDescription(Box::new(description)));
        });
        match tokio::time::timeout(SOON, answer).await {
            Ok(Ok(ToPanel::ServerDescription(told))) => Ok(Arc::new(told.spec)),
            _ => Err((ErrorCode::Busy, "The server did not tell its settings. Try again.".into())),
        }
    }
}
