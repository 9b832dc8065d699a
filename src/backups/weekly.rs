//! The repository of each node is checked once a week: its index and its folders whole, and the data of a part of it, another
//! part each time. After it the space of deleted backups is freed. A node that is away is checked later; they do not all
//! begin at once.

use std::collections::BTreeSet;
use std::time::Duration;

use protocol::{BackupAction, NodeId, capability};
use storage::Millis;
use storage::backups::{self, Backup, Proof, ProofKind, Stage};
use tokio_util::sync::CancellationToken;

use super::Backups;
use super::job::{Ended, Job};
use crate::error::ApiError;
use crate::system::{clock, ids};

/// Between two looks whether one is due, and before the first: nodes connect meanwhile.
const EVERY: Duration = Duration::from_secs(600);
const HOUR: Millis = 3_600_000;
const DAY: Millis = 24 * HOUR;
const WEEK: Millis = 7 * DAY;
/// The data of one in so many packs is read: all of it in ten weeks.
const SHARE: u32 = 10;

impl Backups {
    /// Checks them for as long as the panel runs, one after another.
    pub(super) fn check_weekly(&self) {
        let (all, end) = (self.clone(), self.tasks.token());
        drop(self.tasks.spawn("backup-checks", async move {
            let work = async {
                loop {
                    tokio::time::sleep(EVERY).await;
                    if let Err(error) = all.check_those_due().await {
                        tracing::warn!(%error, "the backup repositories could not be checked; that is tried again");
                    }
                }
            };
            tokio::select! {
                () = end.cancelled() => {}
                () = work => {}
            }
        }));
    }

    async fn check_those_due(&self) -> Result<(), ApiError> {
        for (node_id, some) in self.store.read_now(backups::by_node)? {
            let ready = |backup: &&Backup| backup.stage == Stage::Ready && backup.target_id.is_none();
            let Some(one) = some.iter().rev().find(ready) else { continue };
            let node = node_id.clone();
            let Some(at) = self.store.read_now(|tx| backups::checked_at(tx, &node))? else {
                // The first one comes on some day of the next week.
                let spread = WEEK - Millis::from(rand::random::<u8>()) * WEEK / 256;
                self.note_check(&node_id, clock::now() - spread).await?;
                continue;
            };
            let can =
                self.can_work(&node_id).is_ok() && !self.agents.lacks(&node_id, capability::BACKUP_TARGETS);
            if can && clock::now() - at >= WEEK {
                self.check_node(&node_id, one).await?;
            }
        }
        Ok(())
    }

    async fn check_node(&self, node_id: &NodeId, one: &Backup) -> Result<(), ApiError> {
        let asked = Backup { job_id: ids::long(), ..one.clone() };
        let action = BackupAction::Check { share: SHARE };
        let job = self.job_of(&asked, action).await?;
        let ended = self.ask(&Job { tracked: None, ..job }, &CancellationToken::new()).await;
        let found = match ended {
            Ended::Done(report) => report,
            Ended::Failed(why) => {
                tracing::warn!(node = %node_id, why, "the backup repository of a node could not be checked");
                return self.note_check(node_id, clock::now() - WEEK + DAY).await;
            }
            Ended::Cancelled => return Ok(()),
        };
        let damaged: BTreeSet<String> = found.damaged.into_iter().collect();
        match damaged.len() {
            0 => tracing::info!(node = %node_id, "the backup repository of a node is as it should be"),
            count => tracing::error!(node = %node_id, count, "backups of a node are damaged"),
        }
        let (node, now) = (node_id.clone(), clock::now());
        let servers = self.store.write(move |tx| {
            backups::set_checked_at(tx, &node, now)?;
            backups::update_node(tx, &node, |backup| {
                if backup.target_id.is_some() || backup.finished_at.is_none_or(|at| at > now) {
                    return false;
                }
                let bad = damaged.contains(&backup.id);
                let started =
                    backup.checks.proof.as_ref().is_some_and(|proof| proof.kind == ProofKind::Started);
                if bad || !started {
                    let reason = if bad { "A check of the repository found that it is damaged." } else { "" };
                    let (kind, reason) = (ProofKind::Checked, reason.to_owned());
                    backup.checks.proof = Some(Proof { at: now, kind, ok: !bad, reason, lines: Vec::new() });
                }
                bad || !started
            })
        });
        for server_id in servers.await? {
            self.told(&server_id);
        }
        self.prune(node_id, one).await
    }

    /// Frees what deleted backups have left: it is marked when they are deleted, and removed a day later at the earliest.
    async fn prune(&self, node_id: &NodeId, one: &Backup) -> Result<(), ApiError> {
        let asked = Backup { job_id: ids::long(), ..one.clone() };
        let job = self.job_of(&asked, BackupAction::Prune {}).await?;
        if let Ended::Failed(why) = self.ask(&Job { tracked: None, ..job }, &CancellationToken::new()).await {
            tracing::warn!(node = %node_id, why, "the space of deleted backups could not be freed");
        }
        Ok(())
    }

    async fn note_check(&self, node_id: &NodeId, at: Millis) -> Result<(), ApiError> {
        let node = node_id.clone();
        Ok(self.store.write(move |tx| backups::set_checked_at(tx, &node, at)).await?)
    }
}
