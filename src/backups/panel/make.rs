//! Makes a panel backup: first one of each server at the same place, where that was asked for, then one of the panel.

use std::time::Duration;

use protocol::BackupAction;
use storage::backups::policies::{self, Kept};
use storage::backups::{self, Backup, Origin, PANEL, Stage};
use storage::servers::Server;
use tokio_util::sync::CancellationToken;

use super::stage;
use crate::backups::Backups;
use crate::backups::job::Ended;
use crate::backups::policy::{due, keep};
use crate::error::ApiError;
use crate::system::clock;

/// A server's backup that is no older than that when the panel's is asked for is not made again, in milliseconds.
const YOUNG: i64 = 3_600_000;
/// Between two looks how far a server's backup is.
const POLL: Duration = Duration::from_millis(500);
/// Servers that are named where they could not be backed up.
const NAMED: usize = 10;

impl Backups {
    /// Makes what is written of the backup.
    pub(in crate::backups) async fn make_of_panel(
        &self,
        backup: &Backup,
        cancel: &CancellationToken,
    ) -> Ended {
        let mut missing = Vec::new();
        if backup.plan.servers {
            match self.save_servers(backup, cancel).await {
                Ok(found) => missing = found,
                Err(error) => return Ended::Failed(error.message().to_owned()),
            }
        }
        if cancel.is_cancelled() {
            return Ended::Cancelled;
        }
        let ended = match stage::lay_beside(&self.store, &self.data_dir).await {
            Ok(()) => {
                let action = BackupAction::CreatePanel { backup_id: backup.id.clone() };
                self.job(backup, action, cancel).await
            }
            Err(why) => Ended::Failed(why),
        };
        stage::clear(&self.data_dir).await;
        match ended {
            Ended::Done(mut report) if !missing.is_empty() => {
                let more = if missing.len() > NAMED { " …" } else { "" };
                missing.truncate(NAMED);
                report.warning = Some(format!(
                    "These servers could not be backed up with it: {}{more}",
                    missing.join("; ")
                ));
                Ended::Done(report)
            }
            ended => ended,
        }
    }

    /// Has every server backed up at the same place. Gives those that could not be.
    async fn save_servers(
        &self,
        of_panel: &Backup,
        cancel: &CancellationToken,
    ) -> Result<Vec<String>, ApiError> {
        let mut missing = Vec::new();
        let mut saved = 0;
        for server in self.store.read_now(storage::servers::list)? {
            if cancel.is_cancelled() {
                break;
            }
            match self.save_server(of_panel, &server, cancel).await? {
                None => saved += 1,
                Some(why) => missing.push(format!("{} ({})", server.name, why.trim_end_matches('.'))),
            }
            self.change_record(of_panel, move |one| one.contents.servers = saved).await?;
            self.told(&of_panel.server_id);
        }
        Ok(missing)
    }

    /// Gives why there is no backup of it, or none where there is.
    async fn save_server(
        &self,
        of_panel: &Backup,
        server: &Server,
        cancel: &CancellationToken,
    ) -> Result<Option<String>, ApiError> {
        let all = self.store.read_now(|tx| backups::list(tx, &server.id))?;
        let young = |one: &&Backup| {
            one.stage == Stage::Ready
                && one.target_id == of_panel.target_id
                && one.node_id == server.node_id
                && one.created_at >= of_panel.created_at - YOUNG
                && one.checks.proof.as_ref().is_some_and(|proof| proof.ok)
        };
        if all.iter().rev().any(|one| young(&one)) {
            return Ok(None);
        }
        if let Err(error) = self.can_keep(&server.node_id, of_panel.target_id.as_deref()) {
            return Ok(Some(error.message().to_owned()));
        }
        let new = match self.idle(&server.id).and_then(|server| self.planned(&server, Origin::Scheduled)) {
            Ok(new) => {
                Backup { name: "With the panel".to_owned(), target_id: of_panel.target_id.clone(), ..new }
            }
            Err(error) => return Ok(Some(error.message().to_owned())),
        };
        if let Err(error) = self.insert(&new).await {
            return Ok(Some(error.message().to_owned()));
        }
        self.drive(&new);
        let mut told = false;
        loop {
            tokio::time::sleep(POLL).await;
            if cancel.is_cancelled() && !std::mem::replace(&mut told, true) {
                self.tracker.cancel(&new.id);
            }
            match self.store.read_now(|tx| backups::get(tx, &server.id, &new.id))? {
                Some(one) if one.stage == Stage::Creating => {}
                Some(one) if one.stage == Stage::Failed => return Ok(Some(one.problem.unwrap_or_default())),
                Some(_) => break,
                None => return Ok(Some("its backup was deleted".to_owned())),
            }
        }
        self.thin_out_of_panel(server).await?;
        Ok(None)
    }

    /// Where a server has no daily backups of its own, the panel's rules say which of those made with it are kept.
    async fn thin_out_of_panel(&self, server: &Server) -> Result<(), ApiError> {
        let read = |tx: &storage::ReadTx| {
            let (own, of_panel) = (policies::get(tx, &server.id)?, policies::get(tx, PANEL)?);
            Ok::<_, storage::Error>((own, of_panel, backups::list(tx, &server.id)?))
        };
        let (own, of_panel, all) = self.store.read_now(read)?;
        let Some(Kept { policy, .. }) = of_panel.filter(|_| !own.is_some_and(|own| own.policy.enabled))
        else {
            return Ok(());
        };
        let going = keep::going(&all, &policy.keep, clock::now(), &due::zone_of(&policy));
        self.delete_old(&server.id, going).await
    }
}
