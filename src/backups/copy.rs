//! A new server of a backup. Its files come first: to where the node finds them when the server is made. Only then is there a
//! record of it, so that one that is cut short is no server that could be started.

use std::time::Duration;

use protocol::{BackupAction, BackupLimits, NodeId, ServerRef, ToAgent};
use storage::ReadTx;
use storage::backups::{self, Backup, Copying, Stage};
use storage::servers::Server;
use tokio_util::sync::CancellationToken;

use super::acts::Also;
use super::job::{Ended, Job};
use super::tracker::copy_key;
use super::views::BackupView;
use super::{Backups, busy, checked_name};
use crate::auth::Admin;
use crate::error::{ApiError, Code};
use crate::system::{clock, ids};

/// How long a node may take to throw files away.
const SOON: Duration = Duration::from_secs(30);
/// Between two attempts at a node that is away.
const AGAIN: Duration = Duration::from_secs(5);

impl Backups {
    /// Makes a server with the settings of the backup's and the files of the backup.
    pub(super) async fn restore_as(
        &self,
        admin: &Admin,
        server_id: &protocol::ServerId,
        id: &str,
        name: &str,
        node_id: Option<NodeId>,
    ) -> Result<BackupView, ApiError> {
        let name = checked_name(name)?;
        if name.is_empty() {
            return Err(ApiError::field("name", "is missing"));
        }
        let backup = self.get(server_id, id)?;
        if backup.stage != Stage::Ready {
            return Err(ApiError::new(
                Code::Conflict,
                "This backup is not whole, or something of it is under way.",
            ));
        }
        if backup.checks.is_used() {
            return Err(busy());
        }
        let node_id = match node_id {
            Some(node_id) => node_id,
            None => self.node_for(&backup)?,
        };
        if node_id != backup.node_id && !self.is_shared(backup.target_id.as_deref())? {
            let sentence = format!(
                "This backup lies on the node {}: the new server can only be made there. Move it afterwards.",
                backup.node_id
            );
            return Err(ApiError::new(Code::Conflict, sentence));
        }
        self.shows_contents(&node_id, &backup)?;
        let server = self.store.read_now(|tx| settings_of(tx, server_id))?;
        let unknown = || {
            let sentence = "The settings of this server are not known, only its files. Create a server with the right template, and give the backups to it.";
            ApiError::new(Code::Conflict, sentence)
        };
        let server = server.ok_or_else(unknown)?;
        let now = clock::now();
        let new = Server {
            id: ids::short().into(),
            name,
            node_id,
            suspended: false,
            handed_over: false,
            start_when_installed: false,
            deleting: None,
            created_at: now,
            updated_at: now,
            ..server
        };
        tracing::info!(server = %new.id, name = new.name, backup = backup.id, by = %admin, "a server is to be made of a backup");
        let (server_id, backup_id) = (backup.server_id.clone(), backup.id.clone());
        let copy = Copying { server: new, job_id: ids::long() };
        let changed = self.store.write(move |tx| {
            backups::update(tx, &server_id, &backup_id, |one| {
                one.checks.copy = Some(Box::new(copy));
                one.problem = None;
            })
        });
        let changed = changed.await?;
        self.drive_copy(&changed);
        Ok(self.view(changed))
    }

    /// Makes the server, in the background.
    pub(super) fn drive_copy(&self, backup: &Backup) {
        let Some(copy) = backup.checks.copy.clone() else { return };
        let (key, server_id, backup) = (copy_key(&backup.id), backup.server_id.clone(), backup.clone());
        self.in_background("backup-copy", key, &server_id, |all, cancel| async move {
            if let Err(error) = all.make_copy(&backup, *copy, &cancel).await {
                tracing::warn!(backup = backup.id, %error, "a server could not be made of a backup");
            }
        });
    }

    async fn make_copy(
        &self,
        backup: &Backup,
        copy: Copying,
        cancel: &CancellationToken,
    ) -> Result<(), ApiError> {
        let Copying { server, job_id } = copy;
        let job = Job {
            node_id: server.node_id.clone(),
            // The job is about the new server.
            server_id: Some(server.id.clone()),
            job_id,
            repository: self.repository(&server.node_id, backup.target_id.as_deref()).await?,
            action: BackupAction::RestoreNew { backup_id: backup.id.clone() },
            limits: BackupLimits::default(),
            tracked: Some((copy_key(&backup.id), Some(backup.server_id.clone()))),
        };
        let problem = match self.ask(&job, cancel).await {
            Ended::Done(_) => return self.copied(backup, server).await,
            Ended::Failed(why) => Some(format!("No server was made of it. {why}")),
            Ended::Cancelled => None,
        };
        self.discard(&server).await;
        self.change_record(backup, move |one| {
            one.checks.copy = None;
            one.problem = problem;
        })
        .await
    }

    /// Its files are there: the server is made, and the backup is free again, in one step.
    async fn copied(&self, backup: &Backup, server: Server) -> Result<(), ApiError> {
        let (of, id) = (backup.server_id.clone(), backup.id.clone());
        let acts = loop {
            match self.acts.get() {
                Some(acts) => break acts,
                // It is set at the end of the start.
                None => tokio::time::sleep(Duration::from_millis(100)).await,
            }
        };
        let also: Also = Box::new(move |tx| {
            match backups::update(tx, &of, &id, |one| one.checks.copy = None) {
                // The server of the backup was deleted meanwhile.
                Ok(_) | Err(storage::Error::NotFound { .. }) => Ok(()),
                Err(error) => Err(error),
            }
        });
        match acts.insert_copy(server.clone(), also).await {
            Ok(()) => {
                tracing::info!(server = %server.id, backup = backup.id, "a server is made of a backup");
                Ok(())
            }
            Err(error) => {
                self.discard(&server).await;
                let problem = format!("No server was made of it. {}", error.message());
                self.change_record(backup, move |one| {
                    one.checks.copy = None;
                    one.problem = Some(problem);
                })
                .await
            }
        }
    }

    /// Throws the files away that came for a server that is not made.
    async fn discard(&self, server: &Server) {
        let message = || ToAgent::TransferDiscard(ServerRef { server_id: server.id.clone() });
        while let Err(error) = self.agents.ask(&server.node_id, message(), SOON).await {
            tracing::debug!(server = %server.id, %error, "files for a server that is not made");
            tokio::time::sleep(AGAIN).await;
        }
    }
}

/// The settings of a server that is there, or was.
fn settings_of(tx: &ReadTx, server_id: &str) -> storage::Result<Option<Server>> {
    if let Some(server) = storage::servers::get(tx, server_id)? {
        return Ok(Some(server));
    }
    Ok(backups::deleted::get(tx, server_id)?.and_then(|deleted| deleted.server).map(|server| *server))
}
