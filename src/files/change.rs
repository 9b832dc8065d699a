//! What changes at once.

use protocol::{FileAction, FileOp, ToAgent, ToPanel};
use storage::servers::Server;

use super::denied::Denied;
use super::place::unfitting;
use super::{Files, JOB_SILENT, NUMBER, path};
use crate::auth::{Permit, need};
use crate::error::ApiError;
use crate::system::ids;

impl Files {
    /// Makes a folder, with those above it.
    pub(super) async fn mkdir(&self, permit: &Permit<need::Files>, path: &str) -> Result<(), ApiError> {
        let path = path::named("path", path)?;
        let server = self.writable_place(permit.server_id())?;
        self.act(&server, permit, FileAction::MakeDirectory { path: path.clone() }).await?;
        tracing::info!(server = %server.id, by = %permit.actor(), path, "folder made");
        Ok(())
    }

    /// Gives something another name or place.
    pub(super) async fn rename(
        &self,
        permit: &Permit<need::Files>,
        path: &str,
        to: &str,
        replace: bool,
    ) -> Result<(), ApiError> {
        let (path, to) = (path::named("path", path)?, path::named("to", to)?);
        if to.strip_prefix(path.as_str()).is_some_and(|rest| rest.starts_with('/')) {
            return Err(ApiError::field("to", "must not be within what is moved"));
        }
        let server = self.writable_place(permit.server_id())?;
        let action = FileAction::Rename { path: path.clone(), to: to.clone(), replace };
        self.act(&server, permit, action).await?;
        tracing::info!(server = %server.id, by = %permit.actor(), path, to, "file renamed");
        Ok(())
    }

    /// Changes permission bits.
    pub(super) async fn chmod(
        &self,
        permit: &Permit<need::Files>,
        path: &str,
        mode: &str,
        recursive: bool,
    ) -> Result<(), ApiError> {
        let path = path::named("path", path)?;
        let octal = matches!(mode.len(), 3 | 4).then(|| u32::from_str_radix(mode, 8).ok()).flatten();
        let Some(bits) = octal.filter(|bits| *bits <= 0o777) else {
            return Err(ApiError::field("mode", "must be three octal digits, such as 755"));
        };
        let server = self.writable_place(permit.server_id())?;
        self.act(&server, permit, FileAction::Chmod { path: path.clone(), mode: bits, recursive }).await?;
        tracing::info!(server = %server.id, by = %permit.actor(), path, mode, recursive, "permissions changed");
        Ok(())
    }

    async fn act(
        &self,
        server: &Server,
        permit: &Permit<need::Files>,
        op: FileAction,
    ) -> Result<(), ApiError> {
        let denied = Denied::of(server, permit);
        denied.check_action(&op)?;
        let job_id = ids::random(NUMBER);
        let message =
            FileOp { server_id: server.id.clone(), job_id: job_id.clone(), op, denied: denied.patterns() };
        let message = ToAgent::FileOp(message);
        let answer = self.session(server)?.ask_job(&job_id, message, JOB_SILENT, |_| {}).await?;
        if matches!(answer, ToPanel::FileDone(_)) { Ok(()) } else { Err(unfitting()) }
    }
}
