//! What takes longer: it goes on when its caller has gone.

use std::future::Future;
use std::time::Duration;

use protocol::{ArchiveFormat, FileAction, FileCancel, FileDone, FileOp, ToAgent, ToPanel};
use storage::servers::Server;

use super::denied::Denied;
use super::job_table::JobHandle;
use super::place::unfitting;
use super::views::{JobKind, JobState, JobView};
use super::{ANSWER, Files, JOB_SILENT, NUMBER, path};
use crate::auth::{Permit, need};
use crate::error::{ApiError, Code};
use crate::system::ids;

/// How long a caller waits for the end of a job.
const WAITED: Duration = Duration::from_secs(25);

/// A job as its caller is told of it: true where it has ended.
pub(super) type JobAnswer = (bool, JobView);

impl Files {
    /// Copies.
    pub(super) async fn copy(
        &self,
        permit: &Permit<need::Files>,
        path: &str,
        to: &str,
        background: bool,
    ) -> Result<JobAnswer, ApiError> {
        let (path, to) = (path::named("path", path)?, path::named("to", to)?);
        if to.strip_prefix(path.as_str()).is_some_and(|rest| rest.starts_with('/')) {
            return Err(ApiError::field("to", "must not be within what is copied"));
        }
        self.run(permit, JobKind::Copy, FileAction::Copy { path, to }, background).await
    }

    /// Deletes.
    pub(super) async fn delete(
        &self,
        permit: &Permit<need::Files>,
        paths: &[String],
        permanent: bool,
        background: bool,
    ) -> Result<JobAnswer, ApiError> {
        let paths = path::list("paths", paths)?;
        self.run(permit, JobKind::Delete, FileAction::Delete { paths, permanent }, background).await
    }

    /// Packs.
    pub(super) async fn archive(
        &self,
        permit: &Permit<need::Files>,
        paths: &[String],
        to: &str,
        background: bool,
    ) -> Result<JobAnswer, ApiError> {
        let (paths, to) = (path::list("paths", paths)?, path::named("to", to)?);
        let Some(format) = ArchiveFormat::of_name(&to) else {
            return Err(ApiError::field("to", "must end in .zip, .tar.gz, .tar.zst or .tar"));
        };
        let action = FileAction::Archive { paths, to, format: Some(format) };
        self.run(permit, JobKind::Archive, action, background).await
    }

    /// Unpacks.
    pub(super) async fn extract(
        &self,
        permit: &Permit<need::Files>,
        path: &str,
        to: &str,
        background: bool,
    ) -> Result<JobAnswer, ApiError> {
        let (path, to) = (path::named("path", path)?, path::checked("to", to)?);
        self.run(permit, JobKind::Extract, FileAction::Extract { path, to }, background).await
    }

    /// Puts back from the trash.
    pub(super) async fn restore(
        &self,
        permit: &Permit<need::Files>,
        ids: Vec<String>,
    ) -> Result<JobAnswer, ApiError> {
        path::numbers("ids", &ids)?;
        self.run(permit, JobKind::Restore, FileAction::Restore { ids }, false).await
    }

    /// Empties the trash, or removes some of what is in it.
    pub(super) async fn empty_trash(
        &self,
        permit: &Permit<need::Files>,
        ids: Option<Vec<String>>,
    ) -> Result<JobAnswer, ApiError> {
        if let Some(ids) = &ids {
            path::numbers("ids", ids)?;
        }
        self.run(permit, JobKind::EmptyTrash, FileAction::EmptyTrash { ids }, false).await
    }

    /// The jobs of a server.
    pub(super) fn jobs(&self, permit: &Permit<need::FilesRead>) -> Vec<JobView> {
        self.0.jobs.list(permit.server_id())
    }

    /// Calls a job off.
    pub(super) fn cancel_job(&self, permit: &Permit<need::Files>, id: &str) -> Result<(), ApiError> {
        self.0.jobs.cancel(permit.server_id(), id)?;
        tracing::info!(server = %permit.server_id(), by = %permit.actor(), job = id, "work on files called off");
        Ok(())
    }

    /// For those who follow them.
    pub(super) fn job_table(&self) -> &super::job_table::JobTable {
        &self.0.jobs
    }

    async fn run(
        &self,
        permit: &Permit<need::Files>,
        kind: JobKind,
        op: FileAction,
        background: bool,
    ) -> Result<JobAnswer, ApiError> {
        let server = self.writable_place(permit.server_id())?;
        let denied = Denied::of(&server, permit);
        denied.check_action(&op)?;
        let shown = shown(&op);
        let (job_id, denied) = (ids::random(NUMBER), denied.patterns());
        let message = FileOp { server_id: server.id.clone(), job_id, op, denied };
        let job = self.0.jobs.begin(&server.id, message.job_id.clone(), kind)?;
        tracing::info!(server = %server.id, by = %permit.actor(), job = %job.id, ?kind, path = shown, "work on files");
        let (files, of) = (self.clone(), job.clone());
        self.drive(&job, async move { files.at_the_node(&server, &of, message).await });
        answered(&job, background).await
    }

    /// Does the work, and notes how it ends.
    pub(super) fn drive(
        &self,
        job: &JobHandle,
        work: impl Future<Output = Result<FileDone, ApiError>> + Send + 'static,
    ) {
        let (job, end) = (job.clone(), self.0.parts.tasks.token());
        drop(self.0.parts.tasks.spawn("file-job", async move {
            let outcome = tokio::select! {
                outcome = work => outcome,
                () = end.cancelled() => Err(ApiError::new(Code::Busy, "The panel is stopping.")),
            };
            if let Err(error) = &outcome {
                tracing::info!(server = %job.server_id, job = %job.id, %error, "work on files ended early");
            }
            job.end(&outcome);
        }));
    }

    async fn at_the_node(
        &self,
        server: &Server,
        job: &JobHandle,
        message: FileOp,
    ) -> Result<FileDone, ApiError> {
        let message = ToAgent::FileOp(message);
        let session = self.session(server)?;
        let asked = session.ask_job(&job.id, message, JOB_SILENT, |told| job.progress(told));
        let mut asked = std::pin::pin!(asked);
        let answer = tokio::select! {
            answer = &mut asked => answer,
            () = job.cancel.cancelled() => {
                self.call_off(server, &job.id).await?;
                asked.await
            }
        };
        match answer? {
            ToPanel::FileDone(done) => Ok(done),
            _ => Err(unfitting()),
        }
    }

    async fn call_off(&self, server: &Server, job_id: &str) -> Result<(), ApiError> {
        let message = FileCancel { server_id: server.id.clone(), job_id: job_id.to_owned() };
        let answer = self.agents().ask(&server.node_id, ToAgent::FileCancel(message), ANSWER).await;
        answer.map(drop).map_err(ApiError::from)
    }
}

/// What the caller is told: how it ended, where that is soon, else that it goes on. Where it failed, its error is the answer's.
pub(super) async fn answered(job: &JobHandle, background: bool) -> Result<JobAnswer, ApiError> {
    if !background {
        // Late, it goes on.
        let _ = tokio::time::timeout(WAITED, job.over.cancelled()).await;
    }
    let view = job.view().ok_or_else(|| ApiError::not_found("job"))?;
    match (view.state, job.failure()) {
        (JobState::Failed, Some(error)) => Err(error),
        (JobState::Cancelled, _) => Err(ApiError::new(Code::Conflict, "It was called off.")),
        (state, _) => Ok((state != JobState::Running, view)),
    }
}

/// What the log names.
fn shown(op: &FileAction) -> String {
    let paths = |paths: &[String]| match paths {
        [one] => one.clone(),
        [one, rest @ ..] => format!("{one} and {} more", rest.len()),
        [] => String::new(),
    };
    match op {
        FileAction::MakeDirectory { path } | FileAction::Chmod { path, .. } => path.clone(),
        FileAction::Rename { path, to, .. }
        | FileAction::Copy { path, to }
        | FileAction::Extract { path, to } => format!("{path} to {to}"),
        FileAction::Delete { paths: all, .. } => paths(all),
        FileAction::Archive { paths: all, to, .. } => format!("{} to {to}", paths(all)),
        FileAction::Restore { ids } => paths(ids),
        FileAction::EmptyTrash { ids } => ids.as_deref().map_or_else(String::new, paths),
    }
}
