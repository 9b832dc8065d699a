//! Acts after which there may be no way back: a backup is made first where somebody asks for that, and they are done when it is whole.

use protocol::{ServerId, Status};
use storage::backups::FollowUp;
use storage::servers::Server;

use super::Servers;
use super::views::{PowerAnswer, ServerStatus, ServerView};
use crate::auth::{Permit, need};
use crate::backups::{Acts, Also, Backups, Done};
use crate::error::{ApiError, Code};
use crate::revision::Expected;

impl Acts for Servers {
    fn perform(&self, server_id: ServerId, act: FollowUp) -> Done {
        let servers = self.clone();
        Box::pin(async move {
            tracing::info!(server = %server_id, ?act, "done now that there is a backup");
            match act {
                FollowUp::Reinstall { wipe } => servers.install_again(&server_id, wipe).await.map(drop),
                FollowUp::Install => servers.install_again(&server_id, false).await.map(drop),
                FollowUp::Template => servers.step_template(&server_id, &Expected::Whatever).await.map(drop),
            }
        })
    }

    fn insert_copy(&self, server: Server, also: Also) -> Done {
        let servers = self.clone();
        Box::pin(async move { servers.make_copy(server, also).await })
    }
}

/// Installs again, now or once there is a backup.
pub(super) async fn install(
    (servers, backups): (Servers, Backups),
    permit: &Permit<need::Configure>,
    act: FollowUp,
    backup_first: bool,
) -> Result<PowerAnswer, ApiError> {
    let wipe = matches!(act, FollowUp::Reinstall { wipe: true });
    if !backup_first {
        return match act {
            FollowUp::Install => servers.install(permit).await,
            _ => servers.reinstall(permit, wipe).await,
        };
    }
    let server = servers.can_install(permit.server_id(), wipe)?;
    let seen = servers.agents.server(&server.id).status;
    if seen.as_ref().is_some_and(|seen| {
        matches!(seen.status, Status::Running | Status::Starting | Status::Stopping | Status::Paused)
    }) {
        return Err(ApiError::new(Code::Conflict, "Stop the server before it is installed again."));
    }
    let backup = backups.create_before(permit, act).await?;
    let status = seen.map_or(ServerStatus::Stopped, |seen| ServerStatus::of(&seen.status));
    Ok(PowerAnswer { status, backup: Some(backup.id) })
}

/// Takes the present version of a server's template, now or once there is a backup.
pub(super) async fn update_template(
    (servers, backups): (Servers, Backups),
    permit: &Permit<need::Configure>,
    expected: &Expected,
    backup_first: bool,
) -> Result<ServerView, ApiError> {
    if !backup_first {
        return servers.update_template(permit, expected).await;
    }
    let server = servers.can_step(permit.server_id(), expected)?;
    backups.create_before(permit, FollowUp::Template).await?;
    servers.view(server, permit.actor())
}
