//! Backups of the panel itself: its database, secrets and settings, and by choice of all servers, in a repository that the
//! servers' backups lie in too; and a panel made of one again, on a machine that knows nothing. They are kept as those of a
//! server are, under the id [`PANEL`].

mod make;
mod manifest;
pub mod restore;
mod routes;
mod stage;

pub(super) use routes::routes;

use protocol::ServerId;
use storage::backups::policies::{self, Policy};
use storage::backups::{self, Backup, Checks, Contents, Origin, PANEL, Plan, Stage};

use super::policy::{PolicyBody, PolicyView, usual};
use super::{BackupView, Backups, busy};
use crate::agents::local;
use crate::auth::Admin;
use crate::error::{ApiError, Code};
use crate::revision::Expected;
use crate::system::{clock, ids};

fn panel() -> ServerId {
    PANEL.into()
}

impl Backups {
    /// All panel backups, newest first.
    fn panel_backups(&self) -> Result<Vec<BackupView>, ApiError> {
        self.list_of(&panel())
    }

    /// Makes one; without a target, where the policy says.
    async fn create_of_panel(
        &self,
        admin: &Admin,
        target: Option<&str>,
        servers: Option<bool>,
    ) -> Result<BackupView, ApiError> {
        let mut new = self.planned_of_panel(Origin::Manual)?;
        if let Some(target) = target {
            new.target_id = self.known_target(target)?;
        }
        new.plan.servers = servers.unwrap_or(new.plan.servers);
        self.can_keep(&local::NODE_ID, new.target_id.as_deref())?;
        let record = new.clone();
        let written = self.store.write(move |tx| {
            if backups::list(tx, PANEL)?.iter().any(|backup| backup.stage.is_busy()) {
                return Err(busy());
            }
            backups::insert(tx, &record).map_err(super::full)
        });
        written.await?;
        tracing::info!(backup = new.id, by = %admin, "a panel backup is to be made");
        self.drive(&new);
        Ok(self.view(new))
    }

    /// A new panel backup as the policy has it made.
    pub(super) fn planned_of_panel(&self, origin: Origin) -> Result<Backup, ApiError> {
        let kept = self.store.read_now(|tx| policies::get(tx, PANEL))?.unwrap_or_else(usual);
        let Policy { target_id, mib_per_sec, small_memory, servers, .. } = kept.policy;
        let name = if origin == Origin::Scheduled { "Daily" } else { "Panel" };
        Ok(Backup {
            id: ids::short(),
            server_id: panel(),
            node_id: local::NODE_ID,
            name: name.to_owned(),
            note: String::new(),
            locked: false,
            origin,
            stage: Stage::Creating,
            job_id: ids::long(),
            created_at: clock::now(),
            finished_at: None,
            contents: Contents::default(),
            problem: None,
            target_id,
            plan: Plan { mib_per_sec, small_memory, servers, ..Plan::default() },
            checks: Checks::default(),
        })
    }

    async fn delete_of_panel(&self, admin: &Admin, id: &str) -> Result<(), ApiError> {
        self.delete_one(&panel(), id, &admin.to_string()).await
    }

    fn cancel_of_panel(&self, admin: &Admin, id: &str) -> Result<(), ApiError> {
        let backup = self.get(&panel(), id)?;
        if backup.stage != Stage::Creating || !self.tracker.cancel(&backup.id) {
            return Err(ApiError::new(
                Code::Conflict,
                "There is nothing of this backup that could be cancelled.",
            ));
        }
        tracing::info!(backup = id, by = %admin, "a panel backup is cancelled");
        Ok(())
    }

    fn panel_policy(&self) -> Result<PolicyView, ApiError> {
        self.policy_view(&panel())
    }

    async fn set_panel_policy(
        &self,
        admin: &Admin,
        body: PolicyBody,
        expected: Expected,
    ) -> Result<PolicyView, ApiError> {
        self.write_policy(&panel(), body, expected, true).await?;
        tracing::info!(by = %admin, "the policy of panel backups was changed");
        self.panel_policy()
    }
}
